"""The recipe of ``resnet18``: a residual network on three projections, judged by cell and by source, then bundled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.networks.resnet import ResnetClassifier
from napari_celltype.models.neuron_form import NeuronForm

from .job import Job, save_arrays
from .neuron_images import Images, draw_copies
from .neuron_splits import cell_folds, source_folds
from .neurons import NeuronSet, hash_of, read_neurons, standard_set
from .resnet_fit import ImageTeaching, answer_images, fit_resnet, pretrain, simulated_neurons

__all__ = ["FORM", "fold_answers", "fold_rows", "network_of", "read_set", "seeds_of", "teaching_of"]

Arrays = dict[str, NDArray[Any]]
IntArray = NDArray[np.intp]

N_FOLDS = 5
SEEDS = 1
FORM = NeuronForm()
IMAGE_FORM = replace(FORM, image_px=64)


def read_set(job: Job) -> NeuronSet:
    """The labelled reconstructions, standardised."""
    cache = job.out / "cache"
    found = read_neurons(job.data, cache)
    if job.quick:
        found = found.take(_few_of_each(found, 12))
    return standard_set(found, FORM, cache)


def _few_of_each(neurons: NeuronSet, count: int) -> IntArray:
    return np.concatenate([np.flatnonzero(neurons.truth == k)[:count] for k in range(len(neurons.classes))])


def teaching_of(job: Job) -> ImageTeaching:
    """How networks are taught in this run."""
    found = ImageTeaching()
    return replace(found, copies=1, epochs=1, pretrained_steps=2) if job.quick else found


def fitting(teaching: ImageTeaching, neurons: NeuronSet) -> ImageTeaching:
    """The same for as many classes as there are."""
    return replace(teaching, shape=replace(teaching.shape, outputs=(len(neurons.classes), 2)))


def seeds_of(job: Job) -> list[int]:
    """Seeds of the folds that are judged."""
    return [job.seed + number for number in range(1 if job.quick else SEEDS)]


def fold_rows(neurons: NeuronSet, split: str, seed: int, fold: int) -> tuple[IntArray, IntArray]:
    """Training and test rows: ``cells`` (seed, fold), ``sources`` (fold is the collection's number), or ``all``."""
    if split == "cells":
        folds = cell_folds(neurons, N_FOLDS, seed)
        return np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    if split == "sources":
        found = source_folds(neurons)[fold]
        return found.train, found.test
    return np.arange(len(neurons)), np.array([], dtype=np.intp)


def copies_of(job: Job, neurons: NeuronSet, teaching: ImageTeaching) -> Images:
    """Images of all neurons and of their varied copies, drawn once for all folds; the last copy is not for teaching."""
    key = hash_of(repr([teaching.copies, teaching.image_px, teaching.variation, neurons.files.tolist()]))
    path = job.out / "cache" / f"images-{key}.npy"
    if not path.exists():
        standard = [neurons.neuron(index) for index in range(len(neurons))]
        images = draw_copies(standard, teaching.copies + 1, teaching.image_px, 0, teaching.variation)
        _save_images(path, images)
    found: Images = np.load(path, mmap_mode="r")
    return found


def _save_images(path: Path, images: Images) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.npy")
    np.save(part, images)
    part.replace(path)


def body_to_start_from(job: Job, teaching: ImageTeaching) -> dict[str, Tensor] | None:
    """State of the body after the autoencoder, which saw simulated neurons only."""
    if not teaching.pretrained_steps:
        return None

    def compute() -> Arrays:
        neurons = simulated_neurons(8 if job.quick else 600, seed=900 + job.seed)
        images = draw_copies(neurons, 3, teaching.image_px, 1, teaching.variation)
        checkpoint = job.checkpoint("autoencoder")
        state = pretrain(images, teaching, job.seed, checkpoint=checkpoint, progress=job.steps("autoencoder"))
        checkpoint.unlink(missing_ok=True)
        return {name: tensor.detach().numpy() for name, tensor in state.items()}

    settings = [teaching.pretrained_steps, teaching.image_px, teaching.shape.to_settings(), repr(teaching.variation)]
    stored = job.stage("autoencoder", settings, compute)
    return {name: torch.from_numpy(array) for name, array in stored.items()}


def fold_answers(
    job: Job, neurons: NeuronSet, split: str, seed: int, fold: int, teaching: ImageTeaching | None = None
) -> Arrays:
    """What the network of a fold says of all neurons.

    Returns
    -------
    dict
        ``rows`` (test rows), ``embedding`` (n, 512), ``class8`` and ``broad`` (log-probabilities), and the same of a
        varied copy of each neuron that was not among the lessons, with ``_varied`` at the end of their names.
    """
    teaching = fitting(teaching or teaching_of(job), neurons)
    train, test = fold_rows(neurons, split, seed, fold)

    def compute() -> Arrays:
        images = copies_of(job, neurons, teaching)
        network = _fit(job, neurons, images, train, teaching, f"resnet18-{split}-{seed}-{fold}", seed)
        found: Arrays = {"rows": test}
        for name, copy in (("", 0), ("_varied", -1)):
            # what is judged is looked at from all sides; lessons for the joining network only from one, to save time
            sides = answer_images(network, np.ascontiguousarray(images[:, copy]), 1)
            found |= _named(sides.scores, sides.embedding, name)
        if len(test):
            all_sides = answer_images(network, np.ascontiguousarray(images[test, 0]))
            for name, values in _named(all_sides.scores, all_sides.embedding, "").items():
                found[name][test] = values
        if split == "all":
            save_arrays(_state_path(job, seed), {k: v.detach().numpy() for k, v in network.state_dict().items()})
        return found

    settings = [teaching.to_settings(), len(neurons), FORM.to_settings(), seed]
    return job.stage(f"resnet18-{split}-{seed}-{fold}", settings, compute)


def _named(scores: tuple[NDArray[Any], ...], embedding: NDArray[Any], suffix: str) -> Arrays:
    named = {"class8": scores[0], "broad": scores[1], "embedding": embedding}
    return {name + suffix: values.astype(np.float32) for name, values in named.items()}


def _fit(
    job: Job, neurons: NeuronSet, images: Images, rows: IntArray, teaching: ImageTeaching, name: str, seed: int
) -> ResnetClassifier:
    checkpoint = job.checkpoint(name)
    network = fit_resnet(
        np.ascontiguousarray(images[rows, :-1]),
        neurons.truth[rows],
        neurons.broad[rows],
        teaching,
        seed,
        start=body_to_start_from(job, teaching),
        checkpoint=checkpoint,
        progress=job.steps(name),
    )
    # half a gigabyte of optimiser state a fold is of no use once the fold is done
    checkpoint.unlink(missing_ok=True)
    return network


def _state_path(job: Job, seed: int) -> Path:
    return job.out / "networks" / f"resnet18-{seed}.npz"


def network_of(job: Job, neurons: NeuronSet, seed: int) -> ResnetClassifier:
    """The network taught with all neurons."""
    fold_answers(job, neurons, "all", seed, 0)
    network = ResnetClassifier(fitting(teaching_of(job), neurons).shape)
    with np.load(_state_path(job, seed)) as stored:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in stored.items()})
    return network.eval()
