"""A folder of simulated labelled cells, laid out as the real one, so that every recipe can be tried on it.

Windows take seconds to simulate. Features need whole recordings, about two seconds a cell.

Simulated cells have no genes; a model trained on them means nothing for real ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.ephys.features import extract_features
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.samples.cells import BROAD_OF_KIND, CELL_KINDS, CLASS_OF_KIND, draw_cell
from napari_celltype.samples.population import simulate_population
from napari_celltype.samples.protocols import standard_protocol
from napari_celltype.samples.recording import record

__all__ = ["simulate_features", "write_simulated_features", "write_simulated_spikes"]

_CELLS_PER_DONOR = 3


def write_simulated_spikes(folder: Path, n_cells: int = 60, seed: int = 0) -> Path:
    """Write ``folder/ephys/spikes.npz`` and ``spikes_index.csv``; half the cells at 50 kHz, half at 200 kHz."""
    (folder / "ephys").mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.float32]] = {}
    tables: list[pd.DataFrame] = []
    for number, khz in enumerate((50, 200)):
        population = simulate_population(n_cells // 2, seed=seed + number, rate_hz=khz * 1e3)
        arrays[f"mv_{khz}khz"] = population.peak_windows_mv
        cell = population.cell_ids + number * n_cells
        tables.append(
            pd.DataFrame(
                {
                    "specimen_id": cell,
                    # kinds go round from cell to cell: a donor holds several kinds, as real ones do
                    "donor_id": cell // _CELLS_PER_DONOR,
                    "species": "Mus musculus",
                    "cre_line": population.kinds,
                    "sampling_khz": khz,
                    "row": np.arange(len(population)),
                    "class5_ndnf": population.classes,
                    "broad": population.broad,
                    "suspect": False,
                }
            )
        )
    np.savez_compressed(folder / "ephys" / "spikes.npz", allow_pickle=False, **arrays)
    pd.concat(tables, ignore_index=True).to_csv(folder / "ephys" / "spikes_index.csv", index=False)
    return folder


_SUBCLASS = {"Exc": "Glutamatergic", "Ndnf": "Htr3a+|Vip-", "Pvalb": "Pvalb+", "Sst": "Sst+", "Vip": "Vip+"}
_RATE_HZ = 25_000.0


def simulate_features(n_cells: int, seed: int = 0) -> pd.DataFrame:
    """The table of features of simulated cells, each recorded with the whole protocol; kinds go round."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_cells):
        kind = CELL_KINDS[number % len(CELL_KINDS)]
        cell = draw_cell(kind, rng)
        features = extract_features(record(cell, standard_protocol(cell, number), rng, rate_hz=_RATE_HZ)[0])
        rows.append(
            {
                "specimen_id": number,
                "donor_id": number // _CELLS_PER_DONOR,
                "cre_line": kind,
                "transgenic_line": _SUBCLASS[CLASS_OF_KIND[kind]],
                "dendrite_type": "spiny" if BROAD_OF_KIND[kind] == "Exc" else "aspiny",
                **{name: features[name] for name in FEATURE_NAMES},
            }
        )
    return pd.DataFrame(rows)


def write_simulated_features(folder: Path, cells: pd.DataFrame, repeats: int = 6, seed: int = 0) -> Path:
    """Write ``folder/ephys/mouse_features.csv`` and ``human_features.csv``, a third as long, from simulated cells.

    Each cell is measured ``repeats`` times with errors of a few percent; its own number is that of the donor, so that
    no cell is on both sides of a split.
    """
    rng = np.random.default_rng(seed)
    names = list(FEATURE_NAMES)
    table = pd.concat([cells] * repeats, ignore_index=True)
    # what an amplifier notes of seal and cell is in no recording
    table["input_resistance_mohm"] = table["ri"]
    table["seal_gohm"] = np.exp(rng.normal(1.0, 0.3, size=len(table)))
    table[names] *= 1 + 0.03 * rng.normal(size=(len(table), len(names)))
    table["donor_id"] = table["specimen_id"]
    table["specimen_id"] = np.arange(len(table))
    (folder / "ephys").mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "ephys" / "mouse_features.csv", index=False)
    human = table.iloc[: len(table) // 3].copy()
    human["specimen_id"] += len(table)
    human["donor_id"] += len(cells)
    human.to_csv(folder / "ephys" / "human_features.csv", index=False)
    return folder
