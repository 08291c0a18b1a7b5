"""Teaching the Tree-LSTM: both questions at once, on trees varied anew at every step."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nan_to_num, zeros_like
from torch.nn.functional import cross_entropy, huber_loss

from napari_celltype.models.networks.forest import plant
from napari_celltype.models.networks.tree_lstm import TreeLstm, TreeShape
from napari_celltype.models.runtime import inference

from .fitting import Plan, Progress, fit, step_generator
from .tree_pieces import Grove, PieceVariation, vary_pieces

__all__ = ["Lessons", "TreeTeaching", "fit_tree", "tree_answers"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class TreeTeaching:
    """How a Tree-LSTM is taught.

    Parameters
    ----------
    epochs, batch, learning_rate, weight_decay
        Of the descent: one cycle of the learning rate, AdamW.
    balance
        Weight of a class is its rarity to this power.
    smoothing, broad
        Label smoothing, and weight of the second question.
    measures
        Weight of predicting measures of the neuron's shape, a lesson only: it shows what is worth counting.
    copies
        Trees a neuron is taught by: as it is, and varied copies of it.
    """

    epochs: int = 4
    batch: int = 40
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    balance: float = 0.5
    smoothing: float = 0.05
    broad: float = 0.5
    measures: float = 1.0
    dropout: float = 0.1
    pooled: bool = True
    copies: int = 3
    variation: PieceVariation = field(default_factory=PieceVariation)

    def to_settings(self) -> dict[str, Any]:
        """Plain data: what decides the result."""
        return asdict(self)

    def shape(self, inputs: int, *heads: int) -> TreeShape:
        """Of the network."""
        return TreeShape(inputs, heads=heads, dropout=self.dropout, pooled=self.pooled)

    def plan(self, n_neurons: int) -> Plan:
        """Of the descent."""
        steps = self.epochs * max(1, round(n_neurons / self.batch))
        return Plan(steps, self.learning_rate, weight_decay=self.weight_decay, schedule="one-cycle", save_every=100)


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is asked about the neurons of a grove.

    Parameters
    ----------
    truth, broad
        (n,) answers to the two questions, -1 where there is none.
    measures
        (n, d) measures of shape, NaN where there is none.
    n_classes
        Of the first question.
    """

    truth: Rows
    broad: Rows
    measures: FloatArray
    n_classes: int


def fit_tree(
    grove: Grove,
    rows: Rows,
    lessons: Lessons,
    teaching: TreeTeaching,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TreeLstm:
    """Teach a network the neurons of ``rows``; it answers the two questions, and nothing else once it is taught."""
    features, _ = grove.trees(rows)
    wanted = _standardised(lessons.measures, rows)
    shape = teaching.shape(features.shape[1], lessons.n_classes, 2, wanted.shape[1])
    network = TreeLstm(shape, torch.Generator().manual_seed(seed))
    network.fit_scales(torch.from_numpy(features))
    fine = _Question(lessons.truth, rows, lessons.n_classes, teaching)
    coarse = _Question(lessons.broad, rows, 2, teaching)

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([seed, step])
        torch.manual_seed(int(step_generator(seed, step).initial_seed() % 2**31))
        chosen = rows[_batch(len(rows), teaching.batch, seed, step)]
        varied, trees = vary_pieces(
            *grove.trees(chosen, rng.integers(teaching.copies, size=len(chosen))), teaching.variation, rng
        )
        outputs, _ = network(torch.from_numpy(varied), plant(trees), half=True)
        types, broad, measured = outputs.split(shape.heads, dim=1)
        gaps = nan_to_num(measured - wanted[chosen])
        loss = fine.loss(types, chosen) + teaching.broad * coarse.loss(broad, chosen)
        return loss + teaching.measures * huber_loss(gaps, zeros_like(gaps))

    fit(network, loss_at, teaching.plan(len(rows)), checkpoint=checkpoint, progress=progress)
    return without_lessons(network)


def without_lessons(network: TreeLstm) -> TreeLstm:
    """The network with the outputs of the two questions only."""
    shape = replace(network.shape, heads=network.shape.heads[:2])
    state = network.state_dict()
    for name in ("output.weight", "output.bias"):
        state[name] = state[name][: sum(shape.heads)]
    smaller = TreeLstm(shape)
    smaller.load_state_dict(state)
    return smaller.eval()


def _standardised(measures: FloatArray, rows: Rows) -> Tensor:
    """Centred and scaled as the training neurons say, cut at three; gaps stay."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a measure nobody has is a gap, and teaches nothing
        centre, spread = np.nanmean(measures[rows], axis=0), np.nanstd(measures[rows], axis=0)
    scaled = np.clip((measures - centre) / np.maximum(spread, 1e-9), -3, 3)
    return torch.from_numpy(scaled).float()


def _batch(n: int, size: int, seed: int, step: int) -> Rows:
    """Rows of a step: every row once an epoch, in an order of its own."""
    per_epoch = max(1, round(n / size))
    order = np.random.default_rng([seed, 7, step // per_epoch]).permutation(n)
    return np.array_split(order, per_epoch)[step % per_epoch]


class _Question:
    """Answers and class weights of one head."""

    def __init__(self, codes: Rows, rows: Rows, n_classes: int, teaching: TreeTeaching) -> None:
        known = codes[rows][codes[rows] >= 0]
        counts = np.maximum(np.bincount(known, minlength=n_classes), 1)
        weights = (counts.sum() / n_classes / counts) ** teaching.balance
        self.weights = torch.from_numpy(weights / (weights * counts).sum() * counts.sum()).float()
        self.codes, self.smoothing = torch.from_numpy(codes), teaching.smoothing

    def loss(self, logits: Tensor, chosen: Rows) -> Tensor:
        """Mean over the neurons of the batch; those without an answer count nothing."""
        codes = self.codes[chosen]
        known = codes >= 0
        each = cross_entropy(logits[known], codes[known], label_smoothing=self.smoothing, reduction="none")
        return (each * self.weights[codes[known]]).sum() / len(chosen)


def tree_answers(network: TreeLstm, grove: Grove, copy: int = 0, batch: int = 64) -> dict[str, FloatArray]:
    """Of a copy of every neuron: log-probabilities of both heads (``class8``, ``broad``), and ``embedding``."""
    network.eval()
    parts: dict[str, list[NDArray[Any]]] = {"class8": [], "broad": [], "embedding": []}
    for rows in np.array_split(np.arange(len(grove)), max(1, len(grove) // batch)):
        features, trees = grove.trees(rows, copy)
        with inference(1):
            logits, embedding = network(torch.from_numpy(features), plant(trees))
            fine, broad = (head.log_softmax(dim=1) for head in logits.split(network.shape.heads, dim=1))
        for name, tensor in zip(parts, (fine, broad, embedding), strict=True):
            parts[name].append(tensor.numpy())
    return {name: np.concatenate(found).astype(float) for name, found in parts.items()}
