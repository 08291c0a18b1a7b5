"""The lower half of the Cell type dock: sweeps, sensitivity, comparison, and the cells of the session."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_celltype.workbench.classify_compare import NO_REFERENCE
from napari_celltype.workbench.classify_session import ClassifySession
from napari_celltype.workbench.classify_text import votes_text
from napari_celltype.workbench.classify_values import CellCall

from .celltype_cells import CellsTab
from .celltype_plots import BandPlot, ComparisonPlot
from .celltype_tables import VoteTable, make_table_view
from .plots.theme import PlotTheme

__all__ = ["ResultTabs", "SweepsTab"]

_NO_WAVEFORM = "No waveform model is here to ask: feature models look at the whole recording, not at a window."
_WAITING = "Not asked yet."


class SweepsTab(QWidget):
    """Votes of the sweeps."""

    def __init__(self) -> None:
        super().__init__()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.votes = VoteTable()
        self.view = make_table_view(self.votes, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.words)
        column.addWidget(self.view, 1)

    def show_call(self, call: CellCall, why_not: str) -> None:
        """List the votes, or say why there are none."""
        votes = call.votes or ()
        self.votes.show_votes(votes)
        self.words.setText(votes_text(votes) if votes else why_not)
        self.view.setVisible(bool(votes))


class ResultTabs(QTabWidget):
    """The four tabs."""

    def __init__(self, cells: ClassifySession) -> None:
        super().__init__()
        self.sweeps, self.band, self.comparison, self.cells = SweepsTab(), BandPlot(), ComparisonPlot(), CellsTab(cells)
        self.addTab(self.sweeps, "Sweeps")
        self.addTab(self.band, "Sensitivity")
        self.addTab(self.comparison, "Shape")
        self.addTab(self.cells, "Cells")
        self.setTabToolTip(0, "What each sweep says by itself")
        self.setTabToolTip(1, "How the verdict moves when the window is shifted by up to 1 ms, and from sweep to sweep")
        self.setTabToolTip(2, "The spike and its spectrum beside the averages of the classes")
        self.setTabToolTip(3, "The cells accepted in this session")
        self._call = CellCall()
        self._shown: dict[int, tuple[object, object, object, str]] = {}
        self.currentChanged.connect(self._on_current_changed)
        self.cells.counted.connect(self._on_cells_counted)
        self._on_cells_counted(len(cells.table))

    def _on_cells_counted(self, count: int) -> None:
        self.setTabText(3, f"Cells ({count})" if count else "Cells")

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.band.apply_theme(theme)
        self.comparison.apply_theme(theme)
        self._shown.clear()

    def tear_down(self) -> None:
        """Let go of what has no parent."""
        self.band.tear_down()
        self.comparison.tear_down()
        self.cells.tear_down()

    def show_call(self, call: CellCall) -> None:
        """Show what is said of a cell: the tab in front now, the others when they are looked at."""
        self._call = call
        self._show_front()

    def _on_current_changed(self, _: int) -> None:
        self._show_front()

    def _show_front(self) -> None:
        call, front = self._call, self.currentIndex()
        why_not = _why_no_window(call)
        parts = (call.votes, call.band, call.comparison, why_not)
        known = self._shown.get(front)
        # an answer comes in many parts; a tab is drawn when one of its own has come
        same = known is not None and all(one is other for one, other in zip(known[:3], parts[:3], strict=True))
        if same and known is not None and known[3] == why_not:
            return
        self._shown[front] = parts
        if front == 0:
            self.sweeps.show_call(call, why_not or "No sweep has a window this model takes.")
        elif front == 1:
            self.band.show_band(call.band, call.votes or (), why_not or _WAITING)
        elif front == 2:
            self.comparison.show_comparison(call.comparison, why_not or NO_REFERENCE)


def _why_no_window(call: CellCall) -> str:
    if call.verdict is None:
        return _WAITING
    asked = [verdict for verdict in (call.verdict, call.companion) if verdict is not None]
    if any(verdict.input == "waveform" for verdict in asked):
        return ""
    return _WAITING if call.votes is None else _NO_WAVEFORM
