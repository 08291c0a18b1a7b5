"""Header of ABF 1 (pCLAMP 6 to 9): one block of fixed places, 2,048 bytes until version 1.6 and 6,144 since."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError

from .abf2 import read_values
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

_OLD_HEADER = 2048
_LONG_HEADER = 6144
_MAX_CHANNELS = 16


def read_header(file: CheckedFile) -> AbfHeader:
    """Everything we use of an ABF 1 header; RecordingError where the samples cannot be told from it."""
    head = file.read(0, _OLD_HEADER, "header")
    (version,) = floats("f", head, 4)
    data_block, tag_block, n_tags = integers("iii", head, 40)
    if version >= 1.6 and data_block * BLOCK >= _LONG_HEADER:
        head = file.read(0, _LONG_HEADER, "header")
    (n_channels,) = integers("h", head, 120)
    if not 1 <= n_channels <= _MAX_CHANNELS:
        raise file.damaged(f"its header names {n_channels} channels")
    (interval_us,) = floats("f", head, 122)
    rate_hz = sampling_rate(interval_us * n_channels, file)
    dtype = sample_type(integers("h", head, 100)[0], file)
    data_start, n_points = _read_data_place(file, head, data_block, dtype.itemsize)
    synch, notes = _read_synch(file, head)
    (synch_unit_us,) = floats("f", head, 130)
    unit_s = synch_unit(synch_unit_us, rate_hz * n_channels)
    date, day_s = integers("ii", head, 20)
    return AbfHeader(
        generation=1,
        version=f"{version:.2f}",
        operation=operation_mode(integers("h", head, 8)[0], file),
        rate_hz=rate_hz,
        channels=_read_channels(head, n_channels),
        data_start=data_start,
        dtype=dtype,
        n_points=n_points,
        episodes=max(integers("i", head, 16)[0], 0),
        samples_per_episode=integers("i", head, 138)[0],
        episode_interval_s=floats("f", head, 178)[0],
        dacs=_read_dacs(head),
        starts=synch[:, 0],
        lengths=synch[:, 1],
        synch_unit_s=unit_s,
        started=start_time(date, day_s * 1e3 + integers("h", head, 366)[0]),
        protocol=clean_text(head[4898:5154]),
        comment=clean_text(head[5154:5282]) or clean_text(head[310:366]),
        creator=clean_text(head[294:310]),
        tags=_read_tags(file, tag_block, n_tags, unit_s),
        notes=(*notes, *_note_of_second_clock(head)),
    )


def _read_data_place(file: CheckedFile, head: bytes, block: int, itemsize: int) -> tuple[int, int]:
    (count,) = integers("i", head, 10)
    (ignored,) = integers("h", head, 14)
    start = block * BLOCK + max(ignored, 0) * itemsize
    if not _OLD_HEADER <= start < file.size:
        raise file.damaged(f"its samples should begin at byte {start}, but the file has {file.size} bytes")
    if count <= 0:
        raise RecordingError("holds no samples", path=file.path, hint="The recording was stopped before it began.")
    return start, count


def _read_synch(file: CheckedFile, head: bytes) -> tuple[NDArray[np.int32], list[str]]:
    block, count = integers("ii", head, 92)
    if block <= 0 or count <= 0:
        return np.empty((0, 2), np.int32), []
    try:
        data = file.read(block * BLOCK, count * 8, "sweep list")
    except RecordingError as error:
        return np.empty((0, 2), np.int32), [f"A part of the header is left out: {error.reason}."]
    return np.frombuffer(data, "<i4").reshape(-1, 2), []


def _note_of_second_clock(head: bytes) -> list[str]:
    first, second = floats("ff", head, 122)
    if not math.isfinite(second) or second <= 0 or second == first:
        return []
    return ["The sampling rate changes within each sweep; times are right only up to the change."]


def _read_channels(head: bytes, n_channels: int) -> tuple[AdcChannel, ...]:
    (full_scale,) = floats("f", head, 244)
    (resolution,) = integers("i", head, 252)
    sequence = integers("16h", head, 410)
    scale, offset = floats("16f", head, 922), floats("16f", head, 986)
    signal_gain, signal_offset = floats("16f", head, 1050), floats("16f", head, 1114)
    programmable = floats("16f", head, 730)
    extra_gain, modes = _read_telegraphs(head)
    channels = []
    for place in range(n_channels):
        number = sequence[place] if 0 <= sequence[place] < 16 else place
        factors = (scale[number], signal_gain[number], programmable[number], extra_gain[number])
        channels.append(
            AdcChannel(
                name=clean_text(head[442 + 10 * number : 452 + 10 * number]),
                unit=clean_text(head[602 + 8 * number : 610 + 8 * number]),
                gain=adc_gain(full_scale, resolution, factors),
                offset=offset[number] - signal_offset[number],
                mode=modes[number],
            )
        )
    return tuple(channels)


def _read_telegraphs(head: bytes) -> tuple[list[float], list[Literal["current", "voltage", "unknown"]]]:
    if len(head) < _LONG_HEADER:
        return [1.0] * 16, ["unknown"] * 16
    enabled, instrument = integers("16h", head, 4512), integers("16h", head, 4544)
    gain, mode = floats("16f", head, 4576), integers("16h", head, 4768)
    return (
        [gain[i] if enabled[i] == 1 else 1.0 for i in range(16)],
        [telegraphed_mode(enabled[i], instrument[i], mode[i]) for i in range(16)],
    )


def _read_dacs(head: bytes) -> tuple[Dac, ...]:
    dacs = []
    for number in range(4):
        name = clean_text(head[1306 + 10 * number : 1316 + 10 * number])
        unit = clean_text(head[1346 + 8 * number : 1354 + 8 * number])
        if len(head) < _LONG_HEADER:
            dacs.append(_old_dac(head, number, name, unit))
        else:
            dacs.append(_long_dac(head, number, name, unit))
    return tuple(dacs)


def _long_dac(head: bytes, number: int, name: str, unit: str) -> Dac:
    holding = floats("4f", head, 5298)[number]
    holding = holding if math.isfinite(holding) and abs(holding) < 1e6 else math.nan
    if number > 1:  # the waveform editor of those years had two outputs
        return Dac(number, name, unit, holding, enabled=False, source="none")
    sources: dict[int, Literal["none", "epochs", "file"]] = {0: "none", 1: "epochs", 2: "file"}
    return Dac(
        number,
        name,
        unit,
        holding,
        enabled=integers("2h", head, 2296)[number] != 0,
        source=sources.get(integers("2h", head, 2300)[number], "unknown"),
        keeps_last_level=integers("2h", head, 2304)[number] != 0,
        epochs=_long_epochs(head, number),
        user_list=_read_user_list(head, number),
        file_name=clean_text(head[2736 + 256 * number : 2992 + 256 * number]),
    )


def _long_epochs(head: bytes, dac: int) -> tuple[Epoch, ...]:
    shapes = integers("20h", head, 2308)
    levels, level_steps = floats("20f", head, 2348), floats("20f", head, 2428)
    lengths, length_steps = integers("20i", head, 2508), integers("20i", head, 2588)
    periods, widths = integers("20i", head, 2136), integers("20i", head, 2216)
    return tuple(
        Epoch(
            i % 10,
            EPOCH_SHAPES[shapes[i]],
            levels[i],
            level_steps[i],
            lengths[i],
            length_steps[i],
            periods[i],
            widths[i],
        )
        for i in range(10 * dac, 10 * dac + 10)
        if shapes[i] in EPOCH_SHAPES
    )


def _read_user_list(head: bytes, dac: int) -> UserList | None:
    if not integers("4h", head, 3360)[dac]:
        return None
    values = read_values(clean_text(head[3376 + 256 * dac : 3632 + 256 * dac]))
    return UserList(integers("4h", head, 3368)[dac], values, integers("4h", head, 4400)[dac] != 0)


def _old_dac(head: bytes, number: int, name: str, unit: str) -> Dac:
    """One waveform only in those files, for the active output; what the outputs held is not in them."""
    source, active, last_level = integers("hhh", head, 1438)
    if number != active or source != 1:
        return Dac(number, name, unit, math.nan, enabled=False, source="none")
    shapes = integers("10h", head, 1444)
    levels, level_steps = floats("10f", head, 1464), floats("10f", head, 1504)
    lengths, length_steps = integers("10h", head, 1544), integers("10h", head, 1564)
    epochs = tuple(
        Epoch(i, EPOCH_SHAPES[shapes[i]], levels[i], level_steps[i], lengths[i], length_steps[i])
        for i in range(10)
        if shapes[i] in EPOCH_SHAPES
    )
    return Dac(number, name, unit, math.nan, True, "epochs", last_level != 0, epochs)


def _read_tags(file: CheckedFile, block: int, count: int, unit_s: float) -> tuple[tuple[float, str], ...]:
    if block <= 0 or not 0 < count <= 1_000_000:
        return ()
    try:
        data = file.read(block * BLOCK, count * 64, "tags")
    except RecordingError:
        return ()
    entries = (data[i * 64 : (i + 1) * 64] for i in range(count))
    return tuple((integers("i", entry, 0)[0] * unit_s, clean_text(entry[4:60])) for entry in entries)
