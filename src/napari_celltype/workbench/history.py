"""Edits as values, and the two stacks that make undo and redo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from psygnal import Signal

if TYPE_CHECKING:
    from .document import Document, Value

__all__ = ["Edit", "History", "ReplaceValue"]


class Edit(Protocol):
    """A change of the document that can be made and taken back any number of times."""

    @property
    def label(self) -> str:
        """What the user did, in a few words, for menus and the journal."""
        ...

    @property
    def item_id(self) -> str:
        """The item it changes."""
        ...

    def apply(self, document: Document) -> None:
        """Make the change."""
        ...

    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        ...


@dataclass(frozen=True)
class ReplaceValue:
    """Put another value (say, a neuron with one node moved) in an item's place.

    Values share the arrays they have in common, so keeping both costs only what differs.
    """

    item_id: str
    before: Value
    after: Value
    label: str

    def apply(self, document: Document) -> None:
        """Put ``after`` in place."""
        document.replace_value(self.item_id, self.after)

    def inverse(self) -> ReplaceValue:
        """The edit that puts ``before`` back."""
        return replace(self, before=self.after, after=self.before)


class History:
    """Everything done, and everything undone since; without limit."""

    changed = Signal()

    def __init__(self, document: Document) -> None:
        self._document = document
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    @property
    def done(self) -> tuple[Edit, ...]:
        """Edits in effect, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Edit, ...]:
        """Edits taken back, the next one to redo last."""
        return tuple(self._undone)

    def do(self, edit: Edit) -> None:
        """Make a change and remember it; what had been undone before can no longer be redone."""
        edit.apply(self._document)
        self._done.append(edit)
        self._undone.clear()
        self.changed.emit()

    def undo(self) -> Edit | None:
        """Take the newest change back; returns it, or None where there is none."""
        if not self._done:
            return None
        edit = self._done.pop()
        edit.inverse().apply(self._document)
        self._undone.append(edit)
        self.changed.emit()
        return edit

    def redo(self) -> Edit | None:
        """Make the change taken back last again; returns it, or None where there is none."""
        if not self._undone:
            return None
        edit = self._undone.pop()
        edit.apply(self._document)
        self._done.append(edit)
        self.changed.emit()
        return edit

    def forget(self, item_id: str) -> None:
        """Drop the edits of an item that was closed."""
        self._done = [edit for edit in self._done if edit.item_id != item_id]
        self._undone = [edit for edit in self._undone if edit.item_id != item_id]
        self.changed.emit()
