"""The strokes a heatmap is drawn with: trees, heads of columns, bars, the legend, and colours of its fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from napari_celltype.workbench.gates import Tree
from napari_celltype.workbench.gates_sheet import Panel

from .palette import class_colour
from .theme import PlotTheme

__all__ = [
    "LEGEND",
    "STRIP",
    "TREE",
    "Z_LIMIT",
    "draw_bars",
    "draw_heads",
    "draw_legend",
    "draw_tree",
    "faint",
    "hatch",
    "panel_image",
]

Z_LIMIT = 3.0
STRIP = 5.0
TREE = 34.0
LEGEND = 20.0
_SLANT = -60
_SMALLEST_PX = 9
_FOR, _AGAINST = "#d24a12", "#2f8fd8"


def faint(colour: str, opacity: int) -> QColor:
    """A colour that lets something through."""
    found = QColor(colour)
    found.setAlpha(opacity)
    return found


def hatch(painter: QPainter, area: QRectF, theme: PlotTheme) -> None:
    """Fill an area as missing."""
    painter.fillRect(area, QBrush(faint(theme.text, 110), Qt.BrushStyle.BDiagPattern))


def draw_heads(
    painter: QPainter, panel: Panel, area: QRectF, theme: PlotTheme, shown: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Names at a slant over few columns; over many, their classes as a strip, and their tree."""
    low, high = shown
    wide = area.width() / ((high - low) * len(panel.classes))
    for column, name in enumerate(panel.classes):
        x = area.left() + column * wide - low * len(panel.classes) * wide
        if not name or x + wide < area.left() or x > area.right():
            continue
        strip = QRectF(x, area.top() - STRIP - 1, max(1.0, wide - (1 if wide > 4 else 0)), STRIP)
        painter.fillRect(strip.intersected(area.adjusted(0, -20, 0, 0)), QColor(class_colour(name)))
    if panel.tree is not None:
        tree = QRectF(area.left(), area.top() - STRIP - 3 - TREE, area.width(), TREE)
        painter.save()
        painter.setClipRect(tree)
        draw_tree(painter, panel.tree, tree, theme, shown=shown)
        painter.restore()
    _draw_labels(painter, panel, area, wide)


def _draw_labels(painter: QPainter, panel: Panel, area: QRectF, wide: float) -> None:
    """Letters no larger than leaves neighbours apart."""
    font = QFont(painter.font())
    font.setPixelSize(round(min(QFontMetricsF(font).height() * 0.8, max(_SMALLEST_PX, wide * 0.9))))
    metrics = QFontMetricsF(font)
    for column, label in enumerate(panel.labels):
        painter.save()
        painter.translate(area.left() + (column + 0.5) * wide + metrics.ascent() * 0.35, area.top() - STRIP - 4)
        painter.rotate(_SLANT)
        font.setBold(not panel.classes[column])
        painter.setFont(font)
        painter.drawText(QPointF(0, 0), label)
        painter.restore()


def draw_tree(
    painter: QPainter,
    tree: Tree,
    area: QRectF,
    theme: PlotTheme,
    *,
    sideways: bool = False,
    shown: tuple[float, float] = (0.0, 1.0),
) -> None:
    """A dendrogram above its columns, or left of its rows."""
    painter.setPen(QPen(faint(theme.text, 190), 0.8))
    n, height = len(tree.order), tree.height or 1.0
    low, high = shown
    for joint in tree.lines:
        along = ((joint[:, 0] + 0.5) / n - low) / (high - low)
        up = joint[:, 1] / height
        if sideways:
            xs = area.right() - up * area.width()
            ys = area.top() + along * area.height()
        else:
            xs, ys = area.left() + along * area.width(), area.bottom() - up * area.height()
        painter.drawPolyline([QPointF(float(x), float(y)) for x, y in zip(xs, ys, strict=True)])


def draw_bars(painter: QPainter, values: NDArray[np.float64], area: QRectF, theme: PlotTheme) -> None:
    """What each feature adds: for the label to the right, against it to the left."""
    most = float(np.nanmax(np.abs(values), initial=1e-9))
    middle, row = area.center().x(), area.height() / max(len(values), 1)
    for number, value in enumerate(values):
        top = area.top() + number * row + 1
        if not np.isfinite(value):
            hatch(painter, QRectF(area.left(), top, area.width(), row - 1), theme)
            continue
        length = value / most * area.width() / 2
        colour = QColor(_FOR if value > 0 else _AGAINST)
        painter.fillRect(QRectF(min(middle, middle + length), top, abs(length), row - 2), colour)
    painter.setPen(QPen(QColor(theme.grid), 1))
    painter.drawLine(QPointF(middle, area.top()), QPointF(middle, area.bottom()))


def draw_legend(painter: QPainter, foot: float, font: QFont, theme: PlotTheme, *, grey: bool) -> None:
    """What the colours mean, in one line."""
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    y, x = foot + 5, 6.0
    for low, table, high in (
        ("gate muted", _gate_colours(grey), "open"),
        (f"value −{Z_LIMIT:g}", _table("CET-D1"), f"+{Z_LIMIT:g} SD"),
    ):
        x = _write(painter, metrics, x, y, low, theme)
        bar = QImage(np.ascontiguousarray(table[None]).tobytes(), 256, 1, 1024, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRectF(x, y + 2, 34, metrics.height() - 4), bar.copy())
        x = _write(painter, metrics, x + 38, y, high, theme) + 8
    hatch(painter, QRectF(x, y + 2, 14, metrics.height() - 4), theme)
    _write(painter, metrics, x + 18, y, "missing", theme)


def _write(painter: QPainter, metrics: QFontMetricsF, x: float, y: float, text: str, theme: PlotTheme) -> float:
    painter.setPen(QColor(theme.text))
    painter.drawText(QPointF(x, y + metrics.ascent()), text)
    return x + metrics.horizontalAdvance(text) + 5


def panel_image(panel: Panel, order: NDArray[np.intp], *, grey: bool) -> QImage:
    """A panel's fields as pixels, features in this order from top to bottom; what is missing is transparent."""
    values = panel.values[order]
    colours = _gate_colours(grey) if panel.kind == "gate" else _table("CET-D1")
    share = values if panel.kind == "gate" else (values + Z_LIMIT) / (2 * Z_LIMIT)
    pixels = colours[np.clip(np.nan_to_num(share) * 255, 0, 255).round().astype(int)]
    pixels[np.isnan(values)] = 0
    height, width = values.shape
    data = np.ascontiguousarray(pixels).tobytes()
    return QImage(data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _gate_colours(grey: bool) -> NDArray[np.uint8]:
    if grey:
        shades = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        return np.column_stack([shades, np.full(256, 255, dtype=np.uint8)])
    return _table("viridis")


def _table(name: str) -> NDArray[np.uint8]:
    found: Any = pg.colormap.get(name).getLookupTable(nPts=256, alpha=True)
    return np.asarray(found, dtype=np.uint8)
