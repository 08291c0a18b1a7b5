"""When a stimulus came, from the responses alone, for files that store no command."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_celltype.recording import FloatArray

__all__ = ["onset_from_responses"]

_BLOCK_S = 0.001
_QUIET_S = 0.020  # at the start of a sweep nothing has happened yet


def onset_from_responses(voltages_mv: Sequence[FloatArray], rate_hz: float) -> tuple[float, float] | None:
    """Begin and end (s) of the longest stretch in which sweeps differ from each other, or one from its own rest.

    Sweeps of a protocol lie on each other before the stimulus, part at its onset and come together after it.
    """
    block = max(1, round(_BLOCK_S * rate_hz))
    shortest = min((v.size for v in voltages_mv), default=0) // block
    quiet = round(_QUIET_S / _BLOCK_S)
    if shortest < 3 * quiet:
        return None
    # the median of each block passes over spikes and artefacts
    courses = np.stack([np.median(v[: shortest * block].reshape(shortest, block), axis=1) for v in voltages_mv])
    courses = courses[np.isfinite(courses).all(axis=1)]
    if not courses.size:
        return None
    courses = courses - np.median(courses[:, :quiet], axis=1, keepdims=True)
    spread = np.ptp(courses, axis=0) if courses.shape[0] > 1 else np.abs(courses[0])
    level = max(3.0, 4.0 * float(spread[:quiet].max()), 0.15 * float(spread.max()))
    return _longest(spread > level, block / rate_hz)


def _longest(active: FloatArray, block_s: float) -> tuple[float, float] | None:
    padded = np.concatenate([[False], active.astype(bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    if not edges.size:
        return None
    starts, stops = edges[::2], edges[1::2]
    if starts.size > 1:
        real = starts[1:] - stops[:-1] > 5
        starts, stops = starts[np.r_[True, real]], stops[np.r_[real, True]]
    longest = int((stops - starts).argmax())
    if stops[longest] - starts[longest] < 10:
        return None
    return float(starts[longest] * block_s), float(stops[longest] * block_s)
