"""Write a recording as an NWB 2 file that any NWB reader opens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, Sweep

from .atomic import write_file_atomically
from .session import session_start

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = ["write_nwb"]


def write_nwb(recording: Recording, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Save a recording as NWB 2: response and stimulus of each sweep, electrodes, sweep numbers, stimulus names.

    Parameters
    ----------
    recording
        What to save; its stored samples are written, a blank tail included.
    path
        New file. FileExistsError if it is there already, unless ``overwrite``.

    Raises
    ------
    RecordingError
        If a sweep's clamp mode is unknown, since NWB has no place for such a sweep.

    Notes
    -----
    Samples are stored as 32-bit numbers of mV and pA with a conversion factor where that loses nothing, and as
    64-bit volts and amperes otherwise; both compressed. ``session_start``, ``session_description``, ``device`` and
    ``identifier`` are taken from the recording's metadata where they are there.
    """
    from pynwb import NWBHDF5IO

    file = _build(recording)

    def write(temporary: Path) -> None:
        with NWBHDF5IO(temporary, "w") as io:
            io.write(file)

    return write_file_atomically(path, write, overwrite=overwrite)


def _build(recording: Recording) -> NWBFile:
    from pynwb import NWBFile

    facts = recording.metadata
    file = NWBFile(
        session_description=str(facts.get("session_description") or f"Saved from {recording.name}"),
        identifier=str(facts.get("identifier") or uuid4()),
        session_start_time=session_start(recording),
        source_script="write_nwb",
        source_script_file_name="napari-celltype",
    )
    device = file.create_device(name=str(facts.get("device") or "amplifier"))
    electrodes = {
        name: file.create_icephys_electrode(name=_object_name(name), description="patch-clamp electrode", device=device)
        for name in recording.electrodes
    }
    for sweep in recording.sweeps:
        _add_sweep(file, sweep, electrodes[sweep.electrode], list(electrodes).index(sweep.electrode), recording)
    return file


def _object_name(name: str) -> str:
    return name.replace("/", "_").replace(":", "_").strip() or "electrode 0"


def _add_sweep(file: NWBFile, sweep: Sweep, electrode: Any, channel: int, recording: Recording) -> None:
    response_class, stimulus_class = _series_classes(sweep, recording)
    voltage, current = _signal(sweep.read_voltage, sweep, 1e-3), _signal(sweep.read_current, sweep, 1e-12)
    response, stimulus = (voltage, current) if sweep.clamp == "current" else (current, voltage)
    common = {
        "electrode": electrode,
        "gain": float("nan"),
        "rate": float(sweep.rate_hz),
        "starting_time": float(sweep.start_s),
        "sweep_number": np.uint32(sweep.number),
        "stimulus_description": sweep.stimulus.name or "unknown",
        "description": sweep.stimulus.description or "no description",
    }
    recorded = played = None
    if response is not None:
        recorded = response_class(name=f"data_{sweep.index:05d}_AD{channel}", **response, **common)
    if stimulus is not None:
        played = stimulus_class(name=f"data_{sweep.index:05d}_DA{channel}", **stimulus, **common)
    if recorded is None and played is None:
        raise RecordingError(f"sweep {sweep.number} has no signal", path=recording.path)
    # this also puts the two series under acquisition and stimulus
    file.add_intracellular_recording(electrode=electrode, stimulus=played, response=recorded)


def _series_classes(sweep: Sweep, recording: Recording) -> tuple[type, type]:
    from pynwb import icephys

    if sweep.clamp == "current":
        return icephys.CurrentClampSeries, icephys.CurrentClampStimulusSeries
    if sweep.clamp == "voltage":
        return icephys.VoltageClampSeries, icephys.VoltageClampStimulusSeries
    raise RecordingError(
        f"sweep {sweep.number} cannot be written: its clamp mode is unknown",
        path=recording.path,
        hint="Write the sweeps whose clamp mode is known.",
    )


def _signal(read: Any, sweep: Sweep, unit: float) -> dict[str, Any] | None:
    """Samples as pynwb takes them, with the conversion to SI; None where the sweep has no such signal."""
    if read is None:
        return None
    from pynwb import H5DataIO

    values: FloatArray = read(0, sweep.n_stored)
    small = _in_small_units(values, unit)
    data: NDArray[Any] = values if small is None else small
    # fletcher32: a flipped bit is an error when read, not a wrong spike
    packed = H5DataIO(data, compression="gzip", compression_opts=4, shuffle=True, fletcher32=True, chunks=True)
    return {"data": packed, "conversion": 1.0 if small is None else unit}


def _in_small_units(values: FloatArray, unit: float) -> NDArray[np.float32] | None:
    """Values as 32-bit multiples of a unit, if multiplying them back gives the very same values."""
    small = (values / unit).astype(np.float32)
    same = np.array_equal(small.astype(np.float64) * unit, values, equal_nan=True)
    return small if same else None
