"""Tree-LSTM networks on the pieces of a neuron: ours, and the published Tree-RNN as its code has it.

Ours is the child-sum Tree-LSTM of Tai, Socher and Manning (2015) in two layers: a forget gate for every child, sums
over children (their order has no say), the output of the first layer into the second. All trees of a batch are
climbed together, level by level (:mod:`.forest`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from .climb import Climb, matmul
from .forest import Forest, sum_runs

__all__ = ["PaperShape", "PaperTreeRnn", "TreeCell", "TreeLstm", "TreeShape"]


@dataclass(frozen=True)
class TreeShape:
    """What a network is made of.

    Parameters
    ----------
    inputs, hidden, embedding
        Numbers a piece, in a cell, and in the layer before the heads.
    heads
        Outputs of each head: eight classes, principal or interneuron, and while training measures of the shape.
    pooled
        Whether mean and sum over all pieces are read out beside the root.
    dropout
        Part of the embedding and of the first layer's output hidden while training.
    """

    inputs: int
    hidden: int = 128
    embedding: int = 128
    heads: tuple[int, ...] = (8, 2)
    pooled: bool = True
    dropout: float = 0.2

    def to_settings(self) -> dict[str, Any]:
        """Plain data for a model's description."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> TreeShape:
        """The inverse."""
        return cls(**{**settings, "heads": tuple(settings["heads"])})


class TreeLstm(nn.Module):
    """Two layers of child-sum cells; the root, mean and sum over the tree make the embedding, which the heads read.

    Parameters
    ----------
    shape
        Sizes.
    generator
        First weights are drawn from it.
    """

    def __init__(self, shape: TreeShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(shape.inputs))
        self.register_buffer("spread", torch.ones(shape.inputs))
        self.cells = nn.ModuleList([TreeCell(shape.inputs, shape.hidden), TreeCell(shape.hidden, shape.hidden)])
        self.readout = nn.Linear(shape.hidden * (3 if shape.pooled else 1), shape.embedding)
        self.output = nn.Linear(shape.embedding, sum(shape.heads))
        self.dropout = nn.Dropout(shape.dropout)
        if generator is not None:
            _initialise(self, generator)

    def fit_scales(self, features: Tensor) -> None:
        """Learn centre and spread of every column; a column that never changes is left as it is."""
        self.centre.copy_(features.mean(dim=0))
        spread = features.std(dim=0)
        self.spread.copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))

    def nodes(self, features: Tensor, forest: Forest, *, half: bool = False) -> Tensor:
        """Output of the second layer at every row of the forest, from features in the trees' own order."""
        x = (features.index_select(0, forest.rows) - self.centre) / self.spread
        for number, cell in enumerate(self.cells):
            x = cell(self.dropout(x) if number else x, forest, half=half)
        return x

    def forward(self, features: Tensor, forest: Forest, *, half: bool = False) -> tuple[Tensor, Tensor]:
        """Outputs of all heads side by side, and embedding (trees, 128).

        ``half`` multiplies matrices in bfloat16: for training, where it is twice as fast and costs nothing.
        """
        hidden = self.nodes(features, forest, half=half)
        read = hidden[: forest.n_trees]
        if self.shape.pooled:
            read = torch.cat([read, *over_trees(hidden, forest)], dim=1)
        embedding = torch.tanh(self.readout(read))
        return self.output(self.dropout(embedding)), embedding


def over_trees(values: Tensor, forest: Forest) -> tuple[Tensor, Tensor]:
    """Mean over the rows of each tree, and their sum on a scale that is logarithmic for large sums.

    The sum tells how much there is of something, which bounded cells lose on a long way to the root.
    """
    total: Tensor = nn.functional.embedding_bag(forest.by_tree, values, forest.tree_starts, mode="sum")
    ends = torch.cat([forest.tree_starts[1:], forest.tree_starts.new_tensor([len(values)])])
    mean = total / (ends - forest.tree_starts)[:, None]
    return mean, torch.asinh(total)


class TreeCell(nn.Module):
    """One layer: input, output and update gates from the node and the sum of its children; a forget gate a child."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, 4 * hidden)
        self.recurrent = nn.Parameter(torch.empty(hidden, 4 * hidden))
        nn.init.orthogonal_(self.recurrent)

    def forward(self, x: Tensor, forest: Forest, *, half: bool = False) -> Tensor:
        """Outputs h of all rows, from inputs of all rows; gates in the order forget, input, output, update."""
        gates = matmul(x, self.inputs.weight.t(), half) + self.inputs.bias
        return cast(Tensor, Climb.apply(gates, self.recurrent, forest, half))  # type: ignore[no-untyped-call]


def _initialise(network: TreeLstm, generator: torch.Generator) -> None:
    """Draw the first weights from our generator.

    Forget gates begin half open: at a fork two halves add up to what came, while wide open ones would double what is
    kept at every fork and drown the root.
    """
    for cell in network.cells:
        assert isinstance(cell, TreeCell)
        _draw(cell.inputs, generator)
        width = cell.recurrent.shape[0]
        with torch.no_grad():
            for part in torch.split(cell.recurrent, width, dim=1):
                nn.init.orthogonal_(part, generator=generator)
    _draw(network.readout, generator)
    _draw(network.output, generator)


def _draw(layer: nn.Linear, generator: torch.Generator) -> None:
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)


@dataclass(frozen=True)
class PaperShape:
    """Of the published network: the seven numbers of an SWC line, 128 hidden, classes."""

    inputs: int = 7
    hidden: int = 128
    classes: int = 8


class PaperTreeRnn(nn.Module):
    """The Tree-RNN of Zhang et al. as its published code computes it, for comparison.

    Notes
    -----
    Its nodes are lines of the SWC file, ids and all. Children's h and c are summed before the gates see them, so one
    forget gate serves all children; the second layer is fed with the first one's c, and c of the root is read out.
    """

    def __init__(self, shape: PaperShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        sizes = (shape.inputs, shape.hidden)
        self.inputs = nn.ModuleList(nn.Linear(size, 4 * shape.hidden) for size in sizes)
        self.recurrent = nn.ModuleList(nn.Linear(shape.hidden, 4 * shape.hidden) for _ in sizes)
        self.output = nn.Linear(shape.hidden, shape.classes)
        if generator is not None:
            for layer in (*self.inputs, *self.recurrent, self.output):
                bound = shape.hidden**-0.5
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def forward(self, features: Tensor, forest: Forest) -> tuple[Tensor, Tensor]:
        """Logits, and c of the second layer at the root."""
        c = features.index_select(0, forest.rows)
        for inputs, recurrent in zip(self.inputs, self.recurrent, strict=True):
            c = self._climb(inputs(c), recurrent, forest)
        root = c[: forest.n_trees]
        return self.output(root), root

    def _climb(self, gates: Tensor, recurrent: nn.Module, forest: Forest) -> Tensor:
        """The cells' c of every row; gates in the order forget, input, output, update."""
        width = self.shape.hidden
        levels: list[Tensor] = []
        state: Tensor | None = None
        edges = forest.levels
        for start, stop in reversed(list(pairwise(edges))):
            if state is None:
                summed = gates.new_zeros(stop - start, 2 * width)
            else:
                summed = sum_runs(state, forest.first_child[start:stop] - stop)
            f, i, o, u = (gates[start:stop] + recurrent(summed[:, :width])).split(width, dim=1)
            c = torch.sigmoid(f) * summed[:, width:] + torch.sigmoid(i) * torch.tanh(u)
            state = torch.cat([torch.sigmoid(o) * torch.tanh(c), c], dim=1)
            levels.append(c)
        return torch.cat(levels[::-1])
