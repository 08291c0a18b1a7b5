"""A line that says what is doubtful about what is shown; a click shows all of it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontMetrics, QMouseEvent, QResizeEvent
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from .plots.theme import PlotTheme

__all__ = ["ProblemBanner"]

_SHOWN_AT_MOST = 12


class ProblemBanner(QFrame):
    """Hidden while there is nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.problems: tuple[str, ...] = ()
        self._open = False
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        # its text must not dictate how wide the dock is
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 2, 8, 2)
        layout.addWidget(self.label)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.hide()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Text in the theme's warning colour, on the theme's own ground."""
        self.setStyleSheet(
            f"ProblemBanner {{ border: 1px solid {theme.warning}; border-radius: 3px; }}"
            f"QLabel {{ color: {theme.warning}; background: transparent; }}"
        )

    def show_problems(self, problems: Sequence[str]) -> None:
        """Say these sentences, or hide if there are none."""
        self.problems = tuple(problems)
        self._open = False
        self.setVisible(bool(self.problems))
        self.setToolTip("\n".join(f"• {text}" for text in self.problems[:_SHOWN_AT_MOST]))
        self._write()

    def _write(self) -> None:
        if not self.problems:
            return
        self.label.setWordWrap(self._open)
        self.label.setText(self._all_text() if self._open else self._one_line())

    def _one_line(self) -> str:
        more = f"  (and {len(self.problems) - 1} more: click)" if len(self.problems) > 1 else ""
        metrics = QFontMetrics(self.label.font())
        room = max(120, self.width() - 24 - metrics.horizontalAdvance(f"⚠ {more}"))
        return f"⚠ {metrics.elidedText(self.problems[0], Qt.TextElideMode.ElideRight, room)}{more}"

    def _all_text(self) -> str:
        shown = [f"⚠ {text}" for text in self.problems[:_SHOWN_AT_MOST]]
        left = len(self.problems) - len(shown)
        return "\n".join([*shown, *([f"… and {left} more"] if left else [])])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show all of it, or one line again."""
        self._open = not self._open
        self._write()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the line to the new width."""
        super().resizeEvent(event)
        self._write()
