"""Read WinWCP files: a text header, then records of a block of facts and a block of interleaved samples."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording, SampleReader

from .abf_header import CheckedFile
from .channel_sweeps import Channel, Episode, Layout, build_sweeps
from .channels import parse_unit
from .interleaved import InterleavedSamples
from .pairing import pair_channels

__all__ = ["read"]

_SECTOR = 512
_MAX_CHANNELS = 256
_RECORD = struct.Struct("<8s4sfff")


@dataclass(frozen=True)
class _WcpHeader:
    n_bytes: int
    n_records: int
    analysis_bytes: int
    data_bytes: int
    n_samples: int
    dt_s: float
    adc_max: float
    columns: tuple[int, ...]
    gains: tuple[float, ...]
    channels: tuple[Channel, ...]
    keys: dict[str, str]

    @property
    def record_bytes(self) -> int:
        return self.analysis_bytes + self.data_bytes


def read(path: Path) -> Recording:
    """Open a WinWCP file, lazily.

    Raises
    ------
    RecordingError
        If its header is damaged or no record is complete.
    """
    with path.open("rb") as handle:
        file = CheckedFile(path, handle)
        header = _read_header(file)
        n_complete = (file.size - header.n_bytes) // header.record_bytes
        if min(n_complete, header.n_records) < 1:
            raise file.damaged(f"should hold {header.n_records} records, but not one is complete")
        facts = [_read_record(file, header, k) for k in range(min(n_complete, header.n_records))]
    notes = []
    if n_complete < header.n_records:
        notes.append(f"The header promises {header.n_records} records, but the file holds {n_complete}.")
    episodes = [_episode(k, record, header) for k, record in enumerate(facts)]

    def reader(place: int, channel: int, factor: float) -> SampleReader:
        start = header.n_bytes + place * header.record_bytes + header.analysis_bytes
        samples = InterleavedSamples(path, start, np.dtype("<i2"), len(header.channels))
        gain = facts[place].full_scale[channel] / (header.adc_max * header.gains[channel])
        return samples.reader(header.columns[channel], 0, gain * factor)

    pairing = pair_channels([channel.name for channel in header.channels], [c.unit for c in header.channels])
    if not pairing.electrodes:
        units = ", ".join(f"{channel.name} ({channel.unit})" for channel in header.channels)
        raise RecordingError(f"has no voltage or current channel, only {units}", path=path)
    sweeps, judged = build_sweeps(Layout(header.channels, episodes, reader, pairing))
    metadata = {"created": header.keys.get("CTIME", ""), "identification": header.keys.get("ID", "")}
    return Recording(path, f"WinWCP {header.keys['VER']}", tuple(sweeps), (*notes, *judged), metadata)


@dataclass(frozen=True)
class _Record:
    status: str
    kind: str
    time_s: float
    dt_s: float
    full_scale: tuple[float, ...]


def _read_record(file: CheckedFile, header: _WcpHeader, number: int) -> _Record:
    n_channels = len(header.channels)
    start = header.n_bytes + number * header.record_bytes
    block = file.read(start, header.analysis_bytes, f"record {number + 1}")
    status, kind, _, time_s, dt_s = _RECORD.unpack_from(block)
    full_scale = struct.unpack_from(f"<{n_channels}f", block, _RECORD.size)
    return _Record(_text(status), _text(kind), time_s, dt_s, full_scale)


def _episode(place: int, record: _Record, header: _WcpHeader) -> Episode:
    # the record's interval is a 4-byte float; where it says the same as the header's text, that is more exact
    dt_s = record.dt_s if math.isfinite(record.dt_s) and record.dt_s > 0 else header.dt_s
    dt_s = header.dt_s if math.isclose(dt_s, header.dt_s, rel_tol=1e-5) else dt_s
    start_s = record.time_s if math.isfinite(record.time_s) else 0.0
    facts = {"status": record.status, "type": record.kind}
    return Episode(place + 1, 1 / dt_s, header.n_samples, start_s, metadata=facts)


def _read_header(file: CheckedFile) -> _WcpHeader:
    keys = _keys(file.read(0, min(file.size, 1024), "header"))
    n_channels = _integer(keys, "NC", file, 1, _MAX_CHANNELS)
    n_bytes = _header_bytes(keys, n_channels, file)
    keys = _keys(file.read(0, n_bytes, "header"))
    data_bytes = _integer(keys, "NBD", file, 1, 2**22) * _SECTOR
    n_samples = _integer(keys, "NP", file, 1, 2**31) if "NP" in keys else data_bytes // (2 * n_channels)
    if n_samples * n_channels * 2 > data_bytes:
        raise file.damaged(f"promises {n_samples} samples a record where {data_bytes // (2 * n_channels)} fit")
    analysis_bytes = _integer(keys, "NBA", file, 1, 2**16) * _SECTOR
    if analysis_bytes < _RECORD.size + 4 * n_channels:
        raise file.damaged(f"has no room for the scales of {n_channels} channels")
    return _WcpHeader(
        n_bytes=n_bytes,
        n_records=_integer(keys, "NR", file, 0, 2**31),
        analysis_bytes=analysis_bytes,
        data_bytes=data_bytes,
        n_samples=n_samples,
        dt_s=_number(keys, "DT", file),
        adc_max=_number(keys, "ADCMAX", file) if "ADCMAX" in keys else 2047.0,
        columns=tuple(_integer(keys, f"YO{i}", file, 0, n_channels - 1) for i in range(n_channels)),
        gains=tuple(_number(keys, f"YG{i}", file) for i in range(n_channels)),
        channels=tuple(
            Channel(keys.get(f"YN{i}", "") or f"channel {i}", parse_unit(keys.get(f"YU{i}", "")))
            for i in range(n_channels)
        ),
        keys=keys,
    )


def _header_bytes(keys: dict[str, str], n_channels: int, file: CheckedFile) -> int:
    if "NBH" not in keys:
        return (math.ceil(n_channels / 8)) * 1024
    stated = _integer(keys, "NBH", file, 1, 2**20)
    # the manual says sectors, version 9 writes bytes
    return stated if stated >= _SECTOR else stated * _SECTOR


def _keys(text: bytes) -> dict[str, str]:
    lines = (line.split("=", 1) for line in text.decode("latin-1").splitlines() if "=" in line)
    return {name.strip().upper(): value.strip("\x00 \t\r") for name, value in lines}


def _integer(keys: dict[str, str], name: str, file: CheckedFile, low: int, high: int) -> int:
    value = keys.get(name, "")
    if not value.lstrip("+-").isdecimal() or not low <= int(value[:20]) <= high:
        raise file.damaged(f"has a header without a usable {name} ({value or 'missing'})")
    return int(value)


def _number(keys: dict[str, str], name: str, file: CheckedFile) -> float:
    """A positive or negative number, with the decimal comma some locales write."""
    text = keys.get(name, "")
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value == 0 or (name == "DT" and value < 0):
        raise file.damaged(f"has a header without a usable {name} ({text or 'missing'})")
    return value


def _text(raw: bytes) -> str:
    return raw.split(b"\x00", 1)[0].decode("latin-1").strip()
