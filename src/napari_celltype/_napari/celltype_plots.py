"""How far the verdict holds, and the spike beside the classes' average spikes and spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFrame, QLabel, QStackedLayout, QVBoxLayout, QWidget

from napari_celltype.workbench.classify_compare import NO_REFERENCE, Comparison
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import band_text, spread_text
from napari_celltype.workbench.classify_values import Band, Vote

from .plots.palette import class_colour
from .plots.theme import PlotTheme, line_height, style_plot

__all__ = ["BandPlot", "ComparisonPlot", "Note"]


class Note(QLabel):
    """A sentence in the place of a plot."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMargin(8)


def _make_plot(left: str, bottom: str) -> pg.PlotWidget:
    pane = pg.PlotWidget(enableMenu=False)
    pane.setFrameShape(QFrame.Shape.NoFrame)
    pane.setMinimumSize(120, 70)
    plot = pane.getPlotItem()
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    plot.getAxis("left").enableAutoSIPrefix(False)
    plot.getAxis("bottom").enableAutoSIPrefix(False)
    plot.setLabel("left", left)
    plot.setLabel("bottom", bottom)
    plot.layout.setContentsMargins(0, 2, 8, 2)
    return pane


class _Plots(QWidget):
    """Plots with a line of words above, or a sentence in their place."""

    def __init__(self, *panes: pg.PlotWidget) -> None:
        super().__init__()
        self.panes = panes
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.note = Note()
        plots = QWidget()
        column = QVBoxLayout(plots)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.words)
        for pane in panes:
            column.addWidget(pane, 1)
        self._plots = plots
        self._stack = QStackedLayout(self)
        self._stack.addWidget(plots)
        self._stack.addWidget(self.note)
        self._theme: PlotTheme | None = None

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._theme = theme
        for pane in self.panes:
            pane.setBackground(theme.background)
            style_plot(pane.getPlotItem(), theme)
            # pyqtgraph keeps less than a line for the label, which would cut off its descenders
            pane.getPlotItem().getAxis("bottom").setHeight(2 * line_height(theme) + 8)

    def tear_down(self) -> None:
        """Delete the menus pyqtgraph makes for every plot: they have no parent to die with."""
        for pane in self.panes:
            pane.getPlotItem().ctrlMenu.deleteLater()

    def say(self, text: str) -> None:
        """A sentence instead of the plots."""
        self.note.setText(text)
        self._stack.setCurrentWidget(self.note)

    def _begin(self) -> None:
        for pane in self.panes:
            pane.getPlotItem().clear()
        self._stack.setCurrentWidget(self._plots)

    @property
    def _ink(self) -> str:
        return self._theme.text if self._theme is not None else "#888888"


class BandPlot(_Plots):
    """Probability of each class against the shift of the window, and from sweep to sweep."""

    def __init__(self) -> None:
        super().__init__(_make_plot("probability", "shift of the window (ms)"), _make_plot("probability", "sweep"))
        self.band: Band | None = None
        self.votes: tuple[Vote, ...] = ()

    def show_band(self, band: Band | None, votes: Sequence[Vote], why_not: str) -> None:
        """Draw a band and the sweeps beside it, or say why there is none."""
        self.band, self.votes = band, tuple(votes)
        if band is None:
            self.say(why_not)
            return
        self._begin()
        self._draw_shifts(band)
        self.panes[1].setVisible(len(self.votes) > 1)
        self._draw_sweeps()
        grey = " Grey or hollow: the model abstains." if self._abstains else ""
        self.words.setText(" ".join(filter(None, (band_text(band), spread_text(self.votes)))) + grey)

    @property
    def _abstains(self) -> bool:
        on_a_shift = self.band is not None and bool(self.band.abstained.any())
        return on_a_shift or any(vote.verdict.abstained for vote in self.votes)

    def _draw_shifts(self, band: Band) -> None:
        plot = self.panes[0].getPlotItem()
        for first, last in _runs(band.abstained):
            half = float(np.diff(band.shifts_ms).mean()) / 2
            span = (band.shifts_ms[first] - half, band.shifts_ms[last] + half)
            grey = pg.LinearRegionItem(span, movable=False, brush=pg.mkBrush(128, 128, 128, 60), pen=pg.mkPen(None))
            plot.addItem(grey, ignoreBounds=True)
        for name, shares in zip(band.classes, band.probabilities.T, strict=True):
            plot.plot(band.shifts_ms, shares, pen=pg.mkPen(class_colour(name), width=2.5))
        plot.addItem(pg.InfiniteLine(0.0, pen=pg.mkPen(self._ink, style=Qt.PenStyle.DotLine)))
        plot.setXRange(band.shifts_ms[0], band.shifts_ms[-1], padding=0.0)
        plot.setYRange(0.0, 1.0, padding=0.03)

    def _draw_sweeps(self) -> None:
        """A dot for each class and sweep, joined by thin lines; sweeps stand side by side, whatever their numbers."""
        if not self.votes:
            return
        plot = self.panes[1].getPlotItem()
        places = np.arange(len(self.votes))
        shares = np.stack([vote.verdict.probabilities for vote in self.votes])
        abstained = [vote.verdict.abstained for vote in self.votes]
        for name, column in zip(self.votes[0].verdict.classes, shares.T, strict=True):
            colour = class_colour(name)
            brushes = [pg.mkBrush(None if hollow else colour) for hollow in abstained]
            plot.plot(places, column, pen=pg.mkPen(colour, width=1))
            plot.addItem(pg.ScatterPlotItem(places, column, size=7, pen=pg.mkPen(colour, width=1.5), brush=brushes))
        step = -(-len(places) // 8)
        plot.getAxis("bottom").setTicks([[(int(i), str(self.votes[i].number)) for i in places[::step]]])
        plot.setXRange(-0.5, len(places) - 0.5, padding=0.0)
        plot.setYRange(0.0, 1.0, padding=0.06)


def _runs(mask: Any) -> list[tuple[int, int]]:
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, dtype=int), [0]])))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]


class ComparisonPlot(_Plots):
    """The spike over the classes' averages, as a trace and as a spectrum."""

    def __init__(self) -> None:
        super().__init__(_make_plot("mV", "time from the peak (ms)"), _make_plot("dB", "frequency (kHz)"))
        self.comparison: Comparison | None = None

    def show_comparison(self, found: Comparison | None, why_not: str = NO_REFERENCE) -> None:
        """Draw a comparison, or say why there is none."""
        self.comparison = found
        if found is None:
            self.say(why_not)
            return
        self._begin()
        trace, spectrum = (pane.getPlotItem() for pane in self.panes)
        rows = zip(found.classes, found.mean_mv, found.spread_mv, found.class_db, strict=True)
        for name, mean, spread, level in rows:
            pen = pg.mkPen(class_colour(name), width=2)
            trace.addItem(_shade(found.time_ms, mean - spread, mean + spread, class_colour(name)))
            trace.plot(found.time_ms, mean, pen=pen)
            spectrum.plot(found.frequency_khz, level, pen=pen)
        own = pg.mkPen(self._ink, width=2.5)
        trace.plot(found.time_ms, found.cell_mv, pen=own)
        spectrum.plot(found.frequency_khz, found.cell_db, pen=own)
        for plot in (trace, spectrum):
            plot.enableAutoRange()
        names = ", ".join(f'<span style="color:{class_colour(name)}">■</span> {spoken(name)}' for name in found.classes)
        self.words.setText(f"Bold: this cell. Averages and spread of the training cells: {names}.")


def _shade(x: Any, low: Any, high: Any, colour: str) -> pg.FillBetweenItem:
    """The stretch between two curves, faintly."""
    fill = QColor(colour)
    fill.setAlpha(45)
    ends = [pg.PlotDataItem(x, values, pen=pg.mkPen(None)) for values in (low, high)]
    return pg.FillBetweenItem(*ends, brush=pg.mkBrush(fill))
