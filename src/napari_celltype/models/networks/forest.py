"""Many trees side by side, level by level, so that a network climbs them all at once.

A level holds the nodes of all trees that are equally far below their roots. Within a level nodes stand in the order
of their parents, so that a sum over children is a sum over a run of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from napari_celltype import tree

__all__ = ["Forest", "plant", "sum_runs"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees in level order.

    Parameters
    ----------
    rows
        For each row in level order, its place among the trees' nodes laid end to end.
    parents
        Row in level order of each row's parent; -1 at the roots, which are the first rows, one a tree.
    levels
        First row of each level, and the number of rows at the end.
    first_child
        For each row, where its children's run begins; a row without children has an empty run.
    by_tree, tree_starts
        Rows grouped by tree, and where each tree's group begins.
    """

    rows: Tensor
    parents: Tensor
    levels: tuple[int, ...]
    first_child: Tensor
    by_tree: Tensor
    tree_starts: Tensor

    @property
    def n_trees(self) -> int:
        """How many trees."""
        return len(self.tree_starts)

    def to(self, device: torch.device) -> Forest:
        """The same on a device."""
        moved = (t.to(device) for t in (self.rows, self.parents, self.first_child, self.by_tree, self.tree_starts))
        rows, parents, first_child, by_tree, starts = moved
        return Forest(rows, parents, self.levels, first_child, by_tree, starts)


def plant(trees: Sequence[IntArray]) -> Forest:
    """Bring trees, each given as the parent row of every node (-1 at its one root), into level order.

    Raises
    ------
    ValueError
        If a tree is empty, has another number of roots than one, or a cycle.
    """
    sizes = np.array([len(parents) for parents in trees])
    if not len(trees) or not sizes.all():
        raise ValueError("a tree without nodes cannot be judged")
    starts = np.cumsum(sizes) - sizes
    number = np.repeat(np.arange(len(trees)), sizes)
    parents = np.concatenate([np.asarray(p, dtype=np.int64) for p in trees])
    parents = np.where(parents >= 0, parents + starts[number], -1)
    if (np.bincount(number[parents < 0], minlength=len(trees)) != 1).any():
        raise ValueError("every tree needs exactly one root")
    if tree.on_or_under_cycle(parents).any():
        raise ValueError("a tree has a cycle")
    rows, levels = _level_order(parents)
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    above = parents[rows]
    above = np.where(above >= 0, place[above], -1)
    by_tree = np.argsort(number[rows], kind="stable")
    return Forest(
        rows=torch.from_numpy(rows),
        parents=torch.from_numpy(above),
        levels=levels,
        first_child=torch.from_numpy(np.searchsorted(above, np.arange(len(rows)))),
        by_tree=torch.from_numpy(by_tree),
        tree_starts=torch.from_numpy(starts),
    )


def _level_order(parents: IntArray) -> tuple[IntArray, tuple[int, ...]]:
    depth = tree.depths(parents)
    order = np.argsort(depth, kind="stable")
    levels = np.searchsorted(depth[order], np.arange(depth.max() + 2))
    rank = np.empty(len(parents), dtype=np.int64)
    rank[order[: levels[1]]] = np.arange(levels[1])
    for start, stop in pairwise(levels[1:]):
        members = order[start:stop]
        members = members[np.argsort(rank[parents[members]], kind="stable")]
        order[start:stop] = members
        rank[members] = np.arange(start, stop)
    return order, tuple(levels.tolist())


def sum_runs(values: Tensor, starts: Tensor) -> Tensor:
    """Sums of runs of rows, each from its start to the next run's start; zero for an empty run.

    Notes
    -----
    ``embedding_bag`` over the rows in their own order: five times as fast on a CPU as ``index_add``.
    """
    if not len(values):
        return values.new_zeros(len(starts), values.shape[1])
    summed: Tensor = embedding_bag(torch.arange(len(values), device=values.device), values, starts, mode="sum")
    return summed
