"""Varied copies: seeded, sound, and varied by as much as asked; injected jumps with their truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, RepairError
from napari_celltype.morphology import find_z_jumps, measure, repair_z_jumps
from napari_celltype.morphology.augmentation import (
    Augmentation,
    add_branches,
    augment,
    delete_branches,
    inject_z_jumps,
    jitter,
    rotate,
    scale,
    z_jump_sites,
)
from napari_celltype.morphology.sections import edge_lengths_um
from napari_celltype.morphology.simulation import simulate


@pytest.fixture(scope="module")
def cell() -> Neuron:
    return simulate("pyramidal", 3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_same_generator_gives_the_same_copy(cell):
    first, second = (augment(cell, rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.xyz_um, second.xyz_um)
    assert not np.array_equal(first.xyz_um, augment(cell, rng(6)).xyz_um[: len(first)])


def test_a_tenth_of_the_branches_goes_and_comes(cell):
    before = measure(cell)["NumberBranches"]
    fewer = delete_branches(cell, rng(1))
    assert 0.8 * before <= measure(fewer)["NumberBranches"] < before
    more = add_branches(cell, rng(1))
    assert measure(more)["NumberBifurcations"] > measure(cell)["NumberBifurcations"]
    added = measure(more)["NumberBranches"] - before
    assert 0.1 * before <= added <= 0.25 * before
    for copy in (fewer, more):
        assert len(copy.roots) == 1
        assert not copy.has_cycle


def test_rotation_keeps_lengths_and_about_z_keeps_depth(cell):
    turned = rotate(cell, rng(2), "any")
    np.testing.assert_allclose(edge_lengths_um(turned), edge_lengths_um(cell), atol=1e-9)
    np.testing.assert_allclose(rotate(cell, rng(2), "z").xyz_um[:, 2], cell.xyz_um[:, 2], atol=1e-9)
    with pytest.raises(RepairError, match="about 'x'"):
        rotate(cell, rng(2), "x")


def test_scaling_multiplies_all_sizes(cell):
    assert measure(scale(cell, 2))["TotalVolume"] == pytest.approx(8 * measure(cell)["TotalVolume"])


def test_jitter_is_as_large_as_asked_and_smooth_along_the_neurite(cell):
    moved = jitter(cell, rng(3), 0.5).xyz_um - cell.xyz_um
    far = cell.order[200:]
    assert 0.3 < moved[far].std() < 0.7
    assert np.abs(moved[far] - moved[cell.parents[far]]).mean() < 0.35
    assert not moved[cell.types == 1].any()


def test_axon_goes_when_asked(cell):
    how = Augmentation(branches=0, jitter_um=0, rotate=None, scale=0, remove_axon=1.0)
    assert 2 not in augment(cell, rng(), how).types
    assert augment(cell, rng(), Augmentation(0, 0, None, 0)) is cell


def test_spacing_is_drawn_from_its_range(cell):
    how = Augmentation(branches=0, jitter_um=0, rotate=None, scale=0, spacing_um=(8.0, 9.0))
    steps = edge_lengths_um(augment(cell, rng(), how))
    assert 6 < np.median(steps[steps > 0]) < 10


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["anywhere", "forks", "runs", "soma"]))
def test_injected_jumps_are_found_and_repair_gives_back_the_truth(seed, where):
    truth = simulate("granule", 1)
    generator = rng(seed)
    sites = z_jump_sites(truth, generator, 4, where, max_dxy_um=4.0)
    heights = generator.choice([-1, 1], len(sites)) * generator.uniform(20, 60, len(sites))
    damaged = inject_z_jumps(truth, sites, heights)
    found = find_z_jumps(damaged)
    assert {jump.node_id for jump in found} == set(sites)
    repaired = repair_z_jumps(damaged, found)
    step = np.abs(truth.xyz_um[:, 2] - truth.xyz_um[truth.parents, 2])[truth.rows_of(sites)].sum() if sites else 0
    assert np.abs(repaired.xyz_um - truth.xyz_um).max() <= step + 1e-6


def test_unknown_places_for_jumps_are_refused(cell):
    with pytest.raises(RepairError, match="'moon'"):
        z_jump_sites(cell, rng(), 3, "moon")


def test_one_node_survives_every_variation():
    alone = Neuron.from_arrays([(0, 0, 0)], [-1], types=[1])
    assert len(augment(alone, rng(), Augmentation(spacing_um=(1, 2), remove_axon=1.0))) == 1
