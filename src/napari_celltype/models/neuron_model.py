"""Models of reconstructions: whatever is read is brought into one form, judged, calibrated and doubted."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError, NeuronError
from napari_celltype.io.neurons import read_neuron
from napari_celltype.neuron import Neuron

from .base import Model
from .bundle import Arrays, Bundle
from .neuron_doubts import NeuronDoubts
from .neuron_features import hand_features, wide_features
from .neuron_form import NeuronForm, Pieces, standardise, to_image, to_pieces
from .prediction import Prediction

__all__ = ["NeuronModel", "Prepared", "pack_neurons", "read_all", "unpack_neurons"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A standardised neuron and, once asked for, what networks and tables take of it."""

    neuron: Neuron
    form: NeuronForm = field(default_factory=NeuronForm)

    @cached_property
    def pieces(self) -> Pieces:
        """It as a tree of pieces."""
        return to_pieces(self.neuron, self.form)

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """It seen along z, y and x, (3, px, px)."""
        return to_image(self.neuron, self.form)

    @cached_property
    def wide(self) -> FloatArray:
        """Its wide features."""
        return wide_features([self.neuron]).to_numpy(float)[0]

    @cached_property
    def hand(self) -> FloatArray:
        """The twenty features of Zhang et al."""
        return hand_features([self.neuron]).to_numpy(float)[0]


class NeuronModel(Model):
    """A model of reconstructions. Subclasses say what a prepared neuron is; the rest is alike for all."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        self.form = NeuronForm.from_settings(bundle.info.settings["form"])
        self.doubts = NeuronDoubts.from_arrays(bundle.weights, bundle.info.settings)

    @abstractmethod
    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray | None]:
        """Scores before calibration, (n, k), and coordinates in the model's own space, (n, d)."""

    def predict(self, x: Any, *, species: str = "", progress: Progress | None = None) -> Prediction:
        """Say what cells are.

        Parameters
        ----------
        x
            A Neuron, a path of a reconstruction, or several of either. A neuron that cannot be judged at all (a cycle
            of parents, only a soma) has equal probabilities and the reason.
        species
            What the cells come from, if known; the model abstains on a species its card does not name.
        progress
            Called with how many neurons are prepared, and of how many.
        """
        neurons = read_all(x)
        prepared, failures = self._prepared(neurons, progress)
        sound = [row for row, one in enumerate(prepared) if one is not None]
        judged = [one for one in prepared if one is not None]
        k = len(self.classes)
        probabilities = np.full((len(neurons), k), 1.0 / k)
        reasons: list[list[str]] = [[text] if text else [] for text in failures]
        embedding = None
        if judged:
            scores, places = self.evaluate(judged)
            probabilities[sound] = self.calibration(scores)
            wide = np.stack([one.wide for one in judged])
            found = self.doubts.reasons([one.neuron for one in judged], wide, probabilities[sound], self.classes)
            for row, texts in zip(sound, found, strict=True):
                reasons[row] = texts
            if places is not None:
                embedding = np.full((len(neurons), places.shape[1]), np.nan)
                embedding[sound] = places
        return Prediction(
            model=self.name,
            version=self.version,
            classes=self.classes,
            probabilities=probabilities,
            reasons=[texts + self.foreign(species) for texts in reasons],
            notes=[_notes(one) for one in prepared],
            items=[neuron.name or str(row) for row, neuron in enumerate(neurons)],
            embedding=embedding,
        )

    def prepare(self, neuron: Neuron) -> Prepared:
        """Bring a neuron into the form this model takes; raises NeuronError where that cannot be done."""
        return Prepared(standardise(neuron, self.form), self.form)

    def _prepared(
        self, neurons: Sequence[Neuron], progress: Progress | None
    ) -> tuple[list[Prepared | None], list[str]]:
        found: list[Prepared | None] = []
        failures: list[str] = []
        for row, neuron in enumerate(neurons):
            try:
                found.append(self.prepare(neuron))
                failures.append("")
            except NeuronError as error:
                found.append(None)
                reason = error.reason.rstrip(".")
                failures.append(f"Cannot be judged: {reason}. {error.hint}".strip())
            if progress is not None:
                progress(row + 1, len(neurons))
        return found, failures

    def replay(self, inputs: Arrays) -> Arrays:
        """Probabilities, and the embedding if there is one, of stored standardised neurons."""
        scores, embedding = self.evaluate([Prepared(neuron, self.form) for neuron in unpack_neurons(inputs)])
        outputs = {"probabilities": self.calibration(scores)}
        return outputs if embedding is None else {**outputs, "embedding": embedding}


def read_all(x: Any) -> list[Neuron]:
    """Neurons from a Neuron, a path, or several of either."""
    several = [x] if isinstance(x, Neuron | str | os.PathLike) else x
    if not isinstance(several, Iterable):
        raise ModelError(
            f"cannot judge {type(x).__name__}", hint="Give a Neuron, the path of a reconstruction, or a list of them."
        )
    found = []
    for one in several:
        if isinstance(one, Neuron):
            found.append(one)
        elif isinstance(one, str | Path | os.PathLike):
            found.append(read_neuron(one))
        else:
            raise ModelError(f"cannot judge {type(one).__name__}", hint="Give Neurons or paths of reconstructions.")
    return found


def _notes(prepared: Prepared | None) -> list[str]:
    return [] if prepared is None else [note.message for note in prepared.neuron.defects if note.severity == "note"]


def pack_neurons(neurons: Sequence[Neuron]) -> Arrays:
    """Neurons as named arrays, for the self-test."""
    return {
        "xyz_um": np.concatenate([neuron.xyz_um for neuron in neurons]),
        "radii_um": np.concatenate([neuron.radii_um for neuron in neurons]),
        "parents": np.concatenate([neuron.parents for neuron in neurons]),
        "types": np.concatenate([neuron.types for neuron in neurons]),
        "sizes": np.array([len(neuron) for neuron in neurons]),
    }


def unpack_neurons(arrays: Arrays) -> list[Neuron]:
    """Neurons from the arrays of :func:`pack_neurons`."""
    stops = np.cumsum(arrays["sizes"]).astype(int)
    starts = stops - arrays["sizes"].astype(int)
    return [
        Neuron.from_arrays(
            arrays["xyz_um"][a:b], arrays["parents"][a:b], types=arrays["types"][a:b], radii_um=arrays["radii_um"][a:b]
        )
        for a, b in zip(starts, stops, strict=True)
    ]
