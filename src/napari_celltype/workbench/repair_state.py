"""What a curator has decided about one neuron, as a value; and the actions that lead from one such value to the next.

The repaired neuron is a function of the file and this value alone: edits made before any jump was accepted, then all
accepted jumps in one pass, then the edits made since. That keeps every decision free to change at any time, in any
order, and makes undo, restoring after a crash and replaying on another machine the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from napari_celltype.errors import RepairError
from napari_celltype.morphology.edits import Edit
from napari_celltype.morphology.repair import MODES

__all__ = [
    "STATES",
    "UNDECIDED",
    "Action",
    "Amend",
    "Decide",
    "Decision",
    "JumpKey",
    "JumpState",
    "RepairState",
    "action_from_json",
]

JumpState = Literal["proposed", "accepted", "refused"]
STATES: tuple[JumpState, ...] = ("proposed", "accepted", "refused")
JumpKey: TypeAlias = tuple[int, int]
"""A step by the ids of its lower and its upper node."""


@dataclass(frozen=True)
class Decision:
    """What is to become of one jump."""

    state: JumpState = "proposed"
    mode: str = "align"

    def __post_init__(self) -> None:
        if self.state not in STATES or self.mode not in MODES:
            raise RepairError(f"a jump can be {', '.join(STATES)} and mended by {', '.join(MODES)}, not {self}")


UNDECIDED = Decision()
_NONE: Mapping[JumpKey, Decision] = MappingProxyType({})


@dataclass(frozen=True)
class RepairState:
    """Everything decided about one neuron.

    Parameters
    ----------
    decisions
        Of the jumps that are not simply proposed.
    first, hand
        Edits made before any jump was accepted, and those made since.
    """

    decisions: Mapping[JumpKey, Decision] = field(default_factory=lambda: _NONE)
    first: tuple[Edit, ...] = ()
    hand: tuple[Edit, ...] = ()

    def decision(self, key: JumpKey) -> Decision:
        """What is decided about a step."""
        return self.decisions.get(key, UNDECIDED)

    @property
    def accepted(self) -> dict[int, str]:
        """Accepted jumps: mode by node id, in the order of the ids."""
        kept = [(key[0], found.mode) for key, found in self.decisions.items() if found.state == "accepted"]
        return dict(sorted(kept))

    def count(self, state: JumpState) -> int:
        """Number of jumps decided this way."""
        return sum(found.state == state for found in self.decisions.values())

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been decided or edited."""
        return not (self.decisions or self.first or self.hand)

    @property
    def edits_neuron(self) -> bool:
        """Whether the neuron differs from the file."""
        return bool(self.accepted or self.first or self.hand)

    def leads_where(self, other: RepairState) -> bool:
        """Whether another state leads to the same neuron, whatever it says of jumps that are not mended."""
        return self.first == other.first and self.hand == other.hand and self.accepted == other.accepted

    def decide(self, changes: Mapping[JumpKey, Decision]) -> RepairState:
        """With other decisions about some jumps."""
        merged = {**self.decisions, **changes}
        return replace(
            self, decisions=MappingProxyType({key: kept for key, kept in merged.items() if kept != UNDECIDED})
        )

    def amend(self, edits: tuple[Edit, ...]) -> RepairState:
        """With further edits made by hand."""
        if self.accepted or self.hand:
            return replace(self, hand=self.hand + edits)
        return replace(self, first=self.first + edits)


@dataclass(frozen=True)
class Decide:
    """Decide about jumps."""

    changes: tuple[tuple[JumpKey, Decision], ...]
    label: str

    def apply(self, state: RepairState) -> RepairState:
        """The state after it."""
        return state.decide(dict(self.changes))

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        told = [[*key, decision.state, decision.mode] for key, decision in self.changes]
        return {"decide": told, "label": self.label}


@dataclass(frozen=True)
class Amend:
    """Edit the neuron by hand."""

    edits: tuple[Edit, ...]
    label: str

    def apply(self, state: RepairState) -> RepairState:
        """The state after it."""
        return state.amend(self.edits)

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        return {"amend": [edit.to_json() for edit in self.edits], "label": self.label}


Action: TypeAlias = Decide | Amend


def action_from_json(value: Mapping[str, Any]) -> Action:
    """The action :meth:`Decide.to_json` or :meth:`Amend.to_json` told of; RepairError if it is none."""
    try:
        if "decide" in value:
            changes = tuple(((int(n), int(p)), Decision(state, mode)) for n, p, state, mode in value["decide"])
            return Decide(changes, str(value["label"]))
        return Amend(tuple(Edit.from_json(edit) for edit in value["amend"]), str(value["label"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RepairError(f"this is no action of a repair: {str(value)[:80]} ({error})") from None
