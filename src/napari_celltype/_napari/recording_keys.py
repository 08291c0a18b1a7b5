"""Keys of the Recording dock, and the words for its help; the keys themselves are defined with those of all docks."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from . import rig_keys
from .recording_panels import MOUSE_HELP
from .rig_keys import RIG_KEYS, WINDOW_KEYS
from .rig_keys import TRACE_KEYS as KEYS

__all__ = ["KEYS", "bind_keys", "help_text"]


def bind_keys(dock: QWidget) -> None:
    """Let the keys of the traces work while the dock has the focus."""
    rig_keys.bind_keys(dock, KEYS, dock)


def help_text() -> str:
    """Keys and mouse in a few lines."""
    return "\n".join([*rig_keys.lines_of(RIG_KEYS, KEYS, WINDOW_KEYS), MOUSE_HELP])
