"""One time series of an NWB file, old or new: what it measures, when, how long, and how to read its samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5g

from .channels import Unit, parse_unit
from .hdf5 import (
    HDF5_ERRORS,
    Hdf5Samples,
    Hdf5Source,
    open_if_there,
    read_attribute,
    read_number,
    read_scalars,
    read_text,
    read_value,
    stored_length,
    to_number,
    to_text,
    value_of,
)

__all__ = ["Series", "SeriesError", "SeriesFolder", "natural_key"]

_MAX_COLUMNS = 64
_SAME_RATE = 1e-3
_RATES_HZ = (1e-3, 1e9)
_LARGEST_SCALE = 1e12


class SeriesError(Exception):
    """A series cannot be shown; the text says why."""


@dataclass(frozen=True)
class Series:
    """A time series as the file describes it, nothing judged yet.

    ``conversion`` and ``offset`` bring stored numbers to ``unit``; ``first`` and ``n`` are the part that is meant.
    """

    name: str
    path: str
    kind: str
    rate_hz: float
    n: int
    unit: Unit
    conversion: float = 1.0
    offset: float = 0.0
    start_s: float = 0.0
    number: int | None = None
    electrode: str = ""
    description: str = ""
    first: int = 0
    take: int | None = None
    time_axis: int = 0
    full_scale: float | None = None
    notes: tuple[str, ...] = ()
    stimulus: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def group(self) -> str:
        """Path of the series' group."""
        return self.path.rsplit("/", 1)[0]

    @cached_property
    def name_number(self) -> int | None:
        """The last number in the name, which most producers count sweeps with."""
        digits = re.findall(r"\d+", self.name.split(" [")[0])
        return int(digits[-1][-15:]) if digits else None

    def part(self, first: int, count: int) -> Series:
        """Samples ``first`` to ``first + count`` of this series (a negative count means all)."""
        if count < 0 or (first == 0 and count == self.n):
            return self
        first = min(max(first, 0), self.n)
        count = min(count, self.n - first)
        start_s = self.start_s + first / self.rate_hz
        return replace(self, first=self.first + first, n=count, start_s=start_s)

    def samples(self, source: Hdf5Source, scale: float | None = None) -> Hdf5Samples:
        """A reader of this series; ``scale`` replaces the series' own conversion to SI."""
        scale = self.conversion * self.unit.to_si if scale is None else scale
        offset = self.offset * self.unit.to_si
        return Hdf5Samples(source, self.path, scale, offset, self.first, self.take, self.time_axis)


@dataclass(frozen=True)
class SeriesFolder:
    """A folder of an open file that holds time series, and what is known of the file's electrodes."""

    file: h5py.File
    n_bytes: int
    electrodes: Mapping[int, str] = field(default_factory=dict)

    def read(self, path: str) -> tuple[list[Series], list[str]]:
        """All series in a folder and its subfolders (two levels), in natural order, and why others were left out."""
        series: list[Series] = []
        refused: list[str] = []
        self._walk(path, 2, series, refused)
        return series, refused

    def _walk(self, path: str, depth: int, series: list[Series], refused: list[str]) -> None:
        folder = _open_group(self.file, path)
        for name in _members(self.file, path):
            inner = f"{path}/{name}"
            try:
                group = h5g.open(folder, name.encode("utf-8", "surrogateescape"))
                data = open_if_there(group, b"data")
                if data is not None:
                    series += self.series_at(group, data, inner)
                elif "Series" in _kind(group) or b"starting_time" in group:
                    refused.append(f"{name} (it has no data)")
                elif depth:
                    self._walk(inner, depth - 1, series, refused)
            except SeriesError as error:
                refused.append(f"{name} ({error})")
            except HDF5_ERRORS as error:
                if not _is_dataset(self.file, inner):
                    refused.append(f"{name} ({_plain_error(error)})")

    def series_at(self, group: h5g.GroupID, data: h5d.DatasetID, path: str) -> list[Series]:
        """The series a group holds: one, or one for each column of its data.

        Raises
        ------
        SeriesError
            With the reason, if it cannot be shown.
        """
        name = path.rsplit("/", 1)[-1]
        stored = _stored(data, self.n_bytes)
        rate_hz, start_s, timing = _timing(group, stored.n)
        conversion, offset = read_number(data, "conversion"), read_number(data, "offset") or 0.0
        if max(abs(conversion or 0.0), abs(offset)) > _LARGEST_SCALE:
            raise SeriesError(f"its conversion ({conversion}) or offset ({offset}) cannot be right")
        number = read_number(group, "sweep_number")
        one = Series(
            name=name,
            path=f"{path}/data",
            kind=_kind(group),
            rate_hz=rate_hz,
            n=stored.n,
            unit=parse_unit(read_text(data, "unit")),
            conversion=1.0 if conversion is None else conversion,
            offset=offset,
            start_s=start_s,
            number=None if number is None or number < 0 else int(number),
            electrode=self._electrode(group),
            description=read_text(group, "stimulus_description"),
            time_axis=stored.time_axis,
            full_scale=stored.full_scale,
            notes=(*_doubts(data, conversion, stored), *timing),
        )
        if stored.n_columns == 0:
            return [one]
        return _columns(one, stored.n_columns, read_attribute(data, "channel_conversion"))

    def _electrode(self, group: h5g.GroupID) -> str:
        try:
            target: str = group.links.get_val(b"electrode").decode("utf-8", "replace")
            return target.rsplit("/", 1)[-1]
        except HDF5_ERRORS:
            pass  # no link, or a hard one, which has no target to name; its place in the file tells
        if b"electrode" not in group:
            return to_text(read_value(group, "electrode_name"))
        try:
            return self.electrodes.get(h5py.h5o.get_info(group, b"electrode").addr, "")
        except HDF5_ERRORS:
            return ""


def _open_group(file: h5py.File, path: str) -> h5g.GroupID | None:
    try:
        return h5g.open(file.id, path.encode("utf-8", "surrogateescape"))
    except HDF5_ERRORS:
        return None


def electrode_addresses(file: h5py.File, folder: str) -> dict[int, str]:
    """Electrode groups by their place in the file, for producers that use hard links."""
    found = {}
    for name in _members(file, folder):
        try:
            found[h5py.h5o.get_info(file.id, f"{folder}/{name}".encode()).addr] = name
        except HDF5_ERRORS:
            continue
    return found


def scalars_of(source: Hdf5Source, path: str) -> dict[str, Any]:
    """Numbers and texts of one group, read now."""
    with source.open() as file:
        try:
            return read_scalars(h5g.open(file.id, path.encode()))
        except HDF5_ERRORS:
            return {}


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts sweep 2 before sweep 10."""
    pieces = re.findall(r"\d+|\D+", name)
    return tuple((int(piece[-15:]), "") if piece.isdecimal() else (-1, piece) for piece in pieces)


def _members(file: h5py.File, path: str) -> list[str]:
    try:
        return sorted((m.decode("utf-8", "surrogateescape") for m in _open_group(file, path) or ()), key=natural_key)
    except HDF5_ERRORS:
        return []


def _is_dataset(file: h5py.File, path: str) -> bool:
    try:
        h5d.open(file.id, path.encode("utf-8", "surrogateescape"))
    except HDF5_ERRORS:
        return False
    return True


def _plain_error(error: BaseException) -> str:
    text = str(error).lower()
    return "the link leads nowhere" if "unable to" in text and ("open" in text or "find" in text) else str(error)


def _kind(group: h5g.GroupID) -> str:
    kind = read_text(group, "neurodata_type")
    if kind in ("", "TimeSeries"):
        # NWB 1 names the plain type and keeps the real one as the last of its ancestors
        kind = read_text(group, "ancestry").rsplit(", ", 1)[-1] or kind
    return kind


class _Stored(NamedTuple):
    """What of a dataset is there: samples, columns (0 for a plain series), the axis of time, the range of integers."""

    n: int
    n_columns: int
    time_axis: int
    full_scale: float | None
    promised: int


def _stored(data: h5d.DatasetID, n_bytes: int) -> _Stored:
    kind = data.get_type()
    number = kind.get_class()
    if number not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        raise SeriesError("its data are not numbers")
    shape: tuple[int, ...] = data.shape or ()
    if len(shape) not in (1, 2) or 0 in shape:
        raise SeriesError("it holds no samples" if 0 in shape or not shape else f"its data have {len(shape)} axes")
    n = stored_length(data, shape, kind.get_size(), n_bytes)
    if n == 0:
        raise SeriesError("no sample of it is in the file")
    # the type of floats says nothing of their range
    full_scale = float(2 ** (8 * kind.get_size() - 1)) if number == h5py.h5t.INTEGER else None
    if len(shape) == 1:
        return _Stored(n, 0, 0, full_scale, shape[0])
    if shape[0] == 1 and shape[1] > _MAX_COLUMNS:
        return _Stored(shape[1], 1, 1, full_scale, shape[1])
    if shape[1] > _MAX_COLUMNS:
        raise SeriesError(f"its data have {shape[1]} columns")
    return _Stored(n, shape[1], 0, full_scale, shape[0])


def _columns(one: Series, n_columns: int, factors: Any) -> list[Series]:
    factors = np.ones(n_columns) if np.size(factors) != n_columns else np.asarray(factors, dtype=float).ravel()
    if n_columns == 1:
        return [replace(one, take=0, conversion=one.conversion * float(factors[0]))]
    return [
        replace(
            one,
            name=f"{one.name} [{i}]",
            electrode=f"{one.electrode or one.name} [{i}]",
            take=i,
            conversion=one.conversion * float(factors[i]),
            notes=(*one.notes, f"Its data have {n_columns} columns, which are shown as electrodes of their own."),
        )
        for i in range(n_columns)
    ]


def _doubts(data: h5d.DatasetID, conversion: float | None, stored: _Stored) -> list[str]:
    doubts = []
    if conversion is None and h5py.h5a.exists(data, b"conversion"):
        doubts.append("Its conversion is not a number; stored values were taken as they are.")
    if conversion == 0.0:
        doubts.append("Its conversion is 0, which makes every value 0.")
    if stored.n < stored.promised:
        doubts.append(f"The file promises {stored.promised} samples but holds {stored.n}; the rest was left out.")
    return doubts


def _timing(group: h5g.GroupID, n: int) -> tuple[float, float, list[str]]:
    """Rate in Hz, start in s, and doubts."""
    start = open_if_there(group, b"starting_time")
    if start is not None:
        start_s, rate_hz = to_number(value_of(start)), read_number(start, "rate")
        if rate_hz is not None and _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
            doubts = [] if start_s is not None else ["Its starting time is not a number and was taken as 0 s."]
            return rate_hz, start_s or 0.0, doubts
    if b"timestamps" in group:
        return _timing_of_timestamps(h5d.open(group, b"timestamps"), n)
    raise SeriesError("it has no usable sampling rate")


def _timing_of_timestamps(stamps: h5d.DatasetID, n: int) -> tuple[float, float, list[str]]:
    """Judged by the first and last stamps, so that a long series costs no more than a short one."""
    times = h5py.Dataset(stamps)
    if times.ndim != 1 or times.dtype.kind not in "iuf" or len(times) < 2:
        raise SeriesError("its timestamps are not a list of times")
    head, tail = times[:1000].astype(float), times[-1000:].astype(float)
    steps = np.concatenate([np.diff(head), np.diff(tail)])
    step = float(np.median(steps))
    mean = float((tail[-1] - head[0]) / (len(times) - 1))
    if not (np.isfinite(step) and step > 0 and np.isfinite(mean) and mean > 0):
        raise SeriesError("its timestamps do not increase")
    doubts = []
    if len(times) != n:
        doubts.append(f"It has {len(times)} timestamps for {n} samples.")
    if abs(mean - step) > _SAME_RATE * step or float(np.ptp(steps)) > 0.5 * step:
        doubts.append(
            f"Its timestamps are not evenly spaced; samples are drawn {step * 1e3:.4g} ms apart, so times are off."
        )
        mean = step
    return _round_rate(1.0 / mean), float(head[0]), doubts


def _round_rate(rate_hz: float) -> float:
    """A rate computed from times is 19999.9999 where 20000 is meant."""
    nearest = round(rate_hz)
    return float(nearest) if nearest and abs(rate_hz - nearest) < 1e-6 * rate_hz else rate_hz
