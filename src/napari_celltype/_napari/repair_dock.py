"""The dock "Repair reconstruction": jumps, nodes and defects of the current neuron, before and after, saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout

from napari_celltype.errors import CelltypeError
from napari_celltype.morphology.zjumps import MIN_DZ_UM, MIN_SLOPE
from napari_celltype.neuron import Neuron
from napari_celltype.workbench.repair_save import earlier_record
from napari_celltype.workbench.repair_session import RepairSession, repair_of

from .dock import Dock
from .notices import report_error
from .plots.theme import PlotTheme
from .repair_actions import RepairActions
from .repair_chooser import NeuronChooser
from .repair_defects_tab import DefectsTab
from .repair_files import FilesBar
from .repair_flight import Flight
from .repair_jumps_tab import JumpsTab
from .repair_keys import bind_in_dock
from .repair_layers import RepairOverlay
from .repair_nodes_tab import NodesTab
from .repair_offer import offer_earlier_work
from .repair_panels import MessageBar, NumbersPanel, QuestionBar
from .repair_picture import RepairPicture
from .repair_side_view import SideView
from .repair_undo_bar import UndoBar
from .session import PLUGIN

__all__ = ["RepairDock"]

EMPTY = "No reconstruction is open. Drop an SWC file on the window, or choose a folder below."
_SLOW_MS = 120
"""Long enough for the canvas to be drawn first."""


class RepairDock(RepairActions, Dock):
    """Repairs the current neuron of the session.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Repair reconstruction"
    first_area = "right"
    first_size = 235

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.document = self.session.document
        self.repair: RepairSession | None = None
        self._edited: tuple[Any, Any] = ((), ())
        self._preview_waits = False
        self._slow = self._timer(self._show_slow_things, _SLOW_MS)
        # the session adds a neuron's layers one by one and then arranges them: what needs them waits for that
        self._arrival = self._timer(self._settle_in, 10)
        self._orphan = self._timer(self._on_neuron_orphaned, 0)
        self._build()
        bind_in_dock(self)
        self._connect()
        self.apply_theme(self.theme)
        self._show_current()

    def _timer(self, slot: Callable[[], None], after_ms: int) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(after_ms)
        timer.timeout.connect(slot)
        return timer

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumWidth(330)
        self.chooser = NeuronChooser(self.document)
        self.banner = MessageBar()
        self.question = QuestionBar()
        self.jumps = JumpsTab(self)
        self.nodes = NodesTab(self)
        self.defects = DefectsTab(self)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.jumps, "Jumps")
        self.tabs.addTab(self.nodes, "Nodes")
        self.tabs.addTab(self.defects, "Defects")
        self.side_view = SideView()
        self.picture = RepairPicture(self.session, self, self.side_view)
        self.numbers = NumbersPanel()
        self.files = FilesBar(self)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.tabs)
        splitter.addWidget(self.side_view)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([300, 220])
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(3)
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.chooser, 1)
        self.steps = UndoBar(self)
        top.addWidget(self.steps)
        column.addLayout(top)
        column.addWidget(self.banner)
        column.addWidget(self.question)
        column.addWidget(splitter, 1)
        column.addWidget(self.numbers)
        column.addWidget(self.files)

    def _connect(self) -> None:
        document = self.document
        document.closed.connect(self._on_item_closed)
        document.current_neuron_changed.connect(self._on_current_changed)
        document.history.changed.connect(self.steps.refresh)
        self.session.viewer.layers.events.removed.connect(self._on_layer_removed)
        self.jumps.selected.connect(self._on_jump_selected)

    def tear_down(self) -> None:
        """Stop jobs, take the repair layers and keys away, let go of the document. Decisions stay with the neuron."""
        self._slow.stop()
        self._arrival.stop()
        self._orphan.stop()
        self.files.tear_down()
        self._let_go()
        document = self.document
        self.chooser.tear_down()
        document.closed.disconnect(self._on_item_closed)
        document.current_neuron_changed.disconnect(self._on_current_changed)
        document.history.changed.disconnect(self.steps.refresh)
        if self.session.has_viewer:
            self.session.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.side_view.tear_down()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        for part in (self.banner, self.question, self.jumps, self.defects, self.picture):
            part.apply_theme(theme)

    @property
    def overlay(self) -> RepairOverlay | None:
        """What is drawn in the canvas; None until the neuron's layers are there."""
        return self.picture.overlay

    @property
    def flight(self) -> Flight:
        """What moves the camera."""
        return self.picture.flight

    # which neuron ------------------------------------------------------------------------------------------------

    @property
    def thresholds(self) -> tuple[float, float]:
        """Thresholds for a neuron that has none of its own yet."""
        return self.jumps.thresholds.values if self.repair is not None else (MIN_DZ_UM, MIN_SLOPE)

    def _let_go(self) -> None:
        """Leave the neuron shown so far."""
        self._arrival.stop()
        self.nodes.follow(None)
        self.picture.leave()
        if self.repair is not None:
            self.repair.hurried = False
            self.repair.changed.disconnect(self._on_repair_changed)
            self.repair.thresholds_changed.disconnect(self._on_thresholds_changed)
            self.repair = None

    def _show_current(self) -> None:
        item = self.document.current_neuron
        self._let_go()
        self.chooser.refresh()
        self.question.dismiss()
        self.say("" if item is not None else EMPTY, good=True)
        self.numbers.setVisible(item is not None)
        self.tabs.setEnabled(item is not None)
        if item is not None and isinstance(item.value, Neuron):
            self._begin(item.id)
        self._refresh()

    def _settle_in(self) -> None:
        """Once the layers of the current neuron are there: draw over them and listen to them."""
        item = self.document.current_neuron
        if item is None or self.repair is None or self.repair.item_id != item.id:
            return
        self.picture.settle_in(item, dark=self.theme.dark)
        self.nodes.follow(self.session.nodes_layer(item.id))

    def _begin(self, item_id: str) -> None:
        repair = repair_of(self.document, item_id)
        self.repair = repair
        repair.hurried = True
        repair.with_subtree = self.nodes.with_subtree.isChecked()
        repair.changed.connect(self._on_repair_changed)
        repair.thresholds_changed.connect(self._on_thresholds_changed)
        self._arrival.start()
        offer_earlier_work(self, repair)
        self.say(earlier_record(repair.source), good=True)

    # showing -----------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what can be shown at once; what takes longer follows when the screen has been drawn."""
        self.jumps.refresh()
        self.files.refresh()
        self.nodes.refresh()
        self.steps.refresh()
        self.picture.draw_jumps()
        self._slow.start()

    def _show_slow_things(self) -> None:
        repair = self.repair
        if repair is not None and repair.catch_up():
            self.jumps.refresh()
            self.picture.draw_jumps()
        if self._preview_waits:
            self._preview_waits = False
            self.picture.draw()
        self.defects.refresh()
        serious = self.defects.n_serious
        self.tabs.setTabText(2, f"Defects ({serious})" if serious else "Defects")
        if repair is not None:
            self.numbers.show_numbers(repair.before, repair.after)

    def _on_repair_changed(self) -> None:
        repair = self.repair
        if repair is not None and repair.earlier is None:
            self.question.dismiss()
        # an edit by hand changes the preview of a jump only by the way: that can wait until the edit is on the screen
        edited = (repair.state.first, repair.state.hand) if repair is not None else ((), ())
        self._preview_waits, self._edited = edited != self._edited, edited
        with self.picture.held():
            self._refresh()
            if not self._preview_waits:
                self.picture.draw()
        if repair is not None and repair.journal.problem and not self.banner.message:
            self.say(repair.journal.problem)

    def _on_thresholds_changed(self) -> None:
        self.jumps.refresh()
        self.picture.draw_jumps()

    def _on_jump_selected(self) -> None:
        self.picture.draw(fly=True)

    # asked for by its parts --------------------------------------------------------------------------------------

    def open_file(self, path: Path) -> bool:
        """Open a file in place of the current neuron; False if it cannot be read."""
        n_before = len(self.document.neurons)
        old = self.document.current_neuron
        try:
            self.session.viewer.open(str(path), plugin=PLUGIN)
        except (CelltypeError, OSError, ValueError) as error:
            report_error(error)
            return False
        if len(self.document.neurons) == n_before:
            return False
        if old is not None:
            for layer in self.session.layers_of(old.id):
                self.session.viewer.layers.remove(layer)
        return True

    def on_editing(self, on: bool) -> None:
        """Leave the canvas keys to the layer of nodes while nodes are edited."""
        item = self.document.current_neuron
        if item is not None:
            self.picture.hold_keys(item.id, editing=on)

    def go_to_nodes(self, node_ids: Sequence[int]) -> None:
        """Fly to the first of these nodes that has a place, and select them."""
        self.nodes.select(self.picture.go_to_nodes(node_ids))

    # what happens elsewhere --------------------------------------------------------------------------------------

    def _on_item_closed(self, item_id: str) -> None:
        if self.repair is not None and self.repair.item_id == item_id:
            self._show_current()

    def _on_current_changed(self, _: str | None) -> None:
        self._show_current()

    def _on_layer_removed(self) -> None:
        self._orphan.start()

    def _on_neuron_orphaned(self) -> None:
        """Take our layers away too when the user has removed all of the neuron's own: then it is closed."""
        overlay = self.picture.overlay
        if overlay is not None and self.repair is not None:
            ours = overlay.layers
            if all(layer in ours for layer in self.session.layers_of(self.repair.item_id)):
                self._let_go()
                self._show_current()
