"""The papers' experiments with the triple-input CNN, on the windows that labelled data exist for.

Settings as printed: Adam 1e-3, L2 1e-5, cross-entropy summed over the batch, 100 epochs, the epoch with the highest
validation accuracy. The papers split by cell; here every donor is on one side only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.calibration import softmax
from napari_celltype.models.networks.triple_cnn import STREAMS, CnnShape, TripleCnn
from napari_celltype.models.runtime import inference

from .fitting import Plan, fit, step_generator
from .ghaderi import GhaderiSettings, fit_ghaderi
from .job import Job
from .metrics import score, score_seeds
from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet, read_spikes
from .splits import Split, donor_folds, split_donors

__all__ = ["CONFIGURATIONS", "PaperFit", "PaperPlan", "fit_paper", "run"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

CONFIGURATIONS = {
    "single (time)": ("time",),
    "dual (time, real)": ("time", "real"),
    "dual (time, imaginary)": ("time", "imaginary"),
    "triple": STREAMS,
}

N_SEEDS = 1
"""All experiments take about an hour on one core; raised, the run goes on where it ended."""

RATIOS = (0.3, 0.5, 0.8)
THREE_CLASSES = ("Exc", "Pvalb", "Sst")
CURVE = (25, 50, 100, 200, 400)


@dataclass(frozen=True)
class PaperPlan:
    """The papers' settings, and the batch size they do not state."""

    epochs: int = 100
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5


@dataclass(frozen=True, eq=False)
class PaperFit:
    """A fitted network with what it said of the test cells at its best validation epoch."""

    network: TripleCnn
    best_validation: float
    best_epoch: int
    test: FloatArray


@dataclass
class _Best:
    accuracy: float = -1.0
    epoch: int = 0
    test: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))


def fit_paper(
    windows: NDArray[np.float32],
    truth: Rows,
    split: Split,
    shape: CnnShape,
    plan: PaperPlan,
    seed: int,
    start: TripleCnn | None = None,
) -> PaperFit:
    """Train by the papers' settings; with ``start``, from that network's encoders and dense layer."""
    network = TripleCnn(shape, torch.Generator().manual_seed(seed))
    x, y = torch.from_numpy(windows), torch.from_numpy(truth)
    network.fit_scales(x[split.train])
    if start is not None:
        _take_over(network, start)
    per_epoch = max(1, round(len(split.train) / plan.batch))
    best = _Best()

    def judge(epoch: int) -> None:
        accuracy = float(
            (_probabilities(network, x[split.validation]).argmax(axis=1) == truth[split.validation]).mean()
        )
        if accuracy > best.accuracy:
            best.accuracy, best.epoch = accuracy, epoch
            best.test = _probabilities(network, x[split.test])

    def loss_at(step: int) -> torch.Tensor:
        if step and step % per_epoch == 0:
            judge(step // per_epoch)
        order = torch.randperm(len(split.train), generator=step_generator(seed, step // per_epoch))
        chosen = torch.from_numpy(split.train)[order[step % per_epoch :: per_epoch]]
        logits, _ = network(x[chosen])
        return torch.nn.functional.cross_entropy(logits[0], y[chosen], reduction="sum")

    steps = Plan(plan.epochs * per_epoch, plan.learning_rate, optimiser="adam", weight_decay=plan.weight_decay)
    fit(network, loss_at, steps)
    judge(plan.epochs)
    return PaperFit(network, best.accuracy, best.epoch, best.test)


def _take_over(network: TripleCnn, start: TripleCnn) -> None:
    """Everything but the output layer, which has another task."""
    old = {name: tensor for name, tensor in start.state_dict().items() if not name.startswith("output.")}
    network.load_state_dict(network.state_dict() | old)


def _probabilities(network: TripleCnn, windows: torch.Tensor) -> FloatArray:
    if not len(windows):
        return np.zeros((0, network.shape.outputs))
    was_training = network.training
    network.eval()
    with inference(len(windows)):
        logits, _ = network(windows)
    network.train(was_training)
    return softmax(logits[0].numpy().astype(float))


def run(job: Job) -> dict[str, Any]:
    """Every experiment, one after another; finished ones are not repeated."""
    spikes = read_spikes(job.data)
    spikes = spikes.take(np.flatnonzero(spikes.species == 0))
    plan = PaperPlan(epochs=2) if job.quick else PaperPlan()
    seeds = [job.seed + s for s in range(N_SEEDS)]
    report: dict[str, Any] = {"settings": asdict(plan)}
    for seed in seeds:  # seed by seed, so that an interrupted run has all experiments once
        for experiment in _EXPERIMENTS.values():
            experiment(job, spikes, plan, [seed])
    for name, experiment in _EXPERIMENTS.items():
        report[name] = experiment(job, spikes, plan, seeds)
    return report


def five_class(spikes: SpikeSet) -> SpikeSet:
    """Cells of the five types."""
    return spikes.take(np.flatnonzero(spikes.subclass >= 0))


def _shape(streams: tuple[str, ...], outputs: int, samples: int) -> CnnShape:
    return CnnShape(samples=samples, outputs=outputs, streams=streams)


def _tested(
    job: Job, name: str, plan: PaperPlan, compute: Callable[[], dict[str, NDArray[Any]]], *key: Any
) -> dict[str, NDArray[Any]]:
    stage = "paper-" + "".join(c if c.isalnum() else "-" for c in name)
    return job.stage(stage, [name, asdict(plan), *key], compute)


def _fit_stage(
    job: Job, name: str, plan: PaperPlan, spikes: SpikeSet, truth: Rows, streams: tuple[str, ...], seed: int, n: int
) -> dict[str, NDArray[Any]]:
    split = split_donors(truth, spikes.donors, validation=0.15, test=0.2, seed=seed)

    def compute() -> dict[str, NDArray[Any]]:
        fitted = fit_paper(spikes.windows, truth, split, _shape(streams, n, spikes.windows.shape[1]), plan, seed)
        return {"validation": np.array(fitted.best_validation), "test": fitted.test, "rows": split.test}

    return _tested(job, name, plan, compute, seed, len(spikes))


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
                found["triple, 5 classes collapsed to 2 by sum"] = _averaged(
                    [{**part, "test": _collapsed(part["test"])} for part in parts],
                    cells.broad,
                    BROAD_CLASSES,
                    cells.donors,
                )
    return found


def _collapsed(probabilities: FloatArray) -> FloatArray:
    return np.stack([probabilities[:, 0], probabilities[:, 1:].sum(axis=1)], axis=1)


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
        shape = _shape(STREAMS, 5, cells.windows.shape[1])
        if transferred:
            start = fit_paper(cells.windows, cells.broad, split, replace(shape, outputs=2), plan, seed).network
        fitted = fit_paper(cells.windows, cells.subclass, split, shape, plan, seed + 1, start)
        return {"validation": np.array(fitted.best_validation), "test": fitted.test, "rows": split.test}

    return _tested(job, f"two to five {ratio} {transferred}", plan, compute, seed, len(cells))


def _rates(job: Job, spikes: SpikeSet, plan: PaperPlan, seeds: list[int]) -> dict[str, Any]:
    """Learn on cells recorded at 200 kHz, go on with few recorded at 50 kHz; beside it the few alone."""
    five = five_class(spikes)
    fast, slow = five.take(five.rates_khz == 200), five.take(five.rates_khz == 50)
    sizes = [n for n in CURVE if n < 0.6 * len(slow)]
    found: dict[str, Any] = {}
    for seed in seeds:
        compute = partial(_rate_curve, fast, slow, sizes, plan, seed)
        parts = _tested(job, "200 to 50 kHz", plan, compute, seed, len(five))
        for name in ("transferred", "from scratch"):
            for size, accuracy in zip(sizes, parts[name.replace(" ", "_")], strict=True):
                found.setdefault(name, {}).setdefault(str(size), []).append(float(accuracy))
    return found


def _rate_curve(
    fast: SpikeSet, slow: SpikeSet, sizes: list[int], plan: PaperPlan, seed: int
) -> dict[str, NDArray[Any]]:
    shape = _shape(STREAMS, 5, slow.windows.shape[1])
    at_fast = split_donors(fast.broad, fast.donors, validation=0.2, test=0.0, seed=seed)
    start = fit_paper(fast.windows, fast.subclass, at_fast, shape, plan, seed).network
    whole = split_donors(slow.subclass, slow.donors, validation=0.15, test=0.25, seed=seed)
    order = np.random.default_rng(seed).permutation(whole.train)
    curves: dict[str, list[float]] = {"transferred": [], "from_scratch": []}
    for size in sizes:
        split = replace(whole, train=np.sort(order[:size]))
        for name, first in (("transferred", start), ("from_scratch", None)):
            said = fit_paper(slow.windows, slow.subclass, split, shape, plan, seed + 1, first).test
            curves[name].append(float((said.argmax(axis=1) == slow.subclass[split.test]).mean()))
    return {name: np.array(values) for name, values in curves.items()}


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

    return _tested(job, f"ghaderi {n_classes}", plan, compute, seed, len(cells))


_EXPERIMENTS: dict[str, Callable[[Job, SpikeSet, PaperPlan, list[int]], dict[str, Any]]] = {
    "three_classes": _three_classes,
    "configurations": _configurations,
    "two_to_five": _two_to_five,
    "200_to_50_khz": _rates,
}
