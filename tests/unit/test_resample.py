"""Resampling, smoothing, pruning, reordering and joining."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, NeuronError, RepairError, read_neuron
from napari_celltype.morphology import measure
from napari_celltype.morphology.pruning import remove_twigs, remove_type
from napari_celltype.morphology.reordering import join_pieces, renumber, reroot, sort_nodes
from napari_celltype.morphology.resampling import resample
from napari_celltype.morphology.sections import SOMA, edge_lengths_um, split_sections
from napari_celltype.morphology.smoothing import align_diameters, smooth_z


def random_neuron(seed: int, n: int) -> Neuron:
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(int(rng.integers(max(0, i - 3), i)) for i in range(1, n))])
    xyz = np.zeros((n, 3))
    for i in range(1, n):
        xyz[i] = xyz[parents[i]] + rng.normal(0, 4, 3)
    types = np.array([1, *rng.integers(3, 5, n - 1)])
    order = rng.permutation(n)
    place = np.argsort(order)
    return Neuron.from_arrays(
        xyz[order], np.where(parents >= 0, place[parents], -1)[order], types=types[order], radii_um=rng.uniform(0, 2, n)
    )


def sections_of(neuron: Neuron) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sections = split_sections(neuron.parents, neuron.types == SOMA)
    return sections, sections.total(edge_lengths_um(neuron)), sections.n_edges


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.floats(0.2, 20), st.sampled_from([0.02, 0.2, None]))
def test_even_resampling_keeps_forks_tips_and_length(seed, n, spacing, loss):
    neuron = random_neuron(seed, n)
    new = resample(neuron, spacing, max_length_loss=loss)
    old_length, new_length = (measure(x)["TotalLength"] for x in (neuron, new))
    assert new_length <= old_length * (1 + 1e-9)
    if loss is not None:
        assert new_length >= (1 - loss) * old_length - 1e-9
    for name in ("NumberBifurcations", "NumberBranches", "NumberStems", "MaxBranchOrder", "SomaSurface"):
        assert measure(new)[name] == measure(neuron)[name]
    special = neuron.xyz_um[(neuron.n_children != 1) | (neuron.parents < 0)]
    kept = new.xyz_um[(new.n_children != 1) | (new.parents < 0)]
    assert {tuple(p) for p in special} == {tuple(p) for p in kept}
    assert (new.parents < np.arange(len(new))).all()
    assert new.ids.tolist() == list(range(1, len(new) + 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.floats(0.3, 5))
def test_nodes_of_a_straight_section_stand_evenly(seed, n, spacing):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.01, 9, n))
    neuron = Neuron.from_arrays(np.column_stack([x, 2 * x, -x]), np.arange(-1, n - 1))
    steps = edge_lengths_um(resample(neuron, spacing))[1:]
    total = edge_lengths_um(neuron).sum()
    np.testing.assert_allclose(steps, total / max(round(total / spacing), 1), rtol=1e-9)


def test_type_changes_and_radii_are_kept():
    points = [(0, 0, 0), (10, 0, 0), (20, 0, 0), (30, 0, 0)]
    neuron = Neuron.from_arrays(points, range(-1, 3), types=[1, 3, 3, 2], radii_um=[5, 1, 3, 3])
    new = resample(neuron, 5)
    assert new.xyz_um[:, 0].tolist() == [0, 10, 15, 20, 25, 30]
    assert new.types.tolist() == [1, 3, 3, 3, 2, 2]
    assert new.radii_um.tolist() == [5, 1, 2, 3, 3, 3]


def test_length_limit_puts_nodes_closer_where_a_neurite_winds():
    angle = np.linspace(0, 8 * np.pi, 400)
    coil = Neuron.from_arrays(np.column_stack([np.cos(angle), np.sin(angle), angle / 10]) * 5, np.arange(-1, 399))
    free = measure(resample(coil, 15, max_length_loss=None))["TotalLength"]
    held = measure(resample(coil, 15, max_length_loss=0.05))["TotalLength"]
    full = measure(coil)["TotalLength"]
    assert free < 0.9 * full
    assert 0.95 * full <= held <= full


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 50), st.floats(0.5, 8))
def test_grid_resampling_steps_a_whole_spacing_along_the_path(seed, n, spacing):
    neuron = random_neuron(seed, n)
    new = resample(neuron, spacing, method="grid")
    assert (edge_lengths_um(new) <= spacing * (1 + 1e-9)).all()
    assert len(new.roots) == 1
    path = measure(neuron)["MaxPathDistance"]
    depth = max(_depths(new))
    assert abs(depth * spacing - path) <= spacing * (0.5 + 1e-6)


def _depths(neuron: Neuron) -> list[int]:
    depths: dict[int, int] = {}
    for row in neuron.order:
        parent = int(neuron.parents[row])
        depths[int(row)] = 0 if parent < 0 else depths[parent] + 1
    return list(depths.values())


def test_what_cannot_be_resampled_is_refused():
    gap = Neuron.from_arrays([(0, 0, 0), (1, np.nan, 0)], [-1, 0])
    with pytest.raises(RepairError, match="could not be read"):
        resample(gap)
    fine = Neuron.from_arrays([(0, 0, 0), (1000, 0, 0)], [-1, 0])
    for spacing, message in ((0, "above zero"), (float("nan"), "above zero"), (1e-6, "would make")):
        with pytest.raises(RepairError, match=message):
            resample(fine, spacing)
    with pytest.raises(RepairError, match="no resampling method"):
        resample(fine, 1, method="odd")
    with pytest.raises(NeuronError, match="resampled"):
        resample(Neuron.from_arrays([(0, 0, 0), (1, 0, 0)], [1, 0]))


@pytest.mark.parametrize("method", ["even", "grid"])
def test_single_nodes_and_coincident_nodes_pass(method):
    alone = Neuron.from_arrays([(1, 2, 3)], [-1])
    assert resample(alone, 1, method=method).xyz_um.tolist() == [[1, 2, 3]]
    stacked = Neuron.from_arrays(np.ones((6, 3)), [-1, 0, 1, 1, 3, 4])
    assert np.isfinite(resample(stacked, 1, method=method).xyz_um).all()


def test_resampling_gives_new_lines_but_keeps_the_file_attached(tmp_path):
    path = tmp_path / "a.swc"
    path.write_text("# note\n1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 0 0 1 2\n")
    new = resample(read_neuron(path), 4)
    assert new.source_rows.tolist() == [0, 1, -1, 2]


# smoothing -----------------------------------------------------------------------------------------------------------


def test_smoothing_leaves_straight_slopes_and_flattens_noise():
    x = np.arange(200.0)
    rng = np.random.default_rng(0)
    noisy = Neuron.from_arrays(np.column_stack([x, 0 * x, rng.normal(0, 1, 200)]), np.arange(-1, 199))
    smooth = smooth_z(noisy, 5)
    assert smooth.xyz_um[20:, 2].std() < 0.45
    np.testing.assert_array_equal(smooth.xyz_um[:, :2], noisy.xyz_um[:, :2])
    sloped = Neuron.from_arrays(np.column_stack([x, 0 * x, 0.5 * x]), np.arange(-1, 199))
    np.testing.assert_allclose(smooth_z(sloped, 5).xyz_um[20:170, 2], 0.5 * x[20:170], atol=0.05)


def test_smoothing_equals_a_dense_solution_and_holds_the_soma():
    neuron = random_neuron(4, 30)
    length = np.maximum(edge_lengths_um(neuron), 1e-3)
    matrix, z = np.zeros((30, 30)), neuron.xyz_um[:, 2]
    mass = np.zeros(30)
    for i, p in enumerate(neuron.parents):
        if p >= 0:
            mass[[i, p]] += length[i] / 2
            matrix[[i, p], [i, p]] += 9 / length[i]
            matrix[[i, p], [p, i]] -= 9 / length[i]
    matrix += np.diag(mass)
    fixed = np.flatnonzero((neuron.types == 1) | (neuron.parents < 0))
    matrix[fixed] = np.eye(30)[fixed]
    right = mass * z
    right[fixed] = z[fixed]
    np.testing.assert_allclose(smooth_z(neuron, 3).xyz_um[:, 2], np.linalg.solve(matrix, right), atol=1e-9)


def test_smoothing_over_nothing_changes_nothing():
    neuron = random_neuron(4, 10)
    assert smooth_z(neuron, 0) is neuron
    with pytest.raises(RepairError, match="zero or above"):
        smooth_z(neuron, -1)


def test_diameters_come_into_range_and_the_soma_stays():
    neuron = Neuron.from_arrays(
        [(i, 0, 0) for i in range(4)], range(-1, 3), types=[1, 3, 3, 3], radii_um=[9, 0, 1.5, np.nan]
    )
    assert align_diameters(neuron).radii_um.tolist() == [9, 1, 1.5, 1]
    with pytest.raises(RepairError, match="min <= max"):
        align_diameters(neuron, 3, 2)


# pruning -------------------------------------------------------------------------------------------------------------


def test_short_twigs_go_but_the_longest_branch_of_a_fork_stays():
    points = [(0, 0, 0), (10, 0, 0), (10, 2, 0), (20, 0, 0), (20, 1, 0), (21, 0, 0)]
    neuron = Neuron.from_arrays(points, [-1, 0, 1, 1, 3, 3], types=[1, 3, 3, 3, 3, 3])
    assert remove_twigs(neuron, 3).ids.tolist() == [1, 2, 4, 5]
    assert remove_twigs(neuron, 0.5).ids.tolist() == [1, 2, 3, 4, 5, 6]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 50), st.floats(0, 15))
def test_twigs_taken_off_are_whole_and_short(seed, n, longest):
    neuron = random_neuron(seed, n)
    left = set(remove_twigs(neuron, longest).ids.tolist())
    length = edge_lengths_um(neuron)
    for i, node_id in enumerate(neuron.ids.tolist()):
        parent = int(neuron.parents[i])
        if node_id not in left and parent >= 0 and int(neuron.ids[parent]) in left:
            assert _reach(neuron, length, i) <= longest + 1e-9
    tips = neuron.ids[(neuron.n_children == 0)].tolist()
    assert left & set(tips)


def _reach(neuron: Neuron, length: np.ndarray, row: int) -> float:
    below = [_reach(neuron, length, int(c)) for c in np.flatnonzero(neuron.parents == row)]
    return float(length[row] + max(below, default=0.0))


def test_removing_the_axon_takes_what_hangs_on_it():
    neuron = Neuron.from_arrays([(i, 0, 0) for i in range(5)], [-1, 0, 1, 2, 0], types=[1, 2, 2, 3, 3])
    assert remove_type(neuron, 2).ids.tolist() == [1, 5]
    with pytest.raises(RepairError, match="nothing would be left"):
        remove_type(neuron, 1)


# order, root and pieces ----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 50))
def test_rerooting_and_sorting_keep_every_link(seed, n):
    neuron = random_neuron(seed, n)
    target = int(np.random.default_rng(seed).choice(neuron.ids))
    turned = sort_nodes(reroot(neuron, target))
    assert turned.ids[turned.roots].tolist() == [target]
    assert (turned.parents < np.arange(n)).all()

    def edges(x: Neuron) -> set[frozenset[int]]:
        return {frozenset((int(a), int(b))) for a, b in zip(x.ids, x.parent_ids, strict=True) if b >= 0}

    assert edges(turned) == edges(neuron)
    assert renumber(turned).ids.tolist() == list(range(1, n + 1))


def test_pieces_are_joined_by_their_shortest_gaps():
    points = [(0, 0, 0), (10, 0, 0), (30, 0, 0), (12, 0, 0), (12, 50, 0), (31, 0, 0), (90, 0, 0)]
    neuron = Neuron.from_arrays(points, [-1, 0, -1, 2, -1, 4, -1], types=[1, 3, 3, 3, 3, 3, 3])
    joined = join_pieces(neuron)
    links = dict(zip(joined.ids.tolist(), joined.parent_ids.tolist(), strict=True))
    assert links == {1: -1, 2: 1, 3: 4, 4: 2, 5: 6, 6: 3, 7: 6}
    near = join_pieces(neuron, max_gap_um=5)
    assert len(near.roots) == 2
    np.testing.assert_array_equal(joined.xyz_um, neuron.xyz_um)


def test_too_many_loose_points_are_not_guessed_together():
    loose = Neuron.from_arrays(np.zeros((3000, 3)), np.full(3000, -1))
    with pytest.raises(RepairError, match="3000 pieces"):
        join_pieces(loose)
