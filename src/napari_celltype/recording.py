"""A recording in memory: what is known of it at once, and sweeps that are read when asked for.

Readers in :mod:`napari_celltype.io` build these objects; everything later in the flow only uses them.
Inside, values are SI (V, A, s); accessors carry their unit in their name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clamp", "FloatArray", "Recording", "SampleReader", "StimulusNote", "Sweep"]

FloatArray = NDArray[np.float64]
Clamp = Literal["current", "voltage", "unknown"]

SampleReader = Callable[[int, int], FloatArray]
"""Reads samples ``start`` to ``stop`` (half open, already clipped to the sweep) in V or A, and only those.

The array is the caller's own: accessors scale it in place, so that a window costs its own size and not twice that.
"""


@dataclass(frozen=True)
class StimulusNote:
    """What the file itself says of a sweep's stimulus, unjudged (judging it is :mod:`napari_celltype.ephys`'s work).

    ``onset_s``, ``duration_s`` and ``amplitude_a`` are filled only where the file states them.
    """

    name: str = ""
    description: str = ""
    onset_s: float | None = None
    duration_s: float | None = None
    amplitude_a: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """One stretch of one electrode's signal; samples are read from the file when asked for.

    Parameters
    ----------
    index
        Position in ``Recording.sweeps``.
    number
        The sweep's own number in the file (several electrodes share one).
    rate_hz, n_stored
        Sampling rate, and samples the file holds for this sweep.
    clamp, clamp_reason
        The mode, and in words why we believe so. A guess says that it is one.
    read_voltage, read_current
        Readers of V and A, or None where the file has no such signal and none can be rebuilt.
    start_s
        When the sweep began, in seconds since the recording's start.
    """

    index: int
    number: int
    rate_hz: float
    n_stored: int
    read_voltage: SampleReader | None = None
    read_current: SampleReader | None = None
    clamp: Clamp = "unknown"
    clamp_reason: str = ""
    start_s: float = 0.0
    electrode: str = ""
    stimulus: StimulusNote = StimulusNote()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        signals = [("voltage", self.read_voltage), ("current", self.read_current)]
        facts = [
            _clamps([self.clamp]),
            f"{self.stored_duration_s:.4g} s at {self.rate_hz / 1e3:.4g} kHz",
            " and ".join(name for name, reader in signals if reader is not None) or "no signal",
            repr(self.stimulus.name or self.stimulus.description) if self.stimulus != StimulusNote() else "",
        ]
        name = f"{self.number} ({self.electrode})" if self.electrode else str(self.number)
        return f"<Sweep {name}: {', '.join(fact for fact in facts if fact)}>"

    @property
    def stored_duration_s(self) -> float:
        """Seconds of signal the file holds, blank tail included."""
        return self.n_stored / self.rate_hz

    @cached_property
    def n_samples(self) -> int:
        """Samples that were really recorded: a tail of NaN, or of zeros after a jump, is left out."""
        # the measured signal tells: a command may honestly end at zero
        voltage_first = self.clamp != "voltage" and self.read_voltage is not None
        if voltage_first or self.read_current is None:
            reader, smallest_jump = self.read_voltage, _SMALLEST_JUMP_V
        else:
            reader, smallest_jump = self.read_current, _SMALLEST_JUMP_A
        return self.n_stored if reader is None else recorded_length(reader, self.n_stored, self.rate_hz, smallest_jump)

    @property
    def duration_s(self) -> float:
        """Seconds of signal really recorded."""
        return self.n_samples / self.rate_hz

    @property
    def tail_problem(self) -> str | None:
        """A sentence about a blank tail that was left out, or None."""
        missing = self.n_stored - self.n_samples
        if missing == 0:
            return None
        return (
            f"Sweep {self.number}{f' ({self.electrode})' if self.electrode else ''}: the last "
            f"{missing / self.rate_hz:.4g} s are blank (NaN or zero) and were left out; "
            f"{self.duration_s:.4g} s were recorded."
        )

    def voltage_v(self, start_s: float | None = None, stop_s: float | None = None) -> FloatArray:
        """Membrane or command potential in V; NaN where the file holds none. See :meth:`voltage_mv`."""
        start, stop = self.sample_range(start_s, stop_s)
        if self.read_voltage is None:
            return np.full(stop - start, np.nan)
        return self.read_voltage(start, stop)

    def voltage_mv(self, start_s: float | None = None, stop_s: float | None = None) -> FloatArray:
        """Membrane or command potential in mV; NaN where the file holds none.

        Parameters
        ----------
        start_s, stop_s
            A window in seconds since the sweep began, clipped to the sweep; only that window is read. A window that
            ends before it begins is empty.

        Returns
        -------
        numpy.ndarray
            The caller's own copy, one value for each of :meth:`time_s`.
        """
        voltage = self.voltage_v(start_s, stop_s)
        voltage *= 1e3
        return voltage

    def current_a(self, start_s: float | None = None, stop_s: float | None = None) -> FloatArray | None:
        """Injected or measured current in A, or None where the file holds none."""
        if self.read_current is None:
            return None
        return self.read_current(*self.sample_range(start_s, stop_s))

    def current_pa(self, start_s: float | None = None, stop_s: float | None = None) -> FloatArray | None:
        """Injected or measured current in pA, or None where the file holds none."""
        current = self.current_a(start_s, stop_s)
        if current is not None:
            current *= 1e12
        return current

    def time_s(self, start_s: float | None = None, stop_s: float | None = None) -> FloatArray:
        """Time of each sample in seconds since this sweep began."""
        start, stop = self.sample_range(start_s, stop_s)
        return np.arange(start, stop) / self.rate_hz

    def sample_range(self, start_s: float | None = None, stop_s: float | None = None) -> tuple[int, int]:
        """Samples ``start`` to ``stop`` for a window in seconds, clipped to what was recorded.

        Raises
        ------
        ValueError
            If an end of the window is NaN.
        """
        last = self.n_samples
        start = 0 if start_s is None else self._sample_at(start_s, last)
        stop = last if stop_s is None else self._sample_at(stop_s, last)
        return start, max(stop, start)

    def _sample_at(self, seconds: float, last: int) -> int:
        if math.isnan(seconds):
            raise ValueError("a window's start_s and stop_s must be numbers or None, not NaN")
        return round(min(max(seconds * self.rate_hz, 0), last))


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """A patch-clamp recording: its sweeps, and what is doubtful about it in plain words.

    Parameters
    ----------
    path, format
        Where it came from and what it turned out to be, for example ``"ABF 2"``.
    sweeps
        All sweeps in the order of acquisition; with several electrodes, one entry per sweep and electrode.
    notes
        What the reader noticed: repairs, guesses and disagreements, one sentence each.
    metadata
        Facts the file states about itself (session start, device, protocol), for display and provenance.
    """

    path: Path
    format: str
    sweeps: Sequence[Sweep]
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        facts = [
            self.format,
            f"{len(self.sweeps)} sweep{'' if len(self.sweeps) == 1 else 's'}",
            f"{len(self.electrodes)} electrodes" if len(self.electrodes) > 1 else "",
            _clamps([sweep.clamp for sweep in self.sweeps]),
            f"{self.rate_hz / 1e3:.4g} kHz",
            f"{len(self.notes)} note{'' if len(self.notes) == 1 else 's'} in .problems" if self.notes else "",
        ]
        return f"<Recording {self.name!r}: {', '.join(fact for fact in facts if fact)}>"

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @cached_property
    def rate_hz(self) -> float:
        """The sampling rate most samples were taken at (a note says so where rates differ)."""
        samples: dict[float, int] = {}
        for sweep in self.sweeps:
            samples[sweep.rate_hz] = samples.get(sweep.rate_hz, 0) + sweep.n_stored
        return max(samples, key=lambda rate: (samples[rate], rate)) if samples else float("nan")

    @property
    def electrodes(self) -> list[str]:
        """Names of the electrodes, in order of first appearance."""
        return list(dict.fromkeys(sweep.electrode for sweep in self.sweeps))

    @cached_property
    def problems(self) -> list[str]:
        """Everything doubtful about this recording, one plain sentence each; empty if nothing is.

        Blank tails are looked for the first time this is read, which touches the end of every sweep.
        """
        tails = [text for sweep in self.sweeps if (text := sweep.tail_problem)]
        if len(tails) > _TAILS_NAMED:
            tails = [*tails[:_TAILS_NAMED], f"{len(tails) - _TAILS_NAMED} more sweeps end blank likewise."]
        return [*self.notes, *tails]


def _clamps(modes: Sequence[Clamp]) -> str:
    """Modes in words: ``"current and voltage clamp, partly unknown"``."""
    known = " and ".join(mode for mode in ("current", "voltage") if mode in modes)
    unknown = "partly unknown" if known else "clamp unknown"
    return ", ".join([*([f"{known} clamp"] if known else []), *([unknown] if "unknown" in modes else [])])


_TAILS_NAMED = 5
_TAIL_BLOCK = 4096
_TAIL_LARGEST_BLOCK = 1 << 18
_TAIL_MOST = 100_000_000
# below these a return to rest cannot be told from a stop
_SMALLEST_JUMP_V = 1e-3
_SMALLEST_JUMP_A = 1e-12
_TAIL_MIN_S = 1e-3
_TAIL_MIN_SAMPLES = 10
_TAIL_MIN_ZEROS_IN_NOISE = 50


def recorded_length(read: SampleReader, n_stored: int, rate_hz: float, smallest_jump: float = _SMALLEST_JUMP_V) -> int:
    """Samples before a blank tail, reading backwards only as far as the tail reaches.

    A tail is a run of NaN, or of exact zeros that begins with a jump no ordinary sample step explains, or that ends
    the noise of the signal (acquisition programs fill the rest of an aborted sweep with zeros; a noiseless signal
    may honestly come to rest at zero).
    A sweep that is blank from its first sample (or through its last hundred million samples) keeps its length: there is
    nothing to tell a tail from.
    """
    if n_stored == 0:
        return 0
    last = read(n_stored - 1, n_stored)[0]
    if not (np.isnan(last) or last == 0.0):
        return n_stored
    is_blank: Callable[[FloatArray], NDArray[np.bool_]] = np.isnan if np.isnan(last) else _is_zero
    for start, stop in _blocks_from_end(n_stored):
        filled = np.flatnonzero(~is_blank(read(start, stop)))
        if filled.size:
            length = start + int(filled[-1]) + 1
            break
    else:
        return n_stored
    if np.isnan(last):
        return length
    long_enough = n_stored - length >= max(_TAIL_MIN_SAMPLES, _TAIL_MIN_S * rate_hz)
    before = read(max(0, length - 200), length)
    return length if long_enough and _stops(before, n_stored - length, smallest_jump) else n_stored


def _blocks_from_end(n: int) -> Iterator[tuple[int, int]]:
    """Ever larger stretches backwards, as far as a tail may reach: headers that claim a terabyte must end too."""
    stop, size = n, _TAIL_BLOCK
    while stop > max(0, n - _TAIL_MOST):
        start = max(0, stop - size)
        yield start, stop
        stop, size = start, min(2 * size, _TAIL_LARGEST_BLOCK)


def _is_zero(values: FloatArray) -> NDArray[np.bool_]:
    return values == 0.0


def _stops(before: FloatArray, n_zeros: int, smallest_jump: float) -> bool:
    """Whether zeros after these samples are no part of the signal."""
    before = before[np.isfinite(before)]
    steps = np.diff(before)
    if not steps.size:
        return False
    usual = float(np.median(np.abs(steps)))
    if abs(float(before[-1])) > max(10.0 * usual, smallest_jump):
        return True
    # noise turns at most samples and is hardly ever exactly zero; fifty zeros in a row are none
    turns = float(np.mean(steps[1:] * steps[:-1] < 0)) if steps.size > 1 else 0.0
    return n_zeros >= _TAIL_MIN_ZEROS_IN_NOISE and turns > 0.3 and float(np.mean(before == 0.0)) < 0.05
