"""Every key of the rig's docks, defined once: what binds them and what shows them both read this page.

A key of :data:`RIG_KEYS` works in each rig dock and on the canvas while one of them is open; those of
:data:`TRACE_KEYS` and :data:`WINDOW_KEYS` need the traces and work in the Recording dock.
"""

from __future__ import annotations

from typing import Any

from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from . import repair_keys

__all__ = [
    "MAP_KEYS",
    "MOUSE",
    "RIG_KEYS",
    "TRACE_KEYS",
    "WINDOW_KEYS",
    "CanvasBinding",
    "bind_keys",
    "canvas_name",
    "key_groups",
    "lines_of",
]

Keys = tuple[tuple[str, str, str], ...]
"""Qt's name of the key, what it does, the method it calls."""

RIG_KEYS: Keys = (
    ("PgDown", "next sweep", "next_sweep"),
    ("PgUp", "previous sweep", "previous_sweep"),
    ("W", "next suggested window", "next_window"),
    ("Shift+W", "suggested window before", "previous_window"),
    ("P", "predict", "predict"),
    ("A", "accept: put the cell into the table", "accept"),
    ("Ctrl+PgDown", "next recording", "next_recording"),
    ("Ctrl+PgUp", "previous recording", "previous_recording"),
    ("Shift+L", "predict by itself (live), or only on request", "toggle_live"),
    ("Shift+P", "pause or resume watching the folder", "toggle_watch"),
    ("Ctrl+Z", "undo", "undo"),
    ("Ctrl+Shift+Z", "redo", "redo"),
    ("Shift+S", "save the session of this recording", "save"),
    ("F1", "show or hide the keys", "toggle_help"),
    ("?", "show or hide the keys", "toggle_help"),
)
TRACE_KEYS: Keys = (
    ("Left", "move left", "_on_key_left"),
    ("Right", "move right", "_on_key_right"),
    ("+", "zoom in", "_on_key_zoom_in"),
    ("-", "zoom out", "_on_key_zoom_out"),
    ("Home", "whole sweep", "_on_key_home"),
    ("Y", "fit values", "_on_key_fit"),
    ("M", "mark the spikes, or not", "_on_key_marks"),
)
WINDOW_KEYS: Keys = (
    ("Shift+Right", "window 0.1 ms later", "_on_key_later"),
    ("Shift+Left", "window 0.1 ms earlier", "_on_key_earlier"),
    ("Shift+Up", "window 0.1 ms longer", "_on_key_longer"),
    ("Shift+Down", "window 0.1 ms shorter", "_on_key_shorter"),
    ("S", "snap to the spike", "_on_key_spike"),
    ("O", "snap to the stimulus onset", "_on_key_onset"),
    ("Z", "zoom to the window", "_on_key_zoom"),
)
MAP_KEYS: Keys = (
    ("L", "draw around cells, or stop drawing", "_on_key_lasso"),
    ("Home", "whole map", "_on_key_home"),
    ("Esc", "select nothing", "_on_key_clear"),
)
MOUSE = (
    ("drag", "move"),
    ("wheel", "zoom time"),
    ("Shift+wheel", "zoom values"),
    ("Ctrl+click, Shift+click on rows", "overlay sweeps"),
)
_ON_CANVAS = {"PgDown": "PageDown", "PgUp": "PageUp", "Ctrl": "Control"}
_NOT_ON_CANVAS = {"?"}


def bind_keys(dock: QWidget, keys: Keys, target: Any) -> None:
    """Let keys work while a dock has the focus; they go with it."""
    for key, _, method in keys:
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(getattr(target, method))


def lines_of(*groups: Keys) -> list[str]:
    """A line for each key."""
    return [f"{key}: {what}" for keys in groups for key, what, _ in keys]


def key_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Heading, and keys with what they do; keys that do the same stand together."""
    repair: Keys = tuple((key, what, method) for key, _, what, method in repair_keys.KEYS)
    return [
        ("Everywhere at the rig", _joined(RIG_KEYS)),
        ("Recording: the traces", _joined(TRACE_KEYS)),
        ("Recording: the window", _joined(WINDOW_KEYS)),
        ("Recording: the mouse", list(MOUSE)),
        ("Map", _joined(MAP_KEYS)),
        ("Repair reconstruction", _joined(repair)),
    ]


def _joined(keys: Keys) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for key, what, _ in keys:
        found.setdefault(what, []).append(key)
    return [(" or ".join(names), what) for what, names in found.items()]


def canvas_name(key: str) -> str:
    """Napari's name of a key."""
    return "-".join(_ON_CANVAS.get(part, part) for part in key.split("+"))


class CanvasBinding:
    """The rig's keys while the canvas has the focus; keys that somebody has bound already stay theirs.

    Parameters
    ----------
    viewer
        Whose canvas.
    target
        Has the methods.
    """

    def __init__(self, viewer: Any, target: Any) -> None:
        self._viewer = viewer
        self._target = target
        self._held: list[tuple[Any, _Press]] = []

    def hold(self) -> None:
        """Bind the keys that are free."""
        for key, what, method in RIG_KEYS:
            if key in _NOT_ON_CANVAS:
                continue
            binding = coerce_keybinding(canvas_name(key))
            if _is_free(self._viewer.keymap.get(binding)):
                action = _Press(self._target, method, what)
                self._viewer.bind_key(canvas_name(key), action, overwrite=True)
                self._held.append((binding, action))

    def release(self) -> None:
        """Unbind them."""
        for binding, action in self._held:
            action.let_go()
            if self._viewer.keymap.get(binding) is action:
                del self._viewer.keymap[binding]
        self._held.clear()


def _is_free(bound: Any) -> bool:
    """Whether nobody uses a key: nobody has bound it, or somebody has put back what we let go meanwhile."""
    return bound is None or (isinstance(bound, _Press) and not bound.is_held)


class _Press:
    """A key handler that does nothing any more once it is let go, whoever may have kept it meanwhile."""

    def __init__(self, target: Any, method: str, what: str) -> None:
        self._target: Any = target
        self._method = method
        self.__name__ = method
        self.__doc__ = what

    @property
    def is_held(self) -> bool:
        return self._target is not None

    def let_go(self) -> None:
        self._target = None

    def __call__(self, _: Any = None) -> None:
        if self._target is not None:
            getattr(self._target, self._method)()
