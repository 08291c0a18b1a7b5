"""Shows a Points layer's positions, sizes and colours as they are now, without napari's whole refresh.

napari 0.9.2 answers every change of a Points layer by slicing it, turning its symbols into words and back, checking
its colours and writing text and highlights anew: 24 ms for 25,000 points. When the same points only lie elsewhere,
writing the buffer that draws them takes 1 ms. The layer's own arrays are changed first and remain what is true;
where napari's or vispy's inside has another shape than expected, :func:`show_points` says so and changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Points

__all__ = ["show_points", "visual_of"]


def visual_of(viewer: Any, layer: Layer) -> Any:
    """What draws a layer in the window; None where there is no window, or a napari that is built otherwise."""
    canvas = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "canvas", None)
    return getattr(canvas, "layer_to_visual", {}).get(layer)


def show_points(viewer: Any, layer: Points) -> bool:
    """Draw the points where and as the layer's arrays have them; False if napari has to do it.

    Notes
    -----
    For the same points as before, all of them shown, in 3D. What napari derives from positions (extent, thumbnail,
    outlines of selected points) is not renewed: call ``layer.refresh`` for that once there is time.
    """
    markers: Any = getattr(getattr(visual_of(viewer, layer), "node", None), "points_markers", None)
    buffer, drawn = getattr(markers, "_vbo", None), getattr(markers, "_data", None)
    if buffer is None or drawn is None or not _is_all_of(layer, viewer, drawn):
        return False
    drawn["a_position"] = layer.data[:, ::-1]
    drawn["a_size"] = layer.size
    drawn["a_edgewidth"] = layer.border_width * (layer.size if layer.border_width_is_relative else 1.0)
    drawn["a_fg_color"] = layer.border_color
    drawn["a_bg_color"] = layer.face_color
    buffer.set_data(drawn)
    markers.update()
    return True


def _is_all_of(layer: Points, viewer: Any, drawn: np.ndarray) -> bool:
    fields = {"a_position", "a_size", "a_edgewidth", "a_fg_color", "a_bg_color"}
    return (
        fields <= set(drawn.dtype.names or ())
        and viewer.dims.ndisplay == 3
        and layer.ndim == 3
        and len(drawn) == len(layer.data) > 0
        and bool(layer.shown.all())
        and bool((layer.scale == 1.0).all())
    )
