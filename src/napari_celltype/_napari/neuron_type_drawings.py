"""What is painted on the page about a neuron: the scale of what decided, the model's pictures, bars in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QLinearGradient, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_celltype.models.neuron_image import NOTHING
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.neuron_type import RepairEffect
from napari_celltype.workbench.neuron_type_text import pair_heads, pair_lines

from .neuron_type_paint import why_colours
from .plots.palette import NODE_TYPE_COLOURS, class_colour, rgba
from .plots.theme import PlotTheme

__all__ = ["PairBars", "Pictures", "WhyScale"]


class WhyScale(QWidget):
    """The colours of what decided, with what their ends mean."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = ("", "")
        self._text = QColor("#808080")
        self.setFixedHeight(38)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._text = QColor(theme.text)
        self.update()

    def show_limit(self, limits: tuple[str, str]) -> None:
        """What the two ends mean."""
        self.limits = limits
        self.update()

    def paintEvent(self, _: Any) -> None:
        """A bar of colours over two words."""
        painter = QPainter(self)
        ramp = QLinearGradient(0, 0, self.width(), 0)
        places = np.linspace(-1.0, 1.0, 21)
        for place, colour in zip(places, why_colours(places, 1.0), strict=True):
            ramp.setColorAt((place + 1) / 2, QColor.fromRgbF(*(float(part) for part in colour)))
        painter.fillRect(QRectF(0, 2, self.width(), 12), ramp)
        painter.setPen(self._text)
        box = QRectF(0, 16, self.width(), 20)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, self.limits[0])
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, self.limits[1])
        painter.end()


class Pictures(QWidget):
    """The three views a model is given."""

    titles = ("along z", "along y", "along x")

    def __init__(self) -> None:
        super().__init__()
        self.views: NDArray[np.uint8] | None = None
        self._ink, self._ground = QColor("#808080"), QColor("#000000")
        self.setMinimumHeight(90)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._ink, self._ground = QColor(theme.text), QColor(theme.background)
        self.update()

    def show_views(self, views: NDArray[np.uint8] | None) -> None:
        """Draw these."""
        self.views = views
        self.update()

    def paintEvent(self, _: Any) -> None:
        """Each view as large as fits, side by side, or one below the other where that gives more room."""
        if self.views is None:
            return
        painter = QPainter(self)
        line = painter.fontMetrics().height() + 2
        beside = min(self.width() / 3, self.height() - line)
        below = min(self.width(), self.height() / 3 - line)
        size = max(beside, below) - 4
        for at, (view, title) in enumerate(zip(self.views, self.titles, strict=True)):
            left, top = (at * (size + 4), 0.0) if beside >= below else (0.0, at * (size + line + 2))
            painter.setPen(self._ink)
            painter.drawText(QRectF(left, top, size, line), Qt.AlignmentFlag.AlignLeft, title)
            painter.drawImage(QRectF(left, top + line, size, size), inked(view, self._ground))
        painter.end()


def inked(view: NDArray[np.uint8], ground: QColor) -> QImage:
    """A picture as a network gets it, dendrites and axon in the colours of their layers."""
    signed = (view.astype(np.float32) - NOTHING) / NOTHING
    ends = [np.array(rgba(colour)[:3]) for colour in (NODE_TYPE_COLOURS[3], NODE_TYPE_COLOURS[2])]
    share = np.minimum(np.abs(signed), 1.0)[..., None]
    mixed = np.array(rgba(ground.name())[:3]) * (1 - share) + np.where(signed[..., None] > 0, *ends) * share
    colours = np.ascontiguousarray(np.round(255 * mixed).astype(np.uint8))
    height, width = view.shape
    return QImage(colours.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class PairBars(QWidget):
    """Two bars a class that either answer gives a share worth drawing: pale before, full after."""

    def __init__(self) -> None:
        super().__init__()
        self.effect: RepairEffect | None = None
        self._text, self._grid = QColor("#808080"), QColor("#808080")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._text, self._grid = QColor(theme.text), QColor(theme.grid)
        self.update()

    def show_effect(self, effect: RepairEffect | None) -> None:
        """Draw both answers."""
        self.effect = effect
        self.setVisible(effect is not None)
        self.updateGeometry()
        self.update()

    @property
    def _line(self) -> int:
        return self.fontMetrics().height() + 4

    def sizeHint(self) -> QSize:
        """A line a class and one for the heads."""
        return QSize(200, self._line * (1 + len(pair_lines(self.effect))))

    def minimumSizeHint(self) -> QSize:
        """No lower."""
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, _: Any) -> None:
        """Name, both bars, both shares."""
        if self.effect is None:
            return
        painter, metrics, lines = QPainter(self), self.fontMetrics(), pair_lines(self.effect)
        left = max(metrics.horizontalAdvance(spoken(line.label)) for line in lines) + 8
        right = metrics.horizontalAdvance("> 99 % → > 99 %") + 8
        width = max(10, self.width() - left - right)
        painter.setPen(self._text)
        painter.drawText(
            0, 0, self.width(), self._line, Qt.AlignmentFlag.AlignRight, " → ".join(pair_heads(self.effect))
        )
        for row, line in enumerate(lines, start=1):
            top = row * self._line
            painter.setPen(self._text)
            painter.drawText(0, top, left, self._line, Qt.AlignmentFlag.AlignVCenter, spoken(line.label))
            words = f"{percent(line.before)} → {percent(line.after)}"
            box = QRectF(left + width, top, right, self._line)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
            half = (self._line - 4) / 2
            for at, (share, opacity) in enumerate(((line.before, 0.5), (line.after, 1.0))):
                colour = QColor(class_colour(line.label))
                colour.setAlphaF(opacity)
                painter.fillRect(QRectF(left, top + 2 + at * half, max(2.0, width * share), half - 1), colour)
        painter.end()
