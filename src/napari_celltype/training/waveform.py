"""The recipes of ``triple-cnn-5class`` and ``triple-cnn-2class``: networks, a kernel machine, and how they are joined.

Every figure is of cells whose donor took no part in training, in calibration, or in weighing the two experts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.calibration import Calibration, fit_calibration, log_softmax, softmax
from napari_celltype.models.networks.kernel_bank import KernelExpert
from napari_celltype.models.networks.triple_cnn import TripleCnn
from napari_celltype.models.runtime import inference
from napari_celltype.models.waveform_doubts import WaveformDoubts, class_statistics
from napari_celltype.models.windows import ONSET_FORMAT, PEAK_FORMAT, WindowFormat

from .job import Job
from .metrics import score_seeds
from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet, read_spikes
from .splits import donor_folds
from .waveform_expert import ExpertSettings, fit_expert
from .waveform_fit import HEADS, Teaching, fit_cnn

__all__ = ["TASKS", "OutOfFold", "Task", "WaveformSettings", "joined", "out_of_fold", "run"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Task:
    """One question and the model that answers it."""

    name: str
    head: str
    classes: tuple[str, ...]
    min_confidence: float

    def truth(self, spikes: SpikeSet) -> Rows:
        """Answers; -1 where there is none."""
        return spikes.subclass if self.head == "subclass" else spikes.broad


TASKS = (
    Task("triple-cnn-5class", "subclass", FIVE_CLASSES, 0.5),
    Task("triple-cnn-2class", "broad", BROAD_CLASSES, 0.7),
)


@dataclass(frozen=True)
class WaveformSettings:
    """What the recipe is made of.

    Parameters
    ----------
    members
        Networks in an ensemble; those of the folds, which are judged, are made as the one that is shipped.
    n_folds, n_seeds
        Parts the cells are split into by donor, and how often that is done anew.
    weights
        Weights of the kernel machine's scores to choose among.
    dimensions
        Of the embedding.
    form, suffix
        The window, and what is added to the models' names for it.
    """

    teaching: Teaching = field(default_factory=lambda: Teaching(epochs=30, others=True))
    expert: ExpertSettings = field(default_factory=ExpertSettings)
    members: int = 2
    n_folds: int = 5
    n_seeds: int = 3
    weights: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    dimensions: int = 16
    form: WindowFormat = PEAK_FORMAT
    suffix: str = ""

    def taught(self) -> Teaching:
        """The teaching of the whole ensemble."""
        return replace(self.teaching, shape=replace(self.teaching.shape, members=self.members))


QUICK = WaveformSettings(
    teaching=Teaching(epochs=1, others=True),
    expert=ExpertSettings(shape=replace(ExpertSettings().shape, each=4)),
    members=1,
    n_folds=2,
    n_seeds=1,
    dimensions=8,
)


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What networks and kernel machine said of every cell of a task, by donors they had not seen.

    Parameters
    ----------
    networks, expert
        Log of mean probabilities, and scores, (n, k).
    distances
        How unlike the training cells of its fold each cell is.
    seed
        Of the folds.
    """

    networks: FloatArray
    expert: FloatArray
    distances: FloatArray
    seed: int


def strata(spikes: SpikeSet) -> Rows:
    """Groups to spread evenly over folds: the five types, and the rest by species and broad type."""
    return np.where(spikes.subclass >= 0, spikes.subclass, len(FIVE_CLASSES) + spikes.broad + 2 * spikes.species)


def out_of_fold(job: Job, spikes: SpikeSet, settings: WaveformSettings, seed: int) -> dict[str, OutOfFold]:
    """Judge every cell by experts that saw no cell of its donor; fold by fold, so that an interruption costs one."""
    folds = donor_folds(strata(spikes), spikes.donors, settings.n_folds, seed)
    parts = [
        _fold(job, spikes, settings, seed, number, train, test)
        for number, (train, test) in enumerate(job.track(folds, "folds"))
    ]
    found = {}
    for task in TASKS:
        shape = len(spikes), len(task.classes)
        arrays: dict[str, FloatArray] = {name: np.zeros(shape) for name in ("networks", "expert")}
        arrays["distances"] = np.zeros(len(spikes))
        for part in parts:
            for name, array in arrays.items():
                array[part["rows"]] = part[f"{task.head}.{name}"]
        found[task.name] = OutOfFold(**arrays, seed=seed)
    return found


def _fold(
    job: Job, spikes: SpikeSet, settings: WaveformSettings, seed: int, number: int, train: Rows, test: Rows
) -> dict[str, NDArray[Any]]:
    teaching = settings.taught()

    def compute() -> dict[str, NDArray[Any]]:
        known = spikes.take(train)
        network = fit_cnn(
            known,
            None,
            teaching,
            seed,
            checkpoint=job.checkpoint(f"waveform-{seed}-{number}"),
            progress=job.steps(f"networks of fold {number + 1}"),
        )
        logits, hidden = answers(network, spikes.windows)
        centre, projection = principal_axes(hidden[train], settings.dimensions)
        placed = (hidden - centre) @ projection
        found: dict[str, NDArray[Any]] = {"rows": test}
        for task in TASKS:
            truth = task.truth(known)
            expert = fit_expert(known.windows, truth, len(task.classes), settings.expert, seed, known.donors)
            found[f"{task.head}.networks"] = logits[task.head][test]
            found[f"{task.head}.expert"] = expert_scores(expert, spikes.windows[test])
            means, covariance = class_statistics(placed[train][truth >= 0], truth[truth >= 0], len(task.classes))
            found[f"{task.head}.distances"] = without_limits(means, covariance).distances(placed[test])
        return found

    described = [number, len(spikes), teaching.to_settings(), asdict(settings.expert), settings.n_folds]
    return job.stage(f"waveform-fold-{seed}-{number}", described, compute)


def answers(network: TripleCnn, windows: NDArray[np.float32]) -> tuple[dict[str, FloatArray], FloatArray]:
    """Of each head the log of the members' mean probabilities, and the hidden layers side by side."""
    network.eval()
    with inference(len(windows)):
        logits, hidden = network(torch.from_numpy(windows))
        heads = {
            name: (logits[..., head].log_softmax(dim=-1).logsumexp(dim=0) - np.log(len(logits))).numpy().astype(float)
            for name, head in HEADS.items()
        }
        side_by_side = hidden.permute(1, 0, 2).flatten(1).numpy().astype(float)
    return heads, side_by_side


def expert_scores(expert: KernelExpert, windows: NDArray[np.float32]) -> FloatArray:
    """Scores of windows, a few hundred at a time."""
    with inference(len(windows)):
        parts = [expert(part).numpy() for part in torch.split(torch.from_numpy(windows), 256)]
    return np.concatenate(parts).astype(float)


def principal_axes(hidden: FloatArray, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Centre and projection to the leading principal components."""
    centre = hidden.mean(axis=0)
    _, _, axes = np.linalg.svd(hidden - centre, full_matrices=False)
    return centre, axes[:dimensions].T


def without_limits(means: FloatArray, covariance: FloatArray) -> WaveformDoubts:
    """For measuring distances only."""
    none = np.zeros(0)
    return WaveformDoubts(none, none, means, covariance, farthest=np.inf, min_confidence=0.0)


def joined(networks: FloatArray, expert: FloatArray, weight: float) -> FloatArray:
    """Scores of the two experts together, as log-probabilities before calibration."""
    return log_softmax(networks + weight * expert)


HELD_TOGETHER = 10.0
"""How strongly the calibration's scales are held to one another and its offsets to zero, in cells."""


@dataclass(frozen=True, eq=False)
class Joining:
    """Weight of the kernel machine, and the calibration of both together."""

    weight: float
    calibration: Calibration

    def __call__(self, networks: FloatArray, expert: FloatArray) -> FloatArray:
        """Calibrated probabilities."""
        return self.calibration(joined(networks, expert, self.weight))


def fit_joining(networks: FloatArray, expert: FloatArray, truth: Rows, weights: tuple[float, ...]) -> Joining:
    """Choose the weight with which cells not trained on are likeliest, and the calibration with it.

    A scale and an offset for each class, held to one another: neither machine is as sure of every class as of others.
    """
    k = networks.shape[1]
    found = [
        Joining(w, fit_calibration(joined(networks, expert, w), truth, k, form="vector", strength=HELD_TOGETHER))
        for w in weights
    ]

    def loss(joining: Joining) -> float:
        return -float(np.log(joining(networks, expert)[np.arange(len(truth)), truth]).mean())

    return min(found, key=loss)


def judged(found: OutOfFold, truth: Rows, donors: Rows, weights: tuple[float, ...]) -> FloatArray:
    """Probabilities of every cell, joined and calibrated as the other donors' cells say."""
    rows = np.flatnonzero(truth >= 0)
    probabilities = np.zeros_like(found.networks)
    for fit, check in donor_folds(truth[rows], donors[rows], 5, found.seed + 1000):
        joining = fit_joining(found.networks[rows[fit]], found.expert[rows[fit]], truth[rows[fit]], weights)
        probabilities[rows[check]] = joining(found.networks[rows[check]], found.expert[rows[check]])
    return probabilities


def figures(task: Task, found: list[OutOfFold], spikes: SpikeSet, settings: WaveformSettings) -> dict[str, Any]:
    """Scores of the model, of each expert alone, and within groups of cells."""
    truth = task.truth(spikes)
    together = [judged(one, truth, spikes.donors, settings.weights) for one in found]
    alone = [judged(one, truth, spikes.donors, (0.0,)) for one in found]
    machine = [softmax(8.0 * one.expert) for one in found]
    mouse, fast = spikes.species == 0, spikes.rates_khz == 200
    five = spikes.subclass >= 0
    groups = {
        "": five if task.head == "subclass" else mouse,
        ", recorded at 50 kHz": five & ~fast,
        ", recorded at 200 kHz": five & fast,
    }
    if task.head == "broad":
        groups |= {", the five types only": five, ", human": ~mouse}
    table = {}
    for name, rows in groups.items():
        if not (rows & (truth >= 0)).any():
            continue
        table[task.name + name] = _scored(together, truth, spikes.donors, task.classes, rows)
    first = groups[""]
    table[f"{task.name}: networks alone"] = _scored(alone, truth, spikes.donors, task.classes, first)
    table[f"{task.name}: kernel machine alone"] = _scored(machine, truth, spikes.donors, task.classes, first)
    return table


def _scored(
    runs: list[FloatArray], truth: Rows, donors: Rows, classes: tuple[str, ...], rows: NDArray[np.bool_]
) -> dict[str, Any]:
    rows = rows & (truth >= 0)
    return score_seeds([run[rows] for run in runs], truth[rows], classes, donors[rows]).to_dict()


def run(job: Job) -> dict[str, Any]:
    """Judge on donor folds, then train on all cells and write both models."""
    settings = QUICK if job.quick else WaveformSettings()
    return judge_and_pack(job, read_spikes(job.data, settings.form), settings)


def run_onset(job: Job) -> dict[str, Any]:
    """The papers' 50 ms around the stimulus onset, from a folder of Allen recordings with a table of cells."""
    return _run_onset(job, ONSET_FORMAT, "-50ms", strides=(4, 2, 2, 2, 2, 2))


def run_onset_fast(job: Job) -> dict[str, Any]:
    """The same at 200 kHz: 10,000 samples."""
    return _run_onset(job, replace(ONSET_FORMAT, rate_hz=200e3), "-50ms-200khz", strides=(4, 4, 4, 2, 2, 2))


def _run_onset(job: Job, form: WindowFormat, suffix: str, strides: tuple[int, ...]) -> dict[str, Any]:
    """Strides are such that the encoder's output is about as long as for 150 samples."""
    from .allen import read_allen

    settings = replace(QUICK if job.quick else WaveformSettings(), form=form, suffix=suffix)
    shape = replace(settings.teaching.shape, strides=strides, coefficients=500)
    settings = replace(settings, teaching=replace(settings.teaching, shape=shape))
    return judge_and_pack(job, read_allen(job.data, settings.form), settings)


def judge_and_pack(job: Job, spikes: SpikeSet, settings: WaveformSettings) -> dict[str, Any]:
    """What every waveform recipe does with its windows."""
    from .waveform_packing import pack_waveform_models

    found = [out_of_fold(job, spikes, settings, job.seed + number) for number in range(settings.n_seeds)]
    report = {task.name: figures(task, [one[task.name] for one in found], spikes, settings) for task in TASKS}
    pack_waveform_models(job, spikes, settings, found, report)
    return {"donor_folds": {name: scores for part in report.values() for name, scores in part.items()}, "tasks": report}
