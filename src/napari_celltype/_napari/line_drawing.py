"""Draws a Vectors layer as plain GL lines: what a neuron of 25,000 segments needs to answer an edit at once.

napari 0.9.2 makes four triangles of every vector and writes all of them anew at every change: 35 ms of work for a
change and, without a graphics card, 35 ms for each frame. The same segments as lines look the same and cost a few
milliseconds. The layer stays what is true (its data, colours, visibility, opacity and order are what is drawn); only
the node that draws it is exchanged, which napari offers no public way to do. Where its inside has another shape than
expected, :func:`draw_as_lines` returns None and napari draws the layer as it always does.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Vectors
from numpy.typing import NDArray

from .point_drawing import visual_of

__all__ = ["LineDrawing", "draw_as_lines"]

_drawings: WeakKeyDictionary[Any, LineDrawing] = WeakKeyDictionary()


def draw_as_lines(viewer: Any, layer: Vectors, width_px: float) -> LineDrawing | None:
    """Draw a layer of a viewer as lines ``width_px`` pixels wide; None if this napari does not let us.

    Parameters
    ----------
    viewer
        The viewer the layer is in.
    layer
        Three-dimensional vectors with a colour each.
    width_px
        Width on the screen, whatever the zoom. If the user changes the layer's width, it changes in proportion.
    """
    if layer in _drawings:
        return _drawings[layer]
    visual = _fitting_visual(viewer, layer)
    if visual is None:
        return None
    _drawings[layer] = LineDrawing(visual, layer, width_px)
    return _drawings[layer]


def _fitting_visual(viewer: Any, layer: Vectors) -> Any:
    """What draws the layer, if it has all that is used here."""
    visual = visual_of(viewer, layer)
    needed = (
        (visual, ("node", "reset", "_on_data_change")),
        (getattr(visual, "node", None), ("parent", "transform", "order", "children")),
        (layer, ("_view_data", "_view_indices", "_slice_input", "_block_refresh")),
    )
    return visual if all(hasattr(thing, name) for thing, names in needed for name in names) else None


class LineDrawing:
    """The lines that stand for a Vectors layer on the canvas. They go when the layer goes.

    Parameters
    ----------
    visual
        napari's own drawing of the layer.
    layer, width_px
        As for :func:`draw_as_lines`.
    """

    def __init__(self, visual: Any, layer: Vectors, width_px: float) -> None:
        from vispy.scene.visuals import Line

        self._layer_ref = ref(layer)  # whoever is kept for a layer must not keep it
        self._width_px = width_px
        self._width_um = layer.edge_width
        self._colours = np.empty((0, 4))
        self._node = node = Line(connect="segments", method="gl", width=width_px)
        old = visual.node
        node.transform, node.order = old.transform, old.order
        for child in list(old.children):  # a bounding box, say
            child.parent = node
        node.parent, old.parent = old.parent, None
        visual.node = node
        for emitter in (layer.events.set_data, layer.events.edge_color):
            emitter.disconnect(visual._on_data_change)
            emitter.connect(self.redraw)
        layer.events.edge_width.connect(self._on_width_changed)
        # whatever else napari does with the drawing it does through ``visual``: that needs its node's looks once
        visual.reset()
        self.redraw()

    @property
    def _layer(self) -> Vectors:
        layer = self._layer_ref()
        assert layer is not None
        return layer

    def _on_width_changed(self) -> None:
        wanted = self._width_px * self._layer.edge_width / max(self._width_um, 1e-9)
        self._node.set_data(width=float(np.clip(wanted, 1.0, 30.0)))

    def replace(self, vectors: NDArray[np.float64]) -> None:
        """Let the layer have other vectors, and show them; its thumbnail and extent may wait for the next refresh."""
        layer = self._layer
        if layer.data.shape == vectors.shape:
            layer.data[:] = vectors
        else:
            # told of a new extent, the viewer would go through all layers and dimensions, at 20 ms
            with layer._block_refresh(), layer.events.blocker_all():
                layer.data = vectors
        if layer.visible:
            self.redraw()

    def redraw(self, _: Any = None) -> None:
        """Show the layer's data and colours as they are now."""
        layer = self._layer
        if layer._slice_input.ndisplay == 3:
            vectors, colours = layer.data, layer.edge_color
        else:
            vectors, colours = layer._view_data, layer.edge_color[layer._view_indices]
        if not len(vectors):  # OpenGL wants a buffer, and draws nothing of a line without length
            vectors, colours = np.zeros((1, 2, 3)), np.zeros((1, 4))
        new = None if np.array_equal(colours, self._colours) else _at_both_ends(colours)
        self._colours = np.array(colours)
        self._node.set_data(pos=_ends(vectors, layer.length), color=new)


def _ends(vectors: NDArray[np.floating[Any]], length: float) -> NDArray[np.float32]:
    """Start and end of each vector, one after the other, as (x, y, z)."""
    ends = np.zeros((len(vectors), 2, 3), dtype=np.float32)
    n_axes = vectors.shape[2]
    ends[:, 0, :n_axes] = vectors[:, 0, ::-1]
    ends[:, 1, :n_axes] = (vectors[:, 0] + length * vectors[:, 1])[:, ::-1]
    return ends.reshape(-1, 3)


def _at_both_ends(colours: NDArray[Any]) -> NDArray[np.float32]:
    """The colour of every end, or the one colour of all, which is the quicker to draw."""
    colours = colours.astype(np.float32)
    return colours[0] if (colours == colours[0]).all() else np.repeat(colours, 2, axis=0)
