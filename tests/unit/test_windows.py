from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephys_traces import recording_of, spike_train, sweep_of
from napari_celltype import ApWindow, RecordingError, suggest_windows


def step(rate, n, onset, duration, level):
    time = np.arange(n) / rate
    return np.where((time >= onset - 1e-9) & (time < onset + duration - 1e-9), float(level), 0.0)


def sweep_with(rate, peaks, onset, duration, level, index=0):
    voltage, samples = spike_train(rate, peaks, 0.4, noise_mv=0.02, seed=index)
    return sweep_of(voltage, rate, step(rate, voltage.size, onset, duration, level), index=index), samples


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_the_ends_put_themselves_in_order(one, two):
    window = ApWindow(0, one, two)
    assert window.start_s == min(one, two)
    assert window.stop_s == max(one, two)
    assert window.duration_s >= 0


def test_ends_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="two finite ends"):
        ApWindow(0, 0.1, float("nan"))


def test_clipping_keeps_what_was_recorded():
    sweep, _ = sweep_with(20_000.0, [0.1], 0.09, 0.003, 500.0)
    assert ApWindow(0, -1.0, 0.05).clipped(sweep).start_s == 0.0
    assert ApWindow(0, 0.3, 9.0).clipped(sweep).stop_s == pytest.approx(0.4)


@pytest.mark.parametrize("rate", [10_000.0, 20_000.0, 33_333.0, 50_000.0, 100_000.0, 200_000.0, 500_000.0])
def test_the_peak_lies_at_its_place_whatever_the_rate(rate):
    sweep, (peak,) = sweep_with(rate, [0.1], 0.09, 0.003, 500.0)
    cut = ApWindow.around_peak(0, peak / rate).cut(sweep, rate_hz=50_000.0, n_samples=150)
    assert cut.voltage_mv.shape == (150,)
    assert abs(int(cut.voltage_mv.argmax()) - 50) <= 1
    assert cut.voltage_mv[50] == pytest.approx(sweep.voltage_mv()[peak], abs=0.5)
    np.testing.assert_allclose(cut.time_s[50], peak / rate, atol=1e-9)
    assert bool(cut.notes) == (rate < 50_000.0)


def test_at_the_own_rate_the_recorded_samples_come_back_bit_by_bit():
    sweep, (peak,) = sweep_with(50_000.0, [0.1], 0.09, 0.003, 500.0)
    cut = ApWindow.around_peak(0, peak / 50_000.0).cut(sweep)
    np.testing.assert_array_equal(np.asarray(cut), sweep.voltage_mv()[peak - 50 : peak + 100])


@given(
    st.floats(0.02, 0.35),
    st.sampled_from([(200e3, 50e3), (50e3, 20e3), (20e3, 50e3), (44_100.0, 50e3), (50e3, 44_100.0)]),
)
def test_a_slow_sine_survives_resampling_and_a_fast_one_does_not_alias(start, rates):
    rate, new_rate = rates
    time = np.arange(round(0.4 * rate)) / rate
    slow = sweep_of(30.0 * np.sin(2 * np.pi * 700.0 * time), rate)
    window = ApWindow(0, start, start + 0.003)
    cut = window.cut(slow, rate_hz=new_rate)
    np.testing.assert_allclose(cut.voltage_mv, 30.0 * np.sin(2 * np.pi * 700.0 * cut.time_s), atol=0.02)
    if new_rate < rate / 1.5:
        fast = sweep_of(30.0 * np.sin(2 * np.pi * 0.8 * new_rate * time), rate)
        assert np.abs(window.cut(fast, rate_hz=new_rate).voltage_mv).max() < 0.3


def test_a_window_beyond_the_recording_is_refused_or_held_openly():
    sweep, _ = sweep_with(50_000.0, [0.01], 0.005, 0.003, 500.0)
    window = ApWindow.around_onset(0, 0.005)
    with pytest.raises(RecordingError, match=r"reaches 20 ms beyond sweep 0.*Move the window"):
        window.cut(sweep, rate_hz=50_000.0, n_samples=2_500)
    held = window.cut(sweep, rate_hz=50_000.0, n_samples=2_500, missing="hold")
    assert held.voltage_mv.size == 2_500
    np.testing.assert_array_equal(held.voltage_mv[:1000], sweep.voltage_mv()[0])
    assert "held" in held.notes[0]


def test_a_gap_in_the_window_is_refused():
    sweep, (peak,) = sweep_with(50_000.0, [0.1], 0.09, 0.003, 500.0)
    voltage = sweep.voltage_mv()
    voltage[peak + 20] = np.nan
    with pytest.raises(RecordingError, match="holds gaps"):
        ApWindow.around_peak(0, peak / 50_000.0).cut(sweep_of(voltage, 50_000.0))


def test_a_window_of_another_length_keeps_the_peak_in_its_place():
    sweep, (peak,) = sweep_with(50_000.0, [0.1], 0.09, 0.003, 500.0)
    dragged = ApWindow(0, 0.0985, 0.1045, peak_s=peak / 50_000.0)
    cut = dragged.cut(sweep, rate_hz=50_000.0, n_samples=150)
    assert abs(int(cut.voltage_mv.argmax()) - round(0.25 * 150)) <= 1


def test_suggestions_put_the_single_spike_of_a_short_square_first():
    rate = 50_000.0
    sweeps = [
        sweep_with(rate, [0.12, 0.15, 0.2], 0.1, 0.25, 200.0, 0)[0],
        sweep_with(rate, [], 0.1, 0.003, 400.0, 1)[0],
        sweep_with(rate, [0.105], 0.1, 0.003, 600.0, 2)[0],
        sweep_with(rate, [0.104, 0.11], 0.1, 0.003, 500.0, 3)[0],
        sweep_with(rate, [0.13], 0.1, 0.25, 100.0, 4)[0],
    ]
    found = suggest_windows(recording_of(*sweeps))
    assert [(w.sweep, w.kind) for w in found][:4] == [(2, "peak"), (2, "onset"), (3, "peak"), (3, "onset")]
    assert {w.sweep for w in found} == {0, 2, 3, 4}
    best, around_onset = found[0], found[1]
    assert best.peak_s == pytest.approx(0.105)
    assert best.start_s == pytest.approx(0.104)
    assert best.stop_s == pytest.approx(0.107)
    assert around_onset.start_s == pytest.approx(0.075)
    assert around_onset.stop_s == pytest.approx(0.125)
    assert "only spike of sweep 2 (short square)" in best.reason


def test_no_window_reaches_beyond_what_was_recorded_and_voltage_clamp_gives_none():
    rate = 50_000.0
    early = sweep_with(rate, [0.0205], 0.02, 0.003, 500.0)[0]
    voltage = early.voltage_mv()
    clamped = sweep_of(voltage, rate, early.current_pa(), index=1, clamp="voltage")
    found = suggest_windows(recording_of(early, clamped))
    assert [(w.sweep, w.kind) for w in found] == [(0, "peak")]
    for window in found:
        window.cut(early, rate_hz=50_000.0)


def test_a_recording_without_spikes_gives_no_windows():
    flat = sweep_of(np.full(5000, -70.0), 20_000.0)
    quiet = sweep_of(-70.0 + np.random.default_rng(0).normal(0, 0.1, 5000), 20_000.0, index=1)
    assert suggest_windows(recording_of(flat, quiet)) == []


def test_the_windows_of_the_sample_hold_true_peaks():
    from napari_celltype.samples.recording import sample_recording, sample_truth

    recording, truth = sample_recording(0), sample_truth(0)
    found = suggest_windows(recording)
    with_spikes = {k for k, sweep in enumerate(truth.sweeps) if len(sweep.peaks)}
    assert {window.sweep for window in found} == with_spikes
    for window in found:
        peaks = truth.sweeps[window.sweep].peaks / truth.rate_hz
        assert np.abs(peaks - window.peak_s).min() < 2e-4
    assert "short square" in found[0].reason
