"""Samples of several channels stored in turn, read a window at a time straight into volts or amperes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, SampleReader

from .stamp import FileStamp

__all__ = ["InterleavedSamples"]

_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class InterleavedSamples:
    """The run of samples in a file, all channels in turn.

    Notes
    -----
    Read, not mapped: a mapped file that shrinks or vanishes (network drives, a sync program) kills the process, and
    a window of one of 16 channels would hold 16 times its bytes. Blocks keep memory at the window's own size.
    """

    path: Path
    data_start: int
    dtype: np.dtype[Any]
    n_channels: int
    stamp: FileStamp = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamp", FileStamp.of(self.path))

    def reader(self, channel: int, first: int, scale: float, offset: float = 0.0) -> SampleReader:
        """A reader of one channel of the sweep beginning at sample ``first``; value = stored x scale + offset."""
        return partial(self._read_from, first, channel, scale, offset)

    def _read_from(self, first: int, channel: int, scale: float, offset: float, start: int, stop: int) -> FloatArray:
        return self.read(channel, first + start, first + stop, scale, offset)

    def read(
        self, channel: int, start: int, stop: int, scale: float, offset: float = 0.0, *, every: int = 1
    ) -> FloatArray:
        """Samples ``start`` to ``stop`` of one channel, or one of ``every`` few, in an array of their own."""
        n = max(stop - start, 0)
        values = np.empty(-(-n // every))
        scan_bytes = self.n_channels * self.dtype.itemsize
        per_block = max(1, _BLOCK_BYTES // scan_bytes // every) * every
        raw = np.empty(min(per_block, n) * self.n_channels, self.dtype)
        try:
            with self.path.open("rb", buffering=0) as file, np.errstate(invalid="ignore", over="ignore"):
                self.stamp.require(FileStamp.of_status(os.fstat(file.fileno())), self.path)
                file.seek(self.data_start + start * scan_bytes)
                for begin in range(0, n, per_block):
                    block = raw[: min(per_block, n - begin) * self.n_channels]
                    self._fill(file, block)
                    chosen = block[channel :: self.n_channels * every]
                    part = values[begin // every :][: len(chosen)]
                    np.multiply(chosen, scale, out=part, casting="unsafe", dtype=np.float64)
        except OSError as error:
            raise RecordingError(
                f"cannot be read any more ({error.strerror or error})",
                path=self.path,
                hint="Check that the file is still where it was opened.",
            ) from error
        if offset:
            values += offset
        return values

    def _fill(self, file: FileIO, block: NDArray[Any]) -> None:
        """Read until the block is full; raw files may give less at a time."""
        view = block.view(np.uint8).data
        while len(view):
            n_read = file.readinto(view)
            if not n_read:
                raise RecordingError(
                    "has become shorter since it was opened", path=self.path, hint="Open it again once it is complete."
                )
            view = view[n_read:]
