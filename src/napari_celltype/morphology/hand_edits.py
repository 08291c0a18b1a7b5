"""Edits a person makes node by node: move, delete, hang elsewhere, detach, insert, retype, resize.

Each is a pure function from neuron to neuron; nodes are named by id. What cannot be done raises RepairError.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .repair import as_written, rows_of_unique
from .sections import roots_of

__all__ = [
    "add_node",
    "delete_node",
    "delete_subtree",
    "detach",
    "insert_node",
    "move_node",
    "move_nodes",
    "move_subtree",
    "reparent",
    "set_radius",
    "set_type",
    "subtree_rows",
]


def move_node(neuron: Neuron, node_id: int, to_um: Sequence[float]) -> Neuron:
    """Put one node somewhere else; its children stay."""
    xyz = neuron.xyz_um.copy()
    xyz[_row(neuron, node_id)] = _point(to_um)
    return neuron.replace(xyz_um=xyz)


def move_subtree(neuron: Neuron, node_id: int, by_um: Sequence[float]) -> Neuron:
    """Shift a node and all that lies downstream of it."""
    xyz = neuron.xyz_um.copy()
    xyz[subtree_rows(neuron, node_id)] += _point(by_um)
    return neuron.replace(xyz_um=xyz)


def move_nodes(
    neuron: Neuron,
    node_ids: Sequence[int],
    by_um: Sequence[float] | Sequence[Sequence[float]],
    downstream: bool = False,
) -> Neuron:
    """Shift nodes, all by one vector or each by its own; if asked, with all downstream of them (one vector only).

    New positions are rounded to the decimals the file is written with: a mouse sets no fifteenth digit.
    """
    rows = _chosen(neuron, node_ids, downstream)
    shift = np.asarray(by_um, dtype=np.float64)
    if shift.shape not in {(3,), (len(rows), 3)} or not np.isfinite(shift).all() or (downstream and shift.ndim > 1):
        raise RepairError("a shift needs three finite numbers, for all nodes or for each", path=neuron.path)
    xyz = neuron.xyz_um.copy()
    for axis in range(3):
        xyz[rows, axis] = as_written(neuron.xyz_um[:, axis], xyz[rows, axis] + shift[..., axis])
    return neuron.replace(xyz_um=xyz)


def add_node(
    neuron: Neuron,
    node_id: int,
    parent_id: int,
    at_um: Sequence[float],
    structure_type: int | None = None,
    radius_um: float | None = None,
) -> Neuron:
    """Add a node at the end of a node (``parent_id`` -1: as a root); type and radius are the parent's unless given."""
    if (neuron.ids == node_id).any():
        raise RepairError(f"there is a node {node_id} already", path=neuron.path)
    parent = -1 if parent_id < 0 else _row(neuron, parent_id)
    return neuron.append(
        _point(at_um)[None],
        [parent],
        types=None if structure_type is None else [structure_type],
        radii_um=None if radius_um is None else [radius_um],
        ids=[node_id],
    )


def delete_node(neuron: Neuron, node_id: int) -> Neuron:
    """Delete one node and hang its children on its parent; the children of a root become roots."""
    row = _row(neuron, node_id)
    parents = np.where(neuron.parents == row, neuron.parents[row], neuron.parents)
    if parents[row] == row:
        parents = np.where(neuron.parents == row, -1, neuron.parents)
    return _keep(neuron.replace(parents=parents), np.arange(len(neuron)) != row)


def delete_subtree(neuron: Neuron, node_id: int) -> Neuron:
    """Delete a node and all that lies downstream of it."""
    keep = np.ones(len(neuron), dtype=bool)
    keep[subtree_rows(neuron, node_id)] = False
    return _keep(neuron, keep)


def reparent(neuron: Neuron, node_id: int, parent_id: int) -> Neuron:
    """Hang a node, with all that lies downstream, on another node; refused if that would close a loop."""
    row, parent = _row(neuron, node_id), _row(neuron, parent_id)
    if parent in subtree_rows(neuron, node_id):
        raise RepairError(
            f"node {node_id} cannot hang on node {parent_id}, which lies downstream of it",
            path=neuron.path,
            hint="Make the other node the root first, or detach it.",
        )
    parents = neuron.parents.copy()
    parents[row] = parent
    return neuron.replace(parents=parents)


def detach(neuron: Neuron, node_id: int) -> Neuron:
    """Take a node off its parent; it becomes the root of a piece of its own. This also opens a cycle."""
    parents = neuron.parents.copy()
    parents[_row(neuron, node_id)] = -1
    return neuron.replace(parents=parents)


def insert_node(neuron: Neuron, node_id: int, fraction: float = 0.5) -> Neuron:
    """Put a new node on the edge from a node's parent to the node, at a fraction of its length from the parent.

    The new node takes the next free id, the node's type, and a radius between the two.
    """
    row = _row(neuron, node_id)
    above = int(neuron.parents[row])
    if above < 0:
        raise RepairError(f"node {node_id} is a root and has no edge to put a node on", path=neuron.path)
    if not 0 < fraction < 1:
        raise RepairError(f"the new node's place must lie between 0 and 1, not at {fraction}", path=neuron.path)
    mixed = [(1 - fraction) * column[above] + fraction * column[row] for column in (neuron.xyz_um, neuron.radii_um)]
    grown = neuron.append(mixed[0][None], [above], types=[int(neuron.types[row])], radii_um=[float(mixed[1])])
    parents = grown.parents.copy()
    parents[row] = len(neuron)
    return grown.replace(parents=parents)


def set_type(neuron: Neuron, node_ids: Sequence[int], structure_type: int, downstream: bool = False) -> Neuron:
    """Give nodes, and if asked all downstream of them, another structure type."""
    types = neuron.types.copy()
    types[_chosen(neuron, node_ids, downstream)] = structure_type
    return neuron.replace(types=types)


def set_radius(neuron: Neuron, node_ids: Sequence[int], radius_um: float, downstream: bool = False) -> Neuron:
    """Give nodes, and if asked all downstream of them, another radius."""
    if not (np.isfinite(radius_um) and radius_um >= 0):
        raise RepairError(f"a radius must be zero or above, not {radius_um}", path=neuron.path)
    radii = neuron.radii_um.copy()
    radii[_chosen(neuron, node_ids, downstream)] = radius_um
    return neuron.replace(radii_um=radii)


def subtree_rows(neuron: Neuron, node_id: int) -> IntArray:
    """Rows of a node and all downstream of it, also where the neuron has a cycle."""
    row = _row(neuron, node_id)
    cut = neuron.parents.copy()
    cut[row] = -1
    looped = tree.on_or_under_cycle(cut)
    cut[looped] = -1
    rows = np.flatnonzero((roots_of(cut) == row) & ~looped)
    return rows


def _chosen(neuron: Neuron, node_ids: Sequence[int], downstream: bool) -> IntArray:
    if not downstream:
        return rows_of_unique(neuron, list(node_ids))
    parts = [subtree_rows(neuron, node_id) for node_id in node_ids]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _keep(neuron: Neuron, keep: np.ndarray) -> Neuron:
    if not keep.any():
        raise RepairError("the last node cannot be deleted", path=neuron.path)
    return neuron.take(keep)


def _row(neuron: Neuron, node_id: int) -> int:
    return int(rows_of_unique(neuron, [node_id])[0])


def _point(xyz_um: Sequence[float]) -> np.ndarray:
    point = np.asarray(xyz_um, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise RepairError(f"a position needs three finite numbers, not {list(xyz_um)}")
    return point
