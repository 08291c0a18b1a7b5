"""The command waveform an ABF file describes but does not store, drawn sweep by sweep and window by window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray, SampleReader

from .abf_header import AbfHeader, Dac, Epoch, Shape, UserList

__all__ = ["Command", "NoCommandError", "Segment", "rebuild_command"]

_LEAD = 64  # pCLAMP holds for the first 64th of a sweep


class NoCommandError(Exception):
    """The waveform cannot be known; the message says why, as a clause."""


class Segment(NamedTuple):
    """One stretch of a sweep's command: samples ``start`` to ``stop``, from level ``before`` towards ``level``."""

    start: int
    stop: int
    shape: Shape
    before: float
    level: float
    period: int = 0
    width: int = 0


@dataclass(frozen=True, eq=False)
class Command:
    """An output's waveform: a constant level, or the epochs of each sweep.

    ``levels`` and ``lengths`` have one row a sweep and one column an epoch, deltas and user list worked in.
    """

    n_samples: int
    holding: float
    epochs: tuple[Epoch, ...]
    levels: FloatArray
    lengths: NDArray[np.int64]
    keeps_last_level: bool
    origin: str

    def segments(self, sweep: int) -> tuple[Segment, ...]:
        """The stretches of one sweep, in order and without gap."""
        if not self.epochs:
            return (Segment(0, self.n_samples, "step", self.holding, self.holding),)
        before = float(self.levels[sweep - 1, -1]) if self.keeps_last_level and sweep > 0 else self.holding
        at = self.n_samples // _LEAD
        parts = [Segment(0, at, "step", before, before)]
        levels, lengths = self.levels[sweep].tolist(), self.lengths[sweep].tolist()
        for epoch, level, length in zip(self.epochs, levels, lengths, strict=True):
            parts.append(Segment(at, at + length, epoch.shape, before, level, epoch.period, epoch.width))
            before, at = level, at + length
        rest = before if self.keeps_last_level else self.holding
        return (*parts, Segment(at, self.n_samples, "step", rest, rest))

    def reader(self, sweep: int, scale: float) -> SampleReader:
        """A reader of one sweep's command in V or A."""
        return partial(self._draw_window, sweep, scale)

    def _draw_window(self, sweep: int, scale: float, start: int, stop: int) -> FloatArray:
        values = np.full(stop - start, self.holding)
        for part in self.segments(sweep):
            low, high = max(part.start, start), min(part.stop, stop)
            if low < high:
                values[low - start : high - start] = draw(part, low, high)
        values *= scale
        return values


def rebuild_command(dac: Dac, header: AbfHeader, n_samples: int, n_sweeps: int) -> Command:
    """The waveform of an output; NoCommandError where the header does not hold it."""
    if header.operation != "episodic" or not dac.enabled:
        return _constant(dac, n_samples)
    if dac.source == "file":
        name = dac.file_name.replace("\\", "/").rsplit("/", 1)[-1]
        raise NoCommandError(f"it was played from the file {name or 'of unknown name'}, which is not part of this one")
    if dac.source != "epochs":
        raise NoCommandError("the header says that one was played, but neither a waveform table nor a file is named")
    if header.samples_per_episode // len(header.channels) != n_samples:
        raise NoCommandError("the sweeps were shortened after the recording, so its waveform table does not fit them")
    return _from_epochs(dac, n_samples, n_sweeps)


def _constant(dac: Dac, n_samples: int) -> Command:
    if math.isnan(dac.holding):
        raise NoCommandError("the header's holding level is missing or damaged")
    empty = np.empty((0, 0))
    return Command(n_samples, dac.holding, (), empty, empty.astype(np.int64), False, "the output's holding level")


def _from_epochs(dac: Dac, n_samples: int, n_sweeps: int) -> Command:
    if math.isnan(dac.holding):
        raise NoCommandError("the header's holding level is missing or damaged")
    sweeps = np.arange(n_sweeps)[:, np.newaxis]
    levels = np.array([e.level for e in dac.epochs]) + sweeps * np.array([e.level_step for e in dac.epochs])
    steps = np.array([e.length_step for e in dac.epochs], np.int64)
    lengths = np.array([e.length for e in dac.epochs], np.int64) + sweeps * steps
    if dac.user_list is not None:
        _apply_user_list(dac.user_list, dac.epochs, levels, lengths)
    lengths = np.maximum(lengths, 0)
    if not np.isfinite(levels).all() or float(np.abs(levels).max(initial=0.0)) > 1e6:
        raise NoCommandError("the levels in its waveform table are damaged")
    if int((lengths.sum(axis=1) + n_samples // _LEAD).max(initial=0)) > n_samples:
        raise NoCommandError("its waveform table is longer than the sweep")
    origin = "rebuilt from the waveform table"
    return Command(n_samples, dac.holding, dac.epochs, levels, lengths, dac.keeps_last_level, origin)


def _apply_user_list(
    user_list: UserList, epochs: tuple[Epoch, ...], levels: FloatArray, lengths: NDArray[np.int64]
) -> None:
    """Put the list's values, one a sweep, in place of the parameter it varies.

    Parameters from 12 on stand for an epoch's level, then length, then train period and width. The numbering
    leaves room for 10 epochs each in files until pCLAMP 10 and for 50 in later ones, so 60 tells them apart.
    """
    room = 10 if user_list.parameter <= 60 else 50
    kind, number = divmod(user_list.parameter - 11 - room, room)
    column = next((place for place, epoch in enumerate(epochs) if epoch.number == number), None)
    if kind not in (0, 1) or column is None or not user_list.values:
        raise NoCommandError(f"a user list varies parameter {user_list.parameter}, which is not understood here")
    values = np.array(user_list.values)
    at = np.arange(len(levels))
    at = at % len(values) if user_list.repeats else np.minimum(at, len(values) - 1)
    if kind == 0:
        levels[:, column] = values[at]
    elif not (np.isfinite(values).all() and float(np.abs(values).max()) < 2**31):
        raise NoCommandError("the values of its user list are damaged")
    else:
        lengths[:, column] = values[at].astype(np.int64)


def draw(part: Segment, start: int, stop: int) -> FloatArray:
    """Samples ``start`` to ``stop`` of one segment (both inside it)."""
    at = np.arange(start, stop) - part.start
    length = part.stop - part.start
    rise = part.level - part.before
    if part.shape == "step":
        return np.full(stop - start, part.level)
    if part.shape == "ramp":
        return part.before + rise * (at / max(length - 1, 1))
    if part.period <= 0:
        return np.full(stop - start, part.before)
    phase = at % part.period
    count = length // part.period
    if part.shape == "cosine":
        return part.before + rise / 2 * (1 - np.cos(2 * np.pi * count * at / max(length - 1, 1)))
    inside = at < count * part.period
    return part.before + np.where(inside, rise * _train(part, phase), 0.0)


def _train(part: Segment, phase: NDArray[np.int64]) -> FloatArray:
    """Height of one pulse, 0 to 1, at each sample of its period."""
    if part.shape == "pulse":
        return (phase < part.width).astype(np.float64)
    if part.shape == "biphasic":
        half = part.width // 2
        return np.where(phase < half, 1.0, np.where(phase < part.width, -1.0, 0.0))
    up = phase / max(part.width - 1, 1)
    down = 1 - (phase - part.width) / max(part.period - part.width - 1, 1)
    return np.where(phase < part.width, up, down)
