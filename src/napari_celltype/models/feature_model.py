"""What models of the 41 features share: reading, preparing, calibrating, doubting."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Model
from .bundle import Arrays, Bundle
from .doubts import FeatureDoubts, missing_notes
from .features import read_features
from .prediction import Prediction
from .preparation import Preparation

__all__ = ["Evaluation", "FeatureModel"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model computes for prepared features, before calibration."""

    scores: FloatArray
    gates: FloatArray | None = None
    embedding: FloatArray | None = None


class FeatureModel(Model):
    """A model of the 41 features of the Allen table."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        self.preparation = Preparation.from_arrays(bundle.weights)
        self.doubts = FeatureDoubts.from_arrays(bundle.weights, bundle.info.settings)

    def predict(self, x: Any) -> Prediction:
        """Say what cells are.

        Parameters
        ----------
        x
            A table with the features as columns (any order, gaps allowed), a Series or mapping of one cell, an array of
            (cells, 41), or a Recording or list of them.
        """
        table = read_features(x)
        scaled = self.preparation.scaled(table.values)
        found = self.evaluate(scaled)
        probabilities = self.calibration(found.scores)
        reasons = self.doubts.reasons(table.values, scaled, probabilities)
        return Prediction(
            model=self.name,
            version=self.version,
            classes=self.classes,
            probabilities=probabilities,
            reasons=[
                known + self.foreign(species) + more
                for known, species, more in zip(table.doubts, table.species, reasons, strict=True)
            ],
            notes=[known + more for known, more in zip(table.notes, missing_notes(table.values), strict=True)],
            items=table.items,
            gates=found.gates,
            embedding=found.embedding,
        )

    @abstractmethod
    def evaluate(self, scaled: FloatArray) -> Evaluation:
        """Scores of cells from scaled features with gaps."""

    def scores(self, scaled: FloatArray) -> FloatArray:
        """Only the scores; models for which the rest is work override this."""
        return self.evaluate(scaled).scores

    def replay(self, inputs: Arrays) -> Arrays:
        """Probabilities and gates for stored raw features."""
        found = self.evaluate(self.preparation.scaled(inputs["features"].astype(float)))
        outputs = {"probabilities": self.calibration(found.scores)}
        if found.gates is not None:
            outputs["gates"] = found.gates
        return outputs
