"""Teaching the Tree-LSTM: variation leaves trees trees, runs repeat, and the recipe's models load and answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_celltype import write_swc
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_explain import HandReference, hand_reference
from napari_celltype.models.neuron_form import NeuronForm, piece_columns, standardise, to_pieces
from napari_celltype.models.tree_model import TreeLstmModel
from napari_celltype.morphology.simulation import simulate
from napari_celltype.training.job import Job
from napari_celltype.training.neurons import NeuronSet, read_neurons, standard_set
from napari_celltype.training.recipes import run_recipe
from napari_celltype.training.tree_fit import Lessons, TreeTeaching, fit_tree, tree_answers
from napari_celltype.training.tree_lstm import Said, fold_answers
from napari_celltype.training.tree_pieces import Grove, PieceVariation, cut_copies, resize, vary_pieces
from napari_celltype.training.tree_rnn_paper import raw_lines, usable

FORM = NeuronForm(piece_um=100.0)
COLUMN = {name: place for place, name in enumerate(piece_columns())}
STILL = PieceVariation(
    tilt_deg=0.0, scale=1.0, jitter=0.0, prune=0.0, without_axon=0.0, without_types=0.0, without_radius=0.0
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    for kind in ("pyramidal", "basket", "granule"):
        (folder / kind).mkdir()
        for seed in range(6):
            write_swc(simulate(kind, seed, spacing_um=25.0), folder / kind / f"{seed}.swc")
    return folder


@pytest.fixture(scope="module")
def neurons(folder: Path) -> NeuronSet:
    return standard_set(read_neurons(folder), NeuronForm())


@pytest.fixture(scope="module")
def grove(neurons: NeuronSet) -> Grove:
    return cut_copies(neurons, FORM, 2, 0)


def test_the_first_copy_is_the_neuron_as_it_is_and_the_next_is_not(neurons: NeuronSet, grove: Grove) -> None:
    expected = to_pieces(neurons.neuron(4), FORM)
    features, (parents,) = grove.trees(np.array([4]))
    np.testing.assert_array_equal(parents, expected.parents)
    np.testing.assert_allclose(features, expected.features)
    varied, _ = grove.trees(np.array([4]), 1)
    assert varied.shape != features.shape or not np.allclose(varied, features)


def test_a_grove_survives_being_stored(grove: Grove) -> None:
    read = Grove.from_arrays(grove.to_arrays(), grove.copies)
    assert len(read) == len(grove)
    np.testing.assert_allclose(read.features, grove.features, atol=4e-3)


def test_variation_turns_lengths_stay_and_parents_stay(grove: Grove) -> None:
    features, trees = grove.trees(np.arange(6))
    varied, same = vary_pieces(features, trees, STILL, np.random.default_rng(0))
    for before, after in zip(trees, same, strict=True):
        np.testing.assert_array_equal(before, after)
    for first in ("dx", "step1_x", "step4_x", "away_x"):
        part = slice(COLUMN[first], COLUMN[first] + 3)
        np.testing.assert_allclose(
            np.linalg.norm(varied[:, part], axis=1), np.linalg.norm(features[:, part], axis=1), atol=1e-4
        )
        np.testing.assert_allclose(varied[:, part.stop - 1], features[:, part.stop - 1], atol=1e-4)
    assert not np.allclose(varied[:, 0], features[:, 0])


def test_resizing_pieces_is_cutting_a_resized_neuron() -> None:
    neuron = standardise(simulate("granule", 1, spacing_um=10.0))
    small, large = (
        to_pieces(neuron.replace(xyz_um=neuron.xyz_um * factor), NeuronForm(piece_um=60.0 * factor))
        for factor in (1.0, 1.25)
    )
    np.testing.assert_array_equal(small.parents, large.parents)
    features = small.features.copy()
    resize(features, np.zeros(len(small), dtype=np.int64), np.array([1.25]), COLUMN)
    np.testing.assert_allclose(features, large.features, atol=1e-4)


def test_trees_lose_axon_types_and_radii_together_with_what_hangs_on_them(grove: Grove) -> None:
    features, trees = grove.trees(np.arange(6, 12))
    bare = PieceVariation(prune=0.5, without_axon=1.0, without_types=1.0, without_radius=1.0)
    varied, left = vary_pieces(features, trees, bare, np.random.default_rng(1))
    start = 0
    for parents in left:
        part = varied[start : start + len(parents)]
        start += len(parents)
        assert parents[0] == -1
        assert (parents[1:] >= 0).all()
        assert (parents[1:] < np.arange(1, len(parents))).all()
        assert part[0, COLUMN["soma"]] == 1
        assert not part[:, COLUMN["radius"]].any()
        assert part[1:, COLUMN["unknown"]].all()
    assert start == len(varied) < len(features)


def test_the_same_seed_teaches_the_same_network_and_it_learns(neurons: NeuronSet, grove: Grove) -> None:
    measures = np.column_stack([neurons.truth, np.full(len(neurons), np.nan)]).astype(float)
    lessons = Lessons(neurons.truth, neurons.broad, measures, len(neurons.classes))
    teaching = TreeTeaching(epochs=12, batch=6, copies=2)
    rows = np.arange(len(neurons))
    first, second = (tree_answers(fit_tree(grove, rows, lessons, teaching, 3), grove) for _ in range(2))
    np.testing.assert_array_equal(first["class8"], second["class8"])
    np.testing.assert_allclose(np.exp(first["class8"]).sum(axis=1), 1, atol=1e-5)
    assert first["embedding"].shape == (len(neurons), 128)
    assert (first["class8"].argmax(axis=1) == neurons.truth).mean() > 0.9


def test_a_fold_is_taught_once_and_answers_for_all_neurons(neurons: NeuronSet, tmp_path: Path) -> None:
    job = Job(tmp_path, tmp_path / "out", quick=True)
    found = fold_answers(job, neurons, "cells", 0, 1)
    again = fold_answers(job, neurons, "cells", 0, 1)
    assert sorted(found) == sorted(
        ["rows", *(f"{name}{end}" for name in ("class8", "broad", "embedding") for end in ("", "_varied"))]
    )
    for name, array in found.items():
        np.testing.assert_array_equal(array, again[name])
    assert found["class8"].shape == (len(neurons), 3)
    said = Said.of_folds(neurons, [found])
    np.testing.assert_allclose(said.of("class8", found["rows"]), found["class8"][found["rows"]])


def test_the_recipe_writes_two_models_that_answer(folder: Path, tmp_path: Path) -> None:
    run_recipe("tree-lstm", Job(folder, tmp_path, quick=True))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["8 classes"]["by_cell"]["n_cells"] == 18
    cells = [simulate("basket", 60, spacing_um=25.0), simulate("granule", 60, spacing_um=25.0)]
    for name, k in (("tree-lstm", 3), ("tree-lstm-2class", 2)):
        model = load_model(tmp_path / name, device="cpu")
        assert isinstance(model, TreeLstmModel)
        assert model.self_test() < 1e-6
        assert "Figures" in model.card
        found = model.predict(cells)
        assert found.probabilities.shape == (2, k)
        alone = np.concatenate([model.predict(cell).probabilities for cell in cells])
        np.testing.assert_allclose(found.probabilities, alone, atol=1e-6)
        reference = hand_reference(model)
        assert isinstance(reference, HandReference)
        assert reference.classes == tuple(model.classes)


def test_the_published_network_takes_short_single_trees_as_they_stand(folder: Path) -> None:
    raw = read_neurons(folder)
    sizes = np.diff(raw.starts)
    limit = int(np.median(sizes))
    assert (sizes[usable(raw, limit)] <= limit).all()
    lines, parents = raw_lines(raw, 0)
    neuron = raw.neuron(0)
    np.testing.assert_allclose(lines[:, 0], neuron.ids)
    np.testing.assert_allclose(lines[1:, 6], neuron.ids[parents[1:]])
    assert lines[0, 6] == -1
