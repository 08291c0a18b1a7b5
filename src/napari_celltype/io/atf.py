"""Axon Text Format: a short header, one column of time, one column for each sweep of each signal.

Text cannot be read a window at a time, so opening reads the header and the last line, and the first sample asked
for parses the columns once.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, SampleReader, StimulusNote, Sweep

from .channels import NO_UNIT, ClampVerdict, Unit, judge_clamp, judge_pair, parse_unit
from .pairing import Electrode, pair_channels
from .stamp import FileStamp

__all__ = ["read"]

_HINT = "Export it again from Clampfit as an Axon text file, or open the ABF file it was made from."
_MAX_HEADER_LINES = 10_000
_MAX_COLUMNS = 100_000
_BLANK = b"\r\n\t \x1a"


def read(path: Path) -> Recording:
    """Open an ATF file; its columns are parsed when a sweep is asked for samples."""
    text = _Text(path)
    signals = _Signals.of(text)
    pairing = pair_channels(signals.names, signals.units)
    if not pairing.electrodes:
        raise RecordingError("has no voltage or current column", path=path, hint=_HINT)
    notes = [*text.notes, *pairing.notes]
    verdicts = [_judge(electrode, signals) for electrode in pairing.electrodes]
    for electrode, verdict in zip(pairing.electrodes, verdicts, strict=True):
        prefix = f"Electrode {electrode.name}: " if len(verdicts) > 1 else ""
        notes += [prefix + note for note in verdict.notes]
        if not electrode.is_pair:
            notes.append(f"{prefix}The command is unknown: the text holds only what was exported to it.")
    sweeps = _sweeps(text, signals, list(zip(pairing.electrodes, verdicts, strict=True)))
    metadata = {**text.items, "channels": [f"{n} ({u})" for n, u in zip(signals.names, signals.units, strict=True)]}
    return Recording(path, "ATF", sweeps, tuple(notes), metadata)


class _Text:
    """The header of an ATF file, its time axis, and, when first asked for, its numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = FileStamp.of(path)
        self.notes: list[str] = []
        try:
            with path.open("rb") as file:
                self._read_header(file)
                self._data_start = file.tell()
                first, second = file.readline(), file.readline()
                self._measure(file, first, second)
        except OSError as error:
            raise RecordingError(f"cannot be read ({error.strerror or error})", path=path) from error

    def _read_header(self, file: io.BufferedReader) -> None:
        if not file.readline().startswith(b"ATF"):
            raise RecordingError("is no ATF file", path=self._path, hint="Its first line should begin with ATF.")
        counts = file.readline().split()
        if len(counts) != 2 or not all(count.isdigit() for count in counts):
            raise self._damaged("its second line should hold two counts")
        n_items, n_columns = int(counts[0]), int(counts[1])
        if n_items > _MAX_HEADER_LINES or not 2 <= n_columns <= _MAX_COLUMNS:
            raise self._damaged(f"its second line counts {n_items} header lines and {n_columns} columns")
        lines = [file.readline().decode("cp1252", errors="replace").strip() for _ in range(n_items)]
        self.items, self.signals = _parse_items(lines)
        self.titles = _fields(file.readline().decode("cp1252", errors="replace"))
        if len(self.titles) != n_columns:
            raise self._damaged(f"it should have {n_columns} columns, but {len(self.titles)} have a title")

    def _measure(self, file: io.BufferedReader, first: bytes, second: bytes) -> None:
        """Sampling rate and number of samples, from the first and last lines and a count of line ends."""
        size = file.seek(0, io.SEEK_END)
        file.seek(max(self._data_start, size - 64 * len(self.titles) - 4096))
        tail = file.read().rstrip(_BLANK).splitlines()
        last = next((line for line in reversed(tail) if self._is_whole(line)), b"")
        if not (self._is_whole(first) and self._is_whole(second) and last):
            raise RecordingError("holds no samples, or only one", path=self._path, hint=_HINT)
        self.n_samples = self._count_lines(file, size)
        if not self._is_whole(tail[-1]):
            self.notes.append("The file ends within a line; that line is left out.")
            self.n_samples -= 1
        title = self.titles[0].lower()
        unit_s = 1e-3 if "ms" in title else 1e-6 if "us" in title or "µs" in title else 1.0
        step = (_time(last) - _time(first)) / max(self.n_samples - 1, 1) * unit_s
        if not (math.isfinite(step) and 1e-8 < step < 1e4):
            raise self._damaged("its time column does not rise")
        rate = 1.0 / step
        # times are printed with few digits; nobody samples at 19999.998 Hz
        self.rate_hz = float(round(rate)) if abs(rate - round(rate)) < 1e-5 * rate else rate

    def _is_whole(self, line: bytes) -> bool:
        return len(_numbers_text(line).split(b"\t")) == len(self.titles) and math.isfinite(_time(line))

    def _count_lines(self, file: io.BufferedReader, size: int) -> int:
        """Lines up to the last that is not blank."""
        file.seek(self._data_start)
        line_ends = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        file.seek(max(self._data_start, size - 4096))
        end = file.read()
        return line_ends - end[len(end.rstrip(_BLANK)) :].count(b"\n") + 1

    @cached_property
    def columns(self) -> FloatArray:
        """All numbers, one row a column of the file."""
        self._stamp.require(FileStamp.of(self._path), self._path)
        try:
            with self._path.open("rb") as file:
                file.seek(self._data_start)
                text = io.BytesIO(_numbers_text(file.read()))
            table = np.loadtxt(text, delimiter="\t", comments=None, max_rows=self.n_samples, ndmin=2)
        except OSError as error:
            raise RecordingError(f"cannot be read any more ({error.strerror or error})", path=self._path) from error
        except ValueError as error:
            raise self._damaged(f"a line is not made of numbers ({error})") from error
        if table.shape != (self.n_samples, len(self.titles)):
            raise self._damaged(f"it should hold {self.n_samples} lines of {len(self.titles)} numbers")
        return np.ascontiguousarray(table.T)

    def reader(self, column: int, scale: float) -> SampleReader:
        """A reader of one column in V or A."""
        return partial(self._read_column, column, scale)

    def _read_column(self, column: int, scale: float, start: int, stop: int) -> FloatArray:
        return self.columns[column, start:stop] * scale

    def _damaged(self, reason: str) -> RecordingError:
        return RecordingError(reason, path=self._path, hint=_HINT)


def _numbers_text(text: bytes) -> bytes:
    """Numbers parted by tabs, with decimal points, whatever the exporting computer's locale made of them."""
    return text.replace(b",", b".") if b"\t" in text[:4096] else text.replace(b",", b"\t")


def _time(line: bytes) -> float:
    try:
        return float(_numbers_text(line).split(b"\t", 1)[0])
    except ValueError:
        return math.nan


def _fields(line: str) -> list[str]:
    separator = "\t" if "\t" in line else ","
    return [field.strip().strip('"') for field in line.strip("\r\n").split(separator)]


def _parse_items(lines: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Header lines as ``key=value``, and the signal of each column from the line that names them."""
    items: dict[str, Any] = {}
    signals: list[str] = []
    for line in lines:
        if line.startswith('"Signals='):
            signals = _fields(line)[1:]
        elif "=" in line:
            key, _, value = line.strip('"').partition("=")
            items[key.strip()] = value.strip()
    return items, signals


@dataclass(frozen=True)
class _Signals:
    """Name and unit of each signal of one sweep, and how many sweeps of them the columns hold."""

    names: list[str]
    units: list[Unit]
    n_sweeps: int

    @classmethod
    def of(cls, text: _Text) -> _Signals:
        units = [match[1] if (match := re.search(r"\(([^()]*)\)\s*$", title)) else "" for title in text.titles[1:]]
        names = text.signals if len(text.signals) == len(units) else [""] * len(units)
        keys = list(zip(names, units, strict=True))
        period = next(p for p in range(1, len(keys) + 1) if len(keys) % p == 0 and keys == keys[:p] * (len(keys) // p))
        return cls(names[:period], [parse_unit(unit) for unit in units[:period]], len(keys) // period)


def _judge(electrode: Electrode, signals: _Signals) -> ClampVerdict:
    if electrode.voltage is not None and electrode.current is not None:
        names = signals.names
        return judge_pair(voltage_name=names[electrode.voltage], current_name=names[electrode.current])
    return judge_clamp(signals.units[electrode.response], NO_UNIT)


def _sweeps(text: _Text, signals: _Signals, electrodes: list[tuple[Electrode, ClampVerdict]]) -> tuple[Sweep, ...]:
    starts = _start_times(text, signals.n_sweeps)
    sweeps: list[Sweep] = []
    for number in range(signals.n_sweeps):
        for electrode, verdict in electrodes:
            voltage, current = (_reader(text, signals, number, place) for place in _places(electrode, verdict))
            sweeps.append(
                Sweep(
                    index=len(sweeps),
                    number=number,
                    rate_hz=text.rate_hz,
                    n_stored=text.n_samples,
                    read_voltage=voltage,
                    read_current=current,
                    clamp=verdict.clamp,
                    clamp_reason=verdict.reason,
                    start_s=starts[number],
                    electrode=electrode.name if len(electrodes) > 1 else "",
                    stimulus=StimulusNote(description=str(text.items.get("Comment", ""))),
                )
            )
    return tuple(sweeps)


def _places(electrode: Electrode, verdict: ClampVerdict) -> tuple[int | None, int | None]:
    if electrode.unlabelled is None:
        return electrode.voltage, electrode.current
    return (None, electrode.unlabelled) if verdict.response.quantity == "current" else (electrode.unlabelled, None)


def _reader(text: _Text, signals: _Signals, number: int, place: int | None) -> SampleReader | None:
    if place is None:
        return None
    unit = signals.units[place]
    scale = unit.to_si if unit.is_electrical else 1e-3
    return text.reader(1 + number * len(signals.names) + place, scale)


def _start_times(text: _Text, n_sweeps: int) -> list[float]:
    try:
        starts = [float(part) / 1e3 for part in str(text.items.get("SweepStartTimesMS", "")).split(",")]
    except ValueError:
        starts = []
    duration = text.n_samples / text.rate_hz
    return starts if len(starts) == n_sweeps else [number * duration for number in range(n_sweeps)]
