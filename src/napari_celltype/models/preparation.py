"""From raw features to what a model computes with: bent towards symmetry, scaled, gaps filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import FEATURES

__all__ = ["Preparation", "fit_preparation"]

FloatArray = NDArray[np.float64]

_SHIFTS = {"f_i_curve_slope": 0.02, "sag": 0.1, "seal_gohm": 1.0}
_LOGGED_UNITS = {"pA", "MΩ", "ms", "s", "V/s"}
_FLOOR = 1e-6
_CLIP = 6.0


@dataclass(frozen=True, eq=False)
class Preparation:
    """How raw features become numbers of mean 0 and spread 1, and what is put in the place of missing ones.

    Parameters
    ----------
    sign, shift
        A feature with ``sign`` s other than 0 becomes ``s log(s x + shift)``: currents, resistances, times and rates
        are products of causes, and their logarithms are near normal. With 0 it stays as it is.
    centre, scale
        Subtracted and divided by after that.
    covariance
        Of the scaled features; missing ones are filled with what is expected given the known ones.
    """

    sign: FloatArray
    shift: FloatArray
    centre: FloatArray
    scale: FloatArray
    covariance: FloatArray

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Preparation:
        """What a model stores under ``prepare.*``."""
        return cls(**{name: arrays[f"prepare.{name}"].astype(float) for name in cls.__dataclass_fields__})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model."""
        return {f"prepare.{name}": getattr(self, name) for name in self.__dataclass_fields__}

    def scaled(self, raw: FloatArray) -> FloatArray:
        """Bent and scaled, NaN where unknown."""
        return (bend(raw, self.sign, self.shift) - self.centre) / self.scale

    def raw(self, scaled: FloatArray) -> FloatArray:
        """Back to the features' own units."""
        bent = scaled * self.scale + self.centre
        straight = np.where(self.sign == 0, 1.0, self.sign)
        return np.where(
            self.sign == 0, bent, (np.exp(np.where(self.sign == 0, 0.0, bent * straight)) - self.shift) * straight
        )

    def filled(self, scaled: FloatArray) -> FloatArray:
        """Without gaps: each missing value is its expectation given the known ones; extremes are clipped."""
        result = np.clip(scaled, -_CLIP, _CLIP)
        missing = np.isnan(scaled)
        patterns, which = np.unique(missing, axis=0, return_inverse=True)
        for number, gap in enumerate(patterns):
            if gap.any():
                rows = which.ravel() == number
                result[np.ix_(rows, gap)] = self._expected(result[np.ix_(rows, ~gap)], gap)
        return result

    def _expected(self, known: FloatArray, gap: NDArray[np.bool_]) -> FloatArray:
        if gap.all():
            return np.zeros((len(known), int(gap.sum())))
        among, across = self.covariance[np.ix_(~gap, ~gap)], self.covariance[np.ix_(~gap, gap)]
        return np.clip(known @ np.linalg.solve(among, across), -_CLIP, _CLIP)


def bend(raw: FloatArray, sign: FloatArray, shift: FloatArray) -> FloatArray:
    """``sign log(sign x + shift)`` where sign is not 0."""
    with np.errstate(invalid="ignore"):
        bent = sign * np.log(np.maximum(sign * raw + shift, _FLOOR))
    return np.where(sign == 0, raw, bent)


def fit_preparation(raw: FloatArray, *, logarithms: bool = True, shrinkage: float = 0.02) -> Preparation:
    """Learn centre, scale and covariance from cells, gaps allowed.

    Parameters
    ----------
    logarithms
        Whether skewed quantities are bent; the papers' baselines leave all features as they are.
    shrinkage
        How far the covariance is drawn to the identity, so that near-copies among the features do no harm.
    """
    sign, shift = _bends() if logarithms else (np.zeros(raw.shape[1]), np.zeros(raw.shape[1]))
    bent = bend(raw, sign, shift)
    centre, scale = np.nanmean(bent, axis=0), np.nanstd(bent, axis=0)
    scaled = (bent - centre) / np.where(scale > 0, scale, 1.0)
    identity = np.eye(raw.shape[1])
    start = Preparation(sign, shift, centre, np.where(scale > 0, scale, 1.0), identity)
    covariance = identity
    for _ in range(3):
        filled = Preparation(sign, shift, centre, start.scale, covariance).filled(scaled)
        covariance = (1 - shrinkage) * np.cov(filled, rowvar=False, bias=True) + shrinkage * identity
    return Preparation(sign, shift, centre, start.scale, covariance)


def _bends() -> tuple[FloatArray, FloatArray]:
    sign, shift = np.zeros(len(FEATURES)), np.zeros(len(FEATURES))
    for i, feature in enumerate(FEATURES):
        if feature.unit in _LOGGED_UNITS or feature.name in _SHIFTS or "ratio" in feature.name:
            sign[i] = -1.0 if feature.name == "downstroke" else 1.0
            shift[i] = _SHIFTS.get(feature.name, 0.0)
    return sign, shift
