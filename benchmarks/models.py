"""How long a verdict takes once a model is warm: one cell, and many; and what climbing trees all at once is worth.

Medians of repeats on one thread. Neurons are simulated, whole files of a few thousand nodes.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch

import tree_recursion
from napari_celltype.models.catalogue import load_model, model_infos
from napari_celltype.models.explain import explain
from napari_celltype.models.feature_model import FeatureModel
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.models.neuron_explain import occlude_branches
from napari_celltype.models.neuron_model import NeuronModel
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron
from tree_recursion import KINDS


def median_ms(work: Callable[[], object], repeats: int = 15) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def feature_models() -> None:
    print(f"{'model':28} {'load':>9} {'1 cell':>9} {'1,000 cells':>12} {'explain 1':>10}   (ms)")
    for info in model_infos():
        if info.input != "features":
            continue
        model = load_model(info.folder, device="cpu")
        assert isinstance(model, FeatureModel)
        cells = np.resize(model.bundle.check_tensors()["in.features"], (1000, len(FEATURE_NAMES)))
        table = pd.DataFrame(cells, columns=list(FEATURE_NAMES))
        one = table.iloc[[1]]
        print(
            f"{info.name:28} {median_ms(lambda: load_model(info.folder)):9.1f}"  # noqa: B023 - called at once
            f" {median_ms(lambda: model.predict(one)):9.2f} {median_ms(lambda: model.predict(table), 3):12.0f}"  # noqa: B023
            f" {median_ms(lambda: explain(model, one), 3):10.0f}"  # noqa: B023
        )


def neuron_models() -> None:
    neurons = [simulate(KINDS[number % len(KINDS)], number, spacing_um=5.0) for number in range(100)]
    nodes = sum(map(len, neurons)) // len(neurons)
    print(
        f"{'model':28} {'load':>9} {'1 neuron':>9} {'100 neurons':>12} {'explain 1':>10}   (ms; {nodes:,} nodes each)"
    )
    for info in model_infos():
        if info.input != "neuron":
            continue
        model = load_model(info.folder, device="cpu")
        if not isinstance(model, NeuronModel):
            continue
        row = neuron_row(model, neurons)
        print(f"{info.name:28} {row[0]:9.1f} {row[1]:9.1f} {row[2]:12.0f} {row[3]:10.0f}")


def neuron_row(model: NeuronModel, neurons: list[Neuron]) -> tuple[float, float, float, float]:
    return (
        median_ms(lambda: load_model(model.info.folder), 3),
        median_ms(lambda: model.predict(neurons[:1])),
        median_ms(lambda: model.predict(neurons), 1),
        median_ms(lambda: occlude_branches(model, neurons[0]), 1),
    )


def main() -> None:
    torch.set_num_threads(1)
    print(f"load average {os.getloadavg()[0]:.1f}")
    feature_models()
    neuron_models()
    tree_recursion.main()


if __name__ == "__main__":
    main()
