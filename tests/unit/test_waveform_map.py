"""The map of cells by their action potentials: it belongs to its waveform model and lands cells among their like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.waveform_map import FOR_LOOKING, WaveformMapModel
from napari_celltype.workbench.place import map_of, place_cell


@pytest.fixture(scope="module")
def model():
    return load_model("waveform-map", device="cpu")


def average_spike(model, name: str):
    reference = model.embedder.reference
    return reference.mean_mv[reference.classes.index(name)]


def test_it_was_made_with_the_waveform_model_that_is_bundled(model):
    assert model.embedder.name == model.info.settings["embedder"]
    assert model.self_test() < 1e-9


@pytest.mark.parametrize("name", ["Exc", "Pvalb"])
def test_an_average_spike_lands_among_its_class(model, name):
    found = place_cell(map_of(model), average_spike(model, name)[None], name)
    assert (map_of(model).cells["class"].iloc[found.near] == name).mean() >= 0.7
    said = model.predict(average_spike(model, name)[None])
    assert said.labels == [name]
    assert said.embedding[0] == pytest.approx(found.xy)


def test_it_never_decides(model):
    said = model.predict(np.stack([average_spike(model, "Exc"), np.full(150, np.nan)]))
    assert said.abstained.all()
    assert said.reasons[0] == [FOR_LOOKING]
    assert "No action potential" in said.reasons[1][0]
    assert np.isnan(said.embedding[1]).all()


def test_other_weights_of_the_same_name_are_refused(model):
    info = replace(model.info, settings={**model.info.settings, "embedder_sha256": "0" * 64})
    other = WaveformMapModel(replace(model.bundle, info=info), device="cpu")
    with pytest.raises(ModelError, match="made with other weights of triple-cnn-5class"):
        other.embed(average_spike(model, "Exc")[None])


def test_cells_keep_their_class_on_both_maps(model):
    """Where a cell has gates, its class there is the one it has here."""
    lspin = load_model("lspin", device="cpu")
    names = np.array(model.classes)[model.truth]
    known = (model.gate_rows >= 0) & np.isin(names, ("Pvalb", "Sst", "Vip"))
    gates = np.asarray(lspin.reference_gates.index)[model.gate_rows[known]]
    assert known.sum() > 300
    assert (np.char.rstrip(gates.astype(str), "+") == names[known]).mean() > 0.99


def test_the_map_of_features_has_the_cells_whose_gates_are_kept():
    lspin, ephys = load_model("lspin", device="cpu"), load_model("ephys-map", device="cpu")
    assert list(ephys.cells["class"]) == list(lspin.reference_gates.index)
