"""Moving the window: to the next suggestion, onto a spike, onto the stimulus onset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_celltype.ephys.stimulus import find_stimuli
from napari_celltype.ephys.windows import ApWindow, WindowKind
from napari_celltype.errors import CelltypeError

from .classify import Facts

__all__ = [
    "KINDS",
    "SHORTEST_S",
    "STEP_S",
    "WINDOW",
    "drawn",
    "next_suggested",
    "snapped_to_onset",
    "snapped_to_spike",
    "with_kind",
]

WINDOW = "window"
_REACH_S = 0.025
SHORTEST_S = 0.0005
STEP_S = 0.0001
_SAME_LENGTH = 1e-3


@dataclass(frozen=True)
class KindText:
    """A kind of window in words."""

    name: str
    tip: str


KINDS: dict[WindowKind, KindText] = {
    "peak": KindText("Peak 3 ms", "Put the window around the nearest spike: 1 ms before to 2 ms after its peak (S)"),
    "onset": KindText("Onset 50 ms", "Put the window around the stimulus onset: 25 ms to each side (O)"),
}
"""The kinds of window models look at."""


def next_suggested(windows: Sequence[ApWindow], now: ApWindow | None, by: int) -> ApWindow | None:
    """The suggestion after (or before) the present one, round and round; the first where it is none of them.

    Raises
    ------
    CelltypeError
        If nothing is suggested.
    """
    if not windows:
        raise CelltypeError("no window is suggested: no action potential was found", hint="Draw one by hand.")
    at = next((i for i, window in enumerate(windows) if window == now), None)
    if at is None:
        return windows[0] if by > 0 else windows[-1]
    return windows[(at + by) % len(windows)]


def snapped_to_spike(window: ApWindow, facts: Facts) -> ApWindow:
    """The window around the peak nearest to its middle (its peak, if it has one within it).

    Raises
    ------
    CelltypeError
        If the sweep has no spike within 25 ms.
    """
    peaks = _peaks_s(window, facts)
    inside = window.peak_s is not None and window.start_s <= window.peak_s <= window.stop_s
    middle = window.peak_s if inside and window.peak_s is not None else (window.start_s + window.stop_s) / 2
    gaps = np.abs(peaks - middle)
    if not gaps.size or gaps.min() > max(_REACH_S, window.duration_s):
        number = facts.recording.sweeps[window.sweep].number
        raise CelltypeError(
            f"no action potential lies within 25 ms of the window in sweep {number}",
            hint="Take a suggested window (W), or choose another sweep.",
        )
    return ApWindow.around_peak(window.sweep, float(peaks[gaps.argmin()]), reason="snapped to the spike")


def _peaks_s(window: ApWindow, facts: Facts) -> np.ndarray:
    if facts.spikes is not None:
        table = facts.spikes[window.sweep]
        return np.empty(0) if table is None or not len(table) else table["peak_t_s"].to_numpy(dtype=float)
    # not looked for yet: the highest point about the window will do
    sweep = facts.recording.sweeps[window.sweep]
    start = max(0.0, window.start_s - _REACH_S)
    values = sweep.voltage_mv(start, min(sweep.duration_s, window.stop_s + _REACH_S))
    if not values.size or not np.isfinite(values).any():
        return np.empty(0)
    return np.array([start + int(np.nanargmax(values)) / sweep.rate_hz])


def snapped_to_onset(window: ApWindow, facts: Facts) -> ApWindow:
    """The window of 50 ms around the onset of the sweep's stimulus.

    Raises
    ------
    CelltypeError
        If the sweep has no stimulus whose onset is known.
    """
    stimuli = facts.stimuli if facts.stimuli is not None else find_stimuli(facts.recording)
    onset = stimuli[window.sweep].onset_s
    if onset is None:
        number = facts.recording.sweeps[window.sweep].number
        raise CelltypeError(f"no stimulus onset is known for sweep {number}", hint="Snap to the spike instead (S).")
    return ApWindow.around_onset(window.sweep, onset, window.peak_s, reason="snapped to the stimulus onset")


def with_kind(window: ApWindow, kind: WindowKind, facts: Facts) -> ApWindow:
    """The window made into one of a model's kinds."""
    if kind == "peak":
        return snapped_to_spike(window, facts)
    return snapped_to_onset(window, facts) if kind == "onset" else replace(window, kind="manual")


def drawn(sweep: int, start_s: float, stop_s: float, before: ApWindow | None = None) -> ApWindow:
    """A window drawn or dragged by hand; moving one keeps what it is, changing its length makes it the user's own.

    ``before`` is the window it was until now: its peak stays known as long as it stays in its sweep. Lengths that
    differ by less than a thousandth are the same: a rectangle on the canvas is kept in single precision.
    """
    start_s, stop_s = min(start_s, stop_s), max(start_s, stop_s)
    stop_s = max(stop_s, start_s + SHORTEST_S)
    if before is None or before.sweep != sweep:
        return ApWindow(sweep, start_s, stop_s, None, "manual", "drawn by hand")
    if abs(stop_s - start_s - before.duration_s) < _SAME_LENGTH * before.duration_s:
        return replace(before, start_s=start_s, stop_s=start_s + before.duration_s, reason="moved by hand")
    return ApWindow(sweep, start_s, stop_s, before.peak_s, "manual", "drawn by hand")
