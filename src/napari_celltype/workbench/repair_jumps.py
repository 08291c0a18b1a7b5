"""The list of a neuron's jumps as a curator sees it: worst first, each with what was decided about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_celltype.morphology.zjumps import ZJump, ZSteps
from napari_celltype.neuron import Neuron

from .repair_state import UNDECIDED, Decision, JumpKey, JumpState, RepairState

__all__ = ["LISTED_AT_MOST", "JumpList", "JumpRow", "list_jumps", "may_have_new_jumps"]

LISTED_AT_MOST = 1000


@dataclass(frozen=True)
class JumpRow:
    """One line of the list.

    Parameters
    ----------
    jump
        The step, as measured before it is mended.
    decision
        What was decided about it.
    left_out
        Why it is not called a jump; empty if it is one.
    is_late
        It came about by an edit made after jumps were accepted.
    is_gone
        An edit by hand has removed it: the node is no longer there, or hangs elsewhere.
    """

    jump: ZJump
    decision: Decision = UNDECIDED
    left_out: str = ""
    is_late: bool = False
    is_gone: bool = False

    @property
    def key(self) -> JumpKey:
        """The step's name."""
        return self.jump.node_id, self.jump.parent_id

    @property
    def state(self) -> JumpState:
        """Proposed, accepted or refused."""
        return self.decision.state

    @property
    def mode(self) -> str:
        """How it is or would be mended."""
        return self.decision.mode

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a decision."""
        return self.state == "proposed" and not self.left_out and not self.is_gone


@dataclass(frozen=True, eq=False)
class JumpList:
    """Lines in the order they are shown; ``n_hidden`` further jumps are over the thresholds."""

    rows: tuple[JumpRow, ...]
    n_hidden: int = 0

    def count(self, state: JumpState) -> int:
        """Number of jumps in a state, steps left out not counted."""
        return sum(row.state == state and not (row.left_out and state == "proposed") for row in self.rows)

    @property
    def open_rows(self) -> tuple[JumpRow, ...]:
        """Jumps that wait for a decision."""
        return tuple(row for row in self.rows if row.is_open)


def list_jumps(
    steps: ZSteps, late: ZSteps | None, state: RepairState, min_dz_um: float, min_slope: float, neuron: Neuron
) -> JumpList:
    """List the jumps over the thresholds, those decided about already, new ones, and the steps left out."""
    found = steps.select(min_dz_um, min_slope)
    listed = list(_rows_at(steps, found[:LISTED_AT_MOST], state))
    keys = {row.key for row in listed}
    listed += [row for row in _decided(steps, state) if row.key not in keys]
    listed.sort(key=lambda row: (-abs(row.jump.dz_um), -row.jump.n_downstream))
    if late is not None:
        listed += _late(late, steps, state, min_dz_um, min_slope)
    keys = {row.key for row in listed}
    out = [
        JumpRow(step.jump, left_out=step.reason)
        for step in steps.excluded_steps(min_dz_um, min_slope)[:LISTED_AT_MOST]
        if (step.jump.node_id, step.jump.parent_id) not in keys
    ]
    n_hidden = max(0, len(found) - LISTED_AT_MOST)
    return JumpList(tuple(_mark_gone([*listed, *out], state, neuron)), n_hidden)


def _rows_at(steps: ZSteps, positions: np.ndarray, state: RepairState) -> Iterator[JumpRow]:
    for jump in steps.jumps(positions):
        yield JumpRow(jump, state.decision((jump.node_id, jump.parent_id)))


def _decided(steps: ZSteps, state: RepairState) -> Iterator[JumpRow]:
    """Decided jumps wherever the thresholds are now: they are in effect, so they are listed."""
    if not state.decisions:
        return
    neuron = steps.neuron
    wanted = np.isin(neuron.ids[steps.rows], [key[0] for key in state.decisions])
    left_out = steps.excluded_steps(0.0, 0.0) if wanted.any() else []
    reasons = {(step.jump.node_id, step.jump.parent_id): step.reason for step in left_out}
    for row in _rows_at(steps, np.flatnonzero(wanted), state):
        if row.key in state.decisions:
            yield JumpRow(row.jump, row.decision, left_out=reasons.get(row.key, ""))


def may_have_new_jumps(neuron: Neuron, steps: ZSteps, state: RepairState, min_dz_um: float, min_slope: float) -> bool:
    """Whether a neuron edited since may have jumps it did not have; quick, and never no where measuring says yes."""
    rows = np.flatnonzero(neuron.parents >= 0)
    with np.errstate(invalid="ignore"):
        step = np.abs(neuron.xyz_um[rows] - neuron.xyz_um[neuron.parents[rows]])
        steep = step[:, 2] >= min_slope * np.hypot(step[:, 0], step[:, 1]) - 1e-9
        rows = rows[(step[:, 2] >= min_dz_um) & steep]
    known = {(jump.node_id, jump.parent_id) for jump in steps.jumps(steps.select(min_dz_um, min_slope))}
    known |= {key for key, decision in state.decisions.items() if decision.state == "accepted"}
    return not known.issuperset(zip(neuron.ids[rows].tolist(), neuron.parent_ids[rows].tolist(), strict=True))


def _late(late: ZSteps, steps: ZSteps, state: RepairState, min_dz_um: float, min_slope: float) -> Iterator[JumpRow]:
    """Jumps of the neuron as it is that were no jumps before the edits made by hand."""
    before = {(jump.node_id, jump.parent_id) for jump in steps.jumps(steps.select(min_dz_um, min_slope))}
    for jump in late.jumps(late.select(min_dz_um, min_slope)[:LISTED_AT_MOST]):
        key = jump.node_id, jump.parent_id
        if key not in before and state.decision(key).state != "accepted":
            yield JumpRow(jump, state.decision(key), is_late=True)


def _mark_gone(rows: list[JumpRow], state: RepairState, neuron: Neuron) -> Iterator[JumpRow]:
    if not state.hand:
        yield from rows
        return
    wanted = np.array([row.key[0] for row in rows], dtype=np.int64)
    there = np.isin(wanted, neuron.ids)
    parents = np.full(len(rows), -2)
    parents[there] = neuron.parent_ids[neuron.rows_of(wanted[there])]
    for row, above in zip(rows, parents.tolist(), strict=True):
        cut = row.state == "accepted" and row.mode == "cut"
        gone = above != row.key[1] and not (cut and above == -1)
        yield JumpRow(row.jump, row.decision, row.left_out, row.is_late, is_gone=gone)
