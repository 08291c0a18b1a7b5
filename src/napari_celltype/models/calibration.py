"""From scores to probabilities one may believe, and measuring how far they may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Calibration", "expected_calibration_error", "fit_calibration", "log_softmax", "softmax"]

FloatArray = NDArray[np.float64]


def log_softmax(logits: FloatArray) -> FloatArray:
    """Logarithms of probabilities that sum to one along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities that sum to one along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = raised / raised.sum(axis=-1, keepdims=True)
    return result


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores to probabilities: ``softmax(scores @ weight + bias)``.

    A temperature is a multiple of the identity and no bias; the full matrix turns scores that were no
    log-probabilities (the distances of a support-vector machine) into some.
    """

    weight: FloatArray
    bias: FloatArray

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]], n_classes: int) -> Calibration:
        """What a model stores under ``calibration.*``; without it, scores are taken as log-probabilities."""
        if "calibration.weight" not in arrays:
            return cls(np.eye(n_classes), np.zeros(n_classes))
        weight, bias = arrays["calibration.weight"].astype(float), arrays["calibration.bias"].astype(float)
        if bias.shape != (n_classes,) or weight.shape[1:] != (n_classes,):
            raise ValueError(f"a calibration to {bias.size} classes, not {n_classes}")
        return cls(weight, bias)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """For storing with a model."""
        return {"calibration.weight": self.weight, "calibration.bias": self.bias}

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Probabilities of each row of scores."""
        return softmax(np.asarray(scores, dtype=float) @ self.weight + self.bias)


def fit_calibration(
    scores: FloatArray, truth: NDArray[np.intp], n_classes: int, *, form: str = "temperature", strength: float = 1.0
) -> Calibration:
    """Fit a calibration to scores of cells the model was not trained on.

    Parameters
    ----------
    form
        ``"temperature"`` (one number), ``"vector"`` (one scale and offset a class) or ``"matrix"``.
    strength
        How strongly scales are held to one another and offsets to zero, in cells.
    """
    from scipy.optimize import minimize

    make_start, expand = _FORMS[form]
    shape = scores.shape[1], n_classes
    start = make_start(*shape)

    def loss(parameters: FloatArray) -> float:
        weight, bias = expand(parameters, *shape)
        chosen = log_softmax(scores @ weight + bias)[np.arange(len(truth)), truth]
        return float(-chosen.sum() + strength * ((parameters - start) ** 2).sum())

    found = minimize(loss, start, method="L-BFGS-B")
    return Calibration(*expand(found.x, *shape))


Start = Callable[[int, int], FloatArray]
Expand = Callable[[FloatArray, int, int], tuple[FloatArray, FloatArray]]


def _temperature(parameters: FloatArray, d: int, k: int) -> tuple[FloatArray, FloatArray]:
    return np.eye(d, k) * np.exp(parameters[0]), np.zeros(k)


def _vector(parameters: FloatArray, d: int, k: int) -> tuple[FloatArray, FloatArray]:
    return np.eye(d, k) * np.exp(parameters[:k]), parameters[k:]


def _matrix(parameters: FloatArray, d: int, k: int) -> tuple[FloatArray, FloatArray]:
    return parameters[k:].reshape(d, k), parameters[:k]


_FORMS: dict[str, tuple[Start, Expand]] = {
    "temperature": (lambda d, k: np.zeros(1), _temperature),
    "vector": (lambda d, k: np.zeros(2 * k), _vector),
    "matrix": (lambda d, k: np.concatenate([np.zeros(k), np.eye(d, k).ravel()]), _matrix),
}


def expected_calibration_error(probabilities: FloatArray, truth: NDArray[np.intp], n_bins: int = 10) -> float:
    """Mean gap between confidence and accuracy over bins holding equally many cells.

    Bins of equal width leave some with a handful of cells, whose chance gaps then look like miscalibration.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    gaps = [
        abs(confidence[bin_].mean() - right[bin_].mean()) * len(bin_)
        for bin_ in np.array_split(order, n_bins)
        if len(bin_)
    ]
    return float(np.sum(gaps) / len(truth))
