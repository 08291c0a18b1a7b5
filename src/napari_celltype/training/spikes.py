"""Reading the labelled action potentials: ``DIR/ephys/spikes.npz`` and ``spikes_index.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.models.windows import PEAK_FORMAT, WindowFormat, prepare_windows

__all__ = ["BROAD_CLASSES", "FIVE_CLASSES", "SpikeSet", "read_spikes"]

FIVE_CLASSES = ("Exc", "Ndnf", "Pvalb", "Sst", "Vip")
"""The genetic types of Wang et al., by driver line."""

BROAD_CLASSES = ("Exc", "Inh")

_HINT = "Give the folder that holds ephys/spikes.npz and ephys/spikes_index.csv."


@dataclass(frozen=True, eq=False)
class SpikeSet:
    """One prepared window a row, with what is known of its cell.

    Parameters
    ----------
    windows
        (n, samples) in mV, all of one form (see :mod:`napari_celltype.models.windows`).
    subclass, broad
        (n,) index into :data:`FIVE_CLASSES` and :data:`BROAD_CLASSES`; -1 where the cell is none of them.
    donors, specimens
        Who gave the cell, and which cell it is.
    species
        (n,) 0 mouse, 1 human.
    rates_khz
        What the window was recorded at.
    lines
        The driver line, empty for human cells.
    """

    windows: NDArray[np.float32]
    subclass: NDArray[np.intp]
    broad: NDArray[np.intp]
    donors: NDArray[np.int64]
    specimens: NDArray[np.int64]
    species: NDArray[np.intp]
    rates_khz: NDArray[np.float64]
    lines: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.windows)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int]) -> SpikeSet:
        """These cells only."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def read_spikes(data: Path, form: WindowFormat = PEAK_FORMAT) -> SpikeSet:
    """All labelled cells of both species, each rate brought to the same form; suspect traces are left out."""
    index, raw = _read(data)
    index = index[~index["suspect"].astype(bool)].reset_index(drop=True)
    windows = np.zeros((len(index), form.n_samples), dtype=np.float32)
    for khz, name in ((50, "mv_50khz"), (200, "mv_200khz")):
        rows = np.flatnonzero(index["sampling_khz"] == khz)
        windows[rows] = prepare_windows(raw[name][index["row"].to_numpy()[rows]], khz * 1e3, form)
    return SpikeSet(
        windows=windows,
        subclass=_codes(index["class5_ndnf"], FIVE_CLASSES),
        broad=_codes(index["broad"], BROAD_CLASSES),
        donors=index["donor_id"].to_numpy(np.int64),
        specimens=index["specimen_id"].to_numpy(np.int64),
        species=(index["species"].to_numpy() != "Mus musculus").astype(np.intp),
        rates_khz=index["sampling_khz"].to_numpy(float),
        lines=index["cre_line"].fillna("").to_numpy(str),
    )


def _read(data: Path) -> tuple[pd.DataFrame, dict[str, NDArray[np.float32]]]:
    folder = data / "ephys"
    try:
        index = pd.read_csv(folder / "spikes_index.csv")
        with np.load(folder / "spikes.npz", allow_pickle=False) as stored:
            return index, {name: stored[name] for name in ("mv_50khz", "mv_200khz")}
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"the labelled spikes cannot be read ({error})", path=folder, hint=_HINT) from error


def _codes(column: pd.Series, classes: Sequence[str]) -> NDArray[np.intp]:
    codes = {name: code for code, name in enumerate(classes)}
    return column.map(codes).fillna(-1).to_numpy().astype(np.intp)
