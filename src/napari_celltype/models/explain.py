"""Which features speak for a verdict, and how strongly: Shapley values.

The log-odds of a class, less what they are for an average reference cell, are shared out among the features: each gets
what it adds on average over the orders in which features could become known. The shares add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .feature_model import FeatureModel
from .features import FEATURE_NAMES, read_features

__all__ = ["Attribution", "explain", "shapley_values"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shares of ``n`` verdicts.

    Parameters
    ----------
    values
        (n, 41) what each feature adds to the log-odds of the class; 0 for missing features.
    base, total
        (n,) mean log-odds over the reference cells, and log-odds of the cell. ``base + values.sum(axis=1)`` equals
        ``total``. With two classes log-odds are the difference of their logits.
    explained
        The class of each cell the shares speak of.
    """

    values: FloatArray
    base: FloatArray
    total: FloatArray
    explained: list[str]
    items: list[str]

    def to_frame(self) -> pd.DataFrame:
        """One row a cell, one column a feature."""
        return pd.DataFrame(self.values, index=self.items, columns=list(FEATURE_NAMES))


def explain(
    model: FeatureModel, x: Any, *, of: str | None = None, n_orders: int = 8, n_reference: int = 24, seed: int = 0
) -> Attribution:
    """Share out the verdict on each cell among its features.

    Parameters
    ----------
    x
        As for ``model.predict``.
    of
        The class to speak of; by default each cell's own label.
    n_orders, n_reference
        Orders drawn (each is used forwards and backwards) and reference cells; more are truer and slower.
    """
    table = read_features(x)
    scaled = model.preparation.scaled(table.values)
    best = model.calibration(model.scores(scaled)).argmax(axis=1)
    chosen = best if of is None else np.full(len(scaled), model.classes.index(of))
    reference = reference_cells(model, n_reference, seed)
    values, base, total = np.zeros_like(scaled), np.zeros(len(scaled)), np.zeros(len(scaled))
    for row, (cell, k) in enumerate(zip(scaled, chosen, strict=True)):
        known = np.flatnonzero(np.isfinite(cell))

        def log_odds(
            part: FloatArray, cell: FloatArray = cell, known: NDArray[np.intp] = known, k: int = int(k)
        ) -> FloatArray:
            whole = np.tile(cell, (len(part), 1))
            whole[:, known] = part
            return _log_odds(model, whole, k)

        values[row, known] = shapley_values(log_odds, cell[known], reference[:, known], n_orders, seed)
        base[row] = log_odds(reference[:, known]).mean()
        total[row] = log_odds(cell[None, known])[0]
    return Attribution(values, base, total, [model.classes[k] for k in chosen], table.items)


def shapley_values(function: Any, cell: FloatArray, reference: FloatArray, n_orders: int, seed: int = 0) -> FloatArray:
    """Shares of ``function(cell)`` less its mean over the reference rows; they sum to that difference exactly.

    For every order and reference cell, features are changed one by one from the reference's value to the cell's, and
    each is credited with the change it brings.
    """
    rng = np.random.default_rng(seed)
    d, m = len(cell), len(reference)
    shares = np.zeros(d)
    forwards = [rng.permutation(d) for _ in range(n_orders)]
    orders = [order for one in forwards for order in (one, one[::-1])]
    for order in orders:
        changed = np.repeat(reference[None], d + 1, axis=0)
        for step, feature in enumerate(order):
            changed[step + 1 :, :, feature] = cell[feature]
        found = function(changed.reshape(-1, d)).reshape(d + 1, m).mean(axis=1)
        shares[order] += np.diff(found)
    return shares / len(orders)


def reference_cells(model: FeatureModel, n: int, seed: int) -> FloatArray:
    """Invented cells, equally many of each class, spread as the training cells were; scaled."""
    rng = np.random.default_rng(seed)
    means = model.doubts.means[np.arange(n) % len(model.doubts.means)]
    root = np.linalg.cholesky(model.doubts.covariance)
    cells: FloatArray = means + rng.normal(size=means.shape) @ root.T
    return cells


def _log_odds(model: FeatureModel, scaled: FloatArray, k: int) -> FloatArray:
    p = np.clip(model.calibration(model.scores(scaled)), 1e-12, 1 - 1e-12)
    odds: FloatArray = np.log(p[:, k]) - np.log(1 - p[:, k])
    return odds
