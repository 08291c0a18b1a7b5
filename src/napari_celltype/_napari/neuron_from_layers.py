"""The neuron of its layer of nodes, as the user has moved, added, deleted and retyped them: the inverse of
:func:`~.neuron_layers.neuron_to_layers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_celltype import tree
from napari_celltype.neuron import Neuron

from .neuron_layers import ZYX, drawable_rows

__all__ = ["layers_to_neuron"]

NEW_NODE = -1


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
