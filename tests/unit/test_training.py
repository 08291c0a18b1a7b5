"""Training: interrupted or not, the same seed gives the same weights; recipes run from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.models.kernel import couple
from napari_celltype.training.experts import (
    GaussianSettings,
    choose_gaussians,
    fit_gaussians,
    fit_svc,
    subclass_codes,
    without_cells,
)
from napari_celltype.training.fitting import Plan, fit, rate_at, step_generator
from napari_celltype.training.job import Job
from napari_celltype.training.recipes import RECIPES, run_recipe
from napari_celltype.training.simulated import simulate_features, write_simulated_features
from napari_celltype.training.tables import SUBCLASSES, Cells, read_both_species, read_mouse

from .test_feature_models import cells_like_cortex


def made_up_tables(folder: Path, n: int = 260, seed: int = 0) -> Path:
    """Feature tables of invented cells whose classes differ, laid out as the real ones."""
    rng = np.random.default_rng(seed)
    (folder / "ephys").mkdir(parents=True)
    for species, size in (("mouse", n), ("human", n // 2)):
        truth = rng.integers(5, size=size)
        x = cells_like_cortex(size, seed + size)
        x += 0.6 * np.abs(x).std(axis=0) * np.random.default_rng(7).normal(size=(5, len(FEATURE_NAMES)))[truth]
        x = np.where(np.array([n in {"downstroke"} for n in FEATURE_NAMES]), -np.abs(x), x)
        table = pd.DataFrame(x, columns=list(FEATURE_NAMES))
        table["transgenic_line"] = np.array(SUBCLASSES)[truth]
        table["dendrite_type"] = np.where(truth == 0, "spiny", "aspiny")
        table["cre_line"] = [f"line {t}{rng.integers(2)}" for t in truth]
        table["specimen_id"] = np.arange(size) + (10_000 if species == "human" else 0)
        table["donor_id"] = table["specimen_id"] // 2
        table.to_csv(folder / "ephys" / f"{species}_features.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_tables(tmp_path_factory.mktemp("data"))


def descend(plan: Plan, checkpoint: Path | None = None, stop_at: int | None = None) -> dict[str, torch.Tensor]:
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )
    for i, parameter in enumerate(network.parameters()):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(i))

    def loss_at(step: int) -> torch.Tensor:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(32, 4, generator=step_generator(3, step))
        return ((network(x)[:, 0] - x[:, 0]) ** 2).mean()

    fit(network, loss_at, plan, checkpoint=checkpoint)
    return network.state_dict()


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("stop_at", [3, 20, 37])
def test_an_interrupted_training_ends_with_the_very_same_weights(tmp_path: Path, optimiser: str, stop_at: int) -> None:
    plan = Plan(50, 0.01, optimiser=optimiser, weight_decay=1e-2, schedule="one-cycle", save_every=10)
    whole = descend(plan)
    with pytest.raises(KeyboardInterrupt):
        descend(plan, tmp_path / "state.safetensors", stop_at)
    resumed = descend(plan, tmp_path / "state.safetensors")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_schedule_rises_and_falls_to_nothing() -> None:
    plan = Plan(100, 0.1, schedule="one-cycle")
    rates = [rate_at(plan, step) for step in range(100)]
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[-1] < 1e-4


def test_a_finished_stage_is_read_back_and_other_settings_compute_anew(tmp_path: Path) -> None:
    job, calls = Job(tmp_path, tmp_path / "out"), []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"x": np.arange(3)}

    for settings_ in ({"a": 1}, {"a": 1}, {"a": 2}):
        assert job.stage("part", settings_, compute)["x"].tolist() == [0, 1, 2]
    assert len(calls) == 2


def test_svc_decisions_equal_scikit_learns(tables: Path) -> None:
    from sklearn.svm import SVC

    cells = read_mouse(tables)
    x = (cells.features - cells.features.mean(0)) / cells.features.std(0)
    ours, theirs = fit_svc(x, cells.truth), SVC(decision_function_shape="ovo").fit(x, cells.truth)
    assert ours.decisions(x) == pytest.approx(theirs.decision_function(x), abs=1e-9)
    two = np.minimum(cells.truth, 1)
    assert fit_svc(x, two).decisions(x)[:, 0] == pytest.approx(-SVC().fit(x, two).decision_function(x), abs=1e-9)


def test_an_expansion_says_what_the_machine_says_and_holds_no_cell(tables: Path) -> None:
    cells = read_mouse(tables)
    x = (cells.features - cells.features.mean(0)) / cells.features.std(0)
    machine = fit_svc(x, cells.truth)
    expansion = without_cells(machine, x, cells.truth)
    strangers = x + 0.3 * np.random.default_rng(1).normal(size=x.shape)
    asked, answered = machine.decisions(strangers), expansion.decisions(strangers)
    assert np.abs(asked - answered).mean() < 0.1
    assert (couple(asked, 5).argmax(axis=1) == couple(answered, 5).argmax(axis=1)).mean() > 0.95
    assert np.linalg.norm(expansion.centres[:, None] - x, axis=-1).min() > 0.5


def test_settings_of_the_gaussians_are_those_that_suit_donors_held_back(tables: Path) -> None:
    cells = read_mouse(tables)
    x = np.random.default_rng(0).normal(size=(len(cells), 6)) + 1.5 * np.eye(6)[cells.truth]
    round_clouds = choose_gaussians(x, cells)
    assert round_clouds == choose_gaussians(x, cells)
    stretched = x * np.where(np.arange(6) == cells.truth[:, None], 4.0, 0.3)
    # classes of different spread: pooling their spreads is then worse than keeping them apart
    assert choose_gaussians(stretched, cells).pooling < round_clouds.pooling


def test_gaussians_judge_by_a_subset_as_if_fitted_to_that_subset() -> None:
    rng = np.random.default_rng(0)
    truth, lines = rng.integers(3, size=300), np.array(["a", "b"])[rng.integers(2, size=300)]
    x = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8)) + truth[:, None]
    codes, owner = subclass_codes(truth, lines)
    columns, unshrunk = np.array([1, 4, 6]), GaussianSettings(shrinkage=0.0)
    whole = fit_gaussians(x, codes, owner, unshrunk).log_probabilities(x, columns)
    part = fit_gaussians(x[:, columns], codes, owner, unshrunk).log_probabilities(x[:, columns])
    assert whole == pytest.approx(part)
    assert np.exp(whole).sum(axis=1) == pytest.approx(1)


def test_rare_lines_are_put_together_within_their_class() -> None:
    truth = np.array([0] * 20 + [1] * 20)
    lines = np.array(["big"] * 15 + ["s1"] * 3 + ["s2"] * 2 + ["big"] * 20)
    codes, owner = subclass_codes(truth, lines)
    assert owner.tolist() == [0, 0, 1]
    assert np.bincount(codes).tolist() == [5, 15, 20]


def test_tables_are_read_with_donors_and_classes(shared_data: Path) -> None:
    mouse, both = read_mouse(shared_data), read_both_species(shared_data)
    assert (len(mouse), len(both)) == (1134, 1375)
    assert np.bincount(mouse.truth).tolist() == [560, 161, 184, 133, 96]
    assert np.bincount(both.truth[both.species == 1]).tolist() == [186, 55]


def test_a_folder_without_tables_is_refused_with_the_path_wanted(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mouse_features.csv.*holds ephys/"):
        read_mouse(tmp_path)


FEATURE_RECIPES = ("svc-allen41", "lspin", "lspin-paper", "dann", "ephys-map")
SIMULATED = Path(__file__).parents[1] / "reference" / "ephys" / "simulated_features.csv"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated cells of five kinds, recorded and measured by ``scripts/simulate_features.py``."""
    return write_simulated_features(tmp_path_factory.mktemp("simulated"), pd.read_csv(SIMULATED))


def test_the_stored_simulated_features_are_what_the_simulation_gives() -> None:
    stored, again = pd.read_csv(SIMULATED).head(1), simulate_features(1)
    pd.testing.assert_frame_equal(stored, again, check_dtype=False, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", FEATURE_RECIPES)
def test_recipe_learns_simulated_cells_and_knows_new_ones(simulated: Path, tmp_path: Path, name: str) -> None:
    tables = simulated
    report = run_recipe(name, Job(tables, tmp_path, quick=True))
    assert json.loads((tmp_path / "report.json").read_text())["recipe"] == name
    assert report
    for model_name in RECIPES[name].trains:
        model = load_model(tmp_path / model_name)
        cells = read_mouse(tables) if len(model.classes) == 5 else read_both_species(tables)
        said = model.predict(cells.features)
        assert said.probabilities.shape == (len(cells), len(model.classes))
        assert (said.probabilities.argmax(axis=1) == cells.truth).mean() > 0.8
        assert model.self_test() < 1e-5
        for section in ("Data and terms", "Figures", "Known failures", "What it needs", "Licence", "Citation"):
            assert f"## {section}" in model.card


def test_the_same_seed_trains_the_same_model_byte_for_byte(tables: Path, tmp_path: Path) -> None:
    for run in ("first", "second"):
        run_recipe("dann", Job(tables, tmp_path / run, seed=5, quick=True))
    weights = [(tmp_path / run / "dann" / "weights.safetensors").read_bytes() for run in ("first", "second")]
    assert weights[0] == weights[1]


def test_no_cell_of_the_tables_is_in_a_feature_models_files(tables: Path, tmp_path: Path) -> None:
    run_recipe("lspin-paper", Job(tables, tmp_path, quick=True))
    cells: Cells = read_mouse(tables)
    check = load_model(tmp_path / "lspin-paper").bundle.check_tensors()["in.features"]
    assert not any(np.isclose(check, cell, equal_nan=True).all(axis=1).any() for cell in cells.features)
