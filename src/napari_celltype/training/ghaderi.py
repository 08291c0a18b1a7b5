"""The method of Ghaderi, Marateb and Safari (2018): cosine transform, principal components, fuzzy clusters.

Single spikes are transformed (DCT), reduced (PCA) and clustered without their labels (fuzzy c-means); a cluster is
named after the cells whose membership in it weighs most, and a new spike takes the name of the nearest cluster. The
paper leaves the numbers of coefficients, components and clusters, the fuzzifier and the distance open; ours are in
:class:`GhaderiSettings`, chosen on training cells only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ghaderi", "GhaderiSettings", "fit_ghaderi", "fuzzy_c_means"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class GhaderiSettings:
    """What the paper leaves open.

    Parameters
    ----------
    coefficients, components
        Cosine coefficients kept of each spike, and principal components of those.
    clusters
        Fuzzy clusters for each class.
    fuzzifier
        Above 1; the larger, the softer the memberships.
    supervised
        Whether clusters are sought within each class (the labelled part of the paper's semi-supervision), or among
        all cells at once and named afterwards.
    """

    coefficients: int = 60
    components: int = 10
    clusters: int = 4
    fuzzifier: float = 1.5
    supervised: bool = True

    def variants(self) -> list[GhaderiSettings]:
        """Settings to choose among."""
        return [
            replace(self, components=components, clusters=clusters, supervised=supervised)
            for components in (5, 10, 20)
            for clusters in (1, 2, 4, 8)
            for supervised in (True, False)
        ]


@dataclass(frozen=True, eq=False)
class Ghaderi:
    """A fitted classifier."""

    settings: GhaderiSettings
    centre: FloatArray
    axes: FloatArray
    scales: FloatArray
    clusters: FloatArray
    classes_of: FloatArray

    def features(self, windows: FloatArray) -> FloatArray:
        """Scaled principal components of the cosine coefficients."""
        projected: FloatArray = (_cosines(windows, self.settings) - self.centre) @ self.axes / self.scales
        return projected

    def probabilities(self, windows: FloatArray) -> FloatArray:
        """One row a window; its largest entry is the class of the nearest cluster."""
        squared = _squared_distances(self.features(windows), self.clusters)
        near = squared.min(axis=1, keepdims=True)
        closeness = np.exp(-0.5 * (squared - near))
        # only the nearest cluster decides; the others order the classes behind it
        shares = closeness @ self.classes_of * 0.5 + self.classes_of[squared.argmin(axis=1)]
        return shares / shares.sum(axis=1, keepdims=True)


def fit_ghaderi(
    windows: FloatArray, truth: IntArray, n_classes: int, settings: GhaderiSettings, seed: int = 0
) -> Ghaderi:
    """Fit to labelled windows."""
    cosines = _cosines(windows, settings)
    centre = cosines.mean(axis=0)
    _, singular, axes = np.linalg.svd(cosines - centre, full_matrices=False)
    n = min(settings.components, len(singular))
    scales = np.maximum(singular[:n] / np.sqrt(len(windows)), 1e-9)
    x = (cosines - centre) @ axes[:n].T / scales
    rng = np.random.default_rng(seed)
    if settings.supervised:
        found = [
            fuzzy_c_means(x[truth == k], min(settings.clusters, int((truth == k).sum())), settings.fuzzifier, rng)[0]
            for k in range(n_classes)
        ]
        names = np.repeat(np.arange(n_classes), [len(part) for part in found])
        clusters = np.concatenate(found)
    else:
        clusters, memberships = fuzzy_c_means(x, settings.clusters * n_classes, settings.fuzzifier, rng)
        # a rare class would never name a cluster by numbers alone
        weight = np.eye(n_classes)[truth] / np.maximum(np.bincount(truth, minlength=n_classes), 1)
        names = (memberships.T @ weight).argmax(axis=1)
    return Ghaderi(settings, centre, axes[:n].T, scales, clusters, np.eye(n_classes)[names])


def fuzzy_c_means(
    x: FloatArray, n_clusters: int, fuzzifier: float, rng: np.random.Generator, rounds: int = 200
) -> tuple[FloatArray, FloatArray]:
    """Centres (c, d) and memberships (n, c) of fuzzy c-means (Bezdek): rows of memberships sum to one."""
    centres = x[rng.choice(len(x), n_clusters, replace=False)]
    memberships = _memberships(x, centres, fuzzifier)
    for _ in range(rounds):
        raised = memberships**fuzzifier
        centres = raised.T @ x / raised.sum(axis=0)[:, None]
        before, memberships = memberships, _memberships(x, centres, fuzzifier)
        if np.abs(memberships - before).max() < 1e-5:
            break
    return centres, memberships


def _memberships(x: FloatArray, centres: FloatArray, fuzzifier: float) -> FloatArray:
    squared = np.maximum(_squared_distances(x, centres), 1e-12)
    closeness = (squared / squared.min(axis=1, keepdims=True)) ** (-1.0 / (fuzzifier - 1.0))
    memberships: FloatArray = closeness / closeness.sum(axis=1, keepdims=True)
    return memberships


def _squared_distances(x: FloatArray, centres: FloatArray) -> FloatArray:
    gaps: FloatArray = ((x[:, None, :] - centres) ** 2).sum(axis=-1)
    return gaps


def _cosines(windows: FloatArray, settings: GhaderiSettings) -> FloatArray:
    from scipy.fft import dct

    found: FloatArray = np.asarray(dct(windows, norm="ortho", axis=-1))[:, : settings.coefficients]
    return found
