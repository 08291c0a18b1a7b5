"""Two classifiers that are hard to beat on few cells: a support-vector machine, and Gaussians by driver line.

The Gaussians model each driver line as a multivariate t distribution whose spread lies between that of its class and
that of all cells. Being a density, it says what any subset of the features implies, without filling gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import fit_calibration
from napari_celltype.models.density import Clouds
from napari_celltype.models.kernel import radial_kernel

from .blends import blend
from .splits import donor_folds
from .tables import Cells

__all__ = [
    "Expansion",
    "GaussianSettings",
    "SupportVectors",
    "choose_gaussians",
    "fit_gaussians",
    "fit_svc",
    "subclass_codes",
    "without_cells",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SupportVectors:
    """A fitted support-vector machine as arrays."""

    supports: FloatArray
    dual: FloatArray
    intercept: FloatArray
    counts: IntArray
    gamma: float

    def decisions(self, x: FloatArray) -> FloatArray:
        """Decision of every pair of classes, (n, pairs)."""
        return pairwise_decisions(radial_kernel(x, self.supports, self.gamma), self.dual, self.intercept, self.counts)


def pairwise_decisions(
    kernel: FloatArray, dual: FloatArray, intercept: FloatArray, counts: NDArray[np.intp]
) -> FloatArray:
    """Decision of every pair of classes (i, j), i before j: positive speaks for i.

    Parameters
    ----------
    dual
        (k - 1, supports) in libsvm's layout: a support of class i holds its coefficients against the other classes.
    counts
        Supports of each class; supports are sorted by class.
    """
    k = len(counts)
    stops = np.cumsum(counts)
    starts = stops - counts
    columns = []
    for i in range(k):
        for j in range(i + 1, k):
            of_i, of_j = slice(starts[i], stops[i]), slice(starts[j], stops[j])
            columns.append(kernel[:, of_i] @ dual[j - 1, of_i] + kernel[:, of_j] @ dual[i, of_j])
    decisions: FloatArray = np.stack(columns, axis=1) + intercept
    return decisions


def fit_svc(x: FloatArray, truth: IntArray, *, penalty: float = 1.0, gamma: float | None = None) -> SupportVectors:
    """Fit with scikit-learn and keep arrays; ``gamma`` defaults to its ``"scale"``."""
    from sklearn.svm import SVC

    gamma = 1.0 / (x.shape[1] * float(x.var())) if gamma is None else gamma
    fitted = SVC(C=penalty, gamma=gamma).fit(x, truth)
    # with two classes scikit-learn turns the decision round, so that positive speaks for the second one
    sign = -1.0 if len(fitted.classes_) == 2 else 1.0
    return SupportVectors(
        supports=fitted.support_vectors_,
        dual=sign * fitted.dual_coef_,
        intercept=sign * fitted.intercept_,
        counts=fitted.n_support_.astype(np.intp),
        gamma=gamma,
    )


@dataclass(frozen=True, eq=False)
class Expansion:
    """The decisions of a support-vector machine as sums over centres that are nobody's features."""

    centres: FloatArray
    weights: FloatArray
    intercept: FloatArray
    gamma: float

    def decisions(self, x: FloatArray) -> FloatArray:
        """Decision of every pair of classes, (n, pairs)."""
        found: FloatArray = radial_kernel(x, self.centres, self.gamma) @ self.weights + self.intercept
        return found


def without_cells(
    fitted: SupportVectors, x: FloatArray, truth: IntArray, seed: int = 0, *, centres: int = 600, strayed: int = 2000
) -> Expansion:
    """The same machine over blends of its training cells, by least squares on them and on cells strayed from them."""
    rng = np.random.default_rng(seed)
    blends = blend(x, truth, centres, seed)
    asked = np.concatenate([x, x[rng.integers(len(x), size=strayed)] + 0.5 * rng.normal(size=(strayed, x.shape[1]))])
    kernel = np.c_[radial_kernel(asked, blends, fitted.gamma), np.ones(len(asked))]
    system = kernel.T @ kernel + 1e-4 * np.eye(kernel.shape[1])
    weights = np.linalg.solve(system, kernel.T @ fitted.decisions(asked))
    return Expansion(blends, weights[:-1], weights[-1], fitted.gamma)


def subclass_codes(truth: IntArray, lines: NDArray[np.str_], least: int = 12) -> tuple[IntArray, IntArray]:
    """Codes of class and driver line together, and the class each code belongs to.

    Lines with fewer than ``least`` cells of a class are put together.
    """
    pairs = [(int(t), str(line)) for t, line in zip(truth, lines, strict=True)]
    counts: dict[tuple[int, str], int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    kept = [pair if counts[pair] >= least else (pair[0], "") for pair in pairs]
    names = sorted(set(kept))
    return np.array([names.index(pair) for pair in kept]), np.array([name[0] for name in names])


@dataclass(frozen=True)
class GaussianSettings:
    """How the Gaussians are held to one another.

    Parameters
    ----------
    pooling
        A spread is so much that of all cells, the rest that of its class.
    freedom
        Of the t distributions: the fewer degrees, the heavier their tails.
    shrinkage
        How far each spread is drawn to a round one.
    """

    pooling: float = 0.9
    freedom: float = 100.0
    shrinkage: float = 0.01


CHOICES = tuple(GaussianSettings(*pair) for pair in product((0.6, 0.8, 0.9, 0.95), (10.0, 30.0, 100.0, 300.0)))


def choose_gaussians(x: FloatArray, cells: Cells, seed: int = 0) -> GaussianSettings:
    """The settings under which cells of donors held back are likeliest; no cell but these is looked at."""
    folds = donor_folds(cells.truth, cells.donors, 5, seed)
    logs = {choice: np.zeros((len(cells), len(cells.classes))) for choice in CHOICES}
    for fit, check in folds:
        codes = subclass_codes(cells.truth[fit], cells.lines[fit])
        for choice, found in logs.items():
            found[check] = fit_gaussians(x[fit], *codes, choice).log_probabilities(x[check])

    def loss(choice: GaussianSettings) -> float:
        calibrated = fit_calibration(logs[choice], cells.truth, len(cells.classes))(logs[choice])
        return -float(np.log(calibrated[np.arange(len(cells)), cells.truth]).mean())

    return min(CHOICES, key=loss)


def fit_gaussians(
    x: FloatArray, codes: IntArray, owner: IntArray, settings: GaussianSettings = GaussianSettings()
) -> Clouds:
    """Fit subclasses, one t distribution each."""
    n, d = x.shape
    means = np.stack([x[codes == s].mean(axis=0) for s in range(len(owner))])
    gaps = x - means[codes]
    pooled = gaps.T @ gaps / n
    spreads = []
    for s in range(len(owner)):
        own = gaps[owner[codes] == owner[s]]
        spread = settings.pooling * pooled + (1 - settings.pooling) * own.T @ own / len(own)
        round_one = np.eye(d) * np.trace(spread) / d
        spreads.append((1 - settings.shrinkage) * spread + settings.shrinkage * round_one)
    return Clouds(means, np.stack(spreads), np.log(np.bincount(codes)), owner, settings.freedom)
