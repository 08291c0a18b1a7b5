"""Edits as values, and the two stacks that make undo and redo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from psygnal import Signal

if TYPE_CHECKING:
    from .document import Document, Value

__all__ = ["Choose", "Edit", "History", "ReplaceValue"]


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


@dataclass(frozen=True)
class Choose:
    """Choose something for an item: its action potential window, say."""

    item_id: str
    what: str
    before: Any
    after: Any
    label: str

    def apply(self, document: Document) -> None:
        """Choose ``after``."""
        document.choose(self.item_id, self.what, self.after)

    def inverse(self) -> Choose:
        """The edit that chooses ``before`` again."""
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
        """Make a change and remember it; what had been undone of that item before can no longer be redone."""
        edit.apply(self._document)
        self._done.append(edit)
        self._undone = [other for other in self._undone if other.item_id != edit.item_id]
        self.changed.emit()

    def undo(self, item_id: str | None = None) -> Edit | None:
        """Take the newest change (of one item, if asked) back; returns it, or None where there is none."""
        at = _newest(self._done, item_id)
        if at is None:
            return None
        self._done[at].inverse().apply(self._document)
        edit = self._done.pop(at)
        self._undone.append(edit)
        self.changed.emit()
        return edit

    def redo(self, item_id: str | None = None) -> Edit | None:
        """Make the change (of one item, if asked) taken back last again; returns it, or None where there is none."""
        at = _newest(self._undone, item_id)
        if at is None:
            return None
        self._undone[at].apply(self._document)
        edit = self._undone.pop(at)
        self._done.append(edit)
        self.changed.emit()
        return edit

    def adopt(self, done: Sequence[Edit], undone: Sequence[Edit] = ()) -> None:
        """Take over changes made in an earlier run that are in effect already, and those it had taken back."""
        self._done.extend(done)
        self._undone.extend(undone)
        self.changed.emit()

    def forget(self, item_id: str) -> None:
        """Drop the edits of an item that was closed."""
        self._done = [edit for edit in self._done if edit.item_id != item_id]
        self._undone = [edit for edit in self._undone if edit.item_id != item_id]
        self.changed.emit()


def _newest(edits: Sequence[Edit], item_id: str | None) -> int | None:
    """Place of the newest edit of an item, or of any; changes of different items do not touch each other."""
    return next((at for at in reversed(range(len(edits))) if item_id in (None, edits[at].item_id)), None)
