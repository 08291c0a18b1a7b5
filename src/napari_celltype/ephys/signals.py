"""What is wrong with a voltage trace, in words, and which parts of it can be analysed."""

from __future__ import annotations

import numpy as np

from napari_celltype.recording import FloatArray, recorded_length

__all__ = ["analysable_runs", "trace_problem"]

_SHORTEST = 3  # samples: a slope needs two, a crossing of it three


def trace_problem(voltage_mv: FloatArray) -> str:
    """Why nothing can be measured on this trace, or an empty string.

    The units are judged too: membrane potentials lie within a few hundred millivolts, and never all within one.
    """
    if voltage_mv.size < _SHORTEST:
        return f"the trace has {voltage_mv.size} sample{'s' if voltage_mv.size != 1 else ''}; nothing can be measured"
    low, high = float(voltage_mv.min()), float(voltage_mv.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = voltage_mv[np.isfinite(voltage_mv)]
        if not finite.size:
            return "the trace holds no numbers (all NaN)"
        low, high = float(finite.min()), float(finite.max())
    if low == high:
        return f"the trace is constant at {low:.4g} mV"
    if max(abs(low), abs(high)) < 1.0:
        return (
            f"the values lie between {low:.3g} and {high:.3g}: that looks like volts, or not like a membrane "
            "potential; give millivolts"
        )
    if max(abs(low), abs(high)) > 1000.0:
        return f"the values reach {max(low, high, key=abs):.4g} mV, which no membrane does; check the units"
    return ""


def analysable_runs(voltage_mv: FloatArray, rate_hz: float) -> list[tuple[int, int]]:
    """Stretches of samples without NaN and without a blank tail, as (start, stop)."""
    if not voltage_mv.size:
        return []
    stop = recorded_length(lambda first, last: voltage_mv[first:last] * 1e-3, voltage_mv.size, rate_hz)
    # the extremes are NaN or infinite if any sample is: cheaper than asking each one
    if np.isfinite(voltage_mv[:stop].min()) and np.isfinite(voltage_mv[:stop].max()):
        return [(0, stop)] if stop >= _SHORTEST else []
    finite = np.concatenate([[False], np.isfinite(voltage_mv[:stop]), [False]])
    edges = np.flatnonzero(finite[1:] != finite[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= _SHORTEST]
