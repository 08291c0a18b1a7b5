"""A map of one's own cells: taken from the session or a table, laid out in a worker, watched and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QToolButton, QVBoxLayout, QWidget

from napari_celltype.workbench.measured import MeasuredCells
from napari_celltype.workbench.place import CellMap, OwnCells, Refit

from .jobs import LatestJob
from .map_panels import RefitBar
from .map_steps import read_own_cells, refit_steps

__all__ = ["OwnCellsBar"]


class OwnCellsBar(QWidget):
    """Hidden until there are own cells; :attr:`made` tells a new map and its tree, :attr:`noted` a sentence.

    Parameters
    ----------
    measured
        The session's cells.
    base
        Gives the map whose space own cells are laid out in, once it is loaded.
    """

    made = Signal(object, object)
    noted = Signal(str)
    busy_changed = Signal(bool)

    def __init__(self, measured: MeasuredCells, base: Callable[[], CellMap | None]) -> None:
        super().__init__()
        self.measured = measured
        self.own: OwnCells | None = None
        self._base = base
        self.bar = RefitBar()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        self.button = self._build_button()
        self._fitting = LatestJob(self._on_fit_step, on_busy=self.bar.show_busy, on_failed=self.noted.emit)
        self._reading = LatestJob(self.take, on_busy=self.busy_changed.emit, on_failed=self.noted.emit)
        self.bar.asked.connect(self._on_refit_asked)
        self.bar.cancelled.connect(self._on_cancelled)
        self.hide()

    def _build_button(self) -> QToolButton:
        """For the bar above, where it is always seen."""
        button = QToolButton()
        button.setText("Own cells   ")
        button.setToolTip("A map of one's own cells")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addAction("Cells of this session", self.take_session)
        menu.addAction("A table of features …", self._on_table_asked)
        button.setMenu(menu)
        return button

    @property
    def jobs(self) -> tuple[LatestJob, ...]:
        """What may be going on."""
        return self._fitting, self._reading

    def take_session(self) -> None:
        """Lay out the cells measured in this session."""
        import pandas as pd

        cells = self.measured.cells
        if not cells:
            self.noted.emit("No cell of this session has been measured yet: open recordings, or a table of features.")
            return
        table = pd.DataFrame([cell.features for cell in cells], index=[cell.name for cell in cells])
        self.take(OwnCells.of(table))

    def _on_table_asked(self) -> None:
        kinds = "Tables (*.csv *.tsv *.txt *.parquet)"
        path, _ = QFileDialog.getOpenFileName(self, "Open a table of features", "", kinds)
        if path:
            self.open_table(Path(path))

    def open_table(self, path: Path) -> None:
        """Read one's own cells from a table with the features as columns."""
        self._reading.start(read_own_cells, path)

    def take(self, own: OwnCells) -> None:
        """Offer to lay out these cells."""
        self.own = own
        self.show()
        fitting = Refit(self.bar.perplexity.value()).fitting(len(own))
        self.bar.perplexity.setValue(fitting.perplexity)
        self.noted.emit(f"{len(own):,} own cells are ready to be laid out.")

    def _on_refit_asked(self, perplexity: float, seed: int) -> None:
        base = self._base()
        if self.own is not None and base is not None:
            self._fitting.start(refit_steps, base, self.own, Refit(perplexity, seed))

    def _on_cancelled(self) -> None:
        self._fitting.stop()
        self.noted.emit("Laying out was cancelled.")

    def _on_fit_step(self, step: float | tuple[CellMap, Any]) -> None:
        if isinstance(step, tuple):
            self.made.emit(*step)
            self.noted.emit(step[0].about)
        else:
            self.bar.progress.setValue(round(100 * step))
