"""How long a verdict takes once a model is warm: one cell, and many; medians of repeats on one thread."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from napari_celltype.models.catalogue import load_model, model_infos
from napari_celltype.models.explain import explain
from napari_celltype.models.feature_model import FeatureModel
from napari_celltype.models.features import FEATURE_NAMES


def median_ms(work: Callable[[], object], repeats: int = 15) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    print(f"load average {os.getloadavg()[0]:.1f}")
    print(f"{'model':14} {'load':>9} {'1 cell':>9} {'1,000 cells':>12} {'explain 1':>10}   (ms)")
    for info in model_infos():
        if info.input != "features":
            continue
        model = load_model(info.folder, device="cpu")
        assert isinstance(model, FeatureModel)
        cells = np.resize(model.bundle.check_tensors()["in.features"], (1000, len(FEATURE_NAMES)))
        table = pd.DataFrame(cells, columns=list(FEATURE_NAMES))
        one = table.iloc[[1]]
        print(
            f"{info.name:14} {median_ms(lambda: load_model(info.folder)):9.1f}"  # noqa: B023 - called at once
            f" {median_ms(lambda: model.predict(one)):9.2f} {median_ms(lambda: model.predict(table), 3):12.0f}"  # noqa: B023
            f" {median_ms(lambda: explain(model, one), 3):10.0f}"  # noqa: B023
        )


if __name__ == "__main__":
    main()
