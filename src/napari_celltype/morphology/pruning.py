"""Take parts off a neuron: short twigs and spines, or all of one type."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .sections import SOMA, edge_lengths_um

__all__ = ["remove_twigs", "remove_type", "twig_rows"]


def remove_twigs(neuron: Neuron, max_length_um: float = 5.0) -> Neuron:
    """Take off side twigs and spines no longer than a given length.

    A twig reaches from a fork to its farthest tip. Of the branches at a fork the longest always stays, so neurites
    keep their ends; stems at the soma stay.
    """
    return neuron.take(~twig_rows(neuron, max_length_um))


def twig_rows(neuron: Neuron, max_length_um: float) -> NDArray[np.bool_]:
    """Mask of the nodes :func:`remove_twigs` would take off."""
    neuron.require_no_cycle("pruned")
    if not max_length_um >= 0:
        raise RepairError(f"the length of a twig must be zero or above, not {max_length_um}")
    parents = neuron.parents
    reach = _reach_um(neuron)
    at_fork = (
        (parents >= 0) & (neuron.n_children[parents] > 1) & (neuron.types[parents] != SOMA) & (parents[parents] >= 0)
    )
    siblings = np.flatnonzero(at_fork)
    ranked = siblings[np.lexsort((siblings, -reach[siblings], parents[siblings]))]
    longest = np.zeros(len(neuron), dtype=bool)
    longest[ranked[np.diff(parents[ranked], prepend=-1) != 0]] = True
    twig = at_fork & ~longest & (reach <= max_length_um)
    gone: NDArray[np.bool_] = tree.root_path_sum(twig.astype(np.int64), parents) > 0
    return gone


def remove_type(neuron: Neuron, structure_type: int) -> Neuron:
    """Take off all nodes of one type, such as the axon (2), with whatever hangs on them."""
    neuron.require_no_cycle("pruned")
    gone = tree.root_path_sum((neuron.types == structure_type).astype(np.int64), neuron.parents) > 0
    if gone.all():
        raise RepairError(f"nothing would be left without type {structure_type}", path=neuron.path)
    return neuron.take(~gone)


def _reach_um(neuron: Neuron) -> NDArray[np.float64]:
    """Length from each node's parent, through the node, to its farthest tip."""
    with np.errstate(invalid="ignore"):
        length = np.nan_to_num(edge_lengths_um(neuron), nan=0.0, posinf=0.0)
    path = tree.root_path_sum(length, neuron.parents)
    depth = tree.depths(neuron.parents)
    farthest = path.copy()
    by_depth = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[by_depth], np.arange(depth.max(initial=0) + 2))
    for level in range(len(bounds) - 2, 0, -1):
        rows = by_depth[bounds[level] : bounds[level + 1]]
        np.maximum.at(farthest, neuron.parents[rows], farthest[rows])
    return farthest - path + length
