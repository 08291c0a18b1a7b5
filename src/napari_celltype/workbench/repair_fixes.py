"""What could be done about a defect: proposals with a name, applied only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_celltype.errors import RepairError
from napari_celltype.morphology.edits import Edit
from napari_celltype.morphology.hand_edits import subtree_rows
from napari_celltype.neuron import Defect, Neuron

__all__ = ["Fix", "propose_fix"]

_AT_MOST = 200


@dataclass(frozen=True)
class Fix:
    """A proposal: what it would do, in words, and the edits that do it."""

    label: str
    edits: tuple[Edit, ...]


def propose_fix(neuron: Neuron, defect: Defect) -> Fix | None:
    """The fix that suggests itself for a defect of a neuron as it is now; None where a person must think."""
    propose = _PROPOSALS.get(defect.code)
    try:
        return propose(neuron, defect) if propose is not None else None
    except (KeyError, RepairError):  # the defect's nodes are gone, or cannot be told apart
        return None


def _cut(neuron: Neuron, defect: Defect) -> Fix:
    """Of a loop, the link with the longest way is the one most likely wrong."""
    rows = neuron.rows_of(list(defect.node_ids))
    with np.errstate(invalid="ignore"):
        length = np.linalg.norm(neuron.xyz_um[rows] - neuron.xyz_um[neuron.parents[rows]], axis=1)
    node_id = int(neuron.ids[rows[int(np.nan_to_num(length).argmax())]])
    return Fix(f"Detach node {node_id} from its parent", (Edit("detach", {"node_id": node_id}),))


def _hang_on_nearest(neuron: Neuron, defect: Defect) -> Fix | None:
    node_id = int(defect.node_ids[0])
    row = int(neuron.rows_of(node_id)[0])
    if neuron.parents[row] >= 0 or neuron.has_cycle:
        return None
    with np.errstate(invalid="ignore"):
        away = np.linalg.norm(neuron.xyz_um - neuron.xyz_um[row], axis=1)
    away[subtree_rows(neuron, node_id)] = np.inf
    nearest = int(np.nan_to_num(away, nan=np.inf).argmin())
    if not np.isfinite(away[nearest]):
        return None
    parent_id = int(neuron.ids[nearest])
    return Fix(
        f"Hang node {node_id} on the nearest node {parent_id}, {away[nearest]:.1f} µm away",
        (Edit("reparent", {"node_id": node_id, "parent_id": parent_id}),),
    )


def _renumber(neuron: Neuron, defect: Defect) -> Fix:
    return Fix("Number all nodes anew from 1", (Edit("renumber"),))


def _sort(neuron: Neuron, defect: Defect) -> Fix | None:
    return None if neuron.has_cycle else Fix("Sort the nodes, parents first", (Edit("sort_nodes"),))


def _radius_of_parent(neuron: Neuron, defect: Defect) -> Fix:
    return Fix(
        f"Give {_count(defect)} the radius of the parent",
        tuple(_radius_edits(neuron, list(defect.node_ids)[:_AT_MOST])),
    )


def _radius_edits(neuron: Neuron, node_ids: list[int]) -> Iterator[Edit]:
    sound = neuron.radii_um > 0
    middle = float(np.median(neuron.radii_um[sound])) if sound.any() else 0.5
    rows = neuron.rows_of(node_ids)
    above = neuron.parents[rows]
    radii = np.where((above >= 0) & sound[above], neuron.radii_um[above], middle)
    for radius in np.unique(radii):
        chosen = neuron.ids[rows[radii == radius]]
        yield Edit("set_radius", {"node_ids": chosen, "radius_um": float(radius)})


def _delete(neuron: Neuron, defect: Defect) -> Fix | None:
    node_ids = list(defect.node_ids)[:_AT_MOST]
    if len(neuron) <= len(node_ids):
        return None
    return Fix(
        f"Delete {_count(defect)}; what hangs on it stays", tuple(Edit("delete_node", {"node_id": i}) for i in node_ids)
    )


def _reroot(neuron: Neuron, defect: Defect) -> Fix | None:
    node_id = int(defect.node_ids[0])
    return None if neuron.has_cycle else Fix(f"Make node {node_id} the root", (Edit("reroot", {"node_id": node_id}),))


def _count(defect: Defect) -> str:
    n = min(len(defect.node_ids), _AT_MOST)
    return f"node {defect.node_ids[0]}" if n == 1 else f"{n} nodes"


_PROPOSALS: dict[str, Callable[[Neuron, Defect], Fix | None]] = {
    "cycle": _cut,
    "self-parent": _cut,
    "missing-parent": _hang_on_nearest,
    "duplicate-id": _renumber,
    "negative-id": _renumber,
    "child-before-parent": _sort,
    "zero-radius": _radius_of_parent,
    "negative-radius": _radius_of_parent,
    "zero-length-segment": _delete,
    "nan": _delete,
    "inf": _delete,
    "soma-under-neurite": _reroot,
}
