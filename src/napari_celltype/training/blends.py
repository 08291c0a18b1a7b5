"""Blends of a few cells of a class: what kernel machines compare with, so that no row they keep is any cell's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blend"]

FloatArray = NDArray[np.float64]


def blend(x: FloatArray, codes: NDArray[np.intp], centres: int, seed: int, *, blended: int = 3) -> FloatArray:
    """Means of cells drawn at random and their nearest neighbours of the same class, (at most ``centres``, d)."""
    drawn = np.random.default_rng([seed, 11]).permutation(len(x))[:centres]
    found: FloatArray = np.empty((len(drawn), x.shape[1]))
    for number, row in enumerate(drawn):
        same = np.flatnonzero(codes == codes[row])
        gaps = ((x[same] - x[row]) ** 2).sum(axis=1)
        found[number] = x[same[np.argsort(gaps, kind="stable")[:blended]]].mean(axis=0)
    return found
