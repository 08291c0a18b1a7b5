"""A support-vector machine on measured features of a neuron, from stored arrays that hold no cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .calibration import log_softmax
from .kernel import couple, radial_kernel
from .neuron_model import NeuronModel, Prepared

__all__ = ["NeuronSvcModel", "TableExpert"]

FloatArray = NDArray[np.float64]

_CLIP = 5.0


@dataclass(frozen=True, eq=False)
class TableExpert:
    """What measured features say of the classes.

    Parameters
    ----------
    centre, spread
        Of the features; scaled ones are clipped, missing ones become the mean.
    centres, duels, offsets, gamma
        Of the support-vector machine: blends of training neurons, (m, d); their weight in the decision of each pair of
        classes, (m, pairs); and the width of its kernel.
    n_classes
        Number of classes.
    """

    centre: FloatArray
    spread: FloatArray
    centres: FloatArray
    duels: FloatArray
    offsets: FloatArray
    gamma: float
    n_classes: int

    def __post_init__(self) -> None:
        pairs = self.n_classes * (self.n_classes - 1) // 2
        if self.centre.shape != self.centres.shape[1:]:
            raise ValueError(f"{self.centre.size} scaled features, {self.centres.shape[1]} of centres")
        if self.duels.shape != (len(self.centres), pairs) or self.offsets.shape != (pairs,):
            raise ValueError("centres, weights and classes disagree in number")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n_classes: int) -> TableExpert:
        """What a model stores under ``table.*``."""
        named = {name: arrays[f"table.{name}"].astype(float) for name in _ARRAYS}
        return cls(**named, gamma=float(arrays["table.gamma"].item()), n_classes=n_classes)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model; centres in half precision, which moves no probability by a thousandth."""
        stored: dict[str, NDArray[Any]] = {f"table.{name}": getattr(self, name) for name in _ARRAYS}
        stored |= {"table.centres": self.centres.astype(np.float16), "table.gamma": np.array(self.gamma)}
        return stored

    def scaled(self, wide: FloatArray) -> FloatArray:
        """Features of mean 0 and spread 1, gaps filled with the mean."""
        return np.nan_to_num(np.clip((wide - self.centre) / self.spread, -_CLIP, _CLIP), nan=0.0)

    def log_shares(self, wide: FloatArray) -> FloatArray:
        """Logarithms of the shares of the classes, (n, k), before calibration."""
        decisions = radial_kernel(self.scaled(wide), self.centres, self.gamma) @ self.duels + self.offsets
        return log_softmax(couple(decisions, self.n_classes))


_ARRAYS = ("centre", "spread", "centres", "duels", "offsets")


class NeuronSvcModel(NeuronModel):
    """Wide features, judged by a :class:`TableExpert`; the calibration makes probabilities of it."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        self.expert = TableExpert.from_arrays(bundle.weights, len(self.classes))

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Scores of the classes, and the scaled features as coordinates."""
        wide = np.stack([one.wide for one in prepared])
        return self.expert.log_shares(wide), self.expert.scaled(wide)
