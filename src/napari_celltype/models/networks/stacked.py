"""Many small networks of one shape as one: every layer holds its members' weights in one stack.

Nets of a few thousand weights spend their time on starting operations, not on arithmetic; fifty of them in one
batched product cost little more than one. Tensors are (members, items, features).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["StackedLinear", "StackedNorm", "StackedPerceptron"]


class StackedLinear(nn.Module):
    """A linear layer for each member."""

    def __init__(
        self, members: int, inputs: int, outputs: int, generator: torch.Generator, spread: float = 0.1
    ) -> None:
        super().__init__()
        weight = torch.empty(members, inputs, outputs)
        nn.init.trunc_normal_(weight, std=spread, a=-2 * spread, b=2 * spread, generator=generator)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of each member for its own items."""
        return torch.baddbmm(self.bias, x, self.weight)


class StackedNorm(nn.Module):
    """Batch normalisation for each member; items of weight 0 (padding) do not count."""

    def __init__(self, members: int, features: int, momentum: float = 0.1, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nn.Parameter(torch.ones(members, 1, features))
        self.shift = nn.Parameter(torch.zeros(members, 1, features))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(members, 1, features))
        self.register_buffer("running_var", torch.ones(members, 1, features))

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Normalised items; ``weight`` is (members, items, 1)."""
        if self.training:
            share = torch.ones_like(x[..., :1]) if weight is None else weight
            total = share.sum(dim=1, keepdim=True)
            mean = (x * share).sum(dim=1, keepdim=True) / total
            variance = ((x - mean) ** 2 * share).sum(dim=1, keepdim=True) / total
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance, self.momentum)
        else:
            mean, variance = self.running_mean, self.running_var
        return (x - mean) * torch.rsqrt(variance + self.epsilon) * self.scale + self.shift


class StackedPerceptron(nn.Module):
    """Dense layers with tanh between them, for each member.

    Parameters
    ----------
    sizes
        Features in, of every hidden layer, and out.
    normalise
        Batch normalisation before every layer.
    bounded
        tanh after the last layer too.
    spread
        Standard deviation of the first weights (a normal cut at two of them); by default one over the root of the
        number of inputs.
    """

    def __init__(
        self,
        members: int,
        sizes: Sequence[int],
        generator: torch.Generator,
        *,
        normalise: bool = False,
        bounded: bool = False,
        spread: float | None = None,
    ) -> None:
        super().__init__()
        self.bounded = bounded
        pairs = list(pairwise(sizes))
        self.layers = nn.ModuleList(
            StackedLinear(members, a, b, generator, a**-0.5 if spread is None else spread) for a, b in pairs
        )
        self.norms = nn.ModuleList(StackedNorm(members, a) for a, _ in pairs) if normalise else None

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Outputs of the last layer."""
        return self.hidden_and_output(x, weight)[1]

    def hidden_and_output(self, x: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Outputs of the last hidden layer and of the last layer."""
        hidden = x
        for number, layer in enumerate(self.layers):
            last = number == len(self.layers) - 1
            hidden = x if last else hidden
            if self.norms is not None:
                x = self.norms[number](x, weight)
            x = layer(x)
            if not last or self.bounded:
                x = torch.tanh(x)
        return hidden, x
