"""Small ABF files made byte by byte, so that tests know every number in them and need no real data."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
GAIN = 10.0 / 32768 / 0.01  # 10 V full scale, 0.01 V per unit: units per count


@dataclass(frozen=True)
class MadeDac:
    """One output of a made file."""

    unit: str = "pA"
    holding: float = 0.0
    enabled: bool = True
    source: int = 1
    keeps_last_level: bool = False


@dataclass(frozen=True)
class MadeAbf:
    """What to write; ``counts`` has one row a channel and all sweeps end to end."""

    counts: NDArray[np.int16] | NDArray[np.float32]
    channels: Sequence[tuple[str, str]] = (("IN 0", "mV"),)
    rate_hz: float = 20_000.0
    lengths: Sequence[int] = ()
    starts: Sequence[int] = ()
    synch_unit_us: float = 50.0
    mode: int = 5
    dacs: Sequence[MadeDac] = (MadeDac(),)
    # output, number, shape, level, level step, length, length step, period, width
    epochs: Sequence[tuple[int, int, int, float, float, int, int, int, int]] = ()
    user_list: tuple[int, str] | None = None
    telegraph: tuple[int, int, int] = (0, 0, 0)
    changes: dict[int, bytes] = field(default_factory=dict)

    @property
    def sweep_lengths(self) -> list[int]:
        return list(self.lengths) or [self.counts.shape[1]]


def abf2_bytes(made: MadeAbf) -> bytes:
    """The file as ABF 2.6."""
    strings = _Strings()
    adc = b"".join(_adc(name, unit, strings, made.telegraph) for name, unit in made.channels)
    dac = b"".join(_dac(k, output, strings) for k, output in enumerate(made.dacs))
    epochs = b"".join(
        struct.pack("<hhhffiiii", number, output, shape, level, level_step, length, length_step, period, width).ljust(
            48, b"\0"
        )
        for output, number, shape, level, level_step, length, length_step, period, width in made.epochs
    )
    lists = b""
    if made.user_list is not None:
        parameter, values = made.user_list
        lists = struct.pack("<hhhhi", 0, 0, parameter, 0, strings.add(values)).ljust(64, b"\0")
    protocol_path = strings.add("C:\\protocols\\long steps.pro")
    lengths = made.sweep_lengths
    starts = list(made.starts) or list(np.cumsum([0, *lengths[:-1]]) * 2)
    synch = b"".join(
        struct.pack("<ii", start, length * len(made.channels)) for start, length in zip(starts, lengths, strict=True)
    )
    parts = {
        76: (_protocol(made), 512, 1),
        92: (adc, 128, len(made.channels)),
        108: (dac, 256, len(made.dacs)),
        156: (epochs, 48, len(made.epochs)),
        172: (lists, 64, 1 if lists else 0),
        220: (strings.block(), len(strings.block()), 1),
        236: (made.counts.T.tobytes(), made.counts.dtype.itemsize, made.counts.size),
        316: (synch if made.mode != 3 else b"", 8, len(lengths) if made.mode != 3 else 0),
    }
    head = bytearray(BLOCK)
    head[:8] = b"ABF2" + bytes([0, 0, 6, 2])
    struct.pack_into("<IIII", head, 8, BLOCK, len(lengths), 20240131, 45_296_789)
    struct.pack_into("<HH", head, 28, 1, 0 if made.counts.dtype.kind == "i" else 1)
    struct.pack_into("<I", head, 72, protocol_path)
    body = bytearray()
    for place, (part, size, count) in parts.items():
        if count:
            data = part
            struct.pack_into("<IIq", head, place, 1 + len(body) // BLOCK, size, count)
            body += data + bytes(-len(data) % BLOCK)
    # no padding after the last part, so that any cut takes something away
    return _changed(bytes(head + body[: len(body) - (-len(data) % BLOCK)]), made.changes)


def abf1_bytes(made: MadeAbf) -> bytes:
    """The file as ABF 1.83 (integers only, two outputs at most)."""
    head = bytearray(6144)
    lengths = made.sweep_lengths
    n_channels = len(made.channels)
    data = made.counts.T.tobytes()
    data += bytes(-len(data) % BLOCK)
    head[:4] = b"ABF "
    for offset, layout, values in [
        (4, "f", [1.83]),
        (8, "h", [made.mode]),
        (10, "i", [made.counts.size]),
        (16, "i", [len(lengths)]),
        (20, "ii", [20240131, 45_296]),
        (40, "i", [12]),
        (92, "ii", [12 + len(data) // BLOCK, len(lengths)] if made.mode != 3 else [0, 0]),
        (100, "h", [0 if made.counts.dtype.kind == "i" else 1]),
        (120, "h", [n_channels]),
        (122, "f", [1e6 / made.rate_hz / n_channels]),
        (130, "f", [made.synch_unit_us]),
        (138, "i", [lengths[0] * n_channels]),
        (244, "f", [10.0]),
        (252, "i", [32768]),
        (410, "16h", [*range(n_channels), *[-1] * (16 - n_channels)]),
        (730, "16f", [1.0] * 16),
        (922, "16f", [0.01] * 16),
        (1050, "16f", [1.0] * 16),
    ]:
        struct.pack_into(f"<{layout}", head, offset, *values)
    for k, (name, unit) in enumerate(made.channels):
        struct.pack_into("<10s", head, 442 + 10 * k, name.encode("cp1252").ljust(10))
        struct.pack_into("<8s", head, 602 + 8 * k, unit.encode("cp1252").ljust(8))
    for k, output in enumerate(made.dacs):
        struct.pack_into("<8s", head, 1346 + 8 * k, output.unit.encode("cp1252").ljust(8))
        struct.pack_into("<f", head, 5298 + 4 * k, output.holding)
        struct.pack_into("<h", head, 2296 + 2 * k, output.enabled)
        struct.pack_into("<h", head, 2300 + 2 * k, output.source)
        struct.pack_into("<h", head, 2304 + 2 * k, output.keeps_last_level)
    for output, number, shape, level, level_step, length, length_step, period, width in made.epochs:
        at = 10 * output + number
        for offset, size, layout, value in [
            (2308, 2, "h", shape),
            (2348, 4, "f", level),
            (2428, 4, "f", level_step),
            (2508, 4, "i", length),
            (2588, 4, "i", length_step),
            (2136, 4, "i", period),
            (2216, 4, "i", width),
        ]:
            struct.pack_into(f"<{layout}", head, offset + size * at, value)
    starts = list(made.starts) or list(np.cumsum([0, *lengths[:-1]]) * 2)
    synch = b"".join(struct.pack("<ii", s, n * n_channels) for s, n in zip(starts, lengths, strict=True))
    return _changed(bytes(head) + data + (synch if made.mode != 3 else b""), made.changes)


def _changed(data: bytes, changes: dict[int, bytes]) -> bytes:
    changed = bytearray(data)
    for offset, replacement in changes.items():
        changed[offset : offset + len(replacement)] = replacement
    return bytes(changed)


class _Strings:
    """The text section: strings are numbered from 1."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []

    def add(self, text: str) -> int:
        self._texts.append(text.encode("cp1252"))
        return len(self._texts)

    def block(self) -> bytes:
        body = b"".join(text + b"\0" for text in self._texts)
        return b"SSCH" + struct.pack("<IIII", 1, len(self._texts), 256, len(body)) + bytes(24) + body


def _protocol(made: MadeAbf) -> bytes:
    data = bytearray(512)
    struct.pack_into("<hf", data, 0, made.mode, 1e6 / made.rate_hz)
    struct.pack_into("<f", data, 14, made.synch_unit_us)
    struct.pack_into("<i", data, 22, made.sweep_lengths[0] * len(made.channels))
    struct.pack_into("<ff", data, 110, 10.0, 10.0)
    struct.pack_into("<ii", data, 118, 32768, 32768)
    struct.pack_into("<h", data, 142, -1)  # no output drives the digital lines
    return bytes(data)


def _adc(name: str, unit: str, strings: _Strings, telegraph: tuple[int, int, int]) -> bytes:
    data = bytearray(128)
    enabled, instrument, mode = telegraph
    struct.pack_into("<hhhf", data, 0, 0, enabled, instrument, 1.0)
    struct.pack_into("<h", data, 18, mode)
    struct.pack_into("<f", data, 28, 1.0)
    struct.pack_into("<ffff", data, 40, 0.01, 0.0, 1.0, 0.0)
    struct.pack_into("<ii", data, 74, strings.add(name), strings.add(unit))
    return bytes(data)


def _dac(number: int, made: MadeDac, strings: _Strings) -> bytes:
    data = bytearray(256)
    struct.pack_into("<h", data, 0, number)
    struct.pack_into("<f", data, 12, made.holding)
    struct.pack_into("<ii", data, 24, strings.add(f"Cmd {number}"), strings.add(made.unit))
    struct.pack_into("<hhh", data, 40, made.enabled, made.source, made.keeps_last_level)
    struct.pack_into("<i", data, 118, strings.add("D:\\stimuli\\noise.atf"))
    return bytes(data)
