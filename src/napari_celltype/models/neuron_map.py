"""Maps of reference reconstructions on which a new one finds its place, each reference cell with a small picture.

Two spaces are laid out: what the networks make of a neuron (its embedding, condensed to principal axes), and what can
be measured on it (the features of :func:`napari_celltype.measure`). The layout is t-SNE's and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.neuron import Neuron

from .base import Model
from .bundle import Arrays, Bundle
from .map import class_shares, place
from .prediction import Prediction

__all__ = ["NeuronMapModel", "pack_silhouettes", "squeezed", "unpack_silhouettes"]

FloatArray = NDArray[np.float64]

SPACES = ("embedding", "measures")
FOR_LOOKING = "A map is for looking: its layout has seen the cells on it. Ask a model of reconstructions."


class NeuronMapModel(Model):
    """Places neurons; says what their neighbours are, and always abstains.

    Attributes
    ----------
    space
        ``embedding`` (of the model it is made of) or ``measures``.
    reference
        (n, d) coordinates of the reference cells in that space.
    layout
        (n, 2) where they lie.
    truth
        (n,) their classes.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.space = str(bundle.info.settings["space"])
        if self.space not in SPACES:
            raise ValueError(f"a map of {self.space!r}")
        self.reference = arrays["map.reference"].astype(float)
        self.layout = arrays["map.layout"].astype(float)
        self.truth = arrays["map.truth"].astype(np.intp)
        self._centre, self._spread = arrays["space.centre"].astype(float), arrays["space.spread"].astype(float)
        self._axes = arrays["space.axes"].astype(float)
        if not len(self.reference) == len(self.layout) == len(self.truth) == len(arrays["map.silhouettes"]):
            raise ValueError("the reference cells disagree in number")

    @property
    def cells(self) -> pd.DataFrame:
        """The reference cells: x, y, class, and what is known of their source and species."""
        columns: dict[str, Any] = {
            "x": self.layout[:, 0],
            "y": self.layout[:, 1],
            "class": [self.classes[k] for k in self.truth],
        }
        for what in ("source", "species"):
            if f"map.{what}" in self.weights:
                names = [str(name) for name in self.info.settings[what]]
                columns[what] = [names[k] for k in self.weights[f"map.{what}"]]
        return pd.DataFrame(columns)

    @cached_property
    def silhouettes(self) -> NDArray[np.uint8]:
        """(n, 32, 32) a small picture of each reference cell, 0 (empty) to 255."""
        return unpack_silhouettes(self.weights["map.silhouettes"])

    @cached_property
    def part(self) -> Model:
        """The model whose embedding is laid out.

        Raises
        ------
        ModelError
            If it is missing or another one.
        """
        from .parts import load_parts

        return next(iter(load_parts(self.bundle, self.device).values()))

    def embed(self, x: Neuron | Sequence[Neuron]) -> FloatArray:
        """Coordinates (n, d) of neurons in the space that is laid out."""
        neurons = [x] if isinstance(x, Neuron) else list(x)
        if self.space == "measures":
            from napari_celltype.morphology.morphometrics import measure

            raw = squeezed(np.array([measure(neuron).to_numpy(dtype=float) for neuron in neurons]))
            return self.condense_vectors(raw)
        embedding = self.part.predict(neurons).embedding
        assert embedding is not None
        return self.condense_vectors(embedding)

    def condense_vectors(self, raw: FloatArray) -> FloatArray:
        """The same from embeddings, or from squeezed measures with gaps as NaN: (n, d)."""
        scaled = np.nan_to_num((raw - self._centre) / self._spread)
        condensed: FloatArray = np.clip(scaled, -6.0, 6.0) @ self._axes
        return condensed

    def place(self, vectors: FloatArray) -> FloatArray:
        """Places (n, 2) of condensed neurons among the reference cells, which stay where they are."""
        return place(vectors, self.reference, self.layout)

    def predict(self, x: Neuron | Sequence[Neuron]) -> Prediction:
        """Places of neurons, and the shares of the classes around them."""
        neurons = [x] if isinstance(x, Neuron) else list(x)
        found = self.replay({"vectors": self.embed(neurons)})
        return Prediction(
            model=self.name,
            version=self.version,
            classes=self.classes,
            probabilities=found["probabilities"],
            reasons=[[FOR_LOOKING] for _ in neurons],
            items=[neuron.name or str(number) for number, neuron in enumerate(neurons)],
            embedding=found["embedding"],
        )

    def replay(self, inputs: Arrays) -> Arrays:
        """Probabilities and places of stored condensed neurons."""
        vectors = inputs["vectors"].astype(float)
        shares = class_shares(vectors, self.reference, self.truth, len(self.classes))
        return {"probabilities": shares, "embedding": self.place(vectors)}


def squeezed(measures: FloatArray) -> FloatArray:
    """Measures with their long tails drawn in, sign kept: lengths, areas and volumes span decades."""
    result: FloatArray = np.sign(measures) * np.log1p(np.abs(measures))
    return result


def pack_silhouettes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (n, 32, 32) of 0 to 255, kept in 16 shades, two pixels a byte: (n, 512)."""
    shades = (images.reshape(len(images), -1).astype(np.uint16) * 15 + 127) // 255
    packed: NDArray[np.uint8] = (shades[:, ::2] * 16 + shades[:, 1::2]).astype(np.uint8)
    return packed


def unpack_silhouettes(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The reverse of :func:`pack_silhouettes`."""
    shades = np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(packed), -1)
    size = round(shades.shape[1] ** 0.5)
    images: NDArray[np.uint8] = (shades * 17).astype(np.uint8).reshape(len(packed), size, size)
    return images
