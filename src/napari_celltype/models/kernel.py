"""A support-vector machine with a radial kernel, from stored arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .feature_model import Evaluation, FeatureModel

__all__ = ["SvcModel", "couple", "pairwise_decisions", "radial_kernel"]

FloatArray = NDArray[np.float64]


def radial_kernel(x: FloatArray, centres: FloatArray, gamma: float) -> FloatArray:
    """``exp(-gamma |x - c|^2)`` of every row of ``x`` with every centre."""
    squared = (x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)
    kernel: FloatArray = np.exp(-gamma * np.maximum(squared, 0.0))
    return kernel


def pairwise_decisions(
    kernel: FloatArray, dual: FloatArray, intercept: FloatArray, counts: NDArray[np.intp]
) -> FloatArray:
    """Decision of every pair of classes (i, j), i before j: positive speaks for i.

    Parameters
    ----------
    dual
        (k - 1, supports) in libsvm's layout: a support of class i holds its coefficients against the other classes.
    counts
        Supports of each class; supports are sorted by class.
    """
    k = len(counts)
    stops = np.cumsum(counts)
    starts = stops - counts
    columns = []
    for i in range(k):
        for j in range(i + 1, k):
            of_i, of_j = slice(starts[i], stops[i]), slice(starts[j], stops[j])
            columns.append(kernel[:, of_i] @ dual[j - 1, of_i] + kernel[:, of_j] @ dual[i, of_j])
    decisions: FloatArray = np.stack(columns, axis=1) + intercept
    return decisions


def couple(decisions: FloatArray, n_classes: int, sharpness: float = 3.0) -> FloatArray:
    """One score a class from the decisions of all pairs: the sum of log-odds a class wins each of its duels with."""
    scores = np.zeros((len(decisions), n_classes))
    duels = [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]
    for column, (i, j) in enumerate(duels):
        scores[:, i] -= np.logaddexp(0, -sharpness * decisions[:, column])
        scores[:, j] -= np.logaddexp(0, sharpness * decisions[:, column])
    return scores


class SvcModel(FeatureModel):
    """Pairwise decisions of a support-vector machine, coupled, and turned into probabilities by the calibration."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.supports = arrays["svc.supports"].astype(float)
        self.dual = arrays["svc.dual"].astype(float)
        self.intercept = arrays["svc.intercept"].astype(float)
        self.counts = arrays["svc.counts"].astype(np.intp)
        self.gamma = float(bundle.info.settings["gamma"])
        if self.counts.sum() != len(self.supports) or self.dual.shape != (len(self.classes) - 1, len(self.supports)):
            raise ValueError("supports, counts and coefficients disagree in number")

    def evaluate(self, scaled: FloatArray) -> Evaluation:
        """Scores of cells from scaled features with gaps."""
        kernel = radial_kernel(self.preparation.filled(scaled), self.supports, self.gamma)
        decisions = pairwise_decisions(kernel, self.dual, self.intercept, self.counts)
        return Evaluation(couple(decisions, len(self.classes)))
