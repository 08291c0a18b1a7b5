"""A map of reference cells by their action potentials: the t-SNE of a waveform model's embedding.

The map keeps where cells lie and their embedding; what turns a new action potential into an embedding is the waveform
model it was made with, which is looked up by name and must be the very same.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError

from .base import Model
from .bundle import WEIGHTS, Arrays, Bundle
from .map import class_shares, place
from .prediction import Prediction

if TYPE_CHECKING:
    from .waveform_model import WaveformModel

__all__ = ["WaveformMapModel"]

FloatArray = NDArray[np.float64]

FOR_LOOKING = "A map is for looking: the networks that made it have seen the cells on it. Ask a waveform model."
_NO_PLACE = "No action potential was found by which the cell could be placed."


class WaveformMapModel(Model):
    """Places cells by an action potential; says what its neighbours are, and always abstains."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.reference = arrays["map.reference"].astype(float)
        self.layout = arrays["map.layout"].astype(float)
        self.truth = arrays["map.truth"].astype(np.intp)
        self.gate_rows = arrays["map.gate_rows"].astype(np.intp)
        if not len(self.reference) == len(self.layout) == len(self.truth) == len(self.gate_rows):
            raise ValueError("the reference cells disagree in number")

    @property
    def cells(self) -> pd.DataFrame:
        """The reference cells: x, y, class, species, layer and sampling rate."""
        settings = self.info.settings
        return pd.DataFrame(
            {
                "x": self.layout[:, 0],
                "y": self.layout[:, 1],
                "class": [self.classes[k] for k in self.truth],
                "layer": [str(settings["layers"][k]) for k in self.weights["map.layer"]],
                "rate_khz": self.weights["map.rate_khz"].astype(float),
                "species": [str(settings["species"][k]) for k in self.weights["map.species"]],
            }
        )

    @cached_property
    def embedder(self) -> WaveformModel:
        """The waveform model the map was made with.

        Raises
        ------
        ModelError
            If it is not installed, or other weights go by its name.
        """
        from .catalogue import load_model

        settings = self.info.settings
        name, version = str(settings["embedder"]), str(settings["embedder_version"])
        found: Any = load_model(name, version, device=self.device)
        if found.info.files[WEIGHTS] != settings["embedder_sha256"]:
            raise ModelError(
                f"{self.name} was made with other weights of {name} {version} than are installed",
                hint="Reinstall napari-celltype, or run `napari-celltype train waveform-map` again.",
            )
        model: WaveformModel = found
        return model

    def embed(self, x: Any) -> FloatArray:
        """Embedding of action potentials, (n, d): windows, window cuts, or recordings pooled to one row a cell."""
        placed = self.embedder.predict(x).embedding
        assert placed is not None
        return placed

    def predict(self, x: Any) -> Prediction:
        """Places of cells as ``embedding``, shares of the classes among their neighbours as ``probabilities``."""
        vectors = self.embed(x)
        probabilities, places = self._look_up(vectors)
        known = [bool(np.isfinite(vector).all()) for vector in vectors]
        return Prediction(
            self.name,
            self.version,
            self.classes,
            probabilities,
            [[FOR_LOOKING] if there else [_NO_PLACE] for there in known],
            embedding=places,
        )

    def _look_up(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        n, k = len(vectors), len(self.classes)
        probabilities, places = np.full((n, k), 1.0 / k), np.full((n, 2), np.nan)
        known = np.isfinite(vectors).all(axis=1)
        if known.any():
            shares = class_shares(vectors[known], self.reference, self.truth, k)
            probabilities[known] = self.calibration(np.log(shares))
            places[known] = place(vectors[known], self.reference, self.layout)
        return probabilities, places

    def replay(self, inputs: Arrays) -> Arrays:
        """Neighbours' classes and places of stored embeddings."""
        probabilities, places = self._look_up(inputs["vectors"].astype(float))
        return {"probabilities": probabilities, "embedding": places}
