"""Teaching the triple-input CNN we ship: both questions at once, varied windows, every labelled cell.

One network answers which of five types a cell is, whether it is excitatory or inhibitory, and (as a lesson only)
what its 41 features are. A cell known by halves teaches what is known of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.networks.triple_cnn import CnnShape, TripleCnn

from .fitting import Plan, Progress, fit, step_generator
from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet

__all__ = ["HEADS", "Teaching", "Variation", "fit_cnn", "vary"]

FloatArray = NDArray[np.float64]

HEADS = {
    "subclass": slice(0, len(FIVE_CLASSES)),
    "broad": slice(len(FIVE_CLASSES), len(FIVE_CLASSES) + len(BROAD_CLASSES)),
}
"""Which outputs answer which question; features follow."""


@dataclass(frozen=True)
class Variation:
    """How far windows are varied while training: what may differ between rigs and cells without changing the type.

    Parameters
    ----------
    shift_samples
        Largest shift, to either side.
    gain, offset_mv, noise_mv
        Spread of the gain around -50 mV and of the offset (junction potentials differ), and largest noise.
    smooth
        Share of windows blurred a little: other filters.
    """

    shift_samples: float = 1.0
    gain: float = 0.04
    offset_mv: float = 3.0
    noise_mv: float = 0.1
    smooth: float = 0.0


@dataclass(frozen=True)
class Teaching:
    """How the shipped networks are taught.

    Parameters
    ----------
    mixup, smoothing
        Parameter of the mixing of pairs of windows, and of label smoothing.
    balance
        Weight of a class is its rarity to this power.
    broad
        Weight of the second question.
    others
        Whether cells that are none of the five types (human, Htr3a, Gad2) teach the second question.
    features
        Weight of predicting the 41 features; 0 leaves them out.
    """

    shape: CnnShape = field(default_factory=lambda: CnnShape(slopes=2, coefficients=30, scale_each=True, dropout=0.3))
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    mixup: float = 0.2
    smoothing: float = 0.05
    balance: float = 0.5
    broad: float = 0.5
    others: bool = False
    features: float = 0.0
    variation: Variation = field(default_factory=Variation)

    def to_settings(self) -> dict[str, Any]:
        """Plain data: what decides the result."""
        return asdict(self)

    def plan(self, n_cells: int) -> Plan:
        """Of the descent."""
        steps = self.epochs * max(1, round(n_cells / self.batch))
        return Plan(steps, self.learning_rate, weight_decay=self.weight_decay, schedule="one-cycle", save_every=100)


def fit_cnn(
    spikes: SpikeSet,
    features: FloatArray | None,
    teaching: Teaching,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TripleCnn:
    """Teach an ensemble; ``features`` are (n, d) with NaN for gaps, beside the spikes.

    The network's outputs are those of :data:`HEADS`, then the features.
    """
    rows = np.flatnonzero((spikes.subclass >= 0) | (teaching.others & (spikes.broad >= 0)))
    lesson = _Lesson.of(spikes, features if teaching.features else None, rows, teaching)
    network = TripleCnn(_shaped(teaching.shape, lesson), torch.Generator().manual_seed(seed))
    network.fit_scales(lesson.windows)
    members = network.shape.members

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        chosen = torch.randint(len(rows), (members, teaching.batch), generator=generator)
        x = vary(lesson.windows[chosen], teaching.variation, generator)
        other = torch.randint(teaching.batch, (teaching.batch,), generator=generator)
        share = _beta(teaching.mixup, members, generator)
        logits, _ = network(share * x + (1 - share) * x[:, other], generator)
        loss = share[..., 0] * lesson.loss(logits, chosen) + (1 - share[..., 0]) * lesson.loss(logits, chosen[:, other])
        return loss.mean(dim=1).sum()

    fit(network, loss_at, teaching.plan(len(rows)), checkpoint=checkpoint, progress=progress)
    return network


def _shaped(shape: CnnShape, lesson: _Lesson) -> CnnShape:
    outputs = HEADS["broad"].stop + lesson.features.shape[1]
    return CnnShape(**{**asdict(shape), "outputs": outputs, "samples": lesson.windows.shape[1]})


@dataclass(frozen=True, eq=False)
class _Lesson:
    """Windows and targets as tensors; unknown targets have no weight."""

    windows: Tensor
    subclass: Tensor
    broad: Tensor
    features: Tensor
    known: Tensor
    teaching: Teaching

    @classmethod
    def of(cls, spikes: SpikeSet, features: FloatArray | None, rows: NDArray[np.intp], teaching: Teaching) -> _Lesson:
        values = np.zeros((len(rows), 0)) if features is None else _standardised(features[rows])
        return cls(
            windows=torch.from_numpy(spikes.windows[rows]).float(),
            subclass=_targets(spikes.subclass[rows], len(FIVE_CLASSES), teaching),
            broad=_targets(spikes.broad[rows], len(BROAD_CLASSES), teaching) * teaching.broad,
            features=torch.from_numpy(np.nan_to_num(values)).float(),
            known=torch.from_numpy(np.isfinite(values)).float(),
            teaching=teaching,
        )

    def loss(self, logits: Tensor, chosen: Tensor) -> Tensor:
        """Of each item of each member."""
        total = torch.zeros(chosen.shape)
        for name, head in HEADS.items():
            total = total - (getattr(self, name)[chosen] * logits[..., head].log_softmax(dim=-1)).sum(dim=-1)
        if self.features.shape[1]:
            gaps = (logits[..., HEADS["broad"].stop :] - self.features[chosen]).square() * self.known[chosen]
            total = total + self.teaching.features * gaps.mean(dim=-1)
        return total


def _targets(codes: NDArray[np.intp], n_classes: int, teaching: Teaching) -> Tensor:
    """Smoothed one-hot rows times the weight of their class; zero rows where the class is unknown."""
    known = codes >= 0
    counts = np.maximum(np.bincount(codes[known], minlength=n_classes), 1)
    weights = (counts.sum() / n_classes / counts) ** teaching.balance
    rows = np.eye(n_classes)[codes] * (1 - teaching.smoothing) + teaching.smoothing / n_classes
    return torch.from_numpy(rows * (weights[codes] * known)[:, None]).float()


def _standardised(values: FloatArray) -> FloatArray:
    """Centred on medians, scaled by quartiles, cut at four."""
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    return np.clip((values - middle) / np.maximum((high - low) * 0.74, 1e-12), -4, 4)


def _beta(parameter: float, members: int, generator: torch.Generator) -> Tensor:
    """Shares of the first window of each mixed pair, (members, 1, 1); 1 without mixing."""
    if not parameter:
        return torch.ones(members, 1, 1)
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    return torch.from_numpy(rng.beta(parameter, parameter, (members, 1, 1))).float()


def vary(windows: Tensor, variation: Variation, generator: torch.Generator) -> Tensor:
    """Windows in mV, each shifted, scaled, moved, blurred and made noisy at random."""
    one = (*windows.shape[:-1], 1)
    n = windows.shape[-1]
    shift = (2 * torch.rand(one, generator=generator) - 1) * variation.shift_samples
    places = (torch.arange(n) + shift).clamp(0, n - 1.001)
    left = places.long()
    share = places - left
    x = windows.gather(-1, left) * (1 - share) + windows.gather(-1, left + 1) * share
    blurred = x.clone()
    blurred[..., 1:-1] = 0.25 * x[..., :-2] + 0.5 * x[..., 1:-1] + 0.25 * x[..., 2:]
    share = torch.rand(one, generator=generator) * (torch.rand(one, generator=generator) < variation.smooth)
    x = x + share * (blurred - x)
    x = (x + 50) * (1 + variation.gain * torch.randn(one, generator=generator)) - 50
    x = x + variation.offset_mv * torch.randn(one, generator=generator)
    level = variation.noise_mv * torch.rand(one, generator=generator)
    return x + level * torch.randn(x.shape, generator=generator)
