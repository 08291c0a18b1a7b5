"""A neuron as napari layers: pure functions on arrays. The way back is in :mod:`.neuron_from_layers`.

``neuron_to_layers`` gives three layers: the landmarks (Points: soma, forks, tips and whatever is wrong), the segments
(Vectors, for the eye) and all nodes (Points, hidden until somebody edits). Only the last is a source of data.
Positions are (x, y, z) in a neuron and (z, y, x) in napari; the permutation is :data:`ZYX` and stands nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.neuron import Neuron

from .plots.palette import DEFECT_COLOURS, OTHER_NODE_TYPE_COLOUR, node_type_name, rgba, type_rgba

__all__ = [
    "KEY",
    "LANDMARKS",
    "NODES",
    "SEGMENTS",
    "ZYX",
    "landmark_layer",
    "neuron_to_layers",
    "node_features",
    "nodes_layer",
    "segment_layer",
]

LayerData = tuple[Any, dict[str, Any], str]

KEY = "napari_celltype"
"""Where a layer's metadata says which item it shows and as what: ``{KEY: {"id": ..., "role": ...}}``."""
NODES, SEGMENTS, LANDMARKS = "nodes", "segments", "landmarks"

ZYX = [2, 1, 0]
"""Columns of (x, y, z) in the order napari wants them; its own inverse."""

_SPACE = {"scale": (1.0, 1.0, 1.0), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}
_FARTHEST_UM = 1e8
"""napari 0.9.2 counts the steps of a slider, here micrometres, in 32 bits; a hundred metres are enough."""


def neuron_to_layers(neuron: Neuron, *, item_id: str = "", name: str = "") -> list[LayerData]:
    """Layers that show a neuron, bottom to top: landmarks, segments, and all nodes (hidden).

    Parameters
    ----------
    neuron
        Any neuron; nodes without a position are left out of the picture and come back in ``layers_to_neuron``.
    item_id
        The document's id of the neuron, kept in the layers.
    name
        Name of the layers; the neuron's own by default.

    Notes
    -----
    The landmarks come first because Points have a size: napari 0.9.2 fits the first layer of an empty viewer, and in 3D
    cannot fit lines without a width (a straight neuron seen from its end), which leaves the window unusable.
    """
    name = name or neuron.name or "neuron"
    return [
        landmark_layer(neuron, item_id=item_id, name=name),
        segment_layer(neuron, item_id=item_id, name=name),
        nodes_layer(neuron, item_id=item_id, name=name),
    ]


def nodes_layer(neuron: Neuron, *, item_id: str = "", name: str = "neuron") -> LayerData:
    """All nodes as Points with the features id, type, radius, parent (an id, -1 at a root) and row."""
    drawn = drawable_rows(neuron)
    colours = type_rgba(neuron.types[drawn])
    colours[_on_cycle(neuron)[drawn]] = rgba(DEFECT_COLOURS["error"])
    options = {
        "name": name,
        "features": node_features(neuron).iloc[drawn].reset_index(drop=True),
        "size": 2.0 * _display_radius(neuron)[drawn],
        "face_color": _or_one(colours),
        "border_color": _or_one(colours),
        "canvas_size_limits": (4, 10000),
        "visible": False,
        "metadata": {KEY: {"id": item_id, "role": NODES}},
        **_SPACE,
    }
    return neuron.xyz_um[drawn][:, ZYX], options, "points"


def node_features(neuron: Neuron) -> pd.DataFrame:
    """Features of all nodes, drawn or not; ``row`` is the node's row in this neuron."""
    return pd.DataFrame(
        {
            "id": neuron.ids,
            "type": neuron.types,
            "radius": neuron.radii_um,
            "parent": neuron.parent_ids,
            "row": np.arange(len(neuron)),
        }
    )


def segment_layer(neuron: Neuron, *, item_id: str = "", name: str = "neuron") -> LayerData:
    """A line from each node to its parent, as Vectors coloured by structure type; cycles in red."""
    rows, data = segments(neuron)
    options = {
        "name": f"{name} · segments",
        "vector_style": "line",
        "edge_color": _or_one(segment_colours(neuron, rows)),
        "edge_width": _first_line_width(neuron),
        "opacity": 1.0,
        "features": segment_features(neuron, rows),
        "metadata": {KEY: {"id": item_id, "role": SEGMENTS}},
        **_SPACE,
    }
    return data, options, "vectors"


def segments(neuron: Neuron) -> tuple[tree.IntArray, NDArray[np.float64]]:
    """Rows of the nodes that have a line to their parent, and the lines as napari wants them, shape (n, 2, 3)."""
    finite = _has_position(neuron)
    rows = np.flatnonzero((neuron.parents >= 0) & finite & finite[neuron.parents])
    start = neuron.xyz_um[rows][:, ZYX]
    data = np.stack([start, neuron.xyz_um[neuron.parents[rows]][:, ZYX] - start], axis=1)
    return rows, data


def segment_colours(neuron: Neuron, rows: tree.IntArray) -> NDArray[np.float32]:
    """Colour of each line: the type of its lower node, red where it is part of a cycle."""
    colours = type_rgba(neuron.types[rows])
    colours[_on_cycle(neuron)[rows]] = rgba(DEFECT_COLOURS["error"])
    return colours


def segment_features(neuron: Neuron, rows: tree.IntArray) -> pd.DataFrame:
    """What hovering over a line tells: node id and structure type in words."""
    numbers, inverse = np.unique(neuron.types[rows], return_inverse=True)
    names = np.array([node_type_name(number) for number in numbers], dtype=object)
    return pd.DataFrame({"id": neuron.ids[rows], "type": pd.Categorical(names[inverse] if len(numbers) else [])})


@dataclass(frozen=True)
class _Look:
    symbol: str
    share: float  # of the landmark size
    hollow: bool = False


_LOOKS = {
    "tip": _Look("disc", 0.55),
    "fork": _Look("disc", 0.75),
    "root": _Look("diamond", 1.4),
    "soma": _Look("disc", 1.0),
    "warning": _Look("disc", 3.0, hollow=True),
    "error": _Look("disc", 3.4, hollow=True),
}


def landmark_layer(neuron: Neuron, *, item_id: str = "", name: str = "neuron") -> LayerData:
    """Soma, forks, tips and roots as Points, and rings around nodes with a defect (features say which)."""
    marks = landmarks(neuron)
    rows = marks["row"].to_numpy()
    options = {
        "name": f"{name} · landmarks",
        "features": marks,
        **_landmark_looks(neuron, marks),
        "canvas_size_limits": (4, 10000),
        "border_width": 0.14,
        "metadata": {KEY: {"id": item_id, "role": LANDMARKS}},
        **_SPACE,
    }
    return neuron.xyz_um[rows][:, ZYX], options, "points"


def landmarks(neuron: Neuron) -> pd.DataFrame:
    """Nodes worth seeing: columns row, id, what (soma, fork, tip, root, warning, error) and message."""
    drawn = _has_position(neuron)
    what = np.full(len(neuron), "", dtype=object)
    what[neuron.n_children == 0] = "tip"
    what[neuron.n_children > 1] = "fork"
    what[neuron.roots] = "root"
    what[neuron.types == 1] = "soma"
    rows = np.flatnonzero((what != "") & drawn)
    plain = pd.DataFrame({"row": rows, "id": neuron.ids[rows], "what": what[rows], "message": ""})
    marks: pd.DataFrame = pd.concat([plain, _defect_marks(neuron, drawn)], ignore_index=True)
    return marks


def _defect_marks(neuron: Neuron, drawn: NDArray[np.bool_]) -> pd.DataFrame:
    """One ring a node, saying all that is wrong with it, the worst first."""
    found: dict[int, tuple[str, list[str]]] = {}
    known = set(neuron.ids.tolist())
    for defect in sorted(neuron.defects, key=lambda defect: defect.severity != "error"):
        ids = [node_id for node_id in defect.node_ids if node_id in known]
        if defect.severity == "note" or not ids:
            continue
        for row in neuron.rows_of(ids).tolist():
            found.setdefault(row, (defect.severity, []))[1].append(defect.message)
    rows = np.array([row for row in found if drawn[row]], dtype=np.int64)
    return pd.DataFrame(
        {
            "row": rows,
            "id": neuron.ids[rows],
            "what": [found[row][0] for row in rows.tolist()],
            "message": [" ".join(found[row][1]) for row in rows.tolist()],
        }
    ).astype({"what": object, "message": object})


def _landmark_looks(neuron: Neuron, marks: pd.DataFrame) -> dict[str, Any]:
    rows = marks["row"].to_numpy()
    kinds = marks["what"].to_numpy()
    size = np.full(len(rows), landmark_size(neuron))
    colours = type_rgba(neuron.types[rows])
    symbols = np.full(len(rows), "disc", dtype=object)
    hollow = np.zeros(len(rows), dtype=bool)
    for kind, look in _LOOKS.items():
        here = kinds == kind
        size[here] *= look.share
        symbols[here] = look.symbol
        hollow |= here & look.hollow
        if kind in DEFECT_COLOURS:
            colours[here] = rgba(DEFECT_COLOURS[kind])
    soma = kinds == "soma"
    size[soma] = np.maximum(size[soma] * 2.0, 2.0 * _display_radius(neuron)[rows][soma])
    face = colours.copy()
    face[hollow, 3] = 0.0
    return {"size": size, "symbol": symbols, "face_color": _or_one(face), "border_color": _or_one(colours)}


def _or_one(colours: NDArray[np.float32]) -> NDArray[np.float32] | str:
    """Colours, or one that stands for none: napari 0.9.2 fails on an empty array of them."""
    return colours if len(colours) else OTHER_NODE_TYPE_COLOUR


def landmark_size(neuron: Neuron) -> float:
    """Diameter in um at which a landmark is seen but hides nothing: a share of the neuron's own size."""
    return max(_extent_um(neuron) / 160.0, 1.0)


def _first_line_width(neuron: Neuron) -> float:
    """A pixel and a half when the whole neuron fills an ordinary canvas; the session follows the zoom from there."""
    return max(1.5 * _extent_um(neuron) / 600.0, 0.01)


def _extent_um(neuron: Neuron) -> float:
    finite = neuron.xyz_um[_has_position(neuron)]
    return float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0


def drawable_rows(neuron: Neuron) -> tree.IntArray:
    """Rows of the nodes that have a position napari can draw: neither NaN nor infinite nor beyond all bounds."""
    return np.flatnonzero(_has_position(neuron))


def _has_position(neuron: Neuron) -> NDArray[np.bool_]:
    return np.asarray((np.abs(neuron.xyz_um) < _FARTHEST_UM).all(axis=1))  # NaN is not less either


def _on_cycle(neuron: Neuron) -> NDArray[np.bool_]:
    # most neurons have none, and telling so is cheaper than finding them
    return tree.on_cycle(neuron.parents) if neuron.has_cycle else np.zeros(len(neuron), dtype=bool)


def _display_radius(neuron: Neuron) -> NDArray[np.float64]:
    """Radius to draw: a zero, negative or missing one is drawn as a quarter micrometre, and stays what it is."""
    return np.where(neuron.radii_um > 0, neuron.radii_um, 0.25)
