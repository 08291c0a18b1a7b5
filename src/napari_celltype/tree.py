"""Arithmetic on trees given as parent rows: no node objects, no recursion, no loop over nodes.

A tree (or forest) of ``n`` nodes is an integer array ``parents`` with ``parents[i]`` the row of node ``i``'s
parent and -1 at a root. Rows may stand in any order. Rows on a cycle, or hanging from one, reach no root; they
are reported by :func:`on_or_under_cycle`, and the other functions require that there are none.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "IntArray",
    "child_counts",
    "children_table",
    "depths",
    "nearest_ancestor",
    "on_cycle",
    "on_or_under_cycle",
    "preorder",
    "root_path_sum",
    "subtree_sizes",
    "subtree_sum",
    "topological_order",
]

IntArray = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)


def _padded(parents: IntArray) -> IntArray:
    """Parents with a sentinel row at the end that stands above every root and is its own parent."""
    n = len(parents)
    padded = np.append(np.asarray(parents, dtype=np.int64), n)
    padded[:-1][padded[:-1] < 0] = n
    return padded


def root_path_sum(values: NDArray[Number], parents: IntArray) -> NDArray[Number]:
    """Sum of ``values`` over each node and all its ancestors.

    Notes
    -----
    Pointer doubling: after k rounds every node holds the sum over its 2^k nearest ancestors, so a tree of depth d
    takes log2(d) rounds of one gather each, whatever its shape and numbering.
    """
    jump = _padded(parents)
    n = len(parents)
    values = np.asarray(values)
    total = np.zeros((n + 1, *values.shape[1:]), dtype=values.dtype)
    total[:n] = values
    for _ in range(_rounds(n)):
        if (jump == n).all():
            break
        total = total + total[jump]
        jump = jump[jump]
    return total[:n]


def depths(parents: IntArray) -> IntArray:
    """Number of ancestors of each node (0 at a root)."""
    return root_path_sum(np.ones(len(parents), dtype=np.int64), parents) - 1


def nearest_ancestor(parents: IntArray, wanted: NDArray[np.bool_]) -> IntArray:
    """Row of each node's nearest ancestor, itself included, that is ``wanted``; -1 where there is none."""
    n = len(parents)
    rows = np.arange(n + 1)
    stop = np.append(np.asarray(wanted, dtype=bool), True)
    jump = np.where(stop, rows, _padded(parents))
    for _ in range(_rounds(n)):
        if stop[jump].all():
            break
        jump = jump[jump]
    return np.where(stop[jump[:n]] & (jump[:n] < n), jump[:n], -1)


def on_or_under_cycle(parents: IntArray) -> NDArray[np.bool_]:
    """True for the nodes from which no root can be reached."""
    jump = _padded(parents)
    n = len(parents)
    for _ in range(_rounds(n)):
        if (jump == n).all():
            break
        jump = jump[jump]
    return jump[:n] != n


def on_cycle(parents: IntArray) -> NDArray[np.bool_]:
    """True for the nodes that are their own ancestor."""
    suspects = on_or_under_cycle(parents)
    if not suspects.any():
        return suspects
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n = len(parents)
    rows = np.flatnonzero(suspects)
    graph = csr_array((np.ones(len(rows), dtype=np.int8), (rows, np.asarray(parents)[rows])), shape=(n, n))
    _, label = connected_components(graph, directed=True, connection="strong")
    in_loop = np.bincount(label)[label] > 1
    return in_loop | (np.asarray(parents) == np.arange(n))


def topological_order(parents: IntArray) -> IntArray:
    """Rows in an order where every parent comes before its children; the given order if it already does."""
    rows = np.arange(len(parents))
    return rows if bool((parents < rows).all()) else np.argsort(depths(parents), kind="stable")


def child_counts(parents: IntArray) -> IntArray:
    """Number of children of each node."""
    return np.bincount(parents[parents >= 0], minlength=len(parents))


def children_table(parents: IntArray) -> tuple[IntArray, IntArray]:
    """All children, grouped by parent: those of row ``i`` are ``children[start[i]:start[i + 1]]``.

    The last group, ``children[start[n]:]``, holds the roots.
    """
    padded = _padded(parents)[:-1]
    children = np.argsort(padded, kind="stable")
    start = np.searchsorted(padded[children], np.arange(len(parents) + 2))
    return children, start


def preorder(parents: IntArray) -> IntArray:
    """Rows in depth-first order, so that each subtree is one contiguous stretch.

    Notes
    -----
    The walk is done on "first child, next sibling" links: the same order, at most two links a node. The compiled
    walk takes time quadratic in the number of children otherwise, and files of 50,000 loose points exist.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import depth_first_order

    n = len(parents)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    children, start = children_table(parents)
    has_child = start[1:] > start[:-1]
    links = np.full((n + 1, 2), -1, dtype=np.int64)
    links[has_child, 0] = children[start[:-1][has_child]]
    siblings = np.flatnonzero(np.diff(_padded(parents)[:-1][children]) == 0)
    links[children[siblings], 1] = children[siblings + 1]
    used = links >= 0
    pointer = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    graph = csr_array((np.ones(pointer[-1]), links[used], pointer), shape=(n + 1, n + 1))
    walk: IntArray = depth_first_order(graph, n, directed=True, return_predecessors=False)[1:].astype(np.int64)
    return walk


def subtree_sizes(parents: IntArray, order: IntArray | None = None) -> IntArray:
    """Number of nodes in the subtree of each node, itself included.

    Notes
    -----
    For any depth-first walk, (place when left) - (place when entered) = size - 1 - depth. The order of leaving is
    the reverse of a walk that visits children in the opposite order, so two walks give every size at once.
    """
    n = len(parents)
    entered = _ranks(preorder(parents) if order is None else order)
    mirrored = np.asarray(parents)[::-1]
    mirrored = np.where(mirrored >= 0, n - 1 - mirrored, -1)
    left = (n - 1 - _ranks(preorder(mirrored)))[::-1]
    sizes: IntArray = left - entered + depths(parents) + 1
    return sizes


def subtree_sum(values: NDArray[np.float64], parents: IntArray) -> NDArray[np.float64]:
    """Sum of ``values`` over the subtree of each node, itself included."""
    order = preorder(parents)
    begin = _ranks(order)
    end = begin + subtree_sizes(parents, order)
    values = np.asarray(values)
    running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values[order], axis=0)])
    total: NDArray[np.float64] = running[end] - running[begin]
    return total


def _ranks(order: IntArray) -> IntArray:
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _rounds(n: int) -> int:
    return int(n).bit_length() + 1
