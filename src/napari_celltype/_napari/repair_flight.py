"""Fly the camera to a jump and look at it from the side: from above, a z-jump cannot be seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEasingCurve, QVariantAnimation

from .camera import camera_of

__all__ = ["Flight"]

_MS = 260
_STEEP = math.cos(math.radians(35))


class Flight:
    """Moves a viewer's camera smoothly.

    Parameters
    ----------
    viewer
        Whose camera.
    animated
        False jumps there at once.
    """

    def __init__(self, viewer: Any, *, animated: bool = True) -> None:
        self._viewer = viewer
        self.animated = animated
        self._from: NDArray[np.float64] = np.zeros(4)
        self._to: NDArray[np.float64] = np.zeros(4)
        self._animation = QVariantAnimation()
        self._animation.setDuration(_MS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._animation.valueChanged.connect(self._on_animation_value)

    def fly_to(self, centre_zyx: NDArray[np.float64], size_um: float, across: str) -> None:
        """Show a place, ``size_um`` across, with ``across`` ("x" or "y") running across the picture and z upwards.

        If the viewer looks from the side already, the user's own direction is kept.
        """
        viewer = self._viewer
        viewer.dims.ndisplay = 3
        camera = camera_of(viewer)
        if abs(_looks_along_z(camera)) > _STEEP:
            along = (0.0, 1.0, 0.0) if across == "x" else (0.0, 0.0, 1.0)
            camera.set_view_direction(along, (1.0, 0.0, 0.0))
        zoom = min(viewer.canvas.size if hasattr(viewer, "canvas") else viewer._canvas_size) / max(size_um, 1.0)
        self._from = np.array([*camera.center, math.log(max(camera.zoom, 1e-6))])
        self._to = np.array([*centre_zyx, math.log(zoom)])
        self._animation.stop()
        if self.animated:
            self._animation.start()
        else:
            self._on_animation_value(1.0)

    def _on_animation_value(self, share: float) -> None:
        camera = camera_of(self._viewer)
        *centre, log_zoom = self._from + share * (self._to - self._from)
        camera.center = tuple(float(value) for value in centre)
        camera.zoom = math.exp(log_zoom)

    def stop(self) -> None:
        """Stay where it is."""
        self._animation.stop()


def _looks_along_z(camera: Any) -> float:
    direction = np.asarray(camera.view_direction, dtype=np.float64)
    return float(direction[0] / max(float(np.linalg.norm(direction)), 1e-9))
