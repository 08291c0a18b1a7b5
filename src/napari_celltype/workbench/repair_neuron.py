"""From a file and what was decided about it to the repaired neuron, doing again only what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from napari_celltype.io.swc_defects import find_defects
from napari_celltype.morphology.edits import AppliedEdit, Edit, apply_edits
from napari_celltype.morphology.repair import repair_z_jumps
from napari_celltype.morphology.sections import edge_lengths_um
from napari_celltype.neuron import Defect, Neuron

from .repair_state import RepairState

__all__ = ["Built", "Numbers", "build", "codes_of_nodes", "is_much_deeper", "recheck", "start", "warn_of_depth"]


@dataclass(frozen=True, eq=False)
class Built:
    """A repaired neuron with what it was made from, to go on from there.

    Parameters
    ----------
    base
        The neuron after the edits made before any jump was accepted; heights of jumps are measured on it.
    neuron
        The repaired neuron.
    """

    state: RepairState
    source: Neuron
    base: Neuron
    mended: Neuron
    applied: tuple[AppliedEdit, ...]
    neuron: Neuron


def start(source: Neuron) -> Built:
    """A neuron about which nothing is decided yet."""
    return Built(RepairState(), source, source, source, (), source)


def build(state: RepairState, at: Built) -> Built:
    """The neuron for another state; RepairError if that state is impossible.

    Notes
    -----
    Accepting a jump costs one pass over the arrays, an edit by hand only itself, and undoing one puts old values
    back. Edits made by hand after a jump was accepted are made again if decisions change before them.
    """
    if not state.edits_neuron:
        return replace(start(at.source), state=state)
    base = at.base if state.first == at.state.first else apply_edits(at.source, state.first)[0]
    accepted = state.accepted
    if base is at.base and accepted == at.state.accepted:
        mended, neuron, applied = at.mended, at.neuron, at.applied
    else:
        mended = repair_z_jumps(base, list(accepted), accepted) if accepted else base
        neuron, applied = mended, ()
    neuron, applied = _go_to(state.hand, neuron, applied)
    return Built(state, at.source, base, mended, applied, neuron)


def _go_to(
    hand: Sequence[Edit], neuron: Neuron, applied: tuple[AppliedEdit, ...]
) -> tuple[Neuron, tuple[AppliedEdit, ...]]:
    same = zip(hand, applied, strict=False)
    n_kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].edit, same))
    for done in reversed(applied[n_kept:]):
        neuron = done.undo(neuron)
    neuron, made = apply_edits(neuron, hand[n_kept:])
    return neuron, (*applied[:n_kept], *made)


def codes_of_nodes(source: Neuron) -> frozenset[str]:
    """Codes of the defects that a file's nodes show, as against its text."""
    return frozenset(defect.code for defect in find_defects(source))


def recheck(source: Neuron, of_source: frozenset[str], neuron: Neuron) -> list[Defect]:
    """Defects of an edited neuron: what its nodes show now, and what the text of its file showed when it was read.

    ``of_source`` are the :func:`codes_of_nodes` of the file, which an edit does not change.
    """
    nodes = find_defects(neuron)
    of_nodes = of_source | {defect.code for defect in nodes}
    now = {(defect.code, defect.node_ids): defect for defect in nodes}
    # a defect that is still there keeps the line the file has it on
    for defect in source.defects:
        key = defect.code, defect.node_ids
        if key in now or (defect.code not in of_nodes and _still_holds(defect, neuron)):
            now[key] = defect
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(now.values(), key=lambda defect: rank[defect.severity])


def _still_holds(defect: Defect, neuron: Neuron) -> bool:
    """Whether what the file's text says of a root still concerns a root; other remarks on the text stay true."""
    if defect.code not in {"missing-parent", "root-sign"}:
        return True
    return bool(np.isin(neuron.ids[neuron.roots], defect.node_ids).any())


def depth_um(neuron: Neuron) -> float:
    """Extent in z; nodes without a height do not count."""
    z = neuron.xyz_um[:, 2]
    z = z[np.isfinite(z)]
    return float(np.ptp(z)) if len(z) else 0.0


def is_much_deeper(before_um: float, after_um: float) -> bool:
    """Whether a depth has grown by so much that a person should look: a fifth and 10 um."""
    return after_um > max(1.2 * before_um, before_um + 10.0)


def warn_of_depth(before: Neuron, after: Neuron) -> str:
    """A sentence if a step has made a neuron much deeper, which mending a jump seldom should; else nothing."""
    was, now = depth_um(before), depth_um(after)
    if not is_much_deeper(was, now):
        return ""
    return (
        f"This made the neuron much deeper: {was:.0f} → {now:.0f} µm in z. Mending a jump rarely does that: look "
        "at it from the side, and take it back (Ctrl+Z) if it is wrong."
    )


@dataclass(frozen=True)
class Numbers:
    """What a repair is judged by."""

    n_nodes: int
    n_trees: int
    length_um: float
    extent_um: tuple[float, float, float]

    @classmethod
    def of(cls, neuron: Neuron) -> Numbers:
        """Of one neuron; nodes without a position do not count."""
        with np.errstate(invalid="ignore"):
            length = edge_lengths_um(neuron)
        xyz = neuron.xyz_um[np.isfinite(neuron.xyz_um).all(axis=1)]
        extent = np.ptp(xyz, axis=0) if len(xyz) else np.zeros(3)
        x, y, z = (float(value) for value in extent)
        return cls(len(neuron), len(neuron.roots), float(length[np.isfinite(length)].sum()), (x, y, z))
