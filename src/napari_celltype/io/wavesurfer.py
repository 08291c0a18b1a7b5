"""Read WaveSurfer data files (HDF5): one group a sweep, analog input as integers with a polynomial to volts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, SampleReader

from .channel_sweeps import Channel, Episode, Layout, build_sweeps
from .channels import parse_unit
from .hdf5 import HDF5_ERRORS, Hdf5Samples, Hdf5Source, read_value, stored_length, to_number, to_text
from .pairing import pair_channels

__all__ = ["read"]

_FULL_SCALE_V = 10 / 2**15  # before coefficients were stored: 16 bits over +-10 V
_HINT = "Copy it again from where it was recorded."


@dataclass(frozen=True)
class _Header:
    """The active analog inputs: names, units, volts per unit, and the polynomial from counts to volts."""

    names: list[str]
    units: list[str]
    scales: FloatArray
    coefficients: FloatArray
    rate_hz: float
    version: str


def read(path: Path) -> Recording:
    """Open a WaveSurfer file, lazily.

    Raises
    ------
    RecordingError
        If it is damaged or holds no sweep.
    """
    source = Hdf5Source(path)
    with source.open() as file:
        try:
            header = _read_header(file, path)
            sweeps, notes = _read_episodes(source, file, header)
        except (*HDF5_ERRORS, IndexError) as error:
            raise RecordingError(f"is a damaged WaveSurfer file ({error})", path=path, hint=_HINT) from error
    if not sweeps:
        reason = "is a WaveSurfer file without a sweep that can be shown"
        raise RecordingError(f"{reason}: {notes[0]}" if notes else reason, path=path, hint=_HINT)
    channels = [Channel(n, parse_unit(u)) for n, u in zip(header.names, header.units, strict=True)]

    def reader(place: int, channel: int, factor: float) -> SampleReader:
        return _Analog(sweeps[place].samples(source, channel), header, channel, factor)

    pairing = pair_channels(header.names, [channel.unit for channel in channels])
    if not pairing.electrodes:
        units = ", ".join(f"{channel.name} ({channel.unit})" for channel in channels)
        raise RecordingError(f"has no voltage or current channel, only {units}", path=path)
    layout = Layout(channels, [sweep.episode for sweep in sweeps], reader, pairing)
    built, judged = build_sweeps(layout)
    return Recording(
        path=path,
        format=f"WaveSurfer {header.version}".strip(),
        sweeps=tuple(built),
        notes=(*notes, *judged),
        metadata={"channels": [f"{channel.name} ({channel.unit})" for channel in channels]},
    )


def _read_header(file: h5py.File, path: Path) -> _Header:
    top = h5g.open(file.id, b"/header")
    # before version 0.9 the acquisition had a group and names of its own
    old = b"Acquisition" in top
    group = h5g.open(top, b"Acquisition") if old else top
    prefix = "Analog" if old else "AI"
    active = _numbers(read_value(group, f"Is{prefix}ChannelActive")) != 0
    names = _texts(read_value(group, f"{prefix}ChannelNames"))
    units = _texts(read_value(group, f"{prefix}ChannelUnits"))
    scales = _numbers(read_value(group, f"{prefix}ChannelScales"))
    rate_hz = to_number(read_value(group, "SampleRate" if old else "AcquisitionSampleRate"))
    if not rate_hz or rate_hz < 0 or not names or scales.size != len(names):
        raise RecordingError("is an HDF5 file, but its header is not WaveSurfer's", path=path)
    if active.size != len(names):
        active = np.ones(len(names), dtype=bool)
    chosen = [i for i in range(len(names)) if active[i]]
    return _Header(
        names=[names[i] for i in chosen],
        units=[units[i] if i < len(units) else "" for i in chosen],
        scales=np.where(scales == 0, 1.0, scales)[chosen],
        coefficients=_coefficients(read_value(group, f"{prefix}ScalingCoefficients"), chosen, len(names)),
        rate_hz=rate_hz,
        version=" ".join(_texts(read_value(top, "VersionString"))),
    )


def _coefficients(stored: Any, chosen: list[int], n_channels: int) -> FloatArray:
    """One row for each active channel, lowest power first."""
    if stored is None or np.ndim(stored) != 2:
        return np.tile([0.0, _FULL_SCALE_V], (len(chosen), 1))
    table = np.asarray(stored, dtype=float)
    return table[chosen] if len(table) == n_channels != len(chosen) else table


def _numbers(value: Any) -> FloatArray:
    return np.empty(0) if value is None else np.asarray(value, dtype=float).ravel()


def _texts(value: Any) -> list[str]:
    return [] if value is None else [to_text(item) for item in np.ravel(value).tolist()]


@dataclass(frozen=True)
class _SweepGroup:
    path: str
    episode: Episode

    def samples(self, source: Hdf5Source, channel: int) -> Hdf5Samples:
        return Hdf5Samples(source, self.path, take=channel, time_axis=1)


def _read_episodes(source: Hdf5Source, file: h5py.File, header: _Header) -> tuple[list[_SweepGroup], list[str]]:
    sweeps, notes = [], []
    for name in sorted(name for name in file if name.startswith(("sweep_", "trial_"))):
        number = int("".join(filter(str.isdigit, name)) or 0)
        try:
            group = h5g.open(file.id, name.encode())
            data = h5d.open(group, b"analogScans")
            shape = data.shape
            if len(shape) != 2 or shape[0] != len(header.names) or 0 in shape or data.dtype.kind not in "iuf":
                raise ValueError(f"its samples have the shape {shape} for {len(header.names)} channels")
            if stored_length(data, shape, data.dtype.itemsize, source.n_bytes) == 0:
                raise ValueError("its samples are not in the file")
        except HDF5_ERRORS as error:
            notes.append(f"Sweep {number} was left out: {error}.")
            continue
        start_s = to_number(read_value(group, "timestamp")) or 0.0
        episode = Episode(number, header.rate_hz, int(shape[1]), start_s)
        sweeps.append(_SweepGroup(f"/{name}/analogScans", episode))
    return sweeps, notes


@dataclass(frozen=True, eq=False)
class _Analog:
    """Counts through the board's polynomial to volts, and by the channel's scale to its unit."""

    samples: Hdf5Samples
    header: _Header
    channel: int
    factor: float

    def __call__(self, start: int, stop: int) -> FloatArray:
        if stop <= start:
            return np.empty(0)
        counts: NDArray[Any] = self.samples.raw(start, stop).astype(np.float64)
        volts = np.polynomial.polynomial.polyval(counts, self.header.coefficients[self.channel])
        return np.asarray(volts / self.header.scales[self.channel] * self.factor)
