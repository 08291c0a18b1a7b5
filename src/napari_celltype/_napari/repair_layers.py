"""What the repair dock draws in the canvas: rings at the jumps, and the selected jump's moved part before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer, Points, Vectors
from numpy.typing import NDArray

from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray
from napari_celltype.workbench.repair_jumps import JumpRow
from napari_celltype.workbench.repair_preview import Preview

from .camera import camera_of
from .line_drawing import draw_as_lines
from .neuron_layers import KEY, LANDMARKS, ZYX, landmark_size
from .plots.palette import rgba
from .point_drawing import show_points
from .repair_colours import BEFORE_COLOUR, STATE_COLOURS, after_colour

__all__ = ["AFTER", "BEFORE", "HERE", "JUMPS", "RepairOverlay", "moved_lines"]

JUMPS, BEFORE, AFTER, HERE = "jumps", "before", "after", "here"
_SPACE = {"scale": (1.0, 1.0, 1.0), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}
_RING_WIDTH = 0.12
# vispy 0.17 draws the line of a clamped ring at least half the least size wide
_RING = {"canvas_size_limits": (6, 36), "border_width": _RING_WIDTH}
_STATE_RGBA = {state: rgba(colour) for state, colour in STATE_COLOURS.items()}
_WIDTH_PX = {BEFORE: 2.2, AFTER: 3.4}


class RepairOverlay:
    """The repair layers of one neuron. They come when needed and go with the dock or the neuron.

    Parameters
    ----------
    session
        The viewer's session.
    item_id, name
        The neuron they belong to, and its layers' name.
    dark
        Whether the canvas is black.
    """

    def __init__(self, session: Any, item_id: str, name: str, *, dark: bool = True) -> None:
        self._dark = dark
        self._viewer = viewer = session.viewer
        self._landmarks = next((layer for layer in session.layers_of(item_id) if _role(layer) == LANDMARKS), None)
        self._limits = (4, 10000) if self._landmarks is None else self._landmarks.canvas_size_limits
        if self._landmarks is not None:
            # seen from near, forks as large as in the overview would hide what is to be judged
            self._landmarks.canvas_size_limits = (self._limits[0], 10)
        self._item_id = item_id
        self._name = name
        self._layers: dict[str, Layer] = {}
        camera_of(viewer).events.zoom.connect(self._on_camera_zoom)

    def layer(self, role: str) -> Layer | None:
        """A layer that is there and that the user has not deleted."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self._viewer.layers else None

    @property
    def layers(self) -> list[Layer]:
        """All layers there are."""
        return [layer for role in self._layers if (layer := self.layer(role)) is not None]

    def show_jumps(self, rows: Sequence[JumpRow], neuron: Neuron, selected: JumpRow | None) -> None:
        """Draw a ring at the lower end of each jump, in the colour of what was decided."""
        rows = [row for row in rows if not row.is_gone and not (row.left_out and row.state == "proposed")]
        at, places = _places(rows, neuron)
        rows = [rows[i] for i in at]
        colours = np.array([_STATE_RGBA[row.state] for row in rows], dtype=np.float32).reshape(-1, 4)
        chosen = np.array([selected is not None and row.key == selected.key for row in rows], dtype=bool)
        sizes = landmark_size(neuron) * np.where(chosen, 5.0, 3.2)
        layer = self.layer(JUMPS)
        if not isinstance(layer, Points):
            layer = self._add(JUMPS, Points, np.empty((0, 3)), size=1.0, **_RING)
        _fill(layer, places, sizes, colours)
        if not show_points(self._viewer, layer):
            layer.refresh(thumbnail=False)

    def show_place(self, place_zyx: NDArray[np.float64] | None, neuron: Neuron, colour: str) -> None:
        """Mark a place the camera has flown to, or nothing."""
        layer = self.layer(HERE)
        if layer is not None:
            layer.visible = place_zyx is not None
        if place_zyx is None:
            return
        if not isinstance(layer, Points):
            layer = self._add(HERE, Points, place_zyx[None], size=1.0, face_color="transparent", **_RING)
        _fill(layer, place_zyx[None], np.array([5.0 * landmark_size(neuron)]), np.array([rgba(colour)], np.float32))
        layer.refresh(thumbnail=False)

    def show_preview(self, preview: Preview | None) -> None:
        """Draw the part a jump's repair moves, where it was (grey) and where it goes."""
        nothing = np.empty((0, 2, 3))
        self._draw(BEFORE, nothing if preview is None else moved_lines(preview.before, preview.moved))
        self._draw(AFTER, nothing if preview is None else moved_lines(preview.after, preview.moved))

    def _draw(self, role: str, lines: NDArray[np.float64]) -> None:
        layer = self.layer(role)
        if layer is None:
            if not len(lines):
                return
            colour = self._colour(role)
            layer = self._add(
                role, Vectors, lines, vector_style="line", edge_color=colour, edge_width=self._width(role)
            )
            layer.opacity = 1.0
            return
        drawn = draw_as_lines(self._viewer, layer, _WIDTH_PX[role])
        if drawn is not None:
            drawn.replace(lines)
        elif layer.data.shape != lines.shape:
            layer.data = lines
        elif not np.array_equal(layer.data, lines):
            layer.data[:] = lines
            layer.refresh(thumbnail=False)

    def _add(self, role: str, kind: Any, data: NDArray[np.float64], **options: Any) -> Layer:
        selection = set(self._viewer.layers.selection)
        layer = kind(
            data,
            name=f"{self._name} · {role}",
            metadata={KEY: {"id": self._item_id, "role": role}},
            **_SPACE,
            **options,
        )
        self._viewer.add_layer(layer)
        self._layers[role] = layer
        # adding a layer selects it; what the user had selected stays so
        self._viewer.layers.selection = selection or {layer}
        return layer

    def _colour(self, role: str) -> str:
        return BEFORE_COLOUR if role == BEFORE else after_colour(dark=self._dark)

    def apply_theme(self, *, dark: bool) -> None:
        """Take on a theme's colours."""
        self._dark = dark
        layer = self.layer(AFTER)
        if layer is not None:
            layer.edge_color = self._colour(AFTER)

    def _width(self, role: str) -> float:
        zoom = camera_of(self._viewer).zoom
        return _WIDTH_PX[role] / zoom if zoom > 0 else 1.0

    def _on_camera_zoom(self) -> None:
        for role in (BEFORE, AFTER):
            layer = self.layer(role)
            if layer is None or draw_as_lines(self._viewer, layer, _WIDTH_PX[role]):
                continue
            wanted = self._width(role)
            if not 0.75 < layer.edge_width / wanted < 1.35:
                layer.edge_width = wanted

    def close(self) -> None:
        """Take all layers away."""
        camera_of(self._viewer).events.zoom.disconnect(self._on_camera_zoom)
        if self._landmarks is not None:
            self._landmarks.canvas_size_limits = self._limits
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self._layers.clear()


def _fill(layer: Points, places: NDArray[np.float64], sizes: NDArray[Any], colours: NDArray[np.float32]) -> None:
    """Let a layer have these rings; its setters would each redraw it, so arrays that fit are written into."""
    if len(layer.data) == len(places):
        layer.data[:] = places
    else:
        layer.selected_data = set()
        with layer.events.blocker_all():
            layer.data = places
        layer.face_color[:] = 0.0
    layer.size[:] = sizes
    layer.border_width[:] = _RING_WIDTH
    layer.border_color[:] = colours


def _role(layer: Layer) -> str:
    return str(layer.metadata.get(KEY, {}).get("role", ""))


def moved_lines(neuron: Neuron, rows: IntArray) -> NDArray[np.float64]:
    """The lines from some nodes to their parents, as Vectors want them."""
    rows = rows[neuron.parents[rows] >= 0]
    start, end = neuron.xyz_um[rows][:, ZYX], neuron.xyz_um[neuron.parents[rows]][:, ZYX]
    drawn = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    return np.stack([start, end - start], axis=1)[drawn]


def _places(rows: Sequence[JumpRow], neuron: Neuron) -> tuple[list[int], NDArray[np.float64]]:
    """Which jumps have a place to be drawn at, and where."""
    if not rows:
        return [], np.empty((0, 3))
    node_ids = np.array([row.jump.node_id for row in rows])
    known = np.isin(node_ids, neuron.ids)
    places = np.full((len(rows), 3), np.nan)
    places[known] = neuron.xyz_um[neuron.rows_of(node_ids[known])] if known.any() else places[known]
    at = np.flatnonzero(np.isfinite(places).all(axis=1))
    return at.tolist(), places[at][:, ZYX]
