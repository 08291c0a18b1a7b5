"""What of a document is kept with a recording, taken out and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .classify_session import ClassifySession
from .classify_values import CellCall
from .history import Choose, Edit
from .session_table import CellRow

__all__ = ["NOTE", "RecordingState", "has_changed", "put_back", "state_of"]

NOTE = "note"
"""The choice that holds what the user wrote about a cell."""


@dataclass(frozen=True, eq=False)
class RecordingState:
    """Everything kept of one recording.

    Parameters
    ----------
    choices
        Window, model, note and whatever else was chosen, by name.
    call
        What was said of the cell.
    sweeps
        Positions of the sweeps shown.
    done, undone
        Choices in effect and taken back, oldest first.
    row
        Its row of the session table, if it was accepted.
    """

    choices: Mapping[str, Any] = field(default_factory=dict)
    call: CellCall = field(default_factory=CellCall)
    sweeps: tuple[int, ...] = ()
    done: tuple[Choose, ...] = ()
    undone: tuple[Choose, ...] = ()
    row: CellRow | None = None

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the user has done anything here that cannot be computed again."""
        return bool(self.done or self.undone or self.row is not None or self.choices.get(NOTE))


def state_of(cells: ClassifySession, item_id: str) -> RecordingState:
    """What is to be kept of a recording as it is now."""
    document = cells.document
    return RecordingState(
        choices=document.choices(item_id),
        call=replace(cells.call(item_id), window=cells.window(item_id)),
        sweeps=document.selected_sweeps(item_id),
        done=_choices_of(document.history.done, item_id),
        undone=_choices_of(document.history.undone, item_id),
        row=cells.table.row(item_id),
    )


def _choices_of(edits: tuple[Edit, ...], item_id: str) -> tuple[Choose, ...]:
    return tuple(edit for edit in edits if isinstance(edit, Choose) and edit.item_id == item_id)


def put_back(cells: ClassifySession, item_id: str, state: RecordingState) -> None:
    """Make a recording what it was when the state was taken; what was done with it since is forgotten."""
    document = cells.document
    for what, value in state.choices.items():
        document.choose(item_id, what, value)
    document.select_sweeps(item_id, state.sweeps)
    document.history.forget(item_id)
    document.history.adopt(
        [replace(edit, item_id=item_id) for edit in state.done],
        [replace(edit, item_id=item_id) for edit in state.undone],
    )
    cells.adopt(item_id, state.call)
    if state.row is not None:
        cells.table.accept(item_id, state.row)


def has_changed(one: RecordingState | None, now: RecordingState) -> bool:
    """Whether the user has done something since; answers alone do not count."""
    if one is None:
        return now.is_worth_keeping
    before, after = ((state.done, state.undone, state.row, state.choices.get(NOTE) or "") for state in (one, now))
    return before != after
