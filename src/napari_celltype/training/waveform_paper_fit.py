"""Training by the papers' settings, as printed: Adam 1e-3, L2 1e-5, cross-entropy summed over the batch, 100 epochs.

Of all epochs the one with the highest validation accuracy counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.calibration import softmax
from napari_celltype.models.networks.triple_cnn import CnnShape, TripleCnn
from napari_celltype.models.runtime import inference

from .fitting import Plan, fit, step_generator
from .job import Job
from .spikes import SpikeSet
from .splits import Split

__all__ = ["PaperFit", "PaperPlan", "fit_paper", "five_class", "paper_shape", "tested"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


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


def five_class(spikes: SpikeSet) -> SpikeSet:
    """Cells of the five types."""
    return spikes.take(np.flatnonzero(spikes.subclass >= 0))


def paper_shape(streams: tuple[str, ...], outputs: int, samples: int) -> CnnShape:
    """The network of some inputs, at the size we read the paper's figure as."""
    return CnnShape(samples=samples, outputs=outputs, streams=streams)


def tested(
    job: Job, name: str, plan: PaperPlan, compute: Callable[[], dict[str, NDArray[Any]]], *key: Any
) -> dict[str, NDArray[Any]]:
    """What an experiment found, from its stage if it was finished before; ``key`` is what else decides it."""
    stage = "paper-" + "".join(c if c.isalnum() else "-" for c in name)
    return job.stage(stage, [name, asdict(plan), *key], compute)
