"""The residual network on a neuron's three projections, as a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .bundle import Arrays
from .neuron_model import NeuronModel, Prepared
from .parts import load_parts

if TYPE_CHECKING:
    from .runtime import Runner

__all__ = ["ImageModel"]

FloatArray = NDArray[np.float64]

VIEWS = 4
BATCH = 32


class ImageModel(NeuronModel):
    """Says what a neuron is from its three projections; the embedding is what enters the network's last layer.

    A bundle holds the whole network, or refers to the bundle that does: networks answer several questions at once.
    """

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Log-probabilities before calibration, and the embedding."""
        answers = self.answers(np.stack([one.image for one in prepared]))
        return answers[int(self.info.settings["question"])], answers[-1]

    def answers(self, images: NDArray[np.uint8]) -> list[FloatArray]:
        """Log-probabilities of each question and the embedding of images (n, 3, px, px)."""
        return self._runner.run([images.astype(np.float32) / 255], BATCH)

    @cached_property
    def _runner(self) -> Runner:
        from .networks.resnet import ResnetClassifier, ResnetShape
        from .runtime import Runner

        network = ResnetClassifier(ResnetShape.from_settings(self.info.settings["network"]))
        runner = Runner(network, network.summarise, self._network_arrays(), self.device)
        self.device_note = runner.note
        return runner

    def _network_arrays(self) -> Arrays:
        """The network's tensors in single precision, its own or its part's."""
        owners = [self.bundle.weights, *(part.weights for part in load_parts(self.bundle, self.device).values())]
        stored = next((arrays for arrays in owners if any(name.startswith("network.") for name in arrays)), {})
        return {
            name: array.astype(np.float32) if array.dtype == np.float16 else array
            for name, array in stored.items()
            if name.startswith("network.")
        }
