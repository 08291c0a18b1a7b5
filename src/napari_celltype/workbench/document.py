"""The document of record: open recordings and neurons, the current ones, and the history of edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from psygnal import Signal

from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording

from .history import History

__all__ = ["Document", "Item", "Kind", "Value", "new_id"]

Kind = Literal["recording", "neuron"]
Value = Recording | Neuron


def new_id() -> str:
    """A name for an item that no other item in any document has."""
    return uuid4().hex[:12]


@dataclass(frozen=True)
class Item:
    """One recording or neuron of the document.

    ``value`` is None while a recording is only listed (a folder was opened) and not yet read; ``error`` says why it
    cannot be read, once that was tried.
    """

    id: str
    kind: Kind
    name: str
    path: Path | None = None
    value: Value | None = None
    error: str = ""

    @classmethod
    def holding(cls, value: Value, item_id: str | None = None) -> Item:
        """An item for a recording or neuron that has been read."""
        kind: Kind = "recording" if isinstance(value, Recording) else "neuron"
        name = value.name or (value.path.name if value.path else kind)
        return cls(item_id or new_id(), kind, name, value.path, value)

    @classmethod
    def listing(cls, path: Path) -> Item:
        """An item for a recording that is known only by its path."""
        return cls(new_id(), "recording", path.name, path)


class Document:
    """What is open and current, with signals for every change; knows no toolkit and no viewer.

    Signals carry item ids. ``selected_sweeps`` are positions in ``Recording.sweeps`` and are kept for each recording,
    so that coming back to one finds it as it was left.
    """

    opened = Signal(str)
    changed = Signal(str)
    closed = Signal(str)
    current_recording_changed = Signal(object)
    current_neuron_changed = Signal(object)
    sweeps_selected = Signal(str)
    nodes_selected = Signal(str)
    chosen = Signal(str, str)

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._current: dict[Kind, str | None] = {"recording": None, "neuron": None}
        self._sweeps: dict[str, tuple[int, ...]] = {}
        self._nodes: dict[str, tuple[int, ...]] = {}
        self._choices: dict[tuple[str, str], Any] = {}
        self.history = History(self)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __getitem__(self, item_id: str) -> Item:
        return self._items[item_id]

    @property
    def recordings(self) -> list[Item]:
        """Open and listed recordings, in the order they came."""
        return [item for item in self._items.values() if item.kind == "recording"]

    @property
    def neurons(self) -> list[Item]:
        """Open neurons, in the order they came."""
        return [item for item in self._items.values() if item.kind == "neuron"]

    def add(self, item: Item, *, show: bool = True) -> None:
        """Add an item; the first of its kind becomes the current one, unless it is not to be shown."""
        if item.id in self._items:
            return
        self._items[item.id] = item
        self.opened.emit(item.id)
        if show and self._current[item.kind] is None:
            self._set_current(item.kind, item.id)

    def close(self, item_id: str) -> None:
        """Remove an item with its history; another one that has been read becomes current."""
        item = self._items.pop(item_id, None)
        if item is None:
            return
        self._sweeps.pop(item_id, None)
        self._nodes.pop(item_id, None)
        self._choices = {key: value for key, value in self._choices.items() if key[0] != item_id}
        self.history.forget(item_id)
        self.closed.emit(item_id)
        if self._current[item.kind] == item_id:
            # one that is only listed would have to be read first, which nobody asked for
            rest = [other.id for other in self._items.values() if other.kind == item.kind and other.value is not None]
            self._set_current(item.kind, rest[-1] if rest else None)

    def replace_value(self, item_id: str, value: Value) -> None:
        """Put another value in an item's place, unrecorded; a change the user made goes through ``history``."""
        self._items[item_id] = replace(self._items[item_id], value=value, error="")
        self.changed.emit(item_id)

    def fail(self, item_id: str, reason: str) -> None:
        """Note why a listed recording cannot be read."""
        self._items[item_id] = replace(self._items[item_id], error=reason)
        self.changed.emit(item_id)

    def _set_current(self, kind: Kind, item_id: str | None) -> None:
        if self._current[kind] == item_id:
            return
        self._current[kind] = item_id
        signal = self.current_recording_changed if kind == "recording" else self.current_neuron_changed
        signal.emit(item_id)

    def make_current(self, item_id: str) -> None:
        """Make an item the current one of its kind."""
        self._set_current(self._items[item_id].kind, item_id)

    @property
    def current_recording(self) -> Item | None:
        """The recording shown in the docks, or None."""
        return self._items.get(self._current["recording"] or "")

    @property
    def current_neuron(self) -> Item | None:
        """The neuron shown in the docks, or None."""
        return self._items.get(self._current["neuron"] or "")

    def selected_sweeps(self, item_id: str) -> tuple[int, ...]:
        """Selected sweeps of a recording; the first sweep until something else is chosen."""
        value = self._items[item_id].value
        n_sweeps = len(value.sweeps) if isinstance(value, Recording) else 0
        return self._sweeps.get(item_id, (0,) if n_sweeps else ())

    def select_sweeps(self, item_id: str, sweeps: Iterable[int]) -> None:
        """Select sweeps of a recording by their positions."""
        value = self._items[item_id].value
        n_sweeps = len(value.sweeps) if isinstance(value, Recording) else 0
        wanted = tuple(sorted({sweep for sweep in sweeps if 0 <= sweep < n_sweeps}))
        if wanted == self.selected_sweeps(item_id):
            return
        self._sweeps[item_id] = wanted
        self.sweeps_selected.emit(item_id)

    def selected_nodes(self, item_id: str) -> tuple[int, ...]:
        """Ids of the selected nodes of a neuron."""
        return self._nodes.get(item_id, ())

    def select_nodes(self, item_id: str, node_ids: Iterable[int]) -> None:
        """Select nodes of a neuron by their ids."""
        wanted = tuple(node_ids)
        if wanted == self.selected_nodes(item_id):
            return
        self._nodes[item_id] = wanted
        self.nodes_selected.emit(item_id)

    def choice(self, item_id: str, what: str) -> Any:
        """What the user chose for an item (its window, say), or None; values are immutable."""
        return self._choices.get((item_id, what))

    def choices(self, item_id: str) -> dict[str, Any]:
        """Everything chosen for an item, by name."""
        return {what: value for (owner, what), value in self._choices.items() if owner == item_id}

    def choose(self, item_id: str, what: str, value: Any) -> None:
        """Note a choice, unrecorded; one the user made goes through ``history`` as :class:`Choose`."""
        if item_id not in self._items or self.choice(item_id, what) == value:
            return
        self._choices[item_id, what] = value
        self.chosen.emit(item_id, what)
