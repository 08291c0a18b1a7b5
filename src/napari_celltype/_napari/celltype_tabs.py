"""The lower half of the Cell type dock: sweeps, sensitivity, comparison, and the cells of the session."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from napari_celltype.workbench.classify_compare import NO_REFERENCE
from napari_celltype.workbench.classify_text import votes_text
from napari_celltype.workbench.classify_values import CellCall

from .celltype_plots import BandPlot, ComparisonPlot, Note
from .celltype_tables import CellTable, VoteTable, make_table_view
from .plots.theme import PlotTheme

__all__ = ["CellsTab", "ResultTabs", "SweepsTab"]

_NO_WAVEFORM = "No waveform model is here to ask: feature models look at the whole recording, not at a window."
_WAITING = "Not asked yet."
_NO_CELLS = "No cell accepted yet. “Accept” puts the cell shown into this table (A in the Recording dock)."


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


class CellsTab(QWidget):
    """The session table and what can be done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = CellTable()
        self.view = make_table_view(self.cells, stretch=0)
        self.note = Note()
        self.note.setText(_NO_CELLS)
        table = QWidget()
        self._stack = QStackedLayout(table)
        self._stack.addWidget(self.note)
        self._stack.addWidget(self.view)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the table as CSV or Parquet")
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the table for a spreadsheet")
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the selected cells out of the table")
        row = QHBoxLayout()
        for button in (self.save, self.copy, self.remove):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(3)
        column.addWidget(table, 1)
        column.addLayout(row)

    def refresh(self, rows: list) -> None:  # type: ignore[type-arg]
        """List these cells."""
        self.cells.show_rows(rows)
        self._stack.setCurrentWidget(self.view if rows else self.note)
        for button in (self.save, self.copy, self.remove):
            button.setEnabled(bool(rows))

    def selected_rows(self) -> list[int]:
        """Rows selected."""
        return sorted({index.row() for index in self.view.selectionModel().selectedRows()})


class ResultTabs(QTabWidget):
    """The four tabs."""

    def __init__(self) -> None:
        super().__init__()
        self.sweeps, self.band, self.comparison, self.cells = SweepsTab(), BandPlot(), ComparisonPlot(), CellsTab()
        self.addTab(self.sweeps, "Sweeps")
        self.addTab(self.band, "Shift")
        self.addTab(self.comparison, "Shape")
        self.addTab(self.cells, "Cells")
        self.setTabToolTip(0, "What each sweep says by itself")
        self.setTabToolTip(1, "How the verdict moves when the window is shifted by up to 1 ms")
        self.setTabToolTip(2, "The spike and its spectrum beside the averages of the classes")
        self.setTabToolTip(3, "The cells accepted in this session")

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.band.apply_theme(theme)
        self.comparison.apply_theme(theme)

    def tear_down(self) -> None:
        """Let go of what has no parent."""
        self.band.tear_down()
        self.comparison.tear_down()

    def show_call(self, call: CellCall) -> None:
        """Show what is said of a cell."""
        why_not = _why_no_window(call)
        self.sweeps.show_call(call, why_not or "No sweep has a window this model takes.")
        self.band.show_band(call.band, why_not or _WAITING)
        self.comparison.show_comparison(call.comparison, why_not or NO_REFERENCE)


def _why_no_window(call: CellCall) -> str:
    if call.verdict is None:
        return _WAITING
    asked = [verdict for verdict in (call.verdict, call.companion) if verdict is not None]
    if any(verdict.input == "waveform" for verdict in asked):
        return ""
    return _WAITING if call.votes is None else _NO_WAVEFORM
