"""The papers' experiments with the triple-input CNN, on the windows that labelled data exist for.

Settings are as printed (:mod:`.waveform_paper_fit`). The papers split by cell; here every donor is on one side only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.networks.triple_cnn import STREAMS

from .ghaderi import GhaderiSettings, fit_ghaderi
from .job import Job
from .metrics import score, score_seeds
from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet, read_spikes
from .splits import Split, donor_folds, split_donors
from .waveform_paper_fit import PaperPlan, fit_paper, five_class, paper_shape, tested
from .waveform_rates import compare_rates

__all__ = ["CONFIGURATIONS", "run"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

CONFIGURATIONS = {
    "single (time)": ("time",),
    "dual (time, real)": ("time", "real"),
    "dual (time, imaginary)": ("time", "imaginary"),
    "triple": STREAMS,
}

N_SEEDS = 2
"""All experiments once take about half an hour on one core; raised, the run goes on where it ended."""

RATIOS = (0.3, 0.5, 0.8)
THREE_CLASSES = ("Exc", "Pvalb", "Sst")


def run(job: Job) -> dict[str, Any]:
    """Every experiment, one after another; finished ones are not repeated."""
    spikes = read_spikes(job.data)
    spikes = spikes.take(np.flatnonzero(spikes.species == 0))
    plan = PaperPlan(epochs=2) if job.quick else PaperPlan()
    seeds = [job.seed + s for s in range(1 if job.quick else N_SEEDS)]
    report: dict[str, Any] = {"settings": asdict(plan)}
    for seed in seeds:  # seed by seed, so that an interrupted run has all experiments once
        for experiment in _EXPERIMENTS.values():
            experiment(job, spikes, plan, [seed])
    for name, experiment in _EXPERIMENTS.items():
        report[name] = experiment(job, spikes, plan, seeds)
    return report


def _fit_stage(
    job: Job, name: str, plan: PaperPlan, spikes: SpikeSet, truth: Rows, streams: tuple[str, ...], seed: int, n: int
) -> dict[str, NDArray[Any]]:
    split = split_donors(truth, spikes.donors, validation=0.15, test=0.2, seed=seed)

    def compute() -> dict[str, NDArray[Any]]:
        fitted = fit_paper(spikes.windows, truth, split, paper_shape(streams, n, spikes.windows.shape[1]), plan, seed)
        return {"validation": np.array(fitted.best_validation), "test": fitted.test, "rows": split.test}

    return tested(job, name, plan, compute, seed, len(spikes))


def _configurations(job: Job, spikes: SpikeSet, plan: PaperPlan, seeds: list[int]) -> dict[str, Any]:
    """Single, dual and triple, two classes and five, and the five collapsed to two."""
    found: dict[str, Any] = {}
    five = five_class(spikes)
    for name, streams in CONFIGURATIONS.items():
        for task, cells, truth, classes in (
            ("5 classes", five, five.subclass, FIVE_CLASSES),
            ("2 classes", five, five.broad, BROAD_CLASSES),
        ):
            parts = [
                _fit_stage(job, f"{name} {task}", plan, cells, truth, streams, seed, len(classes)) for seed in seeds
            ]
            found[f"{name}, {task}"] = _averaged(parts, truth, classes, cells.donors)
            if task == "5 classes" and name == "triple":
                for how, collapse in _COLLAPSES.items():
                    found[f"triple, 5 classes collapsed to 2 {how}"] = _averaged(
                        [{**part, "test": collapse(part["test"])} for part in parts],
                        cells.broad,
                        BROAD_CLASSES,
                        cells.donors,
                    )
    return found


def _sum_of_types(probabilities: FloatArray) -> FloatArray:
    return np.stack([probabilities[:, 0], probabilities[:, 1:].sum(axis=1)], axis=1)


def _best_type(probabilities: FloatArray) -> FloatArray:
    both = np.stack([probabilities[:, 0], probabilities[:, 1:].max(axis=1)], axis=1)
    return both / both.sum(axis=1, keepdims=True)


_COLLAPSES = {"by sum": _sum_of_types, "by the best type": _best_type}
"""The paper does not say which it did."""


def _averaged(parts: list[dict[str, Any]], truth: Rows, classes: tuple[str, ...], donors: Rows) -> dict[str, Any]:
    """Figures over seeds, each with its own split; the confusion is of all of them together."""
    rows = np.concatenate([part["rows"] for part in parts])
    together = score_seeds([np.concatenate([part["test"] for part in parts])], truth[rows], classes, donors[rows])
    single = [score(part["test"], truth[part["rows"]]) for part in parts]
    mean = {name: float(np.mean([s[name] for s in single])) for name in single[0]}
    spread = {name: float(np.std([s[name] for s in single])) for name in single[0]}
    validation = float(np.mean([part["validation"] for part in parts])) if "validation" in parts[0] else float("nan")
    return {**together.to_dict(), "n_seeds": len(parts), "mean": mean, "spread": spread, "best_validation": validation}


def _two_to_five(job: Job, spikes: SpikeSet, plan: PaperPlan, seeds: list[int]) -> dict[str, Any]:
    """Learn excitatory or inhibitory, then the five types, from three tenths, half and four fifths of the cells."""
    five = five_class(spikes)
    found: dict[str, Any] = {}
    for ratio in RATIOS:
        for name, transferred in (("transferred", True), ("from scratch", False)):
            parts = [_transfer_stage(job, plan, five, ratio, transferred, seed) for seed in seeds]
            found[f"{round(ratio * 10)}:{round(10 - ratio * 10)}, {name}"] = _averaged(
                parts, five.subclass, FIVE_CLASSES, five.donors
            )
    return found


def _transfer_stage(
    job: Job, plan: PaperPlan, cells: SpikeSet, ratio: float, transferred: bool, seed: int
) -> dict[str, NDArray[Any]]:
    # the cells trained on are split again, so that the best epoch is chosen on cells that are not tested on
    outer = split_donors(cells.subclass, cells.donors, validation=0.0, test=1 - ratio, seed=seed)
    fold = donor_folds(cells.subclass[outer.train], cells.donors[outer.train], 5, seed)[0]
    split = Split(train=outer.train[fold[0]], validation=outer.train[fold[1]], test=outer.test)

    def compute() -> dict[str, NDArray[Any]]:
        start = None
        shape = paper_shape(STREAMS, 5, cells.windows.shape[1])
        if transferred:
            start = fit_paper(cells.windows, cells.broad, split, replace(shape, outputs=2), plan, seed).network
        fitted = fit_paper(cells.windows, cells.subclass, split, shape, plan, seed + 1, start)
        return {"validation": np.array(fitted.best_validation), "test": fitted.test, "rows": split.test}

    return tested(job, f"two to five {ratio} {transferred}", plan, compute, seed, len(cells))


def _three_classes(job: Job, spikes: SpikeSet, plan: PaperPlan, seeds: list[int]) -> dict[str, Any]:
    """Exc, Pvalb and Sst: the triple CNN and Ghaderi's method on the same cells and donors."""
    codes = [FIVE_CLASSES.index(name) for name in THREE_CLASSES]
    cells = spikes.take(np.isin(spikes.subclass, codes))
    truth = np.searchsorted(codes, cells.subclass)
    network = [_fit_stage(job, "triple 3 classes", plan, cells, truth, STREAMS, seed, 3) for seed in seeds]
    other = [_ghaderi_stage(job, plan, cells, truth, seed, len(codes)) for seed in seeds]
    five = five_class(spikes)
    in_five = [_ghaderi_stage(job, plan, five, five.subclass, seed, 5) for seed in seeds]
    return {
        "triple, 3 classes": _averaged(network, truth, THREE_CLASSES, cells.donors),
        "Ghaderi, 3 classes": _averaged(other, truth, THREE_CLASSES, cells.donors),
        "Ghaderi, 5 classes": _averaged(in_five, five.subclass, FIVE_CLASSES, five.donors),
    }


def _ghaderi_stage(
    job: Job, plan: PaperPlan, cells: SpikeSet, truth: Rows, seed: int, n_classes: int
) -> dict[str, NDArray[Any]]:
    split = split_donors(truth, cells.donors, validation=0.15, test=0.2, seed=seed)
    windows = cells.windows.astype(float)

    def compute() -> dict[str, NDArray[Any]]:
        def accuracy(settings: GhaderiSettings) -> float:
            fitted = fit_ghaderi(windows[split.train], truth[split.train], n_classes, settings, seed)
            said = fitted.probabilities(windows[split.validation]).argmax(axis=1)
            return float((said == truth[split.validation]).mean())

        chosen = max(GhaderiSettings().variants(), key=accuracy)
        both = np.concatenate([split.train, split.validation])
        fitted = fit_ghaderi(windows[both], truth[both], n_classes, chosen, seed)
        return {
            "validation": np.array(accuracy(chosen)),
            "test": fitted.probabilities(windows[split.test]),
            "rows": split.test,
            "settings": np.array([chosen.components, chosen.clusters, chosen.supervised]),
        }

    return tested(job, f"ghaderi {n_classes}", plan, compute, seed, len(cells))


_EXPERIMENTS: dict[str, Callable[[Job, SpikeSet, PaperPlan, list[int]], dict[str, Any]]] = {
    "three_classes": _three_classes,
    "configurations": _configurations,
    "two_to_five": _two_to_five,
    "200_to_50_khz": compare_rates,
}
