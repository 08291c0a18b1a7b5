"""Neurons drawn by hand and models of them with simple rules, so that answers are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from celltype_stubs import StubInfo
from napari_celltype.errors import ModelError
from napari_celltype.models.neuron_form import standardise
from napari_celltype.models.neuron_model import Prepared
from napari_celltype.models.prediction import Prediction
from napari_celltype.neuron import Neuron
from napari_celltype.workbench.neuron_type import NeuronShelf

FORMS = StubInfo("forms", "neuron", ("pyramidal", "basket", "microglia"))
FORMS_2 = StubInfo("forms-2class", "neuron", ("principal", "interneuron"), default=False)


def make_neuron(n_arms: int = 3, *, jump_um: float = 0.0, name: str = "cell 1.swc") -> Neuron:
    """A soma with straight arms of ten nodes; the first arm's second half lies ``jump_um`` deeper."""
    xyz, parents, types = [np.zeros(3)], [-1], [1]
    for arm in range(n_arms):
        angle = 2 * np.pi * arm / max(n_arms, 1)
        for step in range(1, 11):
            depth = jump_um if arm == 0 and step > 5 else 0.0
            xyz.append(np.array([20 * step * np.cos(angle), 20 * step * np.sin(angle), depth + 2.0 * step]))
            parents.append(0 if step == 1 else len(xyz) - 2)
            types.append(2 if arm == 1 else 3)
    made = Neuron.from_arrays(np.array(xyz), np.array(parents), types=np.array(types), name=name)
    return made.replace(path=Path("/data") / name)


def make_cycle() -> Neuron:
    """Three nodes after a root, two of which are each other's parent."""
    return Neuron.from_arrays(np.eye(4, 3) * 30, [-1, 0, 3, 2], name="circle.swc")


@dataclass
class StubNeurons:
    """Basket the more, the farther the neuron reaches in depth; tells nothing of a neuron of fewer than five nodes."""

    info: StubInfo = field(default_factory=lambda: FORMS)
    device_note: str = ""
    asked: list[int] = field(default_factory=list)
    failing: Exception | None = None
    weights: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def version(self) -> str:
        return self.info.version

    @property
    def classes(self) -> list[str]:
        return list(self.info.classes)

    def predict(self, x: Sequence[Neuron], **_: Any) -> Prediction:
        """One row a neuron."""
        if self.failing is not None:
            raise self.failing
        self.asked.append(len(x))
        rows = self.calibration(self.scores(x))
        reasons = [["Tiny: fewer than five nodes."] if len(neuron) < 5 else [] for neuron in x]
        return Prediction(self.name, self.version, self.classes, rows, reasons)

    def scores(self, neurons: Sequence[Neuron]) -> np.ndarray:
        """Depth against 60 um, as logarithms."""
        rows = np.full((len(neurons), len(self.classes)), -9.0)
        depths = np.array([float(np.ptp(neuron.xyz_um[:, 2])) for neuron in neurons])
        rows[:, 0], rows[:, 1] = np.log(60.0), np.log(np.maximum(depths, 1e-3))
        return rows

    # what taking off branches needs of a model

    def prepare(self, neuron: Neuron) -> Prepared:
        """As models of neurons do."""
        return Prepared(standardise(neuron))

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[np.ndarray, None]:
        """As models of neurons do."""
        return self.scores([one.neuron for one in prepared]), None

    def calibration(self, scores: np.ndarray) -> np.ndarray:
        """Scores as they are."""
        shares = np.exp(scores)
        return shares / shares.sum(axis=1, keepdims=True)


def neuron_shelf(*models: StubNeurons) -> NeuronShelf:
    """A shelf of these; a model of three classes and its twin of two by default."""
    known = {model.name: model for model in models or (StubNeurons(), StubNeurons(FORMS_2))}

    def load(name: str, version: str | None, device: str = "auto") -> StubNeurons:
        if name not in known:
            raise ModelError(f"there is no model named {name!r}", hint="Models here: none.")
        return known[name]

    return NeuronShelf(lambda: [model.info for model in known.values()], load)
