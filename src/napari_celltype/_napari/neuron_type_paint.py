"""A neuron's type on its layers: as features, as colours of the branches, and as words beside the neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Layer, Points, Vectors
from numpy.typing import NDArray

from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.classify_values import Verdict
from napari_celltype.workbench.neuron_type import NeuronCall
from napari_celltype.workbench.neuron_why import Why

from .neuron_layers import (
    KEY,
    LANDMARKS,
    NODES,
    SEGMENTS,
    ZYX,
    drawable_rows,
    landmark_layer,
    landmark_size,
    nodes_layer,
    segment_colours,
    segments,
)
from .neuron_view import NeuronView
from .plots.palette import DECIDES_AGAINST, DECIDES_FOR, OTHER_CLASS_COLOUR, class_colour, rgba
from .session import Session, layer_name

__all__ = ["HOWS", "SAYS", "NeuronPaint", "why_colours"]

HOWS = ("structure", "type", "why")
"""What branches can be coloured by: structure types, the cell's type, what decided."""

SAYS = "cell type"
DECIDES = "decides"
_NOTHING = [0.0, 0.0, 0.0, 0.0]
_SPACE = {"scale": (1.0, 1.0, 1.0), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}


class NeuronPaint:
    """Paints the neurons of a session; a neuron that loses its answer gets its own colours back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._painted: dict[str, tuple[Neuron, Verdict, Why | None, str]] = {}
        session.viewer.layers.events.removed.connect(self._on_layer_removed)

    def close(self) -> None:
        """Take everything away again."""
        if self._session.has_viewer:
            self._session.viewer.layers.events.removed.disconnect(self._on_layer_removed)
            for item_id in list(self._painted):
                self.wipe(item_id)

    def show(self, item_id: str, neuron: Neuron, call: NeuronCall, how: str) -> None:
        """Paint what is said of a neuron, if it is not painted already."""
        verdict, view = call.verdict, self._session.view(item_id)
        if verdict is None or not isinstance(view, NeuronView):
            self.wipe(item_id)
            return
        wanted = (neuron, verdict, call.why, how)
        before = self._painted.get(item_id)
        if before is not None and all(a is b for a, b in zip(before[:3], wanted[:3], strict=True)) and before[3] == how:
            return
        self._painted[item_id] = wanted
        self._paint(view, neuron, verdict, call.why, how)
        self._write_label(item_id, neuron, verdict)

    def wipe(self, item_id: str) -> None:
        """Give a neuron its own colours back."""
        if self._painted.pop(item_id, None) is None:
            return
        view = self._session.view(item_id)
        if isinstance(view, NeuronView):
            label = view.layer(SAYS)
            if label is not None and label in self._session.viewer.layers:
                self._session.viewer.layers.remove(label)
        view = self._session.view(item_id)
        if isinstance(view, NeuronView) and item_id in self._session.document:
            self._paint(view, view.neuron, None, None, "structure")

    def _paint(self, view: NeuronView, neuron: Neuron, verdict: Verdict | None, why: Why | None, how: str) -> None:
        for role, rows_of in ((SEGMENTS, _segment_rows), (NODES, drawable_rows), (LANDMARKS, None)):
            layer = view.layer(role)
            if layer is None:
                continue
            rows = layer.features["row"].to_numpy(np.int64) if rows_of is None else rows_of(neuron)
            if len(rows) != len(layer.data) or not len(rows):
                continue  # somebody has changed the layer; the next answer paints it
            _write_features(layer, rows, verdict, why)
            colours = _colours(layer, role, neuron, rows, verdict, why, how)
            _write_colours(layer, colours)

    def _write_label(self, item_id: str, neuron: Neuron, verdict: Verdict) -> None:
        viewer, view = self._session.viewer, self._session.view(item_id)
        if not isinstance(view, NeuronView) or not len(drawable_rows(neuron)):
            return
        old = view.layer(SAYS)
        if old is not None and old in viewer.layers:
            viewer.layers.remove(old)
        selection = set(viewer.layers.selection)
        name = layer_name(self._session.document[item_id].name)
        viewer.add_layer(_label_layer(neuron, verdict, item_id, name))
        # adding a layer selects it; what the user had selected stays so
        viewer.layers.selection = {layer for layer in selection if layer in viewer.layers}

    def _on_layer_removed(self, _: Any) -> None:
        """A label does not outlive its neuron's layers."""
        for item_id in list(self._painted):
            view = self._session.view(item_id)
            if not isinstance(view, NeuronView):
                self._painted.pop(item_id, None)
            elif not any(view.layer(role) for role in (SEGMENTS, NODES, LANDMARKS)):
                self.wipe(item_id)


def _segment_rows(neuron: Neuron) -> IntArray:
    return segments(neuron)[0]


def _write_features(layer: Layer, rows: IntArray, verdict: Verdict | None, why: Why | None) -> None:
    """Add, change or take off our columns; new nodes keep the features they were to get."""
    table = layer.features.drop(columns=[SAYS, DECIDES], errors="ignore")
    kept = {name: column.iloc[0] for name, column in layer.feature_defaults.items() if name in table}
    if verdict is not None:
        label = f"{spoken(verdict.label)}{' ?' if verdict.abstained else ''}"
        table = table.assign(**{SAYS: pd.Categorical([label]).take(np.zeros(len(rows), dtype=np.intp))})
        kept[SAYS] = label
    if verdict is not None and why is not None:
        table = table.assign(**{DECIDES: np.round(why.values[rows], 6)})
        kept[DECIDES] = np.nan
    layer.features = table
    if isinstance(layer, Points) and set(kept) == set(table.columns):
        layer.feature_defaults = kept


def _colours(
    layer: Layer, role: str, neuron: Neuron, rows: IntArray, verdict: Verdict | None, why: Why | None, how: str
) -> NDArray[np.float32]:
    if how == "why" and why is not None:
        return why_colours(why.values[rows], why.limit)
    if how == "type" and verdict is not None:
        colour = OTHER_CLASS_COLOUR if verdict.abstained else class_colour(verdict.label)
        return np.tile(np.array(rgba(colour), dtype=np.float32), (len(rows), 1))
    if role == SEGMENTS:
        return segment_colours(neuron, rows)
    options = (nodes_layer if role == NODES else landmark_layer)(neuron)[1]
    return np.asarray(options["border_color"])


def _write_colours(layer: Layer, colours: NDArray[np.float32]) -> None:
    if isinstance(layer, Vectors):
        if not np.array_equal(colours, layer.edge_color):
            layer.edge_color = colours
    elif colours.shape == np.shape(layer.border_color) and not np.array_equal(colours, layer.border_color):
        face = np.array(colours)
        face[:, 3] = layer.face_color[:, 3]  # rings stay hollow
        layer.border_color, layer.face_color = colours, face


def why_colours(values: NDArray[np.float64], limit: float) -> NDArray[np.float32]:
    """Grey where nothing hangs on a branch or nothing is known, and to either side the further the more."""
    share = np.nan_to_num(np.clip(values / max(limit, 1e-12), -1.0, 1.0))
    grey, more, less = (np.array(rgba(colour)) for colour in (OTHER_CLASS_COLOUR, DECIDES_FOR, DECIDES_AGAINST))
    ends = np.where(share[:, None] >= 0, more, less)
    # a root brings out what lies between the strongest branch and none
    weight = np.sqrt(np.abs(share))[:, None]
    return (grey * (1 - weight) + ends * weight).astype(np.float32)


def _label_layer(neuron: Neuron, verdict: Verdict, item_id: str, name: str) -> Points:
    """Words at the upper left corner of the neuron, where most neurons leave room."""
    xyz = neuron.xyz_um[drawable_rows(neuron)]
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    # napari centres words on their point in 3D, and half a line above it would be cut off where the canvas ends
    most = np.ptp(xyz, axis=0).max()
    left = low[0] - 0.1 * (most - np.ptp(xyz[:, 0]))
    corner = np.array([left, high[1] - 0.04 * most, (low[2] + high[2]) / 2])
    colour = OTHER_CLASS_COLOUR if verdict.abstained else class_colour(verdict.label)
    said = f"{spoken(verdict.label)} {percent(verdict.confidence)}"
    return Points(
        corner[None, ZYX],
        name=f"{name} · {SAYS}",
        features={"says": ["? " + said if verdict.abstained else said]},
        text={"string": "{says}", "color": colour, "size": 12},
        size=landmark_size(neuron),
        face_color=_NOTHING,
        border_color=_NOTHING,
        metadata={KEY: {"id": item_id, "role": SAYS}},
        **_SPACE,
    )
