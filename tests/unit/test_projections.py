"""Three views: what is covered, how thick, how smooth; and the standard position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, NeuronError
from napari_celltype.morphology.projection import align_to_axes, project
from napari_celltype.morphology.sections import edge_lengths_um
from napari_celltype.morphology.simulation import simulate


def literal_coverage(start, stop, r_start, r_stop, size: int) -> np.ndarray:
    """Coverage of one tapered stroke, pixel by pixel."""
    image = np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            run = stop - start
            along = np.clip(np.dot([x, y] - start, run) / max(run @ run, 1e-12), 0, 1)
            gap = np.linalg.norm([x, y] - (start + along * run))
            image[y, x] = np.clip(r_start + along * (r_stop - r_start) - gap + 0.5, 0, 1)
    return image


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_one_edge_equals_the_pixel_by_pixel_stroke(seed):
    rng = np.random.default_rng(seed)
    xyz, radii = rng.uniform(-10, 10, (2, 3)), rng.uniform(0.7, 1.4, 2)
    images = project(Neuron.from_arrays(xyz, [-1, 0], radii_um=radii), 40, extent_um=36, margin=0.05)
    low, high = (xyz - radii[:, None]).min(axis=0), (xyz + radii[:, None]).max(axis=0)
    for image, (across, up) in zip(images, ((0, 1), (0, 2), (2, 1)), strict=True):
        at = (xyz - (low + high) / 2)[:, [across, up]] * [1, -1] + 19.5
        expected = literal_coverage(at[0], at[1], *radii, 40)
        # a long stroke is drawn in pieces, each tapered by itself: the same but for their round ends
        np.testing.assert_allclose(image, expected, atol=0.1)


def test_views_show_x_right_y_up_z_up():
    neuron = Neuron.from_arrays([(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 10)], [-1, 0, 0, 0])
    along_z, along_y, along_x = project(neuron, 64)
    top = np.s_[:20, :]
    assert along_z[40:, 30:].sum() > 20
    assert along_z[top][:, 30:].sum() == 0
    assert along_z[top].sum() > 5
    assert along_y[top].sum() == 0
    assert along_x[top].sum() > 5


def test_thicker_neurites_cover_more_and_thin_ones_do_not_vanish():
    def drawn(radius: float) -> float:
        return float(
            project(Neuron.from_arrays([(0, 0, 0), (100, 0, 0)], [-1, 0], radii_um=[radius] * 2), 100)[0].sum()
        )

    assert drawn(0) == pytest.approx(drawn(0.01), rel=0.02)
    assert drawn(0) == pytest.approx(90, rel=0.05)
    assert drawn(5) > 5 * drawn(0)


@pytest.mark.parametrize("size", [1, 17, 224, 512])
def test_any_size_stays_between_empty_and_covered(size):
    images = project(simulate("granule", 0), size)
    assert images.shape == (3, size, size)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert 0 < images.max() <= 1


def test_same_field_puts_two_neurons_at_one_scale():
    small, large = (Neuron.from_arrays([(0, 0, 0), (x, 0, 0)], [-1, 0]) for x in (50, 100))
    widths = [(project(n, 100, extent_um=200)[0].max(axis=0) > 0.3).sum() for n in (small, large)]
    assert widths[1] == pytest.approx(2 * widths[0], abs=2)


def test_nodes_without_position_are_left_out_and_nothing_at_all_is_refused():
    neuron = Neuron.from_arrays([(0, 0, 0), (10, 0, 0), (np.nan, 0, 0)], [-1, 0, 1])
    whole = Neuron.from_arrays([(0, 0, 0), (10, 0, 0)], [-1, 0])
    np.testing.assert_array_equal(project(neuron, 32), project(whole, 32))
    with pytest.raises(NeuronError, match="nothing to draw"):
        project(Neuron.from_arrays([(np.nan, 0, 0)], [-1]))


def test_one_point_is_one_disc():
    image = project(Neuron.from_arrays([(5, 5, 5)], [-1], radii_um=[2]), 50)[0]
    assert image.sum() == pytest.approx(np.pi * (0.45 * 50) ** 2, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["pca", "xy"]))
def test_alignment_is_a_rotation_that_forgets_the_old_one(seed, method):
    rng = np.random.default_rng(seed)
    cell = simulate("pyramidal", 1)
    turn = np.linalg.qr(rng.normal(0, 1, (3, 3)))[0]
    if method == "xy":
        turn = np.eye(3)
        angle = rng.uniform(0, 6)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn *= np.sign(np.linalg.det(turn)) if method == "pca" else 1
    moved = cell.replace(xyz_um=cell.xyz_um @ turn.T + rng.normal(0, 100, 3))
    one, other = align_to_axes(cell, method), align_to_axes(moved, method)
    np.testing.assert_allclose(edge_lengths_um(one), edge_lengths_um(cell), atol=1e-9)
    np.testing.assert_allclose(one.xyz_um, other.xyz_um, atol=1e-6)
    np.testing.assert_allclose(one.xyz_um[cell.types == 1].mean(axis=0), 0, atol=1e-9)
    relative = cell.xyz_um - cell.xyz_um[0]
    if method == "xy":
        np.testing.assert_allclose(one.xyz_um[:, 2], relative[:, 2], atol=1e-9)
    spread = one.xyz_um.std(axis=0)
    assert spread[1] > spread[0]


def test_alignment_of_one_point_only_moves_it():
    assert align_to_axes(Neuron.from_arrays([(5, 6, 7)], [-1])).xyz_um.tolist() == [[0, 0, 0]]
