"""The published spike definitions written down one by one, slowly and plainly, to compare the quick ones with."""

from __future__ import annotations

import numpy as np
from scipy import signal


def literal_slope(voltage, rate_hz):
    if rate_hz > 20_000:
        b, a = signal.bessel(4, 10_000 / (rate_hz / 2), "low")
        voltage = signal.filtfilt(b, a, voltage)
    return np.array([(voltage[k + 1] - voltage[k]) * rate_hz / 1000 for k in range(len(voltage) - 1)])


def literal_candidates(voltage, slope):
    """Begin and peak of each candidate: a rise through 20 mV/ms after the trace has turned down."""
    begins, previous, pairs = [], None, []
    for k in range(1, len(slope)):
        if slope[k] >= 20 and slope[k - 1] < 20:
            if previous is None or min(slope[previous : k - 1], default=0) < 0:
                begins.append(k - 1)
            previous = k - 1
    for begin, limit in zip(begins, [*begins[1:], len(voltage) - 1], strict=True):
        peak = begin + int(np.argmax(voltage[begin:limit]))
        if pairs and not min(slope[pairs[-1][1] : begin], default=0) < 0:
            pairs[-1] = (pairs[-1][0], peak)
        else:
            pairs.append((begin, peak))
    return [(b, p) for b, p in pairs if voltage[p] >= -30 and voltage[p] - voltage[b] >= 2]


def literal_spikes(voltage, rate_hz):
    """One dictionary a spike: threshold, peak, upstroke, trough, downstroke, fast_trough, width_s."""
    slope = literal_slope(voltage, rate_hz)
    pairs = literal_candidates(voltage, slope)
    if not pairs:
        return []
    upstrokes = [b + int(np.argmax(slope[b:p])) for b, p in pairs]
    level = 0.05 * np.mean([slope[u] for u in upstrokes])
    spikes = []
    for i, (_, peak) in enumerate(pairs):
        threshold = upstrokes[i]
        earliest = upstrokes[i - 1] if i else 0
        while threshold > earliest and slope[threshold] > level:
            threshold -= 1
        if (peak - threshold) / rate_hz < 0.005:
            spikes.append({"threshold": threshold, "peak": peak})
    for i, spike in enumerate(spikes):
        last = i + 1 == len(spikes)
        limit = len(voltage) - 1 if last else spikes[i + 1]["threshold"]
        literal_landmarks(spike, voltage, slope, limit, last, rate_hz)
    return spikes


def literal_landmarks(spike, voltage, slope, limit, last, rate_hz):
    threshold, peak = spike["threshold"], spike["peak"]
    spike["upstroke"] = threshold + int(np.argmax(slope[threshold:peak]))
    spike |= dict.fromkeys(("trough", "downstroke", "fast_trough", "width_s"), np.nan)
    if last and not any(v <= voltage[threshold] + 1 for v in voltage[peak:]):
        return
    spike["trough"] = peak + int(np.argmin(voltage[peak:limit]))
    spike["downstroke"] = peak + int(np.argmin(slope[peak : spike["trough"]]))
    steepest = peak + int(np.argmin(slope[peak:limit]))
    fast = next((k for k in range(steepest, min(limit, len(slope))) if slope[k] >= 0.01 * slope[steepest]), None)
    if fast is None:
        return
    spike["fast_trough"] = fast
    half = (voltage[peak] + voltage[fast]) / 2
    if half < voltage[threshold]:
        half = (voltage[peak] + voltage[threshold]) / 2
    left = next((k for k in range(peak, threshold, -1) if voltage[k] <= half), None)
    right = next((k for k in range(peak, fast) if voltage[k] <= half), None)
    if left is not None and right is not None:
        spike["width_s"] = (right - left) / rate_hz
