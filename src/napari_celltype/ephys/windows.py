"""The short stretch around an action potential that a classifier looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, Sweep

from .resampling import HALF_WIDTH, sample_at
from .signals import trace_problem
from .spikes import find_spikes
from .stimulus import Stimulus, find_stimuli

__all__ = ["ApWindow", "WindowCut", "WindowKind", "suggest_windows"]

WindowKind = Literal["peak", "onset", "manual"]
PEAK_BEFORE_S, PEAK_AFTER_S = 0.001, 0.002
ONSET_BEFORE_S, ONSET_AFTER_S = 0.025, 0.025


@dataclass(frozen=True)
class WindowCut:
    """Samples cut from a window, ready for a model, with what should be known about them.

    ``np.asarray(cut)`` gives the samples.
    """

    voltage_mv: FloatArray
    rate_hz: float
    start_s: float
    notes: tuple[str, ...] = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.array(self.voltage_mv, dtype=dtype, copy=copy)

    @property
    def time_s(self) -> FloatArray:
        """Time of each sample in seconds since the sweep began."""
        return self.start_s + np.arange(self.voltage_mv.size) / self.rate_hz


@dataclass(frozen=True)
class ApWindow:
    """A stretch of a sweep around an action potential; its ends put themselves in order.

    Parameters
    ----------
    sweep
        Index of the sweep in ``Recording.sweeps``.
    start_s, stop_s
        Begin and end, in seconds since the sweep began.
    peak_s
        Time of the spike's peak, or None.
    kind
        ``"peak"``: 1 ms before to 2 ms after the peak. ``"onset"``: 25 ms before to 25 ms after the stimulus onset.
        ``"manual"``: drawn by the user.
    reason
        Why it is suggested, in words.
    """

    sweep: int
    start_s: float
    stop_s: float
    peak_s: float | None = None
    kind: WindowKind = "manual"
    reason: str = ""

    def __post_init__(self) -> None:
        ends = (float(self.start_s), float(self.stop_s))
        if not np.isfinite(ends).all():
            raise ValueError(f"a window needs two finite ends, not {ends[0]} and {ends[1]}")
        object.__setattr__(self, "start_s", min(ends))
        object.__setattr__(self, "stop_s", max(ends))

    @classmethod
    def around_peak(
        cls, sweep: int, peak_s: float, before_s: float = PEAK_BEFORE_S, after_s: float = PEAK_AFTER_S, reason: str = ""
    ) -> ApWindow:
        """Window around a peak."""
        return cls(sweep, peak_s - before_s, peak_s + after_s, peak_s, "peak", reason)

    @classmethod
    def around_onset(cls, sweep: int, onset_s: float, peak_s: float | None = None, reason: str = "") -> ApWindow:
        """Window of 50 ms around a stimulus onset."""
        return cls(sweep, onset_s - ONSET_BEFORE_S, onset_s + ONSET_AFTER_S, peak_s, "onset", reason)

    @property
    def duration_s(self) -> float:
        """Length of the window."""
        return self.stop_s - self.start_s

    def moved(self, by_s: float) -> ApWindow:
        """The same window, shifted (the peak stays where it is in the sweep)."""
        return replace(self, start_s=self.start_s + by_s, stop_s=self.stop_s + by_s)

    def clipped(self, source: Recording | Sweep) -> ApWindow:
        """The part of the window that was recorded."""
        duration = self._sweep_of(source).duration_s
        start, stop = (min(max(end, 0.0), duration) for end in (self.start_s, self.stop_s))
        return replace(self, start_s=start, stop_s=stop)

    def cut(
        self,
        source: Recording | Sweep,
        *,
        rate_hz: float | None = None,
        n_samples: int | None = None,
        missing: Literal["refuse", "hold"] = "refuse",
    ) -> WindowCut:
        """Read the window's samples, at the rate and length a model wants.

        Parameters
        ----------
        source
            The recording, or the sweep itself.
        rate_hz
            Rate wanted; the sweep's own by default. Lowering it filters first; raising it interpolates, and a note
            says so. At the sweep's own rate the samples are the recorded ones.
        n_samples
            Length wanted; the window's by default. If it differs, the peak (else the middle) keeps its relative place.
        missing
            What to do where the window reaches beyond the recording: refuse, or hold the last value and note it.

        Raises
        ------
        RecordingError
            If the window reaches beyond what was recorded, or holds NaN.
        """
        sweep = self._sweep_of(source)
        rate = sweep.rate_hz if rate_hz is None else float(rate_hz)
        if not rate > 0.0:
            raise ValueError(f"rate_hz is {rate}; a sampling rate is a positive number")
        count = max(1, round(self.duration_s * rate)) if n_samples is None else int(n_samples)
        start_s = self._start_for(count / rate)
        notes = self._check(sweep, start_s, count, rate, missing)
        voltage = _resampled(sweep, start_s, count, rate)
        if np.isnan(voltage).any():
            raise RecordingError(
                f"the window {start_s:.6g} to {start_s + count / rate:.6g} s of sweep {sweep.number} holds gaps (NaN)",
                hint="Choose a window without a gap.",
            )
        return WindowCut(voltage, rate, start_s, notes)

    def _sweep_of(self, source: Recording | Sweep) -> Sweep:
        return source if isinstance(source, Sweep) else source.sweeps[self.sweep]

    def _start_for(self, length_s: float) -> float:
        if abs(length_s - self.duration_s) < 1e-9 or self.duration_s == 0.0:
            return self.start_s
        inside = self.peak_s is not None and self.start_s <= self.peak_s <= self.stop_s
        anchor = self.peak_s if inside and self.peak_s is not None else (self.start_s + self.stop_s) / 2.0
        return anchor - (anchor - self.start_s) / self.duration_s * length_s

    def _check(self, sweep: Sweep, start_s: float, count: int, rate: float, missing: str) -> tuple[str, ...]:
        notes = []
        early = -start_s
        late = start_s + (count - 1) / rate - (sweep.n_samples - 1) / sweep.rate_hz
        lacking = max(early, 0.0) + max(late, 0.0)
        if lacking * sweep.rate_hz > 0.5:
            text = (
                f"the window {start_s:.6g} to {start_s + count / rate:.6g} s reaches {lacking * 1e3:.4g} ms beyond "
                f"sweep {sweep.number}, which was recorded for {sweep.duration_s:.6g} s"
            )
            if missing == "refuse" or sweep.n_samples == 0:
                raise RecordingError(text, hint="Move the window, or choose another sweep.")
            notes.append(f"{text}; the end value was held there")
        if rate > sweep.rate_hz * (1.0 + 1e-9):
            notes.append(
                f"interpolated from {sweep.rate_hz / 1e3:g} to {rate / 1e3:g} kHz: nothing above "
                f"{sweep.rate_hz / 2e3:g} kHz was recorded"
            )
        return tuple(notes)


def _resampled(sweep: Sweep, start_s: float, count: int, rate: float) -> FloatArray:
    ratio = rate / sweep.rate_hz
    begin = start_s * sweep.rate_hz
    if abs(begin - round(begin)) < 1e-3:  # a peak found at a sample stays on a sample in spite of rounding
        begin = float(round(begin))
    context = int(np.ceil(HALF_WIDTH / min(ratio, 1.0))) + 1
    first = min(max(int(begin) - context, 0), max(sweep.n_samples - 1, 0))
    last = max(min(int(begin + count / ratio) + context + 1, sweep.n_samples), first + 1)
    values = sweep.voltage_mv(first / sweep.rate_hz, last / sweep.rate_hz)
    return sample_at(values, begin - first, ratio, count)


def suggest_windows(
    recording: Recording,
    stimuli: Sequence[Stimulus] | None = None,
    spikes: Sequence[pd.DataFrame | None] | None = None,
) -> list[ApWindow]:
    """Windows worth giving to a classifier, best first: two for each sweep with a spike.

    A sweep whose short stimulus evoked exactly one spike comes first, as in the papers the models follow; then
    other short stimuli, long ones from the weakest current upwards, ramps, and the rest. For each sweep the window
    around the peak is followed by the one around the stimulus onset, where the spike lies in that one.

    Parameters
    ----------
    recording
        Any recording; sweeps in voltage clamp are passed over.
    stimuli, spikes
        What :func:`find_stimuli` and :func:`find_spikes` found for each sweep, if that is known already.
    """
    stimuli = find_stimuli(recording) if stimuli is None else stimuli
    ranked: list[tuple[tuple[float, ...], list[ApWindow]]] = []
    for sweep, stimulus in zip(recording.sweeps, stimuli, strict=True):
        table = spikes[sweep.index] if spikes is not None else _spikes_of(sweep)
        if table is not None and len(table):
            ranked.append(_windows_of(sweep, stimulus, table))
    ranked.sort(key=lambda entry: entry[0])
    return [window for _, windows in ranked for window in windows]


def _spikes_of(sweep: Sweep) -> pd.DataFrame | None:
    if sweep.clamp == "voltage" or sweep.read_voltage is None:
        return None
    voltage = sweep.voltage_mv()
    if trace_problem(voltage):
        return None
    return find_spikes(voltage, sweep.rate_hz, sweep.current_pa())


_RANKS = {"short_square": 0, "pulse_train": 2, "long_square": 2, "ramp": 3, "noise": 4}


def _windows_of(sweep: Sweep, stimulus: Stimulus, spikes: pd.DataFrame) -> tuple[tuple[float, ...], list[ApWindow]]:
    chosen = _best_spike(sweep, stimulus, spikes)
    peak_s = float(spikes["peak_t_s"].iloc[chosen])
    said = stimulus.kind.replace("_", " ")
    which = "the only spike" if len(spikes) == 1 else f"spike {chosen + 1} of {len(spikes)}"
    reason = f"{which} of sweep {sweep.number} ({said})"
    windows = [ApWindow.around_peak(sweep.index, peak_s, reason=reason)]
    onset = stimulus.onset_s
    if onset is not None and 0.0 <= peak_s - onset <= ONSET_AFTER_S:
        windows.append(ApWindow.around_onset(sweep.index, onset, peak_s, reason=f"stimulus onset before {reason}"))
    windows = [window for window in windows if _is_recorded(window, sweep)]
    single = len(spikes) == 1 and not bool(spikes["clipped"].iloc[chosen])
    rank = _RANKS.get(stimulus.kind, 5) + (0 if single else 1)
    return (rank, abs(stimulus.amplitude_pa or 0.0), float(sweep.index)), windows


def _best_spike(sweep: Sweep, stimulus: Stimulus, spikes: pd.DataFrame) -> int:
    """First spike of the stimulus whose window was recorded; else the first one at all."""
    peaks = spikes["peak_t_s"].to_numpy()
    last = (sweep.n_samples - 1) / sweep.rate_hz
    usable = (peaks >= PEAK_BEFORE_S) & (peaks <= last - PEAK_AFTER_S) & ~spikes["clipped"].to_numpy()
    evoked = usable & (peaks >= (stimulus.onset_s or 0.0))
    for mask in (evoked, usable):
        if mask.any():
            return int(mask.argmax())
    return 0


def _is_recorded(window: ApWindow, sweep: Sweep) -> bool:
    slack = 0.6 / sweep.rate_hz
    return window.start_s >= -slack and window.stop_s <= sweep.duration_s + slack
