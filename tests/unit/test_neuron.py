"""Selecting and adding nodes keeps parents and the tie to the file's text right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype.neuron import Neuron


@st.composite
def neurons(draw: st.DrawFn) -> Neuron:
    n = draw(st.integers(1, 25))
    parents = np.array([draw(st.integers(-1, i - 1)) for i in range(n)])
    ids = np.array(draw(st.permutations(range(1, n + 1)))) * 3
    rng = np.random.default_rng(n)
    neuron = Neuron.from_arrays(
        rng.normal(size=(n, 3)), parents, types=rng.integers(1, 5, n), radii_um=rng.random(n), ids=ids
    )
    return neuron.replace(source_rows=np.arange(n))


@given(neurons(), st.data())
def test_taken_nodes_keep_their_values_and_the_parents_that_were_taken_too(neuron: Neuron, data: st.DataObject) -> None:
    rows = data.draw(st.permutations(range(len(neuron))))[: data.draw(st.integers(0, len(neuron)))]
    part = neuron.take(rows)
    np.testing.assert_array_equal(part.source_rows, np.array(rows, dtype=int))
    np.testing.assert_array_equal(part.xyz_um, neuron.xyz_um[rows].reshape(-1, 3))
    kept = set(neuron.ids[rows].tolist())
    for new, old in enumerate(rows):
        parent = int(neuron.parent_ids[old])
        assert part.parent_ids[new] == (parent if parent in kept else -1)


def test_a_mask_takes_the_rows_that_are_true() -> None:
    neuron = Neuron.from_arrays(np.zeros((4, 3)), [-1, 0, 1, 2])
    part = neuron.take(np.array([True, False, True, True]))
    np.testing.assert_array_equal(part.ids, [1, 3, 4])
    np.testing.assert_array_equal(part.parents, [-1, -1, 1])
    assert part.source_rows is None


@pytest.mark.parametrize("rows", [[0, 0], [4], [-1]])
def test_rows_that_are_not_distinct_rows_are_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="distinct rows"):
        Neuron.from_arrays(np.zeros((4, 3)), [-1, 0, 1, 2]).take(rows)


def test_new_nodes_take_type_and_radius_from_the_old_node_they_hang_on() -> None:
    neuron = Neuron.from_arrays(np.zeros((2, 3)), [-1, 0], types=[1, 4], radii_um=[5.0, 0.7], ids=[7, 9])
    grown = neuron.replace(source_rows=np.arange(2)).append(np.ones((3, 3)), [1, 2, -1])
    np.testing.assert_array_equal(grown.ids, [7, 9, 10, 11, 12])
    np.testing.assert_array_equal(grown.types, [1, 4, 4, 4, 3])
    np.testing.assert_array_equal(grown.radii_um, [5.0, 0.7, 0.7, 0.7, 0.5])
    np.testing.assert_array_equal(grown.parent_ids, [-1, 7, 9, 10, -1])
    np.testing.assert_array_equal(grown.source_rows, [0, 1, -1, -1, -1])


def test_changing_the_number_of_rows_without_saying_where_they_come_from_is_refused() -> None:
    neuron = Neuron.from_arrays(np.zeros((2, 3)), [-1, 0]).replace(source_rows=np.arange(2))
    with pytest.raises(ValueError, match="source_rows"):
        neuron.replace(
            ids=neuron.ids[:1],
            types=neuron.types[:1],
            xyz_um=neuron.xyz_um[:1],
            radii_um=neuron.radii_um[:1],
            parents=neuron.parents[:1],
        )
