"""What is asked about the recordings of a document, and what was answered; the docks show it and hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from psygnal import Signal

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import CelltypeError
from napari_celltype.recording import Recording

from .classify import Facts, Found, Progress, Request, Step, Suggested, classify, preview
from .classify_models import Shelf, companion_of, default_choice
from .classify_values import CellCall, ModelChoice
from .classify_windows import WINDOW, next_suggested, snapped_to_onset, snapped_to_spike
from .document import Document
from .history import Choose
from .session_table import SessionTable, row_of

__all__ = ["MODEL", "ClassifySession"]

MODEL = "model"


class ClassifySession:
    """Windows, models and answers for each recording of a document.

    Choices (window, model) are kept in the document and go through its history; answers are kept here.

    Parameters
    ----------
    document
        What is open.
    shelf
        Where models come from.
    """

    answered = Signal(str)
    forgotten = Signal(str)

    def __init__(self, document: Document, shelf: Shelf | None = None) -> None:
        self.document = document
        self.shelf = shelf or Shelf()
        self.table = SessionTable()
        self.live = True
        self._last_model: ModelChoice | None = None
        self._calls: dict[str, CellCall] = {}
        self._facts: dict[str, Facts] = {}
        document.closed.connect(self._on_item_closed)
        document.changed.connect(self._on_item_changed)

    # what is known ------------------------------------------------------------------------------------------------

    def recording(self, item_id: str | None) -> Recording | None:
        """The recording of an item that has been read."""
        value = self.document[item_id].value if item_id is not None and item_id in self.document else None
        return value if isinstance(value, Recording) else None

    def call(self, item_id: str | None) -> CellCall:
        """What is said of it so far; empty where nothing is."""
        return self._calls.get(item_id or "", CellCall())

    def facts(self, item_id: str) -> Facts | None:
        """What was found out about a recording."""
        recording = self.recording(item_id)
        if recording is None:
            return None
        facts = self._facts.get(item_id)
        if facts is None or facts.recording is not recording:
            facts = self._facts[item_id] = Facts(recording)
        return facts

    def _on_item_closed(self, item_id: str) -> None:
        self._calls.pop(item_id, None)
        self._facts.pop(item_id, None)
        self.forgotten.emit(item_id)

    def _on_item_changed(self, item_id: str) -> None:
        facts = self._facts.get(item_id)
        if facts is not None and facts.recording is not self.recording(item_id):
            self._on_item_closed(item_id)

    # choices ------------------------------------------------------------------------------------------------------

    def window(self, item_id: str | None) -> ApWindow | None:
        """The window chosen."""
        return None if item_id is None else self.document.choice(item_id, WINDOW)

    def choose_window(self, item_id: str, window: ApWindow | None, label: str = "Move the window") -> None:
        """Choose a window, as a step that can be undone; one beyond the sweep is brought back into it."""
        recording = self.recording(item_id)
        if recording is None:
            return
        if window is not None:
            window = window.clipped(recording)
        before = self.window(item_id)
        if window != before:
            self.document.history.do(Choose(item_id, WINDOW, before, window, label))

    def model(self, item_id: str | None) -> ModelChoice:
        """The model chosen for a recording; else the one used last, else the default.

        Raises
        ------
        ModelError
            If no model is installed.
        """
        chosen = None if item_id is None else self.document.choice(item_id, MODEL)
        if isinstance(chosen, ModelChoice):
            return chosen
        return self._last_model or default_choice(self.shelf.infos())

    def choose_model(self, item_id: str | None, choice: ModelChoice) -> None:
        """Choose a model for a recording, and for those opened after it."""
        before = self.model(item_id)
        self._last_model = choice
        if item_id is not None and choice != before:
            self.document.history.do(Choose(item_id, MODEL, before, choice, f"Use {choice.name}"))

    def window_kind(self, item_id: str | None) -> tuple[str, str]:
        """The kind of window looked at now, and the model that looks at it; both empty where none does."""
        try:
            infos, name = self.shelf.infos(), self.model(item_id).name
        except CelltypeError:
            return "", ""
        own = next((info for info in infos if info.name == name), None)
        looking = own if own is not None and own.input == "waveform" else companion_of(name, infos)
        if looking is None or looking.input != "waveform":
            return "", ""
        settings = getattr(looking, "settings", {})
        return str(settings.get("window", {}).get("anchor", "peak")), looking.name

    # moving the window --------------------------------------------------------------------------------------------

    def step_suggested(self, item_id: str, by: int) -> None:
        """Go to the next (or an earlier) suggested window."""
        window = next_suggested(self.call(item_id).suggested, self.window(item_id), by)
        self.choose_window(item_id, window, "Take the suggested window")

    def snap_to_spike(self, item_id: str) -> None:
        """Put the window around the spike nearest to it."""
        window, facts = self.window(item_id), self.facts(item_id)
        if window is not None and facts is not None:
            self.choose_window(item_id, snapped_to_spike(window, facts), "Snap to the spike")

    def snap_to_onset(self, item_id: str) -> None:
        """Put the window around the onset of its sweep's stimulus."""
        window, facts = self.window(item_id), self.facts(item_id)
        if window is not None and facts is not None:
            self.choose_window(item_id, snapped_to_onset(window, facts), "Snap to the stimulus onset")

    # asking -------------------------------------------------------------------------------------------------------

    def steps(self, item_id: str) -> Iterator[Step]:
        """What a worker runs to answer everything about a recording as chosen now."""
        facts = self.facts(item_id)
        if facts is None:
            raise CelltypeError("the recording is not read yet", hint="Wait until it is shown.")
        return classify(Request(self.model(item_id), self.window(item_id)), facts, self.shelf)

    def preview_steps(self, item_id: str, window: ApWindow) -> Iterator[Step]:
        """What a worker runs while the window is dragged: the verdict on this window only."""
        facts = self.facts(item_id)
        if facts is None:
            raise CelltypeError("the recording is not read yet", hint="Wait until it is shown.")
        return preview(Request(self.model(item_id), window), facts, self.shelf)

    def begin(self, item_id: str) -> None:
        """Forget what was said before a new question is asked; what is true of the recording stays."""
        old = self.call(item_id)
        self._calls[item_id] = CellCall(window=self.window(item_id), suggested=old.suggested, features=old.features)
        self.answered.emit(item_id)

    def take(self, item_id: str, step: Step) -> None:
        """Take in one step of an answer."""
        if item_id not in self.document or isinstance(step, Progress):
            return
        parts: dict[str, Any] = step.parts if isinstance(step, Found) else {}
        if isinstance(step, Suggested):
            parts = {"suggested": step.windows, "window": step.window}
            if self.window(item_id) is None and step.window is not None:
                # nobody chose it: not a step to be undone
                self.document.choose(item_id, WINDOW, step.window)
        self._calls[item_id] = replace(self.call(item_id), **parts)
        self.answered.emit(item_id)

    def fail(self, item_id: str, reason: str) -> None:
        """Note why no answer came."""
        if item_id in self.document:
            self._calls[item_id] = replace(self.call(item_id), refusal=reason)
            self.answered.emit(item_id)

    def adopt(self, item_id: str, call: CellCall, facts: Facts | None = None) -> None:
        """Take over what was said elsewhere: by the watch of a folder, or in an earlier run."""
        if item_id not in self.document:
            return
        if facts is not None and facts.recording is self.recording(item_id):
            self._facts[item_id] = facts
        if self.window(item_id) is None and call.window is not None:
            self.document.choose(item_id, WINDOW, call.window)
        self._calls[item_id] = call
        self.answered.emit(item_id)

    def accept(self, item_id: str) -> None:
        """Put what is said of a recording into the session table.

        Raises
        ------
        CelltypeError
            If nothing is said yet.
        """
        recording = self.recording(item_id)
        if recording is None:
            raise CelltypeError("no recording is shown", hint="Open one first.")
        self.table.accept(item_id, row_of(self.document[item_id].name, recording, self.call(item_id)))
