"""A support-vector machine on measured features of a neuron, from stored arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .kernel import couple, radial_kernel
from .neuron_model import NeuronModel, Prepared

__all__ = ["NeuronSvcModel"]

FloatArray = NDArray[np.float64]

_CLIP = 5.0


class NeuronSvcModel(NeuronModel):
    """Wide features, scaled; pairwise decisions, coupled; the calibration makes probabilities of them."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.centre, self.spread = arrays["table.centre"].astype(float), arrays["table.spread"].astype(float)
        self.centres, self.duels = arrays["svc.centres"].astype(float), arrays["svc.weights"].astype(float)
        self.intercept = arrays["svc.intercept"].astype(float)
        self.gamma = float(bundle.info.settings["gamma"])
        pairs = len(self.classes) * (len(self.classes) - 1) // 2
        if self.duels.shape != (len(self.centres), pairs) or self.intercept.shape != (pairs,):
            raise ValueError("centres, weights and classes disagree in number")
        if self.centres.shape[1] != len(self.centre):
            raise ValueError(f"centres of {self.centres.shape[1]} features, a scaling of {len(self.centre)}")

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Scores of the classes, and the scaled features as coordinates."""
        scaled = self.scaled(np.stack([one.wide for one in prepared]))
        return self.scores(scaled), scaled

    def scaled(self, wide: FloatArray) -> FloatArray:
        """Features of mean 0 and spread 1, gaps filled with the mean."""
        return np.nan_to_num(np.clip((wide - self.centre) / self.spread, -_CLIP, _CLIP), nan=0.0)

    def scores(self, scaled: FloatArray) -> FloatArray:
        """Scores of the classes from scaled features."""
        kernel = radial_kernel(scaled, self.centres, self.gamma)
        return couple(kernel @ self.duels + self.intercept, len(self.classes))
