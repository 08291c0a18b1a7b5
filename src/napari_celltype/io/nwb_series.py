"""One time series of an NWB file, old or new: what it measures, when, how long, and how to read its samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g

from .channels import Unit, parse_unit
from .hdf5 import (
    HDF5_ERRORS,
    Hdf5Samples,
    Hdf5Source,
    read_attribute,
    read_number,
    read_scalars,
    read_text,
    read_value,
    stored_length,
    to_number,
    to_text,
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
    chunk: int = 0
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
        return Hdf5Samples(source, self.path, scale, offset, self.first, self.take, self.time_axis, self.chunk)


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
        for name in _members(self.file, path):
            inner = f"{path}/{name}"
            try:
                group = h5g.open(self.file.id, inner.encode())
                if b"data" in group:
                    series += self.series_at(group, inner)
                elif "Series" in _kind(group) or b"starting_time" in group:
                    refused.append(f"{name} (it has no data)")
                elif depth:
                    self._walk(inner, depth - 1, series, refused)
            except SeriesError as error:
                refused.append(f"{name} ({error})")
            except HDF5_ERRORS as error:
                if not _is_dataset(self.file, inner):
                    refused.append(f"{name} ({_plain_error(error)})")

    def series_at(self, group: h5g.GroupID, path: str) -> list[Series]:
        """The series a group holds: one, or one for each column of its data.

        Raises
        ------
        SeriesError
            With the reason, if it cannot be shown.
        """
        name = path.rsplit("/", 1)[-1]
        data = h5d.open(group, b"data")
        shape, n_columns, time_axis = _shape(data, self.n_bytes)
        rate_hz, start_s, timing = _timing(group, shape[time_axis])
        conversion, offset = read_number(data, "conversion"), read_number(data, "offset") or 0.0
        if max(abs(conversion or 0.0), abs(offset)) > _LARGEST_SCALE:
            raise SeriesError(f"its conversion ({conversion}) or offset ({offset}) cannot be right")
        number = read_number(group, "sweep_number")
        one = Series(
            name=name,
            path=f"{path}/data",
            kind=_kind(group),
            rate_hz=rate_hz,
            n=shape[time_axis],
            unit=parse_unit(read_text(data, "unit")),
            conversion=1.0 if conversion is None else conversion,
            offset=offset,
            start_s=start_s,
            number=None if number is None or number < 0 else int(number),
            electrode=self._electrode(group),
            description=read_text(group, "stimulus_description"),
            time_axis=time_axis,
            chunk=_chunk(data, time_axis),
            full_scale=_full_scale(data),
            notes=(*_doubts(data, conversion, shape), *timing),
        )
        return [one] if n_columns == 0 else _columns(one, n_columns, read_attribute(data, "channel_conversion"))

    def _electrode(self, group: h5g.GroupID) -> str:
        if b"electrode" not in group:
            return to_text(read_value(group, "electrode_name"))
        if group.links.get_info(b"electrode").type == h5py.h5l.TYPE_SOFT:
            target: str = group.links.get_val(b"electrode").decode("utf-8", "replace")
            return target.rsplit("/", 1)[-1]
        try:
            return self.electrodes.get(h5py.h5o.get_info(group, b"electrode").addr, "")
        except HDF5_ERRORS:
            return ""


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
        return sorted((m.decode("utf-8", "surrogateescape") for m in h5g.open(file.id, path.encode())), key=natural_key)
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


def _shape(data: h5d.DatasetID, n_bytes: int) -> tuple[tuple[int, ...], int, int]:
    """Shape with the length that is really stored, number of columns (0 for a plain series), and the time axis."""
    if data.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        raise SeriesError("its data are not numbers")
    shape: tuple[int, ...] = data.shape or ()
    if len(shape) not in (1, 2) or 0 in shape:
        raise SeriesError("it holds no samples" if 0 in shape or not shape else f"its data have {len(shape)} axes")
    n_stored = stored_length(data, n_bytes)
    if n_stored == 0:
        raise SeriesError("no sample of it is in the file")
    if len(shape) == 1:
        return (n_stored,), 0, 0
    if shape[0] == 1 and shape[1] > _MAX_COLUMNS:
        return shape, 1, 1
    if shape[1] > _MAX_COLUMNS:
        raise SeriesError(f"its data have {shape[1]} columns")
    return (n_stored, shape[1]), shape[1], 0


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


def _doubts(data: h5d.DatasetID, conversion: float | None, shape: tuple[int, ...]) -> list[str]:
    doubts = []
    if conversion is None and read_attribute(data, "conversion") is not None:
        doubts.append("Its conversion is not a number; stored values were taken as they are.")
    if conversion == 0.0:
        doubts.append("Its conversion is 0, which makes every value 0.")
    if data.shape[: len(shape)] != shape:
        doubts.append(f"The file promises {data.shape[0]} samples but holds {shape[0]}; the rest was left out.")
    return doubts


def _chunk(data: h5d.DatasetID, axis: int) -> int:
    plan = data.get_create_plist()
    return int(plan.get_chunk()[axis]) if plan.get_layout() == h5d.CHUNKED else 0


def _full_scale(data: h5d.DatasetID) -> float | None:
    """Largest number an integer dataset can hold; None for floats, whose type says nothing of the range."""
    kind = data.get_type()
    if kind.get_class() != h5py.h5t.INTEGER:
        return None
    return float(2 ** (8 * kind.get_size() - 1))


def _timing(group: h5g.GroupID, n: int) -> tuple[float, float, list[str]]:
    """Rate in Hz, start in s, and doubts."""
    if b"starting_time" in group:
        start_s = to_number(read_value(group, "starting_time"))
        rate_hz = read_number(h5d.open(group, b"starting_time"), "rate")
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
