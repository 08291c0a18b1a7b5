"""What waveform models are given: arrays of windows, cuts, recordings; all become prepared windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.ephys.signals import trace_problem
from napari_celltype.ephys.stimulus import Stimulus, find_stimuli
from napari_celltype.ephys.windows import ApWindow, WindowCut, suggest_windows
from napari_celltype.errors import ModelError
from napari_celltype.recording import Recording

from .features import recorded_species
from .windows import WindowFormat, prepare_windows

__all__ = ["MOST_WINDOWS", "Rates", "WindowTable", "read_windows"]

FloatArray = NDArray[np.float64]

MOST_WINDOWS = 32
"""Windows judged a cell, the most suitable first: more change nothing."""


@dataclass(frozen=True)
class Rates:
    """Sampling rates a model was shown to bear."""

    low_hz: float
    high_hz: float

    def doubt(self, rate_hz: float) -> list[str]:
        """A reason to abstain at this rate, or none."""
        if self.low_hz <= rate_hz <= self.high_hz:
            return []
        tested = f"{self.low_hz / 1e3:g} to {self.high_hz / 1e3:g} kHz"
        return [f"Sampled at {rate_hz / 1e3:g} kHz: this model was tested from {tested}."]

    def note(self, rate_hz: float, form: WindowFormat) -> list[str]:
        """What was done to a window of this rate."""
        if abs(rate_hz - form.rate_hz) < 1e-6 * form.rate_hz:
            return []
        how = "brought down" if rate_hz > form.rate_hz else "interpolated"
        return [f"{how.capitalize()} from {rate_hz / 1e3:g} to {form.rate_hz / 1e3:g} kHz."]


@dataclass(eq=False)
class WindowTable:
    """Prepared windows, which cell each belongs to, and what was noticed.

    Parameters
    ----------
    windows
        (m, samples) in mV; a row of NaN where there was nothing to prepare.
    doubts, notes
        Per window, reasons to abstain known before any model looks, and remarks.
    cells
        (m,) row of ``items`` each window belongs to; a cell may have none.
    items, cell_doubts, cell_notes, species
        Per cell: its name, reasons, remarks, and the species it is stated to be of (empty if none is).
    parts
        For recordings, where each window lies, (m rows); else None.
    """

    windows: FloatArray
    doubts: list[list[str]]
    notes: list[list[str]]
    cells: NDArray[np.intp]
    items: list[str]
    cell_doubts: list[list[str]]
    cell_notes: list[list[str]]
    species: list[str]
    parts: pd.DataFrame | None = None


def read_windows(x: Any, rate_hz: float | None, form: WindowFormat, rates: Rates) -> WindowTable:
    """Windows from an array (n, samples), a list of traces, window cuts, a Recording or several recordings.

    Parameters
    ----------
    rate_hz
        Of an array; by default the rate at which its rows are as long as the model's window.

    Raises
    ------
    ModelError
        If ``x`` is nothing windows can be made of.
    """
    if isinstance(x, Recording):
        return _from_recordings([x], form, rates)
    if isinstance(x, list | tuple) and x and all(isinstance(item, Recording) for item in x):
        return _from_recordings(x, form, rates)
    if isinstance(x, WindowCut):
        x = [x]
    if isinstance(x, list | tuple) and x and all(isinstance(item, WindowCut) for item in x):
        return _from_traces([(cut.voltage_mv, cut.rate_hz, list(cut.notes)) for cut in x], form, rates)
    return _from_arrays(x, rate_hz, form, rates)


def _from_arrays(x: Any, rate_hz: float | None, form: WindowFormat, rates: Rates) -> WindowTable:
    rows = _as_rows(x)
    if rate_hz is not None and not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ModelError(f"rate_hz is {rate_hz}", hint="A sampling rate is a positive number, in samples a second.")
    return _from_traces([(row, _rate_of(row, rate_hz, form), []) for row in rows], form, rates)


def _as_rows(x: Any) -> list[FloatArray]:
    try:
        if isinstance(x, list | tuple) and x and all(np.ndim(row) == 1 for row in x):
            rows = [np.asarray(row, dtype=float) for row in x]
        else:
            array = np.asarray(x, dtype=float)
            rows = list(np.atleast_2d(array)) if array.ndim in (1, 2) and array.size else []
    except (ValueError, TypeError) as error:
        raise ModelError(f"cannot make windows of {type(x).__name__} ({error})", hint=_WANTED) from error
    if not rows or min(row.size for row in rows) < _FEWEST_SAMPLES:
        raise ModelError(f"got an array of shape {np.shape(x)}, which holds no windows", hint=_WANTED)
    return rows


_FEWEST_SAMPLES = 10
_WANTED = "Give voltages in mV as an array (windows, samples) with rate_hz, or a Recording."


def _rate_of(row: FloatArray, rate_hz: float | None, form: WindowFormat) -> float:
    return row.size / form.duration_s if rate_hz is None else float(rate_hz)


def _from_traces(
    traces: Sequence[tuple[FloatArray, float, list[str]]], form: WindowFormat, rates: Rates
) -> WindowTable:
    windows = np.full((len(traces), form.n_samples), np.nan)
    doubts: list[list[str]] = [_trace_doubts(row, rate, form, rates) for row, rate, _ in traces]
    notes = [[*known, *rates.note(rate, form)] for _, rate, known in traces]
    # traces of one rate and length go together: filtering once is much cheaper
    kinds: dict[tuple[float, int], list[int]] = {}
    for number, (row, rate, _) in enumerate(traces):
        if np.isfinite(row).all():
            kinds.setdefault((rate, row.size), []).append(number)
    for (rate, _), members in kinds.items():
        windows[members] = prepare_windows(np.stack([traces[i][0] for i in members]), rate, form)
    n = len(traces)
    return WindowTable(
        windows=windows,
        doubts=doubts,
        notes=notes,
        cells=np.arange(n, dtype=np.intp),
        items=[str(i) for i in range(n)],
        cell_doubts=[[] for _ in range(n)],
        cell_notes=[[] for _ in range(n)],
        species=["" for _ in range(n)],
    )


def _trace_doubts(row: FloatArray, rate_hz: float, form: WindowFormat, rates: Rates) -> list[str]:
    found = rates.doubt(rate_hz)
    if not np.isfinite(row).all():
        return [*found, "The window holds gaps (NaN)."]
    if row.size / rate_hz < form.duration_s * 0.95:
        lasts = f"{row.size / rate_hz * 1e3:.3g} ms"
        found.append(f"Wrong window: it lasts {lasts}, this model takes {form.duration_s * 1e3:g} ms.")
    problem = trace_problem(row)
    return [*found, f"No action potential: {problem}."] if problem else found


def _from_recordings(recordings: Sequence[Recording], form: WindowFormat, rates: Rates) -> WindowTable:
    cells = [cell for recording in recordings for cell in _cells_of(recording, form, rates)]
    counts = [len(cell.windows) for cell in cells]
    parts = [part for cell in cells for part in cell.parts]
    return WindowTable(
        windows=np.array([row for cell in cells for row in cell.windows]).reshape(-1, form.n_samples),
        doubts=[texts for cell in cells for texts in cell.window_doubts],
        notes=[[] for _ in parts],
        cells=np.repeat(np.arange(len(cells), dtype=np.intp), counts),
        items=[cell.item for cell in cells],
        cell_doubts=[cell.doubts for cell in cells],
        cell_notes=[cell.notes for cell in cells],
        species=[cell.species for cell in cells],
        parts=pd.DataFrame(parts, columns=_PART_COLUMNS),
    )


_PART_COLUMNS = ["item", "sweep", "start_s", "stop_s", "peak_s", "stimulus", "why"]


@dataclass
class _Cell:
    item: str
    species: str
    windows: list[FloatArray] = field(default_factory=list)
    window_doubts: list[list[str]] = field(default_factory=list)
    parts: list[tuple[Any, ...]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _cells_of(recording: Recording, form: WindowFormat, rates: Rates) -> Iterator[_Cell]:
    """One cell an electrode that recorded spikes; one with a reason where none did."""
    stimuli = find_stimuli(recording)
    found = [w for w in suggest_windows(recording, stimuli) if w.kind == form.anchor]
    if not found:
        yield _Cell(recording.name, recorded_species(recording), doubts=[_why_none(recording, form)])
        return
    by_electrode: dict[str, list[ApWindow]] = {}
    for window in found:
        by_electrode.setdefault(recording.sweeps[window.sweep].electrode, []).append(window)
    for electrode, windows in by_electrode.items():
        item = recording.name if len(by_electrode) == 1 else f"{recording.name} · {electrode}"
        yield _cell(recording, item, windows, stimuli, form, rates)


def _cell(
    recording: Recording,
    item: str,
    found: list[ApWindow],
    stimuli: Sequence[Stimulus],
    form: WindowFormat,
    rates: Rates,
) -> _Cell:
    cell = _Cell(item, recorded_species(recording))
    short = [window for window in found if stimuli[window.sweep].kind == "short_square"]
    chosen = (short or found)[:MOST_WINDOWS]
    if not short:
        cell.notes.append("No spike was evoked by a short square, as all spikes were that the model was trained on.")
    if len(chosen) < len(short or found):
        cell.notes.append(f"{len(chosen)} of {len(short or found)} windows were judged, the most suitable first.")
    for window in chosen:
        sweep = recording.sweeps[window.sweep]
        cut = window.cut(recording, rate_hz=form.rate_hz, n_samples=form.n_samples, missing="hold")
        cell.windows.append(prepare_windows(cut.voltage_mv, form.rate_hz, form)[0])
        cell.window_doubts.append(
            [*rates.doubt(sweep.rate_hz), *_trace_doubts(cut.voltage_mv, cut.rate_hz, form, rates)]
        )
        kind = stimuli[window.sweep].kind
        cell.parts.append((item, window.sweep, window.start_s, window.stop_s, window.peak_s, kind, window.reason))
        cell.notes += [note for note in rates.note(sweep.rate_hz, form) if note not in cell.notes]
    return cell


def _why_none(recording: Recording, form: WindowFormat) -> str:
    clamps = [sweep.clamp for sweep in recording.sweeps]
    if clamps and set(clamps) == {"voltage"}:
        return "All sweeps are voltage clamp; action potentials are judged in current clamp."
    if form.anchor == "onset":
        return "No action potential follows a stimulus onset within 25 ms in this recording."
    usable = sum(clamp != "voltage" for clamp in clamps)
    return f"No action potential was found in the {usable} sweep{'s' * (usable != 1)} that may hold one."
