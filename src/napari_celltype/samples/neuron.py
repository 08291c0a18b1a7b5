"""The sample neuron: a pyramidal cell grown by a rule, clean or with three z-jumps and two other defects."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.neuron import Neuron
from napari_celltype.recording import FloatArray

__all__ = ["JumpTruth", "NeuronTruth", "grow_pyramidal", "sample_neuron", "sample_neuron_swc", "sample_neuron_truth"]

_SOMA_RADIUS_UM = 8.5
_STEP_UM = 3.0
_Z_STEP_UM = 0.5
_SHRINKAGE = 0.6
"""Depth left of a slice once it is fixed and mounted."""


@dataclass(frozen=True)
class JumpTruth:
    """A z-jump that was put in: the node and all below it were shifted by ``dz_um``."""

    node_id: int
    parent_id: int
    dz_um: float
    at_fork: bool


@dataclass(frozen=True, eq=False)
class NeuronTruth:
    """What is wrong with the sample neuron, because we did it, and the neuron before."""

    jumps: tuple[JumpTruth, ...]
    orphan_id: int
    missing_id: int
    zero_radius_id: int
    clean: Neuron = field(repr=False)


def sample_neuron(seed: int = 0, *, damaged: bool = True) -> Neuron:
    """Pyramidal cell of about 2,000 nodes, read from :func:`sample_neuron_swc`, so that its defects are listed."""
    from napari_celltype.io.swc import parse_swc

    return parse_swc(sample_neuron_swc(seed, damaged=damaged), name="sample neuron")


def sample_neuron_truth(seed: int = 0) -> NeuronTruth:
    """What was done to the sample neuron of a seed, and the clean neuron."""
    return _sample(seed)[2]


def sample_neuron_swc(seed: int = 0, *, damaged: bool = True) -> bytes:
    """The sample neuron as an SWC file's bytes.

    Parameters
    ----------
    seed
        Grows the cell, and places what is wrong with it.
    damaged
        With three z-jumps, a missing node that leaves a piece without its parent, and a radius of zero.
    """
    neuron, parent_ids, truth = _sample(seed)
    if damaged:
        return _to_swc(neuron, parent_ids, _header(seed, truth))
    return _to_swc(truth.clean, truth.clean.parent_ids, _header(seed, None))


@lru_cache(maxsize=4)
def _sample(seed: int) -> tuple[Neuron, NDArray[np.int64], NeuronTruth]:
    rng = np.random.default_rng([seed, 2])
    return _damage(grow_pyramidal(rng), rng)


@dataclass(frozen=True)
class _Rule:
    """How one kind of branch grows.

    ``fork_chance`` is the chance to fork at the end of a section, by the number of forks passed; none beyond.
    ``wander`` is how much the direction changes per step, ``pull`` where it tends to and how strongly.
    """

    swc_type: int
    length_um: float
    fork_chance: tuple[float, ...]
    spread_deg: float
    wander: float
    pull: tuple[float, float, float] = (0.0, 0.0, 0.0)
    flatness: float = 0.6
    thinnest_um: float = 0.2
    taper_per_um: float = 0.002


_BASAL = _Rule(3, 48.0, (1.0, 0.75, 0.45, 0.15), 32.0, 0.13)
_TRUNK = _Rule(4, 55.0, (), 10.0, 0.05, (0.0, 0.05, 0.0), taper_per_um=0.0012)
_OBLIQUE = _Rule(4, 62.0, (0.75, 0.4, 0.1), 30.0, 0.12)
_TUFT = _Rule(4, 52.0, (1.0, 0.9, 0.6, 0.25), 30.0, 0.10, (0.0, 0.035, 0.0))
_AXON = _Rule(2, 85.0, (1.0, 0.8, 0.6, 0.4, 0.2), 45.0, 0.16, (0.0, -0.02, 0.0), thinnest_um=0.12)
_N_OBLIQUES = 6


@dataclass
class _Tip:
    """An end that will grow one more section."""

    rule: _Rule
    row: int
    direction: FloatArray
    radius_um: float
    forks: int


class _Growing:
    """Rows gathered while the cell grows."""

    def __init__(self) -> None:
        self.xyz: list[FloatArray] = [np.zeros(3)]
        self.radii = [_SOMA_RADIUS_UM]
        self.types = [1]
        self.parents = [-1]

    def add(self, xyz: FloatArray, radius_um: float, swc_type: int, parent: int) -> int:
        self.xyz.append(xyz)
        self.radii.append(radius_um)
        self.types.append(swc_type)
        self.parents.append(parent)
        return len(self.xyz) - 1


def grow_pyramidal(rng: np.random.Generator) -> Neuron:
    """Grow a pyramidal cell: basal dendrites, an apical trunk with obliques and tuft, and an axon.

    Notes
    -----
    Each section is a walk that keeps its direction, wanders a little and is pulled along its kind's way (the trunk
    and tuft towards the pia, +y). It ends in a fork by a chance that falls with each fork passed; daughters share
    the parent's thickness by Rall's 3/2 rule. Depth wobbles and comes in the steps of a focus drive, as in tracings.
    """
    cell = _Growing()
    tips = _stems(rng)
    while tips:
        tip = tips.pop()
        end = _grow_section(cell, tip, rng)
        tips += _fork(end, rng)
    xyz = _as_traced(np.array(cell.xyz), np.array(cell.parents), rng)
    return Neuron.from_arrays(
        xyz, cell.parents, types=cell.types, radii_um=np.round(cell.radii, 3), name="sample neuron"
    )


def _stems(rng: np.random.Generator) -> list[_Tip]:
    tips = [_Tip(_AXON, 0, _unit(np.array([0.1, -1.0, 0.0]) + 0.1 * rng.normal(size=3)), 0.6, 0)]
    turn = rng.uniform(0, 2 * np.pi)
    for angle in turn + np.arange(6) * 2 * np.pi / 6:
        direction = np.array([np.cos(angle), rng.uniform(-0.75, 0.05), 0.8 * np.sin(angle)])
        tips.append(_Tip(_BASAL, 0, _unit(direction), rng.uniform(0.9, 1.4), 0))
    tips.append(_Tip(_TRUNK, 0, _unit(np.array([0.0, 1.0, 0.0]) + 0.05 * rng.normal(size=3)), 2.6, 0))
    return tips


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)


def _grow_section(cell: _Growing, tip: _Tip, rng: np.random.Generator) -> _Tip:
    rule, row, direction, radius = tip.rule, tip.row, tip.direction, tip.radius_um
    n_steps = max(4, round(rule.length_um * rng.gamma(9.0, 1 / 9.0) / _STEP_UM))
    pull, flat = np.array(rule.pull), np.array([1.0, 1.0, rule.flatness])
    for _ in range(n_steps):
        direction = _unit(direction + rule.wander * flat * rng.normal(size=3) + pull)
        step = _STEP_UM * rng.uniform(0.7, 1.3) + (_SOMA_RADIUS_UM if row == 0 else 0.0)
        radius = max(rule.thinnest_um, radius * (1.0 - rule.taper_per_um * _STEP_UM))
        row = cell.add(cell.xyz[row] + step * direction, radius * rng.uniform(0.92, 1.08), rule.swc_type, row)
    return _Tip(rule, row, direction, radius, tip.forks)


def _fork(end: _Tip, rng: np.random.Generator) -> list[_Tip]:
    """Tips that go on from the end of a section."""
    if end.rule is _TRUNK:
        if end.forks == _N_OBLIQUES:
            return _pair(end, _TUFT, _TUFT, rng, (0, 0))
        return _pair(end, _TRUNK, _OBLIQUE, rng, (end.forks + 1, 0))
    chances = end.rule.fork_chance
    if end.forks >= len(chances) or rng.random() >= chances[end.forks]:
        return []
    return _pair(end, end.rule, end.rule, rng, (end.forks + 1, end.forks + 1))


def _pair(end: _Tip, first: _Rule, second: _Rule, rng: np.random.Generator, forks: tuple[int, int]) -> list[_Tip]:
    aside = np.cross(end.direction, rng.normal(size=3)) * np.array([1.0, 1.0, 0.6])
    aside = _unit(aside)
    share = rng.uniform(0.4, 0.6) if first is second else 0.85
    tips = []
    for rule, side, part, passed in ((first, 1.0, share, forks[0]), (second, -1.0, 1.0 - share, forks[1])):
        leaves_trunk = rule is not end.rule and rule is _OBLIQUE
        spread = np.deg2rad(rng.uniform(55, 85) if leaves_trunk else rule.spread_deg * rng.uniform(0.7, 1.3))
        direction = np.cos(spread) * end.direction + side * np.sin(spread) * aside
        radius = end.radius_um * part ** (2 / 3)
        tips.append(_Tip(rule, end.row, _unit(direction), radius, passed))
    return tips


def _as_traced(xyz: FloatArray, parents: NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
    """Add the wobble of a hand that follows the focus, and round as tracing programs store."""
    step = rng.normal(scale=0.35, size=len(xyz))
    depth = tree.depths(parents)
    wobble = np.zeros(len(xyz))
    for d in range(1, int(depth.max()) + 1):  # one level of the tree at a time: an AR(1) walk along every path
        rows = np.flatnonzero(depth == d)
        wobble[rows] = 0.8 * wobble[parents[rows]] + step[rows]
    traced = np.round(xyz, 2)
    traced[:, 2] = np.round((_SHRINKAGE * xyz[:, 2] + wobble) / _Z_STEP_UM) * _Z_STEP_UM
    return traced


_JUMPS = ((4, 42.0, False), (3, -24.5, True), (2, 13.0, False))
"""Type of the branch, shift in um, and whether the jump ends on a fork."""


def _damage(clean: Neuron, rng: np.random.Generator) -> tuple[Neuron, NDArray[np.int64], NeuronTruth]:
    """The damaged neuron, its parent ids as its file states them, and what was done."""
    places = _Places(clean, rng)
    shift = np.zeros(len(clean))
    jumps = []
    for swc_type, dz_um, at_fork in _JUMPS:
        row = places.choose(swc_type, at_fork=at_fork, below=(25, 400))
        shift[row] = dz_um
        jumps.append(JumpTruth(int(clean.ids[row]), int(clean.parent_ids[row]), dz_um, at_fork))
    lost = places.choose(4, at_fork=False, below=(12, 60))
    thin = places.choose(3, at_fork=False, below=(3, 40))
    xyz, radii = clean.xyz_um.copy(), clean.radii_um.copy()
    xyz[:, 2] += tree.root_path_sum(shift, clean.parents)
    radii[thin] = 0.0
    orphan = int(np.flatnonzero(clean.parents == lost)[0])
    ids = clean.ids
    truth = NeuronTruth(tuple(jumps), int(ids[orphan]), int(ids[lost]), int(ids[thin]), clean)
    kept = np.delete(np.arange(len(clean)), lost)
    return *_without(clean.replace(xyz_um=xyz, radii_um=radii), kept), truth


def _without(neuron: Neuron, kept: NDArray[np.int64]) -> tuple[Neuron, NDArray[np.int64]]:
    """Rows kept, and their parent ids as before, be the parent there or not."""
    new_row = np.full(len(neuron) + 1, -1)
    new_row[kept] = np.arange(len(kept))
    rest = Neuron.from_arrays(
        neuron.xyz_um[kept],
        new_row[neuron.parents[kept]],
        types=neuron.types[kept],
        radii_um=neuron.radii_um[kept],
        ids=neuron.ids[kept],
        name=neuron.name,
    )
    return rest, neuron.parent_ids[kept]


class _Places:
    """Nodes where damage can go: within a branch, and not beside earlier damage."""

    def __init__(self, neuron: Neuron, rng: np.random.Generator) -> None:
        self._neuron = neuron
        self._rng = rng
        self._below = tree.subtree_sizes(neuron.parents)
        parents = neuron.parents
        near_soma = tree.depths(parents) < 6
        # a jump must start within a branch, so that what is one edge in the file is one edge for the eye
        after_fork = neuron.n_children[np.maximum(parents, 0)] != 1
        self._free = ~near_soma & ~after_fork

    def choose(self, swc_type: int, *, at_fork: bool, below: tuple[int, int]) -> int:
        """A row of a type with so many nodes below it, on a fork or on none."""
        neuron = self._neuron
        children = neuron.n_children >= 2 if at_fork else neuron.n_children == 1
        sized = (self._below >= below[0]) & (self._below <= below[1])
        rows = np.flatnonzero(self._free & (neuron.types == swc_type) & children & sized)
        row = int(self._rng.choice(rows))
        self._free[max(0, row - 8) : row + 9] = False
        return row


def _header(seed: int, truth: NeuronTruth | None) -> list[str]:
    lines = [
        f"Simulated pyramidal neuron, grown by napari-celltype (seed {seed}). Not a real cell.",
        "Units: micrometres. Columns: id type x y z radius parent",
    ]
    if truth is not None:
        jumps = ", ".join(f"node {jump.node_id} ({jump.dz_um:+g} um)" for jump in truth.jumps)
        lost, orphan, thin = truth.missing_id, truth.orphan_id, truth.zero_radius_id
        lines.append(f"Made with defects: z-jumps at {jumps};")
        lines.append(f"node {lost} left out, so that {orphan} has no parent; radius 0 at node {thin}.")
    return lines


def _to_swc(neuron: Neuron, parent_ids: NDArray[np.int64], header: list[str]) -> bytes:
    comments = [f"# {line}" for line in header]
    columns = zip(neuron.ids, neuron.types, neuron.xyz_um, neuron.radii_um, parent_ids, strict=True)
    rows = [f"{i} {t} {x:.2f} {y:.2f} {z:.2f} {r:.3f} {p}" for i, t, (x, y, z), r, p in columns]
    return "\n".join([*comments, *rows, ""]).encode("ascii")
