from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephys_traces import spike_train
from literal_spikes import literal_slope, literal_spikes
from napari_celltype import SpikeRules, find_spikes
from napari_celltype.ephys.filters import Slope, lowpass
from napari_celltype.ephys.spikes import SPIKE_COLUMNS

RATES = [10_000.0, 20_000.0, 33_333.0, 50_000.0, 100_000.0, 200_000.0, 500_000.0]

trains = st.builds(
    lambda rate, gaps, noise, seed, height, width: (
        rate,
        *spike_train(
            rate,
            0.02 + np.cumsum(gaps),
            0.1 + sum(gaps),
            noise_mv=noise,
            seed=seed,
            height_mv=height,
            width_ms=width,
        ),
    ),
    st.sampled_from([20_000.0, 50_000.0, 100_000.0, 200_000.0]),
    st.lists(st.floats(0.004, 0.06), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.integers(0, 1000),
    st.floats(60.0, 120.0),
    st.floats(0.25, 0.7),
)


@settings(max_examples=60)
@given(trains)
def test_agrees_with_the_definitions_written_out_one_by_one(train):
    rate, voltage, _ = train
    expected = literal_spikes(voltage, rate)
    found = find_spikes(voltage, rate, rules=SpikeRules(min_height_noise=0.0, reject_artefacts=False))
    assert found["peak_index"].tolist() == [spike["peak"] for spike in expected]
    for name in ("threshold", "upstroke", "trough", "downstroke", "fast_trough"):
        np.testing.assert_array_equal(found[f"{name}_index"], [spike[name] for spike in expected], err_msg=name)
    np.testing.assert_allclose(found["width_s"], [spike["width_s"] for spike in expected], rtol=1e-9)
    slope = literal_slope(voltage, rate)
    np.testing.assert_allclose(found["upstroke_mv_ms"], [slope[spike["upstroke"]] for spike in expected], rtol=1e-7)


@settings(max_examples=40)
@given(
    st.integers(0, 2**31),
    st.sampled_from([25_000.0, 50_000.0, 200_000.0]),
    st.sampled_from([1_000.0, 10_000.0]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.05)), min_size=1, max_size=6),
)
def test_a_slope_filtered_in_parts_equals_that_of_the_whole_trace(seed, rate, cutoff, parts):
    rng = np.random.default_rng(seed)
    voltage = -70 + rng.normal(0, 1, 30_000).cumsum() * 0.2
    whole = np.diff(lowpass(voltage, rate, cutoff)) * rate / 1e3
    slope = Slope(voltage, rate, cutoff)
    for where, length in parts:
        first = int(where * whole.size)
        last = min(first + 1 + int(length * whole.size), whole.size)
        np.testing.assert_allclose(
            slope.values(first, last), whole[first:last], rtol=0, atol=1e-7 * np.abs(whole).max()
        )
    level = float(np.quantile(whole, 0.999))
    expected = np.flatnonzero((whole[1:] >= level) & (whole[:-1] < level))
    assert set(expected) - {0} <= set(slope.rising_through(level, 0, whole.size)) | near(whole, level)
    assert Slope(voltage, rate, cutoff).argmin(100, 29_000) == 100 + int(whole[100:29_000].argmin())


def near(whole, level):
    """Crossings so close to the level that rounding decides."""
    return set(np.flatnonzero(np.abs(whole[1:] - level) < 1e-7) | 0) | set(
        np.flatnonzero(np.abs(whole[:-1] - level) < 1e-7)
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_every_placed_spike_is_found_at_its_sample(rate, noise):
    voltage, peaks = spike_train(rate, [0.02, 0.05, 0.058, 0.12, 0.3], 0.4, noise_mv=noise, seed=3)
    found = find_spikes(voltage, rate)
    assert len(found) == 5
    # noise on a flat top moves its highest sample a little; without noise it is exact
    slack = 0 if noise == 0 else max(1, round(0.0001 * rate))
    assert np.abs(found["peak_index"].to_numpy() - peaks).max() <= slack


@settings(max_examples=25)
@given(trains, st.integers(1, 500), st.floats(-8.0, 8.0))
def test_moving_a_trace_in_time_or_potential_moves_its_spikes_alike(train, shift, offset):
    rate, voltage, _ = train
    one = find_spikes(voltage, rate)
    two = find_spikes(np.concatenate([np.full(shift, voltage[0]), voltage]) + offset, rate)
    if (one["peak_v_mv"] + offset < -29).any() or (one["peak_v_mv"] < -29).any():
        return  # the lowest peak that counts is an absolute potential
    assert (two["peak_index"] - shift).tolist() == one["peak_index"].tolist()
    np.testing.assert_allclose(two["peak_v_mv"], one["peak_v_mv"] + offset, rtol=1e-9)
    np.testing.assert_allclose(two["upstroke_mv_ms"], one["upstroke_mv_ms"], rtol=1e-6)


@settings(max_examples=25)
@given(trains, st.floats(0.1, 10.0))
def test_current_columns_follow_the_gain_of_the_current(train, gain):
    rate, voltage, _ = train
    current = np.linspace(0.0, 200.0, voltage.size)
    one, two = find_spikes(voltage, rate, current), find_spikes(voltage, rate, gain * current)
    assert one["peak_index"].tolist() == two["peak_index"].tolist()
    np.testing.assert_allclose(two["threshold_i_pa"], gain * one["threshold_i_pa"], rtol=1e-9)


def test_the_same_spikes_are_found_at_half_the_rate():
    voltage, _ = spike_train(200_000.0, [0.02, 0.06, 0.1], 0.2, noise_mv=0.05)
    full, half = find_spikes(voltage, 200_000.0), find_spikes(voltage[::2], 100_000.0)
    np.testing.assert_allclose(half["peak_t_s"], full["peak_t_s"], atol=2.1e-5)
    np.testing.assert_allclose(half["width_s"], full["width_s"], atol=3e-5)
    np.testing.assert_allclose(half["upstroke_mv_ms"], full["upstroke_mv_ms"], rtol=0.03)


def test_a_blank_tail_of_zeros_or_nan_makes_no_spike():
    voltage, peaks = spike_train(50_000.0, [0.05, 0.1], 0.2)
    for blank in (0.0, np.nan):
        found = find_spikes(np.concatenate([voltage, np.full(20_000, blank)]), 50_000.0)
        assert found["peak_index"].tolist() == peaks.tolist()
        assert "blank" in found.attrs["notes"][0]
        assert not found["clipped"].any()


def test_spikes_on_both_sides_of_a_gap_are_found():
    voltage, peaks = spike_train(50_000.0, [0.05, 0.15], 0.2, noise_mv=0.02)
    voltage[5_000:5_100] = np.nan
    assert find_spikes(voltage, 50_000.0)["peak_index"].tolist() == peaks.tolist()


def test_a_trace_that_begins_above_zero_still_shows_its_spikes():
    voltage, peaks = spike_train(50_000.0, [0.05, 0.1], 0.2)
    voltage[:50] += np.linspace(110.0, 0.0, 50)
    assert voltage[0] > 0
    assert find_spikes(voltage, 50_000.0)["peak_index"].tolist() == peaks.tolist()


def test_a_last_spike_cut_off_by_the_end_is_marked_and_has_no_trough():
    voltage, peaks = spike_train(50_000.0, [0.05, 0.1], 0.2)
    found = find_spikes(voltage[: peaks[1] + 8], 50_000.0)
    assert found["clipped"].tolist() == [False, True]
    assert found["peak_index"].iloc[1] == peaks[1]
    last = found.iloc[1]
    assert np.isnan([last["trough_v_mv"], last["fast_trough_v_mv"], last["width_s"], last["downstroke_mv_ms"]]).all()


def test_a_burst_on_a_depolarised_plateau_keeps_every_spike():
    times = 0.05 + np.arange(6) * 0.0035
    voltage, peaks = spike_train(100_000.0, times, 0.2, height_mv=60.0)
    plateau = 25.0 * np.exp(-(((np.arange(voltage.size) / 1e5 - 0.06) / 0.02) ** 2))
    assert find_spikes(voltage + plateau, 100_000.0)["peak_index"].size == peaks.size


@pytest.mark.parametrize("rate", [10_000.0, 20_000.0, 50_000.0])
def test_noise_in_depolarisation_block_is_no_spike(rate):
    rng = np.random.default_rng(0)
    voltage, peaks = spike_train(rate, [0.02], 1.0)
    blocked = np.clip((np.arange(voltage.size) / rate - 0.1) / 0.01, 0, 1)
    voltage = voltage + 45.0 * blocked + rng.normal(0, 1.0, voltage.size)
    found = find_spikes(voltage, rate)
    assert len(found) == 1
    assert abs(found["peak_index"].iloc[0] - peaks[0]) <= max(1, 0.0001 * rate)


@pytest.mark.parametrize("rate", [10_000.0, 20_000.0, 50_000.0, 200_000.0])
@pytest.mark.parametrize("current_known", [True, False])
def test_capacitive_transients_at_the_command_are_not_spikes(rate, current_known):
    voltage, peaks = spike_train(rate, [0.053, 0.2], 0.3, noise_mv=0.05)
    time = np.arange(voltage.size) / rate
    current = np.where((time >= 0.1) & (time < 0.103), 1000.0, 0.0)
    for edge, sign in ((0.1, 1.0), (0.103, -1.0)):
        after = time >= edge - 1e-9
        voltage[after] += sign * 60.0 * np.exp(-(time[after] - edge) / 0.0001)
    if not current_known and rate < 40_000.0:
        pytest.skip("without the command a jump of one sample cannot be told from a spike at this rate")
    found = find_spikes(voltage, rate, current if current_known else None)
    assert np.abs(found["peak_index"].to_numpy() - peaks).max(initial=0) <= max(1, 0.0001 * rate)
    assert len(found) == 2
    assert "artefact" in found.attrs["notes"][0]


def test_a_spike_right_after_a_strong_short_square_is_kept():
    rate = 50_000.0
    voltage, peaks = spike_train(rate, [0.1015], 0.2)
    time = np.arange(voltage.size) / rate
    current = np.where((time >= 0.1) & (time < 0.103), 1500.0, 0.0)
    voltage += 0.01 * current  # bridge not balanced
    found = find_spikes(voltage, rate, current)
    assert found["peak_index"].tolist() == peaks.tolist()


@pytest.mark.parametrize(
    ("voltage", "words"),
    [
        ([], "0 samples"),
        ([-70.0], "1 sample;"),
        (np.full(1000, np.nan), "all NaN"),
        (np.full(1000, -65.0), "constant at -65 mV"),
        (spike_train(20_000.0, [0.02], 0.1)[0] * 1e-3, "looks like volts"),
        (spike_train(20_000.0, [0.02], 0.1)[0] * 1e3, "no membrane does"),
    ],
)
def test_a_trace_nothing_can_be_measured_on_says_why_and_warns_nobody(voltage, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_spikes(np.asarray(voltage, dtype=float), 20_000.0)
    assert list(found.columns) == list(SPIKE_COLUMNS)
    assert len(found) == 0
    assert words in found.attrs["notes"][0]


def test_wrong_arrays_are_refused_in_words():
    with pytest.raises(ValueError, match="one sweep at a time"):
        find_spikes(np.zeros((2, 100)), 1e4)
    with pytest.raises(ValueError, match="positive number"):
        find_spikes(np.zeros(100), 0.0)
    with pytest.raises(ValueError, match="must be alike"):
        find_spikes(np.zeros(100), 1e4, np.zeros(50))


def test_a_rate_too_low_for_spikes_is_said():
    voltage, _ = spike_train(2_000.0, [0.05], 0.2)
    assert "too slowly" in find_spikes(voltage, 2_000.0).attrs["notes"][0]


def test_only_the_window_asked_for_is_searched():
    voltage, peaks = spike_train(50_000.0, [0.05, 0.1, 0.15], 0.2)
    assert find_spikes(voltage, 50_000.0, start_s=0.08, stop_s=0.13)["peak_index"].tolist() == [peaks[1]]


def test_an_afterdepolarisation_and_its_slow_trough_are_found():
    rate = 50_000.0
    voltage, peaks = spike_train(rate, [0.05, 0.15], 0.3)
    time_ms = np.arange(voltage.size) / rate * 1e3
    for peak in peaks:
        after = np.clip(time_ms - peak / rate * 1e3 - 1.0, 0.0, None)
        voltage += 8.0 * (after / 1.5) * np.exp(1.0 - after / 1.5)
    found = find_spikes(voltage, rate)
    first = found.iloc[0]
    assert first["reset"] == "detour"
    assert 51.5 < first["adp_t_s"] * 1e3 < 55.0
    assert first["fast_trough_t_s"] < first["adp_t_s"] < first["slow_trough_t_s"]
    assert first["slow_trough_v_mv"] < first["adp_v_mv"]
    assert np.isnan(found.iloc[1]["adp_t_s"])
