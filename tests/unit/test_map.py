"""Placing cells on a fixed layout: among their like, the same alone or in company, and as openTSNE would."""

from __future__ import annotations

import numpy as np
import pytest
from openTSNE import TSNE

from napari_celltype.models.map import Placing, affinities, class_shares, place


@pytest.fixture(scope="module")
def islands() -> tuple[np.ndarray, np.ndarray, object]:
    """Three groups in six dimensions, their group, and their t-SNE."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 60)
    x = rng.normal(size=(180, 6)) + 6 * np.eye(3, 6)[group]
    return x, group, TSNE(perplexity=15, n_iter=300, random_state=0, n_jobs=1).fit(x)


def new_cells(group: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(group), 6)) + 6 * np.eye(3, 6)[group]


def test_new_cells_land_on_the_island_of_their_like(islands: tuple) -> None:
    x, group, layout = islands
    wanted = np.array([0, 1, 2] * 8)
    found = place(new_cells(wanted), x, np.asarray(layout))
    centres = np.stack([np.asarray(layout)[group == g].mean(axis=0) for g in range(3)])
    assert (((found[:, None] - centres) ** 2).sum(-1).argmin(axis=1) == wanted).all()


def test_places_are_near_those_of_opentsne(islands: tuple) -> None:
    x, _, layout = islands
    cells = new_cells(np.array([0, 1, 2] * 5))
    ours, theirs = place(cells, x, np.asarray(layout)), np.asarray(layout.transform(cells, perplexity=5))
    whole_map = np.asarray(layout).std()
    # openTSNE pushes new cells to the rim of their island, away from all old ones; ours stay among their neighbours
    assert np.median(np.linalg.norm(ours - theirs, axis=1)) < 0.4 * whole_map
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.97


def test_a_cell_is_placed_alike_alone_and_in_company_and_twice(islands: tuple) -> None:
    x, _, layout = islands
    cells = new_cells(np.array([0, 1, 2, 2]))
    together = place(cells, x, np.asarray(layout))
    assert np.concatenate([place(cell[None], x, np.asarray(layout)) for cell in cells]) == pytest.approx(together)
    assert (place(cells, x, np.asarray(layout)) == together).all()


def test_a_cell_far_from_everything_stays_on_the_map(islands: tuple) -> None:
    x, _, layout = islands
    found = place(np.full((1, 6), 1e3), x, np.asarray(layout))
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 2 * np.abs(layout).max()


def test_neighbours_weights_have_the_perplexity_asked_for(islands: tuple) -> None:
    x, _, _ = islands
    near, weights = affinities(new_cells(np.array([0, 1])), x, Placing(neighbours=30, perplexity=8))
    assert near.shape == (2, 30)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert np.exp(-(weights * np.log(weights)).sum(axis=1)) == pytest.approx(8, rel=1e-3)


def test_shares_of_classes_follow_the_neighbours(islands: tuple) -> None:
    x, group, _ = islands
    shares = class_shares(new_cells(np.array([0, 1, 2])), x, group, 3)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares.argmax(axis=1).tolist() == [0, 1, 2]
