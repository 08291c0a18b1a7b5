"""Joining experts on reconstructions: a network on their embeddings, and one weight for what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.calibration import Calibration, log_softmax
from napari_celltype.models.networks.combined import CombinedHead, CombinedShape

from .fitting import Plan, fit, step_generator

__all__ = ["JoinTeaching", "fit_head", "fit_mixing", "head_answers"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class JoinTeaching:
    """How the joining network is taught; the rate is one of the paper's three.

    ``features`` says whether it reads the measured features beside the two embeddings.
    """

    form: str = "last"
    features: bool = False
    learning_rate: float = 1e-3
    epochs: int = 20
    batch: int = 128
    weight_decay: float = 5e-2
    dropout: float = 0.3
    smoothing: float = 0.05
    balance: float = 0.5
    broad: float = 0.3
    noise: float = 0.1

    def to_settings(self) -> dict[str, Any]:
        """Plain data: what decides the result."""
        return asdict(self)


def fit_head(
    copies: Sequence[FloatArray],
    parts: Sequence[int],
    truth: IntArray,
    broad: IntArray,
    n_classes: int,
    teaching: JoinTeaching,
    seed: int,
) -> CombinedHead:
    """Teach the joining network.

    Parameters
    ----------
    copies
        Joined embeddings (n, d) of the training cells, and of varied copies of them.
    parts
        Numbers in each embedding.
    truth, broad
        Answers to the two questions; -1 asks nothing.
    """
    shape = CombinedShape(tuple(parts), 128, (n_classes, 2), teaching.form, teaching.dropout)
    network = CombinedHead(shape, torch.Generator().manual_seed(seed))
    stacked = torch.from_numpy(np.stack(copies)).float()
    network.fit_scales(stacked[0])
    targets = [_targets(codes, k, teaching) for codes, k in ((truth, n_classes), (broad, 2))]
    n = stacked.shape[1]
    per_epoch = max(1, n // teaching.batch)

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(n, generator=step_generator(seed + 7, epoch))
        rows = order[place * teaching.batch : (place + 1) * teaching.batch]
        copy = torch.randint(len(stacked), (len(rows),), generator=generator)
        x = stacked[copy, rows]
        x = x + teaching.noise * network.spread * torch.randn(x.shape, generator=generator)
        logits = network(x, generator)
        losses = [-(t[rows] * s.log_softmax(dim=1)).sum(dim=1).mean() for s, t in zip(logits, targets, strict=True)]
        return losses[0] + teaching.broad * losses[1]

    plan = Plan(
        teaching.epochs * per_epoch, teaching.learning_rate, weight_decay=teaching.weight_decay, schedule="one-cycle"
    )
    fit(network, loss_at, plan)
    return network


def _targets(codes: IntArray, n_classes: int, teaching: JoinTeaching) -> Tensor:
    """Smoothed one-hot rows times the weight of their class; zero rows where nothing is asked."""
    known = codes >= 0
    counts = np.maximum(np.bincount(codes[known], minlength=n_classes), 1)
    weights = (counts.sum() / n_classes / counts) ** teaching.balance
    rows = np.eye(n_classes)[codes] * (1 - teaching.smoothing) + teaching.smoothing / n_classes
    return torch.from_numpy(rows * (weights[codes] * known)[:, None]).float()


def head_answers(network: CombinedHead, joined: FloatArray) -> tuple[FloatArray, ...]:
    """Log-probabilities of each question for joined embeddings."""
    with torch.inference_mode():
        found = network.eval().summarise(torch.from_numpy(joined).float())
    return tuple(scores.numpy().astype(float) for scores in found)


def fit_mixing(
    scores: Sequence[FloatArray], truth: IntArray, n_classes: int, *, strength: float = 2.0, offsets: float = 20.0
) -> Calibration:
    """One weight for each expert, and an offset for each class, for cells none of the experts was trained on.

    Parameters
    ----------
    scores
        Log-probabilities (n, k) of each expert.
    strength, offsets
        How strongly weights are held to an even share, and offsets to zero, in cells.

    Returns
    -------
    Calibration
        From the scores of all experts side by side to probabilities.
    """
    from scipy.optimize import minimize

    stacked = np.stack(scores)
    n_experts, n = len(scores), len(truth)
    start = np.concatenate([np.full(n_experts, 1.0 / n_experts), np.zeros(n_classes)])
    rows = np.arange(n)
    answer = np.eye(n_classes)[truth]

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        weights, bias = parameters[:n_experts], parameters[n_experts:]
        logs = log_softmax(np.tensordot(weights, stacked, axes=1) + bias)
        gap = np.exp(logs) - answer
        pull = parameters - start
        hold = np.concatenate([np.full(n_experts, strength), np.full(n_classes, offsets)])
        value = -logs[rows, truth].sum() + (hold * pull**2).sum()
        slope = np.concatenate([(stacked * gap).sum(axis=(1, 2)), gap.sum(axis=0)]) + 2 * hold * pull
        return float(value), slope

    bounds = [(0.0, None)] * n_experts + [(None, None)] * n_classes
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weight = np.concatenate([w * np.eye(n_classes) for w in found[:n_experts]])
    return Calibration(weight, found[n_experts:])
