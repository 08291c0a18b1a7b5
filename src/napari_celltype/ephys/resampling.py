"""Evaluate a sampled signal at other times without aliasing and without shifting it."""

from __future__ import annotations

import numpy as np

from napari_celltype.recording import FloatArray

__all__ = ["HALF_WIDTH", "sample_at"]

HALF_WIDTH = 16
"""Reach of the interpolating kernel to each side, in samples of the slower of the two rates."""

_KAISER_BETA = 8.0  # stop band below -80 dB


def sample_at(values: FloatArray, positions: FloatArray, ratio: float) -> FloatArray:
    """Values of a signal at fractional sample positions.

    A windowed sinc that passes through the samples when the new rate is the higher one, and cuts off below half the
    new rate when it is the lower one.

    Parameters
    ----------
    values
        Samples at unit spacing.
    positions
        Where to evaluate, in samples of ``values``, evenly spaced. Beyond the ends the
        end values are held, so give enough context.
    ratio
        New rate divided by the old one.
    """
    on_grid = np.rint(positions)
    if abs(ratio - 1.0) < 1e-9 and np.abs(positions - on_grid).max(initial=0.0) < 1e-3:
        return values[np.clip(on_grid.astype(np.intp), 0, values.size - 1)]
    cutoff = min(1.0, 0.9 * ratio) if ratio < 1.0 else 1.0
    half = int(np.ceil(HALF_WIDTH / min(ratio, 1.0)))
    first = np.floor(positions).astype(np.intp) - half + 1
    taps = first[:, None] + np.arange(2 * half)
    weights = _kernel(positions[:, None] - taps, cutoff, half)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("ij,ij->i", weights, values[np.clip(taps, 0, values.size - 1)])


def _kernel(distance: FloatArray, cutoff: float, half: int) -> FloatArray:
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, None)
    window = np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    return cutoff * np.sinc(cutoff * distance) * window
