"""DANN models: excitatory or inhibitory, for mouse and human alike."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .feature_model import Evaluation, FeatureModel

if TYPE_CHECKING:
    from .runtime import Runner

__all__ = ["DannModel"]


class DannModel(FeatureModel):
    """Scores are mean logits over the members; the embedding is their shared features, in which species should mix."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        if "network.labels.layers.0.weight" not in bundle.weights:
            raise ValueError("no label head among the tensors")

    def evaluate(self, scaled: NDArray[np.float64]) -> Evaluation:
        """Scores of cells from scaled features with gaps."""
        scores, _, shared = self._runner.run([self.preparation.filled(scaled)])
        return Evaluation(scores, embedding=shared)

    @cached_property
    def _runner(self) -> Runner:
        import torch

        from .networks.dann import Dann, DannShape
        from .runtime import Runner

        settings = self.info.settings["network"]
        stated: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
        network = Dann(DannShape(**stated), torch.Generator())
        runner = Runner(network, network.summarise, self.weights, self.device)
        self.device_note = runner.note
        return runner
