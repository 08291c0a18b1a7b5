"""Keys of the Recording dock, and the words for its help."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from .celltype_window import WINDOW_KEYS
from .recording_panels import MOUSE_HELP

__all__ = ["KEYS", "bind_keys", "help_text"]

KEYS: tuple[tuple[str, str, str], ...] = (
    ("PgDown", "next sweep", "_on_key_next"),
    ("PgUp", "previous sweep", "_on_key_previous"),
    ("Left", "move left", "_on_key_left"),
    ("Right", "move right", "_on_key_right"),
    ("+", "zoom in", "_on_key_zoom_in"),
    ("-", "zoom out", "_on_key_zoom_out"),
    ("Home", "whole sweep", "_on_key_home"),
    ("Y", "fit values", "_on_key_fit"),
    ("M", "mark the spikes, or not", "_on_key_marks"),
)
"""Key, what it does, and the slot of the dock."""


def bind_keys(dock: QWidget) -> None:
    """Let the keys work while the dock has the focus."""
    for key, _, slot in KEYS:
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        bound: Any = getattr(dock, slot)
        shortcut.activated.connect(bound)


def help_text() -> str:
    """Keys and mouse in a few lines."""
    return "\n".join([*(f"{key}: {what}" for key, what, _ in (*KEYS, *WINDOW_KEYS)), MOUSE_HELP])
