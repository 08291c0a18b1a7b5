"""Keeps a neuron's layers and the document's neuron the same thing: edits flow in, changes flow out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Vectors

from napari_celltype.neuron import Defect, Neuron
from napari_celltype.workbench import Document, ReplaceValue

from .neuron_layers import (
    LANDMARKS,
    NODES,
    SEGMENTS,
    landmark_layer,
    layers_to_neuron,
    node_features,
    nodes_layer,
    segment_colours,
    segment_features,
    segments,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Layer

__all__ = ["NeuronView"]

_FINISHED = {"added", "removed", "changed"}
NEW_NODE_DEFAULTS = {"id": -1, "type": 3, "radius": 0.5, "parent": -1, "row": -1}


class NeuronView:
    """The layers of one neuron. Parts may be missing: a user may delete any of them.

    Parameters
    ----------
    document, item_id
        The neuron shown.
    """

    def __init__(self, document: Document, item_id: str) -> None:
        self._document = document
        self._item_id = item_id
        self._layers: dict[str, Layer] = {}
        self._busy = False

    @property
    def layers(self) -> list[Layer]:
        """The layers there are, in the order they came."""
        return list(self._layers.values())

    def layer(self, role: str) -> Layer | None:
        """The layer that shows the neuron as this, if it is there."""
        return self._layers.get(role)

    @property
    def neuron(self) -> Neuron:
        """The document's neuron."""
        value = self._document[self._item_id].value
        assert isinstance(value, Neuron)
        return value

    def take(self, layer: Layer, role: str) -> None:
        """Show the neuron in this layer too; of two with one role (a duplicated layer) the first counts."""
        if role in self._layers:
            return
        self._layers[role] = layer
        if role == NODES:
            layer.feature_defaults = NEW_NODE_DEFAULTS
            layer.events.data.connect(self._on_nodes_data)
            layer.events.features.connect(self._on_nodes_features)

    def drop(self, layer: Layer) -> bool:
        """Forget a layer that is gone; True if none is left."""
        self._layers = {role: kept for role, kept in self._layers.items() if kept is not layer}
        _disconnect(layer, self)
        return not self._layers

    def close(self) -> None:
        """Let go of every layer."""
        for layer in self._layers.values():
            _disconnect(layer, self)
        self._layers.clear()

    def follow_zoom(self, um_per_pixel: float) -> None:
        """Keep the lines about a pixel and a half wide: thinner ones break into dots."""
        layer = self._layers.get(SEGMENTS)
        if not isinstance(layer, Vectors):
            return
        wanted = 1.5 * um_per_pixel
        # the width is part of the mesh, so it is changed only when the eye would see it
        if not 0.75 < layer.edge_width / wanted < 1.35:
            layer.edge_width = wanted

    def refresh(self) -> None:
        """Show the document's neuron after it changed."""
        if not self._busy:
            with self._no_echo():
                self._write_nodes(self.neuron)
        self._write_segments(self.neuron)
        self._write_landmarks(self.neuron)

    @contextmanager
    def _no_echo(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _on_nodes_data(self, event: Any) -> None:
        # while a point is being dragged or about to be removed napari announces it first
        if not self._busy and str(getattr(event.action, "value", event.action)) in _FINISHED:
            self._take_edit(_describe(event))

    def _on_nodes_features(self) -> None:
        if not self._busy:
            self._take_edit("change node properties")

    def _take_edit(self, label: str) -> None:
        layer = self._layers[NODES]
        before = self.neuron
        after = layers_to_neuron(layer.data, layer.features, before)
        if _same(before, after):
            return
        after = after.replace(defects=_recheck(before, after))
        with self._no_echo():
            self._document.history.do(ReplaceValue(self._item_id, before, after, label))
            self._renumber_nodes(after)

    def _renumber_nodes(self, neuron: Neuron) -> None:
        """Give the layer the ids, parents and rows the nodes have now."""
        layer = self._layers[NODES]
        drawn = np.isfinite(neuron.xyz_um).all(axis=1)
        table = node_features(neuron)[drawn].reset_index(drop=True)
        if not layer.features.equals(table):
            layer.features = table

    def _write_nodes(self, neuron: Neuron) -> None:
        layer = self._layers.get(NODES)
        if not isinstance(layer, Points):
            return
        data, options, _ = nodes_layer(neuron)
        selected = layer.selected_data.copy()
        layer.selected_data = set()
        layer.data = data
        layer.features = options["features"]
        layer.size = options["size"]
        layer.face_color = options["face_color"]
        layer.border_color = options["border_color"]
        layer.selected_data = {index for index in selected if index < len(data)}

    def _write_segments(self, neuron: Neuron) -> None:
        layer = self._layers.get(SEGMENTS)
        if not isinstance(layer, Vectors):
            return
        rows, data = segments(neuron)
        same_lines = len(data) == len(layer.data)
        if same_lines:
            # in place: the setter would also redraw the thumbnail, which takes longer than all the rest
            layer.data[:] = data
            layer.refresh(thumbnail=False)
        else:
            layer.data = data
        if not same_lines or not np.array_equal(layer.features["id"], neuron.ids[rows]):
            layer.features = segment_features(neuron, rows)
        colours = segment_colours(neuron, rows)
        if not np.array_equal(colours, layer.edge_color):
            layer.edge_color = colours

    def _write_landmarks(self, neuron: Neuron) -> None:
        layer = self._layers.get(LANDMARKS)
        if not isinstance(layer, Points):
            return
        data, options, _ = landmark_layer(neuron)
        if np.array_equal(data, layer.data) and options["features"].equals(layer.features):
            return
        layer.selected_data = set()
        layer.data = data
        layer.features = options["features"]
        for name in ("size", "symbol", "face_color", "border_color"):
            setattr(layer, name, options[name])


def _disconnect(layer: Layer, view: NeuronView) -> None:
    layer.events.data.disconnect(view._on_nodes_data)
    if hasattr(layer.events, "features"):
        layer.events.features.disconnect(view._on_nodes_features)


def _describe(event: Any) -> str:
    action = str(getattr(event.action, "value", event.action))
    n = len(event.data_indices)
    verb = {"added": "add", "removed": "delete", "changed": "move"}[action]
    return f"{verb} {n} node{'s' if n != 1 else ''}"


def _recheck(before: Neuron, after: Neuron) -> list[Defect]:
    """Defects after an edit: what the nodes show now, and what the file's text showed when it was read."""
    from napari_celltype.io.swc_defects import find_defects

    nodes = find_defects(after)
    checked = {defect.code for defect in [*nodes, *find_defects(before)]}
    return [*nodes, *(defect for defect in before.defects if defect.code not in checked)]


def _same(a: Neuron, b: Neuron) -> bool:
    columns = ("ids", "types", "parents")
    return len(a) == len(b) and (
        all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns)
        and np.array_equal(a.xyz_um, b.xyz_um, equal_nan=True)
        and np.array_equal(a.radii_um, b.radii_um, equal_nan=True)
    )
