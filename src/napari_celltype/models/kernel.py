"""A support-vector machine with a radial kernel, from stored arrays that hold no cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .feature_model import Evaluation, FeatureModel

__all__ = ["SvcModel", "couple", "radial_kernel"]

FloatArray = NDArray[np.float64]


def radial_kernel(x: FloatArray, centres: FloatArray, gamma: float) -> FloatArray:
    """``exp(-gamma |x - c|^2)`` of every row of ``x`` with every centre."""
    squared = (x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)
    kernel: FloatArray = np.exp(-gamma * np.maximum(squared, 0.0))
    return kernel


def couple(decisions: FloatArray, n_classes: int, sharpness: float = 3.0) -> FloatArray:
    """One score a class from the decisions of all pairs: the sum of log-odds a class wins each of its duels with."""
    scores = np.zeros((len(decisions), n_classes))
    duels = [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]
    for column, (i, j) in enumerate(duels):
        scores[:, i] -= np.logaddexp(0, -sharpness * decisions[:, column])
        scores[:, j] -= np.logaddexp(0, sharpness * decisions[:, column])
    return scores


class SvcModel(FeatureModel):
    """Pairwise decisions of a support-vector machine, coupled, and turned into probabilities by the calibration.

    The decisions are stored as sums over blends of cells in place of the support vectors, which would be cells.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.centres = arrays["svc.centres"].astype(float)
        self.duels = arrays["svc.weights"].astype(float)
        self.intercept = arrays["svc.intercept"].astype(float)
        self.gamma = float(bundle.info.settings["gamma"])
        pairs = len(self.classes) * (len(self.classes) - 1) // 2
        if self.duels.shape != (len(self.centres), pairs) or self.intercept.shape != (pairs,):
            raise ValueError("centres, weights and classes disagree in number")

    def evaluate(self, scaled: FloatArray) -> Evaluation:
        """Scores of cells from scaled features with gaps."""
        kernel = radial_kernel(self.preparation.filled(scaled), self.centres, self.gamma)
        return Evaluation(couple(kernel @ self.duels + self.intercept, len(self.classes)))
