"""What an ABF file says about itself, whatever its version: the facts :mod:`abf1` and :mod:`abf2` find in the bytes.

Headers lie, so nothing here is trusted: every read is checked against the file's size, counts are believed only as
far as the file has room for them, and a part that cannot be read is a note where we can do without it.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Clamp

__all__ = [
    "BLOCK",
    "DAMAGED",
    "EPOCH_SHAPES",
    "AbfHeader",
    "AdcChannel",
    "CheckedFile",
    "Dac",
    "Epoch",
    "Shape",
    "UserList",
    "adc_gain",
    "clean_text",
    "floats",
    "integers",
    "operation_mode",
    "sample_type",
    "sampling_rate",
    "start_time",
    "synch_unit",
    "telegraphed_mode",
]

BLOCK = 512
DAMAGED = "The file is damaged or was cut off while copying: copy it again from the acquisition computer."

OperationMode = Literal["event-driven", "fixed-length events", "gap-free", "oscilloscope", "episodic"]
_MODES: dict[int, OperationMode] = {
    1: "event-driven",
    2: "fixed-length events",
    3: "gap-free",
    4: "oscilloscope",
    5: "episodic",
}

Shape = Literal["step", "ramp", "pulse", "triangle", "cosine", "biphasic"]
EPOCH_SHAPES: dict[int, Shape] = {1: "step", 2: "ramp", 3: "pulse", 4: "triangle", 5: "cosine", 7: "biphasic"}


@dataclass(frozen=True)
class AdcChannel:
    """One recorded channel: value in ``unit`` = stored number x ``gain`` + ``offset``."""

    name: str
    unit: str
    gain: float
    offset: float
    mode: Clamp = "unknown"


@dataclass(frozen=True)
class Epoch:
    """One column of the waveform table; lengths in samples, levels in the output's unit."""

    number: int
    shape: Shape
    level: float
    level_step: float
    length: int
    length_step: int
    period: int = 0
    width: int = 0


@dataclass(frozen=True)
class UserList:
    """Values that replace one parameter of the waveform, sweep by sweep (pCLAMP numbers the parameters)."""

    parameter: int
    values: tuple[float, ...]
    repeats: bool


@dataclass(frozen=True)
class Dac:
    """One output: what it was set to play. ``source`` is what the file says produced the waveform."""

    number: int
    name: str
    unit: str
    holding: float
    enabled: bool
    source: Literal["none", "epochs", "file", "unknown"]
    keeps_last_level: bool = False
    epochs: tuple[Epoch, ...] = ()
    user_list: UserList | None = None
    file_name: str = ""


@dataclass(frozen=True)
class AbfHeader:
    """All we use of a header, the same for both versions.

    ``n_points`` counts samples of all channels as the header claims them; ``episodes`` likewise.
    ``starts`` and ``lengths`` come from the synch array: the former in ``synch_unit_s``, the latter in samples of
    all channels together.
    """

    generation: Literal[1, 2]
    version: str
    operation: OperationMode
    rate_hz: float
    channels: tuple[AdcChannel, ...]
    data_start: int
    dtype: np.dtype[np.int16] | np.dtype[np.float32]
    n_points: int
    episodes: int
    samples_per_episode: int
    episode_interval_s: float = 0.0
    dacs: tuple[Dac, ...] = ()
    starts: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    lengths: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    synch_unit_s: float = 0.0
    started: datetime | None = None
    protocol: str = ""
    comment: str = ""
    creator: str = ""
    tags: tuple[tuple[float, str], ...] = ()
    notes: tuple[str, ...] = ()


class CheckedFile:
    """Reads bytes of a file and never past its end."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def read(self, offset: int, size: int, what: str) -> bytes:
        """``size`` bytes from ``offset``; RecordingError naming ``what`` where the file has no such bytes."""
        if offset < 0 or size < 0 or offset + size > self.size:
            where = f"should begin at byte {offset}" if offset else f"takes {size} bytes"
            raise self.damaged(f"its {what} {where}, but the file has {self.size} bytes")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) < size:
            raise self.damaged(f"its {what} cannot be read to its end")
        return data

    def damaged(self, reason: str) -> RecordingError:
        """The error for a header that cannot be true."""
        return RecordingError(reason, path=self.path, hint=DAMAGED)


def integers(layout: str, data: bytes, offset: int) -> tuple[int, ...]:
    """Little-endian integers at an offset."""
    return struct.unpack_from("<" + layout, data, offset)


def floats(layout: str, data: bytes, offset: int) -> tuple[float, ...]:
    """Little-endian floats at an offset."""
    return struct.unpack_from("<" + layout, data, offset)


def clean_text(raw: bytes) -> str:
    """Text up to its first NUL, Windows' code page, without what cannot be printed."""
    text = raw.split(b"\x00", 1)[0].decode("cp1252", errors="replace")
    if not text.isprintable():
        text = "".join(letter for letter in text if letter.isprintable())
    return text.strip()


def operation_mode(number: int, file: CheckedFile) -> OperationMode:
    """The mode of acquisition in words."""
    if number not in _MODES:
        raise file.damaged(f"its header names acquisition mode {number}, which does not exist")
    return _MODES[number]


def sampling_rate(interval_us: float, file: CheckedFile) -> float:
    """Samples per second of one channel, from the microseconds between two of its samples."""
    if not (math.isfinite(interval_us) and 0.05 <= interval_us <= 1e9):
        raise file.damaged(f"its header gives an impossible time between samples ({interval_us:.4g} µs)")
    return float(1e6 / interval_us)


def sample_type(number: int, file: CheckedFile) -> np.dtype[np.int16] | np.dtype[np.float32]:
    """How one sample is stored."""
    if number == 0:
        return np.dtype("<i2")
    if number == 1:
        return np.dtype("<f4")
    raise file.damaged(f"its header names sample format {number}, which does not exist")


def adc_gain(full_scale: float, resolution: int, factors: tuple[float, ...]) -> float:
    """Units per stored integer; NaN where the header's numbers cannot give one."""
    divisor = math.prod(factors) * resolution
    gain = full_scale / divisor if divisor and full_scale > 0 and resolution > 0 else math.nan
    return gain if math.isfinite(gain) and gain != 0 else math.nan


def telegraphed_mode(enabled: int, instrument: int, mode: int) -> Clamp:
    """The mode an amplifier reported; only the MultiClamp 700 (number 24) reports it, others leave a 0 there."""
    if enabled != 1 or instrument != 24:
        return "unknown"
    modes: dict[int, Clamp] = {0: "voltage", 1: "current", 2: "current"}
    return modes.get(mode, "unknown")


def synch_unit(microseconds: float, scan_rate_hz: float) -> float:
    """Seconds that one step of the synch array stands for; older programs leave 0 and count samples of all channels."""
    given = math.isfinite(microseconds) and microseconds > 0
    return microseconds / 1e6 if given else 1.0 / scan_rate_hz


def start_time(date: int, milliseconds: float) -> datetime | None:
    """When the recording began, or None where the header holds no possible date."""
    try:
        day = datetime(date // 10000, date // 100 % 100, date % 100)
        return day + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        return None
