"""How long a cell waits before its first spike, measured against how fast it charges."""

from __future__ import annotations

import warnings

import numpy as np

from napari_celltype.recording import FloatArray

from .filters import Slope

__all__ = ["prespike_tau_s"]

_ABOVE_MV = 5e-6  # the level charged towards lies a trace above the highest sample
_DROP_PER_MS = -0.001
_IGNORE_DROPS_S = 0.0005
_SLOWEST_S = 0.3


def prespike_tau_s(course_mv: FloatArray, rate_hz: float) -> float:
    """Dominant time constant of the rise from the stimulus onset to the first spike; NaN where none fits.

    Two exponentials are fitted, starting from the single one that a line through the logarithm gives. The slower is
    the dominant one unless the faster has more weight, or the slower is too slow to be trusted.

    Parameters
    ----------
    course_mv
        Potential from the onset to the threshold of the first spike.
    rate_hz
        Sampling rate.
    """
    if course_mv.size < 10 or np.ptp(course_mv) == 0.0:
        return float("nan")
    time = np.arange(course_mv.size) / rate_hz
    target = float(course_mv.max()) + _ABOVE_MV
    distance = np.log(target - course_mv)
    end = _before_the_drop(distance, rate_hz)
    slope, offset = np.polyfit(time[:end], distance[:end], 1)
    if not np.isfinite(slope) or slope == 0.0:
        return float("nan")
    single = -1.0 / slope
    fitted = _two_exponentials(time, course_mv, target, (-np.exp(offset) / 2.0, single) * 2)
    return single if fitted is None else _dominant(*fitted)


def _before_the_drop(distance: FloatArray, rate_hz: float) -> int:
    """Samples before the logarithm falls fast, unless that happens at once."""
    drop = Slope(distance, rate_hz, 1_000.0).first_at_most(0, distance.size, _DROP_PER_MS)
    return distance.size if drop < 0 or drop / rate_hz < _IGNORE_DROPS_S else max(drop, 3)


def _two_exponentials(
    time: FloatArray, course: FloatArray, target: float, start: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    from scipy.optimize import OptimizeWarning, curve_fit

    def model(t: FloatArray, a1: float, tau1: float, a2: float, tau2: float) -> FloatArray:
        penalty = 1e6 if tau1 < 0 or tau2 < 0 else 0.0
        return target + a1 * np.exp(-t / tau1) + a2 * np.exp(-t / tau2) + penalty

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found, _ = curve_fit(model, time, course, p0=start)
        except (RuntimeError, ValueError):  # no convergence, or a start the model cannot be evaluated at
            return None
    return float(found[0]), float(found[1]), float(found[2]), float(found[3])


def _dominant(weight1: float, tau1: float, weight2: float, tau2: float) -> float:
    (fast_weight, fast), (slow_weight, slow) = sorted(((weight1, tau1), (weight2, tau2)), key=lambda pair: pair[1])
    if abs(fast_weight) > abs(slow_weight):
        return fast
    too_slow = slow > _SLOWEST_S and slow_weight / fast_weight < 2.0
    return fast if too_slow and (slow - fast) / slow > 0.1 else slow
