"""One watch for each session: looks into the folder and judges new recordings in workers while its dock is open."""

from __future__ import annotations

import time
import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_celltype.errors import CelltypeError, RecordingError
from napari_celltype.recording import Recording
from napari_celltype.workbench import Item
from napari_celltype.workbench.classify import Progress
from napari_celltype.workbench.classify_models import Shelf
from napari_celltype.workbench.classify_values import ModelChoice
from napari_celltype.workbench.document import new_id
from napari_celltype.workbench.session_table import CellRow
from napari_celltype.workbench.watch import FolderWatch, Listing, WatchedFile, WatchOptions, list_folder
from napari_celltype.workbench.watch_judge import Judged, judge_file, said_of

from .celltype_control import control_of
from .jobs import LatestJob
from .session import Session

__all__ = ["WatchControl", "watch_control_of"]

_EVERY_MS = 1000
_SHARE_LOOKING = 5
"""A folder that takes long to list is looked into so many times less often than it could be."""

_controls: weakref.WeakKeyDictionary[Session, WatchControl] = weakref.WeakKeyDictionary()


def watch_control_of(session: Session) -> WatchControl:
    """The watch of a session."""
    if session not in _controls:
        _controls[session] = WatchControl(session)
    return _controls[session]


class WatchControl:
    """Moves what appears in a folder into the document, without showing it unless asked to."""

    changed = Signal()
    progressed = Signal(float, str)

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self.document = session.document
        self.control = control_of(session)
        self.cells = self.control.cells
        self.watch: FolderWatch | None = None
        self.options = WatchOptions()
        self.show_newest = False
        self._users: list[object] = []
        self._items: dict[tuple[Path, int], str] = {}
        self._rows: dict[str, CellRow | None] = {}
        self._file: WatchedFile | None = None
        self._looking = LatestJob(self._on_listed, on_failed=self._on_look_failed)
        self._judging = LatestJob(self._on_judging_step, on_busy=self._on_judging_busy, on_failed=self._on_failed)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.look)

    # who wants it -----------------------------------------------------------------------------------------------

    def join(self, user: object) -> None:
        """A dock is open that shows the files."""
        self._users.append(user)
        self.look()

    def leave(self, user: object) -> None:
        """It is closed; with the last one, watching rests until one is opened again."""
        self._users = [other for other in self._users if other is not user]
        if not self._users:
            self._rest()

    def _rest(self) -> None:
        self._timer.stop()
        self._looking.stop()
        if self.watch is not None and self._file is not None:
            self.watch.release(self._file)
        self._judging.stop()
        self._file = None

    @property
    def is_working(self) -> bool:
        """Whether a file is being judged."""
        return self._judging.is_busy

    # wishes -----------------------------------------------------------------------------------------------------

    def choose_folder(self, folder: Path) -> None:
        """Watch this folder instead of the one before."""
        self._rest()
        if self.watch is not None:
            self.watch.changed.disconnect(self._on_watch_changed)
        self._items.clear()
        self.watch = FolderWatch(folder, self.options)
        self.watch.changed.connect(self._on_watch_changed)
        self.changed.emit()
        self.look()

    def be_patient(self, options: WatchOptions) -> None:
        """Wait so long for files to be finished."""
        self.options = options
        if self.watch is not None:
            self.watch.options = options

    def open_file(self, file: WatchedFile) -> None:
        """Show a file's recording; one that was not read yet is read now."""
        item_id = self._item_of(file)
        if item_id is None:
            item = Item.listing(file.path)
            item_id = item.id
            self.document.add(item, show=False)
            self._items[file.path, file.version] = item_id
        self.document.make_current(item_id)

    def _item_of(self, file: WatchedFile) -> str | None:
        known = self._items.get((file.path, file.version))
        if known is not None and known in self.document:
            return known
        if file.version > 1:
            return None
        return next((item.id for item in self.document.recordings if item.path == file.path), None)

    def labels(self) -> dict[str, str]:
        """Class of each file that has one, by the name it is listed under."""
        calls = {name: self.cells.call(self._items.get((path, version))) for name, path, version in self._names()}
        return {name: call.verdict.label for name, call in calls.items() if call.verdict is not None}

    def _names(self) -> list[tuple[str, Path, int]]:
        files = [] if self.watch is None else self.watch.files
        return [(file.name, file.path, file.version) for file in files if file.state == "done"]

    # looking ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look into the folder now; the next look comes by itself."""
        if self.watch is not None and self._users and not self._looking.is_busy:
            self._timer.stop()
            self._looking.start(_list, self.watch.folder)

    def _on_listed(self, found: tuple[Listing, float]) -> None:
        listing, took_s = found
        if self.watch is not None:
            self.watch.take(listing)
            self._judge_next()
        self._timer.start(max(_EVERY_MS, round(_SHARE_LOOKING * took_s * 1e3)))

    def _on_look_failed(self, reason: str) -> None:
        self._on_listed((Listing(problem=reason), 0.0))

    def _on_watch_changed(self) -> None:
        self.changed.emit()

    # judging ----------------------------------------------------------------------------------------------------

    def _judge_next(self) -> None:
        watch = self.watch
        file = watch.due() if watch is not None and self._users and not self._judging.is_busy else None
        if watch is None or file is None:
            return
        self._file = file
        watch.begin(file)
        try:
            model = self.cells.model(None)
        except CelltypeError as error:
            self._on_failed(str(error))
            return
        self._judging.start(_judge, file.path, model, self.cells.shelf, watch.is_last_try(file))

    def _on_judging_step(self, step: Progress | Judged | RecordingError) -> None:
        watch, file = self.watch, self._file
        if isinstance(step, Progress):
            self.progressed.emit(step.share, step.doing)
        elif watch is None or file is None:
            return
        elif isinstance(step, RecordingError):
            watch.refuse(file, f"{step.reason}. {step.hint}".strip())
        elif watch.finish(file, said_of(step.call), step.remark):
            self._take(file, step)

    def _on_failed(self, reason: str) -> None:
        file, self._file = self._file, None
        if self.watch is not None and file is not None:
            self.watch.fail(file, reason)

    def _on_judging_busy(self, busy: bool) -> None:
        self.progressed.emit(0.0, "")
        if not busy:
            self._file = None
            # a hundred files at once: the next one need not wait for the next look
            QTimer.singleShot(0, self._judge_next)

    def _take(self, file: WatchedFile, judged: Judged) -> None:
        """Put a judged recording into the document and its cell into the table, behind the user's back."""
        session = self._session()
        if session is None or not session.has_viewer:
            return
        item_id = self._place(file, judged.recording)
        if self.cells.call(item_id).verdict is None:
            self.cells.adopt(item_id, judged.call, judged.facts)
        self._accept(item_id)
        session.viewer.status = f"{file.name}: {file.said or said_of(judged.call)}"
        self.changed.emit()
        if self.show_newest:
            self.document.make_current(item_id)

    def _accept(self, item_id: str) -> None:
        """Put the cell into the table, unless the user has done so."""
        row = self.cells.table.row(item_id)
        if self.cells.call(item_id).verdict is not None and (row is None or row is self._rows.get(item_id)):
            self.cells.accept(item_id)
            self._rows[item_id] = self.cells.table.row(item_id)

    def _place(self, file: WatchedFile, recording: Recording) -> str:
        """The item for a file: the one it has, if that can take the recording without disturbing anybody."""
        session, known = self._session(), self._item_of(file)
        if known is not None and session is not None:
            self._items[file.path, file.version] = known
            if session.view(known) is None:
                self.document.replace_value(known, recording)
                return known
            if _extent(self.cells.recording(known)) == _extent(recording):
                return known
        # what is on the screen stays: the file as it is now stands beside it
        name = file.name if known is None else f"{file.name}, complete"
        item = Item(new_id(), "recording", name, recording.path, recording)
        self.document.add(item, show=False)
        self._items[file.path, file.version] = item.id
        return item.id


def _extent(recording: Recording | None) -> list[int]:
    return [] if recording is None else [sweep.n_stored for sweep in recording.sweeps]


def _list(folder: Path) -> Generator[tuple[Listing, float], None, None]:
    start = time.monotonic()
    listing = list_folder(folder)
    yield listing, time.monotonic() - start


def _judge(path: Path, model: ModelChoice, shelf: Shelf, take_as_is: bool) -> Generator[Any, None, None]:
    """What cannot be read may be finished later, so that it is an answer; other failures are failures."""
    try:
        yield from judge_file(path, model, shelf, take_as_is=take_as_is)
    except RecordingError as error:
        yield error
    except OSError as error:
        yield RecordingError(f"cannot be read ({error.strerror or error})", path=path)
