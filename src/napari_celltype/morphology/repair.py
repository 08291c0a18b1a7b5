"""Repair z-jumps: every accepted jump at once, in one pass over the arrays, in any order with the same result.

The height of each jump is measured on the neuron given, before anything moves, so the outcome does not depend on
the order of the jumps. The four ways to mend one:

``align``
    Shift the node and all that lies downstream until the step is flat.
``split``
    Spread the jump evenly over its section; the section's two ends, and all beyond, stay where they are.
``tilt``
    Flatten the step and let the shift fade to nothing along the neurite up to the next fork or tip.
``cut``
    Take the node off its parent; nothing moves, the piece becomes a tree of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .sections import split_sections
from .zjumps import ZJump, find_z_jumps

__all__ = ["MODES", "RepairMode", "jump_modes", "repair_z_jumps", "repaired_columns", "zcorr"]

RepairMode = Literal["align", "split", "tilt", "cut"]
MODES: tuple[RepairMode, ...] = get_args(RepairMode)

Jumps = Iterable[ZJump | int]
Modes = str | Mapping[int, str]


def repair_z_jumps(neuron: Neuron, jumps: Jumps | None = None, mode: Modes = "align") -> Neuron:
    """Mend z-jumps and return the repaired neuron; the one given is not changed.

    Parameters
    ----------
    neuron
        The reconstruction. It must have no cycle of parents.
    jumps
        The jumps to mend, as :class:`ZJump` or node ids; those of :func:`find_z_jumps` by default.
    mode
        One way for all (``align``, ``split``, ``tilt``, ``cut``), or a mapping from node id to way, in which nodes
        not named are aligned.

    Raises
    ------
    RepairError
        If a node is unknown, ambiguous or a root, a way is unknown, or the neuron has a cycle.
    """
    rows, ways = jump_modes(neuron, jumps, mode)
    z_um, parents = repaired_columns(neuron, rows, ways)
    return with_columns(neuron, z_um, parents)


def zcorr(neuron: Neuron, threshold_um: float = 5.0) -> Neuron:
    """Flatten every step taller than a threshold, as ``zcorr_tree`` of the TREES toolbox does.

    Every node whose z differs by more than ``threshold_um`` from its parent's is brought to its parent's height, with
    its whole subtree. Heights are measured once, on the neuron given. Oblique dendrites are flattened like jumps, and
    so are the steps off the soma: for a repair that asks first use :func:`find_z_jumps`.
    """
    _refuse_cycles(neuron)
    dz = _heights(neuron)
    rows = np.flatnonzero(np.abs(dz) > threshold_um)
    return with_columns(neuron, *repaired_columns(neuron, rows, np.zeros(len(rows), dtype=np.int8)))


def jump_modes(neuron: Neuron, jumps: Jumps | None, mode: Modes) -> tuple[IntArray, NDArray[np.int8]]:
    """Rows to repair and the way to repair each, as its place in MODES; RepairError where that cannot be done."""
    _refuse_cycles(neuron)
    chosen = find_z_jumps(neuron) if jumps is None else list(jumps)
    node_ids = np.unique(np.array([j.node_id if isinstance(j, ZJump) else j for j in chosen], dtype=np.int64))
    rows = rows_of_unique(neuron, node_ids)
    roots = np.flatnonzero(neuron.parents[rows] < 0)
    if roots.size:
        raise RepairError(f"node {node_ids[roots[0]]} is a root and has no step to mend", path=neuron.path)
    unread = np.flatnonzero(~np.isfinite(_heights(neuron)[rows]))
    if unread.size:
        raise RepairError(
            f"the height of the step at node {node_ids[unread[0]]} is unknown because a coordinate could not be read",
            path=neuron.path,
        )
    if isinstance(mode, str):
        return rows, np.full(len(rows), _way(mode), dtype=np.int8)
    return rows, np.array([_way(mode.get(int(node_id), "align")) for node_id in node_ids], dtype=np.int8)


def rows_of_unique(neuron: Neuron, node_ids: Sequence[int] | IntArray) -> IntArray:
    """Row of each node id; RepairError where there is none or more than one."""
    wanted = np.asarray(node_ids, dtype=np.int64)
    ids, by_id = neuron.ids, None
    if not bool((ids[1:] > ids[:-1]).all()):  # mostly they ascend
        by_id = np.argsort(ids, kind="stable")
        ids = ids[by_id]
    first, beyond = np.searchsorted(ids, wanted), np.searchsorted(ids, wanted, side="right")
    if (first == beyond).any():
        raise RepairError(
            f"no node has id {int(wanted[first == beyond][0])}",
            path=neuron.path,
            hint="Find the jumps again on this neuron, then repair.",
        )
    if (beyond - first > 1).any():
        raise RepairError(
            f"id {int(wanted[beyond - first > 1][0])} stands for more than one node",
            path=neuron.path,
            hint="Renumber the nodes first.",
        )
    return first if by_id is None else by_id[first]


def repaired_columns(neuron: Neuron, rows: IntArray, ways: NDArray[np.int8]) -> tuple[NDArray[np.float64], IntArray]:
    """Heights and parents after a repair; the arrays given back are the neuron's own where nothing changed.

    ``ways`` says for each row how, as a place in :data:`MODES`.
    """
    dz = _heights(neuron)
    shift = np.zeros(len(neuron))
    for way, spread in enumerate((_align_shift, _split_shift, _tilt_shift)):
        chosen = rows[ways == way]
        if chosen.size:
            jump = np.zeros(len(neuron))
            jump[chosen] = dz[chosen]
            shift += spread(neuron, jump)
    moved = shift != 0
    z_um = neuron.xyz_um[:, 2]
    if moved.any():
        z_um = np.where(moved, as_written(z_um, z_um + shift), z_um)
    cut = rows[ways == MODES.index("cut")]
    parents = neuron.parents
    if cut.size:
        parents = parents.copy()
        parents[cut] = -1
    return z_um, parents


def with_columns(neuron: Neuron, z_um: NDArray[np.float64], parents: IntArray) -> Neuron:
    """The neuron with other heights and parents."""
    xyz = neuron.xyz_um
    if z_um.base is not xyz and not np.array_equal(z_um, xyz[:, 2], equal_nan=True):
        xyz = np.column_stack([xyz[:, :2], z_um])
    return neuron.replace(xyz_um=xyz, parents=parents)


def _align_shift(neuron: Neuron, jump: NDArray[np.float64]) -> NDArray[np.float64]:
    return -tree.root_path_sum(jump, neuron.parents)


def _split_shift(neuron: Neuron, jump: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take each jump out where it is and give it back in proportion to the length along its section."""
    sections = split_sections(neuron.parents)
    if not len(sections):
        return np.zeros(len(neuron))
    along = tree.root_path_sum(_flat_lengths(neuron), sections.cut_parents)
    taken = tree.root_path_sum(jump, sections.cut_parents)
    inside = sections.section_of_row >= 0
    end = sections.ends[sections.section_of_row]
    shift = np.where(inside, taken[end] * along / along[end] - taken, 0.0)
    shift[sections.ends] = 0.0
    return shift


def _tilt_shift(neuron: Neuron, jump: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take each jump out and let the shift fade linearly along the section; from a fork, along all its branches."""
    sections = split_sections(neuron.parents)
    if not len(sections):
        return np.zeros(len(neuron))
    along = tree.root_path_sum(_flat_lengths(neuron), sections.cut_parents)
    end = sections.ends[sections.section_of_row]
    chosen = np.flatnonzero(jump)
    at_end = chosen[end[chosen] == chosen]
    within = chosen[end[chosen] != chosen]
    # within its section, a jump of height h at place a moves a node at place s by -(h + rate * a) + rate * s
    offset, rate = np.zeros(len(neuron)), np.zeros(len(neuron))
    rate[within] = jump[within] / (along[end[within]] - along[within])
    offset[within] = jump[within] + rate[within] * along[within]
    # a jump at a fork enters each branch at its beginning, with the branch's whole length to fade over
    entering = np.zeros(len(neuron))
    entering[at_end] = jump[at_end]
    height = entering[sections.starts]
    rate[sections.heads] += height / along[sections.ends]
    offset[sections.heads] += height
    fading = tree.root_path_sum(rate, sections.cut_parents) * along
    shift = fading - tree.root_path_sum(offset, sections.cut_parents)
    shift[sections.ends] = 0.0
    shift[at_end] -= jump[at_end]
    return shift


def _flat_lengths(neuron: Neuron) -> NDArray[np.float64]:
    """Length of each step in the plane, never quite nothing, so that a vertical run is shared out by nodes."""
    with np.errstate(invalid="ignore"):
        step = neuron.xyz_um[:, :2] - neuron.xyz_um[neuron.parents, :2]
    length = np.hypot(step[:, 0], step[:, 1]) + 1e-6
    length[~np.isfinite(length)] = 1e-6
    return length


def _heights(neuron: Neuron) -> NDArray[np.float64]:
    z = neuron.xyz_um[:, 2]
    with np.errstate(invalid="ignore"):
        dz = z - z[neuron.parents]
    dz[neuron.parents < 0] = 0.0
    return dz


def as_written(given: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to the decimals a column is given with, so that sums of its numbers carry no binary dust."""
    given = given[np.isfinite(given)]
    few = given[:32]  # most columns that will not do show it at once
    for decimals in range(3, 10):
        if np.array_equal(np.round(few, decimals), few) and np.array_equal(np.round(given, decimals), given):
            return np.round(values, decimals)
    return values


def _way(mode: str) -> int:
    for way, name in enumerate(MODES):
        if mode == name:
            return way
    raise RepairError(f"there is no repair mode {mode!r}", hint=f"Use one of {', '.join(MODES)}.")


def _refuse_cycles(neuron: Neuron) -> None:
    if neuron.has_cycle:
        raise RepairError(
            "some nodes are their own ancestors (a cycle of parents)",
            path=neuron.path,
            hint="Cut the cycle before repairing z-jumps.",
        )
