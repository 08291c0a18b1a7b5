"""Logistic regression from stored arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .feature_model import Evaluation, FeatureModel

__all__ = ["LinearModel"]


class LinearModel(FeatureModel):
    """Scores are ``x @ coefficients + intercept``."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        self.coefficients = bundle.weights["linear.coefficients"].astype(float)
        self.intercept = bundle.weights["linear.intercept"].astype(float)
        if self.intercept.shape != (len(self.classes),):
            raise ValueError(f"{self.intercept.size} outputs for {len(self.classes)} classes")

    def evaluate(self, scaled: NDArray[np.float64]) -> Evaluation:
        """Scores of cells from scaled features with gaps."""
        return Evaluation(self.preparation.filled(scaled) @ self.coefficients + self.intercept)
