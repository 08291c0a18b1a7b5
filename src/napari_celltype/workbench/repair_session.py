"""The repair of one neuron: its jumps and what was decided about them, edits by hand, undo, journal. No toolkit.

One session a neuron, from :func:`repair_of`; it lasts as long as the neuron is open, whether or not a dock shows it.
All changes go through the document's history, so there is one undo for everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from napari_celltype.errors import RepairError
from napari_celltype.morphology.edits import Edit, Record, propose_repair, source_hash
from napari_celltype.morphology.zjumps import MIN_DZ_UM, MIN_SLOPE, ZSteps, measure_z_steps
from napari_celltype.neuron import Neuron

from .document import Document
from .journal import Journal
from .repair_earlier import earlier_work, journal_header
from .repair_jumps import JumpList, JumpRow, list_jumps, may_have_new_jumps
from .repair_neuron import Built, Numbers, build, codes_of_nodes, recheck, start
from .repair_preview import Preview
from .repair_state import Action, Amend, Decide, Decision, JumpKey, JumpState, RepairState
from .repair_translate import edits_between

__all__ = ["RepairSession", "RepairStep", "repair_of"]

_KEPT = 4
_desks: WeakKeyDictionary[Document, _Desk] = WeakKeyDictionary()


def repair_of(document: Document, item_id: str) -> RepairSession:
    """The repair session of an open neuron; begun on first use, over when the neuron is closed."""
    if document not in _desks:
        _desks[document] = _Desk()
        document.closed.connect(_desks[document].close)
    sessions = _desks[document].sessions
    if item_id not in sessions:
        sessions[item_id] = RepairSession(document, item_id)
    return sessions[item_id]


class _Desk:
    """The repair sessions of one document."""

    def __init__(self) -> None:
        self.sessions: dict[str, RepairSession] = {}

    def close(self, item_id: str) -> None:
        """End the session of a neuron that is closed."""
        session = self.sessions.pop(item_id, None)
        if session is not None:
            session.close()


@dataclass(frozen=True, eq=False)
class RepairStep:
    """One action as the document's history keeps it: two small values, no arrays."""

    session: RepairSession
    action: Action
    before: RepairState
    after: RepairState
    backwards: bool = False

    @property
    def label(self) -> str:
        """What was done."""
        return self.action.label

    @property
    def item_id(self) -> str:
        """The neuron it was done to."""
        return self.session.item_id

    def apply(self, document: Document) -> None:
        """Go to the state after it."""
        self.session._go_to(self.before if self.backwards else self.after)
        self.session._note({"undo": True} if self.backwards else self.action.to_json())

    def inverse(self) -> RepairStep:
        """The step back."""
        return replace(self, backwards=not self.backwards)


class RepairSession:
    """Jumps, decisions and edits of one neuron of a document.

    Parameters
    ----------
    document, item_id
        The neuron, as it was read.
    """

    changed = Signal()
    thresholds_changed = Signal()

    def __init__(self, document: Document, item_id: str) -> None:
        value = document[item_id].value
        if not isinstance(value, Neuron):
            raise RepairError("only a reconstruction can be repaired")
        self.item_id = item_id
        self.source = value
        self.min_dz_um, self.min_slope = MIN_DZ_UM, MIN_SLOPE
        self.with_subtree = False
        self.saved_state: RepairState | None = None
        self._document_ref = ref(document)
        self._built = start(value)
        self._recent: list[Built] = []
        self._steps: tuple[Neuron, ZSteps] | None = None
        self._late: tuple[Neuron, ZSteps, tuple[Edit, ...]] | None = None
        self.hurried = False
        self._jumps: JumpList | None = None
        self._noting = True
        self.source_sha256 = source_hash(value)
        self.journal = Journal(self.source_sha256, journal_header(value, self.source_sha256))
        self.earlier = earlier_work(self.journal.read())

    @property
    def _document(self) -> Document:
        document = self._document_ref()
        if document is None:
            raise RepairError("the neuron is no longer open")
        return document

    # what there is -----------------------------------------------------------------------------------------------

    @property
    def neuron(self) -> Neuron:
        """The neuron as repaired so far."""
        return self._built.neuron

    @property
    def state(self) -> RepairState:
        """Everything decided so far."""
        return self._built.state

    @cached_property
    def _source_codes(self) -> frozenset[str]:
        return codes_of_nodes(self.source)

    @property
    def steps(self) -> ZSteps:
        """Heights of all steps, measured before any jump is mended."""
        if self._steps is None or self._steps[0] is not self._built.base:
            self._steps = self._built.base, measure_z_steps(self._built.base)
        return self._steps[1]

    @property
    def late_steps(self) -> ZSteps | None:
        """Heights of all steps of the neuron as it is, if edits by hand may have made new ones."""
        if not self.state.hand:
            return None
        old = self._late
        # a decision about a jump hardly changes what edits by hand have brought about: a dock may ask again later
        if old is None or (old[0] is not self.neuron and not (self.hurried and old[2] == self.state.hand)):
            self._late = self.neuron, measure_z_steps(self.neuron), self.state.hand
        assert self._late is not None
        return self._late[1]

    def catch_up(self) -> bool:
        """Measure what was put off while :attr:`hurried`; whether there was anything."""
        if self._late is None or self._late[0] is self.neuron:
            return False
        self._late = self._jumps = None
        return True

    @property
    def jumps(self) -> JumpList:
        """Jumps over the thresholds, all decided ones, and steps left out with the reason; worst first."""
        if self._jumps is None:
            limits = self.min_dz_um, self.min_slope
            # measuring all steps takes longer than all the rest of an edit, and rarely finds anything new
            new = self.state.hand and may_have_new_jumps(self.neuron, self.steps, self.state, *limits)
            self._jumps = list_jumps(self.steps, self.late_steps if new else None, self.state, *limits, self.neuron)
        return self._jumps

    def set_thresholds(self, min_dz_um: float, min_slope: float) -> None:
        """Which steps count as jumps; decisions are not touched."""
        if (min_dz_um, min_slope) == (self.min_dz_um, self.min_slope):
            return
        self.min_dz_um, self.min_slope = min_dz_um, min_slope
        self._jumps = None
        self.thresholds_changed.emit()

    @property
    def before(self) -> Numbers:
        """Numbers of the file."""
        return Numbers.of(self.source)

    @property
    def after(self) -> Numbers:
        """Numbers of the neuron as repaired so far."""
        return Numbers.of(self.neuron)

    @property
    def has_unsaved_work(self) -> bool:
        """Whether something was decided that no saved file holds."""
        return self.state != (self.saved_state or RepairState())

    def preview(self, row: JumpRow, mode: str | None = None) -> Preview:
        """The neuron without and with one jump mended; RepairError if it cannot be mended."""
        mode = mode or row.mode
        if row.is_late:
            after, _ = _with_edit(self._built, propose_repair([row.jump], mode))
            return Preview(row, self.neuron, after)
        without = self.state.decide({row.key: Decision("refused", mode)})
        with_it = self.state.decide({row.key: Decision("accepted", mode)})
        return Preview(row, self._build(without).neuron, self._build(with_it).neuron)

    def _build(self, state: RepairState) -> Built:
        """The neuron for a state; the last few are kept, because undo and preview ask for them again."""
        for built in (self._built, *self._recent):
            if built.state.leads_where(state):
                return replace(built, state=state)
        built = build(state, self._built)
        self._recent = [built, *self._recent[: _KEPT - 1]]
        return built

    # what is done ------------------------------------------------------------------------------------------------

    def decide(self, rows: Iterable[JumpRow], state: JumpState | None = None, mode: str | None = None) -> None:
        """Accept, refuse or leave open some jumps, or choose how to mend them; RepairError if that cannot be done."""
        rows = list(rows)
        # a jump that edits by hand have made can only be mended after them: by an edit of its own
        late = [row for row in rows if row.is_late and state == "accepted"]
        wanted = {row.key: Decision(state or row.state, mode or row.mode) for row in rows if row not in late}
        changes = tuple((key, to) for key, to in wanted.items() if to != self.state.decision(key))
        if changes:
            self.perform(Decide(changes, _label(rows, state, mode)))
        if late:
            edit = propose_repair([row.jump for row in late], {row.jump.node_id: mode or row.mode for row in late})
            self.amend([edit], _label(late, state, mode))

    def amend(self, edits: Sequence[Edit], label: str = "") -> None:
        """Edit the neuron by hand; RepairError if that cannot be done."""
        if edits:
            self.perform(Amend(tuple(edits), label or edits[0].label))

    def take(self, after: Neuron, label: str) -> None:
        """Take over what a person did to the nodes themselves."""
        self._keep_up()
        self.amend(edits_between(self.neuron, after, with_subtree=self.with_subtree), label)

    def _keep_up(self) -> None:
        """Count what others put in the neuron's place (a script, say) as edits by hand."""
        value = self._document[self.item_id].value
        if isinstance(value, Neuron) and value is not self.neuron:
            edits = edits_between(self.source, value)
            self._built = replace(build(RepairState(first=edits), start(self.source)), neuron=value, base=value)
            self._jumps = None

    def perform(self, action: Action) -> None:
        """Do something that can be undone."""
        self._keep_up()
        state = action.apply(self.state)
        if state == self.state:
            return
        if self.earlier is not None:
            self.start_afresh()
        self._document.history.do(RepairStep(self, action, self.state, state))

    def undo(self) -> bool:
        """Take back the newest action on this neuron; False if there is none."""
        return self._document.history.undo(self.item_id) is not None

    def redo(self) -> bool:
        """Do again the action taken back last; False if there is none."""
        return self._document.history.redo(self.item_id) is not None

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty if nothing."""
        return _newest_label(self._document.history.done, self.item_id)

    @property
    def redo_label(self) -> str:
        """What redo would do again; empty if nothing."""
        return _newest_label(self._document.history.undone, self.item_id)

    def _go_to(self, state: RepairState) -> None:
        self._recent = [self._built, *self._recent[: _KEPT - 1]]
        built = self._build(state)
        if built.neuron is not self._built.neuron and built.neuron is not self.source:
            defects = recheck(self.source, self._source_codes, built.neuron)
            built = replace(built, neuron=built.neuron.replace(defects=defects))
        self._put(built)

    def _put(self, built: Built) -> None:
        was = self._built.neuron
        self._built, self._jumps = built, None
        if built.neuron is not was:
            self._document.replace_value(self.item_id, built.neuron)
        self.changed.emit()

    # across crashes ----------------------------------------------------------------------------------------------

    def _note(self, line: Mapping[str, Any]) -> None:
        if self._noting:
            self.journal.append(line)

    def restore(self) -> None:
        """Go on where an earlier run ended, with its undo; RepairError if that is not possible (nothing is lost)."""
        earlier = self.earlier
        if earlier is None:
            return
        states = [self.state]
        for action in (*earlier.done, *reversed(earlier.undone)):
            states.append(action.apply(states[-1]))
        n = len(earlier.done)
        self._go_to(states[n])
        self.earlier = None
        steps = [
            RepairStep(self, action, states[i], states[i + 1])
            for i, action in enumerate((*earlier.done, *reversed(earlier.undone)))
        ]
        self.saved_state = states[n] if earlier.saved_as else None
        self._document.history.adopt(steps[:n], list(reversed(steps[n:])))
        self.changed.emit()

    def start_afresh(self) -> None:
        """Leave an earlier run's work alone; its journal is kept under another name."""
        self.earlier = None
        self.journal.set_aside()
        self.changed.emit()

    def note_saved(self, path: str, state: RepairState) -> None:
        """Remember that the work is in a file."""
        self.saved_state = state
        self._note({"saved": path})
        self.changed.emit()

    def record(self) -> Record:
        """Everything done, in the order it is to be done again on the file."""
        base_jumps = {row.key: row.jump for row in self.jumps.rows}
        accepted = [base_jumps[key] for key in sorted(self.state.decisions) if self._is_accepted(key)]
        mended = [propose_repair(accepted, self.state.accepted)] if accepted else []
        return Record.of(self.source, [*self.state.first, *mended, *self.state.hand], self.neuron)

    def _is_accepted(self, key: JumpKey) -> bool:
        return self.state.decision(key).state == "accepted"

    def close(self) -> None:
        """Let go of the journal."""
        self.journal.close()


def _with_edit(built: Built, edit: Edit) -> tuple[Neuron, RepairState]:
    state = built.state.amend((edit,))
    return build(state, built).neuron, state


def _label(rows: Sequence[JumpRow], state: JumpState | None, mode: str | None) -> str:
    verb = {"accepted": "accept", "refused": "refuse", "proposed": "reconsider", None: f"{mode}"}[state]
    jumps = f"jump at node {rows[0].jump.node_id}" if len(rows) == 1 else f"{len(rows)} jumps"
    return f"{verb} {jumps}"


def _newest_label(edits: Sequence[Any], item_id: str) -> str:
    return next((str(edit.label) for edit in reversed(edits) if edit.item_id == item_id), "")
