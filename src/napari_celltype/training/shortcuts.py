"""What a laboratory decides and a neuron does not, measured on the files: by these a model could tell classes too.

Where every class comes from few laboratories, a classifier can be right by knowing the laboratory. Each group of
measures here is one way to know it; the study asks what a forest makes of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.morphology.sections import edge_lengths_um
from napari_celltype.neuron import Neuron

from .job import Job
from .metrics import score
from .neuron_tables import Fitter, Task, estimator, fit_scaling, out_of_fold, out_of_source

__all__ = ["GROUPS", "shortcut_features", "study"]

FloatArray = NDArray[np.float64]

GROUPS = {
    "scale": "size in micrometres: total length and extents",
    "origin": "where the origin of the coordinates lies",
    "density": "how densely and evenly nodes were put",
    "radius": "which radii neurites were given, and how many different ones",
    "types": "which structure types occur, and how the soma is drawn",
    "axon": "how much of the axon is traced",
    "order": "the order of nodes in the file",
    "depth": "how coarsely depth was read, and how much of it there is",
}
"""Groups of measures, and what each is about."""


def shortcut_features(neurons: Iterable[Neuron]) -> pd.DataFrame:
    """Measures of raw files, columns ``(group, name)``."""
    table = pd.DataFrame([_measure(neuron) for neuron in neurons])
    table.columns = pd.MultiIndex.from_tuples([tuple(name.split(".")) for name in table.columns])
    return table


def _measure(neuron: Neuron) -> dict[str, float]:
    length = edge_lengths_um(neuron)
    found = {
        "scale": _scale(neuron, length),
        "origin": _origin(neuron),
        "density": _density(length[neuron.parents >= 0]),
        "radius": _radius(neuron),
        "types": _types(neuron),
        "axon": _axon(neuron, length),
        "order": _order(neuron),
        "depth": _depth(neuron),
    }
    return {f"{group}.{name}": float(value) for group, values in found.items() for name, value in values.items()}


def _scale(neuron: Neuron, length: FloatArray) -> dict[str, float]:
    extent = np.sort(np.ptp(neuron.xyz_um, axis=0))
    return {"length": np.log1p(length.sum()), **{f"extent{i}": np.log1p(value) for i, value in enumerate(extent)}}


def _origin(neuron: Neuron) -> dict[str, float]:
    root = neuron.xyz_um[neuron.roots[0]]
    return {**dict(zip("xyz", root, strict=True)), "at_zero": float(not np.any(root)), "away": np.linalg.norm(root)}


def _density(steps: FloatArray) -> dict[str, float]:
    steps = steps[steps > 0]
    quantiles = np.quantile(steps, [0.05, 0.5, 0.95]) if len(steps) else np.zeros(3)
    return {
        "mean": steps.mean() if len(steps) else 0.0,
        "spread": steps.std() / max(steps.mean(), 1e-9) if len(steps) else 0.0,
        **{f"q{i}": value for i, value in enumerate(quantiles)},
        "nodes": np.log1p(len(steps)),
    }


def _radius(neuron: Neuron) -> dict[str, float]:
    radii = neuron.radii_um[neuron.types != 1]
    radii = radii if len(radii) else neuron.radii_um
    quantiles = np.quantile(radii, [0.02, 0.5, 0.98])
    values, counts = np.unique(np.round(radii, 3), return_counts=True)
    return {
        **{f"q{i}": value for i, value in enumerate(quantiles)},
        "different": np.log(len(values)),
        "commonest": counts.max() / len(radii),
        "soma": neuron.radii_um[neuron.roots[0]],
    }


def _types(neuron: Neuron) -> dict[str, float]:
    present = {f"type{code}": float((neuron.types == code).mean()) for code in (0, 2, 3, 4, 5, 6)}
    custom = float((neuron.types > 6).mean())
    return present | {"custom": custom, "soma_nodes": float((neuron.types == 1).sum()), "roots": len(neuron.roots)}


def _axon(neuron: Neuron, length: FloatArray) -> dict[str, float]:
    axon = neuron.types == 2
    return {"share": length[axon].sum() / max(length.sum(), 1e-9), "length": np.log1p(length[axon].sum())}


def _order(neuron: Neuron) -> dict[str, float]:
    rows = np.flatnonzero(neuron.parents >= 0)
    back = rows - neuron.parents[rows]
    return {
        "follows": float((back == 1).mean()) if len(rows) else 1.0,
        "back": np.log1p(np.abs(back).mean()) if len(rows) else 0.0,
        "before_parent": float((back < 0).mean()) if len(rows) else 0.0,
        "type_changes": float((np.diff(neuron.types) != 0).mean()) if len(rows) else 0.0,
        "id_gaps": float((np.diff(neuron.ids) != 1).mean()) if len(rows) else 0.0,
        "depth_first": float(np.array_equal(tree.preorder(neuron.parents), np.arange(len(neuron)))),
    }


def _depth(neuron: Neuron) -> dict[str, float]:
    z = neuron.xyz_um[:, 2]
    flat = neuron.xyz_um[:, :2]
    return {
        "extent": np.log1p(np.ptp(z)),
        "relative": np.ptp(z) / max(float(np.ptp(flat, axis=0).max()), 1e-9),
        "different": len(np.unique(np.round(z, 2))) / len(z),
        "whole": float((np.abs(z - np.round(z)) < 1e-3).mean()),
    }


def study(job: Job, task: Task, raw: pd.DataFrame, wide: FloatArray) -> dict[str, Any]:
    """What each shortcut is worth to a forest: alone, and beside the wide features; by cell and on unseen collections.

    ``importance`` is the share of a forest's importances that falls to each group when it is given everything.
    """
    forest = estimator(_forest)
    groups = raw.columns.get_level_values(0)
    parts = {group: raw.loc[:, groups == group].to_numpy(float) for group in GROUPS}
    parts["all of them"] = raw.to_numpy(float)
    found: dict[str, Any] = {"none": {"beside": _figures(job, "wide", wide, task, forest)}}
    for group, x in parts.items():
        beside = _figures(job, f"wide and {group}", np.hstack([wide, x]), task, forest)
        found[group] = {
            "about": GROUPS.get(group, ""),
            "alone": _figures(job, group, x, task, forest),
            "beside": beside,
        }
    importance = _importances(job, np.hstack([wide, parts["all of them"]]), task)
    for group in GROUPS:
        found[group]["importance"] = float(importance[wide.shape[1] :][groups == group].sum())
    found["none"]["importance"] = float(importance[: wide.shape[1]].sum())
    return found


def _figures(job: Job, name: str, x: FloatArray, task: Task, fitter: Fitter) -> dict[str, float]:
    by_cell = score(out_of_fold(job, f"shortcut {name}", x, task, fitter, [job.seed])[0], task.truth)
    shares, rows, _ = out_of_source(job, f"shortcut {name}", x, task, fitter, job.seed)
    by_source = score(shares, task.truth[rows])
    headlines = ("accuracy", "balanced_accuracy")
    return {key: by_cell[key] for key in headlines} | {f"source_{key}": by_source[key] for key in headlines}


def _importances(job: Job, x: FloatArray, task: Task) -> FloatArray:
    def compute() -> dict[str, FloatArray]:
        found = _forest(job.seed).fit(fit_scaling(x)(x), task.truth)
        return {"importances": np.asarray(found.feature_importances_, dtype=float)}

    return job.stage("importances", [list(x.shape), float(np.nansum(x))], compute)["importances"]


def _forest(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(80, random_state=seed)
