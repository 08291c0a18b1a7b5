"""Read AxoGraph files, AxoGraph X and the two older kinds: a list of columns, the first of them time."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording, SampleReader

from .abf_header import CheckedFile
from .channel_sweeps import Channel, Episode, Layout, build_sweeps, pair_si_channels
from .channels import parse_unit
from .interleaved import InterleavedSamples

__all__ = ["read"]

_SERIES, _SCALED = 9, 10
_TYPES = {4: ">i2", 5: ">i4", 6: ">f4", 7: ">f8", _SCALED: ">i2"}
_MAX_COLUMNS = 1_000_000
_MAX_TITLE = 10_000


@dataclass(frozen=True)
class _Column:
    title: str
    n: int
    start: int
    dtype: str
    scale: float = 1.0
    offset: float = 0.0
    first: float = 0.0
    step: float = 0.0


def read(path: Path) -> Recording:
    """Open an AxoGraph file, lazily.

    Raises
    ------
    RecordingError
        If it is damaged or holds no complete column besides time.
    """
    with path.open("rb") as handle:
        file = CheckedFile(path, handle)
        version, n_columns, columns, notes = _read_columns(file)
        time = _check_time(file, columns)
        rate_hz, start_s = _rate(file, time)
    named = _by_title(columns[1:])
    channels = [_channel(title) for title in named]
    n_episodes = min(len(of_channel) for of_channel in named.values())
    if len({len(of_channel) for of_channel in named.values()}) > 1:
        notes.append(f"The channels have different numbers of episodes; the first {n_episodes} of each are shown.")
    table = list(named.values())
    episodes = [
        Episode(k + 1, rate_hz, min(of_channel[k].n for of_channel in table), start_s) for k in range(n_episodes)
    ]

    def reader(place: int, channel: int, factor: float) -> SampleReader:
        column = table[channel][place]
        samples = InterleavedSamples(path, column.start, np.dtype(column.dtype), 1)
        return samples.reader(0, 0, column.scale * factor, column.offset * factor)

    pairing = pair_si_channels(channels)
    if not pairing.electrodes:
        units = ", ".join(f"{channel.name} ({channel.unit})" for channel in channels)
        raise RecordingError(f"has no voltage or current channel, only {units}", path=path)
    sweeps, judged = build_sweeps(Layout(channels, episodes, reader, pairing))
    metadata = {"channels": [f"{channel.name} ({channel.unit})" for channel in channels], "columns": n_columns}
    return Recording(path, f"AxoGraph {version}", tuple(sweeps), (*notes, *judged), metadata)


def _read_columns(file: CheckedFile) -> tuple[str, int, list[_Column], list[str]]:
    """All columns that are complete, and a note if some are not."""
    magic = file.read(0, 4, "header")
    if magic == b"axgx":
        number, n_columns = struct.unpack(">ii", file.read(4, 8, "header"))
        version, at, read_column = f"X {number}", 12, _column_x
    else:
        number, n_columns = struct.unpack(">hh", file.read(4, 4, "header"))
        version, at = str(number), 8
        read_column = _column_1 if number == 1 else _column_2
    if not 1 < n_columns <= _MAX_COLUMNS:
        raise file.damaged(f"has a header that names {n_columns} columns")
    columns: list[_Column] = []
    for k in range(n_columns):
        try:
            column, at = read_column(file, at, is_time=k == 0)
        except RecordingError as error:
            if len(columns) < 2:
                raise
            return version, n_columns, columns, [f"{n_columns - k} of {n_columns} columns are missing: {error.reason}."]
        columns.append(column)
    return version, n_columns, columns, []


def _column_x(file: CheckedFile, at: int, *, is_time: bool) -> tuple[_Column, int]:
    n, kind, n_title = struct.unpack(">iii", file.read(at, 12, "column"))
    if n < 0 or not 0 <= n_title <= _MAX_TITLE:
        raise file.damaged(f"has a column of {n} points with a title of {n_title} bytes")
    title = file.read(at + 12, n_title, "column title").decode("utf-16-be", "replace").strip("\x00 ")
    at += 12 + n_title
    if kind == _SERIES:
        first, step = struct.unpack(">dd", file.read(at, 16, "column"))
        return _Column(title, n, at, "", first=first, step=step), at + 16
    if kind not in _TYPES:
        raise file.damaged(f"has a column of type {kind}, which is not known here")
    scale, offset = 1.0, 0.0
    if kind == _SCALED:
        scale, offset = struct.unpack(">dd", file.read(at, 16, "column"))
        at += 16
    return _data_column(file, title, n, at, _TYPES[kind], scale, offset)


def _column_1(file: CheckedFile, at: int, *, is_time: bool) -> tuple[_Column, int]:
    n, title = _points_and_title(file, at)
    return _data_column(file, title, n, at + 84, ">f4", 1.0, 0.0)


def _column_2(file: CheckedFile, at: int, *, is_time: bool) -> tuple[_Column, int]:
    n, title = _points_and_title(file, at)
    if is_time:
        first, step = struct.unpack(">ff", file.read(at + 84, 8, "column"))
        return _Column(title, n, at, "", first=first, step=step), at + 92
    (scale,) = struct.unpack(">f", file.read(at + 84, 4, "column"))
    return _data_column(file, title, n, at + 88, ">i2", scale, 0.0)


def _points_and_title(file: CheckedFile, at: int) -> tuple[int, str]:
    block = file.read(at, 84, "column")
    (n,) = struct.unpack_from(">i", block)
    if n < 0:
        raise file.damaged(f"has a column of {n} points")
    # a Pascal string: its length, then up to 79 letters
    return n, block[5 : 5 + min(block[4], 79)].decode("mac-roman", "replace").strip("\x00 ")


def _data_column(
    file: CheckedFile, title: str, n: int, at: int, dtype: str, scale: float, offset: float
) -> tuple[_Column, int]:
    n_bytes = n * np.dtype(dtype).itemsize
    if at + n_bytes > file.size:
        raise file.damaged(f"column {title or 'without a title'} should end at byte {at + n_bytes}")
    if not (math.isfinite(scale) and math.isfinite(offset)):
        raise file.damaged(f"column {title or 'without a title'} has no usable scale")
    return _Column(title, n, at, dtype, scale, offset), at + n_bytes


def _check_time(file: CheckedFile, columns: list[_Column]) -> _Column:
    if len(columns) < 2 or not any(column.n and column.dtype for column in columns[1:]):
        raise file.damaged("holds no column of samples")
    return columns[0]


def _rate(file: CheckedFile, time: _Column) -> tuple[float, float]:
    """Rate and start; a stored list of times is judged by its ends."""
    first, step = time.first, time.step
    if time.dtype:
        if time.n < 2:
            raise file.damaged("has no times")
        read = InterleavedSamples(file.path, time.start, np.dtype(time.dtype), 1).reader(0, 0, time.scale, time.offset)
        first, last = float(read(0, 1)[0]), float(read(time.n - 1, time.n)[0])
        step = (last - first) / (time.n - 1)
    if not (math.isfinite(step) and step > 0):
        raise file.damaged(f"has an impossible time between samples ({step:.4g} s)")
    rate_hz = 1 / step
    nearest = round(rate_hz)
    return (float(nearest) if nearest and abs(nearest - rate_hz) < 1e-4 * rate_hz else rate_hz), first


def _by_title(columns: list[_Column]) -> dict[str, list[_Column]]:
    """Columns of one title are one channel's episodes; untitled ones go on with the channels in turn."""
    titles = list(dict.fromkeys(column.title for column in columns if column.title)) or [""]
    named: dict[str, list[_Column]] = {title: [] for title in titles}
    turn = 0
    for column in columns:
        title = column.title or titles[turn % len(titles)]
        turn = titles.index(title) + 1
        if column.n and column.dtype:
            named[title].append(column)
    return {title: found for title, found in named.items() if found}


def _channel(title: str) -> Channel:
    match = re.match(r"^(.*?)\s*\(([^()]*)\)\s*$", title)
    return Channel(match[1], parse_unit(match[2])) if match else Channel(title, parse_unit(""))
