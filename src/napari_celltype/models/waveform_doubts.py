"""When a waveform model should not be believed: no spike in its place, an unlike spike, an unlike cell, unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .windows import WindowFormat

__all__ = ["SHAPE_MEASURES", "UNLIKE", "WaveformDoubts", "class_statistics", "measure_shapes"]

FloatArray = NDArray[np.float64]

UNLIKE = "Unlike the training cells"
"""How a reason begins that speaks of the cell and not of the window."""

SHAPE_MEASURES = {
    "peak_ms": ("time of the peak", "ms"),
    "peak_mv": ("peak", "mV"),
    "lowest_mv": ("lowest point", "mV"),
    "rise_mv": ("rise to the peak", "mV"),
    "fall_mv": ("fall after the peak", "mV"),
    "upstroke": ("fastest rise", "mV/ms"),
    "downstroke": ("fastest fall", "mV/ms"),
    "roughness_mv": ("roughness", "mV"),
}
"""What is measured of every window, with words and units."""


def measure_shapes(windows: FloatArray, form: WindowFormat) -> FloatArray:
    """Plain measures of prepared windows, (n, measures), in the order of :data:`SHAPE_MEASURES`."""
    peak = windows.argmax(axis=1)
    columns = np.arange(windows.shape[1])
    before = np.where(columns <= peak[:, None], windows, np.inf)
    after = np.where(columns >= peak[:, None], windows, np.inf)
    slope = np.diff(windows, axis=1) * form.rate_hz * 1e-3
    height = windows.max(axis=1)
    return np.stack(
        [
            (peak - form.anchor_sample) * 1e3 / form.rate_hz,
            height,
            windows.min(axis=1),
            height - before.min(axis=1),
            height - after.min(axis=1),
            slope.max(axis=1),
            -slope.min(axis=1),
            # a smooth trace is nearly a straight line from one sample to the next but one
            np.median(np.abs(np.diff(windows, n=2, axis=1)), axis=1),
        ],
        axis=1,
    )


@dataclass(frozen=True, eq=False)
class WaveformDoubts:
    """What the training spikes were like, and where trust ends.

    Parameters
    ----------
    low, high
        Range of each measure of :func:`measure_shapes` among the training spikes, with a margin.
    means, covariance
        Of each class (k, d), and within classes (d, d), of the embedding.
    farthest
        Largest distance to the nearest class that still counts as like the training cells, in standard deviations.
    min_confidence
        Below this probability of the best class the model abstains.
    """

    low: FloatArray
    high: FloatArray
    means: FloatArray
    covariance: FloatArray
    farthest: float
    min_confidence: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> WaveformDoubts:
        """What a model stores: arrays under ``doubts.*``, limits under ``abstain`` in its settings."""
        limits = settings["abstain"]
        return cls(
            **{name: arrays[f"doubts.{name}"].astype(float) for name in ("low", "high", "means", "covariance")},
            farthest=float(limits["farthest"]),
            min_confidence=float(limits["min_confidence"]),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model."""
        return {f"doubts.{name}": getattr(self, name) for name in ("low", "high", "means", "covariance")}

    def limits(self) -> dict[str, float]:
        """For a model's settings."""
        return {"farthest": float(self.farthest), "min_confidence": float(self.min_confidence)}

    def distances(self, embedding: FloatArray) -> FloatArray:
        """How unlike the training cells each window is: 0 as usual, 3 as rare as three standard deviations.

        The Mahalanobis distance to the nearest class, brought by the Wilson-Hilferty cube root from chi-squared to a
        standard normal.
        """
        gaps = embedding[:, None, :] - self.means
        solved = np.linalg.solve(self.covariance, gaps.reshape(-1, gaps.shape[-1]).T).T.reshape(gaps.shape)
        squared = (gaps * solved).sum(axis=-1).min(axis=1)
        d = embedding.shape[1]
        distances: FloatArray = (np.cbrt(squared / d) - (1 - 2 / (9 * d))) / np.sqrt(2 / (9 * d))
        return distances

    def window_reasons(self, windows: FloatArray, embedding: FloatArray, form: WindowFormat) -> list[list[str]]:
        """Why each window should not be judged at all; empty where it may be. Rows with NaN are left to the reader."""
        found: list[list[str]] = [[] for _ in windows]
        sound = np.flatnonzero(np.isfinite(windows).all(axis=1))
        if not sound.size:
            return found
        measures = measure_shapes(windows[sound], form)
        distances = self.distances(embedding[sound])
        for row, values, distance in zip(sound, measures, distances, strict=True):
            reason = self._shape_reason(values, form)
            if not reason and distance > self.farthest:
                reason = (
                    f"{UNLIKE}: {distance:.1f} standard deviations from the nearest class (limit {self.farthest:.1f})."
                )
            found[row] = [reason] if reason else []
        return found

    def _shape_reason(self, values: FloatArray, form: WindowFormat) -> str:
        names = list(SHAPE_MEASURES)
        outside = [i for i in range(len(names)) if not self.low[i] <= values[i] <= self.high[i]]
        if not outside:
            return ""
        if names[outside[0]] == "peak_ms":
            at = form.before_s * 1e3 + values[0]
            return f"Wrong window: its highest point is at {at:.2f} ms, the peak belongs at {form.before_s * 1e3:g} ms."
        small = [
            i for i in outside if names[i] in ("rise_mv", "fall_mv", "upstroke", "peak_mv") and values[i] < self.low[i]
        ]
        rough = names.index("roughness_mv")
        if rough in outside and values[rough] > self.high[rough]:
            return f"Too noisy, or no action potential: {self._said(rough, values)}."
        head = "No full action potential" if small else "Unlike the training spikes"
        return f"{head}: {'; '.join(self._said(i, values) for i in (small or outside)[:3])}."

    def _said(self, i: int, values: FloatArray) -> str:
        words, unit = list(SHAPE_MEASURES.values())[i]
        return f"{words} {values[i]:.3g} {unit} (training {self.low[i]:.3g} to {self.high[i]:.3g})"

    def unsure(self, probability: float) -> list[str]:
        """A reason where the best class has too low a probability."""
        if probability >= self.min_confidence:
            return []
        return [f"Low confidence: {probability:.2f}, below the {self.min_confidence:.2f} this model asks for."]


def class_statistics(embedding: FloatArray, truth: NDArray[np.intp], n_classes: int) -> tuple[FloatArray, FloatArray]:
    """Means of the classes and the covariance within them, drawn a little towards independence."""
    means = np.stack([embedding[truth == k].mean(axis=0) for k in range(n_classes)])
    covariance = np.cov(embedding - means[truth], rowvar=False, bias=True)
    return means, 0.9 * covariance + 0.1 * np.diag(np.diag(covariance))
