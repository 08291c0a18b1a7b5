"""Read NWB 2 files from any producer: MIES, ipfx, PyNWB, NeuroConv, MatNWB, the Blue Brain Project's converter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import h5py
from h5py import h5g

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from .hdf5 import HDF5_ERRORS, Hdf5Source, read_scalars, read_text, read_value, to_text
from .notes import SweepNotes
from .nwb_pairs import Pair, pair_series
from .nwb_series import Series, SeriesFolder, electrode_addresses
from .nwb_sweeps import build_sweeps
from .nwb_tables import read_rows, read_sweep_numbers

__all__ = ["read_file"]

_ACQUISITION = "/acquisition"
_PRESENTATION = "/stimulus/presentation"
_ELECTRODES = "/general/intracellular_ephys"
_SESSION = ("session_description", "session_start_time", "identifier")
_GENERAL = ("institution", "lab", "experimenter", "experiment_description", "protocol", "source_script", "session_id")


def read_file(source: Hdf5Source, file: h5py.File) -> Recording:
    """Index an open NWB 2 file; no sample is read unless a scale is doubtful."""
    notes = SweepNotes()
    folder = SeriesFolder(file, source.n_bytes, electrode_addresses(file, _ELECTRODES))
    responses, refused = folder.read(_ACQUISITION)
    stimuli, refused_stimuli = folder.read(_PRESENTATION)
    responses, others = split_patch_clamp(responses)
    stimuli, _ = split_patch_clamp(stimuli)
    if not responses:
        raise no_responses(source, refused + others, bool(stimuli))
    responses, stimuli = _numbered(file, responses), _numbered(file, stimuli)
    pairs = pair_series(responses, stimuli, read_rows(file))
    sweeps, labels = build_sweeps(source, pairs, notes)
    notes.say(*left_out("response", refused, len(responses)), *left_out("stimulus", refused_stimuli, len(stimuli)))
    if others:
        notes.say(f"{_count(len(others), 'series is', 'series are')} no patch-clamp signal: {_some(others)}.")
    notes.say(*note_unpaired(pairs, stimuli))
    version = read_text(file.id, "nwb_version").removeprefix("NWB-")
    return Recording(
        path=source.path,
        format=f"NWB {version}".strip(),
        sweeps=tuple(sweeps),
        notes=notes.sentences(labels),
        metadata=_metadata(file),
    )


def split_patch_clamp(series: list[Series]) -> tuple[list[Series], list[str]]:
    """Series of a patch-clamp type or in V or A, and the names of the others."""
    kept = [one for one in series if "Clamp" in one.kind or one.unit.is_electrical]
    others = [f"{one.name} ({one.unit})" for one in series if not ("Clamp" in one.kind or one.unit.is_electrical)]
    return kept, others


def no_responses(source: Hdf5Source, refused: list[str], has_stimuli: bool) -> RecordingError:
    """The error for a file without anything recorded that can be shown."""
    if refused:
        reason = f"is an NWB file whose recorded series cannot be shown: {_some(refused)}"
    elif has_stimuli:
        reason = "is an NWB file with stimuli but no recorded response"
    else:
        reason = "is an NWB file without a patch-clamp recording"
    return RecordingError(reason, path=source.path, hint="A current-clamp or voltage-clamp series is needed.")


def left_out(role: str, refused: list[str], n_kept: int) -> list[str]:
    """A sentence about series that cannot be shown, if there are any."""
    if not refused:
        return []
    count = _count(len(refused), f"{role} was", f"{'responses' if role == 'response' else 'stimuli'} were")
    return [f"{count} left out of {len(refused) + n_kept}: {_some(refused)}."]


def note_unpaired(pairs: list[Pair], stimuli: list[Series]) -> list[str]:
    """A sentence where stimuli are stored and some could not be assigned."""
    lonely = [pair.response.name for pair in pairs if pair.stimulus is None and pair.response.kind[:5] != "IZero"]
    if not stimuli or not lonely:
        return []
    count = _count(len(lonely), "response has", "responses have")
    return [f"{count} no stimulus that can be told to be theirs: {_some(lonely)}."]


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _some(names: list[str]) -> str:
    return "; ".join(names[:5]) + (f"; and {len(names) - 5} more" if len(names) > 5 else "")


def _numbered(file: h5py.File, series: list[Series]) -> list[Series]:
    """Sweep numbers from the sweep table where the series themselves have none."""
    if all(one.number is not None for one in series):
        return series
    numbers = read_sweep_numbers(file)
    return [replace(one, number=numbers.get(one.group)) if one.number is None else one for one in series]


def _metadata(file: h5py.File) -> dict[str, Any]:
    facts: dict[str, Any] = {name: to_text(read_value(file.id, name)) for name in _SESSION}
    try:
        general = h5g.open(file.id, b"/general")
        facts |= {name: to_text(read_value(general, name)) for name in _GENERAL}
        if b"subject" in general:
            facts["subject"] = read_scalars(h5g.open(general, b"subject"))
    except HDF5_ERRORS:
        pass
    facts["electrodes"] = read_electrodes(file)
    return {name: value for name, value in facts.items() if value}


def read_electrodes(file: h5py.File) -> dict[str, dict[str, Any]]:
    """What the file says of each electrode (location, seal, resistances)."""
    found = {}
    for name in electrode_addresses(file, _ELECTRODES).values():
        try:
            group = h5g.open(file.id, f"{_ELECTRODES}/{name}".encode("utf-8", "surrogateescape"))
        except HDF5_ERRORS:
            continue
        if read_text(group, "neurodata_type") in ("", "IntracellularElectrode"):
            found[name] = read_scalars(group)
    return found
