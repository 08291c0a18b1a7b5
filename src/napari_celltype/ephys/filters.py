"""The low-pass filter spikes are judged through, and the slope of a filtered trace computed only where it is needed.

The filter is the one the Allen Institute's analysis uses: a four-pole Bessel low-pass run forwards and backwards.
Running it over a whole sweep is most of the cost of finding spikes, yet a slope steep enough for a spike is
impossible wherever the trace hardly moves. :class:`Slope` therefore bounds the slope from the range of each short
block and filters only the blocks that matter, with a run-in long enough that the values equal those of the whole
sweep to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from napari_celltype.recording import FloatArray

__all__ = ["Slope", "can_lowpass", "lowpass"]

IntArray = NDArray[np.intp]

_ORDER = 4
_JUST_BELOW_ZERO = -float(np.finfo(np.float64).tiny)
_EXTENSION = 3 * (_ORDER + 1)  # samples mirrored at each end, as scipy.signal.filtfilt does by default


@dataclass(frozen=True, eq=False)
class _Design:
    """Coefficients of one filter, and how far and how strongly its derivative's kernel reaches."""

    numerator: FloatArray
    denominator: FloatArray
    settled: FloatArray
    slowest_pole: float
    reach: int
    slope_gain: float
    slope_tail: float


@lru_cache(maxsize=64)
def _design(rate_hz: float, cutoff_hz: float) -> _Design:
    numerator, denominator = signal.bessel(_ORDER, cutoff_hz / (rate_hz / 2.0), "low")
    settled = signal.lfilter_zi(numerator, denominator)
    slowest = float(np.abs(np.roots(denominator)).max())
    reach = max(int(np.ceil(3.0 / cutoff_hz * rate_hz)), int(np.ceil(np.log(1e-6) / np.log(slowest))))
    impulse = np.zeros(20 * reach + 1)
    impulse[10 * reach] = 1.0
    kernel = np.abs(np.diff(_both_ways(impulse, numerator, denominator, settled)))
    near = kernel[9 * reach : 11 * reach].sum()
    per_ms = rate_hz / 1e3 / 2.0
    return _Design(
        numerator, denominator, settled, slowest, reach, kernel.sum() * per_ms, (kernel.sum() - near) * per_ms
    )


def _both_ways(values: FloatArray, numerator: FloatArray, denominator: FloatArray, settled: FloatArray) -> FloatArray:
    """Filter along the last axis forwards, then backwards, from a settled state."""
    forward: Any = signal.lfilter(numerator, denominator, values, zi=settled * values[..., :1])[0]
    back = forward[..., ::-1]
    result: Any = signal.lfilter(numerator, denominator, back, zi=settled * back[..., :1])[0]
    return result[..., ::-1]


def _extended(values: FloatArray, *, left: bool, right: bool) -> tuple[FloatArray, int]:
    """Mirror the ends through their last value; also how many samples were put before."""
    length = min(_EXTENSION, values.size - 1)
    before = 2.0 * values[0] - values[length:0:-1] if left else values[:0]
    after = 2.0 * values[-1] - values[-2 : -length - 2 : -1] if right else values[:0]
    return np.concatenate([before, values, after]), before.size


def can_lowpass(rate_hz: float, cutoff_hz: float) -> bool:
    """Whether a signal sampled at this rate can be low-passed there at all (below half the rate)."""
    return 0.0 < cutoff_hz < rate_hz / 2.0


def lowpass(values: FloatArray, rate_hz: float, cutoff_hz: float = 10_000.0) -> FloatArray:
    """Low-pass a whole trace without shifting it; the trace itself where the rate is too low for the cutoff.

    Parameters
    ----------
    values
        Samples without gaps (NaN would spread over everything).
    rate_hz, cutoff_hz
        Sampling rate, and the corner of the four-pole Bessel filter that is run forwards and backwards.
    """
    values = np.asarray(values, dtype=np.float64)
    if not can_lowpass(rate_hz, cutoff_hz) or values.size < 2:
        return values
    design = _design(rate_hz, cutoff_hz)
    padded, offset = _extended(values, left=True, right=True)
    filtered = _both_ways(padded, design.numerator, design.denominator, design.settled)
    return filtered[offset : offset + values.size]


class Slope:
    """Slope (mV/ms) of a low-passed trace, filtered chunk by chunk when a chunk is first asked for.

    ``slope[k]`` is the step from sample ``k`` to ``k + 1``, so there is one value fewer than samples.

    Parameters
    ----------
    voltage_mv
        Finite samples.
    rate_hz
        Sampling rate.
    cutoff_hz
        Corner of the filter; where the rate does not allow it the unfiltered slope is used.
    residue
        So many samples are filtered and thrown away on each side of a chunk that of what the cut leaves behind no
        more than this fraction is left.
    """

    def __init__(
        self,
        voltage_mv: FloatArray,
        rate_hz: float,
        cutoff_hz: float,
        *,
        residue: float = 1e-12,
    ) -> None:
        self._voltage = voltage_mv
        self._per_ms = rate_hz / 1e3
        self.size = max(voltage_mv.size - 1, 0)
        self._design = _design(rate_hz, cutoff_hz) if can_lowpass(rate_hz, cutoff_hz) else None
        self._complete = self._design is None
        self._step = max(64, int(np.ceil(10.0 / cutoff_hz * rate_hz)))
        if self._design is None:
            self._values = np.diff(voltage_mv) * self._per_ms
            return
        self._run_in = int(np.ceil(np.log(residue) / np.log(self._design.slowest_pole)))
        self._chunk = self._step
        # looked at far more often than changed, and a bytearray is the quickest to look at
        self._filtered = bytearray(-(-self.size // self._chunk))
        self._known = np.frombuffer(self._filtered, dtype=np.bool_)
        self._values = np.zeros(self.size)
        if self.size <= 4 * (self._chunk + self._run_in):
            self._filter_whole()

    def values(self, start: int, stop: int) -> FloatArray:
        """Slopes ``start`` to ``stop``."""
        if not self._complete and stop > start:
            first, last = start // self._chunk, (min(stop, self.size) - 1) // self._chunk
            if 0 in self._filtered[first : last + 1]:
                self._ensure(np.arange(first, last + 1))
        return self._values[start:stop]

    def at(self, indices: IntArray) -> FloatArray:
        """Slopes at single samples."""
        if not self._complete:
            self._ensure(np.unique(indices // self._chunk))
        return self._values[indices]

    def prepare(self, starts: IntArray, length: int) -> None:
        """Filter the windows of this length beginning at ``starts`` in one go; later look-ups are then cheap."""
        if self._complete or not starts.size:
            return
        steps = np.arange(0, length + self._chunk, self._chunk)
        wanted = np.clip(starts[:, None] + np.minimum(steps, length), 0, self.size - 1) // self._chunk
        self._ensure(np.unique(wanted))

    def rising_through(self, level: float, start: int, stop: int) -> IntArray:
        """Indices in ``start`` to ``stop`` after which the slope first reaches ``level``."""
        if stop - start < 2:
            return np.empty(0, dtype=np.intp)
        found = [
            first + np.flatnonzero((part[1:] >= level) & (part[:-1] < level))
            for first, last in self._runs_that_may_reach(level, start, stop)
            if (part := self.values(first, last)).size > 1
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=np.intp)

    def first_at_least(self, start: int, stop: int, level: float) -> int:
        """First index from ``start`` with a slope of ``level`` or more, or -1."""
        stop = min(stop, self.size)
        while start < stop:
            hit = self.values(start, min(start + self._step, stop)) >= level
            if hit[place := int(hit.argmax())]:
                return start + place
            start += self._step
        return -1

    def first_at_most(self, start: int, stop: int, level: float) -> int:
        """First index from ``start`` with a slope of ``level`` or less, or -1."""
        stop = min(stop, self.size)
        while start < stop:
            hit = self.values(start, min(start + self._step, stop)) <= level
            if hit[place := int(hit.argmax())]:
                return start + place
            start += self._step
        return -1

    def falls(self, start: int, stop: int) -> bool:
        """Whether the trace goes down anywhere in ``start`` to ``stop``."""
        return self.first_at_most(start, stop, _JUST_BELOW_ZERO) >= 0

    def last_at_most(self, start: int, stop: int, level: float) -> int:
        """Last index before ``stop`` and not before ``start`` with a slope of ``level`` or less, or -1."""
        last = min(stop, self.size)
        while last > start:
            first = max(start, last - self._step)
            hit = self.values(first, last)[::-1] <= level
            if hit[place := int(hit.argmax())]:
                return last - 1 - place
            last = first
        return -1

    def argmax(self, start: int, stop: int) -> int:
        """Index of the steepest rise, or -1 for an empty range."""
        part = self.values(start, stop)
        return start + int(part.argmax()) if part.size else -1

    def argmin(self, start: int, stop: int) -> int:
        """Index of the steepest fall, or -1 for an empty range."""
        stop = min(stop, self.size)
        if stop <= start:
            return -1
        near = min(start + 2 * self._step, stop)
        part = self.values(start, near)
        best = int(part.argmin())
        if near == stop:
            return start + best
        if self._complete or self._ensure_steeper(near, stop, float(part[best])):
            return start + int(self._values[start:stop].argmin())
        return start + best

    def _ensure(self, chunks: IntArray) -> None:
        missing = chunks[~self._known[chunks]]
        if missing.size == 0:
            return
        breaks = np.flatnonzero(np.diff(missing) > 1)
        first = missing[np.concatenate([[0], breaks + 1])]
        length = missing[np.concatenate([breaks, [missing.size - 1]])] - first + 1
        # each run costs its run-ins and some looking up: beyond this point one pass over everything is cheaper
        if missing.size * self._chunk + 2 * first.size * self._run_in >= 0.6 * self._voltage.size:
            self._filter_whole()
            return
        begin = first * self._chunk
        reach = begin + length * self._chunk + self._run_in + 1
        inner = (begin >= self._run_in) & (reach <= self._voltage.size)
        for size in np.unique(length[inner]).tolist():
            self._filter_inner(begin[inner & (length == size)], size * self._chunk)
        for start, size in zip(begin[~inner].tolist(), length[~inner].tolist(), strict=True):
            self._filter_outer(start, min(start + size * self._chunk, self.size))
        self._known[missing] = True

    def _filter_whole(self) -> None:
        assert self._design is not None
        padded, offset = _extended(self._voltage, left=True, right=True)
        filtered = _both_ways(padded, self._design.numerator, self._design.denominator, self._design.settled)
        np.multiply(np.diff(filtered[offset : offset + self._voltage.size]), self._per_ms, out=self._values)
        self._known[:] = True
        self._complete = True

    def _filter_inner(self, begins: IntArray, length: int) -> None:
        """Stretches of one length with samples enough on both sides, all in one call."""
        assert self._design is not None
        starts = begins[:, None]
        window = self._voltage[starts - self._run_in + np.arange(length + 2 * self._run_in + 1)]
        filtered = _both_ways(window, self._design.numerator, self._design.denominator, self._design.settled)
        kept = filtered[:, self._run_in : self._run_in + length + 1]
        self._values[starts + np.arange(length)] = np.diff(kept, axis=1) * self._per_ms

    def _filter_outer(self, begin: int, end: int) -> None:
        """A stretch at an end of the trace, which is mirrored there as for the whole trace."""
        assert self._design is not None
        first, last = max(begin - self._run_in, 0), min(end + self._run_in + 1, self._voltage.size)
        padded, offset = _extended(self._voltage[first:last], left=first == 0, right=last == self._voltage.size)
        filtered = _both_ways(padded, self._design.numerator, self._design.denominator, self._design.settled)
        skip = offset + begin - first
        self._values[begin:end] = np.diff(filtered[skip : skip + end - begin + 1]) * self._per_ms

    def _steepest_possible(self) -> FloatArray:
        """Upper bound of the slope's size in each block of the kernel's reach; unlimited at the trace's ends."""
        if not hasattr(self, "_bounds"):
            assert self._design is not None
            reach, voltage = self._design.reach, self._voltage
            edges = np.arange(0, voltage.size, reach)
            high, low = np.maximum.reduceat(voltage, edges), np.minimum.reduceat(voltage, edges)
            padded_high, padded_low = np.pad(high, 1, mode="edge"), np.pad(low, 1, mode="edge")
            spread = np.maximum(np.maximum(padded_high[:-2], high), padded_high[2:])
            spread -= np.minimum(np.minimum(padded_low[:-2], low), padded_low[2:])
            bounds = self._design.slope_gain * spread + self._design.slope_tail * (high.max() - low.min())
            bounds[:2] = bounds[-2:] = np.inf
            self._bounds = bounds * (1.0 + 1e-9)
        return self._bounds

    def _runs_that_may_reach(self, level: float, start: int, stop: int) -> list[tuple[int, int]]:
        """Ranges outside which no slope reaches ``level``; each begins one sample early to show the crossing."""
        if self._complete or self._design is None:
            return [(start, stop)]
        reach = self._design.reach
        blocks = np.flatnonzero(self._steepest_possible() >= level)
        if not blocks.size:
            return []
        self._ensure(
            np.unique(np.clip(np.r_[blocks * reach - 1, (blocks + 1) * reach], 0, self.size - 1) // self._chunk)
        )
        breaks = np.flatnonzero(np.diff(blocks) > 1)
        firsts = blocks[np.r_[0, breaks + 1]] * reach - 1
        lasts = (blocks[np.r_[breaks, blocks.size - 1]] + 1) * reach + 1
        clipped = np.clip(np.stack([firsts, lasts], axis=1), start, stop)
        return [(int(first), int(last)) for first, last in clipped if last > first]

    def _ensure_steeper(self, start: int, stop: int, fall: float) -> bool:
        """Make known every slope of the range that may be below ``fall``; say whether there may be any.

        Those left unknown are zero and never win against a fall.
        """
        assert self._design is not None
        reach, bounds = self._design.reach, self._steepest_possible()
        # ranges end at the threshold of a spike: its rise makes the last blocks suspect, and it is known already
        tail = max(start, stop - 2 * reach)
        first, last = start // reach, tail // reach
        flat = last <= first or bounds[first:last].max() < -fall
        if flat and self.values(tail, stop).min() >= fall:
            return False
        blocks = first + np.flatnonzero(bounds[first : (stop - 1) // reach + 1] >= -fall)
        edges = np.concatenate([blocks * reach, (blocks + 1) * reach - 1])
        wanted = np.clip(edges, start, stop - 1) // self._chunk
        if not self._known[wanted].all():
            self._ensure(np.unique(wanted))
        return True
