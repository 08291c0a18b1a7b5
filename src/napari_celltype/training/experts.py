"""Two classifiers that are hard to beat on few cells: a support-vector machine, and Gaussians by driver line.

The Gaussians model each driver line as a multivariate t distribution whose spread lies between that of its class and
that of all cells. Being a density, it says what any subset of the features implies, without filling gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.density import Clouds
from napari_celltype.models.kernel import pairwise_decisions, radial_kernel

__all__ = ["SupportVectors", "fit_gaussians", "fit_svc", "subclass_codes"]

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


def fit_gaussians(
    x: FloatArray,
    codes: IntArray,
    owner: IntArray,
    *,
    pooling: float = 0.8,
    freedom: float = 30.0,
    shrinkage: float = 0.01,
) -> Clouds:
    """Fit subclasses; a spread is ``pooling`` parts that of all cells, the rest that of its class."""
    n, d = x.shape
    means = np.stack([x[codes == s].mean(axis=0) for s in range(len(owner))])
    gaps = x - means[codes]
    pooled = gaps.T @ gaps / n
    spreads = []
    for s in range(len(owner)):
        own = gaps[owner[codes] == owner[s]]
        spread = pooling * pooled + (1 - pooling) * own.T @ own / len(own)
        spreads.append((1 - shrinkage) * spread + shrinkage * np.eye(d) * np.trace(spread) / d)
    return Clouds(means, np.stack(spreads), np.log(np.bincount(codes)), owner, freedom)
