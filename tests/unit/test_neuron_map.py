"""Maps of reconstructions: placing, pictures, and what a damaged map says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_map import NeuronMapModel, pack_silhouettes, unpack_silhouettes
from napari_celltype.morphology import measure, simulate
from napari_celltype.neuron import Neuron
from napari_celltype.training.job import Job
from napari_celltype.training.neuron_map import pack_map, squeezed
from napari_celltype.training.neurons import CLASSES, NeuronSet

KINDS = {"pyramidal": "pyramidal", "granule": "granule"}
EACH = 12


def simulated_set() -> tuple[list[Neuron], NeuronSet]:
    neurons = [simulate(kind, seed) for kind in KINDS for seed in range(EACH)]
    truth = [CLASSES.index(name) for name in KINDS.values() for _ in range(EACH)]
    columns = ("xyz_um", "radii_um", "parents", "types", "ids")
    words = np.array(["simulated"] * len(neurons))
    return neurons, NeuronSet(
        classes=CLASSES,
        truth=np.array(truth),
        broad=np.zeros(len(neurons), dtype=np.intp),
        cells=np.arange(len(neurons)),
        sources=words,
        species=words,
        labels=words,
        files=np.array([neuron.name for neuron in neurons]),
        arrays={name: np.concatenate([getattr(neuron, name) for neuron in neurons]) for name in columns},
        starts=np.concatenate([[0], np.cumsum([len(neuron) for neuron in neurons])]),
        rows=np.arange(len(neurons)),
    )


@pytest.fixture(scope="module")
def shape_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("map")
    neurons, labelled = simulated_set()
    raw = squeezed(np.array([measure(neuron).to_numpy(dtype=float) for neuron in neurons]))
    pack_map(
        Job(out, out, quick=True),
        "shape-map",
        labelled,
        raw,
        space="measures",
        summary="",
        card=lambda _: "",
        dimensions=6,
    )
    return out / "shape-map"


def test_a_new_neuron_lies_among_its_kind(shape_map: Path) -> None:
    model = load_model(shape_map)
    new = [simulate(kind, 100 + seed) for kind in KINDS for seed in range(3)]
    said = model.predict(new)
    assert said.labels == [name for name in KINDS.values() for _ in range(3)]
    assert said.embedding is not None
    assert said.embedding.shape == (6, 2)
    assert said.abstained.all()
    assert model.self_test() < 1e-5


def test_a_map_lists_its_cells_with_a_picture_each(shape_map: Path) -> None:
    model = load_model(shape_map)
    assert isinstance(model, NeuronMapModel)
    assert list(model.cells.columns) == ["x", "y", "class", "source", "species"]
    assert model.silhouettes.shape == (len(model.cells), 32, 32)
    assert (model.silhouettes.reshape(len(model.cells), -1).max(axis=1) > 0).all()
    np.testing.assert_array_equal(model.embed(simulate("granule", 0)).shape, (1, model.reference.shape[1]))


def test_a_reference_cell_is_placed_near_its_own_place(shape_map: Path) -> None:
    model = load_model(shape_map)
    assert isinstance(model, NeuronMapModel)
    gaps = np.linalg.norm(model.place(model.reference) - model.layout, axis=1)
    assert np.median(gaps) < 0.2 * np.ptp(model.layout, axis=0).max()


def test_pictures_survive_packing_to_sixteen_shades() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32)).astype(np.uint8)
    packed = pack_silhouettes(images)
    assert packed.shape == (3, 512)
    assert np.abs(unpack_silhouettes(packed).astype(int) - images).max() <= 8


def test_a_map_cut_short_is_refused(shape_map: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(shape_map, broken)
    with (broken / "weights.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(broken)
