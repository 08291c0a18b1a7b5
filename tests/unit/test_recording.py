"""Sweeps and recordings in memory: windows, units, blank tails, and problems told in few words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import shared_files
from napari_celltype import Recording, RecordingError, Sweep, read_recording
from napari_celltype.recording import Clamp, FloatArray, SampleReader

RATE_HZ = 10_000.0


def reader_of(values: FloatArray) -> SampleReader:
    return lambda start, stop: values[start:stop].copy()


def sweep_of(
    voltage: FloatArray | None, current: FloatArray | None = None, clamp: Clamp = "current", n: int = 0
) -> Sweep:
    first = voltage if voltage is not None else current
    return Sweep(
        index=n,
        number=n,
        rate_hz=RATE_HZ,
        n_stored=0 if first is None else len(first),
        read_voltage=None if voltage is None else reader_of(voltage),
        read_current=None if current is None else reader_of(current),
        clamp=clamp,
    )


def membrane(n_samples: int = 5000, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(-0.065, 0.0002, n_samples)


# ---- windows ------------------------------------------------------------------------------------------------------


@given(st.floats(-1, 1, allow_nan=False) | st.just(math.inf), st.floats(-1, 1) | st.just(math.inf))
def test_any_window_is_clipped_to_the_sweep(start_s: float, stop_s: float) -> None:
    sweep = sweep_of(membrane(2000))
    start, stop = sweep.sample_range(start_s, stop_s)
    assert 0 <= start <= stop <= 2000
    assert len(sweep.voltage_mv(start_s, stop_s)) == len(sweep.time_s(start_s, stop_s)) == stop - start


def test_only_the_window_is_read() -> None:
    asked: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> FloatArray:
        asked.append((start, stop))
        return np.full(stop - start, -0.065)

    sweep = Sweep(0, 0, RATE_HZ, 1_000_000, read, clamp="current")
    sweep.voltage_mv(1.0, 1.05)
    assert max(stop - start for start, stop in asked) == 500


def test_accessors_name_their_unit() -> None:
    sweep = sweep_of(np.full(10, -0.07), np.full(10, 50e-12))
    assert sweep.voltage_mv()[0] == pytest.approx(-70)
    assert sweep.current_pa()[0] == pytest.approx(50)
    assert sweep_of(np.full(10, -0.07)).current_pa() is None
    assert np.isnan(sweep_of(None, np.ones(10), "voltage").voltage_mv()).all()


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("recordings/*/*"), ids=lambda path: path.name)
def test_reading_twice_gives_the_same(path: Path) -> None:
    """Accessors scale in place, so a reader must hand out arrays of its own."""
    try:
        sweep = read_recording(path).sweeps[0]
    except RecordingError as error:
        if "not installed" in str(error):
            pytest.skip(str(error))
        raise
    first, again = sweep.voltage_mv(0, 0.1), sweep.voltage_mv(0, 0.1)
    np.testing.assert_array_equal(first, again)
    current = sweep.current_pa(0, 0.1)
    if current is not None:
        np.testing.assert_array_equal(current, sweep.current_pa(0, 0.1))


# ---- blank tails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [np.nan, 0.0])
@pytest.mark.parametrize("n_blank", [100, 5000, 40_000])
def test_a_blank_tail_is_left_out_and_told(blank: float, n_blank: int) -> None:
    sweep = sweep_of(np.concatenate([membrane(), np.full(n_blank, blank)]))
    assert sweep.n_samples == 5000
    assert len(sweep.voltage_mv()) == len(sweep.time_s()) == 5000
    assert f"{n_blank / RATE_HZ:.4g} s are blank" in str(sweep.tail_problem)


def test_a_current_clamp_tail_of_zeros_is_seen_whatever_the_command_does() -> None:
    voltage = np.concatenate([membrane(), np.zeros(1000)])
    assert sweep_of(voltage, np.full(6000, 20e-12)).n_samples == 5000


def test_a_voltage_clamp_tail_of_zeros_is_seen_though_the_noise_is_about_zero() -> None:
    current = np.concatenate([np.random.default_rng(1).normal(0, 4e-12, 3000), np.zeros(500)])
    assert sweep_of(np.full(3500, -0.07), current, "voltage").n_samples == 3000


def test_a_command_that_returns_to_zero_is_no_tail() -> None:
    """In voltage clamp the current is what was measured; the command may rest at 0 mV."""
    current = np.random.default_rng(1).normal(0, 4e-12, 3000)
    command = np.concatenate([np.full(1000, -0.08), np.zeros(2000)])
    sweep = sweep_of(command, current, "voltage")
    assert sweep.n_samples == 3000
    assert sweep.tail_problem is None


def test_a_signal_that_honestly_rests_at_zero_keeps_its_length() -> None:
    settling = 0.02 * np.exp(-np.arange(4000) / 300)
    settling[3800:] = 0.0
    assert sweep_of(settling).n_samples == 4000


@pytest.mark.parametrize("values", [np.zeros(2000), np.full(2000, np.nan)])
def test_a_sweep_that_is_blank_throughout_keeps_its_length(values: FloatArray) -> None:
    sweep = sweep_of(values)
    assert sweep.n_samples == 2000


def test_a_few_zeros_at_the_end_are_no_tail() -> None:
    assert sweep_of(np.concatenate([membrane(), np.zeros(5)])).n_samples == 5005


def test_an_empty_sweep_is_empty() -> None:
    sweep = sweep_of(np.empty(0))
    assert sweep.n_samples == 0
    assert sweep.voltage_mv().size == 0


# ---- recordings ---------------------------------------------------------------------------------------------------


def test_problems_are_a_list_that_stays_short() -> None:
    tailed = np.concatenate([membrane(), np.zeros(1000)])
    sweeps = tuple(sweep_of(tailed, n=n) for n in range(40))
    problems = Recording(Path("a.abf"), "ABF 2", sweeps, notes=("A note.",)).problems
    assert isinstance(problems, list)
    assert problems[0] == "A note."
    assert len(problems) == 7
    assert problems[-1].startswith("35 more sweeps")


def test_a_clean_recording_has_no_problems() -> None:
    assert Recording(Path("a.abf"), "ABF 2", (sweep_of(membrane()),)).problems == []


def test_the_rate_is_that_of_most_samples() -> None:
    slow = Sweep(0, 0, 10_000.0, 100)
    fast = Sweep(1, 1, 50_000.0, 5000)
    assert Recording(Path("a.nwb"), "NWB", (slow, fast)).rate_hz == 50_000.0
    assert math.isnan(Recording(Path("a.nwb"), "NWB", ()).rate_hz)


# ---- in a notebook, in another process ----------------------------------------------------------------------------


def test_a_window_that_is_no_number_is_refused_by_name() -> None:
    sweep = sweep_of(membrane(2000))
    for window in ((math.nan, None), (None, math.nan), (0.01, math.nan)):
        with pytest.raises(ValueError, match="start_s and stop_s"):
            sweep.voltage_mv(*window)


def test_a_window_may_be_given_in_any_number_type() -> None:
    sweep = sweep_of(membrane(2000))
    expected = sweep.voltage_mv(0.125, 0.15625)
    for kind in (np.float32, np.float64, np.float16):
        np.testing.assert_array_equal(sweep.voltage_mv(kind(0.125), kind(0.15625)), expected)
    assert len(sweep.voltage_mv(0, 1)) == 2000


def test_a_recording_and_a_sweep_say_what_they_are_in_one_line() -> None:
    sweeps = [sweep_of(membrane(), n=n) for n in range(300)]
    recording = Recording(Path("folder/cell 7.abf"), "ABF 2", sweeps, notes=("Something is odd.",))
    assert repr(recording) == (
        "<Recording 'cell 7.abf': ABF 2, 300 sweeps, current clamp, 10 kHz, 1 note in .problems>"
    )
    assert repr(sweeps[3]) == "<Sweep 3: current clamp, 0.5 s at 10 kHz, voltage>"
    assert "no signal" in repr(sweep_of(None))
    unknown = sweep_of(membrane(), clamp="unknown")
    assert "clamp unknown" in repr(unknown)
    assert "current clamp, partly unknown" in repr(Recording(Path("x"), "made", (sweeps[0], unknown)))
    assert repr(Recording(Path("x"), "none", ()))


def test_looking_at_a_recording_reads_no_sample() -> None:
    def read(start: int, stop: int) -> FloatArray:
        raise AssertionError("read")

    sweep = Sweep(index=0, number=0, rate_hz=RATE_HZ, n_stored=10, read_voltage=read)
    recording = Recording(Path("x"), "made", (sweep,))
    assert repr(recording)
    assert repr(sweep)
    assert recording.rate_hz == RATE_HZ


def test_a_blank_file_of_absurd_length_is_not_searched_to_its_beginning() -> None:
    read: list[int] = []

    def zeros(start: int, stop: int) -> FloatArray:
        read.append(stop - start)
        return np.broadcast_to(0.0, stop - start)

    sweep = Sweep(index=0, number=0, rate_hz=RATE_HZ, n_stored=1 << 40, read_voltage=zeros)
    assert sweep.n_samples == 1 << 40
    assert sum(read) < 1.1e8
    assert max(read) <= 1 << 18
