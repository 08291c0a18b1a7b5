"""Find z-jumps: single steps along a neurite that leave the focal plane far more steeply than neurites do.

A jump arises where a tracer lost the depth, where sections were stacked wrongly, or where the stage slipped: from
one node to the next z changes by tens of micrometres while x and y hardly change, and all that lies downstream is
displaced with it. A threshold on the step alone also catches oblique dendrites of coarsely sampled files, so a
jump must be both tall and steep.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .sections import SOMA, edge_lengths_um

__all__ = [
    "MIN_DZ_UM",
    "MIN_SLOPE",
    "ExcludedStep",
    "ZJump",
    "ZSteps",
    "find_excluded_steps",
    "find_z_jumps",
    "measure_z_steps",
    "z_quantum_um",
]

MIN_DZ_UM = 10.0
MIN_SLOPE = 3.0

_BESIDE = 8
_STEEP = math.sqrt(0.5)

_REASONS = {
    1: "joins the soma: the first point of a neurite lies on the soma's surface, at any height",
    2: "a coordinate could not be read",
    3: "lies on or under a cycle of parents",
}


@dataclass(frozen=True)
class ZJump:
    """One step from a node to its parent that may be a z-jump.

    Parameters
    ----------
    node_id, parent_id
        The two ends, ``node_id`` the one away from the root.
    dz_um
        z of the node minus z of its parent.
    slope
        ``|dz|`` over the step's length in the xy plane; infinite for a vertical step.
    n_downstream, length_downstream_um
        Nodes that would move with a correction, the node itself included, and the neurite length between them.
    steep_beside
        Whether the neurite runs steeply the same way just before or after the step: then it may well be a genuine
        vertical stretch with few nodes, and deserves a look before it is repaired.
    """

    node_id: int
    parent_id: int
    dz_um: float
    slope: float
    n_downstream: int
    length_downstream_um: float = 0.0
    steep_beside: bool = False

    def to_json(self) -> dict[str, Any]:
        """The values as JSON can hold them; a vertical step's slope is null."""
        return {
            "node_id": self.node_id,
            "parent_id": self.parent_id,
            "dz_um": self.dz_um,
            "slope": self.slope if math.isfinite(self.slope) else None,
            "n_downstream": self.n_downstream,
            "length_downstream_um": self.length_downstream_um,
            "steep_beside": self.steep_beside,
        }


@dataclass(frozen=True)
class ExcludedStep:
    """A step over both thresholds that is not called a jump, and why."""

    jump: ZJump
    reason: str


@dataclass(frozen=True, eq=False)
class ZSteps:
    """Height and slope of every step of a neuron, measured once so that thresholds can follow a slider.

    All arrays run over the steps, tallest first (equal ones by how much lies downstream).

    Parameters
    ----------
    rows
        Row of each step's lower end; the other end is its parent.
    dz_um, slope
        As in :class:`ZJump`.
    n_downstream, length_downstream_um
        As in :class:`ZJump`.
    excluded
        0 where the step may be a jump, otherwise why not.
    quantum_um
        The file's own z-step, 0 where it has none; see :func:`z_quantum_um`.
    """

    neuron: Neuron
    rows: IntArray
    dz_um: NDArray[np.float64]
    slope: NDArray[np.float64]
    n_downstream: IntArray
    length_downstream_um: NDArray[np.float64]
    excluded: NDArray[np.int8]
    quantum_um: float

    @cached_property
    def _falling(self) -> NDArray[np.float64]:
        return -np.abs(self.dz_um)

    def _over(self, min_dz_um: float, min_slope: float) -> IntArray:
        floor = max(min_dz_um, 1.5 * self.quantum_um)
        tall = int(np.searchsorted(self._falling, -floor, side="right"))
        return np.flatnonzero(self.slope[:tall] >= min_slope)

    def select(self, min_dz_um: float = MIN_DZ_UM, min_slope: float = MIN_SLOPE) -> IntArray:
        """Positions, in these arrays, of the jumps over both thresholds, worst first. Takes microseconds."""
        over = self._over(min_dz_um, min_slope)
        return over[self.excluded[over] == 0]

    def jump(self, position: int) -> ZJump:
        """The step at one position as a value."""
        return self.jumps([position])[0]

    def jumps(self, positions: Iterable[int]) -> list[ZJump]:
        """The steps at some positions as values; each is made once, however often a list is asked for."""
        at = [int(position) for position in positions]
        new = np.array([position for position in at if position not in self._made], dtype=np.int64)
        for position, steep in zip(new.tolist(), self.steep_beside(new).tolist(), strict=True):
            self._made[position] = self._jump(position, steep)
        return [self._made[position] for position in at]

    @cached_property
    def _made(self) -> dict[int, ZJump]:
        return {}

    def steep_beside(self, positions: IntArray) -> NDArray[np.bool_]:
        """Whether the neurite runs steeply the same way just before or after each step.

        Told from the up to eight steps on either side: the half of them must rise by more than 45 degrees. A side
        that ends at once, at a root or tip, says nothing.
        """
        rows = self.rows[positions]
        way = np.sign(self.dz_um[positions])
        before = self._course(self.neuron.parents[rows], self.neuron.parents, upward=True)
        after = self._course(rows, self._main_child, upward=False)
        return (way * before > _STEEP) | (way * after > _STEEP)

    def _course(self, rows: IntArray, onward: IntArray, *, upward: bool) -> NDArray[np.float64]:
        """Median sine of the elevation over the next few steps, 0 where there are fewer than three."""
        sines = np.full((_BESIDE, len(rows)), np.nan)
        here = rows
        for count in range(_BESIDE):
            there = np.where(here >= 0, onward[here], -1)
            lower = here if upward else there
            fine = there >= 0
            sines[count, fine] = self._sine[lower[fine]]
            here = there
        known = np.isfinite(sines).sum(axis=0)
        median = np.nanmedian(np.where(known < 3, 0.0, sines), axis=0) if len(rows) else np.empty(0)
        return median

    @cached_property
    def _sine(self) -> NDArray[np.float64]:
        """Rise over length of the step from each node's parent to the node; NaN where it has no length."""
        with np.errstate(invalid="ignore", divide="ignore"):
            length = edge_lengths_um(self.neuron)
            rise = self.neuron.xyz_um[:, 2] - self.neuron.xyz_um[self.neuron.parents, 2]
            return np.where(length > 0, rise / length, np.nan)

    @cached_property
    def _main_child(self) -> IntArray:
        """Row of the child with most nodes downstream, -1 at a tip."""
        by_size = np.argsort(self.n_downstream, kind="stable")
        child = np.full(len(self.neuron), -1, dtype=np.int64)
        child[self.neuron.parents[self.rows[by_size]]] = self.rows[by_size]
        return child

    def _jump(self, position: int, steep_beside: bool) -> ZJump:
        row = int(self.rows[position])
        return ZJump(
            node_id=int(self.neuron.ids[row]),
            parent_id=int(self.neuron.ids[self.neuron.parents[row]]),
            dz_um=float(self.dz_um[position]),
            slope=float(self.slope[position]),
            n_downstream=int(self.n_downstream[position]),
            length_downstream_um=float(self.length_downstream_um[position]),
            steep_beside=steep_beside,
        )

    def excluded_steps(self, min_dz_um: float = MIN_DZ_UM, min_slope: float = MIN_SLOPE) -> list[ExcludedStep]:
        """The steps over both thresholds that are not called jumps, with the reason."""
        over = self._over(min_dz_um, min_slope)
        barred = over[self.excluded[over] != 0]
        reasons = [_REASONS[int(code)] for code in self.excluded[barred]]
        return [ExcludedStep(jump, reason) for jump, reason in zip(self.jumps(barred), reasons, strict=True)]


def find_z_jumps(neuron: Neuron, min_dz_um: float = MIN_DZ_UM, min_slope: float = MIN_SLOPE) -> list[ZJump]:
    """Find the z-jumps of a reconstruction, worst first.

    Parameters
    ----------
    neuron
        The reconstruction. It is not changed.
    min_dz_um
        Smallest height of a jump.
    min_slope
        Smallest slope of a jump: height over length in the xy plane.

    Returns
    -------
    list of ZJump
        Tallest first; equally tall ones by the number of nodes downstream.

    Notes
    -----
    Steps to or from the soma are left out, see :func:`find_excluded_steps`. In a file whose z comes in steps of its
    own (a section's thickness, say) a jump must exceed one such step, whatever ``min_dz_um`` says.
    """
    steps = measure_z_steps(neuron)
    return steps.jumps(steps.select(min_dz_um, min_slope))


def find_excluded_steps(
    neuron: Neuron, min_dz_um: float = MIN_DZ_UM, min_slope: float = MIN_SLOPE
) -> list[ExcludedStep]:
    """Steps over both thresholds that :func:`find_z_jumps` leaves out, with the reason."""
    return measure_z_steps(neuron).excluded_steps(min_dz_um, min_slope)


def measure_z_steps(neuron: Neuron) -> ZSteps:
    """Measure every step of a neuron once; the result answers any pair of thresholds at once."""
    looped: NDArray[np.bool_] = tree.on_or_under_cycle(neuron.parents)
    parents = np.where(looped, -1, neuron.parents) if looped.any() else neuron.parents
    rows = np.flatnonzero(neuron.parents >= 0)
    with np.errstate(invalid="ignore"):
        step = neuron.xyz_um[rows] - neuron.xyz_um[neuron.parents[rows]]
    missing = ~np.all(np.isfinite(step), axis=1)
    step[missing] = 0.0
    dz, dxy = step[:, 2], np.hypot(step[:, 0], step[:, 1])
    size = tree.subtree_sizes(parents)
    length = _downstream_length(neuron, parents)
    rank = np.lexsort((rows, -size[rows], -np.abs(dz)))
    rows, dz, dxy, missing = rows[rank], dz[rank], dxy[rank], missing[rank]
    return ZSteps(
        neuron=neuron,
        rows=rows,
        dz_um=dz,
        slope=_slope(dz, dxy),
        n_downstream=size[rows],
        length_downstream_um=length[rows],
        excluded=_exclusions(neuron, rows, missing, looped),
        quantum_um=z_quantum_um(dz),
    )


def _slope(dz: NDArray[np.float64], dxy: NDArray[np.float64]) -> NDArray[np.float64]:
    slope = np.where(dz == 0, 0.0, np.inf)
    flat = dxy > 0
    slope[flat] = np.abs(dz[flat]) / np.maximum(dxy[flat], np.finfo(float).tiny * 1e20)
    return slope


def _downstream_length(neuron: Neuron, parents: IntArray) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        length = edge_lengths_um(neuron)
    length[(parents < 0) | ~np.isfinite(length)] = 0.0
    below: NDArray[np.float64] = np.maximum(tree.subtree_sum(length, parents) - length, 0.0)
    return below


def _exclusions(
    neuron: Neuron, rows: IntArray, missing: NDArray[np.bool_], looped: NDArray[np.bool_]
) -> NDArray[np.int8]:
    soma = neuron.types == SOMA
    code = np.zeros(len(rows), dtype=np.int8)
    code[soma[rows] | soma[neuron.parents[rows]]] = 1
    code[missing] = 2
    code[looped[rows]] = 3
    return code


def z_quantum_um(dz_um: NDArray[np.float64]) -> float:
    """The step z moves by in a file whose depth was read off in coarse steps; 0 where there is no such step.

    Notes
    -----
    Sought as the value of which nearly all steps that are not flat are whole multiples. A handful of equal steps in
    a flat file are jumps, not a resolution: twenty steps over at least five different heights are asked for.
    """
    height = np.abs(dz_um)
    height = height[height > 1e-6]
    if len(height) < 20:
        return 0.0
    quantum = float(np.quantile(height, 0.05, method="lower"))
    multiple = height / quantum
    off = np.abs(multiple - np.round(multiple))
    reached = len(np.unique(np.round(multiple)))
    is_grid = np.mean(off < 0.02 * np.maximum(multiple, 1)) >= 0.98
    return quantum if is_grid and reached >= 3 else 0.0
