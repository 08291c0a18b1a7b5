"""Traces and recordings with known spikes, for the tests of electrophysiology."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import Recording, StimulusNote, Sweep

REST_MV = -70.0


def spike_shape(time_ms: NDArray[np.float64], height_mv: float = 100.0, width_ms: float = 0.35) -> NDArray[np.float64]:
    """A spike peaking at time 0 with a slow afterhyperpolarisation."""
    rise = height_mv * np.exp(-((time_ms / (0.7 * width_ms)) ** 2))
    later = np.clip(time_ms, 0.0, None)
    dip = 14.0 * (1.0 - np.exp(-later / 0.5)) * np.exp(-later / 6.0)
    fall = height_mv * np.exp(-((time_ms / width_ms) ** 2)) - dip
    return np.where(time_ms < 0, rise, fall)


def spike_train(
    rate_hz: float,
    peaks_s: Sequence[float],
    duration_s: float,
    *,
    noise_mv: float = 0.0,
    seed: int = 0,
    rest_mv: float = REST_MV,
    height_mv: float = 100.0,
    width_ms: float = 0.35,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """A trace in mV with spikes that peak at samples, and those samples."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * rate_hz)
    peaks = np.round(np.asarray(peaks_s) * rate_hz).astype(np.intp)
    voltage = rest_mv + rng.normal(0.0, noise_mv, n) if noise_mv else np.full(n, rest_mv)
    for peak in peaks:
        first, last = max(0, int(peak - 0.003 * rate_hz)), min(n, int(peak + 0.06 * rate_hz))
        voltage[first:last] += spike_shape((np.arange(first, last) - peak) / rate_hz * 1e3, height_mv, width_ms)
    return voltage, peaks


def sweep_of(
    voltage_mv: NDArray[np.float64] | None,
    rate_hz: float,
    current_pa: NDArray[np.float64] | None = None,
    *,
    index: int = 0,
    name: str = "",
    clamp: str = "current",
    electrode: str = "",
) -> Sweep:
    """A sweep that reads from arrays."""

    def reader(values: NDArray[np.float64] | None, unit: float):
        return None if values is None else lambda start, stop: values[start:stop] * unit

    n = len(voltage_mv) if voltage_mv is not None else len(current_pa)
    return Sweep(
        index,
        index,
        rate_hz,
        n,
        reader(voltage_mv, 1e-3),
        reader(current_pa, 1e-12),
        clamp=clamp,
        electrode=electrode,
        stimulus=StimulusNote(name=name),
    )


def recording_of(*sweeps: Sweep) -> Recording:
    return Recording(Path("made.abf"), "made", sweeps)
