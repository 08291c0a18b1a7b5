"""Gates of a cell beside those of the classes: missing is missing, trees are right, texts say what is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import dendrogram, linkage

from napari_celltype.models.features import FEATURE_NAMES, FEATURES
from napari_celltype.workbench.gates import ORDERS, CellGates, GateReference, cluster, order_features
from napari_celltype.workbench.gates_sheet import (
    SHOWN,
    build_sheet,
    describe_feature,
    headline,
    sheet_to_frame,
    with_unit,
)

CLASSES = ("Glutamatergic", "Pvalb+", "Sst+")
N = len(FEATURES)


def make_reference(n_cells: int = 30, *, kept: bool = True) -> GateReference:
    rng = np.random.default_rng(0)
    cells = rng.random((n_cells, N))
    truth = np.arange(n_cells) % 3
    ranges = np.sort(rng.normal(size=(3, 3, N)), axis=1)
    gates = np.stack([cells[truth == k].mean(axis=0) for k in range(3)])
    return GateReference(
        "lspin", "1", CLASSES, gates, rng.normal(size=(3, N)), ranges, *((cells, truth) if kept else (None, None))
    )


def make_cell(missing: tuple[int, ...] = (3,), *, adds: bool = True) -> CellGates:
    rng = np.random.default_rng(1)
    gates, values, shares = rng.random(N), rng.normal(size=N), rng.normal(size=N)
    for column in missing:
        gates[column] = values[column] = shares[column] = np.nan
    return CellGates("cell.abf", "Pvalb+", 0.83, (), gates, values, values, shares if adds else None)


def test_clusters_are_joined_as_scipy_draws_them():
    rows = np.random.default_rng(2).random((17, 5))
    tree = cluster(rows)
    drawn = dendrogram(linkage(rows, "average", "euclidean"), no_plot=True)
    assert tree.order.tolist() == drawn["leaves"]
    # scipy puts leaves at 5, 15, 25, ...
    wanted = sorted((np.array(drawn["icoord"]) - 5) / 10, key=tuple)
    found = [np.sort(joint[:, 0]) for joint in tree.lines]
    assert np.sort(found, axis=0) == pytest.approx(np.sort([np.sort(x) for x in wanted], axis=0))
    assert tree.height == pytest.approx(np.max(drawn["dcoord"]))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_make_small_trees(n):
    tree = cluster(np.zeros((n, 4)))
    assert len(tree.order) == n
    assert len(tree.lines) == max(0, n - 1)
    assert tree.height == 0


def test_a_chain_of_a_thousand_cells_needs_no_recursion():
    chain = np.cumsum(1.0 + np.arange(1200.0))[:, None]
    assert sorted(cluster(chain).order) == list(range(1200))


@pytest.mark.parametrize("by", ORDERS)
@pytest.mark.parametrize("cell", [None, make_cell(), make_cell(adds=False)])
def test_every_order_holds_every_feature_once(by, cell):
    order, tree = order_features(by, cell, make_reference())
    assert sorted(order) == list(range(N))
    assert (tree is not None) == (by == "similarity")


def test_missing_features_come_last_where_gates_or_shares_decide():
    for by in ("gate", "contribution"):
        order, _ = order_features(by, make_cell((3, 7)), make_reference())
        assert set(order[-2:]) == {3, 7}


def test_features_of_one_stimulus_stand_together_and_breaks_part_them():
    sheet = build_sheet(make_reference(), None, by="stimulus")
    groups = np.split(sheet.order, sheet.breaks)
    assert [len({FEATURES[i].stimulus for i in group}) for group in groups] == [1] * 5


def test_a_missing_feature_is_a_gap_in_every_panel_of_the_cell():
    sheet = build_sheet(make_reference(), make_cell((3,)))
    gates, z, adds = sheet.panels
    assert gates.labels[0] == "This cell"
    for panel in (gates, z, adds):
        assert np.isnan(panel.values[3, 0])
        assert np.isfinite(np.delete(panel.values[:, 0], 3)).all()
    assert np.isfinite(gates.values[3, 1:]).all()


@pytest.mark.parametrize("shown", SHOWN)
def test_reference_cells_are_shown_once_each_with_their_own_class(shown):
    reference = make_reference()
    sheet = build_sheet(reference, make_cell(), shown=shown, selected=np.array([2, 5, 29]))
    shown_rows = [panel.rows for panel in sheet.panels if panel.rows is not None]
    wanted = {"averages": 0, "all": 30, "by class": 30, "selected": 3}[shown]
    rows = np.concatenate(shown_rows) if shown_rows else np.empty(0)
    assert len(set(rows.tolist())) == len(rows) == wanted
    for panel in sheet.panels:
        if panel.rows is not None:
            assert panel.classes == tuple(CLASSES[reference.truth[row]] for row in panel.rows)
            assert (reference.cells[panel.rows] == panel.values.T).all()


def test_without_kept_cells_only_averages_are_shown():
    assert all(panel.rows is None for panel in build_sheet(make_reference(kept=False), None, shown="all").panels)


def test_rows_beyond_the_reference_cells_are_not_taken():
    sheet = build_sheet(make_reference(), None, shown="selected", selected=np.array([5, 900]))
    assert [panel.rows.tolist() for panel in sheet.panels if panel.rows is not None] == [[5]]


def test_hovering_tells_value_unit_gate_share_and_every_class():
    lines = dict(describe_feature(0, make_cell(), make_reference())[1:])
    assert lines["this cell"].endswith("SD)")
    assert "mV" in lines["this cell"]
    assert {"gate", "adds to Pvalb", "Excitatory", "Pvalb", "Sst"} <= set(lines)
    missing = dict(describe_feature(3, make_cell(), make_reference())[1:])
    assert missing["this cell"] == "not measured"
    assert "gate" not in missing


def test_the_headline_counts_what_was_measured():
    assert "40 of 41 features measured" in headline(make_cell())
    assert headline(make_cell()).startswith("cell.abf: Pvalb 83%")


def test_the_table_follows_the_order_shown_and_leaves_gaps_empty():
    reference, cell = make_reference(), make_cell()
    sheet = build_sheet(reference, cell, by="gate", shown="all")
    table = sheet_to_frame(sheet, cell, reference)
    assert table["feature"].tolist() == [FEATURE_NAMES[i] for i in sheet.order]
    assert table["gate"].isna().sum() == 1
    assert table["gate"].dropna().is_monotonic_decreasing
    assert sum(name.startswith("reference ") for name in table.columns) == 30
    assert isinstance(pd.read_csv(_as_csv(table)), pd.DataFrame)


def _as_csv(table):
    from io import StringIO

    return StringIO(table.to_csv(index=False))


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(0.00123, "s", "0.00123 s"), (-71.234, "mV", "-71.2 mV"), (1234.5, "MΩ", "1234 MΩ")]
)
def test_numbers_are_written_with_three_digits_and_their_unit(value, unit, text):
    assert with_unit(value, unit) == text
