"""Plain round dots for vispy: a tenth of the work of its markers, which matters from a hundred thousand points on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vispy import gloo
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

__all__ = ["Dots"]

_VERTEX = """
attribute vec2 a_position;
attribute vec4 a_colour;
uniform float u_size;
varying vec4 v_colour;
void main() {
    gl_Position = $transform(vec4(a_position, 0.0, 1.0));
    gl_PointSize = u_size;
    v_colour = a_colour;
}
"""
_FRAGMENT = """
varying vec4 v_colour;
void main() {
    vec2 gap = gl_PointCoord.xy - 0.5;
    if (dot(gap, gap) > 0.25) discard;
    gl_FragColor = v_colour;
}
"""


class DotsVisual(Visual):
    """Points of one size, each in its colour."""

    def __init__(self) -> None:
        super().__init__(_VERTEX, _FRAGMENT)
        self._draw_mode = "points"
        self._bounds: list[tuple[float, float]] = [(0.0, 1.0), (0.0, 1.0)]
        self._has_data = False
        self.set_gl_state("translucent", depth_test=False)

    def set_data(self, points: NDArray[np.float32], colours: NDArray[np.float32], size: float) -> None:
        """Show these points instead of those before."""
        self.shared_program["a_position"] = gloo.VertexBuffer(np.ascontiguousarray(points, dtype=np.float32))
        self.shared_program["a_colour"] = gloo.VertexBuffer(np.ascontiguousarray(colours, dtype=np.float32))
        self.shared_program["u_size"] = float(size)
        self._bounds = list(zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True))
        self._has_data = True
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        view.view_program.vert["transform"] = view.get_transform()

    def _prepare_draw(self, view: Any) -> bool:
        return self._has_data

    def _compute_bounds(self, axis: int, view: Any) -> tuple[float, float] | None:
        return self._bounds[axis] if axis < 2 else None


Dots = create_visual_node(DotsVisual)
