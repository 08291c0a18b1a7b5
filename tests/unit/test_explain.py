"""Shapley values against enumeration, against the formula for linear models, and against the shap package."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import pytest

from napari_celltype.models.catalogue import load_model
from napari_celltype.models.explain import explain, shapley_values

from .test_catalogue import N, linear_model


def enumerated(function, cell: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Shapley's formula over all subsets."""
    d = len(cell)

    def worth(subset: tuple[int, ...]) -> float:
        mixed = reference.copy()
        mixed[:, list(subset)] = cell[list(subset)]
        return float(function(mixed).mean())

    shares = np.zeros(d)
    for i in range(d):
        rest = [j for j in range(d) if j != i]
        for size in range(d):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            shares[i] += weight * sum(worth((*s, i)) - worth(s) for s in combinations(rest, size))
    return shares


def test_many_orders_come_near_the_enumeration_and_any_number_sums_exactly() -> None:
    rng = np.random.default_rng(0)
    reference, cell = rng.normal(size=(6, 5)), rng.normal(size=5)

    def curved(x: np.ndarray) -> np.ndarray:
        return x[:, 0] * x[:, 1] + np.tanh(x[:, 2] + x[:, 3]) + x[:, 0]

    exact = enumerated(curved, cell, reference)
    assert shapley_values(curved, cell, reference, n_orders=400) == pytest.approx(exact, abs=0.05)
    gap = curved(cell[None])[0] - curved(reference).mean()
    for n_orders in (1, 3):
        assert shapley_values(curved, cell, reference, n_orders).sum() == pytest.approx(gap)
    assert exact.sum() == pytest.approx(gap)
    assert shapley_values(curved, cell, reference, 1)[4] == pytest.approx(0)


def test_of_a_linear_model_they_are_coefficient_times_distance_from_the_mean(tmp_path: Path) -> None:
    model = load_model(linear_model(tmp_path))
    x = np.zeros((2, N))
    x[:, 0] = [0.7, -0.4]
    x[1, 5] = np.nan
    found = explain(model, x, of="b", n_orders=2)
    assert found.base + found.values.sum(axis=1) == pytest.approx(found.total)
    assert found.total == pytest.approx(2 * x[:, 0])
    assert found.values[0, 0] == pytest.approx(found.total[0] - found.base[0])
    assert np.abs(found.values[:, 1:]).max() < 1e-9
    assert found.explained == ["b", "b"]


@pytest.mark.filterwarnings("ignore")
def test_they_agree_with_the_shap_package(tmp_path: Path) -> None:
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(1)
    reference, cell = rng.normal(size=(10, 6)), rng.normal(size=6)

    def curved(x: np.ndarray) -> np.ndarray:
        return np.tanh(x @ np.arange(6)) + x[:, 1] * x[:, 2]

    theirs = shap.KernelExplainer(curved, reference, silent=True).shap_values(cell[None], nsamples=2000, silent=True)[0]
    assert shapley_values(curved, cell, reference, n_orders=300) == pytest.approx(theirs, abs=0.06)
