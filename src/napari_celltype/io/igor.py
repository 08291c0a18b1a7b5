"""Read Igor binary waves (.ibw): one wave a file, its sweeps in columns, its channels in neighbouring files.

Notes
-----
Acquisition programs in Igor write one wave per channel and sweep. Two files belong together if their names differ only
in the channel number and the notes inside agree on the time of recording; then the voltage is shown with its current.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording, SampleReader, StimulusNote

from .abf_header import CheckedFile
from .channel_sweeps import Channel, Episode, Layout, build_sweeps, pair_si_channels
from .channels import Unit, parse_unit
from .interleaved import InterleavedSamples

__all__ = ["read"]

_TYPES = {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4", 0x48: "u1", 0x50: "u2", 0x60: "u4"}
_MAX_NOTE = 2**20
_MAX_NEIGHBOURS = 16


@dataclass(frozen=True)
class _Wave:
    path: Path
    version: int
    name: str
    start: int
    dtype: np.dtype[np.float32]
    n: int
    columns: int
    step_s: float
    first_s: float
    unit: Unit
    note: str

    @cached_property
    def facts(self) -> dict[str, str]:
        """The note's ``KEY:value;`` pairs, which many acquisition programs write."""
        pairs = (part.split(":", 1) for part in re.split(r"[;\r\n]", self.note) if ":" in part)
        return {key.strip().upper(): value.strip() for key, value in pairs}

    @property
    def channel(self) -> Channel:
        """The channel this wave is of."""
        number = self.facts.get("CHAN#")
        return Channel(f"channel {number}" if number else self.name, self.unit)

    def reader(self, column: int, factor: float) -> SampleReader:
        """One column's samples; columns follow one another in the file."""
        return InterleavedSamples(self.path, self.start, self.dtype, 1).reader(0, column * self.n, factor)


def read(path: Path) -> Recording:
    """Open an Igor wave, with its partner channel if one lies beside it.

    Raises
    ------
    RecordingError
        If it is damaged or no wave of samples in V or A.
    """
    wave = _read_wave(path)
    if not wave.unit.is_electrical and wave.unit.text:
        raise RecordingError(f"holds a wave in {wave.unit}, not in V or A", path=path)
    waves, notes = [wave], []
    partner = _find_partner(wave)
    if partner is not None:
        waves.append(partner)
        notes.append(
            f"Shown with {partner.path.name}, which lies beside it: the notes inside both state the same time of "
            "recording, and one is a voltage, the other a current."
        )
    episodes = [_episode(wave, column) for column in range(wave.columns)]
    channels = [one.channel for one in waves]

    def reader(place: int, channel: int, factor: float) -> SampleReader:
        return waves[channel].reader(place, factor)

    sweeps, judged = build_sweeps(Layout(channels, episodes, reader, pair_si_channels(channels)))
    metadata = {"wave": wave.name, "note": wave.note, "files": [one.path.name for one in waves]}
    return Recording(path, f"Igor binary wave {wave.version}", tuple(sweeps), (*notes, *judged), metadata)


def _episode(wave: _Wave, column: int) -> Episode:
    protocol = wave.facts.get("PATTERN", "")
    number = _last_number(wave.name) if wave.columns == 1 else column
    return Episode(number, _rate(wave.step_s), wave.n, stimulus=StimulusNote(name=protocol), metadata=wave.facts)


def _rate(step_s: float) -> float:
    rate_hz = 1 / step_s
    nearest = round(rate_hz)
    return float(nearest) if nearest and abs(nearest - rate_hz) < 1e-6 * rate_hz else rate_hz


def _last_number(name: str) -> int:
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1][-9:]) if numbers else 0


def _find_partner(wave: _Wave) -> _Wave | None:
    """The one neighbour that is the same sweep of another channel and of the other quantity."""
    match = re.search(r"(?i)(?<![a-z])(ch|chan|channel|ad)_?(\d+)", wave.path.name)
    if match is None or "TIME" not in wave.facts:
        return None
    before, after = wave.path.name[: match.start(2)], wave.path.name[match.end(2) :]
    pattern = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    neighbours = [p for p in _siblings(wave.path) if pattern.fullmatch(p.name) and p.name != wave.path.name]
    partners = [other for p in neighbours[:_MAX_NEIGHBOURS] if (other := _try_wave(p)) and _belong(wave, other)]
    return partners[0] if len(partners) == 1 else None


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except OSError:
        return []


def _try_wave(path: Path) -> _Wave | None:
    try:
        return _read_wave(path)
    except RecordingError:
        return None


def _belong(wave: _Wave, other: _Wave) -> bool:
    same = ("TIME", "PATTERN", "SIZE", "SI")
    return (
        {wave.unit.quantity, other.unit.quantity} == {"voltage", "current"}
        and all(wave.facts.get(key) == other.facts.get(key) for key in same)
        and (wave.n, wave.columns) == (other.n, other.columns)
        and math.isclose(wave.step_s, other.step_s, rel_tol=1e-9)
    )


def _read_wave(path: Path) -> _Wave:
    try:
        with path.open("rb") as handle:
            return _parse(CheckedFile(path, handle))
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror or error})", path=path) from error


def _parse(file: CheckedFile) -> _Wave:
    head = file.read(0, 2, "header")
    order = "<" if head[1] == 0 else ">"
    (version,) = struct.unpack(order + "h", head)
    if version not in (2, 5):
        raise RecordingError(
            f"is an Igor wave of version {version}; versions 2 and 5 can be read",
            path=file.path,
            hint="Save it again from Igor Pro.",
        )
    header = file.read(0, 384 if version == 5 else 126, "header")
    _check_sum(file, header, order, version)
    wave = _parse_5(file, header, order) if version == 5 else _parse_2(file, header, order)
    n_bytes = wave.n * wave.columns * wave.dtype.itemsize
    if wave.start + n_bytes > file.size:
        held = max(0, (file.size - wave.start) // wave.dtype.itemsize)
        raise file.damaged(f"promises {wave.n * wave.columns} samples, but the file holds {held}")
    if wave.n == 0:
        raise RecordingError("is an empty Igor wave", path=file.path)
    if not (math.isfinite(wave.step_s) and wave.step_s > 0):
        raise file.damaged(f"has an impossible time between samples ({wave.step_s:.4g} s)")
    return wave


def _check_sum(file: CheckedFile, header: bytes, order: str, version: int) -> None:
    """Igor makes the 16-bit words of both headers add up to zero."""
    if int(np.frombuffer(header, order + "i2").sum(dtype=np.int64)) % 2**16:
        raise file.damaged(f"has a header whose check sum is wrong for an Igor wave of version {version}")


def _parse_5(file: CheckedFile, header: bytes, order: str) -> _Wave:
    _, _, _, n_formula, n_note = struct.unpack_from(order + "hHiii", header)
    n_points, kind = struct.unpack_from(order + "ih", header, 64 + 12)
    shape = struct.unpack_from(order + "4i", header, 64 + 68)
    (step,) = struct.unpack_from(order + "d", header, 64 + 84)
    (first,) = struct.unpack_from(order + "d", header, 64 + 116)
    dtype, n, columns = _sizes(file, order, kind, n_points, [size for size in shape if size > 0])
    end = 384 + n * columns * dtype.itemsize + max(n_formula, 0)
    note = file.read(end, n_note, "note") if 0 < n_note < _MAX_NOTE and end + n_note <= file.size else b""
    return _Wave(
        path=file.path,
        version=5,
        name=_text(header[64 + 28 : 64 + 60]),
        start=384,
        dtype=dtype,
        n=n,
        columns=columns,
        step_s=step,
        first_s=first,
        unit=parse_unit(_text(header[64 + 148 : 64 + 152])),
        note=_text(note),
    )


def _parse_2(file: CheckedFile, header: bytes, order: str) -> _Wave:
    _, n_wave, n_note = struct.unpack_from(order + "hii", header)
    (kind,) = struct.unpack_from(order + "h", header, 16)
    (n_points,) = struct.unpack_from(order + "i", header, 16 + 42)
    step, first = struct.unpack_from(order + "dd", header, 16 + 48)
    dtype, n, columns = _sizes(file, order, kind, n_points, [n_points])
    end = 16 + n_wave  # the wave's own size counts its header and 16 bytes of padding
    note = file.read(end, n_note, "note") if 0 < n_note < _MAX_NOTE and 0 < end <= file.size - n_note else b""
    return _Wave(
        path=file.path,
        version=2,
        name=_text(header[16 + 6 : 16 + 26]),
        start=126,
        dtype=dtype,
        n=n,
        columns=columns,
        step_s=step,
        first_s=first,
        unit=parse_unit(_text(header[16 + 34 : 16 + 38])),
        note=_text(note),
    )


def _sizes(
    file: CheckedFile, order: str, kind: int, n_points: int, shape: list[int]
) -> tuple[np.dtype[np.float32], int, int]:
    if kind not in _TYPES:
        what = "text" if kind == 0 else "complex numbers" if kind & 1 else f"values of type {kind}"
        raise RecordingError(f"is an Igor wave of {what}, not of samples", path=file.path)
    if len(shape) > 2 or n_points < 0 or (shape and math.prod(shape) != n_points):
        raise RecordingError(f"is an Igor wave of shape {shape} with {n_points} points, not sweeps", path=file.path)
    n, columns = (shape[0], math.prod(shape[1:])) if shape else (n_points, 1)
    return np.dtype(order + _TYPES[kind]), n, columns


def _text(raw: bytes) -> str:
    return raw.split(b"\x00", 1)[0].decode("utf-8", "replace").strip()
