"""Read NWB 1 files: the Allen Cell Types Database's and those of MIES.

Notes
-----
Files of the Allen Institute's pipeline before version 1.1 hold V and A although they state a conversion (1e-3, 1e-12);
from 1.1 on the conversion must be applied. The version is believed where the values allow it: a cell rests at some
tens of millivolts under one of the two readings only.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
from h5py import h5g

from napari_celltype.recording import Recording

from .hdf5 import HDF5_ERRORS, Hdf5Source, read_scalars, read_value, to_number, to_text
from .notes import SweepNotes
from .nwb2 import left_out, no_responses, note_unpaired, read_electrodes, split_patch_clamp
from .nwb_pairs import pair_series
from .nwb_series import Series, SeriesFolder
from .nwb_sweeps import build_sweeps

__all__ = ["read_file"]

_ACQUISITION = "/acquisition/timeseries"
_PRESENTATION = "/stimulus/presentation"
_SESSION = ("session_description", "session_start_time", "identifier")
_GENERAL = ("institution", "lab", "experimenter", "experiment_description", "session_id", "source_script")
_RESTING_V = (5e-3, 0.5)


def read_file(source: Hdf5Source, file: h5py.File) -> Recording:
    """Index an open NWB 1 file."""
    notes = SweepNotes()
    folder = SeriesFolder(file, source.n_bytes)
    responses, refused = folder.read(_ACQUISITION)
    stimuli, refused_stimuli = folder.read(_PRESENTATION)
    responses, others = split_patch_clamp(responses)
    stimuli, _ = split_patch_clamp(stimuli)
    if not responses:
        raise no_responses(source, refused + others, bool(stimuli))
    responses = [_numbered(file, one) for one in responses]
    stimuli = [_numbered(file, one) for one in stimuli]
    if version := _pipeline_version(file):
        keep, why = _stores_si(source, responses, version)
        notes.say(*why)
        if keep:
            responses = [replace(one, conversion=1.0) for one in responses]
            stimuli = [replace(one, conversion=1.0) for one in stimuli]
    pairs = pair_series(responses, stimuli)
    sweeps, labels = build_sweeps(source, pairs, notes)
    notes.say(*left_out("response", refused, len(responses)), *left_out("stimulus", refused_stimuli, len(stimuli)))
    notes.say(*note_unpaired(pairs, stimuli))
    written = to_text(read_value(file.id, "nwb_version")).removeprefix("NWB-")
    return Recording(
        path=source.path,
        format=f"NWB {written or '1'}",
        sweeps=tuple(sweeps),
        notes=notes.sentences(labels),
        metadata=_metadata(file, version),
    )


def _numbered(file: h5py.File, one: Series) -> Series:
    """The sweep number out of the name, and what the series' group says of the stimulus."""
    match = re.search(r"\d+", one.name)
    number = int(match[0][-15:]) if match else None
    group = h5g.open(file.id, one.group.encode("utf-8", "surrogateescape"))
    name, text, amplitude = (
        read_value(group, f"aibs_stimulus_{part}") for part in ("name", "description", "amplitude_pa")
    )
    facts: dict[str, Any] = {}
    if to_text(name):
        facts["name"] = to_text(name)
    if to_text(text):
        facts["description"] = to_text(text)
    if (pa := to_number(amplitude)) is not None:
        facts["amplitude_a"] = pa * 1e-12
    described = to_text(read_value(group, "stimulus_description"))
    return replace(one, number=number, description=one.description or described, stimulus=facts)


def _pipeline_version(file: h5py.File) -> tuple[int, int] | None:
    """Version of the Allen pipeline that wrote the file; (0, 0) if it is one of theirs without; None if it is not."""
    try:
        general = h5g.open(file.id, b"/general")
        stated = read_value(general, "generated_by")
    except HDF5_ERRORS:
        stated = None
    words = [] if stated is None else [to_text(word) for word in np.ravel(stated).tolist()]
    facts = dict(zip(words[::2], words[1::2], strict=False))
    if match := re.match(r"(\d+)\.(\d+)", facts.get("version", "")):
        return int(match[1]), int(match[2])
    return (0, 0) if any(name.startswith("Experiment_") for name in file.get("epochs", ())) else None


def _stores_si(source: Hdf5Source, responses: list[Series], version: tuple[int, int]) -> tuple[bool, list[str]]:
    """Whether stored values are V and A already, and what to say about it."""
    said = ".".join(map(str, version)) if version != (0, 0) else "missing"
    by_version = version < (1, 1)
    voltages = [one for one in responses if one.unit.quantity == "voltage" and one.conversion != 1.0]
    if not voltages:
        return by_version and all(one.conversion != 1.0 for one in responses), []
    rest = _resting(source, voltages)
    raw_fits = _RESTING_V[0] <= rest <= _RESTING_V[1]
    converted_fits = _RESTING_V[0] <= rest * abs(voltages[0].conversion) <= _RESTING_V[1]
    keep = by_version if raw_fits == converted_fits else raw_fits
    if raw_fits == converted_fits:
        reason = f"its pipeline version is {said}, and the values do not tell"
    elif keep == by_version:
        return keep, [_IGNORED.format(said=said)] if keep else []
    else:
        reason = f"the values fit nothing else, although its pipeline version is {said}"
    verb = "not applied" if keep else "applied"
    return keep, [f"The conversion stated in the file was {verb}, because {reason} (a guess)."]


_IGNORED = (
    "The conversion stated in the file was not applied: its pipeline version is {said}, "
    "which stored V and A already, and the values agree."
)


def _resting(source: Hdf5Source, voltages: list[Series]) -> float:
    """Median magnitude of the first stored values of a few sweeps."""
    some = [np.abs(one.samples(source, 1.0).raw(0, min(one.n, 2000)).astype(float)) for one in voltages[:5]]
    values = np.concatenate(some)
    values = values[np.isfinite(values) & (values != 0)]
    return float(np.median(values)) if values.size else 0.0


def _metadata(file: h5py.File, version: tuple[int, int] | None) -> dict[str, Any]:
    facts: dict[str, Any] = {name: to_text(read_value(file.id, name)) for name in _SESSION}
    try:
        general = h5g.open(file.id, b"/general")
        facts |= {name: to_text(read_value(general, name)) for name in _GENERAL}
        if b"subject" in general:
            facts["subject"] = read_scalars(h5g.open(general, b"subject"))
    except HDF5_ERRORS:
        pass
    if version:
        facts["pipeline_version"] = ".".join(map(str, version))
    facts["electrodes"] = read_electrodes(file)
    return {name: value for name, value in facts.items() if value}
