"""Verdicts in words: what a user reads first, and why to believe it or not."""

from __future__ import annotations

from collections.abc import Sequence

from .classify_names import broad_type, canonical, compare_labels, form_kind, spoken
from .classify_values import Band, CellCall, Verdict, Vote, spread_of

__all__ = [
    "agreement_text",
    "band_text",
    "describe_call",
    "headline",
    "other_text",
    "percent",
    "spread_text",
    "votes_text",
]

_BROAD = {"exc": "excitatory", "inh": "inhibitory"}
_SEEN = {"features": "feature", "waveform": "waveform"}


def percent(share: float) -> str:
    """A probability as people say it; never a certainty that rounding made up."""
    return "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def headline(verdict: Verdict) -> tuple[str, str]:
    """The answer in a few words, and a line below it."""
    name = spoken(verdict.label)
    kind = broad_type(verdict.label)
    said = f"{name}, {percent(verdict.confidence)}"
    if verdict.abstained:
        return "I don't know", f"best guess {said}"
    if verdict.input == "neuron":
        return said, form_kind(verdict.label)
    detail = "" if not kind or canonical(verdict.label) in ("exc", "inh") else _BROAD[kind]
    return said, detail


def agreement_text(verdict: Verdict, companion: Verdict | None) -> str:
    """Whether the model of the other kind says the same."""
    if companion is None:
        other = "feature" if verdict.input == "waveform" else "waveform"
        return f"No {other} model is here to compare with."
    who = f"The {_SEEN[companion.input]} model {companion.model}"
    name = f"{spoken(companion.label)}, {percent(companion.confidence)}"
    if companion.abstained:
        return f"{who} does not know (best guess {name}): {companion.reasons[0]}"
    how = compare_labels(verdict.label, companion.label)
    if how == "same":
        return f"{who} agrees: {name}."
    if how == "broad":
        return f"{who} agrees on {_BROAD[broad_type(companion.label)]}, but says {name}."
    return f"{who} disagrees: {name}." if how == "differ" else f"{who} says {name}."


def other_text(verdict: Verdict) -> str:
    """One further model in a line."""
    said = f"{spoken(verdict.label)}, {percent(verdict.confidence)}"
    if verdict.abstained:
        return f"{verdict.model} does not know (best guess {said}): {verdict.reasons[0]}"
    return f"{verdict.model} says {said}."


def describe_call(call: CellCall) -> list[str]:
    """All that is said of a cell, a line each, for the terminal."""
    verdict = call.verdict
    if verdict is None:
        return [f"Cell type: {call.refusal or 'not predicted.'}"]
    answer, detail = headline(verdict)
    lines = [f"Cell type ({verdict.model} {verdict.version}): {answer}{f', {detail}' if detail else ''}."]
    lines += [f"  {reason}" for reason in verdict.reasons]
    lines += [f"  {agreement_text(verdict, call.companion)}"]
    lines += [f"  {other_text(other)}" for other in call.others]
    return lines + ([f"  {votes_text(call.votes)}"] if call.votes else [])


def votes_text(votes: Sequence[Vote]) -> str:
    """How the sweeps voted, and how far their probabilities spread."""
    spread = spread_of(votes)
    if spread is None:
        return "No sweep has a window this model takes."
    if not spread.judged:
        return f"The model abstains on each of the {spread.asked} sweeps with a spike."
    range_ = f", {percent(spread.low)} to {percent(spread.high)}" if spread.judged > 1 else ""
    left = spread.asked - spread.judged
    more = f"; {left} more it would not judge" if left else ""
    said = f"{spread.agreeing} of {spread.judged} {'sweep says' if spread.judged == 1 else 'sweeps say'}"
    return f"{said} {spoken(spread.label)} (mean {percent(spread.mean)}{range_}{more})."


def spread_text(votes: Sequence[Vote]) -> str:
    """How far the probability of the commonest answer spreads from sweep to sweep; empty for a single one."""
    spread = spread_of(votes)
    if spread is None or spread.asked < 2:
        return ""
    n = spread.judged or spread.asked
    mean, deviation = 100 * spread.mean, 100 * spread.deviation
    return f"From sweep to sweep: {spoken(spread.label)} {mean:.0f} ± {deviation:.0f} % ({n} sweeps)."


def band_text(band: Band) -> str:
    """How far the window may be shifted."""
    low, high = band.steady_ms()
    if low == high == 0.0:
        return "The verdict holds for no shift of the window: it would be another one, or none, 0.1 ms away."
    return f"The verdict holds while the window is shifted by {_shift(low)} to {_shift(high)} ms."


def _shift(value: float) -> str:
    return "0" if value == 0 else f"{value:+.1f}".replace("-", "−")
