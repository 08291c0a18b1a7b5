"""Small recordings made in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_celltype.recording import FloatArray, Recording, StimulusNote, Sweep


def stored(values: FloatArray):
    """Reader of an array, as a format module would make."""
    return lambda start, stop: values[start:stop]


def make_sweep(index: int, *, rate_hz: float = 20_000.0, n: int = 4000, clamp="current", current: bool = True) -> Sweep:
    """A step of 50 pA times the sweep's number, with a spike of one sample in its middle."""
    volts = np.full(n, -0.07) + 1e-4 * index
    volts[n // 2] = 0.04
    amps = np.zeros(n)
    amps[n // 4 : n // 2] = 50e-12 * index
    return Sweep(
        index,
        index,
        rate_hz,
        n,
        stored(volts),
        stored(amps) if current else None,
        clamp=clamp,
        clamp_reason="Said by the file.",
        stimulus=StimulusNote(name="Long Square"),
    )


def make_recording(n_sweeps: int = 4, *, name: str = "cell.abf", notes: tuple[str, ...] = (), **sweep) -> Recording:
    """A recording of such sweeps."""
    return Recording(Path("/data") / name, "made up", [make_sweep(i, **sweep) for i in range(n_sweeps)], notes)
