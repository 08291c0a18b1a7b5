"""Splits: no donor on two sides, every class on each, the same for the same seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype.training.splits import donor_folds, nested_donor_folds, paper_split, split_donors


def population(seed: int, n: int = 400, n_donors: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    donors = rng.integers(n_donors, size=n)
    kind = rng.integers(5, size=n_donors)
    truth = np.where(rng.random(n) < 0.7, kind[donors], rng.integers(5, size=n))
    return truth.astype(np.intp), donors.astype(np.int64)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_no_donor_is_on_two_sides_and_no_cell_is_lost(seed: int) -> None:
    truth, donors = population(seed)
    split = split_donors(truth, donors, seed=seed)
    parts = split.train, split.validation, split.test
    assert sorted(np.concatenate(parts)) == list(range(len(truth)))
    sides = [set(donors[rows]) for rows in parts]
    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & sides[2]
    assert all(len(set(truth[rows])) == 5 for rows in parts)
    assert abs(len(split.test) / len(truth) - 0.2) < 0.06


def test_folds_cover_every_cell_once_and_keep_class_shares() -> None:
    truth, donors = population(0, n=1000, n_donors=400)
    folds = donor_folds(truth, donors, 10, seed=3)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(1000))
    overall = np.bincount(truth) / len(truth)
    for train, test in folds:
        assert not set(donors[train]) & set(donors[test])
        assert np.abs(np.bincount(truth[test], minlength=5) / len(test) - overall).max() < 0.08


def test_the_same_seed_gives_the_same_folds_and_another_seed_others() -> None:
    truth, donors = population(1)
    first, again, other = (donor_folds(truth, donors, 5, seed=s)[0][1].tolist() for s in (7, 7, 8))
    assert first == again != other


def test_inner_folds_never_see_the_outer_test_donors() -> None:
    truth, donors = population(2)
    for train, test, inner in nested_donor_folds(truth, donors, 4, 3, seed=0):
        held_out = set(donors[test])
        for fit, check in inner:
            assert not held_out & set(donors[np.concatenate([fit, check])])
            assert not set(donors[fit]) & set(donors[check])
            assert set(np.concatenate([fit, check])) == set(train)


def test_the_papers_split_is_by_cell_and_lets_donors_through() -> None:
    _, donors = population(3)
    train, test = paper_split(len(donors))
    assert len(test) == 80
    assert len(set(train) & set(test)) == 0
    assert set(donors[train]) & set(donors[test])
