"""Reading the labelled tables the recipes train on: ``DIR/ephys/{mouse,human}_features.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.models.features import FEATURE_NAMES

__all__ = ["BROAD", "SUBCLASSES", "Cells", "read_both_species", "read_human", "read_mouse"]

SUBCLASSES = ("Glutamatergic", "Htr3a+|Vip-", "Pvalb+", "Sst+", "Vip+")
"""The five mouse subclasses of Ophir et al., by transgenic line."""

BROAD = ("excitatory", "inhibitory")

_BROAD_OF_DENDRITE = {"spiny": 0, "aspiny": 1}


@dataclass(frozen=True, eq=False)
class Cells:
    """Labelled cells: 41 features each, a class, and the donor they must not be split from.

    Parameters
    ----------
    features
        (n, 41), NaN where the table has a gap.
    truth
        (n,) index into ``classes``.
    donors, specimens
        Who gave the cell, and which cell it is.
    species
        (n,) 0 mouse, 1 human.
    lines
        The driver line, empty for human cells.
    """

    features: NDArray[np.float64]
    truth: NDArray[np.intp]
    donors: NDArray[np.int64]
    specimens: NDArray[np.int64]
    species: NDArray[np.intp]
    lines: NDArray[np.str_]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int]) -> Cells:
        """These cells only."""
        return Cells(
            self.features[rows],
            self.truth[rows],
            self.donors[rows],
            self.specimens[rows],
            self.species[rows],
            self.lines[rows],
            self.classes,
        )


def read_mouse(data: Path) -> Cells:
    """Mouse cells with their five subclasses."""
    table = _read(data, "mouse_features.csv")
    codes = {name: code for code, name in enumerate(SUBCLASSES)}
    return _to_cells(table, table["transgenic_line"].map(codes), SUBCLASSES, species=0)


def read_human(data: Path) -> Cells:
    """Human cells, excitatory (spiny) or inhibitory (aspiny)."""
    table = _read(data, "human_features.csv")
    return _to_cells(table, table["dendrite_type"].map(_BROAD_OF_DENDRITE), BROAD, species=1)


def read_both_species(data: Path) -> Cells:
    """Mouse and human cells, excitatory or inhibitory, mouse first."""
    table = _read(data, "mouse_features.csv")
    mouse = _to_cells(table, table["dendrite_type"].map(_BROAD_OF_DENDRITE), BROAD, species=0)
    human = read_human(data)
    return Cells(
        features=np.concatenate([mouse.features, human.features]),
        truth=np.concatenate([mouse.truth, human.truth]),
        donors=np.concatenate([mouse.donors, human.donors]),
        specimens=np.concatenate([mouse.specimens, human.specimens]),
        species=np.concatenate([mouse.species, human.species]),
        lines=np.concatenate([mouse.lines, human.lines]),
        classes=BROAD,
    )


def _read(data: Path, name: str) -> pd.DataFrame:
    path = data / "ephys" / name
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise ModelError(
            f"the table is not here ({error.strerror or error})", path=path, hint="Give the folder that holds ephys/."
        ) from error
    absent = [column for column in (*FEATURE_NAMES, "donor_id", "specimen_id") if column not in table.columns]
    if absent:
        raise ModelError(f"the table lacks columns: {', '.join(absent[:5])}", path=path)
    return table


def _to_cells(table: pd.DataFrame, truth: pd.Series, classes: tuple[str, ...], species: int) -> Cells:
    labelled = truth.notna().to_numpy()
    table = table[labelled]
    return Cells(
        features=table[list(FEATURE_NAMES)].to_numpy(float, copy=True),
        truth=truth[labelled].to_numpy(np.intp, copy=True),
        donors=table["donor_id"].to_numpy(np.int64),
        specimens=table["specimen_id"].to_numpy(np.int64),
        species=np.full(len(table), species, dtype=np.intp),
        lines=_lines(table),
        classes=classes,
    )


def _lines(table: pd.DataFrame) -> NDArray[np.str_]:
    if "cre_line" not in table.columns:
        return np.full(len(table), "")
    return np.array([line if isinstance(line, str) else "" for line in table["cre_line"]], dtype=str)
