"""LSPIN, the locally sparse interpretable network: one net opens gates on the features, another predicts through them.

Yang, Lindenbaum and Kluger, ICML 2022, with the sizes of Ophir et al. 2023. A gate is
``clip(mu + 0.5 + noise, 0, 1)`` with ``mu`` from the gating net, noise only while training. Members of an ensemble
are stacked (see :mod:`.stacked`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .stacked import StackedPerceptron

__all__ = ["Lspin", "LspinShape", "gate_similarity", "open_probability"]


@dataclass(frozen=True)
class LspinShape:
    """Sizes and variants.

    Parameters
    ----------
    members
        Networks in the stack.
    normalise, bounded
        Batch normalisation before every layer, and tanh on the logits, as the published code has them (the paper
        does not say so).
    sees_gaps
        Whether the gating net is told which features are known.
    spread
        Standard deviation of the first weights; None scales it to each layer's inputs.
    """

    members: int = 1
    features: int = 41
    classes: int = 5
    hidden: tuple[int, ...] = (40, 20)
    gating: tuple[int, ...] = (50, 50, 50)
    sigma: float = 0.5
    normalise: bool = True
    bounded: bool = True
    sees_gaps: bool = False
    spread: float | None = 0.1


class Lspin(nn.Module):
    """Gating net and prediction net."""

    def __init__(self, shape: LspinShape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        inputs = shape.features * (2 if shape.sees_gaps else 1)
        self.gating = StackedPerceptron(
            shape.members,
            (inputs, *shape.gating, shape.features),
            generator,
            normalise=shape.normalise,
            bounded=True,
            spread=shape.spread,
        )
        self.prediction = StackedPerceptron(
            shape.members,
            (shape.features, *shape.hidden, shape.classes),
            generator,
            normalise=shape.normalise,
            bounded=shape.bounded,
            spread=shape.spread,
        )

    def forward(
        self, x: Tensor, known: Tensor, weight: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, gates and the gates' centres ``mu``.

        Parameters
        ----------
        x, known
            (members, items, features); features without gaps, and 1 where they were measured. The gate of an
            unmeasured feature is shut.
        weight
            (members, items, 1), 0 for padding; only batch normalisation looks at it.
        noise
            What is added to the gates while training, shaped as ``x``.
        """
        centres = self.gating(torch.cat([x, known], dim=-1) if self.shape.sees_gaps else x, weight)
        opened = centres + 0.5
        if noise is not None:
            opened = opened + noise
        gates = opened.clamp(0, 1) * known
        return self.prediction(x * gates, weight), gates, centres

    def summarise(self, x: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the ensemble, for (items, features): log mean probabilities, mean gates, hidden layers side by side."""
        x, known = x.expand(self.shape.members, -1, -1), known.expand(self.shape.members, -1, -1)
        centres = self.gating(torch.cat([x, known], dim=-1) if self.shape.sees_gaps else x)
        gates = (centres + 0.5).clamp(0, 1) * known
        hidden, logits = self.prediction.hidden_and_output(x * gates)
        mean = logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(self.shape.members)
        return mean, gates.mean(dim=0), hidden.permute(1, 0, 2).flatten(1)


def open_probability(centres: Tensor, sigma: float) -> Tensor:
    """Chance that a gate's noise leaves it open: what the sparsity penalty counts."""
    return 0.5 * (1 + torch.erf((centres + 0.5) / (sigma * math.sqrt(2))))


def gate_similarity(gates: Tensor, x: Tensor, width: float = 5.0) -> Tensor:
    """Mean over pairs of cells of kernel times squared gate difference: alike cells should open alike gates.

    The kernel is ``exp(-|x_i - x_j|^2 / (2 width^2))``; the result is per member.
    """
    kernel = torch.exp(-(torch.cdist(x, x) ** 2) / (2 * width**2))
    return (kernel * torch.cdist(gates, gates) ** 2).mean(dim=(1, 2))
