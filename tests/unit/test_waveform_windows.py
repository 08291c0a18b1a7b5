"""Windows of any rate reach a model in one form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype.models.windows import ONSET_FORMAT, PEAK_FORMAT, WindowFormat, low_pass, prepare_windows

UNFILTERED = WindowFormat(low_pass_hz=0.0)


def spike(rate_hz: float, start_s: float = -0.001, stop_s: float = 0.002, peak_s: float = 0.0) -> np.ndarray:
    """A smooth made-up action potential sampled at a rate; the same curve at every rate."""
    t = (start_s + np.arange(round((stop_s - start_s) * rate_hz)) / rate_hz - peak_s) * 1e3
    return -60 + 95 * np.exp(-((t / 0.22) ** 2)) - 12 * np.exp(-(((t - 0.9) / 0.5) ** 2))


@pytest.mark.parametrize("rate_hz", [100e3, 200e3, 500e3])
def test_windows_of_other_rates_agree_with_those_recorded_at_the_models_rate(rate_hz: float) -> None:
    native = prepare_windows(spike(50e3), 50e3)
    other = prepare_windows(spike(rate_hz), rate_hz)
    assert other.shape == native.shape == (1, 150)
    assert np.abs(other - native)[0, 5:-5].max() < 0.3


def test_a_low_rate_is_interpolated_to_the_same_curve() -> None:
    found = prepare_windows(spike(20e3), 20e3, UNFILTERED)
    assert np.abs(found - spike(50e3))[0, 20:-20].max() < 1.0


def test_at_the_models_rate_only_the_filter_changes_a_window() -> None:
    row = spike(50e3)[None]
    np.testing.assert_array_equal(prepare_windows(row, 50e3, UNFILTERED), row)
    np.testing.assert_array_equal(prepare_windows(row, 50e3), low_pass(row, PEAK_FORMAT))


def test_what_lies_above_the_common_corner_is_removed_and_nothing_is_shifted() -> None:
    t = np.arange(150) / 50e3
    quick, slow = np.sin(2 * np.pi * 20e3 * t), np.sin(2 * np.pi * 1e3 * t)
    filtered = low_pass(np.stack([quick, slow]), PEAK_FORMAT)
    assert np.abs(filtered[0, 20:-20]).max() < 0.1
    assert np.abs(filtered[1] - slow)[20:-20].max() < 0.02


@given(st.integers(-10, 10))
def test_a_peak_a_little_off_its_place_is_moved_there(off: int) -> None:
    found = prepare_windows(spike(50e3, peak_s=off / 50e3), 50e3, UNFILTERED)
    assert int(found.argmax()) == PEAK_FORMAT.anchor_sample


def test_a_peak_far_from_its_place_is_left_where_it_is() -> None:
    found = prepare_windows(spike(50e3, peak_s=0.001), 50e3, UNFILTERED)
    assert int(found.argmax()) == PEAK_FORMAT.anchor_sample + 50


@pytest.mark.parametrize("rate_hz", [20e3, 50e3, 200e3])
def test_a_longer_trace_is_cut_around_its_highest_point(rate_hz: float) -> None:
    found = prepare_windows(spike(rate_hz, -0.02, 0.03), rate_hz)
    assert found.shape == (1, 150)
    assert abs(int(found.argmax()) - 50) <= 1
    reference = prepare_windows(spike(50e3), 50e3)
    assert np.abs(found - reference)[0, 8:-8].max() < 2.5


def test_the_papers_window_has_2500_or_10000_samples() -> None:
    fast = WindowFormat(rate_hz=200e3, before_s=0.025, after_s=0.025, anchor="onset")
    assert (ONSET_FORMAT.n_samples, fast.n_samples) == (2500, 10_000)
    trace = spike(200e3, -0.025, 0.025, 0.004)
    assert prepare_windows(trace, 200e3, ONSET_FORMAT).shape == (1, 2500)
    np.testing.assert_allclose(prepare_windows(trace, 200e3, WindowFormat(200e3, 0.025, 0.025, "onset", 0.0))[0], trace)


def test_a_form_survives_its_settings_and_no_rows_give_no_windows() -> None:
    assert WindowFormat.from_settings(ONSET_FORMAT.to_settings()) == ONSET_FORMAT
    assert prepare_windows(np.zeros((0, 150)), 50e3).shape == (0, 150)
