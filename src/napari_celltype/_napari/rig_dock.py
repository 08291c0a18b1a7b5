"""What the rig's docks have in common: their keys, and that nothing is lost when the window closes."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow

from .dock import Dock
from .rig_actions import actions_of
from .rig_keys import RIG_KEYS, bind_keys
from .session_guard import guard_window

__all__ = ["RigDock"]


class RigDock(Dock):
    """Base of the docks used at the rig: the keys of :data:`rig_keys.RIG_KEYS` work in each and on the canvas."""

    #: Whether the dock, at the right, takes the whole height: one at the bottom ends left of it then.
    takes_height = False

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.actions_of_rig = actions_of(self.session)
        bind_keys(self, RIG_KEYS, self.actions_of_rig)
        self.actions_of_rig.join(self)

    def _watch_window(self) -> None:
        super()._watch_window()
        dock = self.parent()
        window = dock.parent() if isinstance(dock, QDockWidget) else None
        if isinstance(window, QMainWindow):
            guard_window(self.session, window)

    def _settle(self) -> None:
        super()._settle()
        window = self.window()
        if self.takes_height and isinstance(window, QMainWindow):
            window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)

    def _end(self) -> None:
        if not self._torn_down:
            self.actions_of_rig.leave(self)
        super()._end()
