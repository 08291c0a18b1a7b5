"""The model of features and action potential together: trained on simulated cells, asked in every way it can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_celltype as nct
from napari_celltype.errors import ModelError
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.models.joint import JointModel
from napari_celltype.samples.recording import sample_recording
from napari_celltype.training.job import Job
from napari_celltype.training.joint import read_pairs
from napari_celltype.training.recipes import run_recipe
from napari_celltype.training.simulated import write_simulated_features, write_simulated_spikes

SIMULATED = Path(__file__).parents[1] / "reference" / "ephys" / "simulated_features.csv"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    write_simulated_features(folder, pd.read_csv(SIMULATED))
    return write_simulated_spikes(folder, 100)


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> JointModel:
    out = tmp_path_factory.mktemp("joint")
    run_recipe("joint-5class", Job(data, out, quick=True))
    loaded = nct.load_model(out / "joint-5class", device="cpu")
    assert isinstance(loaded, JointModel)
    return loaded


def test_it_repeats_its_answers_and_knows_the_simulated_cells(model: JointModel, data: Path) -> None:
    assert model.self_test() < 1e-4
    cells, spikes = read_pairs(data)
    said = model.predict((cells.features, spikes.windows))
    assert (said.probabilities.argmax(axis=1) == cells.truth).mean() > 0.8
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1.0)


def test_without_a_spike_the_features_decide_and_without_features_it_abstains(model: JointModel, data: Path) -> None:
    cells, spikes = read_pairs(data)
    table = pd.DataFrame(cells.features[:3], columns=list(FEATURE_NAMES))
    gaps = np.full_like(spikes.windows[:3], np.nan)
    said = model.predict((table, gaps))
    by_features = model.calibration(model.scores(model.preparation.scaled(cells.features[:3]), np.zeros((3, 5))))
    np.testing.assert_allclose(said.probabilities, by_features)
    assert said.abstained.all()
    nothing = model.predict((table * np.nan, spikes.windows[:3]))
    assert nothing.abstained.all()
    assert "No feature could be measured." in nothing.reasons[0]


def test_recordings_are_judged_one_cell_each(model: JointModel) -> None:
    recording = sample_recording(3, "fast-spiking")
    one, two = model.predict(recording), model.predict([recording, recording])
    assert len(one) == 1
    assert any("windows judged" in note for note in one.notes[0])
    np.testing.assert_array_equal(two.probabilities, np.repeat(one.probabilities, 2, axis=0))


def test_what_it_cannot_judge_is_refused(model: JointModel) -> None:
    with pytest.raises(ModelError, match="Give a Recording"):
        model.predict(np.zeros((2, 41)))
    with pytest.raises(ModelError, match="2 rows of features and 3 windows"):
        model.predict((np.zeros((2, 41)), np.zeros((3, 150))))
