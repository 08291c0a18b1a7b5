"""Predictions for every cell by models that never saw its donor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .job import Job
from .splits import donor_folds
from .tables import Cells

__all__ = ["Fitted", "Fitter", "out_of_fold"]

FloatArray = NDArray[np.float64]
Fitted = Callable[[FloatArray], FloatArray]
Fitter = Callable[[Cells, int], Fitted]
"""Takes training cells and a seed; returns what turns raw features into probabilities."""


def out_of_fold(
    job: Job,
    name: str,
    cells: Cells,
    fitter: Fitter,
    seeds: Sequence[int],
    *,
    n_folds: int = 10,
    settings: object = None,
) -> list[FloatArray]:
    """Probabilities of every cell, once a seed; each seed also draws its own folds."""

    def compute() -> dict[str, FloatArray]:
        pairs = [(seed, fold) for seed in seeds for fold in donor_folds(cells.truth, cells.donors, n_folds, seed)]
        found = np.zeros((len(seeds), len(cells), len(cells.classes)))
        for seed, (train, test) in job.track(pairs, name):
            found[list(seeds).index(seed), test] = fitter(cells.take(train), seed)(cells.features[test])
        return {"probabilities": found}

    described = [list(seeds), n_folds, len(cells), settings]
    return list(job.stage(f"cv-{name}", described, compute)["probabilities"])
