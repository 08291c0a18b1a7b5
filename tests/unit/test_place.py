"""Maps as values: places, groups for colours, one's own cells laid out anew and alike each time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.workbench.place import (
    CellMap,
    OwnCells,
    Refit,
    column_names,
    grouping_of,
    map_of,
    place_cell,
    refit,
)


@pytest.fixture(scope="module")
def model():
    return load_model("ephys-map", device="cpu")


@pytest.fixture(scope="module")
def cell_map(model) -> CellMap:
    return map_of(model)


def typical(model, k: int) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, model.preparation.raw(model.doubts.means[k]), strict=True))


def invented(model, n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scaled = model.doubts.means[np.arange(n) % 5] + 0.4 * rng.normal(size=(n, len(FEATURE_NAMES)))
    return pd.DataFrame(model.preparation.raw(scaled), columns=list(FEATURE_NAMES), index=[f"c{i}" for i in range(n)])


def test_the_map_says_how_it_was_made_and_what_is_known_of_its_cells(cell_map):
    assert "perplexity 30" in cell_map.about
    assert "seed 0" in cell_map.about
    assert column_names(cell_map)[0] == "class"
    assert {"layer", "rate (kHz)", "species", "cluster"} <= set(column_names(cell_map))
    assert len(cell_map) == len(cell_map.cells) == len(cell_map.vectors)


def test_a_typical_cell_lands_among_its_like_where_the_model_puts_it(model, cell_map):
    for k, name in enumerate(model.classes):
        found = place_cell(cell_map, typical(model, k), name)
        assert found.xy == pytest.approx(model.predict(typical(model, k)).embedding[0])
        near = cell_map.cells["class"].iloc[found.near]
        assert (near == name).mean() >= 0.5
        assert (np.diff(found.distances) >= 0).all()
        assert not found.is_far


def test_a_cell_unlike_all_others_is_said_to_be_far(model, cell_map):
    odd = dict(zip(FEATURE_NAMES, model.preparation.raw(np.full(len(FEATURE_NAMES), 6.0)), strict=True))
    assert place_cell(cell_map, odd, "odd").is_far


def test_own_cells_keep_the_columns_that_tell_cells_apart():
    table = pd.DataFrame(
        {
            "threshold_v": np.linspace(-50, -40, 40),
            "layer": ["2/3", "5"] * 20,
            "file": [f"{i}.abf" for i in range(40)],
            "age": np.linspace(20, 60, 40),
        }
    )
    own = OwnCells.of(table)
    assert list(own.features.columns) == ["threshold_v"]
    assert set(own.facts.columns) == {"layer", "age"}


def test_a_table_without_features_says_what_it_needs():
    with pytest.raises(ModelError, match="none of the table's columns"):
        OwnCells.of(pd.DataFrame({"a": [1, 2]}))


def last(steps):
    *shares, found = steps
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == pytest.approx(1.0)
    return found


def test_laying_out_the_same_cells_twice_gives_the_same_map_and_another_seed_another(model, cell_map):
    own = OwnCells.of(invented(model, 40).assign(batch=["a", "b"] * 20))
    short = Refit(perplexity=8, early=50, steps=50)
    first, again = last(refit(cell_map, own, short)), last(refit(cell_map, own, short))
    assert (first.layout == again.layout).all()
    assert first.layout.shape == (40, 2)
    assert "perplexity 8, seed 0" in first.about
    assert list(first.cells["cell"])[:2] == ["c0", "c1"]
    assert "batch" in column_names(first)
    assert place_cell(first, dict(invented(model, 40).iloc[3]), "again").near[0] == 3


def test_perplexity_is_held_to_what_so_few_cells_allow(model, cell_map):
    assert Refit(perplexity=30).fitting(10).perplexity == pytest.approx(3.0)
    found = last(refit(cell_map, OwnCells.of(invented(model, 6)), Refit(early=25, steps=25)))
    assert np.isfinite(found.layout).all()


def test_too_few_cells_are_a_sentence(model, cell_map):
    with pytest.raises(ModelError, match="at least 5 cells; 1 is here"):
        next(refit(cell_map, OwnCells.of(invented(model, 1)), Refit()))


def test_words_make_groups_and_many_numbers_a_ramp():
    groups = grouping_of(pd.Series(["b", "a", None, "b"]))
    assert groups.names == ("a", "b")
    assert groups.codes.tolist() == [1, 0, -1, 1]
    ramp = grouping_of(pd.Series(np.arange(100.0)))
    assert (ramp.low, ramp.high) == (0.0, 99.0)
    assert ramp.share[[0, -1]].tolist() == [0.0, 1.0]
    rates = grouping_of(pd.Series([50.0, 200.0, 50.0]))
    assert rates.names == ("50", "200")
