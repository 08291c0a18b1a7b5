"""Keeps a neuron's layers and the document's neuron the same thing: edits flow in, changes flow out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.layers import Points, Vectors
from qtpy.QtCore import QTimer

from napari_celltype.errors import CelltypeError
from napari_celltype.neuron import Neuron
from napari_celltype.workbench import Document
from napari_celltype.workbench.repair_session import repair_of

from .line_drawing import draw_as_lines
from .neuron_from_layers import layers_to_neuron
from .neuron_layers import (
    LANDMARKS,
    NODES,
    SEGMENTS,
    ZYX,
    drawable_rows,
    landmark_layer,
    nodes_layer,
    segment_colours,
    segment_features,
    segments,
)
from .notices import report_error
from .point_drawing import show_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Layer

__all__ = ["NeuronView"]

_FINISHED = {"added", "removed", "changed"}
_LINE_PX = 1.5
_REST_MS = 250
NEW_NODE_DEFAULTS = {"id": -1, "type": 3, "radius": 0.5, "parent": -1, "row": -1}


class NeuronView:
    """The layers of one neuron. Parts may be missing: a user may delete any of them.

    Parameters
    ----------
    document, item_id
        The neuron shown.
    viewer
        The viewer the layers are in.
    """

    def __init__(self, document: Document, item_id: str, viewer: Any = None) -> None:
        self._document = document
        self._item_id = item_id
        self._viewer = viewer and ref(viewer)
        # what napari derives from positions can wait until the user pauses: the eye sees none of it
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._on_rest)
        self._stale: list[Layer] = []
        self._layers: dict[str, Layer] = {}
        self._busy = False
        self._shown: Neuron | None = None

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
        if self._shown is None:
            self._shown = self.neuron if self._item_id in self._document else None
        if role == NODES:
            layer.feature_defaults = NEW_NODE_DEFAULTS
            layer.events.data.connect(self._on_nodes_data)
            layer.events.features.connect(self._on_nodes_features)

    def drop(self, layer: Layer) -> bool:
        """Forget a layer that is gone; True if none is left."""
        self._layers = {role: kept for role, kept in self._layers.items() if kept is not layer}
        self._stale = [kept for kept in self._stale if kept is not layer]
        _disconnect(layer, self)
        return not self._layers

    def close(self) -> None:
        """Let go of every layer."""
        for layer in self._layers.values():
            _disconnect(layer, self)
        self._layers.clear()
        self._rest.stop()
        self._stale.clear()

    def follow_zoom(self, um_per_pixel: float) -> None:
        """Keep the lines about a pixel and a half wide: thinner ones break into dots."""
        layer = self._layers.get(SEGMENTS)
        if not isinstance(layer, Vectors) or draw_as_lines(self._shown_in, layer, _LINE_PX):
            return
        wanted = _LINE_PX * um_per_pixel
        # the width is part of the mesh, so it is changed only when the eye would see it
        if not 0.75 < layer.edge_width / wanted < 1.35:
            layer.edge_width = wanted

    def refresh(self) -> None:
        """Show the document's neuron after it changed."""
        neuron, shown = self.neuron, self._shown
        if shown is not None and _differ_in_place(shown, neuron):
            self._move(neuron)
            if shown.defects != neuron.defects:
                self._write_landmarks(neuron)
        else:
            if not self._busy:
                with self._no_echo():
                    self._write_nodes(neuron)
            self._write_segments(neuron)
            self._write_landmarks(neuron)
        self._shown = neuron

    def _move(self, neuron: Neuron) -> None:
        """Put everything where it is now, when nothing but positions has changed.

        Values are written into the layers' arrays: their setters would also redraw thumbnails, tell everybody and
        look at every point, which takes longer than all the rest.
        """
        drawn = drawable_rows(neuron)
        self._put(self._layers.get(NODES), neuron.xyz_um[drawn][:, ZYX])
        self._put(self._layers.get(SEGMENTS), segments(neuron)[1])
        landmarks = self._layers.get(LANDMARKS)
        if landmarks is not None:
            self._put(landmarks, neuron.xyz_um[landmarks.features["row"].to_numpy(dtype=np.int64)][:, ZYX])

    def _put(self, layer: Layer | None, data: Any) -> None:
        if layer is None or np.array_equal(layer.data, data):
            return
        if layer.data.shape != data.shape:  # somebody has added or deleted points of ours
            with self._no_echo():
                layer.data = data
            return
        layer.data[:] = data
        if not layer.visible:
            return  # napari refreshes it when it is shown
        if self._draw_moved(layer):
            if layer not in self._stale:
                self._stale.append(layer)
            self._rest.start()
            return
        # one layer is enough to tell the viewer that the extent has changed
        layer.refresh(thumbnail=False, extent=isinstance(layer, Vectors))

    @property
    def _shown_in(self) -> Any:
        return self._viewer() if self._viewer else None

    def _draw_moved(self, layer: Layer) -> bool:
        """Show at once that the layer's data lie elsewhere; False if only napari can."""
        if isinstance(layer, Vectors):
            lines = draw_as_lines(self._shown_in, layer, _LINE_PX)
            if lines is not None:
                lines.redraw()
            return lines is not None
        return not layer.selected_data and show_points(self._shown_in, layer)

    def _on_rest(self) -> None:
        for layer in self._stale:
            layer.refresh(thumbnail=False, data_displayed=False, highlight=False)
        self._stale.clear()

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
        after = _with_moved_nodes(layer, before)
        if after is None:
            after = layers_to_neuron(layer.data, layer.features, before)
        if _same(before, after):
            return
        with self._no_echo():
            try:
                repair_of(self._document, self._item_id).take(after, label)
            except CelltypeError as error:
                report_error(error)
            if self.neuron is before or not _differ_in_place(before, self.neuron):
                self._write_nodes(self.neuron)

    def _write_nodes(self, neuron: Neuron) -> None:
        layer = self._layers.get(NODES)
        if not isinstance(layer, Points):
            return
        data, options, _ = nodes_layer(neuron)
        same_rows = len(data) == len(layer.data)
        selected = layer.selected_data.copy()
        if not same_rows:
            layer.selected_data = set()
        # each of these redraws the layer, so only what differs is set
        if not np.array_equal(data, layer.data):
            layer.data = data
        if not layer.features.equals(options["features"]):
            layer.features = options["features"]
        for name in ("size", "face_color", "border_color"):
            if not same_rows or not np.array_equal(getattr(layer, name), options[name]):
                setattr(layer, name, options[name])
        if not same_rows:
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


def _with_moved_nodes(layer: Layer, neuron: Neuron) -> Neuron | None:
    """The neuron with the layer's positions; None if the layer says that more than positions has changed."""
    drawn = drawable_rows(neuron)
    if len(layer.data) != len(drawn) or not np.array_equal(layer.features["row"], drawn):
        return None
    columns = {"id": neuron.ids, "type": neuron.types, "radius": neuron.radii_um, "parent": neuron.parent_ids}
    if not all(np.array_equal(layer.features[name], column[drawn]) for name, column in columns.items()):
        return None
    xyz = neuron.xyz_um.copy()
    xyz[drawn] = layer.data[:, ZYX]
    return neuron.replace(xyz_um=xyz)


def _differ_in_place(a: Neuron, b: Neuron) -> bool:
    """Whether two neurons have the same nodes and links, and differ in positions at most."""
    if len(a) != len(b):
        return False
    pairs = [(getattr(a, name), getattr(b, name)) for name in ("ids", "types", "radii_um", "parents")]
    same = all(x is y or np.array_equal(x, y, equal_nan=True) for x, y in pairs)
    return same and np.array_equal(drawable_rows(a), drawable_rows(b))


def _same(a: Neuron, b: Neuron) -> bool:
    columns = ("ids", "types", "parents")
    return len(a) == len(b) and (
        all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns)
        and np.array_equal(a.xyz_um, b.xyz_um, equal_nan=True)
        and np.array_equal(a.radii_um, b.radii_um, equal_nan=True)
    )
