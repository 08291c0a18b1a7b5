"""Finding z-jumps: both thresholds, the soma, forks and roots, the file's own z-step, broken trees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron
from napari_celltype.morphology import find_excluded_steps, find_z_jumps, measure_z_steps
from napari_celltype.morphology.zjumps import z_quantum_um


def chain(*points: tuple[float, float, float], types: list[int] | None = None) -> Neuron:
    return Neuron.from_arrays(points, np.arange(-1, len(points) - 1), types=types)


def test_tall_and_steep_step_is_a_jump():
    (jump,) = find_z_jumps(chain((0, 0, 0), (5, 0, 1), (6, 0, 21), (12, 0, 22)))
    assert (jump.node_id, jump.parent_id, jump.dz_um, jump.slope, jump.n_downstream) == (3, 2, 20.0, 20.0, 2)
    assert jump.length_downstream_um == pytest.approx(math.hypot(6, 1))


@pytest.mark.parametrize(
    ("point", "why"), [((10, 0, 14), "oblique"), ((1, 0, 9), "low")], ids=["tall but oblique", "steep but low"]
)
def test_one_threshold_alone_is_not_enough(point, why):
    assert find_z_jumps(chain((0, 0, 0), point, (20, 0, point[2]))) == []


def test_a_step_exactly_on_both_thresholds_counts():
    assert len(find_z_jumps(chain((0, 0, 0), (4, 0, 12)), min_dz_um=12, min_slope=3)) == 1


def test_vertical_step_has_infinite_slope_that_json_can_hold():
    (jump,) = find_z_jumps(chain((0, 0, 0), (0, 0, -30)))
    assert math.isinf(jump.slope)
    assert jump.dz_um == -30
    assert jump.to_json()["slope"] is None


def test_worst_comes_first_then_what_has_more_downstream():
    fork = Neuron.from_arrays(
        [(0, 0, 0), (1, 0, 20), (2, 0, 20), (0, 1, 20), (0, 2, 20), (0, 3, 20), (-1, 0, 40)], [-1, 0, 1, 0, 3, 4, 0]
    )
    assert [jump.node_id for jump in find_z_jumps(fork)] == [7, 4, 2]
    assert [jump.n_downstream for jump in find_z_jumps(fork)] == [1, 3, 2]


def test_jumps_at_a_fork_and_right_after_an_untyped_root_are_found():
    points = [(0, 0, 0), (1, 0, 15), (2, 0, 35), (2, 1, 15), (2, 2, -5)]
    found = find_z_jumps(Neuron.from_arrays(points, [-1, 0, 1, 1, 3]))
    assert {jump.node_id for jump in found} == {2, 3, 5}


def test_steps_at_the_soma_are_left_out_with_a_reason():
    neuron = chain((0, 0, 0), (1, 0, 30), (2, 0, 60), types=[1, 3, 3])
    assert [jump.node_id for jump in find_z_jumps(neuron)] == [3]
    (excluded,) = find_excluded_steps(neuron)
    assert excluded.jump.node_id == 2
    assert "soma" in excluded.reason


def test_unreadable_coordinate_is_left_out_with_a_reason():
    neuron = chain((0, 0, 0), (1, 0, math.nan), (2, 0, 60), (3, 0, 90), (4, math.inf, 0))
    assert [jump.node_id for jump in find_z_jumps(neuron)] == [4]
    assert find_excluded_steps(neuron, 0, 0)[0].reason == "a coordinate could not be read"


def test_cycle_does_not_hide_jumps_elsewhere():
    points = [(0, 0, 0), (1, 0, 30), (9, 9, 0), (9, 9, 40)]
    neuron = Neuron.from_arrays(points, [-1, 0, 3, 2])
    assert [jump.node_id for jump in find_z_jumps(neuron)] == [2]
    assert all("cycle" in step.reason for step in find_excluded_steps(neuron))


def test_single_node_and_loose_points_have_no_jumps():
    assert find_z_jumps(chain((0, 0, 0))) == []
    assert find_z_jumps(Neuron.from_arrays([(0, 0, 0), (0, 0, 99)], [-1, -1])) == []


def staircase(step: float, runs: list[int]) -> Neuron:
    z = np.repeat(np.cumsum(np.array(runs) * step), 5)
    x = np.arange(len(z)) * 1.0
    return chain(*zip(x, np.zeros_like(x), z, strict=True))


def test_single_steps_of_a_coarse_z_grid_are_no_jumps_but_taller_ones_are():
    runs = [0, *([1, -1, 1, 1, -1] * 6), 2, -3, 4, 1, -1]
    neuron = staircase(12.0, runs)
    assert measure_z_steps(neuron).quantum_um == pytest.approx(12.0)
    assert sorted(abs(j.dz_um) for j in find_z_jumps(neuron)) == [24, 36, 48]


def test_a_few_equal_jumps_in_a_flat_file_are_not_taken_for_its_grid():
    neuron = staircase(20.0, [0, 1, -1, 1, 1, -1])
    assert len(find_z_jumps(neuron)) == 5


def test_z_quantum_needs_many_multiples_of_one_step():
    rng = np.random.default_rng(3)
    assert z_quantum_um(rng.normal(0, 5, 200)) == 0 or z_quantum_um(rng.normal(0, 5, 200)) < 0.5
    assert z_quantum_um(7.5 * rng.integers(-4, 5, 200)) == pytest.approx(7.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1), st.floats(0, 40), st.floats(0, 8))
def test_selection_equals_a_literal_scan(n, seed, min_dz, min_slope):
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(rng.integers(-1, i) for i in range(1, n))])
    xyz = rng.normal(0, [3, 3, 12], (n, 3)).round(2)
    neuron = Neuron.from_arrays(xyz, parents, types=rng.integers(1, 5, n))
    expected = set()
    for i, p in enumerate(parents):
        if p < 0 or 1 in (neuron.types[i], neuron.types[p]):
            continue
        dz, dxy = abs(xyz[i, 2] - xyz[p, 2]), math.hypot(xyz[i, 0] - xyz[p, 0], xyz[i, 1] - xyz[p, 1])
        if dz >= max(min_dz, 1.5 * measure_z_steps(neuron).quantum_um) and dz >= min_slope * dxy * (1 - 1e-12):
            expected.add(i + 1)
    found = find_z_jumps(neuron, min_dz, min_slope)
    borderline = {j.node_id for j in found if abs(j.slope - min_slope) < 1e-9}
    assert {j.node_id for j in found} - borderline == expected - borderline
    heights = [abs(j.dz_um) for j in found]
    assert heights == sorted(heights, reverse=True)


def test_steep_course_beside_a_step_is_told():
    flat = chain((0, 0, 0), (3, 0, 0), (6, 0, 0), (9, 0, 0), (10, 0, 30), (13, 0, 30), (16, 0, 30), (19, 0, 30))
    column = chain(
        *((0.1 * i, 0, 3 * i) for i in range(5)), (0.6, 0, 42), *((0.7, 0.2 * i, 45 + 3 * i) for i in range(5))
    )
    against = chain((0, 0, 0), (0, 0, 3), (0, 0, 6), (0, 0, 9), (1, 0, -20), (4, 0, -20), (7, 0, -20), (9, 0, -20))
    assert [find_z_jumps(neuron)[0].steep_beside for neuron in (flat, column, against)] == [False, True, False]


def test_steep_course_needs_three_steps_and_survives_missing_values():
    short = chain((0, 0, 0), (0, 0, 3), (0, 0, 6), (0, 0, 40), (0, 0, 44))
    gap = chain((0, 0, 0), (math.nan, 0, 3), (0, 0, 6), (0, 0, 6), (0, 0, 40), (0, 0, 40))
    assert [jump.steep_beside for neuron in (short, gap) for jump in find_z_jumps(neuron)] == [False, False]
