"""LSPIN models: an ensemble of locally sparse networks whose gates say which features a verdict rests on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .bundle import Bundle
from .calibration import log_softmax
from .density import SoftenedClouds
from .feature_model import Evaluation, FeatureModel
from .features import FEATURE_NAMES, FEATURES

if TYPE_CHECKING:
    from .networks.lspin import LspinShape
    from .runtime import Runner

__all__ = ["NOT_QUALITY", "LspinModel", "average"]

FloatArray = NDArray[np.float64]

NOT_QUALITY = np.array([feature.stimulus != "quality" for feature in FEATURES])
"""Features that tell of the cell; seal and test-pulse resistance tell of the recording."""


class LspinModel(FeatureModel):
    """Probabilities and gates are means over the members; the embedding is their last hidden layers side by side.

    Where the model brings the density its networks were taught by, the verdict is the mean of theirs and its own: the
    networks say what they use, the density is a little more often right, and together they are best.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        if "network.gating.layers.0.weight" not in bundle.weights:
            raise ValueError("no gating network among the tensors")
        self.density = SoftenedClouds.from_arrays(bundle.weights) if "density.means" in bundle.weights else None

    @property
    def class_gates(self) -> pd.DataFrame:
        """How far cells of each class let each feature through on average, when they were not trained on."""
        return pd.DataFrame(self.weights["gates.by_class"], index=self.classes, columns=list(FEATURE_NAMES))

    @property
    def reference_gates(self) -> pd.DataFrame | None:
        """Gates of the reference cells when they were not trained on, by class; None if the model keeps none.

        The cells stand in the order of the training table, which is that of the map's reference cells.
        """
        if "reference.gates" not in self.weights:
            return None
        labels = [self.classes[k] for k in self.weights["reference.truth"]]
        gates = self.weights["reference.gates"].astype(float) / 255
        return pd.DataFrame(gates, index=pd.Index(labels, name="class"), columns=list(FEATURE_NAMES))

    @property
    def class_ranges(self) -> FloatArray:
        """Raw features of each class, (classes, 3, 41): low end, middle and high end of what nine cells in ten show.

        A model that keeps no quantiles states them from the classes' means and common spread.
        """
        if "reference.quantiles" in self.weights:
            return self.weights["reference.quantiles"].astype(float)
        spread = 1.645 * np.sqrt(np.diag(self.doubts.covariance))
        scaled = self.doubts.means[:, None, :] + np.array([-1.0, 0.0, 1.0])[:, None] * spread
        ranges: FloatArray = np.sort(self.preparation.raw(scaled), axis=1)
        return ranges

    def evaluate(self, scaled: FloatArray) -> Evaluation:
        """Scores and gates of cells from scaled features with gaps."""
        known = np.isfinite(scaled)
        scores, gates, hidden = self._runner.run([self.preparation.filled(scaled), known])
        if self.density is not None:
            scores = average(scores, self.density.log_probabilities(scaled, NOT_QUALITY))
        return Evaluation(scores, gates=gates, embedding=hidden)

    @cached_property
    def _runner(self) -> Runner:
        import torch

        from .networks.lspin import Lspin
        from .runtime import Runner

        network = Lspin(network_shape(self.info.settings["network"]), torch.Generator())
        runner = Runner(network, network.summarise, self.weights, self.device)
        self.device_note = runner.note
        return runner


def average(first: FloatArray, second: FloatArray) -> FloatArray:
    """Log of the mean of two sets of probabilities given as logs."""
    mean: FloatArray = np.logaddexp(log_softmax(first), log_softmax(second)) - np.log(2)
    return mean


def network_shape(settings: Mapping[str, Any]) -> LspinShape:
    """The shape written in a description."""
    from .networks.lspin import LspinShape

    stated: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    spread = stated.pop("spread", 0.0)
    return LspinShape(**stated, spread=spread or None)
