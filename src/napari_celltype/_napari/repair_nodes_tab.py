"""The tab "Nodes": moving, deleting, detaching and hanging nodes elsewhere where the automatics are not enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Points
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.errors import RepairError
from napari_celltype.morphology.edits import Edit
from napari_celltype.morphology.hand_edits import subtree_rows
from napari_celltype.neuron import Neuron

from .plots.palette import NODE_TYPE_NAMES, node_type_name

__all__ = ["NodesTab"]

_HELP = (
    "Press “Edit nodes”, then click or drag nodes in the 3D view (Shift+click adds to the selection). Everything can "
    "be undone."
)


class NodesTab(QWidget):
    """Tools for the selected nodes; ``desk`` runs what may fail and reports it."""

    def __init__(self, desk: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._layer: Points | None = None
        self._hanging: int | None = None
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.edit_button = QPushButton("Edit nodes")
        self.edit_button.setCheckable(True)
        self.edit_button.setToolTip("Show all nodes in the 3D view and let the mouse select and drag them")
        self.edit_button.toggled.connect(self._on_edit_toggled)
        self.with_subtree = QCheckBox("A dragged node takes all downstream along")
        self.with_subtree.toggled.connect(self._on_with_subtree_toggled)
        self.told = QLabel(_HELP)
        self.told.setWordWrap(True)
        self.told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.type_box = QComboBox()
        for number, name in NODE_TYPE_NAMES.items():
            self.type_box.addItem(f"{number} {name}", number)
        self.radius_box = QDoubleSpinBox()
        self.radius_box.setRange(0.0, 1000.0)
        self.radius_box.setDecimals(3)
        self.radius_box.setSingleStep(0.1)
        self.radius_box.setSuffix(" µm")
        self.downstream = QCheckBox("also all downstream")
        grid = QGridLayout()
        self.buttons = {
            name: self._button(text, tip, slot)
            for name, text, tip, slot in (
                ("delete", "Delete node", "Delete; what hangs on it is hung on its parent (Del)", self.delete),
                ("prune", "Delete subtree", "Delete the node and all downstream", self.delete_subtree),
                ("detach", "Detach", "Take the node off its parent: a piece of its own", self.detach),
                ("hang", "Hang on…", "Then click the node it shall hang on", self.begin_hanging),
                ("insert", "Insert before", "Put a new node in the middle of the line to the parent", self.insert),
                ("type", "Set type", "Give the selected nodes this type", self.set_type),
                ("radius", "Set radius", "Give the selected nodes this radius", self.set_radius),
            )
        }
        for i, name in enumerate(("delete", "prune", "detach", "hang", "insert")):
            grid.addWidget(self.buttons[name], i // 3, i % 3)
        values = QGridLayout()
        values.addWidget(self.type_box, 0, 0)
        values.addWidget(self.buttons["type"], 0, 1)
        values.addWidget(self.radius_box, 1, 0)
        values.addWidget(self.buttons["radius"], 1, 1)
        values.addWidget(self.downstream, 2, 0, 1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 4, 2, 2)
        top = QHBoxLayout()
        top.addWidget(self.edit_button)
        top.addStretch(1)
        column.addLayout(top)
        column.addWidget(self.with_subtree)
        column.addWidget(self.told)
        column.addLayout(grid)
        column.addLayout(values)
        column.addStretch(1)

    def _button(self, text: str, tip: str, slot: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    # which nodes -------------------------------------------------------------------------------------------------

    @property
    def neuron(self) -> Neuron | None:
        """The neuron as it is."""
        return self._desk.repair.neuron if self._desk.repair is not None else None

    @property
    def selected(self) -> list[int]:
        """Ids of the selected nodes."""
        layer = self._layer
        if layer is None or self._desk.repair is None:
            return []
        at = [index for index in sorted(layer.selected_data) if index < len(layer.features)]
        return [int(i) for i in layer.features["id"].to_numpy()[at]]

    def follow(self, layer: Points | None) -> None:
        """Listen to the selection in the layer of nodes of the current neuron."""
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.selected_data.events.items_changed.disconnect(self._on_nodes_selected)
        self._layer = layer
        self._hanging = None
        with QSignalBlocker(self.edit_button):
            self.edit_button.setChecked(layer is not None and bool(layer.visible) and layer.mode == "select")
        if layer is not None:
            layer.selected_data.events.items_changed.connect(self._on_nodes_selected)
        self.refresh()

    def select(self, node_ids: Sequence[int]) -> None:
        """Select nodes by their ids."""
        if self._layer is not None:
            ids = self._layer.features["id"].to_numpy()
            self._layer.selected_data = set(np.flatnonzero(np.isin(ids, list(node_ids))).tolist())

    def _on_nodes_selected(self, *_: Any) -> None:
        chosen = self.selected
        if self._hanging is not None and len(chosen) == 1 and chosen[0] != self._hanging:
            node_id, self._hanging = self._hanging, None
            self._amend([Edit("reparent", {"node_id": node_id, "parent_id": chosen[0]})])
        self.refresh()

    def refresh(self) -> None:
        """Say what is selected, and offer what can be done with it."""
        chosen, neuron = self.selected, self.neuron
        one = len(chosen) == 1
        for name, button in self.buttons.items():
            button.setEnabled(bool(chosen) and (one or name not in {"hang", "insert"}))
        self.edit_button.setEnabled(self._layer is not None)
        if self._hanging is not None:
            self.told.setText(f"Click the node that node {self._hanging} shall hang on. Press “Hang on…” to stop.")
        elif neuron is None or not chosen:
            self.told.setText(_HELP)
        elif one:
            self.told.setText(self._describe(neuron, chosen[0]))
        else:
            self.told.setText(f"{len(chosen)} nodes are selected.")

    def _describe(self, neuron: Neuron, node_id: int) -> str:
        try:
            row = int(neuron.rows_of(node_id)[0])
            n_below = len(subtree_rows(neuron, node_id)) - 1
        except (KeyError, RepairError) as error:
            return str(error)
        with QSignalBlocker(self.radius_box):
            self.radius_box.setValue(float(np.nan_to_num(neuron.radii_um[row])))
        self.type_box.setCurrentIndex(max(0, self.type_box.findData(int(neuron.types[row]))))
        above = int(neuron.parent_ids[row])
        hangs = f"hangs on node {above}" if above >= 0 else "is a root"
        x, y, z = neuron.xyz_um[row]
        return (
            f"Node {node_id}, {node_type_name(neuron.types[row])}, {hangs}; {n_below:,} nodes downstream. At "
            f"{x:.1f}, {y:.1f}, {z:.1f} µm, radius {neuron.radii_um[row]:.2f} µm."
        )

    # doing -------------------------------------------------------------------------------------------------------

    def _amend(self, edits: list[Edit]) -> None:
        session = self._desk.repair
        if session is not None and edits:
            label = edits[0].label if len(edits) == 1 else f"{edits[0].kind.replace('_', ' ')} ×{len(edits)}"
            self._desk.attempt(lambda: session.amend(edits, label))

    def _each(self, kind: str) -> None:
        self._amend([Edit(kind, {"node_id": node_id}) for node_id in self.selected])

    def delete(self) -> None:
        """Delete the selected nodes."""
        self._each("delete_node")

    def delete_subtree(self) -> None:
        """Delete the selected nodes and all downstream."""
        neuron, chosen = self.neuron, self.selected
        if neuron is None:
            return
        # of two nodes one may lie below the other, and go with it
        below = [set(neuron.ids[subtree_rows(neuron, i)].tolist()) - {i} for i in chosen]
        tops = [i for i in chosen if not any(i in ids for ids in below)]
        self._amend([Edit("delete_subtree", {"node_id": i}) for i in tops])

    def detach(self) -> None:
        """Make the selected nodes roots of pieces of their own."""
        self._each("detach")

    def insert(self) -> None:
        """Put a new node on the line to the parent."""
        self._each("insert_node")

    def begin_hanging(self) -> None:
        """The next node clicked becomes the parent; pressed again: no longer."""
        chosen = self.selected
        self._hanging = None if self._hanging is not None or len(chosen) != 1 else chosen[0]
        if self._hanging is not None:
            self.edit_button.setChecked(True)
        self.refresh()

    def set_type(self) -> None:
        """Give the selected nodes the chosen type."""
        parameters = {"node_ids": self.selected, "structure_type": int(self.type_box.currentData())}
        self._amend([Edit("set_type", {**parameters, "downstream": self.downstream.isChecked()})])

    def set_radius(self) -> None:
        """Give the selected nodes the chosen radius."""
        parameters = {"node_ids": self.selected, "radius_um": self.radius_box.value()}
        self._amend([Edit("set_radius", {**parameters, "downstream": self.downstream.isChecked()})])

    def _on_edit_toggled(self, on: bool) -> None:
        layer = self._layer
        if layer is None:
            return
        layer.visible = on
        if on:
            self._desk.session.viewer.layers.selection = {layer}
            layer.mode = "select"
        else:
            layer.mode = "pan_zoom"
            layer.selected_data = set()
            self._hanging = None
        self._desk.on_editing(on)

    def _on_with_subtree_toggled(self, on: bool) -> None:
        if self._desk.repair is not None:
            self._desk.repair.with_subtree = on
