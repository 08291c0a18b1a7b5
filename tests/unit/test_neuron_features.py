"""Wide features: right on neurons whose measures are known, and blind to what laboratories decide."""

from __future__ import annotations

import numpy as np
import pytest

from napari_celltype import measure
from napari_celltype.models.neuron_features import hand_features, wide_features, wide_names
from napari_celltype.models.neuron_form import standardise
from napari_celltype.morphology.augmentation import rotate
from napari_celltype.morphology.morphometrics import sholl
from napari_celltype.morphology.reordering import sort_nodes
from napari_celltype.morphology.resampling import resample
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron


@pytest.fixture(scope="module")
def basket() -> Neuron:
    return standardise(simulate("basket", 2, spacing_um=6.0))


def test_a_y_shaped_neuron_has_the_measures_one_can_work_out_by_hand() -> None:
    y = Neuron.from_arrays([[0, 0, 0], [0, 100, 0], [60, 180, 0], [-60, 180, 0]], [-1, 0, 1, 1], types=[1, 3, 3, 3])
    found = wide_features([standardise(y)]).iloc[0]
    assert found["all_length"] == pytest.approx(np.log1p(3.0))
    assert found["all_tips"] == pytest.approx(np.log1p(2))
    assert found["all_angle_remote"] == pytest.approx(2 * np.degrees(np.arctan2(60, 80)))
    assert found["all_angle_local"] == pytest.approx(found["all_angle_remote"])
    assert found["all_tip_length"] == pytest.approx(np.log(100))
    assert found["all_straight"] == pytest.approx(1)
    assert found["all_asymmetry"] == 0
    assert found["dendrite_crossings_50"] == pytest.approx(np.log1p(1))
    assert found["dendrite_crossings_150"] == pytest.approx(np.log1p(2))
    assert found["dendrites"] == pytest.approx(np.log1p(1))
    assert np.isnan(found["axon_straight"])
    assert np.isnan(found["axon_begins"])
    assert found["axon_share"] == 0


def test_crossings_agree_with_the_sholl_analysis(basket: Neuron) -> None:
    ours = wide_features([basket]).iloc[0]
    counts = sholl(basket, 50.0, kind=2)
    for radius in (50, 100, 150, 200):
        assert np.expm1(ours[f"axon_crossings_{radius}"]) == pytest.approx(counts.get(float(radius), 0), abs=1)


def test_direction_order_and_density_change_nothing_that_matters(basket: Neuron) -> None:
    rng = np.random.default_rng(0)
    plain = wide_features([basket]).iloc[0]
    turned = wide_features([standardise(rotate(basket, rng, "any"))]).iloc[0]
    assert np.allclose(plain, turned, atol=1e-6, equal_nan=True)
    mixed = basket.take(rng.permutation(len(basket)))
    assert np.allclose(plain, wide_features([standardise(sort_nodes(mixed))]).iloc[0], atol=1e-6, equal_nan=True)
    denser = wide_features([standardise(resample(basket, 1.0, max_length_loss=None))]).iloc[0]
    drift = np.abs(denser - plain) / np.maximum(np.abs(plain), 0.5)
    assert drift.median() < 0.01
    assert drift.max() < 0.35, drift.nlargest(5)


def test_hand_features_are_those_of_measure_and_gaps_where_there_are_none(basket: Neuron) -> None:
    loop = Neuron.from_arrays([[0, 0, 0], [1, 0, 0]], [1, 0])
    found = hand_features([basket, loop])
    assert np.allclose(found.iloc[0], measure(basket), equal_nan=True)
    assert found.iloc[1].isna().all()


def test_names_are_distinct_and_in_the_order_of_the_columns(basket: Neuron) -> None:
    assert len(set(wide_names())) == len(wide_names())
    assert list(wide_features([basket]).columns) == list(wide_names())
