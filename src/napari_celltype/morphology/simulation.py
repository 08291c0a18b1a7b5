"""Grow artificial neurons: a seeded cloud of target points, wired by a minimum spanning tree with a balancing factor.

The rule is that of Cuntz et al. (2010): a tree grows from the soma by always adding the target whose wiring cost,
its distance to the tree plus ``balance`` times the path back to the soma, is least. Low balance saves cable, high
balance makes direct paths. What tells the classes apart is where the targets lie, and the balance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .reordering import renumber, sort_nodes
from .resampling import resample

__all__ = ["CLASSES", "grow_tree", "simulate", "simulate_many"]

FloatArray = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class _Arbor:
    """One part of a cell: where its targets are, how they are wired, and what it is called in the file.

    ``stem_um`` holds the first points of its stems; each target goes to the stem nearest to it.
    """

    targets_um: FloatArray
    balance: float
    structure_type: int
    stem_um: FloatArray
    thickness_um: float
    wiggle_um: float = 1.0


def simulate(kind: str, seed: int, *, spacing_um: float = 3.0) -> Neuron:
    """Grow one artificial neuron.

    Parameters
    ----------
    kind
        One of :data:`CLASSES`: basket, pyramidal, granule, Purkinje, motoneuron, fly.
    seed
        The same seed gives the same neuron.
    spacing_um
        Distance between nodes.
    """
    if kind not in CLASSES:
        raise RepairError(f"there is no simulated class {kind!r}", hint=f"Use one of {', '.join(CLASSES)}.")
    rng = np.random.default_rng([seed, sorted(CLASSES).index(kind)])
    soma_radius, arbors = CLASSES[kind](rng)
    cell = _assemble(soma_radius, arbors)
    cell = _wiggle(resample(cell, spacing_um, max_length_loss=None), arbors, rng)
    return cell.replace(name=f"{kind}_{seed:04d}", xyz_um=np.round(cell.xyz_um, 3), radii_um=np.round(cell.radii_um, 4))


def simulate_many(kind: str, count: int, seed: int = 0) -> list[Neuron]:
    """Grow several artificial neurons; their seeds follow from ``seed``."""
    return [simulate(kind, seed * 100_003 + number) for number in range(count)]


def grow_tree(
    targets_um: FloatArray, start_um: FloatArray, balance: float, *, lead_um: float = 0.0
) -> tuple[NDArray[np.int64], FloatArray]:
    """Wire targets to a starting point by the minimum spanning tree with a balancing factor.

    Parameters
    ----------
    targets_um
        Positions to reach, shape (n, 3).
    start_um
        Where the tree begins.
    balance
        Weight of the path back to the start against the cable added; 0 gives the minimum spanning tree.
    lead_um
        Path length that lies before the start.

    Returns
    -------
    parents, path
        For each target the target it hangs on, -1 for the start, and its path length from the start.
    """
    n = len(targets_um)
    distance = np.linalg.norm(targets_um - start_um, axis=1)
    cost = distance * (1 + balance) + balance * lead_um
    parent, path, waiting = np.full(n, -1), np.full(n, np.inf), np.ones(n, dtype=bool)
    reach = distance + lead_um
    for _ in range(n):
        new = int(np.argmin(np.where(waiting, cost, np.inf)))
        waiting[new] = False
        path[new] = reach[new]
        step = np.sqrt(((targets_um - targets_um[new]) ** 2).sum(axis=1))
        other = step + balance * (path[new] + step)
        better = waiting & (other < cost)
        cost[better], parent[better], reach[better] = other[better], new, path[new] + step[better]
    return parent, path


def _assemble(soma_radius: float, arbors: list[_Arbor]) -> Neuron:
    """Soma, stems and the wired targets of each arbor as one neuron, with tapering diameters."""
    xyz, parents, types, radii = [np.zeros((1, 3))], [np.array([-1])], [np.array([1])], [np.array([soma_radius])]
    count = 1
    for arbor in arbors:
        stem_rows = count + np.arange(len(arbor.stem_um))
        owner = np.argmin(np.linalg.norm(arbor.targets_um[:, None] - arbor.stem_um[None], axis=2), axis=1)
        links, path = np.empty(len(arbor.targets_um), dtype=np.int64), np.empty(len(arbor.targets_um))
        for number, stem in enumerate(arbor.stem_um):
            mine = np.flatnonzero(owner == number)
            up, path[mine] = grow_tree(arbor.targets_um[mine], stem, arbor.balance)
            links[mine] = np.where(up >= 0, count + len(stem_rows) + mine[np.maximum(up, 0)], stem_rows[number])
        tips = _tips_below(links - count - len(stem_rows), path)
        thick = arbor.thickness_um * (0.25 + 0.75 * (tips / max(tips.max(initial=1), 1)) ** 0.5)
        xyz += [arbor.stem_um, arbor.targets_um]
        parents += [np.zeros(len(stem_rows), dtype=np.int64), links]
        types.append(np.full(len(stem_rows) + len(links), arbor.structure_type))
        radii += [np.full(len(stem_rows), arbor.thickness_um / 2), thick / 2]
        count += len(stem_rows) + len(links)
    neuron = Neuron.from_arrays(
        np.concatenate(xyz), np.concatenate(parents), types=np.concatenate(types), radii_um=np.concatenate(radii)
    )
    return renumber(sort_nodes(neuron))


def _tips_below(parents: NDArray[np.int64], path: FloatArray) -> FloatArray:
    tips = np.zeros(len(parents))
    inside = parents >= 0
    tips[np.bincount(parents[inside], minlength=len(parents)) == 0] = 1
    for row in np.argsort(-path, kind="stable"):
        if parents[row] >= 0:
            tips[parents[row]] += tips[row]
    return tips


def _wiggle(neuron: Neuron, arbors: list[_Arbor], rng: Rng) -> Neuron:
    """Give the straight wires the small bends of real neurites: smooth noise along the path."""
    amount = {arbor.structure_type: arbor.wiggle_um for arbor in arbors}
    scale = np.vectorize(lambda kind: amount.get(int(kind), 0.0))(neuron.types)
    noise = np.zeros((len(neuron), 3))
    kicks = rng.normal(0, 1, (len(neuron), 3))
    for row in neuron.order:
        parent = neuron.parents[row]
        if parent >= 0 and scale[row]:
            noise[row] = 0.8 * noise[parent] + 0.6 * kicks[row]
    return neuron.replace(xyz_um=neuron.xyz_um + noise * scale[:, None])


def _ball(rng: Rng, count: int, radii_um: tuple[float, float, float], lean: float = 1 / 3) -> FloatArray:
    """Points in an ellipsoid; ``lean`` 1/3 is even, more crowds them to the middle."""
    direction = rng.normal(0, 1, (count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * rng.uniform(0, 1, (count, 1)) ** lean * np.array(radii_um)


def _cone(rng: Rng, count: int, length_um: float, base_um: float, from_um: float = 0.0) -> FloatArray:
    """Points in a cone that opens along y."""
    height = from_um + (length_um - from_um) * rng.uniform(0, 1, count) ** 0.6
    radius = base_um * height / length_um * np.sqrt(rng.uniform(0, 1, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.column_stack([radius * np.cos(angle), height, radius * np.sin(angle)])


def _stems(rng: Rng, count: int, radius_um: float, *, lift: float = 0.0, spread: float = 1.0) -> FloatArray:
    """Points on the soma's surface in fairly even directions; ``lift`` raises them, ``spread`` flattens z."""
    turn = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count + rng.uniform(0, 2 * np.pi)
    tilt = rng.uniform(-0.6, 0.6, count) * spread
    direction = np.column_stack([np.cos(turn), np.sin(turn) + lift, tilt])
    return radius_um * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def _basket(rng: Rng) -> tuple[float, list[_Arbor]]:
    """Short dendrites all round and a dense local axon, of which clusters surround other cells' somata."""
    soma = rng.uniform(6, 9)
    reach = rng.uniform(90, 150)
    dendrite = _ball(rng, int(rng.integers(45, 80)), (reach, reach * rng.uniform(0.8, 1.3), reach * 0.5), 0.45)
    width = rng.uniform(180, 320)
    sparse = _ball(rng, int(rng.integers(120, 220)), (width, width * rng.uniform(0.5, 0.9), width * 0.4), 0.5)
    nests = _ball(rng, int(rng.integers(15, 30)), (width, width * 0.7, width * 0.4), 0.5)
    clusters = [nest + _ball(rng, int(rng.integers(5, 11)), (11, 11, 11), 0.2) for nest in nests]
    axon_stem = _stems(rng, 1, soma)
    return soma, [
        _Arbor(dendrite, 0.5, 3, _stems(rng, int(rng.integers(4, 8)), soma), 1.6),
        _Arbor(np.concatenate([sparse, *clusters]), rng.uniform(0.1, 0.3), 2, axon_stem, 0.8),
    ]


def _pyramidal(rng: Rng) -> tuple[float, list[_Arbor]]:
    """One apical trunk with side branches and a tuft, basal dendrites below, and a descending axon."""
    soma = rng.uniform(7, 11)
    height = rng.uniform(280, 650)
    trunk = np.column_stack([rng.normal(0, 3, 30), np.linspace(soma + 8, 0.78 * height, 30), rng.normal(0, 3, 30)])
    oblique_at = rng.uniform(0.12, 0.6, int(rng.integers(14, 30))) * height
    side = _ball(rng, len(oblique_at), (90, 25, 70), 0.5)
    obliques = np.column_stack([side[:, 0], oblique_at + np.abs(side[:, 1]), side[:, 2]])
    tuft = _cone(rng, int(rng.integers(25, 55)), 0.32 * height, rng.uniform(90, 170), 10)
    tuft[:, 1] += 0.74 * height
    basal = _cone(rng, int(rng.integers(55, 100)), rng.uniform(110, 190), rng.uniform(150, 230)) * [1, -1, 1]
    basal[:, 1] += rng.uniform(10, 30)
    depth = rng.uniform(200, 450)
    down = np.column_stack([rng.normal(0, 4, 25), np.linspace(-soma - 8, -depth, 25), rng.normal(0, 4, 25)])
    local = _ball(rng, int(rng.integers(15, 35)), (130, 60, 90), 0.5) - [0, rng.uniform(90, 180), 0]
    return soma, [
        _Arbor(np.concatenate([trunk, obliques, tuft]), rng.uniform(0.5, 0.8), 4, np.array([[0.0, soma, 0.0]]), 3.5),
        _Arbor(basal, rng.uniform(0.5, 0.8), 3, _stems(rng, int(rng.integers(4, 7)), soma, lift=-0.7), 1.6),
        _Arbor(np.concatenate([down, local]), 0.3, 2, np.array([[0.0, -soma, 0.0]]), 0.8),
    ]


def _granule(rng: Rng) -> tuple[float, list[_Arbor]]:
    """A few slender dendrites that open in one narrow cone, without an axon."""
    soma = rng.uniform(4, 6)
    height = rng.uniform(180, 300)
    cone = _cone(rng, int(rng.integers(28, 50)), height, rng.uniform(70, 130), 0.25 * height) * [1, 1, 0.6]
    stems = np.array([[rng.normal(0, 1), soma, rng.normal(0, 1)] for _ in range(int(rng.integers(1, 4)))])
    return soma, [_Arbor(cone, rng.uniform(0.7, 0.95), 3, stems, 1.2)]


def _purkinje(rng: Rng) -> tuple[float, list[_Arbor]]:
    """A dense fan in one plane on a single thick stem."""
    soma = rng.uniform(9, 13)
    height, width = rng.uniform(140, 220), rng.uniform(150, 240)
    cloud = rng.uniform(-1, 1, (900, 2))
    cloud = cloud[(cloud**2).sum(axis=1) < 1][: int(rng.integers(380, 560))]
    fan = np.column_stack([cloud[:, 0] * width / 2, (cloud[:, 1] + 1.15) * height / 2, rng.normal(0, 4, len(cloud))])
    return soma, [_Arbor(fan, rng.uniform(0.15, 0.3), 3, np.array([[0.0, soma, 0.0]]), 4.5, 0.5)]


def _motoneuron(rng: Rng) -> tuple[float, list[_Arbor]]:
    """Many long straight dendrites to all sides of a large soma, and a thick leaving axon."""
    soma = rng.uniform(15, 25)
    reach = rng.uniform(350, 600)
    ball = _ball(rng, int(rng.integers(130, 220)), (reach, reach * 0.9, reach * 0.7), 0.55)
    away = np.column_stack([rng.normal(0, 5, 20), np.linspace(-soma - 10, -1.3 * reach, 20), rng.normal(0, 5, 20)])
    return soma, [
        _Arbor(ball, rng.uniform(0.6, 0.9), 3, _stems(rng, int(rng.integers(8, 14)), soma, spread=1.5), 6.0),
        _Arbor(away, 0.2, 2, np.array([[0.0, -soma, 0.0]]), 3.0),
    ]


def _fly(rng: Rng) -> tuple[float, list[_Arbor]]:
    """A soma off to the side, one fibre to two neuropils: dendrites in the first, terminals in the second."""
    soma = rng.uniform(2, 3.5)
    first = np.array([rng.uniform(40, 80), rng.uniform(-15, 15), 0.0])
    second = first + rng.uniform([60, -40, -20], [110, 40, 20])
    fibre = np.concatenate([np.linspace([soma + 3, 0, 0], first, 15), np.linspace(first, second, 20)[1:]])
    fibre = fibre + rng.normal(0, 0.8, fibre.shape)
    dense = first + _ball(rng, int(rng.integers(110, 180)), (22, 38, 22), 0.4)
    terminals = second + _ball(rng, int(rng.integers(50, 90)), (16, 22, 16), 0.4)
    stem = np.array([[soma, 0.0, 0.0]])
    return soma, [_Arbor(np.concatenate([fibre, dense, terminals]), rng.uniform(0.1, 0.3), 3, stem, 0.6, 0.3)]


CLASSES: dict[str, Callable[[Rng], tuple[float, list[_Arbor]]]] = {
    "basket": _basket,
    "pyramidal": _pyramidal,
    "granule": _granule,
    "Purkinje": _purkinje,
    "motoneuron": _motoneuron,
    "fly": _fly,
}
"""Class name -> maker of its soma radius and arbors."""
