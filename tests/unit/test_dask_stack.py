"""Sweeps of different length as one lazy array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_celltype.errors import RecordingError
from napari_celltype.io.dask_stack import stack_sweeps
from napari_celltype.recording import Recording, Sweep

pytest.importorskip("dask.array")


def made_recording(lengths: list[int], rates: list[float]) -> tuple[Recording, list[np.ndarray], list[tuple[int, int]]]:
    volts = [np.sin(np.arange(n) / 7.0 + n) * 0.05 + 0.01 for n in lengths]
    reads: list[tuple[int, int]] = []

    def reader(values: np.ndarray):
        def read(start: int, stop: int) -> np.ndarray:
            reads.append((start, stop))
            return values[start:stop].copy()

        return read

    sweeps = [
        Sweep(index=i, number=i, rate_hz=rate, n_stored=len(v), read_voltage=reader(v), clamp="current")
        for i, (v, rate) in enumerate(zip(volts, rates, strict=True))
    ]
    return Recording(path=Path("made.abf"), format="made", sweeps=sweeps), volts, reads


def test_stack_equals_the_sweeps_and_pads_with_nan() -> None:
    recording, volts, _ = made_recording([3000, 2500], [20_000.0, 20_000.0])
    stack = stack_sweeps(recording)
    assert stack.shape == (2, 3000)
    values = stack.compute()
    np.testing.assert_allclose(values[0], volts[0] * 1e3)
    np.testing.assert_allclose(values[1, :2500], volts[1] * 1e3)
    assert np.isnan(values[1, 2500:]).all()


def test_stack_reads_nothing_before_it_is_computed_and_then_only_its_row() -> None:
    recording, _, reads = made_recording([3000, 2500], [20_000.0, 20_000.0])
    stack = stack_sweeps(recording)
    assert reads == []
    stack[1].compute()
    assert (0, 3000) not in reads
    assert (0, 2500) in reads


def test_missing_current_is_nan() -> None:
    recording, _, _ = made_recording([100], [1e4])
    assert np.isnan(stack_sweeps(recording, "current_pa").compute()).all()


def test_mixed_rates_are_refused_with_a_reason() -> None:
    recording, _, _ = made_recording([100, 100], [1e4, 2e4])
    with pytest.raises(RecordingError, match="2 sampling rates"):
        stack_sweeps(recording)
