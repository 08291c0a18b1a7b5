"""What the spikes of each class look like: averages and histograms of traces and spectra, for figures and docks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.windows import WindowFormat

__all__ = ["class_reference"]

FloatArray = NDArray[np.float64]

_TRACE_EDGES_MV = np.linspace(-100.0, 60.0, 81)
_SPECTRUM_EDGES_DB = np.linspace(-80.0, 40.0, 61)


def class_reference(
    windows: NDArray[np.float32], truth: NDArray[np.intp], n_classes: int, form: WindowFormat
) -> dict[str, NDArray[np.float32]]:
    """Arrays for :class:`napari_celltype.models.waveform_model.ClassReference`, by name.

    Counts are shares of a class's cells, so that classes of different size compare; spectra are amplitudes of the
    half spectrum below the common filter's corner, in mV, of the window less its mean.
    """
    parts = [_of_class(windows[truth == k].astype(float), form) for k in range(n_classes)]
    stacked = {name: np.stack([part[name] for part in parts]).astype(np.float32) for name in parts[0]}
    edges = {"trace_edges_mv": _TRACE_EDGES_MV, "spectrum_edges_db": _SPECTRUM_EDGES_DB}
    return stacked | {name: values.astype(np.float32) for name, values in edges.items()}


def _of_class(windows: FloatArray, form: WindowFormat) -> dict[str, FloatArray]:
    amplitude = amplitude_spectrum(windows, form)
    level = 20 * np.log10(np.maximum(amplitude, 1e-6))
    return {
        "mean_mv": windows.mean(axis=0),
        "spread_mv": windows.std(axis=0),
        "amplitude_mv": amplitude.mean(axis=0),
        "amplitude_spread_mv": amplitude.std(axis=0),
        "trace_counts": _column_histograms(windows, _TRACE_EDGES_MV),
        "spectrum_counts": _column_histograms(level, _SPECTRUM_EDGES_DB),
    }


def amplitude_spectrum(windows: FloatArray, form: WindowFormat) -> FloatArray:
    """Amplitude at each frequency up to the filter's corner, in mV."""
    found = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True), axis=1)) * 2 / windows.shape[1]
    frequency = np.fft.rfftfreq(windows.shape[1], 1 / form.rate_hz)
    kept = frequency <= (form.low_pass_hz or form.rate_hz)
    amplitude: FloatArray = found[:, kept]
    return amplitude


def _column_histograms(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Share of rows in each bin, column by column: (bins, columns)."""
    counts = np.stack([np.histogram(np.clip(column, edges[0], edges[-1]), edges)[0] for column in values.T], axis=1)
    return counts / len(values)
