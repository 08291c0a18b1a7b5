"""Find action potentials and measure each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from napari_celltype.recording import FloatArray

from .detection import Events, SpikeRules, Trace, detect
from .filters import Slope
from .landmarks import Landmarks, find_landmarks
from .signals import analysable_runs, trace_problem

__all__ = ["SPIKE_COLUMNS", "SpikeRules", "find_spikes"]

_SLOWEST_HZ = 5_000.0
_POINTS = ("threshold", "peak", "trough", "fast_trough", "adp", "slow_trough", "upstroke", "downstroke")
SPIKE_COLUMNS: tuple[str, ...] = (
    *(f"{point}_{what}" for point in _POINTS for what in ("index", "t_s", "v_mv", "i_pa")),
    "upstroke_mv_ms",
    "downstroke_mv_ms",
    "upstroke_downstroke_ratio",
    "width_s",
    "isi_s",
    "reset",
    "clipped",
)
"""Columns of the table :func:`find_spikes` returns, in order."""


def find_spikes(
    voltage_mv: ArrayLike,
    rate_hz: float,
    current_pa: ArrayLike | None = None,
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    rules: SpikeRules | None = None,
) -> pd.DataFrame:
    """Find the action potentials of a trace: one row a spike, with where its landmarks lie and what they measure.

    Parameters
    ----------
    voltage_mv
        Membrane potential of one sweep in mV. Gaps (NaN) and a blank tail are left out.
    rate_hz
        Sampling rate.
    current_pa
        Injected current of the same length. Gives the ``*_i_pa`` columns and helps to tell artefacts of the
        stimulus from spikes.
    start_s, stop_s
        Look only here; the whole trace by default.
    rules
        When a deflection counts as a spike; the Allen Institute's rules by default.

    Returns
    -------
    DataFrame
        Columns :data:`SPIKE_COLUMNS`. Times are in seconds from the first sample; a value that is not defined is
        NaN (trough, downstroke, width of a spike clipped by the end, for example). ``attrs["notes"]`` says in words
        what could not be analysed or was left out.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional and of one length, or the rate is not positive.
    """
    voltage, current = _checked(voltage_mv, rate_hz, current_pa)
    rules = rules or SpikeRules()
    notes = [problem] if (problem := trace_problem(voltage)) else []
    tables: list[_Found] = []
    if not problem:
        window = _window(voltage.size, rate_hz, start_s, stop_s)
        runs = analysable_runs(voltage, rate_hz)
        tables = [found for run in runs if (found := _find_in(voltage, current, rate_hz, run, window, rules))]
        notes += _notes_on(runs, voltage.size, rate_hz, tables)
    table = _table([found for found in tables if found.events.size], voltage, current, rate_hz)
    table.attrs["notes"] = notes
    return table


@dataclass(frozen=True, eq=False)
class _Found:
    """The spikes of one stretch, with its first sample."""

    offset: int
    slope: Slope
    events: Events
    landmarks: Landmarks | None


def _checked(
    voltage_mv: ArrayLike, rate_hz: float, current_pa: ArrayLike | None
) -> tuple[FloatArray, FloatArray | None]:
    voltage = np.asarray(voltage_mv, dtype=np.float64)
    if voltage.ndim != 1:
        raise ValueError(f"voltage_mv has {voltage.ndim} dimensions; give one sweep at a time")
    if not np.isfinite(rate_hz) or rate_hz <= 0:
        raise ValueError(f"rate_hz is {rate_hz}; a sampling rate is a positive number")
    if current_pa is None:
        return voltage, None
    current = np.asarray(current_pa, dtype=np.float64)
    if current.shape != voltage.shape:
        raise ValueError(f"current_pa has shape {current.shape}, voltage_mv {voltage.shape}; they must be alike")
    return voltage, current


def _window(size: int, rate_hz: float, start_s: float | None, stop_s: float | None) -> tuple[int, int]:
    start = 0 if start_s is None else round(start_s * rate_hz)
    stop = size - 1 if stop_s is None else round(stop_s * rate_hz)
    return min(max(start, 0), size - 1), min(max(stop, 0), size - 1)


def _find_in(
    voltage: FloatArray,
    current: FloatArray | None,
    rate_hz: float,
    run: tuple[int, int],
    window: tuple[int, int],
    rules: SpikeRules,
) -> _Found | None:
    first, last = run
    part = voltage[first:last]
    start, stop = max(window[0] - first, 0), min(window[1] - first, part.size - 1)
    # most sweeps of a protocol never come near a spike: do not filter those
    if stop - start < 2 or part[start : stop + 1].max() < rules.min_peak_mv:
        return None
    slope = Slope(part, rate_hz, rules.lowpass_hz)
    trace = Trace(part, slope, rate_hz, None if current is None else current[first:last], start, stop)
    events = detect(trace, rules)
    return _Found(first, slope, events, find_landmarks(trace, events, rules) if events.size else None)


def _notes_on(runs: list[tuple[int, int]], size: int, rate_hz: float, found: list[_Found]) -> list[str]:
    notes = []
    if rate_hz < _SLOWEST_HZ:
        notes.append(f"sampled at {rate_hz / 1e3:g} kHz, too slowly to show what a spike looks like")
    missing = size - sum(stop - start for start, stop in runs)
    if missing:
        notes.append(f"{missing / rate_hz:.4g} s are blank (NaN or a zero tail) and were left out")
    n_artefacts = sum(part.events.n_artefacts for part in found)
    if n_artefacts:
        notes.append(f"{n_artefacts} jump{'s' if n_artefacts > 1 else ''} too sudden for a spike left out as artefacts")
    return notes


def _table(found: list[_Found], voltage: FloatArray, current: FloatArray | None, rate_hz: float) -> pd.DataFrame:
    columns: dict[str, object] = {}
    for point in _POINTS:
        columns |= _point_columns(point, _indices(found, point), voltage, current, rate_hz)
    for point in ("upstroke", "downstroke"):
        columns[f"{point}_mv_ms"] = _joined([_slopes(part, point) for part in found])
    with np.errstate(divide="ignore"):
        columns["upstroke_downstroke_ratio"] = columns["upstroke_mv_ms"] / -columns["downstroke_mv_ms"]  # type: ignore[operator]
    columns["width_s"] = _joined([part.landmarks.width_s for part in found if part.landmarks])
    threshold = _indices(found, "threshold")
    columns["isi_s"] = np.append(np.diff(threshold) / rate_hz, np.nan) if threshold.size else np.empty(0)
    columns["reset"] = np.array(
        [kind for part in found if part.landmarks for kind in part.landmarks.reset], dtype=object
    )
    columns["clipped"] = np.array(
        [is_cut for part in found if part.landmarks for is_cut in part.landmarks.clipped], dtype=bool
    )
    return pd.DataFrame(columns, columns=list(SPIKE_COLUMNS))


def _joined(parts: list[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty(0)


def _indices(found: list[_Found], point: str) -> FloatArray:
    if point in ("threshold", "peak", "upstroke"):
        return _joined([getattr(part.events, point) + part.offset for part in found])
    return _joined([getattr(part.landmarks, point) + part.offset for part in found])


def _slopes(part: _Found, point: str) -> FloatArray:
    index = part.events.upstroke if point == "upstroke" else getattr(part.landmarks, point)
    slopes = np.full(len(index), np.nan)
    known = np.isfinite(index)
    slopes[known] = part.slope.at(index[known].astype(np.intp))
    return slopes


def _point_columns(
    point: str, index: FloatArray, voltage: FloatArray, current: FloatArray | None, rate_hz: float
) -> dict[str, object]:
    known = ~np.isnan(index)
    values = {"t_s": index / rate_hz, "v_mv": np.full(index.size, np.nan), "i_pa": np.full(index.size, np.nan)}
    at = index[known].astype(np.intp)
    values["v_mv"][known] = voltage[at]
    if current is not None:
        values["i_pa"][known] = current[at]
    whole = index.astype(np.int64) if point in ("threshold", "peak", "upstroke") else index
    return {f"{point}_index": whole, **{f"{point}_{what}": array for what, array in values.items()}}
