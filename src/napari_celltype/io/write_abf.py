"""Write a recording as an ABF 2 file: voltage and command current as two channels of 16-bit samples."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, Sweep

from .atomic import write_atomically
from .session import session_start

__all__ = ["quantisation_step", "write_abf"]

_BLOCK = 512
_VARIABLE_LENGTH, _EPISODIC = 1, 5
_COUNTS = 32768
_RANGE_V = 10.0
_TAG_COMMENT = 2


def write_abf(recording: Recording, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Save the current-clamp sweeps of one electrode as ABF 2.

    Parameters
    ----------
    recording
        What to save: one sampling rate, one electrode, every sweep with a voltage in current clamp.
    path
        New file. FileExistsError if it is there already, unless ``overwrite``.

    Raises
    ------
    RecordingError
        If the recording does not fit the format.

    Notes
    -----
    Samples are rounded to 16 bits; the step is the smallest power of two, in mV and pA, that holds the largest
    value, see :func:`quantisation_step`. The command is a second input channel, which says exactly what was
    injected. Sweeps of one length make an episodic file, others a variable-length one. ABF has no name for a
    sweep's stimulus, so a tag at each sweep's start carries it.
    """
    return write_atomically(path, _encode(recording), overwrite=overwrite)


def quantisation_step(largest: float) -> float:
    """Smallest power of two by which 16-bit counts reach a value (same unit)."""
    if largest == 0:
        return 1.0
    # a largest value that is full scale but for its last bits, after V became mV, must not double the step
    return float(2.0 ** np.ceil(np.log2(largest / (_COUNTS - 1)) - 1e-9))


@dataclass(frozen=True)
class _Channel:
    name: str
    unit: str
    step: float


def _encode(recording: Recording) -> bytes:
    sweeps = recording.sweeps
    _check(recording)
    voltages = [_read(sweep.read_voltage, sweep, 1e3) for sweep in sweeps]
    currents = [_read(sweep.read_current, sweep, 1e12) for sweep in sweeps if sweep.read_current is not None]
    signals = [(voltages, "IN 0", "mV"), (currents, "I Cmd 0", "pA")]
    channels, counts = [], []
    for values, name, unit in (item for item in signals if item[0]):
        joined = np.concatenate(values)
        channel = _Channel(name, unit, quantisation_step(_largest(joined, recording)))
        channels.append(channel)
        counts.append(np.round(joined / channel.step).astype("<i2"))
    return _file(recording, channels, np.stack(counts, axis=1))


def _check(recording: Recording) -> None:
    def refuse(reason: str) -> RecordingError:
        return RecordingError(f"cannot be written as ABF: {reason}", path=recording.path, hint="Write it as NWB.")

    if not recording.sweeps:
        raise refuse("it has no sweeps")
    if len({sweep.rate_hz for sweep in recording.sweeps}) > 1:
        raise refuse("its sweeps have different sampling rates")
    if len(recording.electrodes) > 1:
        raise refuse("it has several electrodes")
    for sweep in recording.sweeps:
        if sweep.clamp != "current" or sweep.read_voltage is None:
            raise refuse(f"sweep {sweep.number} is not a current-clamp recording")
    if len({sweep.read_current is None for sweep in recording.sweeps}) > 1:
        raise refuse("some of its sweeps have a command and others have none")


def _read(read: Any, sweep: Sweep, per_si: float) -> FloatArray:
    values: FloatArray = read(0, sweep.n_stored)
    return values * per_si


def _largest(values: FloatArray, recording: Recording) -> float:
    if not np.isfinite(values).all():
        reason = "cannot be written as ABF: it has samples that are not numbers"
        raise RecordingError(reason, path=recording.path, hint="Write it as NWB.")
    return float(np.abs(values).max(initial=0.0))


def _file(recording: Recording, channels: Sequence[_Channel], counts: NDArray[np.int16]) -> bytes:
    """Header and sections, each from a whole block on, as the format wants them."""
    lengths = [sweep.n_stored for sweep in recording.sweeps]
    texts = _Strings()
    protocol = _protocol(recording, channels, lengths, texts)
    adc = b"".join(_adc(i, channel, texts) for i, channel in enumerate(channels))
    # without a recorded command no output is described: a holding level of 0 would be taken for what was injected
    outputs = [_dac(texts)] if len(channels) > 1 else []
    creator = texts.add("napari-celltype")
    protocol_path = texts.add("simulated" if recording.format == "simulated" else recording.name)
    sections: list[tuple[int, int, int, bytes]] = [  # place in the header, bytes per entry, entries, content
        (76, len(protocol), 1, protocol),
        (92, len(adc) // len(channels), len(channels), adc),
        (108, 256, len(outputs), b"".join(outputs)),
        (220, len(texts.encode()), texts.count, texts.encode()),
        (236, 2, counts.size, counts.tobytes()),
        (252, 64, len(lengths), _tags(recording, len(channels))),
        (316, 8, len(lengths), _synch(recording, len(channels))),
    ]
    header = bytearray(_header(recording, creator, protocol_path))
    body, block = [], 1
    for place, size, entries, content in sections:
        if not entries:
            continue
        struct.pack_into("<IIq", header, place, block, size, entries)
        padding = -len(content) % _BLOCK
        body += [content, bytes(padding)]
        block += (len(content) + padding) // _BLOCK
    return bytes(header) + b"".join(body)


def _header(recording: Recording, creator: int, protocol_path: int) -> bytes:
    start = session_start(recording)
    milliseconds = ((start.hour * 60 + start.minute) * 60 + start.second) * 1000 + start.microsecond // 1000
    header = bytearray(_BLOCK)
    struct.pack_into("<4s4BII", header, 0, b"ABF2", 0, 0, 6, 2, _BLOCK, len(recording.sweeps))
    struct.pack_into("<III", header, 16, int(start.strftime("%Y%m%d")), milliseconds, 0)
    struct.pack_into("<HHHH", header, 28, 1, 0, 1, 0)  # ABF file, integers, simultaneous scan, no checksum
    struct.pack_into("<4BI", header, 56, 0, 0, 0, 1, creator)
    struct.pack_into("<I", header, 72, protocol_path)
    return bytes(header)


def _protocol(recording: Recording, channels: Sequence[_Channel], lengths: list[int], texts: _Strings) -> bytes:
    rate_hz = recording.sweeps[0].rate_hz
    comment = str(recording.metadata.get("session_description") or f"Saved from {recording.name}")
    section = bytearray(_BLOCK)
    mode = _EPISODIC if len(set(lengths)) == 1 else _VARIABLE_LENGTH
    struct.pack_into("<hf", section, 0, mode, 1e6 / rate_hz)
    struct.pack_into("<f", section, 14, _synch_unit_us(recording, len(channels)))
    struct.pack_into("<i", section, 22, max(lengths) * len(channels))
    struct.pack_into("<iii", section, 30, len(lengths), 1, 1)
    struct.pack_into("<ffii", section, 110, _RANGE_V, _RANGE_V, _COUNTS, _COUNTS)
    struct.pack_into("<hi", section, 130, 1, texts.add(comment))
    return bytes(section)


def _synch_unit_us(recording: Recording, n_channels: int) -> float:
    """Unit of times in the file: one multiplexed sample."""
    return 1e6 / recording.sweeps[0].rate_hz / n_channels


def _adc(index: int, channel: _Channel, texts: _Strings) -> bytes:
    entry = bytearray(128)
    struct.pack_into("<h", entry, 0, index)
    struct.pack_into("<f", entry, 6, 1.0)  # telegraphed gain, not in use
    struct.pack_into("<hh", entry, 24, index, index)
    struct.pack_into("<ff", entry, 28, 1.0, 1.0)  # programmable gain, display amplification
    # volts at the digitiser per unit, so that one count is one step; exact, as the step is a power of two
    struct.pack_into("<f", entry, 40, _RANGE_V / _COUNTS / channel.step)
    struct.pack_into("<f", entry, 48, 1.0)  # signal gain
    struct.pack_into("<ff", entry, 56, 100_000.0, 0.0)
    struct.pack_into("<ii", entry, 74, texts.add(channel.name), texts.add(channel.unit))
    return bytes(entry)


def _dac(texts: _Strings) -> bytes:
    """One output that injects current, with no waveform of its own: what it played is a channel."""
    entry = bytearray(256)
    struct.pack_into("<f", entry, 8, 400.0)  # pA per volt of the command input
    struct.pack_into("<ff", entry, 16, 1.0, 0.0)
    struct.pack_into("<ii", entry, 24, texts.add("Cmd 0"), texts.add("pA"))
    return bytes(entry)


def _starts(recording: Recording, n_channels: int) -> list[int]:
    """Start of each sweep in the file's unit of time, from the first sweep's on."""
    first = recording.sweeps[0].start_s
    rate_hz = recording.sweeps[0].rate_hz
    starts = [round((sweep.start_s - first) * rate_hz) * n_channels for sweep in recording.sweeps]
    if all(b > a for a, b in pairwise(starts)):
        return starts
    lengths = [sweep.n_stored * n_channels for sweep in recording.sweeps]
    return [int(x) for x in np.cumsum([0, *lengths[:-1]])]


def _synch(recording: Recording, n_channels: int) -> bytes:
    """Start and length of each sweep, both in multiplexed samples."""
    starts = _starts(recording, n_channels)
    pairs = zip(starts, recording.sweeps, strict=True)
    return b"".join(struct.pack("<ii", start, sweep.n_stored * n_channels) for start, sweep in pairs)


def _tags(recording: Recording, n_channels: int) -> bytes:
    """A comment at each sweep's start: the name of its stimulus."""
    names = [(sweep.stimulus.name or "sweep").encode("ascii", "replace").ljust(56) for sweep in recording.sweeps]
    pairs = zip(_starts(recording, n_channels), names, strict=True)
    return b"".join(struct.pack("<i56shh", start, name, _TAG_COMMENT, 0) for start, name in pairs)


class _Strings:
    """The file's texts, referred to by number from 1."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []

    @property
    def count(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Number of a text in the file."""
        # empty texts would look like the end of the list to readers
        self._texts.append(text.encode("ascii", "replace").replace(b"\x00", b" ") or b" ")
        return self.count

    def encode(self) -> bytes:
        """The section's bytes: its own header, then the texts one after another."""
        body = b"".join(text + b"\x00" for text in self._texts)
        longest = max((len(text) + 1 for text in self._texts), default=0)
        return struct.pack("<4sIIII", b"SSCH", 1, self.count, longest, len(body)).ljust(44, b"\x00") + body
