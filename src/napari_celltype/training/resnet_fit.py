"""Teaching the residual network: first to draw simulated neurons from memory, then what real ones are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.networks.autoencoder import MirrorAutoencoder
from napari_celltype.models.networks.resnet import NOTHING, ResnetClassifier, ResnetShape, turned
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron

from .fitting import Plan, Progress, fit, step_generator
from .neuron_images import Images, ImageVariation

__all__ = ["ImageAnswers", "ImageTeaching", "answer_images", "fit_resnet", "pretrain", "simulated_neurons"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class ImageTeaching:
    """How the network is taught.

    Parameters
    ----------
    image_px, copies
        Size of the images, and varied copies of each neuron.
    smoothing
        Of labels.
    balance
        Weight of a class is its rarity to this power.
    broad
        Weight of the second question.
    body_rate
        Learning rate of the body as a part of that of the heads; the paper's is a tenth.
    pretrained_steps
        Batches the autoencoder is taught for; 0 starts from chance.
    """

    shape: ResnetShape = field(default_factory=ResnetShape)
    image_px: int = 64
    copies: int = 5
    epochs: int = 5
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 5e-2
    smoothing: float = 0.05
    balance: float = 0.5
    broad: float = 0.3
    body_rate: float = 1.0
    mixup: float = 0.0
    schedule: str = "one-cycle"
    pretrained_steps: int = 120
    variation: ImageVariation = field(default_factory=ImageVariation)

    def to_settings(self) -> dict[str, Any]:
        """Plain data: what decides the result."""
        return asdict(self)

    def plan(self, n_cells: int) -> Plan:
        """Of the descent."""
        steps = self.epochs * max(1, n_cells // self.batch)
        return Plan(
            steps,
            self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            save_every=400,
            slower=(("body.", self.body_rate),),
            fused=True,
        )


PRETRAINING_BATCH = 24

SIMULATED = ("Purkinje", "basket", "granule", "pyramidal")
"""What the autoencoder learns from: motoneurons and fly neurons stay unseen, since models must be at a loss there."""


def simulated_neurons(count: int, seed: int) -> list[Neuron]:
    """Neurons of the simulated classes in turn."""
    return [simulate(SIMULATED[number % len(SIMULATED)], seed * 100_003 + number) for number in range(count)]


def pretrain(
    images: Images,
    teaching: ImageTeaching,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """State of a body that learned to draw images (n, copies, 3, px, px) from memory."""
    network = MirrorAutoencoder(teaching.shape, torch.Generator().manual_seed(seed))
    flat = torch.from_numpy(images.reshape(-1, *images.shape[2:]))

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        x = _varied(flat[torch.randint(len(flat), (PRETRAINING_BATCH,), generator=generator)], generator)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = network(x)
            # most of an image is empty: what is drawn counts up to twenty times
        return ((drawn.float() - x).square() * (1 + 40 * (x - NOTHING).abs())).mean()

    plan = Plan(teaching.pretrained_steps, 2e-3, weight_decay=1e-2, schedule="one-cycle", save_every=200, fused=True)
    fit(network, loss_at, plan, checkpoint=checkpoint, progress=progress)
    return network.body.state_dict()


_MIRRORED = (0.5, 0.1, 0.5, 0.05)
"""How often x, y and z are mirrored, and x and y exchanged: the greatest spread seldom changes places."""


def _varied(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Images between 0 and 1: turned and mirrored, a little brighter or darker, a pixel or two aside."""
    bits = torch.rand(len(pixels), 4, generator=generator) < torch.tensor(_MIRRORED)
    x = turned(pixels.float() / 255, bits)
    contrast = 0.8 + 0.4 * torch.rand(len(x), 1, 1, 1, generator=generator)
    x = (NOTHING + contrast * (x - NOTHING)).clamp(0, 1)
    down, across = torch.randint(-2, 3, (2,), generator=generator).tolist()
    return torch.roll(x, (down, across), dims=(2, 3)).contiguous(memory_format=torch.channels_last)


def fit_resnet(
    images: Images,
    truth: IntArray,
    broad: IntArray,
    teaching: ImageTeaching,
    seed: int,
    *,
    start: dict[str, Tensor] | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> ResnetClassifier:
    """Teach a network with images (n, copies, 3, px, px); -1 in ``truth`` or ``broad`` asks nothing."""
    network = ResnetClassifier(teaching.shape, torch.Generator().manual_seed(seed))
    if start is not None:
        network.body.load_state_dict(start)
    pixels = torch.from_numpy(images)
    targets = [_targets(codes, k, teaching) for codes, k in zip((truth, broad), teaching.shape.outputs, strict=True)]
    per_epoch = max(1, len(images) // teaching.batch)

    def loss_at(step: int) -> Tensor:
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(images), generator=step_generator(seed + 7, epoch))
        rows = order[place * teaching.batch : (place + 1) * teaching.batch]
        generator = step_generator(seed, step)
        copy = torch.randint(pixels.shape[1], (len(rows),), generator=generator)
        x = _varied(pixels[rows, copy], generator)
        other = torch.randperm(len(rows), generator=generator)
        share = _beta(teaching.mixup, generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = network(share * x + (1 - share) * x[other], generator)
        return _loss(logits, targets, rows, other, share, teaching)

    fit(network, loss_at, teaching.plan(len(images)), checkpoint=checkpoint, progress=progress)
    return network


def _loss(
    logits: list[Tensor],
    targets: list[Tensor],
    rows: Tensor,
    other: Tensor,
    share: float,
    teaching: ImageTeaching,
) -> Tensor:
    total = torch.zeros(())
    for question, (scores, wanted) in enumerate(zip(logits, targets, strict=True)):
        weight = 1.0 if question == 0 else teaching.broad
        mixed = share * wanted[rows] + (1 - share) * wanted[rows[other]]
        total = total - weight * (mixed * scores.float().log_softmax(dim=1)).sum(dim=1).mean()
    return total


def _targets(codes: IntArray, n_classes: int, teaching: ImageTeaching) -> Tensor:
    """Smoothed one-hot rows times the weight of their class; zero rows where nothing is asked."""
    known = codes >= 0
    counts = np.maximum(np.bincount(codes[known], minlength=n_classes), 1)
    weights = (counts.sum() / n_classes / counts) ** teaching.balance
    weights = weights / max((weights[codes] * known).sum(), 1e-12) * known.sum()
    rows = np.eye(n_classes)[codes] * (1 - teaching.smoothing) + teaching.smoothing / n_classes
    return torch.from_numpy(rows * (weights[codes] * known)[:, None]).float()


def _beta(parameter: float, generator: torch.Generator) -> float:
    if not parameter:
        return 1.0
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    return float(rng.beta(parameter, parameter))


@dataclass(frozen=True, eq=False)
class ImageAnswers:
    """What a network says of images: log-probabilities of each question and the embedding."""

    scores: tuple[FloatArray, ...]
    embedding: FloatArray


def answer_images(
    network: ResnetClassifier, images: Images, views: int = 4, progress: Callable[[int, int], None] | None = None
) -> ImageAnswers:
    """Answers for images (n, 3, px, px), averaged over views."""
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for first in range(0, len(images), 64):
            x = torch.from_numpy(images[first : first + 64]).float() / 255
            parts.append(network.eval().summarise(x, views))
            if progress is not None:
                progress(min(first + 64, len(images)), len(images))
    joined = [torch.cat(outputs).numpy().astype(float) for outputs in zip(*parts, strict=True)]
    return ImageAnswers(tuple(joined[:-1]), joined[-1])
