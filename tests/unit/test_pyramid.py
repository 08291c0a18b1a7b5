"""The min/max pyramid against literal minima and maxima."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype._napari.plots.pyramid import BASE_BIN, MinMaxPyramid, build_pyramid, build_steps


def pyramid_of(samples: np.ndarray) -> MinMaxPyramid:
    return build_pyramid(lambda start, stop: samples[start:stop], len(samples))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n).astype(np.float32)


@given(n=st.integers(1, 40_000), seed=st.integers(0, 5), data=st.data())
def test_every_bin_drawn_holds_the_literal_least_and_greatest_of_its_samples(n, seed, data):
    samples = noise(n, seed)
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    n_bins = data.draw(st.integers(1, 2000))
    positions, values = pyramid_of(samples).view(start, stop, n_bins)
    # the samples as they are; bins stand at their quarter points, never a whole sample apart on whole samples
    if positions[0] == int(positions[0]) and np.ptp(positions) == len(positions) - 1:
        np.testing.assert_array_equal(values, samples[positions.astype(int)])
        assert positions[0] <= start
        assert positions[-1] >= stop - 1
        return
    lows, highs = values[0::2], values[1::2]
    width = round(2 * (positions[1] - positions[0]))
    first = int(positions[0] // width)
    assert first * width <= start
    assert (first + len(lows)) * width >= stop
    for place, (low, high) in enumerate(zip(lows, highs, strict=True)):
        literal = samples[(first + place) * width : (first + place + 1) * width]
        assert low == literal.min()
        assert high == literal.max()


def test_number_of_points_depends_on_the_screen_and_not_on_the_signal():
    samples = noise(3_000_000)
    pyramid = pyramid_of(samples)
    for length in (1_000, 10_000, 100_000, 1_000_000, 3_000_000):
        positions, _ = pyramid.view(0, length, 500)
        assert len(positions) <= 8 * 500 + 8


def test_a_single_sample_spike_survives_every_zoom():
    samples = np.zeros(1_000_000, dtype=np.float32)
    samples[654_321] = 40.0
    pyramid = pyramid_of(samples)
    for half in (1 << power for power in range(3, 20)):
        positions, values = pyramid.view(654_321 - half, 654_321 + half, 800)
        assert values.max() == 40.0
        assert abs(positions[np.argmax(values)] - 654_321) <= 2 * half / 100


def test_peaks_do_not_flicker_while_panning():
    samples = noise(200_000)
    pyramid = pyramid_of(samples)
    seen = [set(zip(*pyramid.view(start, start + 40_000, 500), strict=True)) for start in (1000, 1001, 1017)]
    # all but the bins at the two edges are the very same points
    for other in seen[1:]:
        assert len(seen[0] ^ other) <= 40


def test_missing_values_are_left_out_of_the_extremes_and_all_missing_bins_stay_missing():
    samples = noise(10_000)
    samples[100:5000] = np.nan
    pyramid = pyramid_of(samples)
    low, high = pyramid.levels[0]
    assert np.isnan(low[8:300]).all()
    assert low[100 // BASE_BIN] == np.nanmin(samples[96:112])
    assert high[-1] == samples[-BASE_BIN:].max()
    assert pyramid.low == np.nanmin(samples)
    assert pyramid.high == np.nanmax(samples)


def test_a_signal_of_missing_values_only_has_no_limits():
    pyramid = pyramid_of(np.full(1000, np.nan))
    assert np.isnan(pyramid.low)
    assert np.isnan(pyramid.high)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17])
def test_short_signals_are_drawn_as_they_are(n):
    samples = noise(n)
    positions, values = pyramid_of(samples).view(-100, 1000, 500)
    np.testing.assert_array_equal(positions, np.arange(n))
    np.testing.assert_array_equal(values, samples)


def test_building_reads_each_sample_once_and_reports_progress():
    reads: list[tuple[int, int]] = []
    samples = noise(3_000_000)

    def read(start: int, stop: int) -> np.ndarray:
        reads.append((start, stop))
        return samples[start:stop]

    *shares, pyramid = build_steps(read, len(samples))
    assert [start for start, _ in reads] == [0, *(stop for _, stop in reads[:-1])]
    assert reads[-1][1] == len(samples)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert isinstance(pyramid, MinMaxPyramid)
    before = len(reads)
    pyramid.view(0, 1000, 500)
    assert len(reads) == before, "kept samples are not read again"
