"""Splits of labelled reconstructions: by cell, and with whole collections kept out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .neurons import NeuronSet

__all__ = ["SourceFold", "cell_folds", "source_folds", "within_sources"]

IntArray = NDArray[np.intp]


def cell_folds(neurons: NeuronSet, n_folds: int = 5, seed: int = 0) -> IntArray:
    """Fold of each file, (n,): by cell, every class spread evenly.

    Test rows of fold k are ``folds == k``, its training rows all others.
    """
    rng = np.random.default_rng(seed)
    _, first, groups = np.unique(neurons.cells, return_index=True, return_inverse=True)
    folds = np.empty(len(first), dtype=np.intp)
    begin = 0
    for k in range(len(neurons.classes)):
        members = np.flatnonzero(neurons.truth[first] == k)
        folds[rng.permutation(members)] = (begin + np.arange(len(members))) % n_folds
        begin += len(members)
    return folds[groups]


@dataclass(frozen=True, eq=False)
class SourceFold:
    """A collection kept out: ``train`` are the files of all others, ``test`` its files of classes these know too."""

    source: str
    train: IntArray
    test: IntArray


def source_folds(neurons: NeuronSet, least: int = 5) -> list[SourceFold]:
    """Each collection kept out in turn, if it has at least ``least`` files of classes that others have as well."""
    folds = []
    for source in np.unique(neurons.sources):
        own = neurons.sources == source
        train = np.flatnonzero(~own)
        test = np.flatnonzero(own & np.isin(neurons.truth, neurons.truth[train]))
        if len(test) >= least:
            folds.append(SourceFold(str(source), train, test))
    return folds


def within_sources(neurons: NeuronSet, least: int = 5) -> dict[str, IntArray]:
    """Files of each collection that holds at least two classes of ``least`` files, those classes only."""
    found = {}
    for source in np.unique(neurons.sources):
        rows = np.flatnonzero(neurons.sources == source)
        counts = np.bincount(neurons.truth[rows], minlength=len(neurons.classes))
        kept = rows[counts[neurons.truth[rows]] >= least]
        if (counts >= least).sum() > 1:
            found[str(source)] = kept
    return found
