"""Where each sweep of an ABF file lies among its samples, as far as the file really has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError

from .abf_header import DAMAGED, AbfHeader

__all__ = ["SweepPlace", "place_sweeps"]

_SHORTEST = 16


@dataclass(frozen=True)
class SweepPlace:
    """One sweep: its number, its first sample and length (per channel), and when it began."""

    number: int
    first: int
    n_samples: int
    start_s: float


def place_sweeps(header: AbfHeader, file_size: int, path: Path) -> tuple[list[SweepPlace], list[str]]:
    """All sweeps that are wholly in the file, and notes on what is not.

    A file that ends early keeps its intact sweeps; the one that was cut is shown only if there is no other.
    """
    n_channels = len(header.channels)
    present = (file_size - header.data_start) // header.dtype.itemsize // n_channels
    claimed = header.n_points // n_channels
    claimed, notes = _believable_claim(header, claimed, present)
    lengths, more_notes = _sweep_lengths(header, claimed, path)
    notes += more_notes
    stops = np.cumsum(lengths)
    firsts = stops - lengths
    whole = int(np.searchsorted(stops, present, side="right"))
    if whole < len(lengths):
        before = int(stops[whole - 1]) if whole else 0
        notes.append(_note_of_cut(header, lengths, whole, present - before))
        if whole == 0:
            lengths, whole = np.minimum(lengths[:1], present), 1
        if lengths[0] < 1:
            raise RecordingError("its header promises samples, but the file has none", path=path, hint=DAMAGED)
    starts = _sweep_starts(header, lengths)
    places = [
        SweepPlace(number, int(firsts[number]), int(lengths[number]), float(starts[number])) for number in range(whole)
    ]
    return places, notes


def _believable_claim(header: AbfHeader, claimed: int, present: int) -> tuple[int, list[str]]:
    """Samples per channel the header counts, unless its own sweeps contradict the count and fit the file."""
    planned = header.episodes * (header.samples_per_episode // len(header.channels))
    if header.operation == "gap-free" or claimed <= present or not 0 < planned <= present:
        return claimed, []
    text = f"The header counts {claimed} samples, its {header.episodes} sweeps have {planned}; the sweeps are used."
    return planned, [text]


def _sweep_lengths(header: AbfHeader, claimed: int, path: Path) -> tuple[NDArray[np.int64], list[str]]:
    """Samples per channel of each sweep, as the header tells it."""
    if header.operation == "gap-free":
        return np.array([claimed], np.int64), []
    listed = header.lengths.astype(np.int64) // len(header.channels)
    if _is_believable(listed, header, claimed):
        if header.episodes in (0, len(listed)):
            return listed, []
        return listed, [
            f"The header counts {header.episodes} sweeps, its list of sweeps {len(listed)}; the list is used."
        ]
    if header.operation == "event-driven":
        raise RecordingError(
            "its sweeps differ in length, and the list of their lengths is missing or wrong",
            path=path,
            hint=DAMAGED,
        )
    return _equal_lengths(header, claimed, path)


def _is_believable(listed: NDArray[np.int64], header: AbfHeader, claimed: int) -> bool:
    if listed.size == 0 or listed.min() < 1 or int(listed.sum()) > claimed:
        return False
    return len(listed) == header.episodes or int(listed.sum()) == claimed


def _equal_lengths(header: AbfHeader, claimed: int, path: Path) -> tuple[NDArray[np.int64], list[str]]:
    episodes = max(header.episodes, 1)
    notes = []
    planned = header.samples_per_episode // len(header.channels)
    if claimed and planned >= _SHORTEST and claimed % planned == 0 and claimed // planned != episodes:
        notes.append(
            f"The header counts {episodes} sweeps, but its {claimed} samples are {claimed // planned} sweeps of the "
            f"length it names; these are shown."
        )
        episodes = claimed // planned
    length, rest = divmod(claimed, episodes)
    # a damaged count would cut the signal into splinters
    if length < _SHORTEST:
        reason = f"its header counts {episodes} sweeps in {claimed} samples, which cannot be"
        raise RecordingError(reason, path=path, hint=DAMAGED)
    if rest:
        notes.append(f"{claimed} samples cannot be divided into {episodes} equal sweeps; the last {rest} are left out.")
    return np.full(episodes, length, np.int64), notes


def _note_of_cut(header: AbfHeader, lengths: NDArray[np.int64], whole: int, left: int) -> str:
    if len(lengths) == 1:
        promised, there = lengths[0] / header.rate_hz, left / header.rate_hz
        return f"The file ends early: its header promises {promised:.4g} s, {there:.4g} s are in it."
    text = f"The file ends early: of {len(lengths)} sweeps its header promises, {whole} are whole and shown"
    return f"{text}." if whole else f"{text}; the first is shown as far as it goes."


def _sweep_starts(header: AbfHeader, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds since the recording's start; without a list, sweeps follow at the interval the protocol names."""
    if len(header.starts) == len(lengths) and header.operation != "gap-free":
        # counted in 32 bits, which long recordings overflow
        return header.starts.astype(np.uint32).astype(np.float64) * header.synch_unit_s
    interval = header.episode_interval_s
    if math.isfinite(interval) and interval >= int(lengths[0]) / header.rate_hz:
        return np.arange(len(lengths), dtype=np.float64) * interval
    starts = np.cumsum(lengths) - lengths
    return starts.astype(np.float64) / header.rate_hz
