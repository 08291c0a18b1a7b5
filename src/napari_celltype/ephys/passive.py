"""What the membrane does below threshold: rest, deflection, sag, input resistance and time constant of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_celltype.recording import FloatArray

__all__ = ["Square", "baseline_mv", "deflection", "input_resistance_mohm", "sag", "time_constant_s"]

BASELINE_S = 0.1
_SAG_BASELINE_S = 0.03
_SAG_PEAK_S = 0.005
_SHORTEST_BASELINE_S = 0.005
_FIT_FROM = 0.1  # of the deflection
_LEAST_SIGNAL_TO_NOISE = 20.0
_LARGEST_RESIDUAL_MV = 1.0


@dataclass(frozen=True, eq=False)
class Square:
    """A sweep with a current step of ``step_pa`` from ``onset_s`` to ``offset_s``."""

    voltage_mv: FloatArray
    step_pa: float
    rate_hz: float
    onset_s: float
    offset_s: float

    def at(self, time_s: float) -> int:
        """Index of the sample nearest to a time, within the sweep."""
        return min(max(round(time_s * self.rate_hz), 0), self.voltage_mv.size - 1)

    def mean(self, start_s: float, stop_s: float) -> float:
        """Mean potential from ``start_s`` to before ``stop_s``; NaN where nothing lies between."""
        part = self.voltage_mv[self.at(start_s) : self.at(stop_s)]
        return float(part.mean()) if part.size else float("nan")


def baseline_mv(square: Square, interval_s: float = BASELINE_S) -> float:
    """Mean potential in the time before the step (100 ms, or what there is of it; NaN below 5 ms)."""
    start = max(square.onset_s - interval_s, 0.0)
    return square.mean(start, square.onset_s) if square.onset_s - start >= _SHORTEST_BASELINE_S else float("nan")


def deflection(square: Square, *, downwards: bool | None = None) -> tuple[float, int]:
    """Largest deflection during the step and its sample; the direction follows the current unless given."""
    first, last = square.at(square.onset_s), square.at(square.offset_s)
    if last <= first:
        return float("nan"), first
    if downwards is None:
        downwards = not square.step_pa >= 0.0
    part = square.voltage_mv[first:last]
    index = first + int(part.argmin() if downwards else part.argmax())
    return float(square.voltage_mv[index]), index


def sag(square: Square) -> float:
    """How far the potential comes back from its lowest point by the end of the step, as a fraction."""
    _, lowest = deflection(square, downwards=True)
    time = lowest / square.rate_hz
    peak = square.mean(time - _SAG_PEAK_S / 2.0, time + _SAG_PEAK_S / 2.0)
    steady = square.mean(square.offset_s - _SAG_BASELINE_S, square.offset_s)
    depth = peak - baseline_mv(square, _SAG_BASELINE_S)
    return (peak - steady) / depth if np.isfinite(depth) and depth != 0.0 else float("nan")


def input_resistance_mohm(squares: Sequence[Square]) -> float:
    """Slope of the lowest potential against the current, over hyperpolarising steps.

    Where all steps are alike a line has nothing to go by; then the mean deflection from each sweep's own rest counts.
    """
    lowest = np.array([deflection(square, downwards=True)[0] for square in squares])
    steps = np.array([square.step_pa for square in squares])
    known = np.isfinite(lowest) & np.isfinite(steps)
    lowest, steps = lowest[known], steps[known]
    if not steps.size:
        return float("nan")
    if np.ptp(steps) < 1e-3:
        rest = np.array([baseline_mv(square) for square in squares])[known]
        return float(np.mean((lowest - rest) / steps)) * 1e3
    centred = steps - steps.mean()
    return float(centred @ lowest / (centred @ centred)) * 1e3


def time_constant_s(square: Square, latest_end_s: float | None = None) -> float:
    """Time constant of the exponential course from 10 % of the deflection to its lowest point.

    NaN where the deflection is less than twenty times the noise, nothing deflects, or the course is not exponential.

    Parameters
    ----------
    square
        A hyperpolarising step.
    latest_end_s
        Fit no further than this, even if the lowest point comes later.
    """
    v = square.voltage_mv
    _, lowest = deflection(square, downwards=True)
    if latest_end_s is not None:
        lowest = min(lowest, square.at(latest_end_s))
    rest = baseline_mv(square)
    onset = square.at(square.onset_s)
    noise = float(v[square.at(square.onset_s - BASELINE_S) : onset].std()) if onset else float("nan")
    depth = float(v[lowest]) - rest
    if not np.isfinite(depth) or abs(depth) < _LEAST_SIGNAL_TO_NOISE * noise:
        return float("nan")
    begun = v[onset:] <= _FIT_FROM * depth + rest
    first = onset + int(begun.argmax())
    if not begun.any() or lowest - first < 4:
        return float("nan")
    return _fitted_tau(v[first:lowest], square.rate_hz)


def _fitted_tau(course: FloatArray, rate_hz: float) -> float:
    """Least-squares exponential; its rate is found by Gauss-Newton steps, level and amplitude follow from it."""
    time = np.arange(course.size) / rate_hz
    rate = 50.0
    for _ in range(100):
        level, amplitude, decay = _level_and_amplitude(course, time, rate)
        residual = course - level - amplitude * decay
        # the part of the derivative that neither level nor amplitude can take up (variable projection)
        slope = -amplitude * time * decay
        slope -= _projected(slope, decay)
        curvature = float(slope @ slope)
        if curvature == 0.0 or not np.isfinite(curvature):
            return float("nan")
        step = float(slope @ residual) / curvature
        step = min(max(step, -0.5 * abs(rate)), 2.0 * abs(rate))
        rate += step
        if abs(step) <= 1e-12 * abs(rate):
            break
    rms = float(np.sqrt(np.mean(residual**2)))
    return 1.0 / rate if rms <= _LARGEST_RESIDUAL_MV and rate > 0.0 else float("nan")


def _level_and_amplitude(course: FloatArray, time: FloatArray, rate: float) -> tuple[float, float, FloatArray]:
    decay = np.exp(-rate * time)
    centred = decay - decay.mean()
    size = float(centred @ centred)
    amplitude = float(centred @ course) / size if size > 0.0 else 0.0
    return float(course.mean()) - amplitude * float(decay.mean()), amplitude, decay


def _projected(values: FloatArray, decay: FloatArray) -> FloatArray:
    """Best fit of ``values`` by a constant and ``decay``."""
    centred = decay - decay.mean()
    size = float(centred @ centred)
    return values.mean() + (float(centred @ values) / size if size > 0.0 else 0.0) * centred
