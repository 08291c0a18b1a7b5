"""What each hand-designed feature contributes, how it is distributed, and what repair and resampling change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import CelltypeError
from napari_celltype.models.neuron_features import hand_features
from napari_celltype.morphology.morphometrics import FEATURES
from napari_celltype.morphology.projection import align_to_axes
from napari_celltype.morphology.repair import repair_z_jumps
from napari_celltype.morphology.resampling import resample
from napari_celltype.neuron import Neuron

from .job import Job
from .metrics import score
from .neuron_splits import cell_folds
from .neuron_tables import Fitter, Task
from .neurons import NeuronSet

__all__ = ["VARIANTS", "contributions", "distributions", "variant_features"]

FloatArray = NDArray[np.float64]

VARIANTS: dict[str, Callable[[Neuron], Neuron]] = {
    "raw": lambda neuron: neuron,
    "repaired": repair_z_jumps,
    "resampled": lambda neuron: resample(neuron, 5.0),
    "aligned": align_to_axes,
}
"""What Zhang et al. compare: files as they are, with z-jumps mended, resampled, and turned to their principal axes."""


def variant_features(job: Job, neurons: NeuronSet, variant: str) -> FloatArray:
    """The twenty features of every neuron after one of :data:`VARIANTS`."""

    def changed(neuron: Neuron) -> Neuron:
        try:
            return VARIANTS[variant](neuron)
        except CelltypeError:
            return neuron

    def compute() -> dict[str, FloatArray]:
        rows = job.track(range(len(neurons)), f"features, {variant}")
        return {"features": hand_features(changed(neurons.neuron(row)) for row in rows).to_numpy(float)}

    return job.stage(f"hand-{variant}", [len(neurons), list(FEATURES)], compute)["features"]


def contributions(
    job: Job, x: FloatArray, names: Sequence[str], task: Task, fitter: Fitter, seeds: Sequence[int]
) -> dict[str, dict[str, float]]:
    """How accuracy changes when a feature is left out, and what it reaches alone, by cell.

    Positive ``worth`` speaks for a feature. Its ``spread`` over seeds says how much of it is chance.
    """

    def compute() -> dict[str, FloatArray]:
        found = np.zeros((len(seeds), len(names) + 1, 4))
        for place, seed in enumerate(seeds):
            folds = cell_folds(task.neurons, 5, seed)
            found[place, -1, :2] = _accuracies(x, task, fitter, folds, seed)
            for column in job.track(range(len(names)), f"contributions, {task.name}, seed {seed}"):
                without = np.delete(x, column, axis=1)
                found[place, column, :2] = _accuracies(without, task, fitter, folds, seed)
                if seed == seeds[0]:  # a machine on one feature takes long, and says the same on other folds
                    found[:, column, 2:] = _accuracies(x[:, [column]], task, fitter, folds, seed)
        return {"figures": found}

    figures = job.stage("contributions", [list(seeds), list(names), task.name, float(np.nansum(x))], compute)["figures"]
    worth = figures[:, -1:, :2] - figures[:, :-1, :2]
    return {
        name: {
            "worth": float(worth[:, i, 0].mean()),
            "spread": float(worth[:, i, 0].std()),
            "balanced_worth": float(worth[:, i, 1].mean()),
            "alone": float(figures[:, i, 2].mean()),
            "balanced_alone": float(figures[:, i, 3].mean()),
        }
        for i, name in enumerate(names)
    }


def _accuracies(x: FloatArray, task: Task, fitter: Fitter, folds: NDArray[np.intp], seed: int) -> tuple[float, float]:
    shares = np.zeros((len(task.truth), len(task.classes)))
    for fold in np.unique(folds):
        test = folds == fold
        shares[test] = fitter(x[~test], task.truth[~test], len(task.classes), seed)(x[test])
    found = score(shares, task.truth)
    return found["accuracy"], found["balanced_accuracy"]


def distributions(x: FloatArray, names: Sequence[str], task: Task, bins: int = 24) -> dict[str, Any]:
    """Histogram and quartiles of each feature in each class: shares of the class's neurons, no single one."""
    found: dict[str, Any] = {}
    for column, name in enumerate(names):
        values = x[:, column]
        low, high = (float(np.nanquantile(values, part)) for part in (0.005, 0.995))
        edges = np.linspace(low, high, bins + 1)
        found[name] = {
            "edges": edges.tolist(),
            "classes": {label: _distribution(values[task.truth == k], edges) for k, label in enumerate(task.classes)},
        }
    return found


def _distribution(values: FloatArray, edges: FloatArray) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    quartiles = np.quantile(values, [0.25, 0.5, 0.75]) if len(values) else np.full(3, np.nan)
    return {"shares": (counts / max(len(values), 1)).tolist(), "quartiles": quartiles.tolist()}
