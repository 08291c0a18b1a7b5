"""A map of reference cells on which a new one finds its place.

Features are condensed stimulus by stimulus into sparse components, laid out once by t-SNE, and stored. A new cell is
put among its nearest reference cells and then moved a little, down t-SNE's own gradient, with all others held still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .bundle import Bundle
from .calibration import log_softmax
from .feature_model import Evaluation, FeatureModel

__all__ = ["MapModel", "Placing", "affinities", "class_shares", "place"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Placing:
    """How a cell is placed: neighbours looked at, perplexity among them, and steps of descent."""

    neighbours: int = 30
    perplexity: float = 10.0
    steps: int = 60
    rate: float = 0.5


def place(components: FloatArray, reference: FloatArray, layout: FloatArray, how: Placing | None = None) -> FloatArray:
    """Coordinates of new cells on a layout that stays as it is.

    Parameters
    ----------
    components, reference
        Condensed features of the new and of the reference cells.
    layout
        (references, 2) where the reference cells lie.
    """
    how = Placing() if how is None else how
    near, weights = affinities(components, reference, how)
    found = np.einsum("nk,nkd->nd", weights, layout[near])
    rows = np.arange(len(found))[:, None]
    for _ in range(how.steps):
        squared = (found**2).sum(axis=1)[:, None] - 2 * found @ layout.T + (layout**2).sum(axis=1)
        q = 1.0 / (1.0 + np.maximum(squared, 0.0))
        push = q**2 / q.sum(axis=1, keepdims=True)
        pull = weights * q[rows, near]
        repel = push.sum(axis=1, keepdims=True) * found - push @ layout
        attract = pull.sum(axis=1, keepdims=True) * found - np.einsum("nk,nkd->nd", pull, layout[near])
        found = found - how.rate * (attract - repel)
    result: FloatArray = found
    return result


def affinities(components: FloatArray, reference: FloatArray, how: Placing) -> tuple[NDArray[np.intp], FloatArray]:
    """Nearest reference cells, and weights whose perplexity is the one asked for."""
    squared = (components**2).sum(axis=1)[:, None] - 2 * components @ reference.T + (reference**2).sum(axis=1)
    k = min(how.neighbours, len(reference))
    near = np.argsort(squared, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(squared, near, axis=1)
    distances = distances - distances[:, :1]
    low, high = np.full(len(distances), 1e-8), np.full(len(distances), 1e8)
    for _ in range(60):
        beta = np.sqrt(low * high)[:, None]
        logs = log_softmax(-beta * distances)
        entropy = -(np.exp(logs) * logs).sum(axis=1)
        wide = entropy > np.log(min(how.perplexity, k))
        low, high = np.where(wide, beta[:, 0], low), np.where(wide, high, beta[:, 0])
    return near, np.exp(logs)


def class_shares(components: FloatArray, reference: FloatArray, truth: NDArray[np.intp], n_classes: int) -> FloatArray:
    """Shares of the classes among each cell's neighbours, with a twentieth of the usual shares mixed in."""
    near, weights = affinities(components, reference, Placing())
    shares = np.zeros((len(components), n_classes))
    np.add.at(shares, (np.arange(len(components))[:, None], truth[near]), weights)
    usual = np.bincount(truth, minlength=n_classes) / len(truth)
    mixed: FloatArray = 0.95 * shares + 0.05 * usual
    return mixed


class MapModel(FeatureModel):
    """The embedding is the place on the map; probabilities are those of its neighbours' classes."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        arrays = bundle.weights
        self.loadings = arrays["map.loadings"].astype(float)
        self.reference = arrays["map.reference"].astype(float)
        self.layout = arrays["map.layout"].astype(float)
        self.truth = arrays["map.truth"].astype(np.intp)
        self.cluster = arrays["map.cluster"].astype(np.intp)
        if not len(self.reference) == len(self.layout) == len(self.truth) == len(self.cluster):
            raise ValueError("the reference cells disagree in number")

    @property
    def cells(self) -> pd.DataFrame:
        """The reference cells: x, y, class and cluster; layer and sampling rate where they are known."""
        columns: dict[str, Any] = {
            "x": self.layout[:, 0],
            "y": self.layout[:, 1],
            "class": [self.classes[k] for k in self.truth],
            "cluster": self.cluster,
        }
        if "map.layer" in self.weights:
            names = [str(name) for name in self.info.settings["layers"]]
            columns["layer"] = [names[k] for k in self.weights["map.layer"]]
        if "map.rate_khz" in self.weights:
            columns["rate_khz"] = self.weights["map.rate_khz"].astype(float)
        return pd.DataFrame(columns)

    def components(self, scaled: FloatArray) -> FloatArray:
        """Sparse components of cells from scaled features with gaps."""
        condensed: FloatArray = self.preparation.filled(scaled) @ self.loadings
        return condensed

    def scores(self, scaled: FloatArray) -> FloatArray:
        """Log shares of the classes among the neighbours, from scaled features with gaps."""
        shares = class_shares(self.components(scaled), self.reference, self.truth, len(self.classes))
        logs: FloatArray = np.log(shares)
        return logs

    def evaluate(self, scaled: FloatArray) -> Evaluation:
        """The same, and the places."""
        places = place(self.components(scaled), self.reference, self.layout)
        return Evaluation(self.scores(scaled), embedding=places)
