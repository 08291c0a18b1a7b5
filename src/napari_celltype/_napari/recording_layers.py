"""A recording as napari layers: the overview image (sweep x time) and the Shapes that will hold its AP windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import CelltypeError
from napari_celltype.recording import Recording, SampleReader, Sweep

from .neuron_layers import KEY, LayerData

__all__ = ["OVERVIEW", "UNITS", "WINDOWS", "OverviewGrid", "overview_limits", "overview_row", "recording_to_layers"]

OVERVIEW, WINDOWS = "overview", "windows"
UNITS = ("pixel", "ms")
"""Sweeps are counted, time is in milliseconds."""

MAX_COLUMNS = 2000
_CHUNK = 1 << 20
_READ_AT_ONCE = 200_000
_ASPECT = 0.45
_GAP_COLOUR = (0.13, 0.13, 0.16, 1.0)


@dataclass(frozen=True)
class OverviewGrid:
    """What the overview shows and how its pixels lie in time.

    ``quantity`` is the current where every sweep is in voltage clamp, else the voltage.
    """

    n_sweeps: int
    n_columns: int
    column_s: float
    quantity: Literal["voltage", "current"]

    @classmethod
    def of(cls, recording: Recording) -> OverviewGrid:
        """Grid on which the longest sweep takes all columns."""
        sweeps = recording.sweeps
        longest = max((sweep.stored_duration_s for sweep in sweeps), default=0.0)
        samples = max((sweep.n_stored for sweep in sweeps), default=1)
        columns = int(min(MAX_COLUMNS, max(samples, 1)))
        return cls(len(sweeps), columns, max(longest, 1e-3) / columns, _quantity(recording))

    @property
    def unit(self) -> str:
        """Unit of the pixel values."""
        return "mV" if self.quantity == "voltage" else "pA"

    @property
    def row_ms(self) -> float:
        """Height of a sweep's row in the units of the time axis, so that the whole is a pleasant rectangle."""
        return self.n_columns * self.column_s * 1e3 * _ASPECT / max(self.n_sweeps, 1)


def _quantity(recording: Recording) -> Literal["voltage", "current"]:
    has_current = all(sweep.read_current is not None for sweep in recording.sweeps)
    all_voltage_clamp = all(sweep.clamp == "voltage" for sweep in recording.sweeps)
    has_voltage = any(sweep.read_voltage is not None for sweep in recording.sweeps)
    return "current" if has_current and (all_voltage_clamp or not has_voltage) else "voltage"


def recording_to_layers(
    recording: Recording,
    *,
    item_id: str = "",
    name: str = "",
    units: tuple[str, str] = UNITS,
    complete: bool = False,
) -> list[LayerData]:
    """Layers of a recording: its overview image and an empty Shapes layer for its AP windows.

    Of a long recording only the first sweeps are read here, so that it opens at once; the rows left NaN are filled by
    the session in the background, or here if ``complete`` is asked for.
    """
    grid = OverviewGrid.of(recording)
    name = name or recording.name
    image = np.full((max(grid.n_sweeps, 1), grid.n_columns), np.nan, dtype=np.float32)
    budget = np.inf if complete else _READ_AT_ONCE
    for sweep in recording.sweeps:
        budget -= sweep.n_stored
        if budget < 0:
            break
        image[sweep.index] = overview_row(sweep, grid)
    layers = [_image_layer(image, grid, item_id, name), _window_layer(grid, item_id, name)]
    for _, options, _ in layers:
        options["units"] = units
    return layers


def _image_layer(image: NDArray[np.float32], grid: OverviewGrid, item_id: str, name: str) -> LayerData:
    options = {
        "name": f"{name} · overview ({grid.unit})",
        "colormap": _colours(),
        "contrast_limits": overview_limits(image),
        "metadata": {KEY: {"id": item_id, "role": OVERVIEW}},
        **_placing(grid),
    }
    return image, options, "image"


def _colours() -> Any:
    """Viridis on a dark ground: sweeps of other lengths leave gaps, and labels must be readable over them too."""
    from napari.utils.colormaps import Colormap, ensure_colormap

    colours = ensure_colormap("viridis").colors
    return Colormap(colours, name="viridis on dark", display_name="viridis on dark", nan_color=_GAP_COLOUR)


def _window_layer(grid: OverviewGrid, item_id: str, name: str) -> LayerData:
    options = {
        "name": f"{name} · AP windows",
        "ndim": 2,
        "metadata": {KEY: {"id": item_id, "role": WINDOWS}},
        "edge_width": grid.row_ms / 20,
        "face_color": "transparent",
        **_placing(grid),
    }
    return np.empty((0, 4, 2)), options, "shapes"


def _placing(grid: OverviewGrid) -> dict[str, Any]:
    """Time begins at 0 ms at the left edge of the first pixel; the sweep axis is a count, drawn at a chosen height."""
    column_ms = grid.column_s * 1e3
    return {
        "scale": (grid.row_ms, column_ms),
        "translate": (0.0, column_ms / 2),
        "axis_labels": ("sweep", "time"),
    }


def overview_row(sweep: Sweep, grid: OverviewGrid) -> NDArray[np.float32]:
    """One sweep on the grid; see :func:`overview_steps`."""
    *_, row = overview_steps(sweep, grid)
    return row


def overview_steps(sweep: Sweep, grid: OverviewGrid) -> Iterator[NDArray[np.float32]]:
    """Build a sweep's row in stretches a worker can be stopped between; the last one yielded is the whole row.

    A pixel holds the value that lies farthest from the sweep's middle: a spike and a step both show, however short.
    A sweep that cannot be read stays empty here; whoever selects it in the dock is told why.
    """
    try:
        yield from _row_steps(sweep, grid)
    except (CelltypeError, OSError):
        yield np.full(grid.n_columns, np.nan, dtype=np.float32)


def _row_steps(sweep: Sweep, grid: OverviewGrid) -> Iterator[NDArray[np.float32]]:
    read = sweep.read_voltage if grid.quantity == "voltage" else sweep.read_current
    low = np.full(grid.n_columns, np.nan, dtype=np.float32)
    high = low.copy()
    n_samples = sweep.n_samples  # a blank tail is no value
    if read is not None and n_samples:
        edges = np.floor(np.arange(grid.n_columns + 1) * grid.column_s * sweep.rate_hz + 1e-6).astype(np.int64)
        used = int(np.searchsorted(edges, n_samples))
        per_chunk = max(1, _CHUNK // max(1, int(grid.column_s * sweep.rate_hz)))
        for first in range(0, used, per_chunk):
            last = min(first + per_chunk, used)
            low[first:last], high[first:last] = _extremes(read, edges[first : last + 1], n_samples)
            yield _farthest(low, high, grid)
    yield _farthest(low, high, grid)


def _extremes(
    read: SampleReader, edges: NDArray[np.int64], n_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    start, stop = int(edges[0]), int(min(max(edges[-1], edges[0] + 1), n_samples))
    values = read(start, stop)
    at = np.minimum(edges[:-1] - start, len(values) - 1)
    return np.fmin.reduceat(values, at), np.fmax.reduceat(values, at)


def _farthest(low: NDArray[np.float32], high: NDArray[np.float32], grid: OverviewGrid) -> NDArray[np.float32]:
    known = ~np.isnan(low)
    middle = np.median((low[known] + high[known]) / 2) if known.any() else 0.0
    factor = 1e3 if grid.quantity == "voltage" else 1e12
    return (np.where(high - middle >= middle - low, high, low) * factor).astype(np.float32)


def overview_limits(image: NDArray[np.float32]) -> tuple[float, float]:
    """Contrast limits that neither a spike nor an artefact can spoil."""
    finite = image[np.isfinite(image)]
    if not finite.size:
        return (-100.0, 50.0)
    low, high = (float(value) for value in np.percentile(finite, [0.5, 99.5]))
    return (low, high) if high > low else (low - 1.0, high + 1.0)
