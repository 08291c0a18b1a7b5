"""Artificial neurons: seeded, sound, of their class, and wired by the stated rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import RepairError
from napari_celltype.io.swc_write import swc_bytes
from napari_celltype.morphology import measure
from napari_celltype.morphology.simulation import CLASSES, grow_tree, simulate, simulate_many


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.sampled_from([0.0, 0.4, 1.0]))
def test_tree_follows_the_balanced_rule(seed, n, balance):
    rng = np.random.default_rng(seed)
    points, start = rng.normal(0, 10, (n, 3)), np.zeros(3)
    parents, path = grow_tree(points, start, balance)
    reached: dict[int, float] = {-1: 0.0}
    place = {-1: start, **dict(enumerate(points))}
    for _ in range(n):
        costs = {
            (new, old): float(np.linalg.norm(place[new] - place[old])) * (1 + balance) + balance * reached[old]
            for new in range(n)
            if new not in reached
            for old in reached
        }
        new, old = min(costs, key=costs.__getitem__)
        reached[new] = reached[old] + float(np.linalg.norm(place[new] - place[old]))
        assert parents[new] == old
    np.testing.assert_allclose(path, [reached[i] for i in range(n)])


def test_without_balance_it_is_the_minimum_spanning_tree():
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    points = np.random.default_rng(1).normal(0, 1, (40, 3))
    parents, _ = grow_tree(points[1:], points[0], 0.0)
    ours = np.linalg.norm(points[1:] - points[parents + 1], axis=1).sum()
    assert ours == pytest.approx(minimum_spanning_tree(cdist(points, points)).sum())


@pytest.mark.parametrize("kind", CLASSES)
def test_same_seed_same_neuron_and_every_neuron_is_sound(kind):
    first, second = simulate(kind, 7), simulate(kind, 7)
    assert swc_bytes(first) == swc_bytes(second)
    assert swc_bytes(first) != swc_bytes(simulate(kind, 8))
    assert len(first.roots) == 1
    assert (first.parents < np.arange(len(first))).all()
    assert first.types[0] == 1
    assert (first.types == 1).sum() == 1
    assert (first.radii_um > 0).all()
    assert measure(first).notna().all()


def test_classes_differ_as_their_names_say():
    pyramid, basket, granule, purkinje = (
        [measure(cell) for cell in simulate_many(kind, 3)] for kind in ("pyramidal", "basket", "granule", "Purkinje")
    )
    assert all(m["OverallHeight"] > 1.5 * m["OverallWidth"] for m in pyramid)
    assert all(m["OverallHeight"] < 1.5 * m["OverallWidth"] for m in basket)
    assert max(m["TotalLength"] for m in granule) < min(m["TotalLength"] for m in basket)
    assert all(m["OverallDepth"] < 0.3 * m["OverallWidth"] for m in purkinje)


def test_many_have_different_seeds_and_names():
    cells = simulate_many("granule", 3, seed=4)
    assert len({cell.name for cell in cells}) == 3
    assert len({swc_bytes(cell) for cell in cells}) == 3


def test_unknown_class_names_those_there_are():
    with pytest.raises(RepairError, match="pyramidal"):
        simulate("chandelier", 0)
