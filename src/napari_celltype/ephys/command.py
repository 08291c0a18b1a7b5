"""The shape of an injected current: when it leaves its holding level, and what it draws while it is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

__all__ = ["CommandShape", "Form", "Pulse", "describe_command"]

Form = Literal["flat", "square", "squares", "steps", "ramp", "noise", "sweep", "other"]

_TEST_PULSE_WITHIN_S = 0.4
_TEST_PULSE_LONGEST_S = 0.11
_EDGE_S = 0.0002
_MOST_PULSES = 500
_DIGITAL_PA = 1e-3  # a command without noise is resolved to this


@dataclass(frozen=True)
class Pulse:
    """A stretch away from the holding level; ``level_pa`` is its median deviation, ``is_flat`` that it stays there."""

    start_s: float
    stop_s: float
    level_pa: float
    is_flat: bool

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.stop_s - self.start_s


@dataclass(frozen=True)
class CommandShape:
    """What a command draws; times exclude a test pulse before it and are None where it is flat."""

    form: Form
    onset_s: float | None
    offset_s: float | None
    amplitude_pa: float
    baseline_pa: float
    pulses: tuple[Pulse, ...]
    test_pulse_s: tuple[float, float] | None

    @property
    def duration_s(self) -> float:
        """Length from onset to offset; 0 where flat."""
        return 0.0 if self.onset_s is None or self.offset_s is None else self.offset_s - self.onset_s


def describe_command(current_pa: FloatArray, rate_hz: float) -> CommandShape:
    """Say what the injected current of a sweep looks like.

    Parameters
    ----------
    current_pa
        The command, or the measured current; its noise is allowed for. NaN counts as the holding level.
    rate_hz
        Sampling rate.
    """
    current = _without_gaps(current_pa)
    if current.size < 3:
        return CommandShape("flat", None, None, 0.0, 0.0, (), None)
    baseline, tolerance = _holding(current, rate_hz)
    pulses = _pulses(current - baseline, tolerance, rate_hz)
    pulses, test = _without_test_pulse(pulses)
    test_s = None if test is None else (test.start_s, test.stop_s)
    if not pulses:
        return CommandShape("flat", None, None, 0.0, baseline, (), test_s)
    onset, offset = pulses[0].start_s, pulses[-1].stop_s
    part = current[round(onset * rate_hz) : round(offset * rate_hz)] - baseline
    form = _form(pulses, part, tolerance, rate_hz)
    return CommandShape(form, onset, offset, _amplitude(pulses, part), baseline, tuple(pulses), test_s)


def _without_gaps(current: FloatArray) -> FloatArray:
    finite = np.isfinite(current)
    if finite.all():
        return current
    return np.where(finite, current, current[finite][0]) if finite.any() else current[:0]


def _holding(current: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Level before anything happens, and the deviation that neither noise nor a slow tail reaches."""
    start = current[: max(3, round(0.005 * rate_hz))]
    baseline = float(np.median(start))
    noise = float(np.median(np.abs(start - baseline))) / 0.6745
    if noise == 0.0:
        return baseline, _DIGITAL_PA
    return baseline, max(_DIGITAL_PA, 8.0 * noise, 0.02 * float(np.abs(current - baseline).max()))


def _pulses(deviation: FloatArray, tolerance: float, rate_hz: float) -> list[Pulse]:
    """Stretches away from the holding level, cut where the level jumps from one plateau to another."""
    pulses: list[Pulse] = []
    for start, stop in _away(deviation, tolerance, rate_hz):
        cuts = _jumps(deviation[start:stop], tolerance, rate_hz)
        parts = [
            _pulse(deviation, start + a, start + b, tolerance, rate_hz)
            for a, b in zip([0, *cuts], [*cuts, stop - start], strict=True)
        ]
        # what moves all the time is one stimulus, however often it jumps
        whole = all(part.is_flat for part in parts) and len(parts) <= 20
        pulses += parts if whole else [_pulse(deviation, start, stop, tolerance, rate_hz)]
    return pulses


def _away(deviation: FloatArray, tolerance: float, rate_hz: float) -> list[tuple[int, int]]:
    away = np.concatenate([[False], np.abs(deviation) > tolerance, [False]])
    edges = np.flatnonzero(away[1:] != away[:-1])
    starts, stops = edges[::2], edges[1::2]
    if starts.size > 1:  # crossing the holding level on the way does not end a stimulus
        real = starts[1:] - stops[:-1] > max(1.0, 0.0005 * rate_hz)
        starts, stops = starts[np.r_[True, real]], stops[np.r_[real, True]]
    if starts.size > _MOST_PULSES:  # nothing a protocol holds: fluctuations
        return [(int(starts[0]), int(stops[-1]))]
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def _jumps(deviation: FloatArray, tolerance: float, rate_hz: float) -> list[int]:
    """Where one plateau jumps to another within the stretch."""
    width = max(1, round(_EDGE_S * rate_hz))
    if deviation.size <= 4 * width:
        return []
    moving = np.abs(deviation[width:] - deviation[:-width]) > tolerance
    moving[:width] = moving[-width:] = False  # the rise and fall of the stretch itself
    edges = np.flatnonzero(np.diff(np.concatenate([[False], moving, [False]])))
    return [
        int(first) + width for first, last in zip(edges[::2], edges[1::2], strict=True) if last - first <= 4 * width
    ]


def _pulse(deviation: FloatArray, start: int, stop: int, tolerance: float, rate_hz: float) -> Pulse:
    edge = 0 if tolerance == _DIGITAL_PA else min(round(5 * _EDGE_S * rate_hz), (stop - start) // 4)
    middle = deviation[start + edge : stop - edge]
    middle = middle[:: max(1, middle.size // 20_000)]
    level = float(np.median(middle))
    low, high = np.percentile(middle, [2.0, 98.0])
    is_flat = float(high - low) <= max(2.0 * tolerance, 0.05 * abs(level))
    return Pulse(start / rate_hz, stop / rate_hz, level, is_flat)


def _without_test_pulse(pulses: list[Pulse]) -> tuple[list[Pulse], Pulse | None]:
    """Take off a short square at the very start, unless it is the first of a train of its like."""
    if len(pulses) < 2:
        return pulses, None
    first, second = pulses[0], pulses[1]
    early = first.start_s < _TEST_PULSE_WITHIN_S and first.duration_s < _TEST_PULSE_LONGEST_S
    apart = second.start_s > first.stop_s
    if early and first.is_flat and apart and not _alike(first, second):
        return pulses[1:], first
    return pulses, None


def _alike(one: Pulse, other: Pulse) -> bool:
    longer = max(one.duration_s, other.duration_s)
    same_length = abs(one.duration_s - other.duration_s) <= max(1e-4, 0.05 * longer)
    return same_length and abs(one.level_pa - other.level_pa) <= 0.05 * abs(one.level_pa)


def _amplitude(pulses: list[Pulse], part: FloatArray) -> float:
    if all(pulse.is_flat for pulse in pulses):
        return max((pulse.level_pa for pulse in pulses), key=abs)
    low, high = float(part.min()), float(part.max())
    return high if abs(high) >= abs(low) else low


def _form(pulses: list[Pulse], part: FloatArray, tolerance: float, rate_hz: float) -> Form:
    if all(pulse.is_flat for pulse in pulses):
        if len(pulses) == 1:
            return "square"
        return "squares" if all(_alike(pulses[0], other) for other in pulses[1:]) else "steps"
    if _is_line(part):
        return "ramp"
    turns = _turning_points(part, tolerance, rate_hz)
    if turns.size < 8:
        return "other"
    return "sweep" if _quickens(turns) else "noise"


def _is_line(values: FloatArray) -> bool:
    """Whether a straight line explains the course (a ramp may stop or fall back abruptly at its end)."""
    values = values[: int(values.size * 0.98)]
    if values.size < 4:
        return False
    picked = values[:: max(1, values.size // 2000)]
    x = np.arange(picked.size, dtype=float)
    slope, offset = np.polyfit(x, picked, 1)
    rest = picked - slope * x - offset
    return bool(abs(slope) > 0 and rest.var() < 0.01 * picked.var())


def _turning_points(values: FloatArray, tolerance: float, rate_hz: float) -> NDArray[np.intp]:
    """Where the course, in steps of 1 ms, turns by more than the tolerance."""
    block = max(1, round(0.001 * rate_hz))
    n = values.size // block
    course = values[: n * block].reshape(n, block).mean(axis=1).tolist()
    turns: list[int] = []
    extreme, at, rising = (course[0] if course else 0.0), 0, True
    for k, value in enumerate(course):
        if (value > extreme) if rising else (value < extreme):
            extreme, at = value, k
        elif abs(value - extreme) > tolerance:
            turns.append(at)
            extreme, at, rising = value, k, not rising
    return np.array(turns, dtype=np.intp)


def _quickens(turns: NDArray[np.intp]) -> bool:
    """Whether each half wave is a little shorter than the one before, as in a chirp."""
    lengths = np.diff(turns)
    if lengths.size < 8:
        return False
    return bool(np.mean(np.diff(lengths) <= 1) > 0.95 and lengths[:3].mean() > 2.0 * lengths[-3:].mean())
