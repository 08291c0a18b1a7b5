"""A recurrent network that reads a reconstruction as the list of nodes its file is; one of the paper's comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["SequenceClassifier", "SequenceShape"]


@dataclass(frozen=True)
class SequenceShape:
    """Numbers a node has, channels after the convolution, hidden units of each of two layers, and classes."""

    columns: int = 7
    channels: int = 30
    hidden: int = 128
    classes: int = 8


class SequenceClassifier(nn.Module):
    """A convolution that halves the list (kernel 3, stride 2), two LSTM layers, and the last state's classifier."""

    def __init__(self, shape: SequenceShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.shorten = nn.Conv1d(shape.columns, shape.channels, 3, 2, 1)
            self.read = nn.LSTM(shape.channels, shape.hidden, num_layers=2, batch_first=True)
            self.head = nn.Linear(shape.hidden, shape.classes)

    def forward(self, nodes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and last states of lists of nodes.

        Parameters
        ----------
        nodes
            (n, longest, columns), rows after a list's end are ignored.
        lengths
            (n,) nodes of each.
        """
        inside = torch.arange(nodes.shape[1], device=nodes.device) < lengths[:, None]
        shortened = self.shorten((nodes * inside[..., None]).transpose(1, 2)).relu().transpose(1, 2)
        steps = (lengths + 1) // 2
        packed = nn.utils.rnn.pack_padded_sequence(shortened, steps.cpu(), batch_first=True, enforce_sorted=False)
        _, (states, _) = self.read(packed)
        last: Tensor = states[-1]
        return self.head(last), last
