"""The lower half of the page about a neuron: what decided, the pictures a model sees, measures, and the repair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QLinearGradient, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.models.neuron_image import NOTHING
from napari_celltype.neuron import Neuron
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.neuron_type import NeuronCall, RepairEffect
from napari_celltype.workbench.neuron_type_text import (
    NO_JUMP,
    difference_cells,
    difference_text,
    limit_text,
    pair_heads,
    pair_lines,
    repair_text,
    why_text,
)

from .plots.palette import NODE_TYPE_COLOURS, class_colour, rgba
from .plots.theme import PlotTheme

__all__ = ["NeuronTabs"]

_WAITING = "Not asked yet."


class BranchesTab(QWidget):
    """Asks which branches decided; emits ``asked`` and ``cancelled``."""

    asked = Signal()
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton("Which branches decided?")
        self.button.setToolTip("Take off branch after branch and see how the answer changes")
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(4)
        self.progress.setTextVisible(False)
        self.words = make_words()
        self.scale = WhyScale()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        for widget in (self.button, self.progress, self.words, self.scale):
            column.addWidget(widget)
        column.addStretch(1)
        self._is_busy = False
        self.button.clicked.connect(self._on_button_clicked)
        self.show_busy(False)

    def show_busy(self, busy: bool) -> None:
        """While busy the button cancels."""
        self._is_busy = busy
        self.button.setText("Cancel" if busy else "Which branches decided?")
        self.progress.setVisible(busy)
        if not busy:
            self.progress.setValue(0)

    def show_call(self, call: NeuronCall, neuron: Neuron | None) -> None:
        """Say what decided, if it was asked."""
        self.button.setEnabled(call.verdict is not None)
        known = call.why is not None and neuron is not None
        self.scale.setVisible(known)
        if call.why is not None and neuron is not None:
            self.words.setText(why_text(call.why, neuron))
            self.scale.show_limit(limit_text(call.why))
        else:
            self.words.setText(
                "Each branch is taken off in turn, and the model asked again. The branches take on the "
                "colour of what they did to the answer."
            )

    def _on_button_clicked(self) -> None:
        (self.cancelled if self._is_busy else self.asked).emit()


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
        from .neuron_type_paint import why_colours

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


class PicturesTab(QWidget):
    """The pictures with a word on what was taken off."""

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.pictures = Pictures()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.pictures, 1)

    def show_call(self, call: NeuronCall) -> None:
        """Draw them, if they are there."""
        self.pictures.show_views(call.pictures)
        self.words.setText(
            _WAITING
            if call.pictures is None
            else "As networks of pictures see it: upright, as large as fits; the more neurite lies behind a pixel, the "
            "stronger. Axon blue, all else orange."
        )


class MeasuresTab(QWidget):
    """Measures of the neuron beside those of its class, the most unlike first."""

    heads = ("Measure", "This neuron", "Class", "z")

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.table = QTableWidget(0, len(self.heads))
        self.table.setHorizontalHeaderLabels(list(self.heads))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.table, 1)

    def show_call(self, call: NeuronCall) -> None:
        """List them, or say why there are none."""
        found = call.differences or ()
        self.table.setRowCount(len(found))
        for row, difference in enumerate(found):
            for column, text in enumerate(difference_cells(difference)):
                cell = QTableWidgetItem(text)
                if column:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, cell)
        self.table.setVisible(bool(found))
        label = "" if call.verdict is None else call.verdict.label
        self.words.setText(_WAITING if call.verdict is None else difference_text(call.differences, label))


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


class RepairTab(QWidget):
    """The answer before and after mending."""

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.bars = PairBars()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.bars)
        column.addStretch(1)

    def show_call(self, call: NeuronCall) -> None:
        """Show both answers, or say why there is one."""
        effect = call.repair
        self.bars.show_effect(effect)
        if effect is None:
            self.words.setText(NO_JUMP if call.repair_asked else _WAITING)
        else:
            self.words.setText(repair_text(effect))


class NeuronTabs(QTabWidget):
    """The four tabs."""

    def __init__(self) -> None:
        super().__init__()
        self.branches, self.pictures = BranchesTab(), PicturesTab()
        self.measures, self.repair = MeasuresTab(), RepairTab()
        for tab, name, tip in (
            (self.branches, "Branches", "Which branches decided"),
            (self.pictures, "Pictures", "The three views a network is given"),
            (self.measures, "Measures", "What is unlike the cells of its class"),
            (self.repair, "Repair", "Whether mending z-jumps changes the answer"),
        ):
            self.setTabToolTip(self.addTab(tab, name), tip)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        for part in (self.branches.scale, self.pictures.pictures, self.repair.bars):
            part.apply_theme(theme)

    def show_call(self, call: NeuronCall, neuron: Neuron | None) -> None:
        """Show what is said of a neuron."""
        self.branches.show_call(call, neuron)
        for tab in (self.pictures, self.measures, self.repair):
            tab.show_call(call)


def make_words() -> QLabel:
    """A label whose long sentences wrap and do not dictate how wide the dock is."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
