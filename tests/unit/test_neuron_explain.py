"""Explanations: a branch is worth what taking it off costs, gradients add up, z is from the class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_celltype.errors import ModelError, NeuronError
from napari_celltype.models.bundle import Bundle, ModelInfo
from napari_celltype.models.networks.tree_lstm import TreeLstm, TreeShape
from napari_celltype.models.neuron_doubts import MEASURES, NeuronDoubts
from napari_celltype.models.neuron_explain import (
    HandReference,
    integrate_gradients,
    occlude_branches,
    unlike_class,
)
from napari_celltype.models.neuron_form import NeuronForm, piece_columns
from napari_celltype.models.neuron_model import NeuronModel, Prepared
from napari_celltype.models.tree_model import TreeLstmModel
from napari_celltype.morphology.morphometrics import FEATURES, measure
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron

FORM = NeuronForm(piece_um=100.0)


def bundle(classes: tuple[str, ...], **settings: object) -> Bundle:
    d = len(MEASURES)
    doubts = NeuronDoubts(
        np.zeros(d),
        np.zeros((len(classes), d)),
        np.tile(np.eye(d), (len(classes), 1, 1)),
        np.zeros((len(classes), 3)),
        np.zeros(len(classes), dtype=bool),
        1e9,
        0.0,
    )
    info = ModelInfo(
        name="test",
        version="1.0.0",
        task="",
        input="neuron",
        kind="tree-lstm",
        classes=classes,
        settings={"form": FORM.to_settings(), "abstain": doubts.limits(), **settings},
        folder=Path(),
    )
    return Bundle(info, dict(doubts.to_arrays()))


class CountsAxon(NeuronModel):
    """Log-odds of "much axon" are its length in mm: what any branch is worth is known beforehand."""

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[NDArray[np.float64], None]:
        lengths = []
        for one in prepared:
            neuron = one.neuron
            step = np.linalg.norm(neuron.xyz_um - neuron.xyz_um[neuron.parents], axis=1)
            lengths.append(step[(neuron.parents >= 0) & (neuron.types == 2)].sum() / 1000)
        return np.stack([np.array(lengths), np.zeros(len(lengths))], axis=1), None


@pytest.fixture
def counter() -> CountsAxon:
    return CountsAxon(bundle(("much axon", "little axon")))


@pytest.fixture(scope="module")
def cell() -> Neuron:
    return simulate("basket", 3, spacing_um=25.0)


def tree_model(seed: int = 0) -> TreeLstmModel:
    shape = TreeShape(len(piece_columns()), hidden=8, embedding=6, heads=(3, 2))
    network = TreeLstm(shape, torch.Generator().manual_seed(seed))
    made = bundle(("a", "b", "c"), network=shape.to_settings(), outputs=[0, 3])
    made.weights.update({f"network.{name}": tensor.numpy() for name, tensor in network.state_dict().items()})
    return TreeLstmModel(made, "cpu")


def axon_length_mm(neuron: Neuron, rows: NDArray[np.bool_]) -> float:
    step = np.linalg.norm(neuron.xyz_um - neuron.xyz_um[neuron.parents], axis=1)
    return float(step[rows & (neuron.types == 2) & (neuron.parents >= 0)].sum() / 1000)


def below(neuron: Neuron, row: int) -> NDArray[np.bool_]:
    inside = np.zeros(len(neuron), dtype=bool)
    for node in neuron.order:
        inside[node] = node == row or (neuron.parents[node] >= 0 and inside[neuron.parents[node]])
    return inside


def test_a_branch_is_worth_what_taking_it_off_costs(counter: CountsAxon, cell: Neuron) -> None:
    found = occlude_branches(counter, cell, of="much axon", max_branches=20)
    assert len(found.branches) == 20
    for _, row in found.branches.iterrows():
        inside = below(cell, int(cell.rows_of(int(row["node_id"]))[0]))
        assert row["value"] == pytest.approx(axon_length_mm(cell, inside), abs=1e-3)
        assert row["length_um"] > 0


def test_nodes_show_the_smallest_branch_that_holds_them_and_the_soma_nothing(counter: CountsAxon, cell: Neuron) -> None:
    found = occlude_branches(counter, cell, of="much axon", max_branches=30)
    smallest = np.zeros(len(cell))
    for _, row in found.branches.sort_values("length_um", ascending=False).iterrows():
        smallest[below(cell, int(cell.rows_of(int(row["node_id"]))[0]))] = row["value"]
    np.testing.assert_allclose(found.values, smallest)
    assert found.values[cell.types == 1].max() == 0.0


def test_the_other_class_sees_it_the_other_way_round(counter: CountsAxon, cell: Neuron) -> None:
    for_it = occlude_branches(counter, cell, of="much axon", max_branches=8)
    against = occlude_branches(counter, cell, of="little axon", max_branches=8)
    np.testing.assert_allclose(for_it.values, -against.values, atol=1e-6)
    assert for_it.log_odds == pytest.approx(-against.log_odds)


def test_occlusion_reports_progress_and_stops_when_asked(counter: CountsAxon, cell: Neuron) -> None:
    seen: list[tuple[int, int]] = []
    found = occlude_branches(
        counter,
        cell,
        max_branches=36,
        progress=lambda done, total: seen.append((done, total)),
        cancelled=lambda: len(seen) >= 1,
    )
    assert seen == [(12, 36)]
    assert len(found.branches) == 12


def test_renumbered_nodes_keep_their_values(counter: CountsAxon, cell: Neuron) -> None:
    order = np.random.default_rng(0).permutation(len(cell))
    whole = occlude_branches(counter, cell, of="much axon", max_branches=12)
    mixed = occlude_branches(counter, cell.take(order), of="much axon", max_branches=12)
    np.testing.assert_allclose(mixed.values, whole.values[order], atol=1e-6)


def test_a_neuron_that_cannot_be_judged_is_not_explained(counter: CountsAxon) -> None:
    loop = Neuron.from_arrays([[0, 0, 0], [1, 0, 0]], [1, 0])
    with pytest.raises(NeuronError):
        occlude_branches(counter, loop)


def test_an_unknown_class_is_named_with_those_there_are(counter: CountsAxon, cell: Neuron) -> None:
    with pytest.raises(ModelError, match="much axon, little axon"):
        occlude_branches(counter, cell, of="astrocyte")


def test_gradients_add_up_to_the_difference_from_an_average_tree(cell: Neuron) -> None:
    model = tree_model()
    prepared = model.prepare(cell)
    pieces = prepared.pieces
    average = type(pieces)(np.zeros_like(pieces.features), pieces.parents, pieces.node_rows)
    found = integrate_gradients(model, cell, of="b", steps=64)
    p = model.calibration(model.judge_pieces([pieces, average])[0])
    odds = np.log(p[:, 1] / (1 - p[:, 1]))
    shares = np.zeros(len(pieces))
    rows = prepared.neuron.source_rows
    assert rows is not None
    shares[pieces.node_rows] = found.values[rows]
    assert shares.sum() == pytest.approx(odds[0] - odds[1], abs=2e-3)
    assert found.log_odds == pytest.approx(odds[0], abs=1e-5)


def test_two_halves_of_a_verdict_speak_against_each_other(cell: Neuron) -> None:
    model = tree_model()
    p = model.predict([cell])
    found = integrate_gradients(model, cell)
    assert found.explained == p.labels[0]
    assert np.isfinite(found.values).all()


def test_unlike_class_ranks_by_distance_from_the_class() -> None:
    cells = [simulate("granule", seed, spacing_um=25.0) for seed in range(6)]
    values = np.stack([measure(one).to_numpy(float) for one in cells])
    reference = HandReference.fit(values, np.array([0, 0, 0, 1, 1, 1]), ("x", "y"))
    odd = cells[0].replace(xyz_um=cells[0].xyz_um * 100)
    table = unlike_class(odd, "x", reference)
    assert table["z"].abs().is_monotonic_decreasing
    assert table["feature"].isin(FEATURES).all()
    size = table.set_index("feature").loc["TotalLength"]
    logs = np.log1p(values[:3, FEATURES.index("TotalLength")])
    assert size["z"] == pytest.approx(
        (np.log1p(size["value"]) - logs.mean()) / reference.spreads[0, FEATURES.index("TotalLength")]
    )
    assert size["low"] < size["usual"] < size["high"] < size["value"]


def test_the_hand_reference_survives_being_stored() -> None:
    values = np.abs(np.random.default_rng(0).normal(size=(9, 20)))
    reference = HandReference.fit(values, np.repeat([0, 1, 2], 3), ("a", "b", "c"))
    model = tree_model()
    assert HandReference.of(model) is None
    model.weights.update(reference.to_arrays())
    read = HandReference.of(model)
    assert read is not None
    np.testing.assert_allclose(read.means, reference.means, rtol=1e-6)
    with pytest.raises(ModelError, match="a, b, c"):
        unlike_class(simulate("granule", 0), "microglia", read)
