"""Sections: the unbranched stretches of a tree, from a fork, a root or the soma to the next fork or tip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

__all__ = ["SOMA", "Sections", "edge_lengths_um", "roots_of", "split_sections"]

SOMA = 1


@dataclass(frozen=True, eq=False)
class Sections:
    """The sections of one tree.

    Parameters
    ----------
    cut_parents
        Parent row within the same section, -1 at a section's first node.
    head_of_row
        First row of the section each node lies in; a root heads a section of its own.
    heads, ends
        First and last row of each section that has an edge (ordered by head row).
    starts
        Row the section hangs from: the parent of its head.
    section_of_row
        Index into ``heads`` of each row's section, -1 at roots and isolated soma nodes.
    """

    cut_parents: IntArray
    head_of_row: IntArray
    heads: IntArray
    ends: IntArray
    starts: IntArray
    section_of_row: IntArray

    def __len__(self) -> int:
        return len(self.heads)

    @cached_property
    def n_edges(self) -> IntArray:
        """Number of edges of each section."""
        inside = self.section_of_row >= 0
        return np.bincount(self.section_of_row[inside], minlength=len(self))

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of a per-row value over each section's rows."""
        inside = self.section_of_row >= 0
        sums = np.bincount(self.section_of_row[inside], values[inside], minlength=len(self))
        return sums.astype(np.float64, copy=False)


def split_sections(
    parents: IntArray, stop: NDArray[np.bool_] | None = None, keep: NDArray[np.bool_] | None = None
) -> Sections:
    """Split a tree into its sections.

    Parameters
    ----------
    parents
        Parent rows, without cycles.
    stop
        Rows that belong to no section and that sections begin after, such as the soma's.
    keep
        Rows at which a section ends besides the forks and tips.
    """
    parents = np.asarray(parents, dtype=np.int64)
    n = len(parents)
    is_root = parents < 0
    stop = np.zeros(n, dtype=bool) if stop is None else stop
    closes = (tree.child_counts(parents) != 1) | is_root | stop
    if keep is not None:
        closes |= keep
    cut_parents = np.where(is_root | stop | closes[parents], -1, parents)
    head_of_row = roots_of(cut_parents)
    is_head = (cut_parents < 0) & ~is_root & ~stop
    heads = np.flatnonzero(is_head)
    number = np.full(n, -1, dtype=np.int64)
    number[heads] = np.arange(len(heads))
    section_of_row = number[head_of_row]
    below = np.ones(n, dtype=bool)
    below[cut_parents[cut_parents >= 0]] = False
    last = np.flatnonzero(below & (section_of_row >= 0))
    ends = np.empty(len(heads), dtype=np.int64)
    ends[section_of_row[last]] = last
    return Sections(cut_parents, head_of_row, heads, ends, parents[heads], section_of_row)


def roots_of(parents: IntArray) -> IntArray:
    """Row of the root above each node (its own row at a root)."""
    up = np.where(parents < 0, np.arange(len(parents)), parents)
    while True:
        higher = up[up]
        if np.array_equal(higher, up):
            return up
        up = higher


def edge_lengths_um(neuron: Neuron) -> NDArray[np.float64]:
    """Length of the edge from each node to its parent, 0 at a root."""
    step = neuron.xyz_um - neuron.xyz_um[neuron.parents]
    length: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", step, step))
    length[neuron.parents < 0] = 0.0
    return length
