"""Evaluate a sampled signal at other times without aliasing and without shifting it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_celltype.recording import FloatArray

__all__ = ["HALF_WIDTH", "sample_at"]

HALF_WIDTH = 16
"""Reach of the interpolating kernel to each side, in samples of the slower of the two rates."""

_KAISER_BETA = 8.0  # stop band below -80 dB
_GRID = 1e-6  # places between two samples are told apart to this


def sample_at(values: FloatArray, first: float, ratio: float, count: int) -> FloatArray:
    """Values of a signal at evenly spaced times, between its samples too.

    A windowed sinc that passes through the samples when the new rate is the higher one, and cuts off below half the
    new rate when it is the lower one. At the old rate and on its grid the samples themselves come back.

    Parameters
    ----------
    values
        Samples at unit spacing. Beyond their ends the end values are held, so give enough context.
    first
        Where to evaluate first, in samples of ``values``.
    ratio
        New rate divided by the old one.
    count
        How many values.
    """
    step = 1.0 / ratio
    if abs(ratio - 1.0) < 1e-9 and abs(first - round(first)) < 1e-3:
        return values[np.clip(round(first) + np.arange(count), 0, values.size - 1)]
    half = int(np.ceil(HALF_WIDTH / min(ratio, 1.0)))
    if abs(step - round(step)) < 1e-9:
        return _decimated(values, first, round(step), count, ratio, half)
    positions = first + np.arange(count) * step
    whole = np.floor(positions + _GRID / 2.0)
    # commensurate rates meet few places between samples: one kernel for each
    places, which = np.unique(np.rint((positions - whole) / _GRID), return_inverse=True)
    kernels = np.stack([_kernel(float(place), ratio, half) for place in places])
    taps = whole.astype(np.intp)[:, None] + np.arange(1 - half, half + 1)
    return np.einsum("ij,ij->i", kernels[which], values[np.clip(taps, 0, values.size - 1)])


def _decimated(values: FloatArray, first: float, step: int, count: int, ratio: float, half: int) -> FloatArray:
    """Every ``step``-th value: all lie at the same place between two samples, so one kernel serves."""
    whole = int(np.floor(first + _GRID / 2.0))
    begin, end = whole - half + 1, whole + (count - 1) * step + half + 1
    part = values[np.clip(np.arange(begin, end), 0, values.size - 1)]
    kernel = _kernel(float(np.rint((first - whole) / _GRID)), ratio, half)
    return np.correlate(part, kernel, "valid")[::step]


@lru_cache(maxsize=4096)
def _kernel(place: float, ratio: float, half: int) -> FloatArray:
    """Weights of the samples around a place between two of them, given in steps of :data:`_GRID`."""
    distance = place * _GRID - np.arange(1 - half, half + 1)
    cutoff = 0.9 * ratio if ratio < 1.0 else 1.0
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, None)
    weights = np.sinc(cutoff * distance) * np.i0(_KAISER_BETA * np.sqrt(inside))
    weights /= weights.sum()
    weights.setflags(write=False)
    return weights
