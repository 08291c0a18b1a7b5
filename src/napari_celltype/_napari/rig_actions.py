"""What the rig's keys do: each acts on the current recording, wherever the focus is."""

from __future__ import annotations

import weakref

from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent

from .celltype_control import CellTypeControl, control_of
from .rig_keys import CanvasBinding
from .session import PLUGIN, Session

__all__ = ["KEYS_DOCK", "RigActions", "actions_of"]

KEYS_DOCK = "Keys"

_actions: weakref.WeakKeyDictionary[Session, RigActions] = weakref.WeakKeyDictionary()


def actions_of(session: Session) -> RigActions:
    """The actions of a session."""
    if session not in _actions:
        _actions[session] = RigActions(session)
    return _actions[session]


class RigActions:
    """The methods named in :data:`rig_keys.RIG_KEYS`, bound on the canvas while a rig dock is open."""

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self.control: CellTypeControl = control_of(session)
        self.document = session.document
        self._canvas = CanvasBinding(session.viewer, self)
        self._users: list[object] = []

    @property
    def session(self) -> Session:
        """The session, which outlives every dock."""
        session = self._session()
        assert session is not None
        return session

    def join(self, user: object) -> None:
        """A rig dock is open."""
        if not self._users:
            self._canvas.hold()
        self._users.append(user)

    def leave(self, user: object) -> None:
        """It is closed; with the last one the canvas gets its keys back."""
        self._users = [other for other in self._users if other is not user]
        if not self._users and self.session.has_viewer:
            self._canvas.release()

    def _say(self, sentence: str) -> None:
        self.session.viewer.status = sentence

    # sweeps, windows, files ------------------------------------------------------------------------------------------

    def _step_sweep(self, by: int) -> None:
        item_id = self.control.item_id
        shown = () if item_id is None else self.document.selected_sweeps(item_id)
        recording = self.control.cells.recording(item_id)
        if item_id is None or recording is None or not shown:
            return
        at = (max(shown) if by > 0 else min(shown)) + by
        self.document.select_sweeps(item_id, [min(max(at, 0), len(recording.sweeps) - 1)])

    def next_sweep(self) -> None:
        """Show the next sweep alone."""
        self._step_sweep(1)

    def previous_sweep(self) -> None:
        """Show the sweep before alone."""
        self._step_sweep(-1)

    def next_window(self) -> None:
        """Take the next suggested window."""
        self.control.attempt(self.control.cells.step_suggested, 1)

    def previous_window(self) -> None:
        """Take the suggested window before."""
        self.control.attempt(self.control.cells.step_suggested, -1)

    def next_recording(self) -> None:
        """Show the next recording of the list."""
        self.control.step_recording(1)

    def previous_recording(self) -> None:
        """Show the recording before in the list."""
        self.control.step_recording(-1)

    # answers ----------------------------------------------------------------------------------------------------------

    def predict(self) -> None:
        """Ask anew."""
        self.control.attempt(self._predict)

    def _predict(self, _: str) -> None:
        self.control.ask()

    def accept(self) -> None:
        """Put the cell into the table, and say so."""
        self.control.attempt(self._accept)

    def _accept(self, item_id: str) -> None:
        self.control.cells.accept(item_id)
        row = self.control.cells.table.row(item_id)
        if row is not None:
            self._say(f"Accepted {row.cell}: {spoken(row.label)}, {percent(row.confidence)}.")

    def toggle_live(self) -> None:
        """Predict by itself, or only on request."""
        live = not self.control.cells.live
        self.control.set_live(live)
        self._say("Live prediction is on." if live else "Live prediction is off: press P to predict.")

    def undo(self) -> None:
        """Take back the newest choice."""
        edit = self.document.history.undo(self.control.item_id or "")
        self._say("Nothing to undo." if edit is None else f"Undone: {edit.label}.")

    def redo(self) -> None:
        """Make the choice taken back last again."""
        edit = self.document.history.redo(self.control.item_id or "")
        self._say("Nothing to redo." if edit is None else f"Done again: {edit.label}.")

    # watch, session, help ---------------------------------------------------------------------------------------------

    def toggle_watch(self) -> None:
        """Pause or resume the watch of the folder."""
        from .watch_control import watch_control_of

        watch = watch_control_of(self.session).watch
        if watch is None:
            self._say("No folder is watched. Choose one in the dock Watch folder.")
            return
        watch.pause(not watch.paused)
        self._say("The watch is paused." if watch.paused else "Watching goes on.")

    def save(self) -> None:
        """Save the session of the current recording."""
        from .session_keeper import keeper_of

        self.control.attempt(keeper_of(self.session).save)

    def toggle_help(self) -> None:
        """Open the dock with the keys, or close it."""
        from .keys_dock import KeysDock

        window = getattr(self.session.viewer, "window", None)
        if window is None:
            return
        dock = next((dock for dock in window.dock_widgets.values() if isinstance(dock, KeysDock)), None)
        if dock is None:
            window.add_plugin_dock_widget(PLUGIN, KEYS_DOCK)
        else:
            window.remove_dock_widget(dock)
