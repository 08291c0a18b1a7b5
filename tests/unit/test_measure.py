"""Measuring: against a literal walk over nodes, against stored values of L-Measure and NeuroM, and at the edges."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, NeuronError, read_neuron
from napari_celltype.morphology import FEATURES, measure, measure_by_type, sholl


def random_neuron(seed: int, n: int, soma_points: int = 1) -> Neuron:
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(int(rng.integers(max(0, i - 5), i)) for i in range(1, n))])
    types = np.where(np.arange(n) < soma_points, 1, rng.integers(2, 5, n))
    order = rng.permutation(n)
    place = np.argsort(order)
    parents = np.where(parents >= 0, place[parents], -1)[order]
    xyz = (rng.normal(0, 20, (n, 3)))[order]
    return Neuron.from_arrays(xyz, parents, types=types[order], radii_um=rng.uniform(0, 2, n))


def literal(neuron: Neuron) -> dict[str, float]:
    """The definitions, one node at a time."""
    xyz, parents, radius = neuron.xyz_um, neuron.parents, neuron.radii_um
    soma = [t == 1 for t in neuron.types]
    kids = [[int(c) for c in np.flatnonzero(parents == i) if not soma[c]] for i in range(len(neuron))]
    root = next(i for i in range(len(neuron)) if parents[i] < 0)
    starts = [i for i in range(len(neuron)) if soma[i] or parents[i] < 0]
    edges = [i for i in range(len(neuron)) if not soma[i] and parents[i] >= 0]
    length = {i: math.dist(xyz[i], xyz[parents[i]]) for i in range(len(neuron)) if parents[i] >= 0}
    forks = [i for i in edges if len(kids[i]) > 1]
    branches = []
    for begin in starts + forks:
        for node in kids[begin]:
            branch = [begin, node]
            while len(kids[branch[-1]]) == 1:
                branch.append(kids[branch[-1]][0])
            branches.append(branch)

    def tips(i: int) -> int:
        return sum(tips(c) for c in kids[i]) if kids[i] else 1

    def up(i: int) -> list[int]:
        return [i, *up(int(parents[i]))] if parents[i] >= 0 else [i]

    def angle(a: np.ndarray, b: np.ndarray) -> float:
        return math.degrees(math.acos(max(-1, min(1, a @ b / np.linalg.norm(a) / np.linalg.norm(b)))))

    def slope(branch: list[int]) -> float:
        along = np.cumsum([length[i] for i in branch[1:]])
        straight = [math.dist(xyz[i], xyz[branch[0]]) for i in branch[1:]]
        return float(np.polyfit(np.log(straight), np.log(along), 1)[0])

    pairs = [[b for b in branches if b[0] == i] for i in forks if len(kids[i]) == 2]
    ends = [(a[-1], b[-1], a[0]) for a, b in pairs]
    heads = [(a[1], b[1], a[0]) for a, b in pairs]
    asymmetries = [abs(tips(a[1]) - tips(b[1])) / max(tips(a[1]) + tips(b[1]) - 2, 1) for a, b in pairs]
    contraction = [math.dist(xyz[b[0]], xyz[b[-1]]) / sum(length[i] for i in b[1:]) for b in branches]
    curved = [slope(b) for b in branches if len(b) > 4]
    somata = np.flatnonzero(soma)
    cylinders = sum(2 * np.pi * radius[parents[i]] * length[i] for i in somata if parents[i] >= 0 and soma[parents[i]])

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else math.nan

    return {
        "TotalLength": sum(length[i] for i in edges),
        "TotalSurface": sum(2 * np.pi * radius[i] * length[i] for i in edges),
        "TotalVolume": sum(np.pi * radius[i] ** 2 * length[i] for i in edges),
        "TotalFragmentation": len(edges),
        "OverallWidth": max(xyz[:, 0]) - min(xyz[:, 0]),
        "OverallHeight": max(xyz[:, 1]) - min(xyz[:, 1]),
        "OverallDepth": max(xyz[:, 2]) - min(xyz[:, 2]),
        "NumberBifurcations": len(forks),
        "NumberStems": sum(len(kids[i]) for i in starts),
        "NumberBranches": len(branches),
        "FractalDimension": mean(curved),
        "AverageDiameter": mean([2 * radius[i] for i in range(len(neuron)) if not soma[i]]),
        "AverageContraction": mean(contraction),
        "MaxBranchOrder": max([sum(j in forks for j in up(i)[1:]) for i in edges], default=0),
        "MaxPathDistance": max([sum(length[j] for j in up(i)[:-1]) for i in edges], default=0),
        "MaxEuclideanDistance": max([math.dist(xyz[i], xyz[root]) for i in edges], default=0),
        "SomaSurface": 4 * np.pi * radius[somata[0]] ** 2 if len(somata) == 1 else cylinders,
        "PartitionAsymmetry": mean(asymmetries),
        "AverageBifurcationAngleRemote": mean([angle(xyz[a] - xyz[c], xyz[b] - xyz[c]) for a, b, c in ends]),
        "AverageBifurcationAngleLocal": mean([angle(xyz[a] - xyz[c], xyz[b] - xyz[c]) for a, b, c in heads]),
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 70), st.integers(0, 3))
def test_every_feature_equals_the_literal_walk(seed, n, soma_points):
    neuron = random_neuron(seed, n, soma_points)
    measured, expected = measure(neuron), literal(neuron)
    assert list(measured.index) == list(FEATURES)
    assert set(expected) == set(FEATURES)
    for name in FEATURES:
        assert measured[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-9, nan_ok=True), name


REFERENCES = Path(__file__).parents[1] / "reference" / "morphology"


def reference(name: str) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = json.loads((REFERENCES / name).read_text())["files"]
    return values


@pytest.mark.needs_data
@pytest.mark.parametrize("peer", ["lmeasure.json", "neurom.json"])
def test_real_neurons_measure_as_the_peer_says_where_definitions_agree(peer, real_swc_folder):
    for file, values in reference(peer).items():
        measured = measure(read_neuron(real_swc_folder / file))
        for feature, expected in values.items():
            # L-Measure prints six digits
            assert measured[feature] == pytest.approx(expected, rel=1e-5 if "lmeasure" in peer else 1e-6), (
                file,
                feature,
            )


def test_neuron_of_one_soma_point_has_size_but_no_branches():
    values = measure(Neuron.from_arrays([(1, 2, 3)], [-1], types=[1], radii_um=[2]))
    assert values["SomaSurface"] == pytest.approx(16 * math.pi)
    assert values["NumberBranches"] == values["TotalLength"] == values["OverallWidth"] == 0
    assert math.isnan(values["AverageContraction"])
    assert math.isnan(values["AverageDiameter"])


def test_roots_stand_in_for_a_missing_soma():
    neuron = Neuron.from_arrays([(0, 0, 0), (3, 0, 0), (0, 4, 0)], [-1, 0, 0])
    values = measure(neuron)
    assert (values["NumberStems"], values["NumberBifurcations"], values["NumberBranches"]) == (2, 0, 2)
    assert values["SomaSurface"] == 0


def test_loose_piece_counts_its_length_but_is_no_stem():
    points = [(0, 0, 0), (3, 0, 0), (50, 0, 0), (54, 0, 0)]
    values = measure(Neuron.from_arrays(points, [-1, 0, -1, 2], types=[1, 3, 3, 3]))
    assert (values["NumberStems"], values["NumberBranches"], values["TotalLength"]) == (1, 2, 7)
    assert values["MaxPathDistance"] == 4
    assert values["MaxEuclideanDistance"] == 54


def test_fork_into_three_is_one_bifurcation_without_angle():
    points = [(0, 0, 0), (5, 0, 0), (9, 0, 0), (5, 4, 0), (5, 0, 4)]
    values = measure(Neuron.from_arrays(points, [-1, 0, 1, 1, 1], types=[1, 3, 3, 3, 3]))
    assert (values["NumberBifurcations"], values["NumberBranches"]) == (1, 4)
    assert math.isnan(values["AverageBifurcationAngleLocal"])


def test_missing_coordinate_makes_what_needs_it_missing_and_nothing_else():
    points = [(0, 0, 0), (5, 0, 0), (9, math.nan, 0), (12, 0, math.inf)]
    values = measure(Neuron.from_arrays(points, [-1, 0, 1, 2], types=[1, 3, 3, 3]))
    assert math.isnan(values["TotalLength"])
    assert math.isnan(values["OverallHeight"])
    assert values["NumberBranches"] == 1
    assert values["OverallWidth"] == 12


def test_coincident_nodes_and_zero_or_negative_radii_are_harmless():
    points = [(0, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 0)]
    neuron = Neuron.from_arrays(points, [-1, 0, 1, 2, 3, 3], types=[1, 3, 3, 3, 3, 3], radii_um=[0, -1, 0, 0, 0, 0])
    values = measure(neuron)
    assert (values["TotalLength"], values["TotalSurface"], values["AverageDiameter"]) == (1, 0, 0)
    assert math.isnan(values["AverageBifurcationAngleLocal"])


def test_cycle_and_empty_neuron_are_refused_by_name():
    with pytest.raises(NeuronError, match="cycle"):
        measure(Neuron.from_arrays([(0, 0, 0), (1, 0, 0)], [1, 0]))
    with pytest.raises(NeuronError, match="no node"):
        measure(Neuron.from_arrays([], []))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_lengths_of_the_types_add_up(seed, n):
    neuron = random_neuron(seed, n)
    table = measure_by_type(neuron)
    for name in ("TotalLength", "TotalSurface", "TotalVolume", "TotalFragmentation"):
        assert table[name].drop("all").sum() == pytest.approx(table.loc["all", name])
    assert table.loc["all"].tolist() == pytest.approx(measure(neuron).tolist(), nan_ok=True)


def test_axon_on_a_dendrite_has_its_own_stem():
    points = [(0, 0, 0), (5, 0, 0), (10, 0, 0), (5, 5, 0), (5, 9, 0)]
    table = measure_by_type(Neuron.from_arrays(points, [-1, 0, 1, 1, 3], types=[1, 3, 3, 2, 2]))
    assert set(table.index) == {"all", "axon", "basal"}
    assert table.loc["axon", ["NumberStems", "TotalLength", "MaxPathDistance"]].tolist() == [1, 9, 14]
    assert table.loc["basal", ["NumberBranches", "NumberBifurcations"]].tolist() == [1, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from([3.0, 10.0]))
def test_sholl_equals_a_literal_count(seed, n, step):
    neuron = random_neuron(seed, n)
    root = int(neuron.roots[0])
    away = np.linalg.norm(neuron.xyz_um - neuron.xyz_um[root], axis=1)
    profile = sholl(neuron, step)
    for radius, count in profile.items():
        crossed = sum(
            min(away[i], away[p]) <= radius < max(away[i], away[p])
            for i, p in enumerate(neuron.parents)
            if p >= 0 and neuron.types[i] != 1
        )
        assert count == crossed
    assert profile.index.name == "radius_um"


def test_sholl_of_one_type_and_of_nothing():
    points = [(0, 0, 0), (25, 0, 0), (0, 15, 0)]
    neuron = Neuron.from_arrays(points, [-1, 0, 0], types=[1, 2, 3])
    assert sholl(neuron, 10).to_dict() == {10.0: 2, 20.0: 1}
    assert sholl(neuron, 10, kind=3).to_dict() == {10.0: 1}
    assert sholl(neuron, 10, kind=4).empty
    with pytest.raises(ValueError, match="above zero"):
        sholl(neuron, 0)
