"""Put the nodes of a neuron at another spacing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .reordering import renumber, sort_nodes
from .sections import SOMA, Sections, edge_lengths_um, split_sections

__all__ = ["resample"]

MAX_NODES = 5_000_000

FloatArray = NDArray[np.float64]


def resample(
    neuron: Neuron,
    spacing_um: float = 1.0,
    method: Literal["even", "grid"] = "even",
    max_length_loss: float | None = 0.05,
) -> Neuron:
    """Put nodes at a fixed spacing along the neurites.

    Parameters
    ----------
    neuron
        The reconstruction.
    spacing_um
        Distance between nodes, along the neurite.
    method
        ``even`` keeps soma, forks, tips and changes of type where they are and divides each section between them
        evenly, as near to the spacing as it goes. ``grid`` counts the spacing from the root, as the TREES toolbox
        does: forks move to the last node above them, and tips are first drawn out by half a spacing.
    max_length_loss
        Straight steps cut corners, so a neurite gets shorter. Where ``even`` would lose more than this part of a
        section's length, nodes are put closer until it does not; None for no limit.

    Returns
    -------
    Neuron
        Nodes in depth-first order with ids counting from 1. Radii are interpolated.
    """
    _check(neuron, spacing_um)
    if method not in ("even", "grid"):
        raise RepairError(f"there is no resampling method {method!r}", hint="Use even or grid.")
    expected = edge_lengths_um(neuron).sum() / spacing_um
    if expected > MAX_NODES:
        raise RepairError(
            f"a spacing of {spacing_um:g} um would make {expected:.0f} nodes",
            path=neuron.path,
            hint="Choose a wider spacing.",
        )
    placed = _even(neuron, spacing_um, max_length_loss) if method == "even" else _grid(neuron, spacing_um)
    return renumber(sort_nodes(placed))


def _check(neuron: Neuron, spacing_um: float) -> None:
    neuron.require_no_cycle("resampled")
    if not (np.isfinite(spacing_um) and spacing_um > 0):
        raise RepairError(f"the spacing must be above zero, not {spacing_um}")
    if not np.isfinite(neuron.xyz_um).all():
        raise RepairError(
            "a coordinate could not be read, so the neurite's course is unknown there",
            path=neuron.path,
            hint="Delete or move that node first.",
        )


def _even(neuron: Neuron, spacing_um: float, max_loss: float | None) -> Neuron:
    sections = split_sections(neuron.parents, neuron.types == SOMA, _kept_inside(neuron))
    along = tree.root_path_sum(edge_lengths_um(neuron), sections.cut_parents)
    total = along[sections.ends]
    pieces = np.maximum(np.round(total / spacing_um), 1).astype(np.int64)
    pieces[neuron.types[sections.starts] == SOMA] = 1
    course = _Course(neuron, sections, along)
    while True:
        number, place = _places(pieces)
        new = course.at(number, place * (total / pieces)[number])
        if max_loss is None:
            break
        length = _chord_lengths(neuron, sections, number, new.xyz_um(neuron))
        short = (length < (1 - max_loss) * total) & (pieces < sections.n_edges * 64) & (pieces > 0)
        short &= neuron.types[sections.starts] != SOMA
        if not short.any():
            break
        pieces[short] *= 2
    return _assemble(neuron, sections, number, new)


def _kept_inside(neuron: Neuron) -> NDArray[np.bool_]:
    """Rows that stay although they are neither fork nor tip: the first ones off the soma, and changes of type."""
    above = neuron.parents
    first = (above >= 0) & (neuron.types[above] == SOMA)
    keep: NDArray[np.bool_] = first.copy()
    changes = (above >= 0) & (neuron.types != neuron.types[above])
    keep[above[changes]] = True
    return keep


def _places(pieces: IntArray) -> tuple[IntArray, FloatArray]:
    """For each new inner node its section and how many pieces of that section lie before it."""
    inner = pieces - 1
    number = np.repeat(np.arange(len(pieces)), inner)
    first = np.cumsum(inner) - inner
    return number, (np.arange(len(number)) - first[number] + 1).astype(np.float64)


class _Spots:
    """Places on edges: the row below each, and how far between the row's parent (0) and the row (1)."""

    def __init__(self, below: IntArray, fraction: FloatArray) -> None:
        self.below, self.fraction = below, fraction

    def mix(self, values: FloatArray, parents: IntArray) -> FloatArray:
        upper, lower = values[parents[self.below]], values[self.below]
        weight = self.fraction if values.ndim == 1 else self.fraction[:, None]
        mixed: FloatArray = upper + weight * (lower - upper)
        return mixed

    def xyz_um(self, neuron: Neuron) -> FloatArray:
        return self.mix(neuron.xyz_um, neuron.parents)


class _Course:
    """The sections laid end to end on one line, to look up places by length along a section."""

    def __init__(self, neuron: Neuron, sections: Sections, along: FloatArray) -> None:
        rank = tree.depths(sections.cut_parents)
        rows = np.flatnonzero(sections.section_of_row >= 0)
        self.rows = rows[np.lexsort((rank[rows], sections.section_of_row[rows]))]
        self.along = along
        self.length = edge_lengths_um(neuron)
        total = along[sections.ends]
        self.offset = np.cumsum(total) - total
        self.line = np.maximum.accumulate(self.offset[sections.section_of_row[self.rows]] + along[self.rows])
        self.first = np.searchsorted(sections.section_of_row[self.rows], np.arange(len(sections)))
        self.last = self.first + sections.n_edges - 1

    def at(self, number: IntArray, distance: FloatArray) -> _Spots:
        spot = np.searchsorted(self.line, self.offset[number] + distance)
        below = self.rows[np.clip(spot, self.first[number], self.last[number])]
        length = self.length[below]
        before = distance - (self.along[below] - length)
        fraction = np.divide(before, length, out=np.ones_like(before), where=length > 0)
        return _Spots(below, np.clip(fraction, 0.0, 1.0))


def _chord_lengths(neuron: Neuron, sections: Sections, number: IntArray, xyz_um: FloatArray) -> FloatArray:
    """Length of each section through its new nodes."""
    previous, is_first, is_last = _neighbours(number, len(sections))
    start = neuron.xyz_um[sections.starts[number]]
    from_xyz = np.where(is_first[:, None], start, xyz_um[previous])
    steps = np.linalg.norm(xyz_um - from_xyz, axis=1)
    length = np.bincount(number, steps, minlength=len(sections)).astype(np.float64)
    last_xyz = neuron.xyz_um[sections.starts].copy()
    last_xyz[number[is_last]] = xyz_um[is_last]
    final: FloatArray = length + np.linalg.norm(neuron.xyz_um[sections.ends] - last_xyz, axis=1)
    return final


def _neighbours(number: IntArray, n_sections: int) -> tuple[IntArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Index of the new node before each in its section, and whether it is its section's first or last new one."""
    previous = np.arange(len(number)) - 1
    changes = np.diff(number, prepend=-1) != 0
    return np.maximum(previous, 0), changes, np.append(changes[1:], True)[: len(number)]


def _assemble(neuron: Neuron, sections: Sections, number: IntArray, new: _Spots) -> Neuron:
    """The kept nodes followed by the new ones, linked along each section."""
    kept = np.ones(len(neuron), dtype=bool)
    kept[sections.section_of_row >= 0] = False
    kept[sections.ends] = True
    place = np.cumsum(kept) - 1
    n_kept = int(kept.sum())
    previous, is_first, is_last = _neighbours(number, len(sections))
    starts = place[sections.starts]
    parents = np.where(is_first, starts[number], n_kept + previous)
    base = neuron.take(np.flatnonzero(kept))
    links = base.parents.copy()
    links[place[sections.ends]] = starts
    links[place[sections.ends[number[is_last]]]] = n_kept + np.flatnonzero(is_last)
    grown = base.append(
        new.xyz_um(neuron),
        parents,
        types=neuron.types[new.below],
        radii_um=new.mix(neuron.radii_um, neuron.parents),
    )
    return grown.replace(parents=np.concatenate([links, parents]))


def _grid(neuron: Neuron, spacing_um: float) -> Neuron:
    """Nodes at whole multiples of the spacing along the path from the root, each hung on the one before."""
    length = edge_lengths_um(neuron)
    tips = (neuron.n_children == 0) & (neuron.parents >= 0) & (length > 0)
    drawn = length + np.where(tips, spacing_um / 2, 0.0)
    path = tree.root_path_sum(drawn, neuron.parents)
    reached = np.floor(path / spacing_um + 1e-9).astype(np.int64)
    count = np.where(neuron.parents >= 0, reached - reached[neuron.parents], 0)
    below = np.repeat(np.arange(len(neuron)), count)
    ordinal = np.arange(len(below)) - (np.cumsum(count) - count)[below]
    distance = (reached[neuron.parents[below]] + 1 + ordinal) * spacing_um - path[neuron.parents[below]]
    spots = _Spots(below, distance / np.where(length[below] > 0, length[below], 1.0))
    roots = neuron.roots
    last = np.cumsum(count) - 1 + len(roots)
    last[roots] = np.arange(len(roots))
    holder = tree.nearest_ancestor(neuron.parents, (count > 0) | (neuron.parents < 0))
    parents = np.where(ordinal == 0, last[holder[neuron.parents[below]]], np.arange(len(below)) + len(roots) - 1)
    radii = np.maximum(_Spots(below, np.clip(spots.fraction, 0, 1)).mix(neuron.radii_um, neuron.parents), 0.0)
    return neuron.take(roots).append(spots.xyz_um(neuron), parents, types=neuron.types[below], radii_um=radii)
