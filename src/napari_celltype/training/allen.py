"""Windows from a folder of Allen Cell Types recordings: NWB files and the table of cells that goes with them.

``DIR/cells.csv`` has one row a cell, with Allen's column names (``specimen__id``, ``donor__id``, ``line_name``,
``donor__species``, ``tag__dendrite_type``) or ours (``specimen_id``, ``donor_id``, ``cre_line``, ``species``,
``dendrite_type``). A cell's recording is the NWB file below DIR whose name holds its specimen number, or the one its
``file`` column names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from napari_celltype.ephys.stimulus import find_stimuli
from napari_celltype.ephys.windows import suggest_windows
from napari_celltype.errors import ModelError, RecordingError
from napari_celltype.io import read_recording
from napari_celltype.models.features import common_species
from napari_celltype.models.windows import ONSET_FORMAT, WindowFormat, prepare_windows

from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet

__all__ = ["broad_of_line", "read_allen", "subclass_of_line"]

_COLUMNS = {
    "specimen": ("specimen__id", "specimen_id", "id"),
    "donor": ("donor__id", "donor_id"),
    "line": ("line_name", "cre_line"),
    "species": ("donor__species", "species"),
    "dendrite": ("tag__dendrite_type", "dendrite_type"),
}

_LINES = {
    "Ndnf": r"ndnf",
    "Pvalb": r"pvalb|nkx2-1|vipr2",
    "Sst": r"sst|chrna2|oxtr|nos1",
    "Vip": r"\bvip-|chat",
    "Exc": r"rorb|nr5a1|rbp4|scnn1a|cux2|ntsr1|ctgf|sim1|tlx3|esr2|glt25d2|slc17a6|penk|fezf2|cux1",
}
"""Driver lines of each type; the first that fits counts."""

_INHIBITORY = r"htr3a|gad2|slc32a1"


def subclass_of_line(line: str) -> str:
    """Which of the five types a driver line marks; empty for none of them."""
    name = line.lower()
    return next((label for label, pattern in _LINES.items() if re.search(pattern, name)), "")


def broad_of_line(line: str, dendrite: str = "") -> str:
    """``"Exc"`` or ``"Inh"`` from the driver line, else from the dendrites; empty if neither says."""
    found = subclass_of_line(line)
    if found:
        return "Exc" if found == "Exc" else "Inh"
    if re.search(_INHIBITORY, line.lower()):
        return "Inh"
    return {"spiny": "Exc", "aspiny": "Inh"}.get(dendrite.strip().lower(), "")


def read_allen(folder: Path, form: WindowFormat = ONSET_FORMAT, windows_per_cell: int = 5) -> SpikeSet:
    """Windows of action potentials evoked by short squares, at most so many a cell.

    Cells without a file, without such a spike, or whose file cannot be read are left out.

    Raises
    ------
    ModelError
        If there is no table, or nothing in it could be used.
    """
    table = _read_table(folder)
    rows: list[tuple[int, np.ndarray, float]] = []
    for number, (specimen, stated) in enumerate(zip(table["specimen"], table["file"], strict=True)):
        path = _file_of(folder, int(specimen), stated)
        if path is not None:
            rows += [(number, window, khz) for window, khz in _windows_of(path, form, windows_per_cell)]
    if not rows:
        raise ModelError("no cell of the table has a recording with a usable action potential", path=folder)
    cells = table.iloc[[number for number, _, _ in rows]]
    return SpikeSet(
        windows=np.stack([window for _, window, _ in rows]).astype(np.float32),
        subclass=_codes([subclass_of_line(line) for line in cells["line"]], FIVE_CLASSES),
        broad=_codes(list(map(broad_of_line, cells["line"], cells["dendrite"])), BROAD_CLASSES),
        donors=cells["donor"].to_numpy(np.int64),
        specimens=cells["specimen"].to_numpy(np.int64),
        species=np.array([common_species(name) == "human" for name in cells["species"]], dtype=np.intp),
        rates_khz=np.array([khz for _, _, khz in rows]),
        lines=cells["line"].to_numpy(str),
    )


def _read_table(folder: Path) -> pd.DataFrame:
    path = folder / "cells.csv"
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"the table of cells cannot be read ({error})", path=path, hint=__doc__ or "") from error
    found = {name: _column(table, names) for name, names in _COLUMNS.items()}
    lacking = [name for name in ("specimen", "donor", "line") if found[name] is None]
    if lacking:
        raise ModelError(f"the table has no column for {' or '.join(lacking)}", path=path)
    columns: Mapping[str, object] = {
        name: table[column] if column is not None else "" for name, column in found.items()
    }
    plain = pd.DataFrame({**columns, "file": table.get("file", "")}, index=table.index)
    texts = ["line", "species", "dendrite", "file"]
    plain[texts] = plain[texts].fillna("").astype(str)
    return plain.reset_index(drop=True)


def _column(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def _file_of(folder: Path, specimen: int, stated: str) -> Path | None:
    if stated:
        return folder / stated if (folder / stated).is_file() else None
    found = sorted(path for path in folder.rglob("*.nwb") if re.search(rf"(?<!\d){specimen}(?!\d)", str(path)))
    return found[0] if found else None


def _windows_of(path: Path, form: WindowFormat, most: int) -> list[tuple[np.ndarray, float]]:
    """Prepared windows of sweeps in which a short square evoked a spike, with the rate they were recorded at."""
    try:
        recording = read_recording(path)
        stimuli = find_stimuli(recording)
        found = suggest_windows(recording, stimuli)
    except RecordingError:
        return []
    windows: list[tuple[np.ndarray, float]] = []
    for window in found:
        if window.kind != form.anchor or stimuli[window.sweep].kind != "short_square" or len(windows) == most:
            continue
        try:
            cut = window.cut(recording, rate_hz=form.rate_hz, n_samples=form.n_samples)
        except RecordingError:
            continue
        rate = recording.sweeps[window.sweep].rate_hz
        windows.append((prepare_windows(cut.voltage_mv, form.rate_hz, form)[0], rate / 1e3))
    return windows


def _codes(names: list[str], classes: tuple[str, ...]) -> np.ndarray:
    return np.array([classes.index(name) if name in classes else -1 for name in names], dtype=np.intp)
