"""The answer: a headline, a bar for each class, why not to believe it, and what other models say."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import agreement_text, headline, other_text, percent
from napari_celltype.workbench.classify_values import CellCall, Verdict

from .plots.palette import class_colour
from .plots.theme import PlotTheme

__all__ = ["ClassBars", "ResultPanel"]

_GAP = 4


class ClassBars(QWidget):
    """One bar a class, in the model's order; pale where the model abstains."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict: Verdict | None = None
        self._text = QColor("#808080")
        self._grid = QColor("#808080")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Calibrated probabilities: among cells given 0.8, about eight in ten are right")

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._text, self._grid = QColor(theme.text), QColor(theme.grid)
        self.update()

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Draw this verdict, or nothing."""
        changed = self._n_bars != (0 if verdict is None else len(verdict.classes))
        self.verdict = verdict
        if changed:
            self.updateGeometry()
        self.update()

    @property
    def _n_bars(self) -> int:
        return 0 if self.verdict is None else len(self.verdict.classes)

    @property
    def _row(self) -> int:
        return QFontMetrics(self.font()).height() + _GAP

    def sizeHint(self) -> QSize:
        """As high as the bars."""
        return QSize(200, self._n_bars * self._row)

    def minimumSizeHint(self) -> QSize:
        """No lower than the bars."""
        return QSize(120, self._n_bars * self._row)

    def paintEvent(self, _: Any) -> None:
        """Draw name, bar and probability of each class."""
        if self.verdict is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetrics(self.font())
        names = [spoken(name) for name in self.verdict.classes]
        left = max(metrics.horizontalAdvance(name) for name in names) + 8
        right = metrics.horizontalAdvance("> 99 %") + 8
        width = max(10, self.width() - left - right)
        for row, (name, label, share) in enumerate(
            zip(names, self.verdict.classes, self.verdict.probabilities, strict=True)
        ):
            top = row * self._row
            painter.setPen(self._text)
            painter.drawText(QRectF(0, top, left - 8, self._row), Qt.AlignmentFlag.AlignVCenter, name)
            painter.drawText(
                QRectF(left + width + 4, top, right, self._row), Qt.AlignmentFlag.AlignVCenter, percent(share)
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._grid)
            box = QRectF(left, top + _GAP / 2 + 1, width, self._row - _GAP - 2)
            painter.setOpacity(0.35)
            painter.drawRoundedRect(box, 2, 2)
            painter.setOpacity(0.45 if self.verdict.abstained else 1.0)
            painter.setBrush(QColor(class_colour(label)))
            box.setWidth(max(2.0, width * float(share)))
            painter.drawRoundedRect(box, 2, 2)
            painter.setOpacity(1.0)
        painter.end()


class ResultPanel(QWidget):
    """All of the answer that is words and bars."""

    def __init__(self) -> None:
        super().__init__()
        self.headline = QLabel()
        self.headline.setObjectName("headline")
        self.detail = _words()
        self.bars = ClassBars()
        self.reasons = _words()
        self.reasons.setObjectName("reasons")
        self.agreement = _words()
        self.others = _words()
        self.remarks = _words()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for widget in (
            self.headline,
            self.detail,
            self.bars,
            self.reasons,
            self.agreement,
            self.others,
            self.remarks,
        ):
            column.addWidget(widget)
        self._theme: PlotTheme | None = None

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._theme = theme
        self.bars.apply_theme(theme)
        self.reasons.setStyleSheet(f"color: {theme.warning};")
        self._style_headline("")

    def _style_headline(self, colour: str) -> None:
        # a chip in the class's colour beside text in the theme's: dark class colours are hard to read on a dark ground
        size = (self._theme.font_pt if self._theme is not None else 9) + 6
        edge = f"border-left: 6px solid {colour}; padding-left: 7px;" if colour else ""
        self.headline.setStyleSheet(f"font-size: {size}pt; font-weight: bold; {edge}")

    def show_call(self, call: CellCall, waiting: str = "") -> None:
        """Show what is said; ``waiting`` where nothing is said yet."""
        verdict = call.verdict
        self.bars.show_verdict(verdict)
        if verdict is None:
            self._style_headline("")
            self.headline.setText("")
            _say(self.detail, call.refusal or waiting)
            for label in (self.reasons, self.agreement, self.others, self.remarks):
                _say(label, "")
        else:
            self._show_verdict(call, verdict)
        self.headline.setVisible(verdict is not None)
        self.bars.setVisible(verdict is not None)

    def _show_verdict(self, call: CellCall, verdict: Verdict) -> None:
        text, detail = headline(verdict)
        self._style_headline("#8a8a8a" if verdict.abstained else class_colour(verdict.label))
        self.headline.setText(text)
        _say(self.detail, detail)
        _say(self.reasons, "\n".join(f"⚠ {reason}" for reason in (call.refusal, *verdict.reasons) if reason))
        said = agreement_text(verdict, call.companion) if call.votes is not None or call.companion is not None else ""
        _say(self.agreement, said)
        _say(self.others, "\n".join(other_text(other) for other in call.others))
        _say(self.remarks, " ".join((*verdict.notes, *call.remarks)))


def _words() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # long sentences wrap; they must not dictate how wide the dock is
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.hide()
    return label


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
