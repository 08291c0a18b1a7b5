"""When a features model should not be believed: unlike the training cells, too little known, or too unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import FEATURES, STIMULI, columns_of

__all__ = ["FeatureDoubts", "missing_notes"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureDoubts:
    """What the training cells were like, and where trust ends.

    Parameters
    ----------
    means, covariance
        Of each class (k, d) and within classes (d, d), of the features as the model sees them (transformed, scaled).
    low, high
        Range of each raw feature among the training cells, with a margin.
    farthest
        Largest distance to the nearest class that still counts as like the training cells, in standard deviations
        (see :meth:`distances`).
    min_confidence
        Below this probability of the best class the model abstains.
    min_features
        Fewer known features than this are too few.
    """

    means: FloatArray
    covariance: FloatArray
    low: FloatArray
    high: FloatArray
    farthest: float
    min_confidence: float
    min_features: int

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> FeatureDoubts:
        """What a model stores: arrays under ``doubts.*``, limits under ``abstain`` in its settings."""
        limits = settings["abstain"]
        return cls(
            means=arrays["doubts.means"].astype(float),
            covariance=arrays["doubts.covariance"].astype(float),
            low=arrays["doubts.low"].astype(float),
            high=arrays["doubts.high"].astype(float),
            farthest=float(limits["farthest"]),
            min_confidence=float(limits["min_confidence"]),
            min_features=int(limits["min_features"]),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model."""
        return {f"doubts.{name}": getattr(self, name) for name in ("means", "covariance", "low", "high")}

    def limits(self) -> dict[str, float]:
        """For a model's settings."""
        return {
            "farthest": float(self.farthest),
            "min_confidence": float(self.min_confidence),
            "min_features": self.min_features,
        }

    def distances(self, scaled: FloatArray) -> FloatArray:
        """How unlike the training cells each cell is: 0 as usual, 3 as rare as three standard deviations.

        The Mahalanobis distance to the nearest class over the known features only, brought by the
        Wilson-Hilferty cube root from chi-squared of that many degrees to a standard normal, so that cells with
        few and with many known features compare.
        """
        patterns, which = np.unique(np.isfinite(scaled), axis=0, return_inverse=True)
        found = np.full(len(scaled), np.inf)
        for number, known in enumerate(patterns):
            if known.any():
                rows = which.ravel() == number
                found[rows] = self._distance(scaled[np.ix_(rows, known)], known)
        return found

    def _distance(self, values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
        root = np.linalg.cholesky(self.covariance[np.ix_(known, known)])
        gaps = values[None] - self.means[:, None, known]
        squared = (np.linalg.solve(root, gaps.reshape(-1, values.shape[1]).T) ** 2).sum(axis=0)
        nearest = squared.reshape(gaps.shape[:2]).min(axis=0)
        n = values.shape[1]
        normal: FloatArray = (np.cbrt(nearest / n) - (1 - 2 / (9 * n))) / np.sqrt(2 / (9 * n))
        return normal

    def outside(self, raw: FloatArray) -> NDArray[np.bool_]:
        """Which features lie outside anything among the training cells."""
        with np.errstate(invalid="ignore"):
            outside: NDArray[np.bool_] = (raw < self.low) | (raw > self.high)
        return outside

    def reasons(self, raw: FloatArray, scaled: FloatArray, probabilities: FloatArray) -> list[list[str]]:
        """Why the model abstains on each cell; empty where it does not."""
        found: list[list[str]] = []
        distances, outside = self.distances(scaled), self.outside(raw)
        for row in range(len(raw)):
            known = int(np.isfinite(raw[row]).sum())
            texts = []
            if known < self.min_features:
                texts.append(_too_few(known, raw.shape[1], self.min_features))
            elif outside[row].any() or distances[row] > self.farthest:
                texts.append(self._unlike(raw[row], outside[row]))
            best = float(probabilities[row].max())
            if best < self.min_confidence:
                texts.append(f"Low confidence: {best:.2f}, below the {self.min_confidence:.2f} this model asks for.")
            found.append(texts)
        return found

    def _unlike(self, raw: FloatArray, outside: NDArray[np.bool_]) -> str:
        rows = np.flatnonzero(outside)
        if rows.size == 0:
            return "Unlike the training cells: its features do not occur together among them."
        shown = "; ".join(
            f"{FEATURES[i].name} {raw[i]:.4g} {FEATURES[i].unit} (training {self.low[i]:.4g} to {self.high[i]:.4g})"
            for i in rows[:3]
        )
        more = f"; and {rows.size - 3} more" if rows.size > 3 else ""
        return f"Unlike the training cells: {shown}{more}."


def _too_few(known: int, total: int, wanted: int) -> str:
    if known == 0:
        return "No feature could be measured."
    return f"Too little is known: {known} of {total} features, this model needs {wanted}."


def missing_notes(raw: FloatArray) -> list[list[str]]:
    """For each cell, one sentence on what was missing: whole stimuli by name, else features."""
    return [_missing_note(~np.isfinite(row)) for row in raw]


def _missing_note(missing: NDArray[np.bool_]) -> list[str]:
    if not missing.any() or missing.all():
        return []
    whole = [name for name in STIMULI if missing[columns_of(name)].all()]
    rest = [f.name for i, f in enumerate(FEATURES) if missing[i] and f.stimulus not in whole]
    parts = [f"all {len(columns_of(name))} {name} features" for name in whole]
    parts += rest if len(rest) <= 3 else [f"{len(rest)} single features"]
    return [f"Missing: {', '.join(parts)}."]
