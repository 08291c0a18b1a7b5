"""One form for any reconstruction: what laboratories decide must not reach the models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import shared_files
from napari_celltype.errors import NeuronError
from napari_celltype.io.neurons import read_neuron
from napari_celltype.models.neuron_form import (
    NeuronForm,
    piece_columns,
    standardise,
    to_image,
    to_pieces,
)
from napari_celltype.morphology.resampling import resample
from napari_celltype.morphology.sections import edge_lengths_um
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron

COLUMN = {name: place for place, name in enumerate(piece_columns())}


@pytest.fixture(scope="module")
def cell() -> Neuron:
    return simulate("pyramidal", 1, spacing_um=8.0)


def shuffled(neuron: Neuron, seed: int = 0) -> Neuron:
    rows = np.random.default_rng(seed).permutation(len(neuron))
    return neuron.take(rows).replace(ids=np.arange(len(neuron)) * 3 + 7)


def sorted_rows(features: np.ndarray) -> np.ndarray:
    return features[np.lexsort(np.round(features, 3).T)]


@pytest.mark.parametrize("path", shared_files("bad_swc/**/*.swc"), ids=lambda path: path.name)
def test_every_bad_file_gives_a_tree_or_one_clear_error(path: Path) -> None:
    try:
        neuron = read_neuron(path)
    except NeuronError:
        return
    try:
        found = standardise(neuron)
    except NeuronError as error:
        refusal = str(error)
        found = None
    if found is None:
        assert "classif" in refusal
        return
    assert found.parents[0] == -1
    assert (found.parents[1:] >= 0).all()
    assert (found.parents[1:] < np.arange(1, len(found))).all()
    assert np.allclose(found.xyz_um[0], 0)
    assert (edge_lengths_um(found)[1:] > 0).all()
    pieces = to_pieces(found)
    assert np.isfinite(pieces.features).all()
    assert (pieces.parents[1:] < np.arange(1, len(pieces))).all()
    assert to_image(found).max() > 0


@pytest.mark.parametrize(
    "change",
    [
        shuffled,
        lambda neuron: neuron.replace(xyz_um=neuron.xyz_um + np.array([1e4, -300, 77])),
        lambda neuron: neuron.replace(radii_um=neuron.radii_um * 7),
        lambda neuron: neuron.replace(types=np.where(neuron.types == 4, 3, neuron.types)),
    ],
    ids=["order and numbers", "origin", "unit of radii", "name of dendrites"],
)
def test_what_a_laboratory_decides_changes_no_piece(cell: Neuron, change) -> None:
    expected, got = (to_pieces(standardise(neuron)) for neuron in (cell, change(cell)))
    assert np.allclose(sorted_rows(expected.features), sorted_rows(got.features), atol=2e-3)


def test_denser_nodes_leave_the_pieces_in_place(cell: Neuron) -> None:
    few, many = (to_pieces(standardise(neuron)) for neuron in (cell, resample(cell, 0.9, max_length_loss=None)))
    assert abs(len(few) - len(many)) <= 0.02 * len(few)
    for name in ("log_length", "log_path", "order", "straightness", "log_radial"):
        column = COLUMN[name]
        assert few.features[:, column].mean() == pytest.approx(many.features[:, column].mean(), abs=0.03), name


def test_pieces_add_up_to_the_neuron_and_every_node_lies_in_its_piece(cell: Neuron) -> None:
    found = standardise(cell)
    pieces = to_pieces(found)
    lengths = 10 * np.exp(pieces.features[1:, COLUMN["log_length"]].astype(float))
    assert lengths.sum() == pytest.approx(edge_lengths_um(found).sum(), rel=1e-4)
    path = np.zeros(len(found))
    for row in range(1, len(found)):  # the plain definition, one node after another
        path[row] = path[found.parents[row]] + np.linalg.norm(found.xyz_um[row] - found.xyz_um[found.parents[row]])
    end = 10 * np.expm1(pieces.features[:, COLUMN["log_path"]].astype(float))
    start = np.where(pieces.parents >= 0, end[pieces.parents], 0.0)
    inside = pieces.node_rows[1:]
    assert (path[1:] <= end[inside] * 1.001 + 0.01).all()
    assert (path[1:] >= start[inside] * 0.999 - 0.01).all()
    assert pieces.node_rows[0] == 0


def test_a_drawn_soma_becomes_one_point() -> None:
    ring = [[10 * np.cos(a), 10 * np.sin(a), 0.0] for a in np.linspace(0, 2 * np.pi, 8, endpoint=False)]
    xyz = np.array([*ring, [10, 0, 0], [40, 0, 0], [-10, 0, 0], [-40, 0, 0]])
    parents = [-1, *range(7), 0, 8, 4, 10]
    found = standardise(Neuron.from_arrays(xyz, parents, types=[1] * 8 + [3] * 4))
    assert (found.types == 1).sum() == 1
    assert found.n_children[0] == 2
    assert found.radii_um[0] == pytest.approx(10)
    assert sorted(found.source_rows.tolist()) == [0, 8, 9, 10, 11]


def test_a_root_elsewhere_is_moved_to_the_soma() -> None:
    found = standardise(
        Neuron.from_arrays([[90, 0, 0], [50, 0, 0], [0, 0, 0], [-30, 0, 0]], [-1, 0, 1, 2], types=[2, 2, 1, 3])
    )
    assert found.types.tolist()[0] == 1
    assert found.n_children[0] == 2
    assert edge_lengths_um(found).sum() == pytest.approx(120)


def test_near_pieces_are_joined_and_far_ones_left_off_with_a_note() -> None:
    xyz = [[0, 0, 0], [100, 0, 0], [110, 0, 0], [150, 0, 0], [5000, 0, 0], [5200, 0, 0]]
    found = standardise(Neuron.from_arrays(xyz, [-1, 0, -1, 2, -1, 4], types=[1, 3, 3, 3, 3, 3]))
    assert {note.code: note.severity for note in found.defects} == {"joined": "note", "left-off": "warning"}
    assert edge_lengths_um(found).sum() == pytest.approx(150)


def test_the_axon_and_the_types_can_be_withheld(cell: Neuron) -> None:
    axonless = standardise(cell, NeuronForm(axon="drop"))
    assert 0 < len(axonless) < len(standardise(cell))
    assert not (axonless.types == 2).any()
    assert set(standardise(cell, NeuronForm(types="hidden")).types.tolist()) == {0, 1}
    only_axon = Neuron.from_arrays([[0, 0, 0], [50, 0, 0]], [-1, 0], types=[1, 2])
    assert len(standardise(only_axon, NeuronForm(axon="drop"))) == 2


def test_pictures_know_neither_size_nor_radius(cell: Neuron) -> None:
    form = NeuronForm(image_px=64)
    found = standardise(cell, form)
    plain = to_image(found, form)
    assert plain.shape == (3, 64, 64)
    assert plain.dtype == np.uint8
    changed = found.replace(xyz_um=found.xyz_um * 3, radii_um=found.radii_um * 20)
    assert np.abs(plain.astype(int) - to_image(changed, form).astype(int)).mean() < 0.5


def test_settings_come_back_and_nonsense_is_refused() -> None:
    form = NeuronForm(types="hidden", axon="drop", repair=True, align="principal", piece_um=25.0)
    assert NeuronForm.from_settings(form.to_settings()) == form
    with pytest.raises(ValueError, match="axon must be keep or drop"):
        NeuronForm(axon="maybe")
