"""Simulate the cells that feature recipes are tested on: ``python scripts/simulate_features.py`` (a minute)."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_celltype.training.simulated import simulate_features

TABLE = Path(__file__).resolve().parents[1] / "tests" / "reference" / "ephys" / "simulated_features.csv"
N_CELLS = 30


def main() -> int:
    table = simulate_features(N_CELLS)
    table.to_csv(TABLE, index=False, float_format="%.6g")
    print(f"{TABLE}: {len(table)} cells, {table.isna().to_numpy().sum()} gaps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
