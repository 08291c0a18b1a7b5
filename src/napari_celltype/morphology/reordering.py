"""Change a neuron's root, the order and numbers of its nodes, and the links between its pieces."""

from __future__ import annotations

import numpy as np

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .repair import rows_of_unique
from .sections import SOMA, roots_of

__all__ = ["join_pieces", "renumber", "reroot", "sort_nodes"]

MAX_PIECES = 2000


def reroot(neuron: Neuron, node_id: int) -> Neuron:
    """Make a node the root of its piece, turning round the links between it and the old root."""
    neuron.require_no_cycle("given another root")
    row = int(rows_of_unique(neuron, [node_id])[0])
    return neuron.replace(parents=_rerooted(neuron.parents, row))


def sort_nodes(neuron: Neuron) -> Neuron:
    """Put the nodes in depth-first order, every parent before its children; ids stay."""
    neuron.require_no_cycle("sorted")
    order = tree.preorder(neuron.parents)
    return neuron if np.array_equal(order, np.arange(len(neuron))) else neuron.take(order)


def renumber(neuron: Neuron) -> Neuron:
    """Number the nodes from 1 in the order they stand in."""
    return neuron.replace(ids=np.arange(1, len(neuron) + 1))


def join_pieces(neuron: Neuron, max_gap_um: float | None = None) -> Neuron:
    """Link disconnected pieces to the main one, each by its shortest gap, nearest piece first.

    Parameters
    ----------
    neuron
        The reconstruction. Its main piece is the one with the soma, otherwise the one with most nodes.
    max_gap_um
        Widest gap to close; pieces farther away stay apart. None closes all.
    """
    neuron.require_no_cycle("joined")
    piece = roots_of(neuron.parents)
    n_pieces = len(neuron.roots)
    if n_pieces > MAX_PIECES:
        raise RepairError(
            f"has {n_pieces} pieces, too many to join by their gaps",
            path=neuron.path,
            hint="The file's parents are probably lost; look at how it was exported.",
        )
    parents = neuron.parents.copy()
    for inner, outer in _gaps(neuron, piece, np.inf if max_gap_um is None else max_gap_um):
        parents = _rerooted(parents, outer)
        parents[outer] = inner
    return neuron.replace(parents=parents)


def _gaps(neuron: Neuron, piece: IntArray, max_gap_um: float) -> list[tuple[int, int]]:
    """Pairs of rows to link, as (row already joined, row of the piece joined by it)."""
    from scipy.spatial import cKDTree

    sound = np.isfinite(neuron.xyz_um).all(axis=1)
    apart = np.flatnonzero((piece != _main_piece(neuron, piece)) & sound)
    arriving = np.flatnonzero((piece == _main_piece(neuron, piece)) & sound)
    gap, nearest = np.full(len(neuron), np.inf), np.full(len(neuron), -1)
    pairs: list[tuple[int, int]] = []
    while len(apart) and len(arriving):
        distance, at = map(np.asarray, cKDTree(neuron.xyz_um[arriving]).query(neuron.xyz_um[apart]))
        closer = distance < gap[apart]
        gap[apart[closer]], nearest[apart[closer]] = distance[closer], arriving[at[closer]]
        outer = int(apart[np.argmin(gap[apart])])
        if gap[outer] > max_gap_um:
            break
        pairs.append((int(nearest[outer]), outer))
        arriving, apart = apart[piece[apart] == piece[outer]], apart[piece[apart] != piece[outer]]
    return pairs


def _main_piece(neuron: Neuron, piece: IntArray) -> int:
    soma = piece[neuron.types == SOMA]
    return int(np.bincount(soma if len(soma) else piece).argmax())


def _rerooted(parents: IntArray, row: int) -> IntArray:
    turned = parents.copy()
    above, below = int(parents[row]), row
    turned[row] = -1
    while above >= 0:
        turned[above] = below
        above, below = int(parents[above]), above
    return turned
