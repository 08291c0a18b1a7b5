"""Pyramids of the sweeps on show, built off the GUI thread and kept as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import Recording, SampleReader, Sweep

from .plots.pyramid import MinMaxPyramid, build_steps

__all__ = ["LoadedSweep", "Progress", "SweepCache", "load_sweeps"]

_CACHE_BYTES = 400_000_000


@dataclass(frozen=True, eq=False)
class LoadedSweep:
    """A sweep's signals ready to draw, in mV and pA."""

    index: int
    n_samples: int
    voltage_mv: MinMaxPyramid | None
    current_pa: MinMaxPyramid | None
    n_bytes: int


@dataclass(frozen=True)
class Progress:
    """Share of the work done, 0 to 1."""

    share: float


class SweepCache:
    """Sweeps loaded lately; the longest unused goes first when they outgrow their memory."""

    def __init__(self, limit_bytes: int = _CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._sweeps: OrderedDict[int, LoadedSweep] = OrderedDict()

    def get(self, index: int) -> LoadedSweep | None:
        """A sweep if it is here; it counts as used."""
        found = self._sweeps.get(index)
        if found is not None:
            self._sweeps.move_to_end(index)
        return found

    def put(self, loaded: LoadedSweep) -> None:
        """Keep a sweep, letting others go if need be."""
        self._sweeps[loaded.index] = loaded
        self._sweeps.move_to_end(loaded.index)
        while len(self._sweeps) > 1 and sum(kept.n_bytes for kept in self._sweeps.values()) > self._limit:
            self._sweeps.popitem(last=False)

    def clear(self) -> None:
        """Let all go."""
        self._sweeps.clear()


def load_sweeps(recording: Recording, indices: Sequence[int]) -> Generator[LoadedSweep | Progress, None, None]:
    """Load sweeps one after the other; between the steps a worker can be stopped."""
    for done, index in enumerate(indices):
        for step in _load(recording.sweeps[index]):
            yield Progress((done + step.share) / len(indices)) if isinstance(step, Progress) else step


def _load(sweep: Sweep) -> Generator[LoadedSweep | Progress, None, None]:
    signals: list[MinMaxPyramid | None] = []
    n_samples = sweep.n_samples
    for place, (read, factor) in enumerate(((sweep.read_voltage, 1e3), (sweep.read_current, 1e12))):
        pyramid = None
        if read is not None:
            steps = build_steps(_Scaled(read, factor), n_samples)
            for step in steps:
                if isinstance(step, MinMaxPyramid):
                    pyramid = step
                else:
                    yield Progress((place + step) / 2)
        signals.append(pyramid if pyramid is not None and np.isfinite(pyramid.low) else None)
    # samples kept in memory are 4 bytes each, and the levels an eighth of them
    n_bytes = sum(pyramid.n_bytes + 4 * pyramid.n_samples for pyramid in signals if pyramid is not None)
    yield LoadedSweep(sweep.index, n_samples, signals[0], signals[1], n_bytes)


class _Scaled:
    """A sample reader in another unit."""

    def __init__(self, read: SampleReader, factor: float) -> None:
        self._read = read
        self._factor = factor

    def __call__(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._read(start, stop) * self._factor
