"""Tree-LSTM models: a reconstruction as a tree of pieces, climbed from the tips to the soma."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .neuron_form import Pieces
from .neuron_model import NeuronModel, Prepared

if TYPE_CHECKING:
    from .networks.tree_lstm import TreeLstm

__all__ = ["TreeLstmModel"]

FloatArray = NDArray[np.float64]

_TOGETHER = 48
"""Trees climbed at once: more fill no level better, and need more memory."""


class TreeLstmModel(NeuronModel):
    """The Tree-LSTM's answer to one of its questions; its embedding is the same for both."""

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Log-probabilities before calibration, and the 128 numbers the network makes of a neuron."""
        return self.judge_pieces([one.pieces for one in prepared])

    def judge_pieces(self, trees: Sequence[Pieces]) -> tuple[FloatArray, FloatArray]:
        """Log-probabilities before calibration and embedding of neurons already cut into pieces."""
        import torch

        from .networks.forest import plant
        from .runtime import inference

        network, device = self._network
        scores, places = [], []
        # one thread: levels are small, and threads that wait for one another took ten times as long
        with inference(1, device):
            for start in range(0, len(trees), _TOGETHER):
                part = trees[start : start + _TOGETHER]
                features = torch.from_numpy(np.concatenate([one.features for one in part])).to(device)
                logits, embedding = network(features, plant([one.parents for one in part]).to(device))
                scores.append(logits[:, self.head].log_softmax(dim=1).cpu().numpy())
                places.append(embedding.cpu().numpy())
        return np.concatenate(scores).astype(float), np.concatenate(places).astype(float)

    @property
    def head(self) -> slice:
        """Which of the network's outputs answer this model's question."""
        first, stop = self.info.settings["outputs"]
        return slice(int(first), int(stop))

    @property
    def network(self) -> TreeLstm:
        """The network, on its device."""
        return self._network[0]

    @cached_property
    def _network(self) -> tuple[TreeLstm, Any]:
        from .networks.tree_lstm import TreeLstm, TreeShape
        from .runtime import load_parameters, pick_device

        network = TreeLstm(TreeShape.from_settings(dict(self.info.settings["network"])))
        device, self.device_note = pick_device(self.device)
        arrays = {name: _plain(array) for name, array in self.weights.items() if name.startswith("network.")}
        load_parameters(network, arrays, "network.", device)
        return network, device


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Stored half precision as single precision: what networks compute in."""
    return array.astype(np.float32) if array.dtype == np.float16 else array
