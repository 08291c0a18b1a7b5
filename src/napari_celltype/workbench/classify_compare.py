"""A cell's spike beside the average spikes of the classes, as traces and as spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_REFERENCE", "Comparison", "compare_with_classes"]

FloatArray = NDArray[np.float64]

NO_REFERENCE = "This model does not bring the average spikes of its classes, so there is nothing to compare with."


@dataclass(frozen=True, eq=False)
class Comparison:
    """The window as the model sees it, and the averages of the training spikes of each class.

    Spectra are in decibels below each trace's own strongest component (the mean left out): shapes compare, however
    large the spike.
    """

    classes: tuple[str, ...]
    time_ms: FloatArray
    cell_mv: FloatArray
    mean_mv: FloatArray
    spread_mv: FloatArray
    frequency_khz: FloatArray
    cell_db: FloatArray
    class_db: FloatArray


def compare_with_classes(model: Any, voltage_mv: FloatArray, rate_hz: float) -> Comparison | None:
    """Put a window beside the class averages a waveform model holds; None where it holds none."""
    from napari_celltype.models.windows import prepare_windows

    if not any(name.startswith("reference.") for name in getattr(model, "weights", {})):
        return None
    reference = model.reference
    cell = prepare_windows(voltage_mv, rate_hz, model.form)[0]
    n = min(len(reference.frequency_hz), len(cell) // 2 + 1)
    spectrum = np.abs(np.fft.rfft(cell - cell.mean()))[:n]
    return Comparison(
        classes=tuple(reference.classes),
        time_ms=np.asarray(reference.time_ms),
        cell_mv=cell,
        mean_mv=np.asarray(reference.mean_mv),
        spread_mv=np.asarray(reference.spread_mv),
        frequency_khz=np.asarray(reference.frequency_hz)[1:n] / 1e3,
        cell_db=_decibels(spectrum[None, 1:])[0],
        class_db=_decibels(np.asarray(reference.amplitude_mv)[:, 1:n]),
    )


def _decibels(amplitude: FloatArray) -> FloatArray:
    strongest = np.maximum(amplitude.max(axis=1, keepdims=True), 1e-12)
    decibels: FloatArray = 20 * np.log10(np.maximum(amplitude / strongest, 1e-6))
    return decibels
