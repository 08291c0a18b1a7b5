"""What follows each spike: clipping, troughs, downstroke, afterdepolarisation and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

from .detection import Events, IntArray, SpikeRules, Trace
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
    ends = np.append(events.threshold[1:], trace.stop)
    trough = _troughs(trace, events, ends, cut_off)
    steepest = [trace.slope.argmin(p, e) for p, e in zip(events.peak.tolist(), ends.tolist(), strict=True)]
    fast, adp, slow, reset = _after_spikes(trace, steepest, ends, cut_off)
    return Landmarks(
        np.isnan(fast),
        trough,
        _downstrokes(trace, events, trough, steepest),
        fast,
        adp,
        slow,
        _widths(trace, events, fast),
        reset,
    )


def _downstrokes(trace: Trace, events: Events, trough: FloatArray, steepest: list[int]) -> FloatArray:
    """Steepest fall between peak and trough; nearly always the steepest before the next spike."""
    found = np.full(events.size, np.nan)
    for k in np.flatnonzero(~np.isnan(trough)).tolist():
        before = int(trough[k])
        index = steepest[k] if steepest[k] < before else trace.slope.argmin(int(events.peak[k]), before)
        found[k] = _or_nan(index)
    return found


def _or_nan(index: int) -> float:
    return float(index) if index >= 0 else np.nan


def _last_is_clipped(trace: Trace, events: Events, rules: SpikeRules) -> bool:
    """Whether the trace ends before the last spike is back near its threshold."""
    tail = trace.voltage[events.peak[-1] : trace.stop + 1]
    return not bool((tail <= trace.voltage[events.threshold[-1]] + rules.return_tolerance_mv).any())


def _troughs(trace: Trace, events: Events, ends: IntArray, cut_off: bool) -> FloatArray:
    trough = np.array(
        [p + trace.voltage[p:e].argmin() if e > p else np.nan for p, e in zip(events.peak, ends, strict=True)],
        dtype=float,
    )
    if cut_off:
        trough[-1] = np.nan
    return trough


def _after_spikes(
    trace: Trace, steepest: list[int], ends: IntArray, cut_off: bool
) -> tuple[FloatArray, FloatArray, FloatArray, list[str | None]]:
    """Fast trough, afterdepolarisation, slow trough, and how the membrane reset: directly or by a detour."""
    n = len(steepest)
    fast, adp, slow = (np.full(n, np.nan) for _ in range(3))
    reset: list[str | None] = [None] * n
    for k in range(n - 1 if cut_off else n):
        if steepest[k] >= 0:
            level = _END_OF_FALL * float(trace.slope.values(steepest[k], steepest[k] + 1)[0])
            fast[k] = _or_nan(trace.slope.first_at_least(steepest[k], int(ends[k]), level))
    has_fast = np.flatnonzero(~np.isnan(fast)).tolist()
    may = {k: int(fast[k]) for k in has_fast if _may_rebound(trace, int(fast[k]), int(ends[k]))}
    heavy = _heavy_slope(trace, np.array(list(may.values()), dtype=np.intp))
    for k in has_fast:
        bump = _rebound(trace, heavy, int(fast[k]), int(ends[k])) if k in may else -1
        adp[k], slow[k], reset[k] = _reset_of(trace, bump, int(fast[k]), int(ends[k]))
    # after a last spike both depend on where the sweep happens to end
    adp[-1] = slow[-1] = np.nan
    return fast, adp, slow, reset


def _may_rebound(trace: Trace, fast: int, end: int) -> bool:
    """Whether the potential comes down again after its first 5 ms as far as after an afterdepolarisation.

    Telling so from the samples themselves spares most spikes the heavier filter.
    """
    near = min(end, fast + trace.samples(_ADP_WITHIN_S) + 2)
    course = trace.voltage[fast:near]
    later = trace.voltage[near:end]
    lowest = np.minimum.accumulate(course[::-1])[::-1]
    if later.size:
        lowest = np.minimum(lowest, later.min())
    return bool((course - lowest).max(initial=0.0) >= _DEEPER_MV)


def _heavy_slope(trace: Trace, starts: NDArray[np.intp]) -> Slope | None:
    if not can_lowpass(trace.rate_hz, _HEAVY_LOWPASS_HZ):
        return None
    heavy = Slope(trace.voltage, trace.rate_hz, _HEAVY_LOWPASS_HZ, residue=1e-9)
    heavy.prepare(starts, trace.samples(_ADP_BEGINS_WITHIN_S))
    return heavy


def _reset_of(trace: Trace, bump: int, fast: int, end: int) -> tuple[float, float, str]:
    """Index of the afterdepolarisation and of the slow trough (NaN if none), and the kind of reset."""
    v = trace.voltage
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
