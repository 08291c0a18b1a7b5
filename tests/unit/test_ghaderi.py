"""Ghaderi's method: fuzzy clusters behave as published, and spikes find their class."""

from __future__ import annotations

import numpy as np
import pytest

from napari_celltype.training.ghaderi import GhaderiSettings, fit_ghaderi, fuzzy_c_means


def blobs(rng: np.random.Generator, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    truth = np.repeat(np.arange(3), n)
    return centres[truth] + rng.normal(size=(3 * n, 2)), truth


def test_fuzzy_c_means_finds_separate_groups_and_shares_a_point_between() -> None:
    x, _ = blobs(np.random.default_rng(1))
    centres, memberships = fuzzy_c_means(x, 3, 2.0, np.random.default_rng(0))
    np.testing.assert_allclose(memberships.sum(axis=1), 1.0)
    expected = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 0.0]])
    order = np.lexsort(centres.round(0).T[::-1])
    assert np.abs(centres[order] - expected).max() < 0.6
    assert np.median(memberships.max(axis=1)) > 0.9


def test_centres_are_the_membership_weighted_means_they_are_defined_as() -> None:
    x, _ = blobs(np.random.default_rng(2))
    centres, memberships = fuzzy_c_means(x, 3, 1.7, np.random.default_rng(3))
    raised = memberships**1.7
    np.testing.assert_allclose(centres, raised.T @ x / raised.sum(axis=0)[:, None], atol=1e-3)


@pytest.mark.parametrize("supervised", [True, False])
def test_spikes_of_different_width_are_told_apart(supervised: bool) -> None:
    rng = np.random.default_rng(4)
    t = np.linspace(-1, 2, 150)
    truth = np.repeat(np.arange(3), 30)
    widths = np.array([0.15, 0.3, 0.6])[truth] * rng.normal(1, 0.05, 90)
    windows = -60 + 90 * np.exp(-((t / widths[:, None]) ** 2)) + rng.normal(0, 1, (90, 150))
    train = np.arange(90) % 3 > 0
    settings = GhaderiSettings(clusters=1, components=5, supervised=supervised)
    fitted = fit_ghaderi(windows[train], truth[train], 3, settings, seed=1)
    said = fitted.probabilities(windows[~train])
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    assert (said.argmax(axis=1) == truth[~train]).mean() > 0.9


def test_the_label_is_that_of_the_nearest_cluster() -> None:
    rng = np.random.default_rng(5)
    windows, truth = rng.normal(size=(60, 150)).cumsum(axis=1), np.arange(60) % 3
    fitted = fit_ghaderi(windows, truth, 3, GhaderiSettings(), seed=0)
    x = fitted.features(windows)
    nearest = ((x[:, None] - fitted.clusters) ** 2).sum(axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(
        fitted.probabilities(windows).argmax(axis=1), fitted.classes_of[nearest].argmax(axis=1)
    )
