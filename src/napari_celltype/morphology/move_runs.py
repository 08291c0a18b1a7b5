"""Many shifts of nodes, one after another, in the time of a few: what dragging nodes by hand adds up to.

The result is that of making each edit by itself, bit for bit, with the same changes to undo them. It is quick because
what each edit by itself asks the whole neuron for (rows of ids, subtrees, decimals of a column) is asked once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .changes import Change, changed_values
from .repair import rows_of_unique

__all__ = ["run_moves"]

_LEAST, _MOST = 3, 10
"""Decimals a column is rounded to at least; and the number that stands for "none will do"."""
_FARTHEST_UM = 1e6


def run_moves(neuron: Neuron, moves: Sequence[Mapping[str, Any]]) -> tuple[Neuron, list[Change]] | None:
    """Shift nodes again and again, as ``move_nodes`` does with each of these parameters.

    Returns
    -------
    tuple or None
        The neuron, and a change for each move. None if something is out of the ordinary (a node that is not there or
        named twice, a cycle, places kilometres away): then each edit has to be made by itself, and may be refused.
    """
    try:
        run = _Run(neuron, moves)
        changes = [run.move(**move) for move in moves]
    except (_UnusualError, RepairError, TypeError, ValueError):
        return None
    return neuron.replace(xyz_um=np.column_stack(run.columns)), changes


class _UnusualError(Exception):
    """Not for here."""


class _Run:
    def __init__(self, neuron: Neuron, moves: Sequence[Mapping[str, Any]]) -> None:
        finite = np.abs(neuron.xyz_um[np.isfinite(neuron.xyz_um)])
        if neuron.has_cycle or finite.max(initial=0.0) > _FARTHEST_UM:
            raise _UnusualError
        ids = np.unique(np.concatenate([np.asarray(move["node_ids"], dtype=np.int64) for move in moves]))
        self._row = dict(zip(ids.tolist(), rows_of_unique(neuron, ids).tolist(), strict=True))
        self.columns = [neuron.xyz_um[:, axis].copy() for axis in range(3)]
        self._decimals = [_decimals(column) for column in self.columns]
        self._counts = [np.bincount(decimals, minlength=_MOST + 1) for decimals in self._decimals]
        if any(move.get("downstream") for move in moves):
            self._walk = tree.preorder(neuron.parents)
            self._place = np.empty(len(neuron), dtype=np.int64)
            self._place[self._walk] = np.arange(len(neuron))
            self._size = tree.subtree_sizes(neuron.parents)

    def move(self, node_ids: Sequence[int], by_um: Sequence[Any], downstream: bool = False) -> Change:
        """Make one move."""
        rows = self._rows(node_ids, downstream)
        shift = np.asarray(by_um, dtype=np.float64)
        if shift.shape not in {(3,), (len(rows), 3)} or not np.isfinite(shift).all() or (downstream and shift.ndim > 1):
            raise _UnusualError
        steps = [step for axis in range(3) for step in self._shift(axis, rows, shift[..., axis])]
        return Change(tuple(steps))

    def _rows(self, node_ids: Sequence[int], downstream: bool) -> IntArray:
        rows = np.array([self._row[node_id] for node_id in node_ids], dtype=np.int64)
        if len(np.unique(rows)) < len(rows):
            raise _UnusualError
        if not downstream:
            return rows
        parts = [self._walk[self._place[row] : self._place[row] + self._size[row]] for row in rows.tolist()]
        return np.unique(np.concatenate(parts)) if parts else rows

    def _shift(self, axis: int, rows: IntArray, by: NDArray[np.float64]) -> Any:
        column, decimals, counts = self.columns[axis], self._decimals[axis], self._counts[axis]
        before = column[rows]
        if not by.any() and not np.signbit(before[before == 0]).any():  # -0 + 0 is 0
            return ()
        after = before + by
        places = max(_LEAST, int(np.flatnonzero(counts)[-1]))
        if places < _MOST:
            after = np.round(after, places)
        if np.abs(after[np.isfinite(after)]).max(initial=0.0) > _FARTHEST_UM:
            raise _UnusualError
        column[rows] = after
        counts -= np.bincount(decimals[rows], minlength=_MOST + 1)
        decimals[rows] = _decimals(after)
        counts += np.bincount(decimals[rows], minlength=_MOST + 1)
        return changed_values("xyz"[axis], rows, before, after)


def _decimals(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """How many decimals each number is written with, counted from 3; 10 if more than nine, 0 if it is no number."""
    found = np.where(np.isfinite(values), _MOST, 0).astype(np.int8)
    # what nine decimals do not hold fewer cannot, and a number of few decimals is told by the first try
    open_ = np.flatnonzero(np.round(values, _MOST - 1) == values)
    for places in range(_LEAST, _MOST):
        if not len(open_):
            break
        fits = np.round(values[open_], places) == values[open_]
        found[open_[fits]] = places
        open_ = open_[~fits]
    return found
