"""Cells of each driver line as a cloud: what any subset of the features says of the class, without filling gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import log_softmax, softmax

__all__ = ["Clouds", "SoftenedClouds"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_MOST_KEPT = 32


@dataclass(frozen=True, eq=False)
class Clouds:
    """Multivariate t distributions: centre, spread, log share, and the class each belongs to."""

    means: FloatArray
    spreads: FloatArray
    log_shares: FloatArray
    owner: IntArray
    freedom: float
    _kept: dict[bytes, tuple[FloatArray, FloatArray]] = field(default_factory=dict, repr=False)

    def log_probabilities(self, x: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Of the classes, (n, k), judged by these columns only (by default all)."""
        chosen = np.arange(x.shape[1]) if columns is None else columns
        whitening, volumes = self._whitening(chosen)
        gaps = x[None, :, chosen] - self.means[:, None, chosen]
        squared = ((whitening @ gaps.transpose(0, 2, 1)) ** 2).sum(axis=1)
        fits = (self.log_shares - volumes)[:, None] - 0.5 * (self.freedom + len(chosen)) * np.log1p(
            squared / self.freedom
        )
        p = softmax(fits.T)
        shares = np.stack([p[:, self.owner == k].sum(axis=1) for k in range(self.owner.max() + 1)], axis=1)
        logs: FloatArray = np.log(np.maximum(shares, 1e-12))
        return logs

    def _whitening(self, columns: IntArray) -> tuple[FloatArray, FloatArray]:
        """Inverse roots of the spreads over these columns, and log volumes; kept, as cells of a day lack the same."""
        key = columns.tobytes()
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            roots = np.linalg.cholesky(self.spreads[:, columns[:, None], columns])
            volumes = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
            self._kept[key] = np.linalg.inv(roots), volumes
        return self._kept[key]


@dataclass(frozen=True, eq=False)
class SoftenedClouds:
    """Clouds whose verdicts are softened, as neighbouring features repeat one another and their evidence counts twice.

    Parameters
    ----------
    counts, temperatures
        By how much log-probabilities are multiplied, for numbers of known features; in between, interpolated.
    """

    clouds: Clouds
    counts: FloatArray
    temperatures: FloatArray

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SoftenedClouds:
        """What a model stores under ``density.*``."""
        clouds = Clouds(
            means=arrays["density.means"].astype(float),
            spreads=arrays["density.spreads"].astype(float),
            log_shares=arrays["density.log_shares"].astype(float),
            owner=arrays["density.owner"].astype(np.intp),
            freedom=float(arrays["density.freedom"].item()),
        )
        return cls(clouds, arrays["density.counts"].astype(float), arrays["density.temperatures"].astype(float))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model; spreads in single precision, which moves no probability by a thousandth."""
        return {
            "density.means": self.clouds.means,
            "density.spreads": self.clouds.spreads.astype(np.float32),
            "density.log_shares": self.clouds.log_shares,
            "density.owner": self.clouds.owner.astype(np.int64),
            "density.freedom": np.array(self.clouds.freedom),
            "density.counts": self.counts,
            "density.temperatures": self.temperatures,
        }

    def log_probabilities(self, scaled: FloatArray, used: NDArray[np.bool_]) -> FloatArray:
        """Of the classes, from scaled features with gaps; only ``used`` columns count."""
        known = np.isfinite(scaled) & used
        patterns, which = np.unique(known, axis=0, return_inverse=True)
        usual = np.log(np.bincount(self.clouds.owner, np.exp(self.clouds.log_shares)))
        found = np.tile(log_softmax(usual), (len(scaled), 1))
        for number, pattern in enumerate(patterns):
            columns = np.flatnonzero(pattern)
            if columns.size:
                rows = which.ravel() == number
                softness = np.interp(columns.size, self.counts, self.temperatures)
                found[rows] = log_softmax(softness * self.clouds.log_probabilities(scaled[rows], columns))
        return found
