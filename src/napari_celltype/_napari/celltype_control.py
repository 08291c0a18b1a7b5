"""One coordinator for each session: it runs the questions in workers and keeps windows and layers in step.

Docks send requests here and listen to the session's :class:`ClassifySession`; none of them owns a job.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.classify import Progress, Step
from napari_celltype.workbench.classify_models import Shelf
from napari_celltype.workbench.classify_session import MODEL, ClassifySession
from napari_celltype.workbench.classify_windows import WINDOW

from .celltype_shapes import WindowMirrors
from .jobs import LatestJob
from .notices import report_warning
from .session import Session

__all__ = ["CellTypeControl", "control_of"]

_SETTLE_MS = 120
_PAUSE_S = 0.7
"""A longer gap between previews is no slow preview but the end of a drag."""

_controls: weakref.WeakKeyDictionary[Session, CellTypeControl] = weakref.WeakKeyDictionary()


def control_of(session: Session, shelf: Shelf | None = None) -> CellTypeControl:
    """The coordinator of a session; ``shelf`` counts when it is made."""
    if session not in _controls:
        _controls[session] = CellTypeControl(session, shelf)
    return _controls[session]


class CellTypeControl:
    """Asks models about the current recording, as long as a dock wants to know."""

    busy_changed = Signal(bool)
    progressed = Signal(float, str)
    live_changed = Signal(bool)

    def __init__(self, session: Session, shelf: Shelf | None = None) -> None:
        self._session = weakref.ref(session)
        self.document = session.document
        self.cells = ClassifySession(session.document, shelf)
        self.mirrors = WindowMirrors(session, self.cells)
        self._users: list[object] = []
        self._asked: str | None = None
        self._dragged: tuple[str, ApWindow] | None = None
        self._previewed: deque[float] = deque(maxlen=8)
        self._answering = LatestJob(self._on_step, on_busy=self._on_busy, on_failed=self._on_failed)
        self._previewing = LatestJob(self._on_preview, on_busy=self._on_preview_busy, on_failed=self._on_failed)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self.ask)
        document = self.document
        document.current_recording_changed.connect(self._on_current_changed)
        document.chosen.connect(self._on_chosen)
        document.changed.connect(self._on_item_changed)
        self.cells.forgotten.connect(self._on_forgotten)

    # who wants to know --------------------------------------------------------------------------------------------

    def join(self, user: object) -> None:
        """A dock is open that shows answers."""
        self._users.append(user)
        self._ask_if_unknown()

    def leave(self, user: object) -> None:
        """It is closed; with the last one, work stops."""
        self._users = [other for other in self._users if other is not user]
        if not self._users:
            self.cancel()

    @property
    def item_id(self) -> str | None:
        """The recording that is current and has been read."""
        item = self.document.current_recording
        return item.id if item is not None and self.cells.recording(item.id) is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._answering.is_busy

    @property
    def is_working(self) -> bool:
        """Whether an answer is on its way, or about to be asked for."""
        return self._answering.is_busy or self._timer.isActive()

    # asking ---------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask everything about the current recording, anew."""
        self._timer.stop()
        self._stop_preview()
        item_id = self.item_id
        if item_id is None:
            return
        self._asked = item_id
        self.cells.begin(item_id)
        self._answering.start(_in_worker, self.cells, item_id)

    def cancel(self) -> None:
        """Stop asking; what has been answered stays."""
        self._timer.stop()
        self._stop_preview()
        self._answering.stop()

    def _stop_preview(self) -> None:
        self._dragged = None
        self._previewing.stop()

    def preview(self, window: ApWindow) -> None:
        """Ask about a window that is being dragged: as often as answers come, always about the newest place."""
        item_id = self.item_id
        if item_id is None or not self.cells.live or not self._users:
            return
        self._dragged = (item_id, window)
        if not self._previewing.is_busy:
            self._start_preview()

    def _start_preview(self) -> None:
        if self._dragged is None:
            return
        (item_id, window), self._dragged = self._dragged, None
        self._asked = item_id
        self._previewing.start(_preview_in_worker, self.cells, item_id, window)

    def set_live(self, live: bool) -> None:
        """Ask by itself whenever something changes, or only on request."""
        self.cells.live = live
        self.live_changed.emit(live)
        if live:
            self._ask_if_unknown()

    def _ask_if_unknown(self) -> None:
        item_id = self.item_id
        if item_id is None or not self._users or not self.cells.live:
            return
        call = self.cells.call(item_id)
        if call.verdict is None and not call.refusal:
            self.ask()

    def _on_step(self, step: Step) -> None:
        if isinstance(step, Progress):
            self.progressed.emit(step.share, step.doing)
        elif self._asked is not None:
            self.cells.take(self._asked, step)

    @property
    def preview_rate(self) -> float | None:
        """Verdicts a second while dragging, over the last few; None before there are any."""
        if len(self._previewed) < 3 or time.monotonic() - self._previewed[-1] > _PAUSE_S:
            return None
        return (len(self._previewed) - 1) / max(self._previewed[-1] - self._previewed[0], 1e-6)

    def _note_preview(self) -> None:
        now = time.monotonic()
        if self._previewed and now - self._previewed[-1] > _PAUSE_S:
            self._previewed.clear()
        self._previewed.append(now)

    def _on_preview(self, step: Step) -> None:
        self._note_preview()
        if self._asked is not None:
            self.cells.take(self._asked, step)

    def _on_preview_busy(self, busy: bool) -> None:
        if not busy and self._dragged is not None:
            QTimer.singleShot(0, self._start_preview)

    def _on_busy(self, busy: bool) -> None:
        self.busy_changed.emit(busy)

    def _on_failed(self, reason: str) -> None:
        if self._asked is not None:
            self.cells.fail(self._asked, reason)

    # the document changes -------------------------------------------------------------------------------------------

    def _on_current_changed(self, _: str | None) -> None:
        self.cancel()
        self._ask_if_unknown()

    def _on_item_changed(self, item_id: str) -> None:
        if item_id == self.item_id:
            self._ask_if_unknown()

    def _on_forgotten(self, item_id: str) -> None:
        if item_id == self._asked:
            self.cancel()
            self._asked = None

    def _on_chosen(self, item_id: str, what: str) -> None:
        """Ask again when window or model change, unless the window was chosen by the answer itself."""
        if item_id != self.item_id or not self._users or what not in (WINDOW, MODEL):
            return
        own = what == WINDOW and self._answering.is_busy and self.cells.call(item_id).window is None
        if self.cells.live and not own:
            self._timer.start()

    # what keys and buttons do ---------------------------------------------------------------------------------------

    def attempt(self, action: Callable[..., None], *args: Any) -> None:
        """Do something with the current recording; a reason why not is shown as one notification."""
        item_id = self.item_id
        if item_id is None:
            report_warning("No recording is open.")
            return
        try:
            action(item_id, *args)
        except CelltypeError as error:
            report_warning(str(error))

    def undo(self) -> None:
        """Take back the newest choice for the current recording."""
        self.document.history.undo(self.item_id or "")

    def redo(self) -> None:
        """Make the choice taken back last again."""
        self.document.history.redo(self.item_id or "")

    def step_recording(self, by: int) -> None:
        """Make the next recording of the list current."""
        ids = [item.id for item in self.document.recordings]
        current = self.document.current_recording
        if current is not None and ids:
            self.document.make_current(ids[min(max(ids.index(current.id) + by, 0), len(ids) - 1)])


def _in_worker(cells: ClassifySession, item_id: str) -> Generator[Step, None, None]:
    yield from cells.steps(item_id)


def _preview_in_worker(cells: ClassifySession, item_id: str, window: ApWindow) -> Generator[Step, None, None]:
    yield from cells.preview_steps(item_id, window)
