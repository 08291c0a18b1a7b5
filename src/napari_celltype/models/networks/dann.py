"""DANN: a label head and a species head on shared features, the species head's gradient reversed on its way back.

Ganin et al., JMLR 2016. The features thus learn to serve the labels and to hide the species. Members of an ensemble
are stacked (see :mod:`.stacked`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .stacked import StackedPerceptron

__all__ = ["Dann", "DannShape", "reversal_at", "reverse_gradient"]


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """``x`` unchanged; its gradient times minus ``strength``."""
    reversed_: Tensor = _Reversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return reversed_


def reversal_at(progress: float, most: float = 1.0) -> float:
    """Strength of the reversal when this share of training is done: 0 at first, ``most`` in the end.

    ``most (2 / (1 + exp(-10 progress)) - 1)``, the usual schedule: the species head learns before it is worked against.
    """
    return most * (2 / (1 + math.exp(-10 * progress)) - 1)


@dataclass(frozen=True)
class DannShape:
    """Sizes: members, features in, shared layers, and each head's hidden layer."""

    members: int = 1
    features: int = 41
    classes: int = 2
    shared: tuple[int, ...] = (64, 32)
    head: int = 16


class Dann(nn.Module):
    """Shared layers, label head, species head."""

    def __init__(self, shape: DannShape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        width = shape.shared[-1]
        self.shared = StackedPerceptron(shape.members, (shape.features, *shape.shared), generator, bounded=True)
        self.labels = StackedPerceptron(shape.members, (width, shape.head, shape.classes), generator)
        self.species = StackedPerceptron(shape.members, (width, shape.head, 2), generator)

    def forward(self, x: Tensor, strength: float = 0.0) -> tuple[Tensor, Tensor]:
        """Logits of the labels and of the species, for (members, items, features)."""
        common = self.shared(x)
        return self.labels(common), self.species(reverse_gradient(common, strength))

    def summarise(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the ensemble, for (items, features): mean label and species logits, shared features side by side."""
        common = self.shared(x.expand(self.shape.members, -1, -1))
        species = self.species(common).mean(dim=0)
        return self.labels(common).mean(dim=0), species, common.permute(1, 0, 2).flatten(1)
