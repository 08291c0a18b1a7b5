"""Labelled reconstructions: read, split, judged, and a model made of them that can be used."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_celltype import write_swc
from napari_celltype.cli import main
from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_doubts import fit_neuron_doubts
from napari_celltype.models.neuron_features import wide_features
from napari_celltype.models.neuron_form import NeuronForm, standardise
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron
from napari_celltype.training.evaluate import evaluate
from napari_celltype.training.neuron_splits import cell_folds, source_folds, within_sources
from napari_celltype.training.neurons import read_neurons, standard_set
from napari_celltype.training.shortcuts import GROUPS, shortcut_features

EACH = 8
KINDS = ("pyramidal", "basket", "granule")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated neurons in one folder a class, and one file that holds no neuron."""
    folder = tmp_path_factory.mktemp("labelled")
    for kind in KINDS:
        (folder / kind).mkdir()
        for seed in range(EACH):
            write_swc(simulate(kind, seed, spacing_um=20.0), folder / kind / f"{seed:02}.swc")
    (folder / "basket" / "broken.swc").write_text("nothing\n")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert main(["train", "svc-morphology", "--data", str(folder), "--out", str(out), "--quick"]) == 0
    return out


def with_index(folder: Path, target: Path) -> Path:
    """The same neurons in one archive, with sources, and two files of one cell."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/[0-9]*.swc"))
    table = pd.DataFrame({"file": files, "class": [name.split("/")[0] for name in files]})
    table["source"] = ["north" if int(name[-6:-4]) % 2 else "south" for name in files]
    table["cell"] = ["twin" if name in ("basket/00.swc", "basket/01.swc") else name for name in files]
    target.mkdir()
    table.to_csv(target / "index.csv", index=False)
    with tarfile.open(target / "swc.tar.xz", "w:xz", preset=0) as tar:
        for name in files:
            tar.add(folder / name, arcname=name)
    return target


def test_folders_and_archives_give_the_same_neurons(folder: Path, tmp_path: Path) -> None:
    by_folder = read_neurons(folder)
    by_archive = read_neurons(with_index(folder, tmp_path / "archive"), tmp_path / "cache")
    assert set(by_folder.classes) == set(KINDS)
    assert sorted(by_folder.files) == sorted(by_archive.files)
    for name in ("pyramidal/03.swc", "granule/07.swc"):
        one, other = (found.neuron(int(np.flatnonzero(found.files == name)[0])) for found in (by_folder, by_archive))
        assert np.array_equal(one.parents, other.parents)
        assert np.allclose(one.xyz_um, other.xyz_um)
    again = read_neurons(tmp_path / "archive", tmp_path / "cache")
    assert np.array_equal(again.truth, by_archive.truth)


def test_a_cell_and_its_copies_are_never_split(folder: Path, tmp_path: Path) -> None:
    found = read_neurons(with_index(folder, tmp_path / "archive"))
    twins = np.flatnonzero(np.isin(found.files, ["basket/00.swc", "basket/01.swc"]))
    for seed in range(5):
        folds = cell_folds(found, 4, seed)
        assert len(np.unique(folds[twins])) == 1
        assert all(len(np.unique(folds[found.truth == k])) == 4 for k in range(3))
    copied = tmp_path / "copied"
    (copied / "basket").mkdir(parents=True)
    neuron = simulate("basket", 0, spacing_um=20.0)
    write_swc(neuron, copied / "basket" / "a.swc")
    write_swc(neuron.replace(xyz_um=neuron.xyz_um + np.array([500.0, 0.0, 0.0])), copied / "basket" / "moved.swc")
    write_swc(simulate("basket", 1, spacing_um=20.0), copied / "basket" / "other.swc")
    cells = read_neurons(copied).cells
    assert cells[0] == cells[1] != cells[2]


def test_a_collection_kept_out_is_kept_out_whole(folder: Path, tmp_path: Path) -> None:
    found = read_neurons(with_index(folder, tmp_path / "archive"))
    folds = source_folds(found)
    assert [fold.source for fold in folds] == ["north", "south"]
    for fold in folds:
        assert set(found.sources[fold.test]) == {fold.source}
        assert fold.source not in set(found.sources[fold.train])
    assert set(within_sources(found, least=3)) == {"north", "south"}


def test_the_standard_set_keeps_the_labels_and_remembers_rows(folder: Path, tmp_path: Path) -> None:
    raw = read_neurons(folder)
    for _ in range(2):  # the second time from the cache
        found = standard_set(raw, NeuronForm(), tmp_path / "cache")
        assert np.array_equal(found.truth, raw.truth)
        neuron, before = found.neuron(4), raw.neuron(4)
        moved = before.xyz_um[neuron.ids] - before.xyz_um[neuron.ids[0]]
        assert np.allclose(neuron.xyz_um, moved, atol=1e-3)


def test_a_folder_without_reconstructions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no labelled reconstructions"):
        read_neurons(tmp_path)


def test_shortcuts_know_the_file_and_not_the_neuron(folder: Path) -> None:
    neuron = simulate("basket", 3, spacing_um=20.0)
    moved = neuron.replace(xyz_um=neuron.xyz_um + np.array([1000.0, 0, 0]), radii_um=np.full(len(neuron), 0.7))
    plain, changed = shortcut_features([neuron, moved]).to_numpy()
    groups = shortcut_features([neuron]).columns.get_level_values(0)
    assert set(groups) == set(GROUPS)
    differing = set(groups[~np.isclose(plain, changed, equal_nan=True)])
    assert {"origin", "radius"} <= differing
    assert not differing & {"scale", "density", "types", "axon", "order"}


def test_the_recipe_writes_models_that_find_simulated_classes(trained: Path, folder: Path) -> None:
    report = json.loads((trained / "report.json").read_text())
    assert report["svc-morphology"]["by_cell"]["mean"]["accuracy"] > 0.9
    for name in ("svc-morphology", "svc-morphology-2class"):
        model = load_model(trained / name)
        assert model.self_test() < 1e-6
        assert "Figures" in model.card
    found = evaluate(load_model(trained / "svc-morphology"), folder)
    assert found["all"]["mean"]["accuracy"] > 0.9


def test_predict_judges_swc_files_by_a_trained_model(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "soma.swc").write_text("1 1 0 0 0 5 -1\n")
    (tmp_path / "packed.SWC.gz").write_bytes(gzip.compress((folder / "basket" / "01.swc").read_bytes()))
    files = [folder / "pyramidal" / "00.swc", tmp_path / "packed.SWC.gz", tmp_path / "soma.swc", tmp_path / "no.swc"]
    capsys.readouterr()
    code = main(["predict", *map(str, files), "--model", str(trained / "svc-morphology"), "--json"])
    entries = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [entry["kind"] for entry in entries] == ["neuron"] * 4
    assert [entry.get("label") for entry in entries[:2]] == ["pyramidal", "basket"]
    assert entries[2]["abstained"]
    assert "Cannot be judged" in entries[2]["reasons"][0]
    assert "error" in entries[3]


def test_a_list_is_judged_like_its_members_and_a_foreign_species_refused(trained: Path) -> None:
    model = load_model(trained / "svc-morphology")
    neurons = [simulate(kind, 50, spacing_um=20.0) for kind in KINDS]
    together = model.predict(neurons)
    alone = [model.predict(neuron) for neuron in neurons]
    assert np.allclose(together.probabilities, np.concatenate([one.probabilities for one in alone]))
    assert together.embedding is not None
    assert "zebra" in model.predict(neurons[0], species="zebra").reasons[0][-1]  # type: ignore[call-arg]
    with pytest.raises(ModelError, match="cannot judge"):
        model.predict(3)


def test_reasons_name_what_is_wrong_with_a_neuron() -> None:
    known = [standardise(simulate(kind, seed, spacing_um=10.0)) for kind in ("basket", "granule") for seed in range(12)]
    truth = np.repeat([0, 1], 12)
    wide = wide_features(known).to_numpy(float)
    doubts = fit_neuron_doubts(wide, truth, np.arange(24) % 3, ("basket", "granule"), min_confidence=0.5)

    def reasons(neuron: Neuron, shares: tuple[float, float] = (0.9, 0.1)) -> str:
        found = standardise(neuron)
        return " ".join(
            doubts.reasons([found], wide_features([found]).to_numpy(float), np.array([shares]), ("basket", "granule"))[
                0
            ]
        )

    basket = simulate("basket", 30, spacing_um=10.0)
    assert "Low confidence" in reasons(basket, (0.4, 0.35))
    assert "No axon is traced" in reasons(basket.replace(types=np.where(basket.types == 2, 3, basket.types)))
    assert "Tiny" in reasons(basket.replace(xyz_um=basket.xyz_um * 0.02))
    assert "Flat" in reasons(basket.replace(xyz_um=basket.xyz_um * [1, 1, 1e-4]))
    assert "Unlike" in reasons(simulate("motoneuron", 0, spacing_um=10.0))
    far = basket.append([[9e4, 0, 0], [9.9e4, 0, 0]], [-1, len(basket)])
    assert "Disconnected" in reasons(far)
