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
    """Show just these layers, as large as fits (before napari 0.9: all layers)."""
    if not layers or not hasattr(viewer, "fit_to_view"):
        viewer.reset_view()
    elif all(layer.ndim == viewer.dims.ndim for layer in layers):
        with np.errstate(divide="ignore"):  # napari 0.9.2 divides by the size of a straight or single-node neuron
            viewer.fit_to_view(layers=list(layers))
    else:
        _fit_flat(viewer, layers)


def _fit_flat(viewer: Any, layers: Sequence[Layer]) -> None:
    """Fit layers with fewer dimensions than the viewer, on which napari 0.9.2's own function fails."""
    shown = viewer.dims.ndisplay
    extents = np.array([layer.extent.world[:, -shown:] for layer in layers if np.isfinite(layer.extent.world).all()])
    if not len(extents):
        return
    low, high = extents[:, 0].min(axis=0), extents[:, 1].max(axis=0)
    camera = camera_of(viewer)
    camera.center = (*([0.0] * (3 - shown)), *((low + high) / 2))
    size = np.maximum(high - low, 1e-9)
    camera.zoom = 0.95 * float(np.min(np.array(viewer.canvas.size) / size[-2:]))


def point_up(viewer: Any, *, up: bool) -> None:
    """Let y grow upwards, as reconstructions mean it, or downwards, as images and tables do (napari 0.6 and later)."""
    camera = camera_of(viewer)
    if hasattr(camera, "orientation2d"):
        camera.orientation2d = ("up" if up else "down", "right")
