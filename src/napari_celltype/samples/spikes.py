"""Where the action potentials of a noiseless simulated potential are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_peaks", "repolarises"]

SPIKE_ABOVE_MV = -20.0
_SPIKE_OVER_MV = 25.0


def find_peaks(potential_mv: NDArray[np.floating], above_mv: float = SPIKE_ABOVE_MV) -> NDArray[np.int64]:
    """Samples of the highest point of each excursion above a level, left out where the trace ends inside one.

    This is the definition of truth, for potentials without noise. Recorded signals need the criteria of
    the electrophysiology core.
    """
    high = potential_mv >= above_mv
    up = np.flatnonzero(~high[:-1] & high[1:]) + 1
    down = np.flatnonzero(high[:-1] & ~high[1:]) + 1
    down = down[down > up[0]] if up.size else down[:0]
    return np.array([i + int(np.argmax(potential_mv[i:j])) for i, j in zip(up, down, strict=False)], dtype=np.int64)


def repolarises(potential_mv: NDArray[np.floating], rest_mv: float) -> bool:
    """Whether a potential has come down from its spikes at its end, which a cell stuck on a plateau has not."""
    return bool(potential_mv[-1] < rest_mv + _SPIKE_OVER_MV)
