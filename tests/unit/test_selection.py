"""Selecting cells by drawing around them, and telling everybody."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype.workbench import Document
from napari_celltype.workbench.selection import SelectedCells, inside, selected_cells_of

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]


def test_points_inside_a_square_are_found_whichever_way_round_it_is_drawn():
    points = np.array([(2, 2), (5, 2), (-1, 2), (2, -1), (3.9, 0.1)])
    assert inside(SQUARE, points).tolist() == [True, False, False, False, True]
    assert (inside(SQUARE[::-1], points) == inside(SQUARE, points)).all()


def test_a_hollow_in_the_lasso_is_left_out():
    horseshoe = [(0, 0), (6, 0), (6, 6), (4, 6), (4, 2), (2, 2), (2, 6), (0, 6)]
    assert inside(horseshoe, [(1, 5), (3, 5), (5, 5), (3, 1)]).tolist() == [True, False, True, True]


@pytest.mark.parametrize("corners", [[], [(0, 0)], [(0, 0), (1, 1)], [(1, 1), (1, 1), (1, 1)]])
def test_a_lasso_without_area_selects_nothing(corners):
    assert not inside(np.reshape(corners, (-1, 2)), [(0, 0), (1, 1), (0.5, 0.5)]).any()


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=9))
def test_turning_and_moving_the_lasso_with_its_points_changes_nothing(corners):
    points = np.random.default_rng(0).uniform(-6, 6, size=(60, 2))
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    near_line = _distance_to_lines(np.array(corners), points) < 1e-6
    turned = inside(np.array(corners) @ quarter.T + 3, points @ quarter.T + 3)
    assert (turned == inside(corners, points))[~near_line].all()


def _distance_to_lines(corners, points):
    starts, ways = corners, np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum((ways**2).sum(axis=1), 1e-300)
    along = np.clip(((points[:, None] - starts) * ways).sum(axis=-1) / lengths, 0, 1)
    return np.linalg.norm(points[:, None] - starts - along[..., None] * ways, axis=-1).min(axis=1)


def test_a_new_selection_is_told_once_and_the_same_again_not_at_all():
    cells, heard = SelectedCells(), []
    cells.changed.connect(heard.append)
    cells.select("map", [3, 1, 3], ["a", "a"])
    cells.select("map", [1, 3], ["a"])
    assert len(heard) == 1
    assert heard[0].rows.tolist() == [1, 3]
    assert heard[0].items == ("a",)
    cells.clear()
    assert len(heard[1]) == 0
    assert heard[1].source == ""


def test_each_document_has_its_own_selection_and_takes_it_along_when_it_goes():
    one, other = Document(), Document()
    assert selected_cells_of(one) is selected_cells_of(one)
    assert selected_cells_of(one) is not selected_cells_of(other)
    gone = weakref.ref(selected_cells_of(one))
    del one
    gc.collect()
    assert gone() is None
