"""The dock "Map": where this cell lies among reference cells, who is near it, and selecting cells by drawing."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QSizePolicy,
    QSplitter,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.recording import Recording
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.measured import MeasuredCell, measure_steps, measured_cells_of, why_not_measured
from napari_celltype.workbench.place import CLASS_COLUMNS, CellMap, OwnCells, Place, Refit, column_names
from napari_celltype.workbench.selection import CellSelection, selected_cells_of

from .dock import Dock
from .jobs import LatestJob
from .map_colours import MapColours, colours_by
from .map_panels import Legend, NearTable, RefitBar
from .map_steps import Placed, lasso_steps, maps_steps, place_steps, read_own_cells, refit_steps
from .plots.scatter import ScatterView
from .plots.theme import PlotTheme

__all__ = ["MapDock"]

MOUSE_HELP = (
    "Drag to move, wheel to zoom, click a point to select it. With the lasso on, drag around points. "
    "Esc selects nothing, Home shows everything, L turns the lasso on or off."
)
NO_RECORDING = "No recording is open: the reference cells alone are shown."


class MapDock(Dock):
    """Shows a map of cells and the current recording's place on it.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Map"
    first_area = "right"
    first_size = 240

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.document = self.session.document
        self.measured = measured_cells_of(self.document)
        self.selection = selected_cells_of(self.document)
        self.maps: list[tuple[CellMap, Any]] = []
        self.places: Placed = {}
        self.own: OwnCells | None = None
        self._colours: MapColours | None = None
        self._loading = LatestJob(self._on_map_loaded, on_busy=self._on_busy, on_failed=self._say)
        self._measuring = LatestJob(self._on_measured, on_busy=self._on_busy, on_failed=self._note)
        self._placing = LatestJob(self._on_placed, on_busy=self._on_busy, on_failed=self._note)
        self._searching = LatestJob(self._on_lasso_searched, on_busy=self._on_busy, on_failed=self._note)
        self._fitting = LatestJob(self._on_fit_step, on_busy=self._on_fit_busy, on_failed=self._note)
        self._reading = LatestJob(self._on_own_read, on_busy=self._on_busy, on_failed=self._note)
        self._build()
        self._connect()
        self.apply_theme(self.theme)
        self._say("Loading the map …")
        self._loading.start(maps_steps)

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.chooser = QComboBox()
        self.chooser.setToolTip("Map shown")
        self.colour = QComboBox()
        self.colour.setToolTip("What the points are coloured by")
        for box in (self.chooser, self.colour):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(7)
        self.chooser.setMinimumContentsLength(12)
        self.lasso = QToolButton()
        self.lasso.setText("Lasso")
        self.lasso.setCheckable(True)
        self.lasso.setToolTip("Drag around points to select them (L)")
        self.fit = QToolButton()
        self.fit.setText("Fit")
        self.fit.setToolTip("Show everything (Home)")
        self.own_button = QToolButton()
        self.own_button.setText("Own cells   ")
        self.own_button.setToolTip("A map of one's own cells")
        self.own_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.own_button)
        menu.addAction("Cells of this session", self._on_own_session)
        menu.addAction("A table of features …", self._on_own_table)
        self.own_button.setMenu(menu)
        bar = QHBoxLayout()
        bar.setSpacing(4)
        bar.addWidget(self.chooser, 3)
        bar.addWidget(QLabel("by"))
        bar.addWidget(self.colour, 2)
        for button in (self.lasso, self.fit, self.own_button):
            bar.addWidget(button)
        self.refit = RefitBar()
        self.refit.hide()
        self.head = QLabel()
        self.head.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setMaximumHeight(4)
        self.progress.setTextVisible(False)
        self.legend = Legend()
        self.about = QLabel()
        self.about.setWordWrap(True)
        # else napari gives the height to an empty stretch below
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.setSpacing(3)
        outer.addLayout(bar)
        outer.addWidget(self.refit)
        outer.addWidget(self.head)
        outer.addWidget(self.progress)
        outer.addWidget(self._build_pages(), 1)
        outer.addWidget(self.legend)
        outer.addWidget(self.about)

    def _build_pages(self) -> QWidget:
        self.scatter = ScatterView()
        self.scatter.setToolTip(MOUSE_HELP)
        self.near = NearTable()
        self.near.setMinimumHeight(48)
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.scatter)
        split.addWidget(self.near)
        split.setStretchFactor(0, 4)
        split.setStretchFactor(1, 1)
        split.setSizes([400, 110])
        split.setChildrenCollapsible(False)
        pages = QWidget()
        self._stack = QStackedLayout(pages)
        self._stack.addWidget(self.message)
        self._stack.addWidget(split)
        return pages

    def _connect(self) -> None:
        self.document.current_recording_changed.connect(self._on_current_changed)
        self.document.changed.connect(self._on_item_changed)
        self.measured.changed.connect(self._on_cell_measured)
        self.selection.changed.connect(self._on_selection_changed)
        self.chooser.currentIndexChanged.connect(self._on_map_chosen)
        self.colour.currentIndexChanged.connect(self._on_colour_chosen)
        self.lasso.toggled.connect(self._on_lasso_toggled)
        self.fit.clicked.connect(self._on_key_home)
        self.scatter.drawn.connect(self._on_lasso_drawn)
        self.scatter.picked.connect(self._on_point_picked)
        self.scatter.pointed.connect(self._on_point_hovered)
        self.near.chosen.connect(self._on_near_chosen)
        self.refit.asked.connect(self._on_refit_asked)
        self.refit.cancelled.connect(self._fitting.stop)
        for key, slot in (("Esc", self._on_key_clear), ("Home", self._on_key_home), ("L", self.lasso.toggle)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def tear_down(self) -> None:
        """Stop working and let go of the document."""
        for job in self._jobs:
            job.stop()
        self.scatter.tear_down()
        self.document.current_recording_changed.disconnect(self._on_current_changed)
        self.document.changed.disconnect(self._on_item_changed)
        self.measured.changed.disconnect(self._on_cell_measured)
        self.selection.changed.disconnect(self._on_selection_changed)

    @property
    def _jobs(self) -> tuple[LatestJob, ...]:
        return self._loading, self._measuring, self._placing, self._searching, self._fitting, self._reading

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.scatter.apply_theme(theme)
        self._paint()

    # what is said ------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self._stack.setCurrentIndex(0)

    def _note(self, text: str) -> None:
        self.head.setText(text)

    def _on_busy(self, _: bool) -> None:
        self.progress.setVisible(any(job.is_busy for job in self._jobs if job is not self._fitting))

    # the map -----------------------------------------------------------------------------------------------------

    @property
    def map(self) -> CellMap | None:
        """The map shown."""
        at = self.chooser.currentIndex()
        return self.maps[at][0] if 0 <= at < len(self.maps) else None

    def _on_map_loaded(self, found: tuple[CellMap, Any]) -> None:
        self.add_map(*found, show=not self.maps)

    def add_map(self, cell_map: CellMap, tree: Any, *, show: bool = True) -> None:
        """Offer another map, of whatever it may be."""
        self.maps.append((cell_map, tree))
        with QSignalBlocker(self.chooser):
            self.chooser.addItem(cell_map.name)
            self.chooser.setItemData(self.chooser.count() - 1, cell_map.about, Qt.ItemDataRole.ToolTipRole)
        if show:
            with QSignalBlocker(self.chooser):
                self.chooser.setCurrentIndex(self.chooser.count() - 1)
            self._show_map()

    def _on_map_chosen(self, _: int) -> None:
        self._show_map()

    def _show_map(self) -> None:
        cell_map = self.map
        if cell_map is None:
            return
        with QSignalBlocker(self.colour):
            kept = self.colour.currentText()
            self.colour.clear()
            self.colour.addItems(column_names(cell_map))
            self.colour.setCurrentIndex(max(0, self.colour.findText(kept)))
        self.about.setText(cell_map.about)
        self._stack.setCurrentIndex(1)
        self.places = {}
        self.near.show_cells([], [], [])
        self._paint()
        self._show_selection()
        self._placing.start(place_steps, cell_map, self._cells_in_turn())
        self._show_current()

    def _on_colour_chosen(self, _: int) -> None:
        self._paint()

    def _paint(self) -> None:
        cell_map = self.map
        if cell_map is None:
            return
        names = column_names(cell_map)
        column = names[self.colour.currentIndex()] if names else ""
        self._colours = colours_by(cell_map, column, dark=self.theme.dark)
        self.scatter.show_points(cell_map.layout, self._colours.rgba, self.maps[self.chooser.currentIndex()][1])
        if self._colours.ramp:
            low, high = self._colours.names
            self.legend.show_ramp(low, high, self._colours.colours)
        else:
            shown = [spoken(name) for name in self._colours.names]
            self.legend.show_groups(shown, self._colours.colours, self._colours.counts)

    # this cell ---------------------------------------------------------------------------------------------------

    @property
    def recording(self) -> Recording | None:
        """The recording whose cell is shown."""
        item = self.document.current_recording
        return item.value if item is not None and isinstance(item.value, Recording) else None

    def _cells_in_turn(self) -> list[MeasuredCell]:
        """The session's cells, the current one first."""
        item = self.document.current_recording
        return sorted(self.measured.cells, key=lambda cell: item is None or cell.item_id != item.id)

    def _show_current(self) -> None:
        if self.map is None:
            return
        self._measuring.stop()
        item, recording = self.document.current_recording, self.recording
        if item is None or recording is None:
            self._note(item.error or f"Reading {item.name} …" if item is not None else NO_RECORDING)
        elif self.measured.get(item.id, recording) is None:
            refusal = why_not_measured(recording)
            self._note(refusal or f"Measuring the features of {item.name} …")
            if not refusal:
                self._measuring.start(measure_steps, item.id, item.name, recording)
        self._show_places()

    def _on_measured(self, cell: MeasuredCell) -> None:
        if cell.item_id in self.document:
            self.measured.put(cell)

    def _on_cell_measured(self, item_id: str) -> None:
        self.places = {key: place for key, place in self.places.items() if key in self.document}
        cell = next((cell for cell in self.measured.cells if cell.item_id == item_id), None)
        if self.map is None:
            return
        if cell is not None:
            missing = [other for other in self._cells_in_turn() if other.item_id not in self.places or other is cell]
            self._placing.start(place_steps, self.map, missing)
        self._show_places()

    def _on_placed(self, placed: Placed) -> None:
        self.places |= {key: place for key, place in placed.items() if key in self.document}
        self._show_places()

    def _show_places(self) -> None:
        item = self.document.current_recording
        place = self.places.get(item.id) if item is not None else None
        others = [(other.name, other.xy) for key, other in self.places.items() if item is None or key != item.id]
        self.scatter.show_marks(([(place.name, place.xy)] if place is not None else []) + others)
        if place is None or self.map is None:
            self.near.show_cells([], [], [])
            return
        self._note(describe_place(place, self.map))
        self.near.show_cells(place.near.tolist(), *_near_texts(place, self.map))

    def _on_current_changed(self, _: str | None) -> None:
        self._show_current()

    def _on_item_changed(self, item_id: str) -> None:
        item = self.document.current_recording
        if item is not None and item.id == item_id:
            self.places.pop(item_id, None)
            self._show_current()

    # selecting ---------------------------------------------------------------------------------------------------

    def _on_lasso_toggled(self, on: bool) -> None:
        self.scatter.lassoing = on

    def _on_lasso_drawn(self, corners: NDArray[np.float64]) -> None:
        if self.map is not None:
            marks = {key: place.xy for key, place in self.places.items()}
            self._searching.start(lasso_steps, corners, self.map.layout, marks)

    def _on_lasso_searched(self, found: tuple[NDArray[np.intp], list[str]]) -> None:
        rows, items = found
        if self.map is not None:
            self.selection.select(self.map.name, rows, items)

    def _on_point_picked(self, index: int) -> None:
        if self.map is not None:
            self.selection.select(self.map.name, [index] if index >= 0 else [])

    def _on_near_chosen(self, rows: list[int]) -> None:
        if self.map is not None and rows:
            self.selection.select(self.map.name, rows)

    def _on_key_clear(self) -> None:
        self.selection.clear()

    def _on_key_home(self) -> None:
        self.scatter.home()

    def _on_point_hovered(self, index: int) -> None:
        cell_map = self.map
        if index < 0 or cell_map is None:
            self.scatter.setToolTip(MOUSE_HELP)
            return
        row = cell_map.cells.iloc[index]
        facts = [f"{escape(name)}: {escape(_text(row[name]))}" for name in cell_map.cells.columns]
        self.scatter.setToolTip(f"<b>cell {index}</b><br>" + "<br>".join(facts))

    def _on_selection_changed(self, _: CellSelection) -> None:
        self._show_selection()

    def _show_selection(self) -> None:
        selection, cell_map = self.selection.value, self.map
        if cell_map is None:
            return
        rows = selection.rows if selection.source == cell_map.name else np.empty(0, dtype=np.intp)
        self.scatter.show_selected(rows)
        self.about.setText(describe_selection(rows, len(selection.items), cell_map) or cell_map.about)

    # one's own cells ---------------------------------------------------------------------------------------------

    def _on_own_session(self) -> None:
        import pandas as pd

        cells = self.measured.cells
        if not cells:
            self._note("No cell of this session has been measured yet: open recordings, or a table of features.")
            return
        table = pd.DataFrame([cell.features for cell in cells], index=[cell.name for cell in cells])
        self._on_own_read(OwnCells.of(table))

    def _on_own_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a table of features", "", "Tables (*.csv *.tsv *.txt *.parquet)"
        )
        if path:
            self.open_table(Path(path))

    def open_table(self, path: Path) -> None:
        """Read one's own cells from a table with the features as columns."""
        self._reading.start(read_own_cells, path)

    def _on_own_read(self, own: OwnCells) -> None:
        self.own = own
        self.refit.show()
        self.refit.perplexity.setValue(Refit(self.refit.perplexity.value()).fitting(len(own)).perplexity)
        self._note(f"{len(own):,} own cells are ready to be laid out.")

    def _on_refit_asked(self, perplexity: float, seed: int) -> None:
        base = next((found for found, _ in self.maps if found.input == "features"), None)
        if self.own is not None and base is not None:
            self._fitting.start(refit_steps, base, self.own, Refit(perplexity, seed))

    def _on_fit_step(self, step: float | tuple[CellMap, Any]) -> None:
        if isinstance(step, tuple):
            self.add_map(*step)
            self._note(step[0].about)
        else:
            self.refit.progress.setValue(round(100 * step))

    def _on_fit_busy(self, busy: bool) -> None:
        self.refit.show_busy(busy)


def describe_place(place: Place, cell_map: CellMap) -> str:
    """Who the neighbours are, in a line."""
    names = column_names(cell_map)
    if not names or names[0] not in CLASS_COLUMNS:
        return f"{place.name} is placed."
    counts = Counter(cell_map.cells[names[0]].iloc[place.near].map(_text))
    listed = ", ".join(f"{count} {spoken(name)}" for name, count in counts.most_common())
    text = f"{place.name}: of its {len(place.near)} nearest cells, {listed}."
    if place.known is not None and place.known[0] < place.known[1] / 2:
        text += f" Only {place.known[0]} of {place.known[1]} features place it; the rest are filled in by expectation."
    return text + " It is unlike all of them: its place says little." if place.is_far else text


def _near_texts(place: Place, cell_map: CellMap) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of the table of nearest cells; what is the same for all cells of a map is left out."""
    names = [name for name in column_names(cell_map) if cell_map.cells[name].nunique() > 1]
    columns = [[spoken(_text(value)) for value in cell_map.cells[name].iloc[place.near]] for name in names]
    lines = [list(line) for line in zip((f"{gap:.2f}" for gap in place.distances), *columns, strict=True)]
    return ["Distance", *(name[:1].upper() + name[1:] for name in names)], lines


def describe_selection(rows: NDArray[np.intp], n_items: int, cell_map: CellMap) -> str:
    """How many of what are selected; empty for none."""
    if not len(rows) and not n_items:
        return ""
    names = column_names(cell_map)
    counts = Counter(cell_map.cells[names[0]].iloc[rows].map(_text)) if names else Counter[str]()
    listed = ", ".join(f"{count:,} {spoken(name)}" for name, count in counts.most_common(6))
    own = f" and {n_items} of this session" if n_items else ""
    return f"{len(rows):,} selected{own}: {listed}" if listed else f"{len(rows):,} selected{own}"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
