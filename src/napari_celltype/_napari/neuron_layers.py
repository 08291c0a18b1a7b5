"""A neuron as napari layers and back: pure functions on arrays, one the inverse of the other.

``neuron_to_layers`` gives three layers: the landmarks (Points: soma, forks, tips and whatever is wrong), the segments
(Vectors, for the eye) and all nodes (Points, hidden until somebody edits). Only the last is a source of data:
``layers_to_neuron`` reads it back. Positions are (x, y, z) in a neuron and (z, y, x) in napari; the permutation is
:data:`ZYX` and stands nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

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
    "layers_to_neuron",
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
NEW_NODE = -1
_FARTHEST_UM = 1e8
"""napari 0.9.2 counts the steps of a slider, here micrometres, in 32 bits; a hundred metres are enough."""


def neuron_to_layers(neuron: Neuron, *, item_id: str = "", name: str = "") -> list[LayerData]:
    """Layers that show a neuron, bottom to top: landmarks, segments, and all nodes (hidden).

    Parameters
    ----------
    neuron
        Any neuron; nodes without a position are left out of the picture and come back in
        :func:`layers_to_neuron`.
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


def layers_to_neuron(positions_zyx: ArrayLike, features: pd.DataFrame, source: Neuron | None = None) -> Neuron:
    """Neuron from the Points layer of its nodes, as the user has moved, added, deleted and retyped them.

    Parameters
    ----------
    positions_zyx, features
        Data and features of the Points layer; ``features`` need the columns id, type, radius and parent.
    source
        The neuron the layer was made from. With it, nodes that cannot be drawn come back, nodes sharing an id keep
        their own parents, and untouched lines of the file are saved as they were.

    Notes
    -----
    The children of a deleted node hang on its nearest surviving ancestor, so that deleting a node out of a line mends
    the line; they become roots where there is none. A node that napari added copies the features of the node selected
    before: it is known by its ``row`` (missing, or standing there twice), gets an id of its own and hangs on the node
    it copies, so that clicking point after point traces a branch.
    """
    xyz = np.asarray(positions_zyx, dtype=np.float64).reshape(-1, 3)[:, ZYX]
    table = _Table.of(features, len(xyz), source)
    if source is None:
        return _without_source(xyz, table)
    return _with_source(xyz, table, source)


@dataclass(frozen=True)
class _Table:
    ids: tree.IntArray
    types: tree.IntArray
    radii: NDArray[np.float64]
    parent_ids: tree.IntArray
    rows: tree.IntArray  # row in the source, NEW_NODE for an added node

    @classmethod
    def of(cls, features: pd.DataFrame, n: int, source: Neuron | None) -> _Table:
        rows = _whole(features["row"], NEW_NODE) if "row" in features else np.full(n, NEW_NODE)
        limit = len(source) if source is not None else 0
        rows = np.where((rows >= 0) & (rows < limit), rows, NEW_NODE)
        first_use = np.zeros(n, dtype=bool)
        first_use[np.unique(rows, return_index=True)[1]] = True
        copies = (rows != NEW_NODE) & ~first_use
        ids = _whole(features["id"], NEW_NODE)
        parent_ids = _whole(features["parent"], -1)
        if source is not None:
            parent_ids = _hang_on_the_copied(parent_ids, rows, copies, ids, source)
            ids = _fresh_ids(ids, np.where(copies, NEW_NODE, rows), source)
        return cls(
            ids,
            _whole(features["type"], 0),
            features["radius"].to_numpy(dtype=np.float64),
            parent_ids,
            np.where(copies, NEW_NODE, rows),
        )


def _whole(column: pd.Series, missing: int) -> tree.IntArray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, missing).astype(np.int64)


def _hang_on_the_copied(
    parent_ids: tree.IntArray,
    rows: tree.IntArray,
    copies: NDArray[np.bool_],
    ids: tree.IntArray,
    source: Neuron,
) -> tree.IntArray:
    """Parents with those of copied nodes set to the node they copy, unless the user has given another already."""
    at = np.flatnonzero(copies)
    at = at[parent_ids[at] == source.parent_ids[rows[at]]]
    original = np.full(len(source), -1)
    original[rows[::-1]] = ids[::-1]  # the first of several wins
    parent_ids = parent_ids.copy()
    parent_ids[at] = original[rows[at]]
    return parent_ids


def _fresh_ids(ids: tree.IntArray, rows: tree.IntArray, source: Neuron) -> tree.IntArray:
    """Ids with a new one for each added node that has none or copies another's."""
    added = rows == NEW_NODE
    if not added.any():
        return ids
    taken = np.isin(ids, np.concatenate([source.ids, ids[~added]])) | (ids < 0)
    unique = np.zeros(len(ids), dtype=bool)
    unique[np.unique(ids, return_index=True)[1]] = True
    needy = np.flatnonzero(added & (taken | ~unique))
    top = max(int(source.ids.max(initial=0)), int(ids.max(initial=0)))
    ids = ids.copy()
    ids[needy] = top + 1 + np.arange(len(needy))
    return ids


def _without_source(xyz: NDArray[np.float64], table: _Table) -> Neuron:
    return Neuron(
        ids=table.ids,
        types=table.types,
        xyz_um=xyz,
        radii_um=table.radii,
        parents=_rows_of_ids(table.parent_ids, table.ids),
    )


def _rows_of_ids(wanted: tree.IntArray, ids: tree.IntArray) -> tree.IntArray:
    """First row of each id, -1 where no node has it."""
    if len(ids) == 0:
        return np.full(len(wanted), -1)
    by_id = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids, wanted, sorter=by_id), len(ids) - 1)
    return np.where(ids[by_id[place]] == wanted, by_id[place], -1)


def _with_source(xyz: NDArray[np.float64], table: _Table, source: Neuron) -> Neuron:
    hidden = np.setdiff1d(np.arange(len(source)), drawable_rows(source))
    kept = table.rows != NEW_NODE
    # rows of the result: those of the source in their order, drawn or hidden, then the added nodes
    source_rows = np.concatenate([table.rows[kept], hidden])
    from_layer = np.concatenate([np.flatnonzero(kept), np.full(len(hidden), -1)])
    order = np.argsort(source_rows, kind="stable")
    source_rows, from_layer = source_rows[order], from_layer[order]
    added = np.flatnonzero(~kept)

    def merged(of_layer: NDArray[Any], of_source: NDArray[Any]) -> NDArray[Any]:
        old = of_source[source_rows].copy()
        old[from_layer >= 0] = of_layer[from_layer[from_layer >= 0]]
        return np.concatenate([old, of_layer[added]])

    ids = merged(table.ids, source.ids)
    parent_ids = merged(table.parent_ids, source.parent_ids)
    return source.replace(
        ids=ids,
        types=merged(table.types, source.types),
        xyz_um=merged(xyz, source.xyz_um),
        radii_um=merged(table.radii, source.radii_um),
        parents=_parents(parent_ids, ids, source_rows, source),
        source_rows=_text_rows(source_rows, len(added), source),
    )


def _parents(
    parent_ids: tree.IntArray, ids: tree.IntArray, source_rows: tree.IntArray, source: Neuron
) -> tree.IntArray:
    """Parent rows of the result: as in the source unless the parent was deleted or the user gave another id."""
    parents = _rows_of_ids(parent_ids, ids)
    untouched = np.flatnonzero(parent_ids[: len(source_rows)] == source.parent_ids[source_rows])
    survivors = np.full(len(source) + 1, -1)  # the last place answers for "no parent"
    survivors[source_rows] = np.arange(len(source_rows))
    heirs = _nearest_survivor(source.parents, survivors)
    parents[untouched] = heirs[source.parents[source_rows[untouched]]]
    return parents


def _nearest_survivor(parents: tree.IntArray, survivors: tree.IntArray) -> tree.IntArray:
    """For each source row, and -1, the result row of itself or of its nearest ancestor still there."""
    n = len(parents)
    up = np.append(np.where(parents >= 0, parents, n), n)
    up = np.where(survivors >= 0, np.arange(n + 1), up)  # a survivor is its own answer
    for _ in range(int(n).bit_length() + 1):
        up = up[up]
    return survivors[up]


def _text_rows(source_rows: tree.IntArray, n_added: int, source: Neuron) -> tree.IntArray | None:
    if source.text is None:
        return None
    old = np.arange(len(source)) if source.source_rows is None else source.source_rows
    return np.concatenate([old[source_rows], np.full(n_added, -1)])
