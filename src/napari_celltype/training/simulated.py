"""A folder of simulated labelled cells, laid out as the real one: every waveform recipe can be tried on it in seconds.

Simulated cells have no genes; a model trained on them means nothing for real ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.samples.population import simulate_population

__all__ = ["write_simulated_spikes"]

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
