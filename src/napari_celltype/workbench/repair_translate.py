"""What a person did to the nodes with the mouse, told as edits that can be recorded and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RepairError
from napari_celltype.morphology.edits import Edit, apply_edits
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

__all__ = ["edits_between"]

_DECIMALS = 6


def edits_between(before: Neuron, after: Neuron, *, with_subtree: bool = False) -> tuple[Edit, ...]:
    """The edits that lead from one neuron to the other, nodes being known by their ids.

    Parameters
    ----------
    before, after
        Neurons made of the same file.
    with_subtree
        Whether nodes that all moved by the same vector take along what lies downstream of them.

    Raises
    ------
    RepairError
        If several nodes share an id, so that nobody could tell which of them was meant.
    """
    for neuron in (before, after):
        _refuse_shared_ids(neuron)
    if np.array_equal(before.ids, after.ids):
        ids = before.ids
        old = new = np.arange(len(ids))
        made: list[Edit] = []
    else:
        ids = np.intersect1d(before.ids, after.ids)
        old, new = before.rows_of(ids), after.rows_of(ids)
        made = [Edit("delete_node", {"node_id": gone}) for gone in np.setdiff1d(before.ids, after.ids).tolist()]
        made += _additions(before, after)
    made += _moves(ids, after.xyz_um[new] - before.xyz_um[old], with_subtree)
    made += _settings("set_type", "structure_type", ids, before.types[old], after.types[new])
    made += _settings("set_radius", "radius_um", ids, before.radii_um[old], after.radii_um[new])
    hung = before if len(ids) == len(before) else apply_edits(before, made)[0]
    return (*made, *_links(hung, after))


def _refuse_shared_ids(neuron: Neuron) -> None:
    ids = neuron.ids
    if bool((ids[1:] > ids[:-1]).all()):
        return
    ids = np.sort(ids)
    shared = ids[1:][ids[1:] == ids[:-1]]
    if shared.size:
        raise RepairError(
            f"the id {shared[0]} stands for more than one node, so an edit could not be recorded",
            path=neuron.path,
            hint="Renumber the nodes first (Defects, duplicate-id, Apply fix).",
        )


def _additions(before: Neuron, after: Neuron) -> Iterator[Edit]:
    """New nodes, a parent before its children."""
    added = ~np.isin(after.ids, before.ids)
    rows = np.flatnonzero(added)
    for row in sorted(rows.tolist(), key=lambda row: _generation(after, row, added)):
        yield Edit(
            "add_node",
            {
                "node_id": after.ids[row],
                "parent_id": after.parent_ids[row],
                "at_um": np.round(after.xyz_um[row], 3),
                "structure_type": after.types[row],
                "radius_um": after.radii_um[row],
            },
        )


def _generation(neuron: Neuron, row: int, added: NDArray[np.bool_]) -> int:
    """How many added nodes lie above an added node."""
    count = 0
    while (row := int(neuron.parents[row])) >= 0 and added[row] and count <= len(neuron):
        count += 1
    return count


def _moves(ids: IntArray, shift: NDArray[Any], with_subtree: bool) -> Iterator[Edit]:
    shift = np.round(np.nan_to_num(shift).astype(np.float64), _DECIMALS)
    moved = np.flatnonzero(shift.any(axis=1))
    if not len(moved):
        return
    together = bool((shift[moved] == shift[moved[0]]).all())
    by_um = shift[moved[0]] if together else shift[moved]
    parameters = {"node_ids": ids[moved], "by_um": by_um}
    yield Edit("move_nodes", {**parameters, "downstream": True} if with_subtree and together else parameters)


def _settings(kind: str, parameter: str, ids: IntArray, before: NDArray[Any], after: NDArray[Any]) -> Iterator[Edit]:
    changed = (before != after) & ~(np.isnan(before) & np.isnan(after))
    for value in np.unique(after[changed]):
        yield Edit(kind, {"node_ids": ids[changed & (after == value)], parameter: value})


def _links(now: Neuron, after: Neuron) -> Iterator[Edit]:
    """Nodes that hang elsewhere than the other edits leave them."""
    if np.array_equal(now.ids, after.ids):
        ids, hang_now, hang_then = now.ids, now.parent_ids, after.parent_ids
    else:
        ids = np.intersect1d(now.ids, after.ids)
        hang_now, hang_then = now.parent_ids[now.rows_of(ids)], after.parent_ids[after.rows_of(ids)]
    for i in np.flatnonzero(hang_now != hang_then).tolist():
        if hang_then[i] < 0:
            yield Edit("detach", {"node_id": ids[i]})
        else:
            yield Edit("reparent", {"node_id": ids[i], "parent_id": hang_then[i]})
