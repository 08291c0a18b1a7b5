"""Voltage over current against time: overlaid sweeps of any length, moved with mouse and keys.

The view knows arrays and colours only; what to draw is given as :class:`Trace` values. Windows and predictions are
drawn over :attr:`TraceView.upper` and :attr:`TraceView.lower` by those who own them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QSplitter, QVBoxLayout, QWidget

from .pyramid import MinMaxPyramid
from .theme import PlotTheme, line_height, style_plot

__all__ = ["Trace", "TraceView"]

_MARGIN = 0.08
_POINTS_A_FRAME = 48_000


@dataclass(frozen=True, eq=False)
class Trace:
    """One sweep to draw; either signal may be missing."""

    label: str
    colour: str
    rate_hz: float
    n_samples: int
    voltage_mv: MinMaxPyramid | None = None
    current_pa: MinMaxPyramid | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.rate_hz


class PyramidCurve(pg.PlotCurveItem):
    """A curve that draws as many points of its signal as the screen can show."""

    def __init__(self, pyramid: MinMaxPyramid, rate_hz: float, colour: str) -> None:
        super().__init__(pen=pg.mkPen(colour, width=1), connect="finite", skipFiniteCheck=False)
        self.pyramid = pyramid
        self._rate_hz = rate_hz
        self._drawn: tuple[int, int, int] | None = None
        self.setSegmentedLineMode("on")

    def show_stretch(self, start_s: float, stop_s: float, n_pixels: int) -> None:
        """Draw what lies between two times."""
        start = int(np.floor(start_s * self._rate_hz)) - 1
        stop = int(np.ceil(stop_s * self._rate_hz)) + 2
        if (start, stop, n_pixels) == self._drawn:
            return
        self._drawn = (start, stop, n_pixels)
        positions, values = self.pyramid.view(start, stop, n_pixels)
        self.setData(positions / self._rate_hz, values)


class _Box(pg.ViewBox):
    """Wheel zooms time, Shift+wheel the values; dragging moves."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=True)

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        if axis is None:
            axis = 1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0
        super().wheelEvent(event, axis=axis)


def _make_pane(label: str) -> pg.PlotWidget:
    pane = pg.PlotWidget(viewBox=_Box(), enableMenu=False)
    pane.setMinimumSize(200, 60)
    pane.setFrameShape(QFrame.Shape.NoFrame)
    plot = pane.getPlotItem()
    plot.layout.setContentsMargins(0, 3, 10, 4)
    plot.hideButtons()
    plot.disableAutoRange()
    left = plot.getAxis("left")
    left.enableAutoSIPrefix(False)
    left.setLabel(label)
    left.setWidth(58)
    plot.getAxis("bottom").setLabel("Time", units="s")
    return pane


class TraceView(QWidget):
    """Two plots with one time axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._splitter)
        self._panes = {"voltage": _make_pane("mV"), "current": _make_pane("pA")}
        self.voltage: pg.PlotItem = self._panes["voltage"].getPlotItem()
        self.current: pg.PlotItem = self._panes["current"].getPlotItem()
        self.current.setXLink(self.voltage)
        self.traces: tuple[Trace, ...] = ()
        self._curves: list[PyramidCurve] = []
        self._fitted: list[list[float]] = []
        self._voltage_on_top = True
        self._line_height = self.fontMetrics().height()
        self._has = {"voltage": True, "current": True}
        self._lay_out()
        self.voltage.vb.sigXRangeChanged.connect(self._on_range_changed)
        self.voltage.vb.sigResized.connect(self._on_range_changed)

    def tear_down(self) -> None:
        """Delete the menu pyqtgraph makes for every plot, shown or not: it has no parent to die with."""
        for pane in self._panes.values():
            pane.getPlotItem().ctrlMenu.deleteLater()

    @property
    def upper(self) -> pg.PlotItem:
        """The plot on top: voltage, or current in voltage clamp."""
        return self.voltage if self._voltage_on_top else self.current

    @property
    def lower(self) -> pg.PlotItem:
        """The plot below."""
        return self.current if self._voltage_on_top else self.voltage

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of napari's theme."""
        self._theme = theme
        for pane in self._panes.values():
            pane.setBackground(theme.background)
            style_plot(pane.getPlotItem(), theme)
        self._line_height = line_height(theme)
        self._lay_out()

    def show_traces(self, traces: Sequence[Trace], *, voltage_on_top: bool = True, keep_range: bool = False) -> None:
        """Draw these sweeps instead of the ones before; the first is drawn last, above the others."""
        for curve in self._curves:
            curve.getViewBox().removeItem(curve)
        self._curves = []
        self.traces = tuple(traces)
        for trace in reversed(self.traces):
            self._add(self.voltage, trace.voltage_mv, trace)
            self._add(self.current, trace.current_pa, trace)
        self._voltage_on_top = voltage_on_top
        self._has = {
            "voltage": not traces or any(trace.voltage_mv is not None for trace in traces),
            "current": not traces or any(trace.current_pa is not None for trace in traces),
        }
        self._lay_out()
        self._limit()
        if keep_range:
            if self._values_are_fitted():
                self.fit_values()
            self._on_range_changed()
        else:
            self.home()

    def _add(self, plot: pg.PlotItem, pyramid: MinMaxPyramid | None, trace: Trace) -> None:
        if pyramid is None:
            return
        curve = PyramidCurve(pyramid, trace.rate_hz, trace.colour)
        plot.vb.addItem(curve, ignoreBounds=True)
        self._curves.append(curve)

    def _lay_out(self) -> None:
        """Put the signals there are in their places: the measured one on top and higher; time below the last."""
        names = ("voltage", "current") if self._voltage_on_top else ("current", "voltage")
        if self._splitter.indexOf(self._panes[names[0]]) != 0:
            for place, name in enumerate(names):
                self._splitter.insertWidget(place, self._panes[name])
                self._splitter.setStretchFactor(place, 5 - 2 * place)
            self._splitter.setSizes([500, 340])
        shown = [name for name in names if self._has[name]]
        for name in names:
            self._panes[name].setVisible(name in shown)
            is_last = shown[-1:] == [name]
            axis = self._panes[name].getPlotItem().getAxis("bottom")
            axis.setStyle(showValues=is_last)
            axis.showLabel(is_last)
            # pyqtgraph keeps less than a line for the label, which would cut off its descenders
            axis.setHeight(2 * self._line_height + 12 if is_last else None)

    @property
    def duration_s(self) -> float:
        """Length of the longest trace shown."""
        return max((trace.duration_s for trace in self.traces), default=1.0)

    @property
    def time_range(self) -> tuple[float, float]:
        """Times at the left and right edge, in seconds."""
        low, high = self.voltage.vb.viewRange()[0]
        return float(low), float(high)

    def _limit(self) -> None:
        margin = 0.05 * self.duration_s
        finest = 8.0 / max((trace.rate_hz for trace in self.traces), default=1.0)
        for plot in (self.voltage, self.current):
            plot.vb.setLimits(
                xMin=-margin, xMax=self.duration_s + margin, minXRange=min(finest, self.duration_s), maxXRange=None
            )

    def home(self) -> None:
        """Show the whole of every trace."""
        self.voltage.vb.setXRange(0.0, self.duration_s, padding=0.01)
        self.fit_values()
        self._on_range_changed()

    def fit_values(self) -> None:
        """Fit the value axes to the whole signals."""
        for plot, signal in ((self.voltage, "voltage_mv"), (self.current, "current_pa")):
            found = [getattr(trace, signal) for trace in self.traces if getattr(trace, signal) is not None]
            lows = [pyramid.low for pyramid in found if np.isfinite(pyramid.low)]
            highs = [pyramid.high for pyramid in found if np.isfinite(pyramid.high)]
            if lows:
                low, high = min(lows), max(highs)
                # a flat line is not stretched over the whole plot as if it were a signal
                extra = max(0.0, 1.0 - (high - low)) / 2
                plot.vb.setYRange(low - extra, high + extra, padding=_MARGIN)
        self._fitted = self._value_ranges()

    def _value_ranges(self) -> list[list[float]]:
        return [list(plot.vb.viewRange()[1]) for plot in (self.voltage, self.current)]

    def _values_are_fitted(self) -> bool:
        """Whether the value axes stand where they were last fitted, unmoved by the user."""
        return self._fitted == self._value_ranges()

    def zoom(self, factor: float) -> None:
        """Show a stretch of time longer by this factor around the same middle."""
        self.voltage.vb.scaleBy(x=factor)

    def pan(self, share: float) -> None:
        """Move by a share of the stretch shown; positive is later."""
        low, high = self.time_range
        self.voltage.vb.translateBy(x=share * (high - low))

    def _on_range_changed(self, *_: Any) -> None:
        start_s, stop_s = self.time_range
        width = max(100, int(max(self.voltage.vb.width(), self.current.vb.width())))
        n_pixels = max(100, min(width, _POINTS_A_FRAME // max(1, 4 * len(self._curves))))
        for curve in self._curves:
            curve.show_stretch(start_s, stop_s, n_pixels)
