"""What the tables of an NWB 2 file say about which series belong together and how sweeps are numbered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5g

from .hdf5 import HDF5_ERRORS, to_text
from .nwb_pairs import TableRow

__all__ = ["read_rows", "read_sweep_numbers"]

_ICEPHYS = "/general/intracellular_ephys"
_MAX_ROWS = 100_000


def read_rows(file: h5py.File) -> list[TableRow]:
    """Rows of the table of intracellular recordings; empty if there is none or it is damaged."""
    try:
        rows = _recordings(file)
    except (*HDF5_ERRORS, IndexError):
        rows = []
    return rows or list(_organised(file))


def _recordings(file: h5py.File) -> list[TableRow]:
    table = file.get(f"{_ICEPHYS}/intracellular_recordings")
    if not isinstance(table, h5py.Group):
        return []
    responses = _references(file, table.get("responses/response"))
    stimuli = _references(file, table.get("stimuli/stimulus"))
    stimuli += [None] * (len(responses) - len(stimuli))
    simultaneous = _region(file, "simultaneous_recordings", "recordings")
    sequential = _region(file, "sequential_recordings", "simultaneous_recordings")
    number_of = {row: number for number, members in enumerate(simultaneous) for row in members}
    protocols = _column(file, "sequential_recordings", "stimulus_type")
    protocol_of = {m: to_text(protocols[i]) for i, members in enumerate(sequential[: len(protocols)]) for m in members}
    return [
        TableRow(response, stimuli[i], number_of.get(i), protocol_of.get(number_of.get(i, -1), ""))
        for i, response in enumerate(responses)
        if response is not None
    ]


def _references(file: h5py.File, column: Any) -> list[tuple[str, int, int] | None]:
    """Targets of a column of time series references; None where a row has none (written as -1, -1)."""
    if not isinstance(column, h5py.Dataset) or not {"idx_start", "count", "timeseries"} <= set(
        column.dtype.names or ()
    ):
        return []
    found: list[tuple[str, int, int] | None] = []
    for start, count, target in column[:_MAX_ROWS]:
        known = target and int(start) >= 0 and int(count) >= 0
        found.append((_path_of(file, target), int(start), int(count)) if known else None)
    return found


def _path_of(file: h5py.File, target: h5py.Reference) -> str:
    name: bytes | None = h5py.h5r.get_name(target, file.id)
    return "" if name is None else name.decode("utf-8", "surrogateescape")


def _column(file: h5py.File, table: str, column: str) -> list[Any]:
    data = file.get(f"{_ICEPHYS}/{table}/{column}")
    return list(data[:_MAX_ROWS]) if isinstance(data, h5py.Dataset) and data.ndim == 1 else []


def _region(file: h5py.File, table: str, column: str) -> list[list[int]]:
    """A ragged column of row numbers, one list a row."""
    return [[int(value) for value in part] for part in _ragged(file, table, column)]


def _ragged(file: h5py.File, table: str, column: str) -> list[list[Any]]:
    values = _column(file, table, column)
    ends = [int(end) for end in _column(file, table, f"{column}_index")]
    return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def read_sweep_numbers(file: h5py.File) -> dict[str, int]:
    """Sweep numbers of series by their group's path, from the sweep table of NWB 2.0 to 2.3."""
    try:
        numbers = _column(file, "sweep_table", "sweep_number")
        members = _ragged(file, "sweep_table", "series")
        return {
            _path_of(file, target): int(np.ravel(number)[0])
            for number, targets in zip(numbers, members, strict=False)
            for target in targets
            if isinstance(target, h5py.Reference) and target
        }
    except (*HDF5_ERRORS, IndexError):
        return {}


def _organised(file: h5py.File) -> Iterator[TableRow]:
    """Sweeps filed as /data_organization/cell/protocol/repetition/sweep, as the Blue Brain Project's converter does."""
    for path in _folders(file, "/data_organization", 4):
        try:
            targets = sorted(_targets(h5g.open(file.id, path.encode("utf-8", "surrogateescape"))))
        except HDF5_ERRORS:
            continue
        if len(targets) == 2 and targets[0].startswith("/acquisition/") and targets[1].startswith("/stimulus/"):
            protocol = path.split("/")[3]
            yield TableRow((targets[0], 0, -1), (targets[1], 0, -1), protocol=protocol)


def _targets(group: h5g.GroupID) -> list[str]:
    links = [name for name in group if group.links.get_info(name).type == h5py.h5l.TYPE_SOFT]
    return [group.links.get_val(name).decode("utf-8", "surrogateescape") for name in links]


def _folders(file: h5py.File, path: str, depth: int) -> list[str]:
    if depth == 0:
        return [path]
    try:
        group = h5g.open(file.id, path.encode("utf-8", "surrogateescape"))
        names = [name.decode("utf-8", "surrogateescape") for name in group]
    except HDF5_ERRORS:
        return []
    return [inner for name in names for inner in _folders(file, f"{path}/{name}", depth - 1)]
