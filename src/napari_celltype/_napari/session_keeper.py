"""Keeps what is done with recordings: finds what was saved, saves on request or by itself, and loses nothing."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.session_file import (
    TABLE_NAME,
    LoadedState,
    Saved,
    load_state,
    load_table,
    own_place,
    place_beside,
)
from napari_celltype.workbench.session_state import RecordingState, has_changed, put_back, state_of
from napari_celltype.workbench.session_table import CellRow

from .celltype_control import control_of
from .jobs import LatestJob
from .session import Session
from .session_tasks import Done, NoFile, Refusal, Task, find_steps, save_steps

__all__ = ["SessionKeeper", "keeper_of"]

_AUTOSAVE_MS = 2000

_keepers: weakref.WeakKeyDictionary[Session, SessionKeeper] = weakref.WeakKeyDictionary()


def keeper_of(session: Session) -> SessionKeeper:
    """The keeper of a session; from its first use on, saved windows and answers come back with their recordings."""
    if session not in _keepers:
        _keepers[session] = SessionKeeper(session)
    return _keepers[session]


class SessionKeeper:
    """What is saved of a session, and what is not."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self.document = session.document
        self.control = control_of(session)
        self.cells = self.control.cells
        self.autosave = False
        self.notice = ""
        self.refusal: Refusal | None = None
        self._known: dict[str, RecordingState] = {}
        self._saved: dict[str, Saved] = {}
        self._tables: dict[Path, Saved] = {}
        self._held: dict[str, LoadedState] = {}
        self._asked: set[str] = set()
        self._without_file: set[str] = set()
        self._latest: dict[str, RecordingState] = {}
        self._paths: dict[str, Path] = {}
        self._queue: list[Task] = []
        self._finding = LatestJob(self._on_found, on_busy=self._on_finding_busy, on_failed=self._say)
        self._saving = LatestJob(self._on_saving_step, on_busy=self._on_saving_busy, on_failed=self._say)
        self._wanted: list[str] = []
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AUTOSAVE_MS)
        self._timer.timeout.connect(self.save_all)
        self._connect()
        self._on_item_changed("")

    def _connect(self) -> None:
        document = self.document
        document.current_recording_changed.connect(self._on_current_changed)
        document.changed.connect(self._on_item_changed)
        document.closed.connect(self._on_item_closed)
        document.chosen.connect(self._on_chosen)
        document.history.changed.connect(self._on_work)
        self.cells.table.changed.connect(self._on_work)

    # what is known ----------------------------------------------------------------------------------------------

    def path_of(self, item_id: str | None) -> Path | None:
        """The file of a recording that has been read; None for samples, which have none."""
        recording = self.cells.recording(item_id)
        return None if recording is None or item_id in self._without_file else recording.path

    def is_unsaved(self, item_id: str | None) -> bool:
        """Whether something was done with a recording that is in no file."""
        if item_id is None or self.path_of(item_id) is None:
            return False
        return has_changed(self._known.get(item_id), state_of(self.cells, item_id))

    @property
    def unsaved(self) -> list[str]:
        """Items with something to lose."""
        found = [item.id for item in self.document.recordings if self.is_unsaved(item.id)]
        for item_id in found:
            path = self.path_of(item_id)
            if path is not None:
                self._paths[item_id] = path
        return found

    def saved_to(self, item_id: str | None) -> Path | None:
        """Where a recording's session file is, if it has one."""
        saved = self._saved.get(item_id or "")
        return None if saved is None else saved.path

    def held(self, item_id: str | None) -> LoadedState | None:
        """What was saved for a recording but is not put back by itself."""
        return self._held.get(item_id or "")

    # finding what was saved -------------------------------------------------------------------------------------

    def _on_current_changed(self, item_id: str | None) -> None:
        self._find(item_id)
        self.notice = "" if self.refusal is None else self.notice
        self.changed.emit()

    def _on_item_changed(self, _: str) -> None:
        current = self.document.current_recording
        self._find(None if current is None else current.id)

    def _find(self, item_id: str | None) -> None:
        if item_id is None or item_id in self._asked or self.path_of(item_id) is None:
            return
        self._asked.add(item_id)
        self._wanted.append(item_id)
        self._find_next()

    def _find_next(self) -> None:
        if self._wanted and not self._finding.is_busy:
            path = self.path_of(self._wanted[0])
            if path is None:
                self._wanted.pop(0)
                self._find_next()
            else:
                self._finding.start(find_steps, path)

    def _on_finding_busy(self, busy: bool) -> None:
        if not busy and self._wanted:
            self._wanted.pop(0)
            self._find_next()

    def _on_found(self, found: LoadedState | NoFile | None) -> None:
        if isinstance(found, NoFile) and self._wanted:
            self._without_file.add(self._wanted[0])
            self.changed.emit()
        elif isinstance(found, LoadedState) and self._wanted:
            self.offer(self._wanted[0], found)

    def offer(self, item_id: str, loaded: LoadedState) -> None:
        """Put back what was saved, if it is about this recording and nothing was done with it yet; else hold it."""
        if item_id not in self.document:
            return
        name = self.document[item_id].name
        if loaded.changed:
            self._held[item_id] = loaded
            self._say(f"{name} has changed since its session was saved: {loaded.changed}. Nothing was put back.")
        elif self.is_unsaved(item_id):
            self._held[item_id] = loaded
            self._say(f"A session of {name} is saved already. “Load” puts it in the place of what you have done.")
        else:
            self.restore(item_id, loaded)

    def restore(self, item_id: str, loaded: LoadedState) -> None:
        """Put back windows, answers and history."""
        self._held.pop(item_id, None)
        put_back(self.cells, item_id, loaded.state)
        if item_id == self.control.item_id and loaded.state.call.verdict is not None:
            self.control.cancel()  # what was answered then need not be asked again
        self._known[item_id] = state_of(self.cells, item_id)
        self._saved[item_id] = loaded.saved
        steps = len(loaded.state.done) + len(loaded.state.undone)
        undo = f", {steps} step{'s' if steps != 1 else ''} of undo" if steps else ""
        self._say(f"Window and prediction are back as saved {_when(loaded.saved_at)}{undo}.")

    def load(self, item_id: str, path: Path) -> None:
        """Put back what is in this file, whatever was done since."""
        recording = self.path_of(item_id)
        if recording is None:
            return
        try:
            loaded = load_state(path, recording)
        except CelltypeError as error:
            self._say(str(error))
            return
        self.restore(item_id, loaded)
        if loaded.changed:
            self._say(f"Loaded, although {self.document[item_id].name} has changed: {loaded.changed}.")

    # saving -----------------------------------------------------------------------------------------------------

    def save(self, item_id: str, path: Path | None = None, *, overwrite: bool = False) -> None:
        """Save what was done with a recording, beside it unless it is kept elsewhere."""
        recording = self.path_of(item_id)
        if recording is None:
            self._say("This recording has no file, so there is nothing to save a session beside.")
            return
        path = path or self.saved_to(item_id) or place_beside(recording)
        state = state_of(self.cells, item_id)
        self._enqueue(Task(item_id, path, recording, state, self._saved.get(item_id), overwrite))

    def save_all(self) -> None:
        """Save every recording with something to lose."""
        self._timer.stop()
        for item_id in self.unsaved:
            self.save(item_id)

    def save_cells(self, path: Path | None = None, *, overwrite: bool = False) -> None:
        """Save the table of the session into the folder the recordings are in."""
        folder = self.folder
        if folder is None or not len(self.cells.table):
            self._say("No cell is accepted yet, so there is no table to save.")
            return
        path = path or folder / TABLE_NAME
        self._enqueue(Task("", path, None, self.cells.table.rows, self._tables.get(path), overwrite))

    def load_cells(self, path: Path) -> None:
        """Add the cells of a saved table to those of this session."""
        try:
            rows, saved = load_table(path)
        except CelltypeError as error:
            self._say(str(error))
            return
        self._tables[path] = saved
        for row in rows:
            self._add(row)
        self._say(f"{len(rows)} cell{'s' if len(rows) != 1 else ''} loaded from {path.name}.")

    def _add(self, row: CellRow) -> None:
        """A row with an item to go to; a recording that is open already keeps the row it has."""
        known = next((item for item in self.document.recordings if row.path and item.path == Path(row.path)), None)
        item = known or self.listing(row)
        if self.cells.table.row(item.id) is None:
            self.cells.table.accept(item.id, row)

    def listing(self, row: CellRow) -> Any:
        """An item for the recording of a row, read when it is shown."""
        from napari_celltype.workbench import Item

        item = Item.listing(Path(row.path or row.cell))
        self.document.add(item, show=False)
        return item

    @property
    def folder(self) -> Path | None:
        """Where the recordings of the table are: the folder of the last one with a file."""
        paths = [Path(row.path) for row in self.cells.table.rows if row.path]
        return paths[-1].parent if paths else None

    def replace_refused(self) -> None:
        """Write what was refused over what is there."""
        if self.refusal is not None:
            task = self.refusal.task
            self._enqueue(Task(task.item_id, task.path, task.recording, task.content, None, overwrite=True))

    def save_refused_elsewhere(self, path: Path | None = None) -> None:
        """Write what was refused to another place; by default into the program's own folder."""
        if self.refusal is None:
            return
        task = self.refusal.task
        place = path or own_place(task.recording or task.path)
        # the dialog has asked about a file that is there, and the own folder is the program's
        self._enqueue(Task(task.item_id, place, task.recording, task.content, None, overwrite=True))

    def _enqueue(self, task: Task) -> None:
        self._queue = [other for other in self._queue if other.path != task.path] + [task]
        self._save_next()

    def _save_next(self) -> None:
        if self._queue and not self._saving.is_busy:
            task = self._queue.pop(0)
            # one saved a moment ago is the one before
            before = self._saved.get(task.item_id) if task.item_id else self._tables.get(task.path)
            self._saving.start(save_steps, task, task.before if before is None else before)

    def _on_saving_busy(self, busy: bool) -> None:
        if not busy:
            self._save_next()

    @property
    def is_saving(self) -> bool:
        """Whether something is being written."""
        return self._saving.is_busy or bool(self._queue)

    def _on_saving_step(self, step: Done | Refusal) -> None:
        if isinstance(step, Refusal):
            self.refusal = step
            self._say(step.reason)
            return
        task = step.task
        if task.item_id and task.item_id not in self.document:
            name = task.path.name if task.recording is None else task.recording.name
            self._say(f"What you did with {name} is kept until it is opened again.")
            return
        if task.item_id:
            self._known[task.item_id] = task.content
            self._saved[task.item_id] = step.saved
        else:
            self._tables[task.path] = step.saved
        self.refusal = None
        self._say(f"Saved {step.saved.path.name} in {step.saved.path.parent}.")

    def rescue(self) -> None:
        """Put what would be lost into the program's own folder, at once and without asking."""
        self._save_now({item_id: state_of(self.cells, item_id) for item_id in self.unsaved}, own_place)

    def save_at_once(self) -> bool:
        """Save every recording with something to lose before anything else happens; whether that went well."""
        states = {item_id: state_of(self.cells, item_id) for item_id in self.unsaved}
        self._save_now(states, None)
        return not self.unsaved

    def _save_now(self, states: dict[str, RecordingState], place: Callable[[Path], Path] | None) -> None:
        for item_id, state in states.items():
            recording = self._paths[item_id]
            path = place(recording) if place else self.saved_to(item_id) or place_beside(recording)
            task = Task(item_id, path, recording, state, self._saved.get(item_id), overwrite=place is not None)
            for step in save_steps(task, task.before):
                self._on_saving_step(step)

    # the session changes ------------------------------------------------------------------------------------------

    def _on_chosen(self, _: str, __: str) -> None:
        self._on_work()

    def _on_work(self) -> None:
        self._remember()
        if self.autosave:
            self._timer.start()
        self.changed.emit()

    def keep_by_itself(self, on: bool) -> None:
        """Save a moment after each step, or only on request."""
        self.autosave = on
        self._timer.stop()
        if on and self.unsaved:
            self._timer.start()

    def _remember(self) -> None:
        """What was done with the current recording: once it is closed, the document has forgotten it."""
        item_id = self.control.item_id
        path = self.path_of(item_id)
        if item_id is not None and path is not None:
            self._paths[item_id] = path
            self._latest[item_id] = state_of(self.cells, item_id)

    def _on_item_closed(self, item_id: str) -> None:
        """Somebody has removed its layers, say: what was done with it is kept all the same."""
        latest, known = self._latest.pop(item_id, None), self._known.get(item_id)
        path = self._paths.get(item_id)
        if latest is not None and path is not None and has_changed(known, latest):
            self._enqueue(Task(item_id, own_place(path), path, latest, None, overwrite=True))
        self._asked.discard(item_id)
        for kept in (self._known, self._saved, self._held, self._paths):
            kept.pop(item_id, None)

    def _say(self, sentence: str) -> None:
        self.notice = sentence
        self.changed.emit()


def _when(saved_at: str) -> str:
    return saved_at[:16].replace("T", " ") if saved_at else "before"
