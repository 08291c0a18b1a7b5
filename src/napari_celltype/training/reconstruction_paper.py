"""The networks of Zhang et al. with their settings, on one split: what they reach here, next to what they print.

Settings are the paper's where it states them: learning rate 1e-4 (1e-5 for the body of the residual network), no class
weights, no varied copies, one split, one seed. What differs: no weights from ImageNet can be had, so the body comes
from the autoencoder on simulated neurons; and epochs are few, since these runs have a processor and no cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_celltype.errors import CelltypeError
from napari_celltype.models.calibration import softmax
from napari_celltype.models.networks.neuron_sequence import SequenceClassifier, SequenceShape
from napari_celltype.models.networks.unet import UnetClassifier, UnetShape
from napari_celltype.models.neuron_image import draw_as_it_lies
from napari_celltype.neuron import Neuron

from .feature_study import VARIANTS
from .fitting import Plan, fit, step_generator
from .job import Job
from .metrics import score_seeds
from .neuron_images import Images
from .neuron_splits import cell_folds
from .neurons import NeuronSet, read_neurons
from .resnet import body_to_start_from, teaching_of
from .resnet_fit import answer_images, fit_resnet

__all__ = ["LONGEST", "node_lists", "run", "variant_images"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

LONGEST = 1500
IMAGE_VARIANTS = ("raw", "repaired", "resampled", "aligned")
LIST_VARIANTS = ("raw", "repaired")


@dataclass(frozen=True)
class Effort:
    """Epochs each network is taught for; the paper's are 20 and 100."""

    images: int = 2
    lists: int = 3


def run(job: Job) -> dict[str, Any]:
    """Every network once, on fold 0 of the folds by cell."""
    neurons = read_neurons(job.data, job.out / "cache")
    if job.quick:
        neurons = neurons.take(np.flatnonzero(np.arange(len(neurons)) % 40 == 0))
    test = cell_folds(neurons, 5, job.seed) == 0
    effort = Effort(1, 1) if job.quick else Effort()
    figures: dict[str, Any] = {}
    for variant in IMAGE_VARIANTS[:1] if job.quick else IMAGE_VARIANTS:
        images = variant_images(job, neurons, variant)
        figures[f"ResNet18, {variant}"] = _judge(job, neurons, test, f"resnet-{variant}", effort, _resnet, images)
    images = variant_images(job, neurons, "raw")
    figures["U-Net, raw"] = _judge(job, neurons, test, "unet-raw", effort, _unet, images)
    for variant in LIST_VARIANTS[:1] if job.quick else LIST_VARIANTS:
        lists = node_lists(job, neurons, variant)
        figures[f"LSTM, {variant}"] = _judge(job, neurons, test, f"lstm-{variant}", effort, _lstm, lists)
    return {"epochs": {"images": effort.images, "lists": effort.lists}, "test_files": int(test.sum()), **figures}


Teach = Callable[[Job, Any, IntArray, NDArray[np.bool_], int, Effort], FloatArray]


def _judge(
    job: Job, neurons: NeuronSet, test: NDArray[np.bool_], name: str, effort: Effort, teach: Teach, data: Any
) -> dict[str, Any]:
    def compute() -> dict[str, NDArray[Any]]:
        return {"shares": teach(job, data, neurons.truth, test, len(neurons.classes), effort)}

    shares = job.stage(f"paper-{name}", [len(neurons), effort.images, effort.lists], compute)["shares"]
    return score_seeds([shares], neurons.truth[test], neurons.classes, neurons.cells[test].astype(np.int64)).to_dict()


def _changed(neurons: NeuronSet, variant: str) -> list[Neuron]:
    found = []
    for neuron in neurons.neurons():
        try:
            found.append(VARIANTS[variant](neuron))
        except CelltypeError:
            found.append(neuron)
    return found


def variant_images(job: Job, neurons: NeuronSet, variant: str) -> Images:
    """Projections of all neurons after one of the paper's preparations, (n, 1, 3, px, px)."""

    def compute() -> dict[str, NDArray[Any]]:
        drawn = [draw_as_it_lies(_sound(neuron), teaching_of(job).image_px) for neuron in _changed(neurons, variant)]
        return {"images": np.stack(drawn)[:, None]}

    return job.stage(f"paper-images-{variant}", [len(neurons)], compute)["images"]


def _sound(neuron: Neuron) -> Neuron:
    known = np.isfinite(neuron.xyz_um).all(axis=1)
    return neuron if known.all() else neuron.take(known)


def node_lists(job: Job, neurons: NeuronSet, variant: str) -> dict[str, NDArray[Any]]:
    """Rows of the files as they are: number, type, x, y, z, radius, number of the parent; cut at :data:`LONGEST`."""

    def compute() -> dict[str, NDArray[Any]]:
        found = np.zeros((len(neurons), LONGEST, 7), dtype=np.float32)
        lengths = np.zeros(len(neurons), dtype=np.int64)
        for row, neuron in enumerate(_changed(neurons, variant)):
            n = lengths[row] = min(len(neuron), LONGEST)
            number = np.arange(len(neuron)) + 1.0
            up = np.where(neuron.parents >= 0, number[neuron.parents], -1.0)
            table = np.column_stack([number, neuron.types, neuron.xyz_um, neuron.radii_um, up])
            found[row, :n] = np.nan_to_num(table[:n])
        return {"nodes": found, "lengths": lengths}

    return job.stage(f"paper-lists-{variant}", [len(neurons), LONGEST], compute)


def _resnet(job: Job, images: Images, truth: IntArray, test: NDArray[np.bool_], k: int, effort: Effort) -> FloatArray:
    usual = teaching_of(job)
    teaching = replace(
        usual,
        shape=replace(usual.shape, outputs=(k, 2)),
        epochs=effort.images,
        learning_rate=1e-4,
        body_rate=0.1,
        weight_decay=0.0,
        smoothing=0.0,
        balance=0.0,
        broad=0.0,
        schedule="constant",
    )
    train = np.flatnonzero(~test)
    network = fit_resnet(
        np.ascontiguousarray(images[train]),
        truth[train],
        np.full(len(train), -1),
        teaching,
        job.seed,
        start=body_to_start_from(job, teaching),
        progress=job.steps("ResNet18 as in the paper"),
    )
    return np.exp(answer_images(network, np.ascontiguousarray(images[test, 0]), 1).scores[0])


def _unet(job: Job, images: Images, truth: IntArray, test: NDArray[np.bool_], k: int, effort: Effort) -> FloatArray:
    network = UnetClassifier(UnetShape(width=8, levels=4, classes=k), torch.Generator().manual_seed(job.seed))
    pixels, codes = torch.from_numpy(images[:, 0]), torch.from_numpy(truth)

    def loss(rows: Tensor) -> Tensor:
        x = pixels[rows].float() / 255
        logits, drawn = network(x)
        return nn.functional.cross_entropy(logits, codes[rows]) + nn.functional.mse_loss(drawn, x)

    _descend(job, network, loss, np.flatnonzero(~test), 2 * effort.images, "U-Net")
    with torch.inference_mode():
        parts = torch.from_numpy(np.flatnonzero(test)).split(64)  # type: ignore[no-untyped-call]
        logits = torch.cat([network(pixels[rows].float() / 255)[0] for rows in parts])
    return softmax(logits.numpy().astype(float))


def _lstm(
    job: Job, lists: dict[str, NDArray[Any]], truth: IntArray, test: NDArray[np.bool_], k: int, effort: Effort
) -> FloatArray:
    network = SequenceClassifier(SequenceShape(classes=k), torch.Generator().manual_seed(job.seed))
    nodes, lengths = torch.from_numpy(lists["nodes"]), torch.from_numpy(lists["lengths"])
    codes = torch.from_numpy(truth)

    def loss(rows: Tensor) -> Tensor:
        longest = int(lengths[rows].max())
        logits, _ = network(nodes[rows, :longest], lengths[rows])
        return nn.functional.cross_entropy(logits, codes[rows])

    _descend(job, network, loss, np.flatnonzero(~test), effort.lists, "LSTM")
    with torch.inference_mode():
        parts = torch.from_numpy(np.flatnonzero(test)).split(64)  # type: ignore[no-untyped-call]
        logits = torch.cat([network(nodes[rows], lengths[rows])[0] for rows in parts])
    return softmax(logits.numpy().astype(float))


def _descend(
    job: Job, network: nn.Module, loss: Callable[[Tensor], Tensor], train: IntArray, epochs: int, name: str
) -> None:
    """Adam at the paper's constant 1e-4, in batches of 32."""
    batch = 32
    per_epoch = max(1, len(train) // batch)
    rows = torch.from_numpy(train)

    def loss_at(step: int) -> Tensor:
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(rows), generator=step_generator(job.seed + 7, epoch))
        return loss(rows[order[place * batch : (place + 1) * batch]])

    fit(network, loss_at, Plan(epochs * per_epoch, 1e-4, "adam"), progress=job.steps(f"{name} as in the paper"))
