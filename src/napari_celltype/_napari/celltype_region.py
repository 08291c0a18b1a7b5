"""The action potential window over the traces: a region to drag and resize, coloured by what it was judged to be."""

from __future__ import annotations

from collections.abc import Callable

import pyqtgraph as pg
from qtpy.QtGui import QColor

from .plots.palette import OTHER_CLASS_COLOUR, lightened
from .plots.theme import PlotTheme
from .plots.trace_view import TraceView

__all__ = ["WindowRegion"]

_ABOVE_MARKS, _BELOW_TRACES = 40, -5
_GAP_PX = 5


class WindowRegion:
    """One region in the voltage plot and its shadow in the current plot.

    Parameters
    ----------
    traces
        Where to draw.
    on_drag, on_drop
        Called with start and stop in seconds while it is dragged, and when it is let go.
    """

    def __init__(
        self, traces: TraceView, on_drag: Callable[[float, float], None], on_drop: Callable[[float, float], None]
    ) -> None:
        self._on_drag, self._on_drop = on_drag, on_drop
        self._placing = False
        self._dark = True
        self.item = pg.LinearRegionItem(swapMode="block")
        self.shadow = pg.LinearRegionItem(movable=False)
        self.label = pg.TextItem("", anchor=(0.0, 0.0))
        self._box = traces.voltage.vb
        self.text = ""
        self.item.setToolTip("Action potential window. Drag to move it, drag an edge to resize it.")
        for region in (self.item, self.shadow):
            region.setZValue(_BELOW_TRACES)
            region.hide()
        self.label.setZValue(_ABOVE_MARKS)
        traces.voltage.vb.addItem(self.item, ignoreBounds=True)
        traces.voltage.vb.addItem(self.label, ignoreBounds=True)
        traces.current.vb.addItem(self.shadow, ignoreBounds=True)
        self._box.sigRangeChanged.connect(self._on_range_changed)
        self._box.sigResized.connect(self._on_range_changed)
        self.item.sigRegionChanged.connect(self._on_region_changed)
        self.item.sigRegionChangeFinished.connect(self._on_region_finished)
        self.set_colour(OTHER_CLASS_COLOUR)

    @property
    def bounds_s(self) -> tuple[float, float]:
        """Where it is now."""
        start, stop = self.item.getRegion()
        return float(start), float(stop)

    def place(self, start_s: float, stop_s: float, duration_s: float) -> None:
        """Show it here; it cannot be dragged beyond the sweep."""
        self._placing = True
        try:
            self.item.setBounds((0.0, duration_s))
            self.item.setRegion((start_s, stop_s))
            self.shadow.setRegion((start_s, stop_s))
        finally:
            self._placing = False
        self.item.show()
        self.shadow.show()
        self._place_words()

    def hide(self) -> None:
        """There is no window on the sweep shown."""
        self.item.hide()
        self.shadow.hide()
        self.text = ""
        self._place_words()

    def say(self, text: str, colour: str) -> None:
        """Name beside the window, and its colour."""
        self.text = text
        self.label.setText(text, self._readable(colour))
        self._place_words()
        self.set_colour(colour)

    def _place_words(self) -> None:
        """Beside the window, on the side with more room, at the top; never beyond the edge of what is in view."""
        (low, high), (_, top) = self._box.viewRange()
        wide, width = max(self._box.width(), 1.0), self.label.boundingRect().width()
        start, stop = ((end - low) / (high - low) * wide for end in self.bounds_s)
        left = stop + _GAP_PX if start + stop < wide else start - _GAP_PX - width
        left = min(max(left, 0.0), max(wide - width, 0.0))
        self.label.setPos(low + left / wide * (high - low), top)
        self.label.setVisible(bool(self.text) and self.item.isVisible())

    def _on_range_changed(self, *_: object) -> None:
        self._place_words()

    def _readable(self, colour: str) -> str:
        return lightened(colour, 0.45) if self._dark else colour

    def set_colour(self, colour: str) -> None:
        """Fill and edges."""
        for region, alpha in ((self.item, 70), (self.shadow, 40)):
            fill = QColor(colour)
            fill.setAlpha(alpha)
            hover = QColor(colour)
            hover.setAlpha(alpha + 40)
            region.setBrush(fill)
            region.setHoverBrush(hover)
            for line in region.lines:
                line.setPen(pg.mkPen(colour, width=2 if region is self.item else 1))
                line.setHoverPen(pg.mkPen(colour, width=4))
            region.update()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Readable on the theme's ground."""
        self._dark = theme.dark
        self.label.fill = pg.mkBrush(theme.background)
        self.label.update()

    def _on_region_changed(self, _: object) -> None:
        if not self._placing:
            start, stop = self.bounds_s
            self.shadow.setRegion((start, stop))
            self._place_words()
            self._on_drag(start, stop)

    def _on_region_finished(self, _: object) -> None:
        if not self._placing:
            self._on_drop(*self.bounds_s)
