"""What is asked about the neurons of a document, and what was answered; the docks show it and hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from psygnal import Signal

from napari_celltype.errors import CelltypeError
from napari_celltype.neuron import Neuron

from .classify import Found, Progress
from .classify_models import Shelf
from .classify_values import ModelChoice
from .document import Document
from .history import Choose
from .neuron_type import NeuronCall, NeuronShelf, NeuronStep, NeuronSubject, judge_neuron
from .neuron_why import explain
from .repair_session import repair_of

__all__ = ["NEURON_MODEL", "NeuronTypeSession"]

NEURON_MODEL = "neuron model"


class NeuronTypeSession:
    """Models and answers for each neuron of a document. Answers to a neuron edited since are forgotten.

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
        self.shelf = shelf or NeuronShelf()
        self.live = True
        self._last_model: ModelChoice | None = None
        self._calls: dict[str, tuple[Neuron, NeuronCall]] = {}
        document.closed.connect(self._on_item_closed)
        document.changed.connect(self._on_item_changed)

    # what is known ------------------------------------------------------------------------------------------------

    def neuron(self, item_id: str | None) -> Neuron | None:
        """The neuron of an item."""
        value = self.document[item_id].value if item_id is not None and item_id in self.document else None
        return value if isinstance(value, Neuron) else None

    def call(self, item_id: str | None) -> NeuronCall:
        """What is said of the neuron as it is now; empty where nothing is."""
        neuron, call = self._calls.get(item_id or "", (None, NeuronCall()))
        return call if neuron is not None and neuron is self.neuron(item_id) else NeuronCall()

    def subject(self, item_id: str) -> NeuronSubject:
        """The neuron as it is and as it was opened.

        Raises
        ------
        CelltypeError
            If it is no longer open.
        """
        neuron = self.neuron(item_id)
        if neuron is None:
            raise CelltypeError("the neuron is no longer open", hint="Open its file again.")
        return NeuronSubject(neuron, repair_of(self.document, item_id).source)

    def _on_item_closed(self, item_id: str) -> None:
        if self._calls.pop(item_id, None) is not None:
            self.forgotten.emit(item_id)

    def _on_item_changed(self, item_id: str) -> None:
        neuron, _ = self._calls.get(item_id, (None, None))
        if neuron is not None and neuron is not self.neuron(item_id):
            self._on_item_closed(item_id)

    # choices ------------------------------------------------------------------------------------------------------

    def model(self, item_id: str | None) -> ModelChoice:
        """The model chosen for a neuron; else the one used last, else the default.

        Raises
        ------
        ModelError
            If no model is installed.
        """
        chosen = None if item_id is None else self.document.choice(item_id, NEURON_MODEL)
        if isinstance(chosen, ModelChoice):
            return chosen
        return self._last_model or default_neuron_choice(self.shelf)

    def choose_model(self, item_id: str | None, choice: ModelChoice) -> None:
        """Choose a model for a neuron, and for those opened after it."""
        before = self.model(item_id)
        self._last_model = choice
        if item_id is not None and choice != before:
            self.document.history.do(Choose(item_id, NEURON_MODEL, before, choice, f"Use {choice.name}"))

    # asking -------------------------------------------------------------------------------------------------------

    def steps(self, item_id: str) -> Iterator[NeuronStep]:
        """What a worker runs to answer everything about a neuron as it is now."""
        return judge_neuron(self.model(item_id), self.subject(item_id), self.shelf)

    def why_steps(self, item_id: str) -> Iterator[NeuronStep]:
        """What a worker runs to find which branches decided."""
        call = self.call(item_id)
        if call.verdict is None:
            raise CelltypeError("nothing is predicted for this neuron yet", hint="Press Predict first.")
        return explain(self.model(item_id), self.subject(item_id).neuron, call.verdict, self.shelf)

    def begin(self, item_id: str) -> None:
        """Forget what was said before a new question is asked."""
        neuron = self.neuron(item_id)
        if neuron is not None:
            self._calls[item_id] = (neuron, NeuronCall())
            self.answered.emit(item_id)

    def take(self, item_id: str, step: NeuronStep) -> None:
        """Take in one step of an answer; one to a neuron that is gone or edited meanwhile is dropped."""
        if isinstance(step, Found):
            self._put(item_id, **step.parts)
        else:
            assert isinstance(step, Progress)

    def fail(self, item_id: str, reason: str) -> None:
        """Note why no answer came."""
        self._put(item_id, refusal=reason)

    def _put(self, item_id: str, **parts: Any) -> None:
        neuron, call = self._calls.get(item_id, (None, None))
        if neuron is not None and call is not None and neuron is self.neuron(item_id):
            self._calls[item_id] = (neuron, replace(call, **parts))
            self.answered.emit(item_id)


def default_neuron_choice(shelf: Shelf) -> ModelChoice:
    """The model to begin with.

    Raises
    ------
    ModelError
        If there is none.
    """
    from napari_celltype.errors import ModelError

    infos = shelf.infos()
    if not infos:
        raise ModelError("no model that judges reconstructions is installed", hint="Reinstall napari-celltype.")
    return ModelChoice(infos[0].name)
