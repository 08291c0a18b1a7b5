"""The recipe of ``resnet18-tree-lstm``: experts on reconstructions joined, judged by cell and by source, bundled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import Calibration
from napari_celltype.models.combined_model import as_logs

from .combined_fit import JoinTeaching, fit_head, fit_mixing, head_answers
from .job import Job
from .metrics import score, score_seeds
from .neuron_questions import (
    QUESTIONS,
    Answers,
    Fit,
    Logs,
    Question,
    alone,
    calibrated_apart,
    calibrated_elsewhere,
    figures_of,
    gather_cells,
    gather_sources,
)
from .neuron_splits import cell_folds
from .neuron_tables import fit_scaling
from .neurons import BROAD, NeuronSet
from .resnet import N_FOLDS, fold_rows, read_set, seeds_of
from .resnet import fold_answers as image_answers
from .svc_morphology import SHIPPED, wide_of
from .tree_lstm import fold_answers as tree_answers

__all__ = ["HEADS", "Mixture", "run"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Arrays = dict[str, NDArray[Any]]

HEADS = {
    f"{form} layer, {rate:g}": JoinTeaching(form=form, learning_rate=rate, epochs=epochs)
    for form in ("last", "hidden")
    # a small rate needs more rounds to arrive anywhere at all
    for rate, epochs in ((1e-3, 20), (1e-4, 30), (1e-5, 40))
}
"""The joining networks of the paper's table."""

WITH_FEATURES = "last layer with features"
OURS = {WITH_FEATURES: JoinTeaching(features=True, epochs=40)}
"""What else is tried: the measured features as a third part."""

NETWORKS = ("resnet18", "tree-lstm")
EXPERTS = (*NETWORKS, "svc-morphology")

MIXTURES = {"networks joined": NETWORKS, "networks and features joined": EXPERTS}
"""What is weighed beside the joining network."""


def experts_of(job: Job, neurons: NeuronSet, split: str, seed: int, fold: int) -> dict[str, Arrays]:
    """What each expert of a fold says of all neurons."""
    return {
        "resnet18": image_answers(job, neurons, split, seed, fold),
        "tree-lstm": tree_answers(job, neurons, split, seed, fold),
        "svc-morphology": feature_answers(job, neurons, split, seed, fold),
    }


def feature_answers(job: Job, neurons: NeuronSet, split: str, seed: int, fold: int) -> Arrays:
    """What the support-vector machine on wide features, taught the training rows of a fold, says of all neurons."""
    wide = wide_of(job, neurons)
    train, test = fold_rows(neurons, split, seed, fold)
    found: Arrays = {"rows": test}
    for question in QUESTIONS:
        truth = question.truth(neurons)
        rows = train[truth[train] >= 0]
        fitted = SHIPPED(wide[rows], truth[rows], len(question.classes(neurons)), seed)
        found[question.key] = np.log(np.maximum(fitted(wide), 1e-12))
    return found


def fold_logs(job: Job, neurons: NeuronSet, split: str, seed: int, fold: int) -> Arrays:
    """Log-probabilities of every expert and joining network of a fold for its test rows, ``<key> <name>``."""
    train, test = fold_rows(neurons, split, seed, fold)

    def compute() -> Arrays:
        said = experts_of(job, neurons, split, seed, fold)
        found = {
            f"{question.key} {name}": as_logs(answers[question.key][test].astype(float))
            for name, answers in said.items()
            for question in QUESTIONS
        }
        for name, teaching in heads_of(job).items():
            copies, parts = embeddings(said)
            if teaching.features:
                scaled = fit_scaling(wide_of(job, neurons)[train])(wide_of(job, neurons))
                copies, parts = [np.concatenate([copy, scaled], axis=1) for copy in copies], [*parts, scaled.shape[1]]
            network = fit_head(
                [copy[train] for copy in copies],
                parts,
                neurons.truth[train],
                neurons.broad[train],
                len(neurons.classes),
                teaching,
                seed,
            )
            for question, logs in zip(QUESTIONS, head_answers(network, copies[0][test]), strict=True):
                found[f"{question.key} {name}"] = as_logs(logs)
        return found

    settings = [len(neurons), {name: teaching.to_settings() for name, teaching in heads_of(job).items()}]
    return job.stage(f"joined-{split}-{seed}-{fold}", settings, compute)


def heads_of(job: Job) -> dict[str, JoinTeaching]:
    """The joining networks that are tried."""
    tried = HEADS | OURS
    return {n: replace(t, epochs=1) for n, t in list(tried.items())[::3]} if job.quick else tried


def embeddings(said: dict[str, Arrays]) -> tuple[list[FloatArray], list[int]]:
    """Joined embeddings of all neurons and of varied copies, and how many numbers each network gives."""
    both = [said[name] for name in NETWORKS]
    plain = np.concatenate([answers["embedding"] for answers in both], axis=1)
    varied = np.concatenate([answers.get("embedding_varied", answers["embedding"]) for answers in both], axis=1)
    return [plain.astype(float), varied.astype(float)], [answers["embedding"].shape[1] for answers in both]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Which joining network is used with which experts, and what each is worth."""

    head: str
    experts: tuple[str, ...]
    calibration: Calibration

    def __call__(self, logs: Logs) -> FloatArray:
        """Probabilities from log-probabilities by name."""
        return self.calibration(np.concatenate([logs[name] for name in (self.head, *self.experts)], axis=1))

    def weights(self) -> dict[str, float]:
        """What each counts."""
        k = len(self.calibration.bias)
        return {name: float(self.calibration.weight[i * k, 0]) for i, name in enumerate((self.head, *self.experts))}


def choose_mixture(logs: Logs, truth: IntArray, heads: Sequence[str], experts: Sequence[str], k: int) -> Mixture:
    """The joining network that makes the best mixture with these experts, by log loss of cells none has seen."""
    found: list[tuple[float, int, Mixture]] = []
    for head in heads:
        calibration = fit_mixing([logs[head], *(logs[name] for name in experts)], truth, k)
        mixture = Mixture(head, tuple(experts), calibration)
        found.append((score(mixture(logs), truth)["log_loss"], len(found), mixture))
    return min(found)[2]


def run(job: Job) -> dict[str, Any]:
    """Judge experts and mixtures by cell and by source; then join the models trained on all neurons and write them."""
    from .combined_pack import pack

    neurons = read_set(job)
    seeds = seeds_of(job)
    cells = [gather_cells(neurons, seed, _answers(job, neurons, seed)) for seed in seeds]
    unseen = gather_sources(neurons, _answers(job, neurons, job.seed))
    report: dict[str, Any] = {"seeds": seeds, "heads": list(heads_of(job))}
    for question in QUESTIONS:
        figures, mixture = judge(job, neurons, question, cells, unseen, seeds)
        report["8 classes" if question.number == 0 else "2 classes"] = figures
        report[f"resnet18-tree-lstm{question.suffix}"] = pack(job, neurons, question, mixture, figures)
    return report


def _answers(job: Job, neurons: NeuronSet, seed: int) -> Answers:
    return lambda split, fold: fold_logs(job, neurons, split, seed, fold)


def judge(
    job: Job, neurons: NeuronSet, question: Question, cells: Sequence[Logs], unseen: Logs, seeds: Sequence[int]
) -> tuple[dict[str, Any], Mixture]:
    """Figures of every expert, joining network and mixture; and the mixture to ship, fitted on everything."""
    truth, k = question.truth(neurons), len(question.classes(neurons))
    runs = [_of(question, logs) for logs in cells]
    far = _of(question, unseen)
    ways: dict[str, Fit] = {name: alone(name, k) for name in EXPERTS} | mixtures(job, k)
    found = {name: _shares(neurons, runs, truth, seeds, fit) for name, fit in ways.items()}
    figures = {
        name: figures_of(neurons, question, found[name], calibrated_elsewhere(runs[0], far, truth, neurons, fit))
        for name, fit in ways.items()
    }
    for name in heads_of(job):
        figures[name] = {"by_cell": _by_cell(neurons, truth, k, _shares(neurons, runs, truth, seeds, alone(name, k)))}
    chosen = min(mixtures(job, k), key=lambda name: figures[name]["by_cell"]["mean"]["log_loss"])
    known = truth >= 0
    everything = {name: np.concatenate([logs[name][known] for logs in runs]) for name in runs[0]}
    mixture = choose_mixture(
        everything, np.tile(truth[known], len(runs)), heads_for(job, MIXTURES[chosen]), MIXTURES[chosen], k
    )
    figures["shipped"] = {
        **figures[chosen],
        "way": chosen,
        "head": mixture.head,
        "weights": mixture.weights(),
        "shares": found[chosen][0],
    }
    return figures, mixture


def _shares(
    neurons: NeuronSet, runs: Sequence[Logs], truth: IntArray, seeds: Sequence[int], fit: Fit
) -> list[FloatArray]:
    """Probabilities of all neurons, once a seed, calibrated on other folds."""
    pairs = zip(runs, seeds, strict=True)
    return [calibrated_apart(logs, truth, cell_folds(neurons, N_FOLDS, seed), fit) for logs, seed in pairs]


def _by_cell(neurons: NeuronSet, truth: IntArray, k: int, shares: Sequence[FloatArray]) -> dict[str, Any]:
    known = truth >= 0
    names = neurons.classes if k == len(neurons.classes) else BROAD
    cells = neurons.cells[known].astype(np.int64)
    return score_seeds([one[known] for one in shares], truth[known], names, cells, n_bootstrap=200).to_dict()


def _of(question: Question, logs: Logs) -> Logs:
    """The answers to one question, by the name of who gives them."""
    return {name.split(" ", 1)[1]: values for name, values in logs.items() if name.split(" ", 1)[0] == question.key}


def heads_for(job: Job, experts: Sequence[str]) -> list[str]:
    """Joining networks that read nothing but what these experts give."""
    return [name for name, t in heads_of(job).items() if "svc-morphology" in experts or not t.features]


def mixtures(job: Job, k: int) -> dict[str, Fit]:
    """Ways of joining; the joining network is chosen where the weights are fitted."""

    def mixing(experts: Sequence[str]) -> Fit:
        return lambda logs, truth: choose_mixture(logs, truth, heads_for(job, experts), experts, k)

    return {name: mixing(experts) for name, experts in MIXTURES.items()}
