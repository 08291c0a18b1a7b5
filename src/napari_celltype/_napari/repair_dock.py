"""The dock "Repair reconstruction": jumps, nodes and defects of the current neuron, before and after, saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
)

from napari_celltype.errors import CelltypeError
from napari_celltype.morphology.zjumps import MIN_DZ_UM, MIN_SLOPE
from napari_celltype.neuron import Neuron
from napari_celltype.workbench.repair_save import earlier_record
from napari_celltype.workbench.repair_session import Preview, RepairSession, repair_of

from .dock import Dock
from .neuron_layers import SEGMENTS, ZYX
from .notices import report_error
from .plots.theme import PlotTheme
from .repair_defects_tab import DefectsTab
from .repair_files import FilesBar
from .repair_flight import Flight
from .repair_jumps_tab import JumpsTab
from .repair_keys import CanvasKeys, bind_in_dock, help_text
from .repair_layers import RepairOverlay
from .repair_nodes_tab import NodesTab
from .repair_panels import MessageBar, NumbersPanel, QuestionBar
from .repair_side_view import SideView, better_axis, reach_of
from .session import PLUGIN, layer_name

__all__ = ["RepairDock"]

EMPTY = "No reconstruction is open. Drop an SWC file on the window, or choose a folder below."
_visited: set[str] = set()
"""Files repaired since the program started: their decisions come back unasked."""


class RepairDock(Dock):
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
        self.overlay: RepairOverlay | None = None
        self.flight = Flight(self.session.viewer)
        self._canvas_keys = CanvasKeys(self.session.viewer, self)
        self._slow = QTimer(self)
        self._slow.setSingleShot(True)
        self._slow.timeout.connect(self._show_slow_things)
        # the session adds a neuron's layers one by one and then arranges them: what needs them waits for that
        self._arrival = QTimer(self)
        self._arrival.setSingleShot(True)
        self._arrival.setInterval(10)
        self._arrival.timeout.connect(self._settle_in)
        self._orphan = QTimer(self)
        self._orphan.setSingleShot(True)
        self._orphan.timeout.connect(self._on_neuron_orphaned)
        self._build()
        bind_in_dock(self)
        self._connect()
        self.apply_theme(self.theme)
        self._show_current()

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumWidth(330)
        self.chooser = QComboBox()
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chooser.setMinimumContentsLength(10)
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
        column.addLayout(self._build_top())
        column.addWidget(self.banner)
        column.addWidget(self.question)
        column.addWidget(splitter, 1)
        column.addWidget(self.numbers)
        column.addWidget(self.files)

    def _build_top(self) -> QHBoxLayout:
        bar = QHBoxLayout()
        bar.setSpacing(4)
        bar.addWidget(self.chooser, 1)
        self.undo_button = self._tool("↶", self.undo)
        self.redo_button = self._tool("↷", self.redo)
        self.help_button = self._tool("?", self._on_help_clicked)
        self.help_button.setToolTip(help_text())
        for button in (self.undo_button, self.redo_button, self.help_button):
            bar.addWidget(button)
        return bar

    def _tool(self, text: str, slot: Any) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setFixedSize(26, 24)
        button.clicked.connect(slot)
        return button

    def _connect(self) -> None:
        document = self.document
        document.opened.connect(self._on_items_changed)
        document.closed.connect(self._on_item_closed)
        document.current_neuron_changed.connect(self._on_current_changed)
        document.history.changed.connect(self._on_history_changed)
        self.session.viewer.layers.events.removed.connect(self._on_layer_removed)
        self.chooser.currentIndexChanged.connect(self._on_chooser_changed)
        self.jumps.selected.connect(self._on_jump_selected)

    def tear_down(self) -> None:
        """Stop jobs, take the repair layers and keys away, let go of the document. Decisions stay with the neuron."""
        self._slow.stop()
        self._arrival.stop()
        self._orphan.stop()
        self.flight.stop()
        self.files.tear_down()
        self._let_go()
        document = self.document
        document.opened.disconnect(self._on_items_changed)
        document.closed.disconnect(self._on_item_closed)
        document.current_neuron_changed.disconnect(self._on_current_changed)
        document.history.changed.disconnect(self._on_history_changed)
        if self.session.has_viewer:
            self.session.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.side_view.tear_down()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        for part in (self.banner, self.question, self.jumps, self.defects, self.side_view):
            part.apply_theme(theme)
        if self.overlay is not None:
            self.overlay.apply_theme(dark=theme.dark)

    # which neuron ------------------------------------------------------------------------------------------------

    @property
    def thresholds(self) -> tuple[float, float]:
        """Thresholds for a neuron that has none of its own yet."""
        return self.jumps.thresholds.values if self.repair is not None else (MIN_DZ_UM, MIN_SLOPE)

    def _list_neurons(self) -> None:
        current = self.document.current_neuron
        with QSignalBlocker(self.chooser):
            self.chooser.clear()
            for item in self.document.neurons:
                self.chooser.addItem(item.name, item.id)
                where = str(item.path) if item.path is not None else item.name
                self.chooser.setItemData(self.chooser.count() - 1, where, Qt.ItemDataRole.ToolTipRole)
            self.chooser.setCurrentIndex(-1 if current is None else self.chooser.findData(current.id))
            self.chooser.setEnabled(self.chooser.count() > 0)

    def _let_go(self) -> None:
        """Leave the neuron shown so far."""
        self._arrival.stop()
        self._canvas_keys.release()
        self.nodes.follow(None)
        if self.overlay is not None:
            self.overlay.close()
            self.overlay = None
        if self.repair is not None:
            self.repair.changed.disconnect(self._on_repair_changed)
            self.repair.thresholds_changed.disconnect(self._on_thresholds_changed)
            self.repair = None

    def _show_current(self) -> None:
        item = self.document.current_neuron
        self._let_go()
        self._list_neurons()
        self.question.dismiss()
        self.say("" if item is not None else EMPTY, good=True)
        self.side_view.show_preview(None)
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
        self.overlay = RepairOverlay(self.session, item.id, layer_name(item.name), dark=self.theme.dark)
        self._draw_jumps()
        self._draw_preview()
        self.nodes.follow(self.session.nodes_layer(item.id))
        self._hold_keys()

    def _begin(self, item_id: str) -> None:
        repair = repair_of(self.document, item_id)
        self.repair = repair
        repair.with_subtree = self.nodes.with_subtree.isChecked()
        repair.changed.connect(self._on_repair_changed)
        repair.thresholds_changed.connect(self._on_thresholds_changed)
        self._arrival.start()
        self._offer_earlier_work(repair)
        self.say(earlier_record(repair.source), good=True)

    def _offer_earlier_work(self, repair: RepairSession) -> None:
        earlier = repair.earlier
        if earlier is None:
            _visited.add(repair.source_sha256)
            return
        if repair.source_sha256 in _visited:
            self.attempt(repair.restore)
            return
        _visited.add(repair.source_sha256)
        saved = f"saved as {Path(earlier.saved_as).name}" if earlier.saved_as else "not saved"
        n = len(earlier.done)
        self.question.ask(
            f"This file was being repaired on {earlier.at[:16].replace('T', ' at ')}: {n} step{'s' if n != 1 else ''}, "
            f"the last “{earlier.done[-1].label}”, {saved}. Go on from there?",
            [("Go on from there", self._restore), ("Start afresh", self._start_afresh)],
        )

    def _restore(self) -> None:
        if self.repair is not None:
            self.attempt(self.repair.restore)

    def _start_afresh(self) -> None:
        if self.repair is not None:
            self.repair.start_afresh()

    def _hold_keys(self, *, editing: bool = False) -> None:
        item = self.document.current_neuron
        if item is None:
            return
        ours = [layer for layer in self.session.layers_of(item.id) if layer is not self.session.nodes_layer(item.id)]
        self._canvas_keys.hold(ours, editing=editing)
        lines = [layer for layer in ours if layer.name.endswith(SEGMENTS)]
        if lines and not editing:
            self.session.viewer.layers.selection = {lines[0]}

    # showing -----------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what can be shown at once; what takes longer follows when the screen has been drawn."""
        self.jumps.refresh()
        self.files.refresh()
        self.nodes.refresh()
        self._name_undo()
        self._draw_jumps()
        self._slow.start(30)

    def _show_slow_things(self) -> None:
        repair = self.repair
        self.defects.refresh()
        serious = self.defects.n_serious
        self.tabs.setTabText(2, f"Defects ({serious})" if serious else "Defects")
        if repair is not None:
            self.numbers.show_numbers(repair.before, repair.after)

    def _name_undo(self) -> None:
        repair = self.repair
        for button, verb, key, label in (
            (self.undo_button, "Undo", "Ctrl+Z", repair.undo_label if repair else ""),
            (self.redo_button, "Redo", "Ctrl+Shift+Z", repair.redo_label if repair else ""),
        ):
            button.setEnabled(bool(label))
            button.setToolTip(f"{verb}: {label} ({key})" if label else f"Nothing to {verb.lower()}")

    def _draw_jumps(self) -> None:
        if self.overlay is not None and self.repair is not None:
            self.overlay.show_jumps(self.repair.jumps.rows, self.repair.neuron, self.jumps.current)

    def _on_repair_changed(self) -> None:
        if self.repair is not None and self.repair.earlier is None:
            self.question.dismiss()
        self._refresh()
        self._draw_preview()
        if self.repair is not None and self.repair.journal.problem and not self.banner.message:
            self.say(self.repair.journal.problem)

    def _on_thresholds_changed(self) -> None:
        self.jumps.refresh()
        self._draw_jumps()

    def _on_jump_selected(self) -> None:
        self._draw_jumps()
        self._draw_preview(fly=True)

    def _draw_preview(self, *, fly: bool = False) -> None:
        row, repair = self.jumps.current, self.repair
        preview = None
        if row is not None and repair is not None and not row.is_gone:
            try:
                preview = repair.preview(row)
            except CelltypeError as error:
                self.say(str(error))
        if self.overlay is not None:
            self.overlay.show_preview(preview)
        self.side_view.show_preview(preview)
        if preview is not None and fly:
            self._fly_to(preview)

    def _fly_to(self, preview: Preview) -> None:
        row = int(preview.before.rows_of(preview.row.jump.node_id)[0])
        ends = np.stack([preview.before.xyz_um[row], preview.after.xyz_um[row]])
        centre = np.nanmean(ends, axis=0)
        across = self.side_view.across
        self.flight.fly_to(centre[ZYX], 2.0 * reach_of(preview), across if across in "xy" else "x")

    def go_to_nodes(self, node_ids: Sequence[int]) -> None:
        """Fly to the first of these nodes that has a place."""
        neuron = self.repair.neuron if self.repair is not None else None
        if neuron is None:
            return
        rows = np.flatnonzero(np.isin(neuron.ids, list(node_ids)) & np.isfinite(neuron.xyz_um).all(axis=1))
        if not len(rows):
            self.say("The node cannot be shown: it has no position, or is no longer there.")
            return
        row = int(rows[0])
        self.flight.fly_to(neuron.xyz_um[row][ZYX], 120.0, better_axis(neuron, row, 60.0))
        self.nodes.select(neuron.ids[rows].tolist())

    # doing -------------------------------------------------------------------------------------------------------

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do something; if it cannot be done, say why in a sentence."""
        try:
            action()
        except CelltypeError as error:
            self.say(str(error))
            return False
        self.say("")
        return True

    def say(self, sentence: str, *, good: bool = False) -> None:
        """Say something in the dock."""
        self.banner.say(sentence, good=good)

    def ask(self, text: str, answers: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Ask something in the dock."""
        self.question.ask(text, answers)

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
        self._hold_keys(editing=on)

    def undo(self) -> None:
        """Take back the newest step."""
        if self.repair is not None:
            self.attempt(self.repair.undo)

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.repair is not None:
            self.attempt(self.repair.redo)

    def save(self) -> None:
        """Save the repaired neuron."""
        self.files.save()

    def accept(self) -> None:
        """Accept the selected jumps."""
        self.jumps.accept()

    def refuse(self) -> None:
        """Refuse the selected jumps."""
        self.jumps.refuse()

    def reopen(self) -> None:
        """Leave the selected jumps open."""
        self.jumps.reopen()

    def accept_above(self) -> None:
        """Accept all down to the selected jump."""
        self.jumps.accept_above()

    def next_jump(self) -> None:
        """Go to the next jump."""
        self.jumps.step(1)

    def next_file(self) -> None:
        """Go on to the next file of the folder."""
        self.files.next_file()

    def previous_jump(self) -> None:
        """Go to the previous jump."""
        self.jumps.step(-1)

    def fly_again(self) -> None:
        """Fly to the selected jump again."""
        self._draw_preview(fly=True)

    def mode_align(self) -> None:
        """Mend by shifting all downstream."""
        self.jumps.set_mode("align")

    def mode_split(self) -> None:
        """Mend by spreading over the section."""
        self.jumps.set_mode("split")

    def mode_tilt(self) -> None:
        """Mend by tilting the section."""
        self.jumps.set_mode("tilt")

    def mode_cut(self) -> None:
        """Mend by cutting."""
        self.jumps.set_mode("cut")

    # what happens elsewhere --------------------------------------------------------------------------------------

    def _on_items_changed(self, _: str) -> None:
        self._list_neurons()

    def _on_item_closed(self, item_id: str) -> None:
        if self.repair is not None and self.repair.item_id == item_id:
            self._show_current()
        else:
            self._list_neurons()

    def _on_current_changed(self, _: str | None) -> None:
        self._show_current()

    def _on_layer_removed(self) -> None:
        self._orphan.start(0)

    def _on_neuron_orphaned(self) -> None:
        """Take our layers away too when the user has removed all of the neuron's own: then it is closed."""
        overlay = self.overlay
        if overlay is not None and self.repair is not None:
            ours = overlay.layers
            if all(layer in ours for layer in self.session.layers_of(self.repair.item_id)):
                self._let_go()
                self._show_current()

    def _on_history_changed(self) -> None:
        self._name_undo()

    def _on_chooser_changed(self, index: int) -> None:
        item_id = self.chooser.itemData(index)
        if item_id is not None:
            self.document.make_current(item_id)

    def _on_help_clicked(self) -> None:
        from qtpy.QtGui import QCursor
        from qtpy.QtWidgets import QToolTip

        QToolTip.showText(QCursor.pos(), help_text(), self.help_button)
