"""Min/max pyramid of a long signal: any stretch of it as a few thousand points that miss no peak. Pure numpy.

A level holds, for each bin of samples, the least and the greatest. Drawing takes the coarsest level that is still
finer than a pixel, so the work of a frame depends on the width of the screen and not on the length of the signal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BASE_BIN", "MinMaxPyramid", "build_pyramid", "build_steps"]

Float32Array = NDArray[np.float32]
ReadSamples = Callable[[int, int], NDArray[np.floating]]

BASE_BIN = 16
"""Samples in a bin of the finest level; below that the samples themselves are drawn."""
_FACTOR = 4
_CHUNK = 1 << 20
_KEEP_SAMPLES = 30_000_000


@dataclass(frozen=True, eq=False)
class MinMaxPyramid:
    """A signal's samples, or a way to read them, under levels of least and greatest values.

    Parameters
    ----------
    n_samples
        Length of the signal.
    read
        Gives samples ``start`` to ``stop``.
    levels
        ``(lows, highs)`` of bins of 16, 64, 256 ... samples.
    low, high
        Least and greatest value of the whole signal; NaN where it has none.
    """

    n_samples: int
    read: ReadSamples
    levels: tuple[tuple[Float32Array, Float32Array], ...]
    low: float
    high: float

    @property
    def has_gaps(self) -> bool:
        """Whether somewhere a whole bin is NaN or the signal is empty of numbers."""
        return bool(self.levels) and bool(np.isnan(self.levels[0][0]).any())

    @property
    def n_bytes(self) -> int:
        """Memory the levels take, and the samples where they are kept."""
        return sum(low.nbytes + high.nbytes for low, high in self.levels)

    def view(self, start: int, stop: int, n_bins: int) -> tuple[NDArray[np.float64], Float32Array]:
        """Positions (in samples) and values to draw samples ``start`` to ``stop`` on about ``n_bins`` pixels.

        Where there are several samples a pixel, each bin gives its least and its greatest value, so every peak is
        drawn. At most ``8 * n_bins`` points (plus two bins at each end).
        """
        start, stop = max(0, start), min(self.n_samples, stop)
        if stop <= start:
            return np.empty(0), np.empty(0, dtype=np.float32)
        level = self._level_for((stop - start) / max(1, n_bins))
        return self._samples(start, stop, n_bins) if level < 0 else self._bins(level, start, stop)

    def _level_for(self, samples_per_bin: float) -> int:
        level = -1
        while level + 1 < len(self.levels) and BASE_BIN * _FACTOR ** (level + 1) <= samples_per_bin:
            level += 1
        return level

    def _samples(self, start: int, stop: int, n_bins: int) -> tuple[NDArray[np.float64], Float32Array]:
        """Samples as they are, or in twos, fours or eights where even those are more than the pixels can show."""
        width = 1
        while 4 * width * n_bins < stop - start:
            width *= 2
        # bins begin at multiples of their width whatever the window, else a peak flickers while panning
        start, stop = start // width * width, min(self.n_samples, -(-stop // width) * width)
        values = np.asarray(self.read(start, stop), dtype=np.float32)
        if width == 1:
            return np.arange(start, start + len(values)).astype(np.float64), values
        return _interleaved(*_reduce(values, values, width), start // width, width)

    def _bins(self, level: int, start: int, stop: int) -> tuple[NDArray[np.float64], Float32Array]:
        width = BASE_BIN * _FACTOR**level
        low, high = self.levels[level]
        first, last = start // width, min(len(low), -(-stop // width))
        return _interleaved(low[first:last], high[first:last], first, width)


def _interleaved(
    low: Float32Array, high: Float32Array, first: int, width: int
) -> tuple[NDArray[np.float64], Float32Array]:
    """Least and greatest of each bin in turn, at the quarter points of the bin: evenly spaced over the whole line."""
    values = np.empty(2 * len(low), dtype=np.float32)
    values[0::2] = low
    values[1::2] = high
    positions = np.arange(2 * first, 2 * first + len(values), dtype=np.float64)
    return np.asarray((positions + 0.5) * (width / 2), dtype=np.float64), values


def build_pyramid(read: ReadSamples, n_samples: int) -> MinMaxPyramid:
    """Read a signal once and make its pyramid."""
    return next(step for step in build_steps(read, n_samples) if isinstance(step, MinMaxPyramid))


def build_steps(read: ReadSamples, n_samples: int) -> Iterator[float | MinMaxPyramid]:
    """Make a pyramid step by step, so that a worker can show progress and stop between steps.

    Yields the share done after each step and the pyramid at last. Samples are kept as 32-bit floats (finer than any
    amplifier) up to 30 million; of longer signals only the levels stay in memory.
    """
    kept = np.empty(n_samples, dtype=np.float32) if n_samples <= _KEEP_SAMPLES else None
    n_bins = -(-n_samples // BASE_BIN)
    low = np.empty(n_bins, dtype=np.float32)
    high = np.empty(n_bins, dtype=np.float32)
    for start in range(0, n_samples, _CHUNK):
        stop = min(start + _CHUNK, n_samples)
        chunk = np.asarray(read(start, stop), dtype=np.float32)
        if kept is not None:
            kept[start:stop] = chunk
        bins = slice(start // BASE_BIN, -(-stop // BASE_BIN))
        low[bins], high[bins] = _reduce(chunk, chunk, BASE_BIN)
        yield stop / n_samples
    finite = ~np.isnan(low)
    yield MinMaxPyramid(
        n_samples,
        read if kept is None else _Kept(kept),
        _levels_above(low, high),
        float(low[finite].min()) if finite.any() else float("nan"),
        float(high[finite].max()) if finite.any() else float("nan"),
    )


class _Kept:
    def __init__(self, samples: Float32Array) -> None:
        self._samples = samples

    def __call__(self, start: int, stop: int) -> Float32Array:
        return self._samples[start:stop]


def _levels_above(low: Float32Array, high: Float32Array) -> tuple[tuple[Float32Array, Float32Array], ...]:
    levels = [(low, high)]
    while len(levels[-1][0]) > 1024:
        levels.append(_reduce(*levels[-1], _FACTOR))
    return tuple(levels)


def _reduce(low: Float32Array, high: Float32Array, factor: int) -> tuple[Float32Array, Float32Array]:
    """Least and greatest of each ``factor`` values, NaN left out; the last bin may be shorter."""
    whole = len(low) // factor * factor
    # fmin/fmax skip NaN without the warnings and the slowness of nanmin over all-NaN bins
    lows = np.fmin.reduce(low[:whole].reshape(-1, factor), axis=1)
    highs = np.fmax.reduce(high[:whole].reshape(-1, factor), axis=1)
    if whole < len(low):
        lows = np.append(lows, np.fmin.reduce(low[whole:]))
        highs = np.append(highs, np.fmax.reduce(high[whole:]))
    return lows, highs
