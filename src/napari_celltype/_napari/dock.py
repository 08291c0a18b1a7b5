"""What all docks have in common: the session, the theme, tearing down however they are closed."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from .plots.theme import PlotTheme, theme_of
from .session import PLUGIN, Session, session_of

__all__ = ["Dock"]

_HIGH_ENOUGH = 1000
"""Pixels of window height from which docks at a side may stand below each other."""


class Dock(QWidget):
    """Base of the docks.

    A subclass implements ``apply_theme`` and ``tear_down``. The latter is called once, whichever way the dock
    goes: closing it with X, closing the window, or deleting it (napari sends no close event for the first).
    """

    #: Name in the Plugins menu and on the title bar.
    title = ""
    #: Height or width in pixels to begin with, by its area.
    first_size = 0
    #: Where the dock opens for the first time; wherever the user moves it, napari remembers.
    first_area = "right"

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.session: Session = session_of(viewer)
        self._torn_down = False
        self._was_docked = False
        self._was_shown = False
        self._window_size = self._read_window_size()
        _place_first(f"{self.title} ({PLUGIN})", self.first_area)
        self.session.viewer.events.theme.connect(self._on_viewer_theme)

    @property
    def theme(self) -> PlotTheme:
        """Plot colours for the viewer's theme."""
        return theme_of(self.session.viewer)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""

    def tear_down(self) -> None:
        """Stop jobs and disconnect from everything that outlives the dock."""

    def _on_viewer_theme(self) -> None:
        if not self._torn_down:
            self.apply_theme(self.theme)

    def event(self, event: QEvent) -> bool:
        """Notice when the dock is closed."""
        if event.type() == QEvent.Type.ParentChange:
            # without a parent again: napari's X button has taken the widget out of its dock
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self._end()
        elif event.type() == QEvent.Type.Show and not self._was_shown:
            self._was_shown = True
            self._watch_window()
            self._settle()
        elif event.type() in {QEvent.Type.Close, QEvent.Type.DeferredDelete}:
            self._end()
        return bool(super().event(event))

    def _watch_window(self) -> None:
        """Hear of the window's end, of which its docks are told nothing before they are deleted."""
        dock = self.parent()
        window = dock.parent() if isinstance(dock, QDockWidget) else None
        if isinstance(window, QMainWindow):
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """End with the window; a close the user asked for may still be refused, so that its deletion counts."""
        if isinstance(watched, QMainWindow) and (
            event.type() == QEvent.Type.DeferredDelete
            or (event.type() == QEvent.Type.Close and not event.spontaneous())
        ):
            self._end()
        return bool(super().eventFilter(watched, event))

    def _settle(self) -> None:
        """Take a useful size, and leave the layer list its height: a dock at the bottom begins right of it."""
        dock, window = self.parent(), self.window()
        if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow) or not self.first_size:
            return
        area = window.dockWidgetArea(dock)
        if area == Qt.DockWidgetArea.BottomDockWidgetArea:
            window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
            window.resizeDocks([dock], [min(self.first_size, window.height() // 2)], Qt.Orientation.Vertical)
            # below the layer list there was no room for it, and Qt has made the window higher than the user had it
            QTimer.singleShot(0, self._restore_window_size)
        elif area != Qt.DockWidgetArea.NoDockWidgetArea and not self._share_place(dock, window, area):
            window.resizeDocks([dock], [min(2 * self.first_size, window.width() // 2)], Qt.Orientation.Horizontal)

    def _share_place(self, dock: QDockWidget, window: QMainWindow, area: Any) -> bool:
        """In a low window, stand behind tabs with our other docks of this side: stacked, each would be too low to read.

        Whoever drags one out of the tabs has them side by side.
        """
        if window.height() >= _HIGH_ENOUGH:
            return False
        others = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not dock
            and other.objectName().endswith(f"({PLUGIN})")
            and other.isVisible()
            and not other.isFloating()
            and window.dockWidgetArea(other) == area
        ]
        if not others or dock in window.tabifiedDockWidgets(others[-1]):
            return bool(others)
        window.tabifyDockWidget(others[-1], dock)
        QTimer.singleShot(0, dock.raise_)
        return True

    def _read_window_size(self) -> tuple[int, int] | None:
        window = getattr(self.session.viewer, "window", None)
        return None if window is None else (window.geometry()[2], window.geometry()[3])

    def _restore_window_size(self) -> None:
        size = self._window_size
        if size is not None and not self._torn_down and not self.window().isMaximized():
            self.session.viewer.window.resize(*size)

    def _end(self) -> None:
        if self._torn_down:
            return
        self._torn_down = True
        if self.session.has_viewer:
            self.session.viewer.events.theme.disconnect(self._on_viewer_theme)
        self.tear_down()


def _place_first(name: str, area: str) -> None:
    positions = get_settings().application.plugin_widget_positions
    if name not in positions:
        positions[name] = area
