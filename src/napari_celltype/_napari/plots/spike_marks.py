"""Small triangles above the action potentials of the traces shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from .trace_view import TraceView

__all__ = ["Peaks", "SpikeMarks"]

_MOST = 400
"""More in view would be a bar of ink; evenly chosen ones stand for all."""
_SIZE = 7
_ABOVE_WINDOW = 30


@dataclass(frozen=True, eq=False)
class Peaks:
    """Where one trace's action potentials peak."""

    time_s: NDArray[np.float64]
    voltage_mv: NDArray[np.float64]
    colour: str


class SpikeMarks:
    """Marks in the voltage plot of a :class:`TraceView`; they keep to what is in view."""

    def __init__(self, traces: TraceView) -> None:
        self._box = traces.voltage.vb
        self._peaks: tuple[Peaks, ...] = ()
        self.item = pg.ScatterPlotItem(size=_SIZE, symbol="t", pxMode=True, pen=pg.mkPen(None))
        self.item.setZValue(_ABOVE_WINDOW)
        self.visible = True
        self._box.addItem(self.item, ignoreBounds=True)
        self._box.sigRangeChanged.connect(self._on_range_changed)
        self._box.sigResized.connect(self._on_range_changed)

    def show(self, peaks: Sequence[Peaks]) -> None:
        """Mark these instead of the ones before."""
        self._peaks = tuple(peaks)
        self._draw()

    def toggle(self) -> None:
        """Hide the marks, or show them again."""
        self.visible = not self.visible
        self._draw()

    def _on_range_changed(self, *_: object) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.visible or not self._peaks:
            self.item.setData([], [])
            return
        (low_s, high_s), (low_mv, high_mv) = self._box.viewRange()
        # the tip points at the peak from a little above
        lift = 5.0 * (high_mv - low_mv) / max(self._box.height(), 1.0)
        times, volts, brushes = [], [], []
        for peaks in self._peaks:
            inside = np.flatnonzero((peaks.time_s >= low_s) & (peaks.time_s <= high_s))
            inside = inside[:: max(1, -(-len(inside) * len(self._peaks) // _MOST))]
            times.append(peaks.time_s[inside])
            volts.append(peaks.voltage_mv[inside] + lift)
            brushes += [pg.mkBrush(peaks.colour)] * len(inside)
        self.item.setData(np.concatenate(times), np.concatenate(volts), brush=brushes)
