"""Models of the 41 features: what they take, what they say, and when they refuse to be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model, model_infos
from napari_celltype.models.doubts import FeatureDoubts, missing_notes
from napari_celltype.models.features import FEATURE_NAMES, FEATURES, STIMULI, columns_of, read_features
from napari_celltype.models.preparation import Preparation, fit_preparation

N = len(FEATURE_NAMES)
BUNDLED = sorted(info.name for info in model_infos() if info.input == "features")


def cells_like_cortex(n: int = 300, seed: int = 0) -> np.ndarray:
    """Made-up features of plausible size: currents and resistances skewed, two of them near-copies of others."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 6)) @ rng.normal(size=(6, N)) / 3 + 0.5 * rng.normal(size=(n, N))
    unit = {"mV": (-40, 5), "pA": (150, 0), "MΩ": (200, 0), "ms": (20, 0), "s": (1e-3, 0), "V/s": (250, 0)}
    columns = []
    for i, feature in enumerate(FEATURES):
        centre, spread = unit.get(feature.unit, (1.0, 0))
        sign = -1 if feature.name == "downstroke" else 1
        columns.append(centre + spread * common[:, i] if spread else sign * centre * np.exp(0.4 * common[:, i]))
    return np.stack(columns, axis=1)


def test_every_feature_belongs_to_one_stimulus_and_the_groups_have_the_papers_sizes() -> None:
    sizes = {name: len(columns_of(name)) for name in STIMULI}
    assert sizes == {"noise": 14, "long square": 13, "ramp": 6, "short square": 6, "quality": 2}
    assert len({feature.label for feature in FEATURES}) == N


def test_names_are_those_of_the_table_and_of_the_measuring_code(shared_data: Path) -> None:
    from napari_celltype.ephys.features import FEATURES_41

    header = pd.read_csv(shared_data / "ephys" / "human_features.csv", nrows=0).columns
    assert [name for name in header if name in FEATURE_NAMES] == list(FEATURE_NAMES)
    assert set(FEATURES_41) == set(FEATURE_NAMES)


class TestReading:
    def test_columns_are_found_in_any_order_and_absent_ones_are_missing(self) -> None:
        x = cells_like_cortex(5)
        table = pd.DataFrame(x, columns=list(FEATURE_NAMES), index=list("abcde"))
        shuffled = read_features(table[list(FEATURE_NAMES)[::-1]].drop(columns=["tau"]))
        assert np.isnan(shuffled.values[:, FEATURE_NAMES.index("tau")]).all()
        others = [i for i, name in enumerate(FEATURE_NAMES) if name != "tau"]
        assert (shuffled.values[:, others] == x[:, others]).all()
        assert shuffled.items == list("abcde")
        assert "tau" in shuffled.notes[0][0]

    def test_one_cell_may_be_a_series_or_a_mapping(self) -> None:
        cell = dict(zip(FEATURE_NAMES, cells_like_cortex(1)[0], strict=True))
        assert (read_features(pd.Series(cell)).values == read_features(cell).values).all()

    def test_infinity_counts_as_missing(self) -> None:
        x = cells_like_cortex(1)
        x[0, 3] = np.inf
        assert np.isnan(read_features(x).values[0, 3])

    @pytest.mark.parametrize(
        "x",
        [
            pd.DataFrame({"colour": ["red"]}),
            pd.DataFrame({"tau": ["twenty"]}),
            np.zeros((3, 7)),
            "a string",
            np.zeros((2, 2, N)),
            pd.DataFrame([[1.0, 2.0]], columns=["tau", "tau"]),
        ],
        ids=["no feature", "text", "too few columns", "text for table", "three axes", "column twice"],
    )
    def test_what_is_no_table_of_features_is_refused_in_words(self, x: object) -> None:
        with pytest.raises(ModelError):
            read_features(x)


class TestPreparation:
    def test_scaled_features_have_mean_zero_and_spread_one(self) -> None:
        x = cells_like_cortex()
        scaled = fit_preparation(x).scaled(x)
        assert np.abs(scaled.mean(axis=0)).max() < 1e-9
        assert scaled.std(axis=0) == pytest.approx(1)

    @given(seed=st.integers(0, 100))
    @settings(max_examples=10, deadline=None)
    def test_raw_undoes_scaled(self, seed: int) -> None:
        prepare = fit_preparation(cells_like_cortex())
        x = cells_like_cortex(20, seed)
        assert prepare.raw(prepare.scaled(x)) == pytest.approx(x, rel=1e-9)

    def test_a_gap_is_filled_with_the_regression_on_the_known_features(self) -> None:
        rng = np.random.default_rng(0)
        z = rng.multivariate_normal(np.zeros(3), [[1, 0.8, 0.1], [0.8, 1, 0.2], [0.1, 0.2, 1]], size=4000)
        covariance = np.cov(z, rowvar=False)
        prepare = Preparation(np.zeros(3), np.zeros(3), np.zeros(3), np.ones(3), covariance)
        slope, *_ = np.linalg.lstsq(z[:, 1:], z[:, 0], rcond=None)
        filled = prepare.filled(np.array([[np.nan, 1.0, -0.5], [0.3, 0.2, 0.1]]))
        assert filled[0, 0] == pytest.approx(slope @ [1.0, -0.5], abs=0.02)
        assert filled[1] == pytest.approx([0.3, 0.2, 0.1])

    def test_hidden_values_are_filled_better_than_by_the_mean(self) -> None:
        x = cells_like_cortex(600)
        prepare = fit_preparation(x[:400])
        truth = prepare.scaled(x[400:])
        holes = truth.copy()
        holes[:, columns_of("ramp")] = np.nan
        gap = prepare.filled(holes)[:, columns_of("ramp")] - truth[:, columns_of("ramp")]
        assert (gap**2).mean() < 0.7

    def test_a_cell_without_any_feature_becomes_the_average_cell(self) -> None:
        prepare = fit_preparation(cells_like_cortex())
        assert (prepare.filled(np.full((1, N), np.nan)) == 0).all()


class TestDoubts:
    def doubts(self, **limits: float) -> FeatureDoubts:
        given_ = {"farthest": 4.0, "min_confidence": 0.5, "min_features": 5} | limits
        rng = np.random.default_rng(0)
        root = rng.normal(size=(N, N)) / 6 + np.eye(N)
        return FeatureDoubts(
            np.stack([np.zeros(N), np.full(N, 2.0)]), root @ root.T, np.full(N, -9.0), np.full(N, 9.0), **given_
        )

    def test_distances_of_usual_cells_are_standard_normal_however_many_features_are_known(self) -> None:
        doubts = self.doubts()
        rng = np.random.default_rng(1)
        x = rng.multivariate_normal(np.zeros(N), doubts.covariance, size=3000)
        far_class = FeatureDoubts(doubts.means[:1], doubts.covariance, doubts.low, doubts.high, 4.0, 0.5, 5)
        for known in (3, 12, N):
            part = x.copy()
            part[:, known:] = np.nan
            distances = far_class.distances(part)
            assert abs(distances.mean()) < 0.1
            assert abs(distances.std() - 1) < 0.1

    def test_reasons_name_the_feature_out_of_range_with_value_and_range(self) -> None:
        raw = np.zeros((1, N))
        raw[0, FEATURE_NAMES.index("width")] = 30.0
        (reason,) = self.doubts().reasons(raw, np.zeros((1, N)), np.array([[0.9, 0.1]]))[0]
        assert "width 30 s (training -9 to 9)" in reason

    def test_too_few_features_and_low_confidence_are_both_said(self) -> None:
        raw = np.full((1, N), np.nan)
        raw[0, :3] = 0.0
        few, low = self.doubts().reasons(raw, raw, np.array([[0.45, 0.55]]) * 0.8)[0]
        assert "3 of 41" in few
        assert "0.44" in low

    def test_a_usual_confident_cell_is_not_doubted(self) -> None:
        assert self.doubts().reasons(np.zeros((1, N)), np.zeros((1, N)), np.array([[0.9, 0.1]])) == [[]]

    def test_missing_stimuli_are_named_whole(self) -> None:
        raw = np.zeros((1, N))
        raw[0, columns_of("noise")] = np.nan
        raw[0, FEATURE_NAMES.index("tau")] = np.nan
        assert missing_notes(raw) == [["Missing: all 14 noise features, tau."]]


@pytest.fixture(scope="module")
def mouse(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "ephys" / "mouse_features.csv").set_index("specimen_id")


@pytest.mark.parametrize("name", BUNDLED)
class TestBundled:
    def test_probabilities_are_probabilities_and_labels_their_best(self, name: str, mouse: pd.DataFrame) -> None:
        said = load_model(name).predict(mouse.head(40))
        assert said.probabilities.shape == (40, len(said.classes))
        assert said.probabilities.sum(axis=1) == pytest.approx(1)
        assert (said.probabilities >= 0).all()
        assert said.labels == [said.classes[i] for i in said.probabilities.argmax(axis=1)]
        assert (said.abstained == [bool(r) for r in said.reasons]).all()
        assert said.items == [str(i) for i in mouse.index[:40]]

    def test_a_batch_says_what_single_cells_say(self, name: str, mouse: pd.DataFrame) -> None:
        model, some = load_model(name, device="cpu"), mouse.head(12)
        together = model.predict(some)
        alone = [model.predict(some.iloc[[i]]) for i in range(12)]
        assert np.abs(together.probabilities - np.concatenate([p.probabilities for p in alone])).max() < 1e-5
        if together.gates is not None:
            assert np.abs(together.gates - np.concatenate([p.gates for p in alone])).max() < 1e-5

    def test_random_numbers_zeros_and_nothing_get_no_confident_label(self, name: str) -> None:
        rng = np.random.default_rng(0)
        model = load_model(name)
        for x in (rng.normal(size=(50, N)), 100 * rng.normal(size=(50, N)), np.zeros((1, N)), np.full((1, N), np.nan)):
            assert model.predict(x).abstained.all()

    def test_a_dendritic_spikelet_gets_no_confident_label(self, name: str, mouse: pd.DataFrame) -> None:
        cell = mouse.iloc[[0]].copy()
        for column in [c for c in FEATURE_NAMES if c.startswith("peak_v")]:
            cell[column] = -32.0
        cell["upstroke"], cell["downstroke"], cell["width"] = 25.0, -12.0, 0.004
        said = load_model(name).predict(cell)
        assert said.abstained.all()

    def test_a_table_in_other_units_is_noticed(self, name: str, mouse: pd.DataFrame) -> None:
        in_volts = mouse.head(20).copy()
        for feature in FEATURES:
            if feature.unit == "mV":
                in_volts[feature.name] /= 1000
        assert load_model(name).predict(in_volts).abstained.all()

    def test_most_training_cells_are_answered_and_rightly(self, name: str, mouse: pd.DataFrame) -> None:
        model = load_model(name)
        truth = mouse["transgenic_line"]
        if "excitatory" in model.classes:
            truth = mouse["dendrite_type"].map({"spiny": "excitatory", "aspiny": "inhibitory"})
        said = model.predict(mouse)
        assert said.abstained.mean() < 0.12
        assert (np.array(said.labels) == truth).mean() > 0.82


@pytest.mark.skipif("svc-allen41" not in BUNDLED, reason="the model is not bundled")
def test_a_species_the_model_was_not_trained_on_is_a_reason_to_abstain(mouse: pd.DataFrame) -> None:
    cells = mouse.head(4).assign(species=["Mus musculus", "Homo sapiens", None, "Rattus norvegicus"])
    said = load_model("svc-allen41").predict(cells)
    foreign = ["trained on mouse" in " ".join(reasons) for reasons in said.reasons]
    assert foreign == [False, True, False, True]
    assert "rat;" in said.reasons[3][0]


JUDGED = (
    "lspin",
    "lspin-paper",
    "svc-allen41",
    "dann",
    "lr-broad",
    "ephys-map",
    "triple-cnn-2class",
    "triple-cnn-5class",
)


@pytest.mark.parametrize("name", JUDGED)
def test_the_card_states_a_calibration_error_of_at_most_a_twentieth(name: str) -> None:
    table = load_model(name).card.split("## Figures")[1].split("##")[0]
    heads, _, own = (line.strip("| \n").split("|") for line in table.strip().splitlines()[:3])
    column = [head.strip() for head in heads].index("calibration error")
    assert float(own[column - len(heads)]) <= 0.05
