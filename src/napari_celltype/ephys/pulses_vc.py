"""Resistances from square pulses in voltage clamp: of the seal before break-in, and of the cell after it."""

from __future__ import annotations

import numpy as np

from napari_celltype.recording import FloatArray

__all__ = ["pulse_resistance_mohm"]


def pulse_resistance_mohm(command_mv: FloatArray, current_pa: FloatArray, rate_hz: float) -> float:
    """Mean step of the command over the step of the settled current, for all pulses but the first (the test pulse).

    Levels are means over 1 ms before the begin and before the end of each pulse. NaN where there is no such pulse.
    """
    if not (np.isfinite(command_mv).all() and np.isfinite(current_pa).all()):
        return float("nan")
    step = np.diff(command_mv)
    moves = np.abs(step) > max(1e-3, 1e-3 * float(np.ptp(command_mv)))
    ups, downs = np.flatnonzero(moves & (step > 0))[1:], np.flatnonzero(moves & (step < 0))[1:]
    if not ups.size or ups.size != downs.size or (ups >= downs).any():
        return float("nan")
    width = int(0.001 * rate_hz)
    values = [_step_ratio(command_mv, current_pa, int(a), int(b), width) for a, b in zip(ups, downs, strict=True)]
    return float(np.mean(values)) * 1e3


def _step_ratio(command: FloatArray, current: FloatArray, up: int, down: int, width: int) -> float:
    """Resistance in GΩ (mV over pA) of one pulse."""
    rest, held = slice(max(up - 1 - width, 0), up - 1), slice(max(down - 1 - width, 0), down - 1)
    if up < 2 or width < 1:
        return float("nan")
    flow = float(current[held].mean() - current[rest].mean())
    return float(command[held].mean() - command[rest].mean()) / flow if flow != 0.0 else float("nan")
