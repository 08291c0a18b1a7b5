"""What a model may keep of the cells it was fitted to: gates, quantiles of classes, labels; never their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.models.bundle import Arrays

from .tables import Cells

__all__ = ["QUANTILES", "annotate", "reference_gates"]

QUANTILES = (0.05, 0.5, 0.95)
"""Stored of every feature in every class: what nine cells in ten show, and the middle one."""


def reference_gates(gates: NDArray[np.float64], cells: Cells) -> Arrays:
    """Gates of cells not trained on, to 1 in 255, their classes, and quantiles of the raw features by class."""
    quantiles = [np.nanquantile(cells.features[cells.truth == k], QUANTILES, axis=0) for k in range(len(cells.classes))]
    return {
        "reference.gates": np.round(255 * gates).astype(np.uint8),
        "reference.truth": cells.truth.astype(np.int64),
        "reference.quantiles": np.stack(quantiles).astype(np.float64),
    }


def annotate(data: Path, cells: Cells) -> tuple[Arrays, dict[str, Any]]:
    """Cortical layer and sampling rate of each cell, where the tables state them: arrays of codes, and their names."""
    table = pd.read_csv(data / "ephys" / "mouse_features.csv").set_index("specimen_id")
    arrays: Arrays = {}
    settings: dict[str, Any] = {}
    if "cortical_layer" in table.columns:
        layers = table["cortical_layer"].reindex(cells.specimens).fillna("").astype(str)
        names, codes = np.unique(layers, return_inverse=True)
        arrays["map.layer"] = codes.astype(np.int64)
        settings["layers"] = [str(name) for name in names]
    index = data / "ephys" / "spikes_index.csv"
    if index.exists():
        rates = pd.read_csv(index).groupby("specimen_id")["sampling_khz"].first().reindex(cells.specimens)
        arrays["map.rate_khz"] = rates.fillna(0).to_numpy(np.float32)
    return arrays, settings
