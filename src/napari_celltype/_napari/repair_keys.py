"""Keys of the repair dock: in the dock itself, and in the canvas while the dock is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

__all__ = ["KEYS", "CanvasKeys", "bind_in_dock", "help_text"]

#: Qt's name, napari's name, what it does, the dock's method.
KEYS: tuple[tuple[str, str, str, str], ...] = (
    ("A", "A", "accept", "accept"),
    ("R", "R", "refuse", "refuse"),
    ("U", "U", "reopen", "reopen"),
    ("Shift+A", "Shift-A", "accept all down to here", "accept_above"),
    ("1", "1", "align", "mode_align"),
    ("2", "2", "split", "mode_split"),
    ("3", "3", "tilt", "mode_tilt"),
    ("4", "4", "cut", "mode_cut"),
    ("J", "J", "next jump", "next_jump"),
    ("K", "K", "previous jump", "previous_jump"),
    ("F", "F", "fly to it again", "fly_again"),
    ("Ctrl+Z", "Control-Z", "undo", "undo"),
    ("Ctrl+Shift+Z", "Control-Shift-Z", "redo", "redo"),
    ("Shift+S", "Shift-S", "save", "save"),
    ("Shift+N", "Shift-N", "next file", "next_file"),
)
_ALWAYS = {"undo", "redo", "save", "next_file"}


def help_text() -> str:
    """Every key in a line of its own."""
    return "\n".join(f"{qt}: {what}" for qt, _, what, _ in KEYS)


def bind_in_dock(dock: QWidget) -> None:
    """Let the keys work while the dock has the focus; they go with it."""
    for key, _, _, method in KEYS:
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(getattr(dock, method))


class CanvasKeys:
    """The same keys while the canvas has the focus; what was bound before comes back on :meth:`release`.

    Parameters
    ----------
    viewer
        Whose canvas.
    dock
        Has the methods.
    """

    def __init__(self, viewer: Any, dock: Any) -> None:
        self._viewer = viewer
        self._dock = dock
        self._before: list[tuple[Any, Any, Any]] = []
        self._held: list[tuple[Any, Any, Callable[..., None]]] = []

    def hold(self, layers: list[Any], *, editing: bool = False) -> None:
        """Bind the keys on the viewer and on layers, whose own keys would go first.

        While nodes are being edited, the layer of nodes needs its keys for itself.
        """
        self.release()
        for target in (self._viewer, *layers):
            for _, key, _, method in KEYS:
                if method in _ALWAYS or not editing:
                    self._bind(target, key, method)

    def _bind(self, target: Any, key: str, method: str) -> None:
        binding = coerce_keybinding(key)
        self._before.append((target, binding, target.keymap.get(binding)))
        action = _Press(self._dock, method)
        self._held.append((target, binding, action))
        target.bind_key(key, action, overwrite=True)

    def release(self) -> None:
        """Put back what was bound before."""
        for (target, binding, before), (_, _, action) in zip(reversed(self._before), reversed(self._held), strict=True):
            if target.keymap.get(binding) is not action:
                continue  # somebody has bound it anew meanwhile
            if before is None:
                del target.keymap[binding]
            else:
                target.keymap[binding] = before
        self._before.clear()
        self._held.clear()


class _Press:
    """A key handler that holds no layer and no viewer."""

    def __init__(self, dock: Any, method: str) -> None:
        self._dock = dock
        self._method = method
        self.__name__ = method
        self.__doc__ = method

    def __call__(self, _: Any = None) -> None:
        getattr(self._dock, self._method)()
