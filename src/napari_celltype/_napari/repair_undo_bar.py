"""Undo, redo, and which keys there are."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QToolTip, QWidget

from .repair_keys import help_text

__all__ = ["UndoBar"]


class UndoBar(QWidget):
    """Three small buttons; ``desk`` undoes and redoes."""

    def __init__(self, desk: Any) -> None:
        super().__init__(desk)
        self._desk = desk
        bar = QHBoxLayout(self)
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(4)
        self.undo_button = self._button("↶", desk.undo)
        self.redo_button = self._button("↷", desk.redo)
        self.help_button = self._button("?", self._on_help_clicked)
        self.help_button.setToolTip(help_text())
        for button in (self.undo_button, self.redo_button, self.help_button):
            bar.addWidget(button)

    def _button(self, text: str, slot: Any) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setFixedSize(26, 24)
        button.clicked.connect(slot)
        return button

    def refresh(self) -> None:
        """Say what undo and redo would do."""
        repair = self._desk.repair
        for button, verb, key, label in (
            (self.undo_button, "Undo", "Ctrl+Z", repair.undo_label if repair else ""),
            (self.redo_button, "Redo", "Ctrl+Shift+Z", repair.redo_label if repair else ""),
        ):
            button.setEnabled(bool(label))
            button.setToolTip(f"{verb}: {label} ({key})" if label else f"Nothing to {verb.lower()}")

    def _on_help_clicked(self) -> None:
        QToolTip.showText(QCursor.pos(), help_text(), self.help_button)
