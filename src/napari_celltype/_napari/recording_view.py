"""A recording's layers: made when it becomes current, completed in the background."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import Recording

from .jobs import LatestJob
from .recording_layers import OVERVIEW, OverviewGrid, overview_limits, overview_steps

if TYPE_CHECKING:
    from napari.layers import Layer

__all__ = ["RecordingView"]

Row = tuple[int, NDArray[np.float32]]


class RecordingView:
    """The layers of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._layers: dict[str, Layer] = {}
        self._filling = LatestJob(self._on_rows_ready)

    @property
    def layers(self) -> list[Layer]:
        """The layers there are."""
        return list(self._layers.values())

    def layer(self, role: str) -> Layer | None:
        """The layer that shows the recording as this, if it is there."""
        return self._layers.get(role)

    def take(self, layer: Layer, role: str) -> None:
        """Show the recording in this layer; an overview with rows missing is filled in the background."""
        if role in self._layers:
            return
        self._layers[role] = layer
        if role == OVERVIEW:
            missing = np.flatnonzero(np.isnan(layer.data).all(axis=1)).tolist()
            if missing:
                self._filling.start(_fill, self._recording, [row for row in missing if row < self._n_sweeps])

    @property
    def _n_sweeps(self) -> int:
        return len(self._recording.sweeps)

    def drop(self, layer: Layer) -> bool:
        """Forget a layer that is gone; True if none is left."""
        self._layers = {role: kept for role, kept in self._layers.items() if kept is not layer}
        if OVERVIEW not in self._layers:
            self._filling.stop()
        return not self._layers

    def close(self) -> None:
        """Stop filling and let go of the layers."""
        self._filling.stop()
        self._layers.clear()

    def _on_rows_ready(self, rows: list[Row]) -> None:
        layer: Any = self._layers.get(OVERVIEW)
        if layer is None or not rows:  # empty between the steps of a long sweep
            return
        image = layer.data
        for number, row in rows:
            image[number] = row
        layer.contrast_limits = overview_limits(image)
        layer.refresh()


def _fill(recording: Recording, numbers: list[int]) -> Generator[list[Row], None, None]:
    """Rows of the overview in batches of some size: redrawing after each one would be the slowest part."""
    grid = OverviewGrid.of(recording)
    batch: list[Row] = []
    n_samples = 0
    for number in numbers:
        sweep = recording.sweeps[number]
        row = np.full(grid.n_columns, np.nan, dtype=np.float32)
        for row in overview_steps(sweep, grid):  # noqa: B007
            yield []
        batch.append((number, row))
        n_samples += sweep.n_stored
        if n_samples > 2_000_000:
            yield batch
            batch, n_samples = [], 0
    yield batch
