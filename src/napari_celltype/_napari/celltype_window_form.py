"""The widgets of the window's line: typed values, kinds of window, suggestions, undo, and words that give way."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.workbench.classify_windows import KINDS, SHORTEST_S, STEP_S

__all__ = ["ElidedLabel", "WindowForm"]

_BUTTONS = (
    ("before", "◂", "Suggested window before (Shift+W)"),
    ("after", "▸", "Next suggested window (W)"),
    ("zoom", "⌕", "Zoom to the window (Z)"),
    ("undo", "↶", "Undo (Ctrl+Z)"),
    ("redo", "↷", "Redo (Ctrl+Shift+Z)"),
)


class ElidedLabel(QLabel):
    """Takes what room is left and shows as much of its text as fits; the tooltip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str | None) -> None:
        """Show this."""
        super().setText(text)
        self.setToolTip(text or "")

    def minimumSizeHint(self) -> QSize:
        """No room is needed."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, _: Any) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()


class WindowForm(QWidget):
    """Shows a window; whoever owns it connects the widgets."""

    def __init__(self) -> None:
        super().__init__()
        self.start = _spin("Begin of the window in ms since the sweep began")
        self.length = _spin("Length of the window in ms")
        self.length.setRange(SHORTEST_S * 1e3, 1e4)
        self.kinds = {kind: _button(spec.name, spec.tip) for kind, spec in KINDS.items()}
        for button in self.kinds.values():
            button.setCheckable(True)
        self.buttons = {name: _button(text, tip) for name, text, tip in _BUTTONS}
        self.said = ElidedLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for widget in (self.start, QLabel("for"), self.length):
            row.addWidget(widget)
        for button in (*self.kinds.values(), *self.buttons.values()):
            row.addWidget(button)
        row.addSpacing(4)
        row.addWidget(self.said, 1)

    def show_window(self, window: ApWindow | None) -> None:
        """Show begin, length and kind."""
        for spin in (self.start, self.length):
            spin.setEnabled(window is not None)
        for kind, button in self.kinds.items():
            button.setChecked(window is not None and window.kind == kind)
        if window is not None:
            self.show_span(window.start_s, window.stop_s)

    def show_span(self, start_s: float, stop_s: float) -> None:
        """Show begin and length, without anybody taking it for typed."""
        with QSignalBlocker(self.start), QSignalBlocker(self.length):
            self.start.setValue(start_s * 1e3)
            self.length.setValue((stop_s - start_s) * 1e3)

    def mark_kind(self, wanted: str, model: str) -> None:
        """Underline the kind a model looks at, and say so."""
        for kind, button in self.kinds.items():
            spec, own = KINDS[kind], kind == wanted
            font = button.font()
            font.setUnderline(own)
            button.setFont(font)
            button.setToolTip(f"{spec.tip}\n{model} looks at this kind of window." if own else spec.tip)


class _TimeBox(QDoubleSpinBox):
    """As wide as a time needs in the font there is: napari's can be changed while the dock is open."""

    def sizeHint(self) -> QSize:
        """Room for a hundred seconds."""
        return QSize(self.fontMetrics().horizontalAdvance("00000.00 ms") + 14, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """No less."""
        return self.sizeHint()


def _spin(tip: str) -> QDoubleSpinBox:
    spin = _TimeBox()
    spin.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    spin.setDecimals(2)
    spin.setRange(0.0, 1e7)
    spin.setSingleStep(STEP_S * 1e3)
    spin.setSuffix(" ms")
    spin.setKeyboardTracking(False)
    spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    spin.setToolTip(tip)
    return spin


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setMinimumSize(max(24, button.sizeHint().width()), 24)
    return button
