"""Repairing z-jumps: the four ways, any subset in any order, the TREES definition, clear refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, RepairError
from napari_celltype.morphology import find_z_jumps, repair_z_jumps, zcorr


def forest(seed: int, n: int, spread_z: float = 12.0) -> Neuron:
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(int(rng.integers(max(0, i - 4), i)) for i in range(1, n))])
    shuffled = rng.permutation(n)
    place = np.argsort(shuffled)
    parents = np.where(parents >= 0, place[parents], -1)[shuffled]
    xyz = rng.normal(0, [4, 4, spread_z], (n, 3)).round(3)
    return Neuron.from_arrays(xyz, parents, types=rng.integers(2, 5, n), ids=rng.permutation(n) + 10)


def subtree(parents: np.ndarray, row: int) -> list[int]:
    found, waiting = [], [row]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(np.flatnonzero(parents == found[-1]))
    return found


def literal_zcorr(neuron: Neuron, threshold: float) -> np.ndarray:
    """The TREES rule word for word: heights once, then each offender's whole subtree, one after another."""
    z = neuron.xyz_um[:, 2].copy()
    rise = [z[p] - z[i] if p >= 0 else 0.0 for i, p in enumerate(neuron.parents)]
    for row, height in enumerate(rise):
        if abs(height) > threshold:
            z[subtree(neuron.parents, row)] += height
    return z


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 120), st.sampled_from([0.0, 1.0, 5.0, 10.0, 30.0]))
def test_zcorr_equals_the_literal_loop(seed, n, threshold):
    neuron = forest(seed, n)
    np.testing.assert_allclose(zcorr(neuron, threshold).xyz_um[:, 2], literal_zcorr(neuron, threshold), atol=1e-9)


def test_zcorr_threshold_is_strict():
    neuron = Neuron.from_arrays([(0, 0, 0), (1, 0, 5), (2, 0, 10.5)], [-1, 0, 1])
    assert zcorr(neuron, 5.0).xyz_um[:, 2].tolist() == [0, 5, 5]


def test_zcorr_changes_only_heights():
    neuron = forest(1, 50)
    fixed = zcorr(neuron, 5)
    np.testing.assert_array_equal(fixed.xyz_um[:, :2], neuron.xyz_um[:, :2])
    for column in ("ids", "types", "radii_um", "parents"):
        np.testing.assert_array_equal(getattr(fixed, column), getattr(neuron, column))


@pytest.fixture
def fork() -> Neuron:
    """A jump at node 3, which is itself a fork; its two branches carry on from there."""
    points = [(0, 0, 0), (5, 0, 0), (6, 0, 25), (10, 0, 25), (14, 0, 26), (6, 5, 25), (6, 9, 27)]
    return Neuron.from_arrays(points, [-1, 0, 1, 2, 3, 2, 5])


def test_align_at_a_fork_moves_each_branch_once(fork):
    fixed = repair_z_jumps(fork)
    assert fixed.xyz_um[:, 2].tolist() == [0, 0, 0, 0, 1, 0, 2]
    assert find_z_jumps(fixed) == []


def test_align_leaves_every_other_step_as_it_was():
    neuron = forest(5, 80)
    chosen = [j.node_id for j in find_z_jumps(neuron, 10, 1)][::2]
    fixed = repair_z_jumps(neuron, chosen)
    before = neuron.xyz_um[:, 2] - neuron.xyz_um[neuron.parents, 2]
    after = fixed.xyz_um[:, 2] - fixed.xyz_um[fixed.parents, 2]
    rows = neuron.rows_of(chosen)
    assert np.abs(after[rows]).max() == 0
    others = np.setdiff1d(np.flatnonzero(neuron.parents >= 0), rows)
    np.testing.assert_allclose(after[others], before[others], atol=1e-9)


def test_split_keeps_both_ends_of_the_section_and_shares_the_jump_by_length():
    points = [(0, 0, 0), (10, 0, 0), (10, 0, 40), (30, 0, 40), (40, 0, 40), (50, 0, 41), (50, 10, 40)]
    neuron = Neuron.from_arrays(points, [-1, 0, 1, 2, 3, 4, 4])
    fixed = repair_z_jumps(neuron, [3], "split")
    np.testing.assert_allclose(fixed.xyz_um[:, 2], [0, 10, 10, 30, 40, 41, 40], atol=1e-4)


def test_tilt_flattens_the_step_and_fades_out_before_the_next_fork():
    points = [(0, 0, 0), (10, 0, 0), (10, 0, 40), (30, 0, 40), (50, 0, 40), (60, 0, 41), (50, 10, 40)]
    neuron = Neuron.from_arrays(points, [-1, 0, 1, 2, 3, 4, 4])
    fixed = repair_z_jumps(neuron, [3], "tilt")
    np.testing.assert_allclose(fixed.xyz_um[:, 2], [0, 0, 0, 20, 40, 41, 40], atol=1e-4)


def test_tilt_at_a_fork_fades_out_along_each_branch(fork):
    fixed = repair_z_jumps(fork, [3], "tilt")
    np.testing.assert_allclose(fixed.xyz_um[:, 2], [0, 0, 0, 12.5, 26, 25 - 25 * 4 / 9, 27], atol=1e-3)


def test_tilt_at_a_tip_lays_it_flat():
    neuron = Neuron.from_arrays([(0, 0, 0), (1, 0, 0), (1, 1, 30), (2, 0, 0)], [-1, 0, 1, 1])
    assert repair_z_jumps(neuron, [3], "tilt").xyz_um[:, 2].tolist() == [0, 0, 0, 0]


def test_tilt_at_an_untyped_root_and_of_a_vertical_run_shares_by_nodes():
    neuron = Neuron.from_arrays([(0, 0, 0), (0, 0, 30), (0, 0, 31), (0, 0, 32)], [-1, 0, 1, 2])
    np.testing.assert_allclose(repair_z_jumps(neuron, [2], "tilt").xyz_um[:, 2], [0, 0, 16, 32], atol=1e-6)


def test_cut_detaches_and_moves_nothing(fork):
    fixed = repair_z_jumps(fork, [3], "cut")
    assert fixed.parents.tolist() == [-1, 0, -1, 2, 3, 2, 5]
    np.testing.assert_array_equal(fixed.xyz_um, fork.xyz_um)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 80), st.randoms(use_true_random=False))
def test_order_of_jumps_does_not_matter_and_modes_mix(seed, n, shuffler):
    neuron = forest(seed, n)
    jumps = find_z_jumps(neuron, 8, 0.5)
    modes = {j.node_id: ("align", "split", "tilt", "cut")[j.node_id % 4] for j in jumps}
    once = repair_z_jumps(neuron, jumps, modes)
    shuffler.shuffle(jumps)
    again = repair_z_jumps(neuron, [j.node_id for j in jumps], modes)
    np.testing.assert_array_equal(once.xyz_um, again.xyz_um)
    np.testing.assert_array_equal(once.parents, again.parents)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 80))
def test_aligning_one_by_one_equals_all_at_once(seed, n):
    neuron = forest(seed, n)
    jumps = find_z_jumps(neuron, 8, 0.5)
    step_by_step = neuron
    for jump in jumps:
        step_by_step = repair_z_jumps(step_by_step, [jump.node_id])
    np.testing.assert_array_equal(step_by_step.xyz_um, repair_z_jumps(neuron, jumps).xyz_um)


def literal_tilt(neuron: Neuron, rows: list[int]) -> np.ndarray:
    z, xy = neuron.xyz_um[:, 2].copy(), neuron.xyz_um[:, :2]
    children = [np.flatnonzero(neuron.parents == i) for i in range(len(neuron))]
    for row in rows:
        height = neuron.xyz_um[row, 2] - neuron.xyz_um[neuron.parents[row], 2]
        z[row] -= height
        runs = [[row, *([c] if len(children[row]) else [])] for c in children[row]]
        for run in runs:
            while len(children[run[-1]]) == 1:
                run.append(children[run[-1]][0])
            along = np.cumsum([0, *(math.dist(xy[b], xy[a]) + 1e-6 for a, b in itertools.pairwise(run))])
            for place, node in list(zip(along, run, strict=True))[1:]:
                z[node] -= height * (1 - place / along[-1])
    return z


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 80))
def test_tilt_of_many_jumps_equals_the_literal_rule(seed, n):
    neuron = forest(seed, n)
    jumps = find_z_jumps(neuron, 8, 0.5)
    rows = neuron.rows_of([j.node_id for j in jumps]).tolist() if jumps else []
    fixed = repair_z_jumps(neuron, jumps, "tilt")
    np.testing.assert_allclose(fixed.xyz_um[:, 2], literal_tilt(neuron, rows), atol=2e-3)


def test_no_jumps_gives_the_same_arrays():
    neuron = Neuron.from_arrays([(0, 0, 0), (9, 0, 1)], [-1, 0])
    for mode in ("align", "split", "tilt", "cut"):
        assert repair_z_jumps(neuron, mode=mode).xyz_um is neuron.xyz_um


def test_repaired_heights_keep_the_decimals_of_the_file():
    neuron = Neuron.from_arrays([(0, 0, 0.1), (0, 1, 30.3), (0, 2, 30.35), (0, 3, 30.37)], [-1, 0, 1, 2])
    assert repair_z_jumps(neuron).xyz_um[:, 2].tolist() == [0.1, 0.1, 0.15, 0.17]


@pytest.mark.parametrize(
    ("jumps", "mode", "message"),
    [
        ([77], "align", "no node has id 77"),
        ([1], "align", "node 1 is a root"),
        ([2], "squash", "no repair mode 'squash'"),
        ([2], {2: "bend"}, "no repair mode 'bend'"),
        ([3], "align", "coordinate could not be read"),
    ],
)
def test_impossible_repairs_say_why(jumps, mode, message):
    neuron = Neuron.from_arrays([(0, 0, 0), (1, 0, 30), (2, 0, math.nan)], [-1, 0, 1])
    with pytest.raises(RepairError, match=message):
        repair_z_jumps(neuron, jumps, mode)


def test_ambiguous_ids_and_cycles_are_refused():
    twice = Neuron.from_arrays([(0, 0, 0), (1, 0, 30), (2, 0, 30)], [-1, 0, 1], ids=[1, 2, 2])
    with pytest.raises(RepairError, match="more than one node"):
        repair_z_jumps(twice, [2])
    looped = Neuron.from_arrays([(0, 0, 0), (1, 0, 30), (2, 0, 30)], [-1, 2, 1])
    for repair in (repair_z_jumps, zcorr):
        with pytest.raises(RepairError, match="cycle"):
            repair(looped)


@pytest.mark.parametrize("mode", ["align", "split", "tilt", "cut"])
def test_one_node_and_missing_heights_pass_without_noise(mode):
    alone = Neuron.from_arrays([(0, 0, 0)], [-1])
    assert repair_z_jumps(alone, mode=mode).xyz_um.tolist() == [[0, 0, 0]]
    gap = Neuron.from_arrays([(0, 0, 0), (1, 0, math.nan), (2, 0, 0), (3, 0, 40), (4, 0, math.inf)], range(-1, 4))
    fixed = repair_z_jumps(gap, mode=mode)
    np.testing.assert_array_equal(np.isnan(fixed.xyz_um), np.isnan(gap.xyz_um))
