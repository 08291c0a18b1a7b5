"""Where the spikes are: candidates, peaks, upstrokes and thresholds of one gap-free stretch.

The definitions are those published for the Allen Cell Types Database. A spike begins where the slope first reaches
20 mV/ms, peaks at -30 mV or more, rises 2 mV or more, and takes less than 5 ms from its threshold (the slope's 5 % of
the mean steepest rise) to its peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

from .filters import Slope

__all__ = ["Events", "SpikeRules", "detect"]

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
_ARTEFACT_LOOK_S = 0.0005


@dataclass(frozen=True)
class SpikeRules:
    """When a deflection counts as a spike; the defaults are the Allen Institute's.

    Parameters
    ----------
    lowpass_hz
        Corner of the filter before the slope is taken; not applied where half the sampling rate is below it.
    min_slope_mv_ms
        Slope that makes a candidate.
    threshold_fraction
        Threshold: where the slope last was at this fraction of the mean steepest rise.
    min_peak_mv, min_height_mv
        Lowest peak, and lowest rise from the candidate's start to the peak.
    min_height_noise
        The rise is also at least this many standard deviations of the sample-to-sample noise, or the noise of a
        depolarised membrane would count as spikes wherever the rate is too low to filter. 0 turns this off.
    max_rise_s
        Threshold to peak takes less than this.
    return_tolerance_mv
        A last spike that does not come back to within this of its threshold was clipped by the end.
    reject_artefacts
        Drop jumps that no membrane makes: nearly the whole rise at a step of the command, or within 0.05 ms.
    """

    lowpass_hz: float = 10_000.0
    min_slope_mv_ms: float = 20.0
    threshold_fraction: float = 0.05
    min_peak_mv: float = -30.0
    min_height_mv: float = 2.0
    min_height_noise: float = 10.0
    max_rise_s: float = 0.005
    return_tolerance_mv: float = 1.0
    reject_artefacts: bool = True


@dataclass(frozen=True)
class Events:
    """Sample indices of the spikes found, in order, and how many artefacts were left out."""

    threshold: IntArray
    peak: IntArray
    upstroke: IntArray
    n_artefacts: int = 0

    @classmethod
    def none(cls, n_artefacts: int = 0) -> Events:
        """No spikes."""
        nothing: IntArray = np.empty(0, dtype=np.intp)
        return cls(nothing, nothing, nothing, n_artefacts)

    def keep(self, chosen: BoolArray) -> Events:
        """Only the chosen ones."""
        return replace(self, threshold=self.threshold[chosen], peak=self.peak[chosen], upstroke=self.upstroke[chosen])

    @property
    def size(self) -> int:
        """How many."""
        return self.peak.size


@dataclass(frozen=True, eq=False)
class Trace:
    """What detection looks at: a gap-free voltage, its slope, the command, and the part to search."""

    voltage: FloatArray
    slope: Slope
    rate_hz: float
    current: FloatArray | None
    start: int
    stop: int

    def samples(self, seconds: float) -> int:
        """Samples in a time, at least one."""
        return max(1, round(seconds * self.rate_hz))


def detect(trace: Trace, rules: SpikeRules) -> Events:
    """Find the spikes of a trace between its start and stop sample."""
    begins, jumps = _candidates(trace, rules)
    n_artefacts = int(jumps.sum())
    begins, peaks = _pair_with_peaks(trace, begins, jumps, rules)
    if not begins.size:
        return Events.none(n_artefacts)
    upstrokes = _steepest(trace, begins, peaks)
    thresholds = _thresholds(trace, upstrokes, rules)
    events = _merge_overlaps(Events(thresholds, peaks, upstrokes, n_artefacts))
    events = _limit_rise(trace, events, rules)
    return replace(events, upstroke=_steepest(trace, events.threshold, events.peak))


def _candidates(trace: Trace, rules: SpikeRules) -> tuple[IntArray, BoolArray]:
    """Starts of steep rises, one for each time the trace turned down in between, and which of them are artefacts."""
    begins = trace.slope.rising_through(rules.min_slope_mv_ms, trace.start, trace.stop)
    # around a spike all that follows looks from a little before its start to the end of its fall
    trace.slope.prepare(np.maximum(begins - trace.samples(0.0005), 0), trace.samples(0.0035))
    if not begins.size:
        return begins, np.empty(0, dtype=bool)
    turned = np.array([True, *(trace.slope.falls(a, b) for a, b in pairwise(begins.tolist()))])
    jumps = np.array([rules.reject_artefacts and _is_artefact(trace, begin, rules) for begin in begins.tolist()])
    # what rises out of an artefact without turning down first is a candidate of its own
    turned[1:] |= jumps[:-1]
    return begins[turned | jumps], jumps[turned | jumps]


def _pair_with_peaks(trace: Trace, begins: IntArray, jumps: BoolArray, rules: SpikeRules) -> tuple[IntArray, IntArray]:
    """The peak of each candidate, up to the next one; candidates the trace does not turn down between become one."""
    if not begins.size:
        return begins, begins
    v = trace.voltage
    ends = np.append(begins[1:], trace.stop)
    peaks = np.array([a + v[a:b].argmax() for a, b in zip(begins, ends, strict=True)], dtype=np.intp)
    turned = np.array([trace.slope.falls(a, b) for a, b in zip(peaks[:-1], begins[1:], strict=True)], dtype=bool)
    turned |= jumps[1:] | jumps[:-1]
    own = ~jumps
    peaks, begins = peaks[np.append(turned, True) & own], begins[np.insert(turned, 0, True) & own]
    height = max(rules.min_height_mv, rules.min_height_noise * _noise_mv(v))
    good = (v[peaks] >= rules.min_peak_mv) & (v[peaks] - v[begins] >= height)
    return begins[good], peaks[good]


def _noise_mv(voltage: FloatArray) -> float:
    """Standard deviation of the noise from the median step between neighbours, in up to some 20,000 places."""
    stride = max(1, voltage.size // 20_000)
    steps = np.abs(voltage[1::stride] - voltage[:-1:stride])
    return float(np.median(steps)) / (0.6745 * np.sqrt(2.0)) if steps.size else 0.0


def _is_artefact(trace: Trace, begin: int, rules: SpikeRules) -> bool:
    """Whether the trace jumps here: no membrane charges four fifths of a spike's height in 0.05 ms.

    At a step of the command 0.1 ms is sudden enough.
    """
    rise = trace.voltage[begin : begin + trace.samples(_ARTEFACT_LOOK_S) + 1]
    height = float(rise.max() - rise[0])
    if _largest_gain(rise, trace.samples(0.1e-3)) < 0.8 * height or height < rules.min_height_mv:
        return False
    sudden = trace.rate_hz >= 40_000.0 and _largest_gain(rise, trace.samples(0.05e-3)) >= 0.8 * height
    # at low rates one sample lasts as long as the steepest part of a real spike
    if not sudden and not _command_steps(trace, begin - trace.samples(0.1e-3), begin + trace.samples(0.2e-3)):
        return False
    # a jump that runs on into a spike is that spike's beginning
    return trace.slope.first_at_most(begin + 1, begin + rise.size, rules.min_slope_mv_ms) >= 0


def _largest_gain(rise: FloatArray, width: int) -> float:
    width = min(width, rise.size - 1)
    return float((rise[width:] - rise[: rise.size - width]).max())


def _command_steps(trace: Trace, first: int, last: int) -> bool:
    """Whether the command changes abruptly (20 pA or more within 0.05 ms, far more than it usually does)."""
    if trace.current is None:
        return False
    part = trace.current[max(first, 0) : last + 1]
    part = part[np.isfinite(part)]
    width = trace.samples(0.05e-3)
    if part.size <= width:
        return False
    steps = np.abs(part[width:] - part[:-width])
    return bool(steps.max() >= max(20.0, 10.0 * float(np.median(steps))))


def _steepest(trace: Trace, begins: IntArray, peaks: IntArray) -> IntArray:
    return np.array([trace.slope.argmax(a, b) for a, b in zip(begins, peaks, strict=True)], dtype=np.intp)


def _thresholds(trace: Trace, upstrokes: IntArray, rules: SpikeRules) -> IntArray:
    level = rules.threshold_fraction * float(trace.slope.at(upstrokes).mean())
    found = []
    for before, upstroke in zip(np.append(0, upstrokes[:-1]), upstrokes, strict=True):
        index = trace.slope.last_at_most(before + 1, upstroke + 1, level)
        found.append(before if index < 0 else index)
    return np.array(found, dtype=np.intp)


def _merge_overlaps(events: Events) -> Events:
    """One spike where the next one's threshold lies before the first one's peak."""
    overlaps = np.flatnonzero(events.threshold[1:] <= events.peak[:-1] + 1)
    if not overlaps.size:
        return events
    return replace(
        events,
        threshold=np.delete(events.threshold, overlaps + 1),
        peak=np.delete(events.peak, overlaps),
        upstroke=np.delete(events.upstroke, overlaps),
    )


def _limit_rise(trace: Trace, events: Events, rules: SpikeRules) -> Events:
    """Look again for the threshold, then for the peak, of spikes that rise too slowly; drop what stays too slow."""
    rise_s = (events.peak - events.threshold) / trace.rate_hz
    slow = np.flatnonzero(rise_s >= rules.max_rise_s)
    if not slow.size:
        return events
    level = rules.threshold_fraction * float(trace.slope.at(events.upstroke).mean())
    threshold, peak = events.threshold.copy(), events.peak.copy()
    kept = np.ones(events.size, dtype=bool)
    reach = trace.samples(rules.max_rise_s)
    for i in slow.tolist():
        following = int(threshold[i + 1]) if i + 1 < threshold.size else trace.voltage.size
        index = _later_threshold(trace, int(peak[i]), int(events.upstroke[i]), level, rules)
        if index >= 0:
            threshold[i] = index
            continue
        begin = int(threshold[i])
        nearer = begin + int(trace.voltage[begin : begin + 2 * reach].argmax())
        kept[i] = begin < nearer < min(begin + reach, following)
        peak[i] = nearer
    return replace(events, threshold=threshold, peak=peak).keep(kept)


def _later_threshold(trace: Trace, peak: int, upstroke: int, level: float, rules: SpikeRules) -> int:
    """Threshold within the longest rise before a peak, or -1.

    It is looked for from the steepest point; where that lies further back, at a step of the command the spike was
    taken together with, from the steepest point of the rise itself.
    """
    earliest = max(peak - trace.samples(rules.max_rise_s), 0)
    if upstroke <= earliest:
        if not _command_steps(trace, upstroke - trace.samples(0.5e-3), upstroke + trace.samples(0.2e-3)):
            return -1
        upstroke = trace.slope.argmax(earliest, peak)
        if upstroke < 0 or trace.slope.at(np.array([upstroke]))[0] < rules.min_slope_mv_ms:
            return -1
    return trace.slope.last_at_most(earliest + 1, upstroke + 1, level)
