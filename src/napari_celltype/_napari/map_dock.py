"""The dock "Map": where this cell lies among reference cells, who is near it, and selecting cells by drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QLabel, QProgressBar, QSizePolicy, QVBoxLayout

from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.measured import MeasuredCell, measured_cells_of
from napari_celltype.workbench.place import CellMap, column_names
from napari_celltype.workbench.selection import CellSelection, selected_cells_of

from .jobs import LatestJob
from .map_colours import colours_by
from .map_own import OwnCellsBar
from .map_panels import Legend, MapBar, MapPages
from .map_steps import lasso_steps, maps_steps
from .map_subjects import Placed, Refused, Step, Subject, subject_of
from .map_words import describe_place, describe_point, describe_selection, near_texts
from .neuron_type_map import MapFollower
from .plots.theme import PlotTheme
from .rig_dock import RigDock

__all__ = ["MapDock"]

MOUSE_HELP = (
    "Drag to move, wheel to zoom, click a point to select it. With the lasso on, drag around points. "
    "Esc selects nothing, Home shows everything, L turns the lasso on or off."
)


class MapDock(RigDock):
    """Shows a map of cells and the place of the current one on it.

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
        self.subject: Subject | None = None
        self._loading = LatestJob(self._on_map_loaded, on_busy=self._on_busy, on_failed=self._say)
        self._placing = LatestJob(self._on_placed, on_busy=self._on_busy, on_failed=self._note)
        self._searching = LatestJob(self._on_lasso_searched, on_busy=self._on_busy, on_failed=self._note)
        self._build()
        self._connect()
        self.apply_theme(self.theme)
        self.follower = MapFollower(self)
        self._say("Loading the map …")
        self._loading.start(maps_steps)

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.own = OwnCellsBar(self.measured, self._own_base)
        self.bar = MapBar(self.own.button)
        self.head = QLabel()
        self.head.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setMaximumHeight(4)
        self.progress.setTextVisible(False)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.pages = MapPages()
        self.scatter, self.near, self.message = self.pages.scatter, self.pages.near, self.pages.message
        self.scatter.setToolTip(MOUSE_HELP)
        self.legend = Legend()
        self.about = QLabel()
        self.about.setWordWrap(True)
        # else napari gives the height to an empty stretch below
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.setSpacing(3)
        for widget in (self.bar, self.own, self.head, self.progress):
            outer.addWidget(widget)
        outer.addWidget(self.pages, 1)
        outer.addWidget(self.legend)
        outer.addWidget(self.about)

    def _connect(self) -> None:
        document = self.document
        document.current_recording_changed.connect(self._on_current_changed)
        document.current_neuron_changed.connect(self._on_current_changed)
        document.changed.connect(self._on_item_changed)
        document.closed.connect(self._on_item_closed)
        document.chosen.connect(self._on_chosen)
        self.selection.changed.connect(self._on_selection_changed)
        self.bar.chooser.currentIndexChanged.connect(self._on_map_chosen)
        self.bar.colour.currentIndexChanged.connect(self._on_colour_chosen)
        self.bar.lasso.toggled.connect(self._on_lasso_toggled)
        self.bar.fit.clicked.connect(self._on_key_home)
        self.scatter.drawn.connect(self._on_lasso_drawn)
        self.scatter.picked.connect(self._on_point_picked)
        self.scatter.pointed.connect(self._on_point_hovered)
        self.near.chosen.connect(self._on_near_chosen)
        self.own.made.connect(self.add_map)
        self.own.noted.connect(self._note)
        self.own.busy_changed.connect(self._on_busy)
        for key, slot in (("Esc", self._on_key_clear), ("Home", self._on_key_home), ("L", self.bar.lasso.toggle)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def tear_down(self) -> None:
        """Stop working and let go of the document."""
        for job in self.jobs:
            job.stop()
        self.scatter.tear_down()
        self.follower.tear_down()
        document = self.document
        document.current_recording_changed.disconnect(self._on_current_changed)
        document.current_neuron_changed.disconnect(self._on_current_changed)
        document.changed.disconnect(self._on_item_changed)
        document.closed.disconnect(self._on_item_closed)
        document.chosen.disconnect(self._on_chosen)
        self.selection.changed.disconnect(self._on_selection_changed)

    @property
    def jobs(self) -> tuple[LatestJob, ...]:
        """What may be going on."""
        return self._loading, self._placing, self._searching, *self.own.jobs

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.scatter.apply_theme(theme)
        self._paint()

    # what is said ------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.pages.say(text)

    def _note(self, text: str) -> None:
        self.head.setText(text)

    def _on_busy(self, _: bool) -> None:
        self.progress.setVisible(any(job.is_busy for job in (self._loading, self._placing, self._searching)))

    # the map -----------------------------------------------------------------------------------------------------

    @property
    def map(self) -> CellMap | None:
        """The map shown."""
        at = self.bar.chooser.currentIndex()
        return self.maps[at][0] if 0 <= at < len(self.maps) else None

    def _own_base(self) -> CellMap | None:
        return next((found for found, _ in self.maps if found.input == "features"), None)

    def _on_map_loaded(self, found: tuple[CellMap, Any]) -> None:
        self.add_map(*found, show=not self.maps)
        self.follower.turn()

    def add_map(self, cell_map: CellMap, tree: Any, *, show: bool = True) -> None:
        """Offer another map, of whatever it may be."""
        self.maps.append((cell_map, tree))
        chooser = self.bar.chooser
        with QSignalBlocker(chooser):
            chooser.addItem(cell_map.name)
            chooser.setItemData(chooser.count() - 1, cell_map.about, Qt.ItemDataRole.ToolTipRole)
        if show:
            with QSignalBlocker(chooser):
                chooser.setCurrentIndex(chooser.count() - 1)
            self._show_map()

    def _on_map_chosen(self, _: int) -> None:
        self._show_map()

    def _show_map(self) -> None:
        cell_map = self.map
        if cell_map is None:
            return
        self.bar.offer_columns(column_names(cell_map))
        self.subject = subject_of(cell_map, self.document)
        self.about.setText(cell_map.about)
        self.pages.show_map()
        self.places = {}
        self._paint()
        self._show_selection()
        self._show_current()

    def _on_colour_chosen(self, _: int) -> None:
        self._paint()

    def _paint(self) -> None:
        cell_map = self.map
        if cell_map is None:
            return
        found = colours_by(cell_map, self.bar.colour.currentText(), dark=self.theme.dark)
        self.scatter.show_points(cell_map.layout, found.rgba, self.maps[self.bar.chooser.currentIndex()][1])
        if found.ramp:
            low, high = found.names
            self.legend.show_ramp(low, high, found.colours)
        else:
            self.legend.show_groups([spoken(name) for name in found.names], found.colours, found.counts)

    # this cell ---------------------------------------------------------------------------------------------------

    def _show_current(self, *, again: bool = False) -> None:
        """Place the current item if it is not (or ``again``), and those of the session that cost little."""
        subject = self.subject
        if self.map is None or subject is None:
            return
        self._placing.stop()
        item = subject.current
        wanted = [other for other in subject.others if other.id not in self.places]
        if item is None or subject.value(item) is None:
            self._note(item.error or f"Reading {item.name} …" if item is not None else subject.nothing)
        elif refusal := subject.why_not(item):
            self._note(refusal)
        elif again or item.id not in self.places:
            self._note(subject.preparing.format(name=item.name))
            wanted = [item, *(other for other in wanted if other.id != item.id)]
        if wanted:
            self._placing.start(subject.steps, self.map, wanted)
        self._show_places()

    def _on_placed(self, step: Step) -> None:
        if isinstance(step, Refused):
            self.places.pop(step.item_id, None)
            self._show_places()
            current = self.subject.current if self.subject is not None else None
            if current is not None and current.id == step.item_id:
                self._note(step.reason)
        elif isinstance(step, MeasuredCell):
            if step.item_id in self.document and self.measured.get(step.item_id, step.recording) is None:
                self.measured.put(step)
        else:
            self.places |= {key: place for key, place in step.items() if key in self.document}
            self._show_places()

    def _show_places(self) -> None:
        item = self.subject.current if self.subject is not None else None
        place = self.places.get(item.id) if item is not None else None
        others = {key: other for key, other in self.places.items() if item is None or key != item.id}
        marked = ({item.id: place} if item is not None and place is not None else {}) | others
        rings = [key in self.selection.value.items for key in marked]
        self.scatter.show_marks([(other.name, other.xy) for other in marked.values()], place is not None, rings)
        if place is None or self.map is None:
            self.near.show_cells([], [], [])
            return
        self._note(describe_place(place, self.map))
        self.near.show_cells(place.near.tolist(), *near_texts(place, self.map))

    def _on_current_changed(self, _: str | None) -> None:
        self._show_current()

    def _on_item_changed(self, item_id: str) -> None:
        self.places.pop(item_id, None)
        self._show_current()

    def _on_item_closed(self, item_id: str) -> None:
        if self.places.pop(item_id, None) is not None:
            self._show_places()

    def _on_chosen(self, item_id: str, what: str) -> None:
        """A spike's place follows its window."""
        subject = self.subject
        if subject is not None and what == subject.follows:
            current = subject.current
            self._show_current(again=current is not None and current.id == item_id)

    # selecting ---------------------------------------------------------------------------------------------------

    def _on_lasso_toggled(self, on: bool) -> None:
        self.scatter.lassoing = on

    def _on_lasso_drawn(self, corners: NDArray[np.float64]) -> None:
        if self.map is not None:
            marks = {key: place.xy for key, place in self.places.items()}
            self._searching.start(lasso_steps, corners, self.map.layout, marks)

    def _on_lasso_searched(self, found: tuple[NDArray[np.intp], list[str]]) -> None:
        self._select(*found)

    def _on_point_picked(self, index: int) -> None:
        self._select([index] if index >= 0 else [])

    def _on_near_chosen(self, rows: list[int]) -> None:
        if rows:
            self._select(rows)

    def _select(self, rows: Any, items: Any = ()) -> None:
        cell_map = self.map
        if cell_map is not None:
            rows = np.asarray(rows, dtype=np.intp)
            self.selection.select(cell_map.name, rows, items, gates=cell_map.gate_rows_of(rows))

    def _on_key_clear(self) -> None:
        self.selection.clear()

    def _on_key_home(self) -> None:
        self.scatter.home()

    def _on_point_hovered(self, index: int) -> None:
        cell_map = self.map
        self.scatter.setToolTip(MOUSE_HELP if index < 0 or cell_map is None else describe_point(index, cell_map))

    def _on_selection_changed(self, _: CellSelection) -> None:
        self._show_selection()
        self._show_places()

    def _show_selection(self) -> None:
        selection, cell_map = self.selection.value, self.map
        if cell_map is None:
            return
        rows = selection.rows if selection.source == cell_map.name else np.empty(0, dtype=np.intp)
        self.scatter.show_selected(rows)
        self.about.setText(describe_selection(rows, len(selection.items), cell_map) or cell_map.about)
