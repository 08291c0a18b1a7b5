"""Header of ABF 2 (pCLAMP 10 and later): a table of sections, each a run of equal entries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError

from .abf_header import (
    BLOCK,
    EPOCH_SHAPES,
    AbfHeader,
    AdcChannel,
    CheckedFile,
    Dac,
    Epoch,
    UserList,
    adc_gain,
    clean_text,
    floats,
    integers,
    operation_mode,
    sample_type,
    sampling_rate,
    start_time,
    synch_unit,
    telegraphed_mode,
)

__all__ = ["read_header"]

# where the table of sections names each one: (byte in the header, least bytes of an entry, most entries believed)
_SECTIONS = {
    "protocol": (76, 208, 1),
    "input channel": (92, 82, 64),
    "output": (108, 132, 64),
    "waveform": (156, 30, 4096),
    "user list": (172, 12, 64),
    "text": (220, 44, 4096),
    "tag": (252, 64, 1_000_000),
    "sweep list": (316, 8, 100_000_000),
}

# far more than any program writes, so that a damaged size cannot make us read a whole recording as text
_MOST_BYTES = 1 << 24


def read_header(file: CheckedFile) -> AbfHeader:
    """Everything we use of an ABF 2 header; RecordingError where the samples cannot be told from it."""
    head = file.read(0, BLOCK, "header")
    section = _Sections(file, head)
    protocol = section.needed("protocol")[0]
    strings = _read_strings(section.wanted("text"))
    (interval_us,) = floats("f", protocol, 2)
    rate_hz = sampling_rate(interval_us, file)
    channels = _read_channels(section.needed("input channel"), protocol, strings)
    dtype = sample_type(integers("H", head, 30)[0], file)
    data_start, n_points = _read_data_place(file, head, dtype.itemsize)
    synch = section.array("sweep list")
    (synch_unit_us,) = floats("f", protocol, 14)
    unit_s = synch_unit(synch_unit_us, rate_hz * len(channels))
    date, day_ms = integers("II", head, 16)
    return AbfHeader(
        generation=2,
        version=".".join(str(part) for part in reversed(head[4:8])),
        operation=operation_mode(integers("h", protocol, 0)[0], file),
        rate_hz=rate_hz,
        channels=channels,
        data_start=data_start,
        dtype=dtype,
        n_points=n_points,
        episodes=integers("I", head, 12)[0],
        samples_per_episode=integers("i", protocol, 22)[0],
        episode_interval_s=floats("f", protocol, 62)[0],
        dacs=_read_dacs(section, strings),
        starts=synch[:, 0],
        lengths=synch[:, 1],
        synch_unit_s=unit_s,
        started=start_time(date, day_ms),
        protocol=strings.at(integers("I", head, 72)[0]),
        comment=strings.at(integers("i", protocol, 132)[0]),
        creator=strings.at(integers("I", head, 60)[0]),
        tags=_read_tags(section.wanted("tag"), unit_s),
        notes=tuple(section.notes),
    )


class _Sections:
    """Entries of each section, as bytes; what is missing becomes a note where it is not needed."""

    def __init__(self, file: CheckedFile, head: bytes) -> None:
        self._file = file
        self._head = head
        self.notes: list[str] = []

    def needed(self, name: str) -> list[bytes]:
        """Entries of a section without which nothing can be read."""
        data, size, count = self._read(name)
        if count == 0:
            raise self._file.damaged(f"its header has no {name} section")
        return [data[i * size : (i + 1) * size] for i in range(count)]

    def wanted(self, name: str) -> list[bytes]:
        """Entries of a section we can do without."""
        try:
            data, size, count = self._read(name)
        except RecordingError as error:
            self._miss(name, error)
            return []
        return [data[i * size : (i + 1) * size] for i in range(count)]

    def array(self, name: str) -> NDArray[np.int32]:
        """The first two integers of each entry."""
        try:
            data, size, count = self._read(name)
        except RecordingError as error:
            self._miss(name, error)
            return np.empty((0, 2), np.int32)
        return np.ndarray((count, 2), "<i4", data, strides=(size, 4)) if count else np.empty((0, 2), np.int32)

    def _read(self, name: str) -> tuple[bytes, int, int]:
        place, least, most = _SECTIONS[name]
        block, size, count = integers("IIq", self._head, place)
        if count == 0 or block == 0:
            return b"", least, 0
        most_bytes = self._file.size if name == "sweep list" else _MOST_BYTES
        if size < least or not 0 < count <= most or size * count > most_bytes:
            raise self._file.damaged(f"its header gives an impossible {name} section ({count} entries of {size} bytes)")
        return self._file.read(block * BLOCK, size * count, f"{name} section"), size, count

    def _miss(self, name: str, error: RecordingError) -> None:
        self.notes.append(f"A part of the header is left out: {error.reason}.")


def _read_data_place(file: CheckedFile, head: bytes, itemsize: int) -> tuple[int, int]:
    block, size, count = integers("IIq", head, 236)
    start = block * BLOCK
    if not BLOCK <= start < file.size:
        raise file.damaged(f"its samples should begin at byte {start}, but the file has {file.size} bytes")
    if size != itemsize:
        raise file.damaged(f"its header contradicts itself: samples of {size} bytes in a format of {itemsize}")
    if count <= 0:
        raise RecordingError("holds no samples", path=file.path, hint="The recording was stopped before it began.")
    return start, count


@dataclass(frozen=True)
class _Strings:
    """The file's texts, numbered from 1; 0 means none."""

    texts: tuple[str, ...]

    def at(self, number: int) -> str:
        return self.texts[number - 1] if 0 < number <= len(self.texts) else ""


def _read_strings(entries: list[bytes]) -> _Strings:
    if not entries:
        return _Strings(())
    block = entries[0]
    # "SSCH", then ten integers; files written by other programs may lack that head
    body = block[44:] if block.startswith(b"SSCH") else block[block.rfind(b"\x00\x00") + 2 :]
    return _Strings(tuple(clean_text(text) for text in body.split(b"\x00")))


def _read_channels(entries: list[bytes], protocol: bytes, strings: _Strings) -> tuple[AdcChannel, ...]:
    (full_scale,) = floats("f", protocol, 110)
    (resolution,) = integers("i", protocol, 118)
    channels = []
    for entry in entries:
        enabled, instrument = integers("hh", entry, 2)
        (extra_gain,) = floats("f", entry, 6)
        (programmable,) = floats("f", entry, 28)
        scale, offset, signal_gain, signal_offset = floats("ffff", entry, 40)
        name, unit = integers("ii", entry, 74)
        factors = (scale, signal_gain, programmable, extra_gain if enabled == 1 else 1.0)
        channels.append(
            AdcChannel(
                name=strings.at(name),
                unit=strings.at(unit),
                gain=adc_gain(full_scale, resolution, factors),
                offset=offset - signal_offset,
                mode=telegraphed_mode(enabled, instrument, integers("h", entry, 18)[0]),
            )
        )
    return tuple(channels)


def _read_dacs(section: _Sections, strings: _Strings) -> tuple[Dac, ...]:
    epochs = _read_epochs(section.wanted("waveform"))
    lists = _read_user_lists(section.wanted("user list"), strings)
    sources: dict[int, Literal["none", "epochs", "file"]] = {0: "none", 1: "epochs", 2: "file"}
    dacs = []
    for entry in section.wanted("output"):
        (number,) = integers("h", entry, 0)
        (holding,) = floats("f", entry, 12)
        name, unit = integers("ii", entry, 24)
        enabled, source, last_level = integers("hhh", entry, 40)
        dacs.append(
            Dac(
                number=number,
                name=strings.at(name),
                unit=strings.at(unit),
                holding=holding if math.isfinite(holding) and abs(holding) < 1e6 else math.nan,
                enabled=enabled != 0,
                source=sources.get(source, "unknown"),
                keeps_last_level=last_level != 0,
                epochs=tuple(epochs.get(number, ())),
                user_list=lists.get(number),
                file_name=strings.at(integers("i", entry, 118)[0]),
            )
        )
    return tuple(dacs)


def _read_epochs(entries: list[bytes]) -> dict[int, list[Epoch]]:
    epochs: dict[int, list[Epoch]] = {}
    for entry in entries:
        number, dac, shape = integers("hhh", entry, 0)
        level, level_step = floats("ff", entry, 6)
        length, length_step, period, width = integers("iiii", entry, 14)
        if shape in EPOCH_SHAPES:
            epoch = Epoch(number, EPOCH_SHAPES[shape], level, level_step, length, length_step, period, width)
            epochs.setdefault(dac, []).append(epoch)
    return epochs


def _read_user_lists(entries: list[bytes], strings: _Strings) -> dict[int, UserList]:
    lists = {}
    for entry in entries:
        # the flag between the two is 0 in files that used their list; a parameter is named only where one is used
        dac, _, parameter, repeats = integers("hhhh", entry, 0)
        (text,) = integers("i", entry, 8)
        if parameter > 0:
            lists[dac] = UserList(parameter, read_values(strings.at(text)), repeats != 0)
    return lists


def read_values(text: str) -> tuple[float, ...]:
    """Numbers of a user list; nothing where it holds anything else."""
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        return ()


def _read_tags(entries: list[bytes], unit_s: float) -> tuple[tuple[float, str], ...]:
    return tuple((integers("i", entry, 0)[0] * unit_s, clean_text(entry[4:60])) for entry in entries)
