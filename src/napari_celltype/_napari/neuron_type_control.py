"""One coordinator for each session: it asks models about the current neuron in workers, for whoever shows answers."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.classify import Progress
from napari_celltype.workbench.classify_models import Shelf
from napari_celltype.workbench.neuron_type_session import NEURON_MODEL, NeuronTypeSession

from .jobs import LatestJob
from .notices import report_warning
from .session import Session

__all__ = ["NO_NEURON", "NeuronTypeControl", "neuron_control_of"]

NO_NEURON = "No neuron is open. Drop an SWC file on the window, or choose File › Open Sample › Cell type › Neuron."

_SETTLE_MS = 300

_controls: weakref.WeakKeyDictionary[Session, NeuronTypeControl] = weakref.WeakKeyDictionary()


def neuron_control_of(session: Session, shelf: Shelf | None = None) -> NeuronTypeControl:
    """The coordinator of a session; ``shelf`` counts when it is made."""
    if session not in _controls:
        _controls[session] = NeuronTypeControl(session, shelf)
    return _controls[session]


class NeuronTypeControl:
    """Asks models about the current neuron, as long as somebody wants to know."""

    busy_changed = Signal(bool)
    progressed = Signal(float, str)
    explaining_changed = Signal(bool)
    explained = Signal(float, str)

    def __init__(self, session: Session, shelf: Shelf | None = None) -> None:
        self._session = weakref.ref(session)
        self.document = session.document
        self.neurons = NeuronTypeSession(session.document, shelf)
        self._users: list[object] = []
        self._asked: str | None = None
        self._wondered: str | None = None
        self._answering = LatestJob(self._on_step, on_busy=self.busy_changed.emit, on_failed=self._on_failed)
        self._explaining = LatestJob(self._on_why_step, on_busy=self.explaining_changed.emit)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self.ask)
        self.document.current_neuron_changed.connect(self._on_current_changed)
        self.document.changed.connect(self._on_item_changed)
        self.document.chosen.connect(self._on_chosen)
        self.neurons.forgotten.connect(self._on_forgotten)

    # who wants to know --------------------------------------------------------------------------------------------

    def join(self, user: object) -> None:
        """Somebody shows answers."""
        self._users.append(user)
        self._ask_if_unknown()

    def leave(self, user: object) -> None:
        """And does no longer; with the last one, work stops."""
        self._users = [other for other in self._users if other is not user]
        if not self._users:
            self.cancel()
            self.cancel_why()

    @property
    def item_id(self) -> str | None:
        """The current neuron."""
        item = self.document.current_neuron
        return item.id if item is not None and self.neurons.neuron(item.id) is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._answering.is_busy

    @property
    def is_working(self) -> bool:
        """Whether an answer is on its way, or about to be asked for."""
        return self._answering.is_busy or self._timer.isActive()

    @property
    def is_explaining(self) -> bool:
        """Whether branches are being tried."""
        return self._explaining.is_busy

    # asking ---------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask everything about the current neuron, anew."""
        self._timer.stop()
        self.cancel_why()
        item_id = self.item_id
        if item_id is None:
            return
        self._asked = item_id
        self.neurons.begin(item_id)
        try:
            self._answering.start(_run, self.neurons.steps(item_id))
        except CelltypeError as error:
            self.neurons.fail(item_id, str(error))

    def cancel(self) -> None:
        """Stop asking; what has been answered stays."""
        self._timer.stop()
        self._answering.stop()

    def ask_why(self) -> None:
        """Find which branches decided."""
        item_id = self.item_id
        if item_id is None:
            report_warning(NO_NEURON)
            return
        self._wondered = item_id
        try:
            self._explaining.start(_run, self.neurons.why_steps(item_id))
        except CelltypeError as error:
            report_warning(str(error))

    def cancel_why(self) -> None:
        """Stop trying branches."""
        self._explaining.stop()

    def _ask_if_unknown(self) -> None:
        item_id = self.item_id
        if item_id is None or not self._users or not self.neurons.live:
            return
        call = self.neurons.call(item_id)
        if call.verdict is None and not call.refusal:
            self.ask()

    def _on_step(self, step: Any) -> None:
        if isinstance(step, Progress):
            self.progressed.emit(step.share, step.doing)
        elif self._asked is not None:
            self.neurons.take(self._asked, step)

    def _on_why_step(self, step: Any) -> None:
        if isinstance(step, Progress):
            self.explained.emit(step.share, step.doing)
        elif self._wondered is not None:
            self.neurons.take(self._wondered, step)

    def _on_failed(self, reason: str) -> None:
        if self._asked is not None:
            self.neurons.fail(self._asked, reason)

    # the document changes -------------------------------------------------------------------------------------------

    def _on_current_changed(self, _: str | None) -> None:
        self.cancel()
        self.cancel_why()
        self._ask_if_unknown()

    def _on_item_changed(self, item_id: str) -> None:
        """Ask again once an edit is over: a node that is dragged changes the neuron many times a second."""
        if item_id == self.item_id and self._users and self.neurons.live:
            self._timer.start()

    def _on_forgotten(self, item_id: str) -> None:
        if item_id == self._asked:
            self.cancel()
        if item_id == self._wondered:
            self.cancel_why()

    def _on_chosen(self, item_id: str, what: str) -> None:
        if item_id == self.item_id and what == NEURON_MODEL and self._users and self.neurons.live:
            self._timer.start()


def _run(steps: Iterator[Any]) -> Generator[Any, None, None]:
    yield from steps
