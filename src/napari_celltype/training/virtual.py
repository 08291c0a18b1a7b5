"""The virtual task of Zhang et al.: simulated basket against simulated pyramidal cells, 500 of each.

The paper reports 100 % for every model. A model that fails here has a fault; one that succeeds has shown little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.neuron_features import hand_features
from napari_celltype.models.neuron_form import standardise
from napari_celltype.morphology.simulation import simulate

from .combined_fit import JoinTeaching, fit_head, head_answers
from .job import Job
from .metrics import score_seeds
from .neuron_images import draw_copies
from .neuron_tables import svc
from .neurons import NeuronSet
from .resnet import FORM, teaching_of
from .resnet_fit import answer_images, fit_resnet
from .tree_fit import Lessons, fit_tree, tree_answers
from .tree_lstm import TREE_FORM
from .tree_lstm import teaching_of as tree_teaching_of
from .tree_pieces import cut_copies

__all__ = ["CLASSES", "run", "virtual_set"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

CLASSES = ("basket", "pyramidal")
EACH = 500
TEST_SHARE = 0.2
EPOCHS = 2


@dataclass(frozen=True, eq=False)
class _Split:
    train: IntArray
    test: IntArray


def run(job: Job) -> dict[str, Any]:
    """Every model on one split: a fifth is kept for judging."""
    neurons = virtual_set(8 if job.quick else EACH, 7 + job.seed)
    order = np.random.default_rng(job.seed).permutation(len(neurons))
    cut = round(TEST_SHARE * len(order))
    split = _Split(np.sort(order[cut:]), np.sort(order[:cut]))
    said = {"ResNet18": _images(job, neurons, split), "Tree-LSTM": _trees(job, neurons, split)}
    shares = {name: np.exp(answers["scores"]) for name, answers in said.items()}
    shares["SVM, 20 features"] = _features(job, neurons, split)
    shares["combined"] = _combined(job, neurons, split, said)
    truth, cells = neurons.truth[split.test], neurons.cells[split.test].astype(np.int64)
    figures = {name: score_seeds([p], truth, CLASSES, cells).to_dict() for name, p in shares.items()}
    return {"each": len(neurons) // 2, "test": len(split.test), "epochs": EPOCHS, **figures}


def virtual_set(each: int, seed: int) -> NeuronSet:
    """Simulated neurons of both classes in turn, standardised."""
    truth = np.tile([0, 1], each).astype(np.intp)
    made = [standardise(simulate(CLASSES[k], seed * 100_003 + i), FORM) for i, k in enumerate(truth)]
    words = np.array(["simulated"] * len(made))
    return NeuronSet(
        classes=CLASSES,
        truth=truth,
        broad=1 - truth,
        cells=np.arange(len(made)),
        sources=words,
        species=words,
        labels=words,
        files=np.array([f"{CLASSES[k]}-{i}" for i, k in enumerate(truth)]),
        arrays={
            name: np.concatenate([getattr(neuron, name) for neuron in made])
            for name in ("xyz_um", "radii_um", "parents", "types", "ids")
        },
        starts=np.concatenate([[0], np.cumsum([len(neuron) for neuron in made])]),
        rows=np.arange(len(made)),
    )


def _images(job: Job, neurons: NeuronSet, split: _Split) -> dict[str, NDArray[Any]]:
    teaching = teaching_of(job)
    teaching = replace(teaching, epochs=EPOCHS, copies=1, shape=replace(teaching.shape, outputs=(2, 2)))

    def compute() -> dict[str, NDArray[Any]]:
        images = draw_copies(list(neurons.neurons()), teaching.copies, teaching.image_px, job.seed)
        rows = split.train
        network = fit_resnet(
            np.ascontiguousarray(images[rows]),
            neurons.truth[rows],
            neurons.broad[rows],
            teaching,
            job.seed,
            progress=job.steps("ResNet18 on virtual neurons"),
        )
        said = answer_images(network, np.ascontiguousarray(images[:, 0]), 1)
        return {"scores": said.scores[0][split.test], "embedding": said.embedding}

    return job.stage("virtual-resnet18", [teaching.to_settings(), len(neurons)], compute)


def _trees(job: Job, neurons: NeuronSet, split: _Split) -> dict[str, NDArray[Any]]:
    teaching = replace(tree_teaching_of(job), epochs=EPOCHS, copies=1)

    def compute() -> dict[str, NDArray[Any]]:
        grove = cut_copies(neurons, TREE_FORM, teaching.copies, job.seed)
        measured = _measures(job, neurons)
        lessons = Lessons(neurons.truth, neurons.broad, measured, len(CLASSES))
        said = tree_answers(fit_tree(grove, split.train, lessons, teaching, job.seed), grove)
        return {"scores": said["class8"][split.test], "embedding": said["embedding"]}

    return job.stage("virtual-tree-lstm", [teaching.to_settings(), len(neurons)], compute)


def _measures(job: Job, neurons: NeuronSet) -> FloatArray:
    """The twenty features."""
    return job.stage(
        "virtual-features", [len(neurons)], lambda: {"features": hand_features(neurons.neurons()).to_numpy(float)}
    )["features"]


def _features(job: Job, neurons: NeuronSet, split: _Split) -> FloatArray:
    x = _measures(job, neurons)
    return svc()(x[split.train], neurons.truth[split.train], 2, job.seed)(x[split.test])


def _combined(job: Job, neurons: NeuronSet, split: _Split, said: dict[str, dict[str, NDArray[Any]]]) -> FloatArray:
    parts = [answers["embedding"].astype(float) for answers in said.values()]
    joined = np.concatenate(parts, axis=1)
    rows = split.train
    head = fit_head(
        [joined[rows]],
        [part.shape[1] for part in parts],
        neurons.truth[rows],
        neurons.broad[rows],
        2,
        JoinTeaching(epochs=10),
        job.seed,
    )
    return np.exp(head_answers(head, joined[split.test])[0])
