"""Tree arithmetic against literal loops, on random forests with shuffled numbering."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype import tree


@st.composite
def forests(draw: st.DrawFn) -> np.ndarray:
    n = draw(st.integers(1, 40))
    parents = [draw(st.integers(-1, i - 1)) for i in range(n)]
    place = draw(st.permutations(range(n)))
    shuffled = np.full(n, -1)
    for i, p in enumerate(parents):
        shuffled[place[i]] = -1 if p < 0 else place[p]
    return shuffled


def ancestors(i: int, parents: np.ndarray) -> list[int]:
    path = [i]
    while parents[path[-1]] >= 0:
        path.append(int(parents[path[-1]]))
    return path


@given(forests())
def test_sums_sizes_and_depths_equal_a_walk_over_ancestors(parents: np.ndarray) -> None:
    n = len(parents)
    values = np.random.default_rng(n).normal(size=n)
    paths = [ancestors(i, parents) for i in range(n)]
    below = [[j for j in range(n) if i in paths[j]] for i in range(n)]
    np.testing.assert_array_equal(tree.depths(parents), [len(p) - 1 for p in paths])
    np.testing.assert_allclose(tree.root_path_sum(values, parents), [values[p].sum() for p in paths], atol=1e-12)
    np.testing.assert_array_equal(tree.subtree_sizes(parents), [len(b) for b in below])
    np.testing.assert_allclose(tree.subtree_sum(values, parents), [values[b].sum() for b in below], atol=1e-12)


@given(forests())
def test_orders_put_parents_first_and_subtrees_together(parents: np.ndarray) -> None:
    n = len(parents)
    for order in (tree.topological_order(parents), tree.preorder(parents)):
        assert sorted(order) == list(range(n))
        place = np.argsort(order)
        assert all(parents[i] < 0 or place[parents[i]] < place[i] for i in range(n))
    place = np.argsort(tree.preorder(parents))
    for i in range(n):
        inside = sorted(place[j] for j in range(n) if i in ancestors(j, parents))
        assert inside == list(range(inside[0], inside[0] + len(inside)))


@given(forests())
def test_children_table_lists_each_child_once(parents: np.ndarray) -> None:
    children, start = tree.children_table(parents)
    for i in range(len(parents)):
        assert sorted(children[start[i] : start[i + 1]]) == list(np.flatnonzero(parents == i))
    assert sorted(children[start[len(parents)] :]) == list(np.flatnonzero(parents < 0))
    np.testing.assert_array_equal(tree.child_counts(parents), np.diff(start)[:-1])


@given(forests())
def test_a_forest_has_no_cycle(parents: np.ndarray) -> None:
    assert not tree.on_cycle(parents).any()
    assert not tree.on_or_under_cycle(parents).any()


def test_cycle_is_told_from_what_hangs_on_it() -> None:
    parents = np.array([-1, 0, 3, 2, 3, 5, 0, 5])
    np.testing.assert_array_equal(np.flatnonzero(tree.on_cycle(parents)), [2, 3, 5])
    np.testing.assert_array_equal(np.flatnonzero(tree.on_or_under_cycle(parents)), [2, 3, 4, 5, 7])


@pytest.mark.parametrize("shape", ["chain", "star", "loose"])
def test_extreme_shapes_of_a_hundred_thousand_nodes_need_no_recursion(shape: str) -> None:
    n = 100_000
    parents = {
        "chain": np.arange(n) - 1,
        "star": np.r_[-1, np.zeros(n - 1, dtype=int)],
        "loose": np.full(n, -1),
    }[shape]
    sizes = tree.subtree_sizes(parents)
    expected = {"chain": n - np.arange(n), "star": np.r_[n, np.ones(n - 1)], "loose": np.ones(n)}[shape]
    np.testing.assert_array_equal(sizes, expected)
