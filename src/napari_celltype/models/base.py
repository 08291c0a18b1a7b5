"""What every model has in common: a name, a card, a self-test and ``predict``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Arrays, Bundle, ModelInfo
from .calibration import Calibration
from .prediction import Prediction

__all__ = ["Model"]


class Model(ABC):
    """A loaded model. Get one with :func:`napari_celltype.load_model`.

    Parameters
    ----------
    bundle
        Its description and tensors, found intact.
    device
        Where torch networks run: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``; arithmetic on stored arrays
        ignores it.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        self.bundle = bundle
        self.device = device
        self.device_note = ""
        self.calibration = Calibration.from_arrays(bundle.weights, len(bundle.info.classes))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.version}: {', '.join(self.classes)}>"

    @property
    def info(self) -> ModelInfo:
        """Its description."""
        return self.bundle.info

    @property
    def weights(self) -> Arrays:
        """Its tensors by name."""
        return self.bundle.weights

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        return self.info.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.info.version

    @property
    def classes(self) -> list[str]:
        """What it tells apart, in the order of the probabilities."""
        return list(self.info.classes)

    @property
    def card(self) -> str:
        """Its card: data, split, figures with intervals, known failures, needs, terms."""
        return self.bundle.card

    def foreign(self, species: str) -> list[str]:
        """A reason to abstain on a cell stated to be of a species the model was not trained on, or none."""
        if not species or not self.info.species or species in self.info.species:
            return []
        return [f"The cell is stated to be of {species}; this model was trained on {' and '.join(self.info.species)}."]

    @abstractmethod
    def predict(self, x: Any) -> Prediction:
        """Say what ``x`` is; what ``x`` may be, the card states."""

    @abstractmethod
    def replay(self, inputs: Arrays) -> Arrays:
        """Outputs for stored inputs, with nothing in between: what the self-test compares."""

    def self_test(self) -> float:
        """Largest difference between the stored outputs and what this machine computes from the stored inputs."""
        stored = self.bundle.check_tensors()
        inputs = {name[3:]: array for name, array in stored.items() if name.startswith("in.")}
        outputs = self.replay(inputs)
        gaps = [
            float(np.max(np.abs(outputs[name[4:]] - array), initial=0.0))
            for name, array in stored.items()
            if name.startswith("out.")
        ]
        return max(gaps)


def check_arrays(inputs: Arrays, outputs: dict[str, NDArray[Any]]) -> Arrays:
    """Inputs and outputs named as the self-test expects them."""
    return {f"in.{name}": array for name, array in inputs.items()} | {
        f"out.{name}": array for name, array in outputs.items()
    }
