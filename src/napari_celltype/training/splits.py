"""Splitting cells so that no donor is on both sides, and every class on each.

Cells of one donor share slice, rig day and quality: with a donor on both sides a test flatters the model. All
splits here are functions of labels, donors and a seed, and say the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Split", "donor_folds", "nested_donor_folds", "paper_split", "split_donors"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on, to choose with, and to test on once."""

    train: Rows
    validation: Rows
    test: Rows


def donor_folds(truth: Rows, donors: NDArray[np.int64], n_folds: int = 10, seed: int = 0) -> list[tuple[Rows, Rows]]:
    """``n_folds`` pairs (train rows, test rows): stratified by class, every donor on one side only."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return [(np.sort(train), np.sort(test)) for train, test in folds.split(truth, truth, donors)]


def split_donors(
    truth: Rows, donors: NDArray[np.int64], *, validation: float = 0.15, test: float = 0.2, seed: int = 0
) -> Split:
    """One split into training, validation and test rows, by donor and stratified.

    The shares are met as nearly as whole donors allow.
    """
    twentieths = donor_folds(truth, donors, 20, seed)
    parts = [fold for _, fold in twentieths]
    n_test, n_validation = round(test * 20), round(validation * 20)
    edges = n_test, n_test + n_validation
    return Split(
        train=_joined(parts[edges[1] :]),
        validation=_joined(parts[edges[0] : edges[1]]),
        test=_joined(parts[: edges[0]]),
    )


def nested_donor_folds(
    truth: Rows, donors: NDArray[np.int64], n_outer: int = 5, n_inner: int = 5, seed: int = 0
) -> Iterator[tuple[Rows, Rows, list[tuple[Rows, Rows]]]]:
    """Outer train and test rows, with inner (train, validation) pairs made of the outer training rows only."""
    for train, test in donor_folds(truth, donors, n_outer, seed):
        inner = donor_folds(truth[train], donors[train], n_inner, seed + 1)
        yield train, test, [(train[fit], train[check]) for fit, check in inner]


def paper_split(n_cells: int, *, test: float = 0.2, seed: int = 1) -> tuple[Rows, Rows]:
    """Train and test rows drawn cell by cell, as the papers did: donors are on both sides. For comparison only."""
    order = np.random.default_rng(seed).permutation(n_cells)
    n_test = round(test * n_cells)
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def _joined(parts: list[Rows]) -> Rows:
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.intp)
