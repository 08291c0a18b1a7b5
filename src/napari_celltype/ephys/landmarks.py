"""What follows each spike: clipping, troughs, downstroke, afterdepolarisation and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

from .detection import Events, SpikeRules, Trace
from .filters import Slope, can_lowpass

__all__ = ["Landmarks", "find_landmarks"]

_HEAVY_LOWPASS_HZ = 1_000.0
_END_OF_FALL = 0.01  # of the steepest fall: the fast trough
_ADP_SLOPE_MV_MS = 0.5
_ADP_BEGINS_WITHIN_S = 0.002
_ADP_WITHIN_S = 0.005
_ADP_HIGHEST_MV = 10.0
_DEEPER_MV = 0.5  # a later minimum counts if it is lower by this


@dataclass(frozen=True)
class Landmarks:
    """Sample indices (float, NaN where there is none), one for each spike, and what goes with them."""

    clipped: NDArray[np.bool_]
    trough: FloatArray
    downstroke: FloatArray
    fast_trough: FloatArray
    adp: FloatArray
    slow_trough: FloatArray
    width_s: FloatArray
    reset: list[str | None]


def find_landmarks(trace: Trace, events: Events, rules: SpikeRules) -> Landmarks:
    """Measure what follows each spike of a stretch."""
    cut_off = _last_is_clipped(trace, events, rules)
    trough = _troughs(trace, events, cut_off)
    downstroke = np.array(
        [_or_nan(trace.slope.argmin(p, int(t))) if t == t else np.nan for p, t in zip(events.peak, trough, strict=True)]
    )
    fast, adp, slow, reset = _after_spikes(trace, events, cut_off)
    clipped = np.isnan(fast)
    width = _widths(trace, events, fast)
    return Landmarks(clipped, trough, downstroke, fast, adp, slow, width, reset)


def _or_nan(index: int) -> float:
    return float(index) if index >= 0 else np.nan


def _last_is_clipped(trace: Trace, events: Events, rules: SpikeRules) -> bool:
    """Whether the trace ends before the last spike is back near its threshold."""
    tail = trace.voltage[events.peak[-1] : trace.stop + 1]
    return not bool((tail <= trace.voltage[events.threshold[-1]] + rules.return_tolerance_mv).any())


def _troughs(trace: Trace, events: Events, cut_off: bool) -> FloatArray:
    ends = np.append(events.threshold[1:], trace.stop)
    trough = np.array(
        [p + trace.voltage[p:e].argmin() if e > p else np.nan for p, e in zip(events.peak, ends, strict=True)],
        dtype=float,
    )
    if cut_off:
        trough[-1] = np.nan
    return trough


def _after_spikes(
    trace: Trace, events: Events, cut_off: bool
) -> tuple[FloatArray, FloatArray, FloatArray, list[str | None]]:
    """Fast trough, afterdepolarisation, slow trough, and how the membrane reset: directly or by a detour."""
    n = events.size
    fast, adp, slow = (np.full(n, np.nan) for _ in range(3))
    reset: list[str | None] = [None] * n
    ends = np.append(events.threshold[1:], trace.stop)
    for k in range(n - 1 if cut_off else n):
        peak, end = int(events.peak[k]), int(ends[k])
        steepest = trace.slope.argmin(peak, end)
        if steepest >= 0:
            level = _END_OF_FALL * float(trace.slope.values(steepest, steepest + 1)[0])
            fast[k] = _or_nan(trace.slope.first_at_least(steepest, end, level))
    has_fast = np.flatnonzero(~np.isnan(fast))
    heavy = _heavy_slope(trace, fast[has_fast].astype(np.intp))
    for k in has_fast.tolist():
        adp[k], slow[k], reset[k] = _reset_of(trace, heavy, int(fast[k]), int(ends[k]))
    # after a last spike both depend on where the sweep happens to end
    adp[-1] = slow[-1] = np.nan
    return fast, adp, slow, reset


def _heavy_slope(trace: Trace, starts: NDArray[np.intp]) -> Slope | None:
    if not can_lowpass(trace.rate_hz, _HEAVY_LOWPASS_HZ):
        return None
    heavy = Slope(trace.voltage, trace.rate_hz, _HEAVY_LOWPASS_HZ, run_in=5.0, chunk=10.0)
    heavy.prepare(starts, trace.samples(_ADP_BEGINS_WITHIN_S))
    return heavy


def _reset_of(trace: Trace, heavy: Slope | None, fast: int, end: int) -> tuple[float, float, str]:
    """Index of the afterdepolarisation and of the slow trough (NaN if none), and the kind of reset."""
    v = trace.voltage
    bump = _rebound(trace, heavy, fast, end)
    if bump >= 0:
        lowest = bump + int(v[bump:end].argmin())
        if v[bump] - v[lowest] >= _DEEPER_MV and v[bump] - v[fast] <= _ADP_HIGHEST_MV:
            return float(bump), float(lowest), "detour"
    lowest = fast + int(v[fast:end].argmin())
    if v[fast] - v[lowest] >= _DEEPER_MV:
        return np.nan, float(lowest), "detour"
    return np.nan, np.nan, "direct"


def _rebound(trace: Trace, heavy: Slope | None, fast: int, end: int) -> int:
    """Top of a rise that begins within 2 ms and ends within 5 ms of the fast trough, or -1."""
    if heavy is None:
        return -1
    rising = heavy.first_at_least(fast, min(end, fast + trace.samples(_ADP_BEGINS_WITHIN_S)), _ADP_SLOPE_MV_MS)
    if rising < 0:
        return -1
    return heavy.first_at_most(rising, min(end, fast + trace.samples(_ADP_WITHIN_S) + 1), 0.0)


def _widths(trace: Trace, events: Events, fast: FloatArray) -> FloatArray:
    """Width at half the height above the fast trough, or above the threshold if that level is lower than it."""
    width = np.full(events.size, np.nan)
    v = trace.voltage
    for k in np.flatnonzero(~np.isnan(fast)):
        threshold, peak, bottom = int(events.threshold[k]), int(events.peak[k]), int(fast[k])
        level = (v[peak] - v[bottom]) / 2.0 + v[bottom]
        if level < v[threshold]:
            level = (v[peak] - v[threshold]) / 2.0 + v[threshold]
        rising = v[peak:threshold:-1] <= level
        falling = v[peak:bottom] <= level
        if rising.any() and falling.any():
            width[k] = (int(falling.argmax()) + int(rising.argmax())) / trace.rate_hz
    return width
