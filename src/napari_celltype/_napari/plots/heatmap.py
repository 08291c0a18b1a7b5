"""A heatmap of features against cells in panels, with names, trees and gaps; drawn alike on screen and on paper.

The view knows a :class:`Sheet` and colours only. It is painted by itself instead of by pyqtgraph because names at
both edges, hatching and trees have to keep to the same grid at any size, and because a file then shows what the screen
shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen
from qtpy.QtWidgets import QScrollBar, QSizePolicy, QWidget

from napari_celltype.models.features import FEATURES
from napari_celltype.workbench.gates_sheet import Panel, Sheet

from .heatmap_paint import (
    LEGEND,
    STRIP,
    TREE,
    draw_bars,
    draw_heads,
    draw_legend,
    draw_tree,
    faint,
    hatch,
    panel_image,
)
from .theme import PlotTheme

__all__ = ["HeatmapView", "Place"]

_GAP = 10.0
_LEAST_ROW = 11.0
_COLUMN = 17.0
_BARS = 62.0


@dataclass(frozen=True)
class Place:
    """Where the mouse is: a feature (a column of the table), a panel and a column of it; -1 beside them."""

    feature: int
    panel: int
    column: int


@dataclass(frozen=True)
class _Frame:
    """Where things lie: the grid between ``head`` and ``foot``, its rows, and each panel's left edge and width."""

    head: float
    foot: float
    scrolled: float
    row: float
    left: float
    panels: tuple[tuple[float, float], ...]
    font: QFont

    @property
    def top(self) -> float:
        """Where the first row begins, which may be out of sight."""
        return self.head - self.scrolled

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.top + self.row * len(FEATURES)


class HeatmapView(QWidget):
    """Shows a sheet; :attr:`hovered` tells the place under the mouse, or None."""

    hovered = Signal(object, QPointF)
    clicked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sheet: Sheet | None = None
        self.grey = False
        self.stretch = (0.0, 1.0)
        self._theme: PlotTheme | None = None
        self._images: dict[int, QImage] = {}
        self._at: Place | None = None
        self._dragged_from: float | None = None
        self.bar = QScrollBar(Qt.Orientation.Vertical, self)
        self.bar.valueChanged.connect(self._on_bar_moved)
        self.setMouseTracking(True)
        self.setMinimumWidth(330)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Heatmap of feature gates")

    def _on_bar_moved(self, _: int) -> None:
        self.update()

    # what is shown -----------------------------------------------------------------------------------------------

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of napari's theme."""
        self._theme = theme
        self._redraw()

    def show_sheet(self, sheet: Sheet | None, *, grey: bool = False) -> None:
        """Show this; ``grey`` paints gates from black (muted) to white (open), as the paper does."""
        if sheet is None or self.sheet is None or len(sheet.panels) != len(self.sheet.panels):
            self.stretch = (0.0, 1.0)
        self.sheet, self.grey = sheet, grey
        self._redraw()

    def _redraw(self) -> None:
        self._images.clear()
        if self._theme is not None:
            self.setMinimumHeight(round(self._head(self._font()) + 4 * _LEAST_ROW + LEGEND + 6))
        self._limit_scroll()
        self.update()

    @property
    def paper_height(self) -> int:
        """Height at which every row is as high as its name."""
        return round(self._head(self._font()) + 14 * len(FEATURES) + LEGEND + 6)

    def _limit_scroll(self) -> None:
        """Fit the scroll bar to what does not fit into the view."""
        if self._theme is None:
            return
        room = self.height() - self._head(self._font()) - LEGEND - 6
        hidden = max(0, round(_LEAST_ROW * len(FEATURES) - room))
        self.bar.setRange(0, hidden)
        self.bar.setPageStep(max(1, round(room)))
        self.bar.setSingleStep(round(_LEAST_ROW))
        self.bar.setVisible(hidden > 0)
        wide = self.bar.sizeHint().width()
        self.bar.setGeometry(self.width() - wide, round(self._head(self._font())), wide, max(10, round(room)))

    def resizeEvent(self, event: Any) -> None:
        """Fit the rows to the new height."""
        super().resizeEvent(event)
        self._limit_scroll()

    @property
    def _room(self) -> float:
        """Width the heatmap may use beside the scroll bar."""
        return self.width() - (self.bar.width() + 2 if self.bar.maximum() else 0)

    def _font(self, points: float | None = None) -> QFont:
        font = QFont(self.font())
        assert self._theme is not None
        font.setPointSizeF(points or self._theme.font_pt)
        return font

    # where things lie --------------------------------------------------------------------------------------------

    def _head(self, font: QFont) -> float:
        """Height above the grid: titles, then names of columns at a slant, or a tree with its classes."""
        metrics = QFontMetricsF(font)
        names = [label for panel in self._panels for label in panel.labels]
        slanted = max((metrics.horizontalAdvance(name) for name in names), default=0.0) * 0.87 + metrics.height() * 0.5
        return metrics.height() + 6 + max(slanted, TREE + STRIP + 4)

    @property
    def _panels(self) -> tuple[Panel, ...]:
        return self.sheet.panels if self.sheet is not None else ()

    def _frame(self, width: float, height: float, scrolled: float) -> _Frame:
        theme = self._theme
        assert theme is not None
        head = self._head(self._font())
        row = max(_LEAST_ROW, (height - head - LEGEND - 6) / len(FEATURES))
        font = self._font()
        font.setPixelSize(max(9, int(min(QFontMetricsF(font).height() * 0.8, row - 1.0))))
        metrics = QFontMetricsF(font)
        left = max(metrics.horizontalAdvance(feature.label) for feature in FEATURES) + 10
        if self.sheet is not None and self.sheet.tree is not None:
            left += TREE + 4
        foot = min(height - LEGEND - 4, head + row * len(FEATURES) - scrolled)
        return _Frame(head, foot, scrolled, row, left, self._widths(width - left - 4), font)

    def _widths(self, room: float) -> tuple[tuple[float, float], ...]:
        panels = self._panels
        few = [len(panel.classes) * _COLUMN if panel.rows is None else 0.0 for panel in panels]
        few = [_BARS if panel.kind == "adds" else wide for panel, wide in zip(panels, few, strict=True)]
        many = [len(panel.classes) if panel.rows is not None else 0 for panel in panels]
        rest = room - sum(few) - _GAP * (len(panels) - 1)
        shares = [rest * n / max(1, sum(many)) for n in many]
        # narrow docks squeeze the averages, wide ones let them breathe a little
        factor = min(1.6, max(0.45, (rest + sum(few)) / max(1.0, sum(few)))) if not sum(many) else 1.0
        if sum(many) and rest < 0.35 * room:
            factor = max(0.55, (room * 0.65 - _GAP * (len(panels) - 1)) / sum(few))
            rest = room - factor * sum(few) - _GAP * (len(panels) - 1)
            shares = [rest * n / sum(many) for n in many]
        widths = [wide * factor if not n else share for wide, n, share in zip(few, many, shares, strict=True)]
        edges = np.concatenate([[0.0], np.cumsum(np.array(widths) + _GAP)])
        return tuple((float(edge), max(1.0, wide)) for edge, wide in zip(edges, widths, strict=False))

    def place_at(self, point: QPointF) -> Place | None:
        """What is under a point of the widget."""
        if self.sheet is None or self._theme is None:
            return None
        frame = self._frame(self._room, self.height(), self.bar.value())
        row = int((point.y() - frame.top) // frame.row)
        if not 0 <= row < len(FEATURES) or not frame.head <= point.y() < frame.foot:
            return None
        feature = int(self.sheet.order[row])
        for number, (edge, width) in enumerate(frame.panels):
            share = (point.x() - frame.left - edge) / width
            if 0 <= share < 1:
                return Place(feature, number, self._column(self._panels[number], share))
        return Place(feature, -1, -1)

    def _column(self, panel: Panel, share: float) -> int:
        low, high = self._shown(panel)
        return min(int((low + share * (high - low)) * len(panel.classes)), len(panel.classes) - 1)

    def _shown(self, panel: Panel) -> tuple[float, float]:
        return self.stretch if panel.rows is not None else (0.0, 1.0)

    # painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Draw the sheet."""
        if self.sheet is None or self._theme is None:
            return
        painter = QPainter(self)
        self.draw(painter, self._room, self.height(), self._theme, self.bar.value())
        painter.end()

    def draw(self, painter: QPainter, width: float, height: float, theme: PlotTheme, scrolled: float = 0.0) -> None:
        """Draw on anything Qt can paint on."""
        if self.sheet is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(QRectF(0, 0, width, height), QColor(theme.background))
        frame = self._frame(width, height, scrolled)
        painter.save()
        painter.setClipRect(QRectF(0, frame.head - 1, width, frame.foot - frame.head + 2))
        self._draw_names(painter, frame, theme)
        for number, panel in enumerate(self._panels):
            self._draw_panel(painter, number, panel, self._area(frame, number), frame, theme)
        self._draw_breaks(painter, frame, theme, width)
        painter.restore()
        for number, panel in enumerate(self._panels):
            self._draw_top(painter, panel, self._area(frame, number), frame, theme)
        font = self._font(max(7.0, theme.font_pt - 1))
        draw_legend(painter, frame.foot, font, theme, grey=self.grey)

    def _area(self, frame: _Frame, number: int) -> QRectF:
        edge, wide = frame.panels[number]
        return QRectF(frame.left + edge, frame.top, wide, frame.bottom - frame.top)

    def _draw_names(self, painter: QPainter, frame: _Frame, theme: PlotTheme) -> None:
        assert self.sheet is not None
        painter.setFont(frame.font)
        left = 0.0
        if self.sheet.tree is not None:
            left = TREE + 4
            area = QRectF(2, frame.top, TREE, frame.bottom - frame.top)
            draw_tree(painter, self.sheet.tree, area, theme, sideways=True)
        for row, feature in enumerate(self.sheet.order):
            strong = self._at is not None and self._at.feature == feature
            painter.setPen(QColor(theme.accent if strong and not theme.dark else theme.text))
            area = QRectF(left, frame.top + row * frame.row, frame.left - left - 6, frame.row)
            if strong:
                painter.fillRect(QRectF(0, area.top(), frame.left - 2, frame.row), faint(theme.text, 40))
            painter.drawText(
                area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), FEATURES[feature].label
            )

    def _draw_panel(
        self, painter: QPainter, number: int, panel: Panel, area: QRectF, frame: _Frame, theme: PlotTheme
    ) -> None:
        if panel.kind == "adds":
            assert self.sheet is not None
            draw_bars(painter, panel.values[self.sheet.order, 0], area, theme)
            return
        if number not in self._images:
            assert self.sheet is not None
            self._images[number] = panel_image(panel, self.sheet.order, grey=self.grey)
        low, high = self._shown(panel)
        image = self._images[number]
        source = QRectF(low * image.width(), 0, (high - low) * image.width(), image.height())
        hatch(painter, area, theme)
        # many cells on few pixels are averaged; few cells stay sharp
        smooth = source.width() > area.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(area, image, source)
        painter.setPen(QPen(QColor(theme.grid), 1))
        painter.drawRect(area)
        if panel.rows is None:
            self._draw_grid(painter, len(panel.classes), area, frame, theme)

    def _draw_top(self, painter: QPainter, panel: Panel, area: QRectF, frame: _Frame, theme: PlotTheme) -> None:
        """Title of a panel, and what its columns are."""
        painter.setFont(self._font())
        painter.setPen(QColor(theme.text))
        metrics = QFontMetricsF(self._font())
        title = metrics.elidedText(panel.title, Qt.TextElideMode.ElideRight, max(44.0, area.width() + _GAP - 2))
        painter.drawText(QPointF(area.left(), metrics.ascent()), title)
        area = QRectF(area.left(), frame.head, area.width(), 1)
        if panel.kind != "adds":
            draw_heads(painter, panel, area, theme, self._shown(panel))
            return
        place = QRectF(area.left() - 4, frame.head - 22, area.width() + 8, 20)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), "−   +")

    def _draw_grid(self, painter: QPainter, columns: int, area: QRectF, frame: _Frame, theme: PlotTheme) -> None:
        painter.setPen(QPen(QColor(theme.background), 1))
        wide = area.width() / columns
        for column in range(1, columns):
            x = area.left() + column * wide
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        for row in range(1, len(FEATURES)):
            y = frame.top + row * frame.row
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _draw_breaks(self, painter: QPainter, frame: _Frame, theme: PlotTheme, width: float) -> None:
        assert self.sheet is not None
        painter.setPen(QPen(faint(theme.text, 150), 1))
        for at in self.sheet.breaks:
            y = frame.top + at * frame.row
            painter.drawLine(QPointF(8, y), QPointF(width - 2, y))

    # mouse -------------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: Any) -> None:
        """Tell what is under the mouse, or move along the reference cells."""
        point = event.position()
        if self._dragged_from is not None:
            self._pan((self._dragged_from - point.x()) / max(1.0, self.width() / 2))
            self._dragged_from = point.x()
            return
        found = self.place_at(point)
        if found != self._at:
            self._at = found
            self.update()
        self.hovered.emit(found, QPointF(event.globalPosition()))

    def mousePressEvent(self, event: Any) -> None:
        """Begin to move along the reference cells."""
        found = self.place_at(event.position())
        if found is not None and found.panel >= 0 and self._panels[found.panel].rows is not None:
            self._dragged_from = event.position().x()
        self.clicked.emit(found)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Stop moving."""
        self._dragged_from = None

    def leaveEvent(self, event: Any) -> None:
        """Nothing is under the mouse any more."""
        self._at = None
        self.update()
        self.hovered.emit(None, QPointF())

    def wheelEvent(self, event: Any) -> None:
        """Zoom into the reference cells; elsewhere scroll the features."""
        found = self.place_at(event.position())
        if found is None or found.panel < 0 or self._panels[found.panel].rows is None:
            self.bar.setValue(self.bar.value() - round(event.angleDelta().y() / 120 * 3 * _LEAST_ROW))
            event.accept()
            return
        frame = self._frame(self._room, self.height(), self.bar.value())
        edge, wide = frame.panels[found.panel]
        share = (event.position().x() - frame.left - edge) / wide
        self.zoom(0.8 if event.angleDelta().y() > 0 else 1.25, share)
        event.accept()

    def zoom(self, factor: float, share: float = 0.5) -> None:
        """Show fewer (factor below 1) or more reference cells around a place in their panel."""
        low, high = self.stretch
        at = low + share * (high - low)
        wide = min(1.0, max(0.01, (high - low) * factor))
        low = min(max(0.0, at - share * wide), 1.0 - wide)
        self.stretch = (low, low + wide)
        self.update()

    def _pan(self, share: float) -> None:
        low, high = self.stretch
        wide = high - low
        low = min(max(0.0, low + share * wide), 1.0 - wide)
        self.stretch = (low, low + wide)
        self.update()
