"""What is said of a neuron, in words."""

from __future__ import annotations

from dataclasses import dataclass

from napari_celltype.neuron import Neuron

from .classify_names import spoken
from .classify_text import headline, other_text, percent
from .classify_values import Verdict
from .neuron_type import NeuronCall, RepairEffect
from .neuron_why import Difference, Why

__all__ = [
    "NO_JUMP",
    "describe_neuron_call",
    "difference_cells",
    "difference_text",
    "limit_text",
    "pair_heads",
    "pair_lines",
    "repair_text",
    "why_text",
]

NO_JUMP = "No z-jump was found: there is nothing whose repair could change the answer."


def describe_neuron_call(call: NeuronCall) -> list[str]:
    """All that is said of a neuron, a line each, for the terminal."""
    verdict = call.verdict
    if verdict is None:
        return [f"Neuron's type: {call.refusal or 'not predicted.'}"]
    answer, detail = headline(verdict)
    lines = [f"Neuron's type ({verdict.model} {verdict.version}): {answer}{f', {detail}' if detail else ''}."]
    lines += [f"  {reason}" for reason in verdict.reasons]
    lines += [f"  {other_text(other)}" for other in call.others]
    return lines + ([f"  {repair_text(call.repair)}"] if call.repair is not None else [])


def repair_text(effect: RepairEffect) -> str:
    """Whether the repair changes the answer."""
    jumps = f"{effect.n_jumps} z-jump{'' if effect.n_jumps == 1 else 's'}"
    before, after = _short(effect.before), _short(effect.after)
    if effect.done:
        what, then = f"Your edits (the file has {jumps})", f"{before} in the file, {after} now"
    else:
        what, then = f"Mending the {jumps} found", f"{before} as it is, {after} mended"
    if effect.changes:
        return f"{what} would change the answer: {then}." if not effect.done else f"{what} change the answer: {then}."
    return f"{what} {'would not' if not effect.done else 'do not'} change the answer: {then}."


def pair_heads(effect: RepairEffect) -> tuple[str, str]:
    """What stands above the two answers."""
    return ("as in the file", "with your edits") if effect.done else ("as it is", "mended")


@dataclass(frozen=True)
class PairLine:
    """What both answers say of one class."""

    label: str
    before: float
    after: float


def pair_lines(effect: RepairEffect | None, least: float = 0.01) -> list[PairLine]:
    """The classes that either answer gives a share worth a line."""
    if effect is None:
        return []
    shares = zip(effect.before.classes, effect.before.probabilities, effect.after.probabilities, strict=True)
    lines = [PairLine(label, float(before), float(after)) for label, before, after in shares]
    return [line for line in lines if max(line.before, line.after) >= least]


def _short(verdict: Verdict) -> str:
    said = f"{spoken(verdict.label)}, {percent(verdict.confidence)}"
    return f"“I don't know” ({said})" if verdict.abstained else said


def difference_cells(difference: Difference) -> tuple[str, str, str, str]:
    """A line of the table: name, this neuron, the class, and how far apart."""
    return (
        difference.name,
        f"{difference.value:,.4g}",
        f"{difference.usual:,.4g}",
        f"{difference.z:+.1f}".replace("-", "−"),
    )


def difference_text(found: tuple[Difference, ...] | None, label: str) -> str:
    """What stands above the table."""
    if found is None:
        return "No averages of the classes are here to compare with."
    far = [one for one in found if abs(one.z) >= 2]
    name = spoken(label)
    if not far:
        return f"All measures lie within two standard deviations of {name} cells."
    return f"{len(far)} of {len(found)} measures are more than two standard deviations from {name} cells."


def why_text(why: Why, neuron: Neuron) -> str:
    """Where what decided lies."""
    name, branch = spoken(why.label), why.strongest
    if branch is None:
        return "No branch could be taken off: too little would be left of the neuron."
    before, after = percent(why.probability), percent(why.probability_without(branch))
    if before == after:
        return f"No single branch decides: without any of them {name} stays at {before}."
    part = _PARTS.get(int(neuron.types[neuron.rows_of([branch.node_id])[0]]), "branch")
    return (
        f"The branch that counts most is {branch.length_um:,.0f} um of {part} from node {branch.node_id} on. "
        f"Without it the probability of {name} would be {after} instead of {before}."
    )


_PARTS = {2: "axon", 3: "dendrite", 4: "apical dendrite"}


def limit_text(why: Why) -> tuple[str, str]:
    """What the two ends of the scale mean."""
    return f"against: −{why.limit:.2g} log-odds", f"for {spoken(why.label)}: +{why.limit:.2g}"
