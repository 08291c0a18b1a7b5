"""The viewer's camera, by whichever name the installed napari has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer

__all__ = ["camera_of", "camera_state", "fit_view", "point_up"]


def camera_of(viewer: Any) -> Any:
    """The camera (napari 0.9 moved it into the scene)."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def camera_state(viewer: Any) -> tuple[Any, ...]:
    """Where the camera is and looks, for telling whether the user has moved it."""
    camera = camera_of(viewer)
    return camera.zoom, tuple(camera.center), tuple(camera.angles), viewer.dims.ndisplay


def fit_view(viewer: Any, layers: Sequence[Layer]) -> None:
    """Look at these layers from the front, as large as fits.

    napari 0.9.2's own function fails on layers with fewer dimensions than the viewer, and zooms without limit towards
    a neuron that is a line seen from its end or a single node.
    """
    # an extent ends at the middle of the outermost pixels, and a row of few sweeps is a thick pixel
    extents = [layer.extent.world + np.outer([-0.5, 0.5], layer.extent.step) for layer in layers]
    shown = viewer.dims.ndisplay
    boxes = np.array([extent[:, -shown:] for extent in extents if np.isfinite(extent).all()])
    if not len(boxes) or not hasattr(viewer, "canvas"):
        viewer.reset_view()
        return
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    size = np.maximum(high - low, max(1.0, 0.02 * float((high - low).max())))
    camera = camera_of(viewer)
    camera.angles = (0.0, 0.0, 0.0)
    camera.center = (*([0.0] * (3 - shown)), *((low + high) / 2))
    camera.zoom = 0.95 * float(np.min(np.array(viewer.canvas.size) / size[-2:]))


def point_up(viewer: Any, *, up: bool) -> None:
    """Let y grow upwards, as reconstructions mean it, or downwards, as images and tables do (napari 0.6 and later)."""
    camera = camera_of(viewer)
    if hasattr(camera, "orientation2d"):
        camera.orientation2d = ("up" if up else "down", "right")
