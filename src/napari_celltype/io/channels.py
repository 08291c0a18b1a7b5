"""What a channel measures: its unit in SI, and the clamp mode that units, command and mode field point to together.

Files lie about this more often than about anything else: current-clamp recordings labelled pA, outputs labelled mV
while they inject current, amplifiers switched after the protocol was written. So every piece of evidence has a vote,
what loses the vote is told in a note, and a guess is named a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from napari_celltype.recording import Clamp, FloatArray

__all__ = [
    "NO_UNIT",
    "PROBE_RATE_HZ",
    "ClampVerdict",
    "Evidence",
    "Quantity",
    "Unit",
    "judge_clamp",
    "judge_pair",
    "looks_like_action_potentials",
    "looks_like_membrane_potential",
    "parse_unit",
]

Quantity = Literal["voltage", "current", "other", "unknown"]

PROBE_RATE_HZ = 5000
"""Enough to show a spike; values are thinned out to this rate, since opening a file should stay quick."""

_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_LONG_PREFIXES = {"femto": "f", "pico": "p", "nano": "n", "micro": "u", "milli": "m", "kilo": "k"}
_BASES: dict[str, Quantity] = {"v": "voltage", "a": "current"}
# micro sign, Greek mu, and what they become when Latin-1 or Mac Roman text is read with another table
_MU = re.compile("[\u00b5\u03bc\ufffd]|\u00c2\u00b5|\u00ce\u00bc|&micro;|mu(?=[va]$)", re.IGNORECASE)
_LONG = re.compile(r"^(femto|pico|nano|micro|milli|kilo)?[\s-]*(volts?|amperes?|amps?)$")
_SHORT = re.compile(r"^([fpnumk]?)\s*([va])$")


@dataclass(frozen=True)
class Unit:
    """A unit as the file spells it, what it measures, and the factor that brings it to V or A.

    ``to_si`` is 1.0 where the quantity is neither voltage nor current: such values stay as they are.
    """

    text: str
    quantity: Quantity
    to_si: float = 1.0

    def __str__(self) -> str:
        return self.text or "no unit"

    @property
    def is_electrical(self) -> bool:
        """Whether this measures voltage or current."""
        return self.quantity in ("voltage", "current")


NO_UNIT = Unit("", "unknown")
_MILLIVOLT = Unit("mV", "voltage", 1e-3)
_PICOAMPERE = Unit("pA", "current", 1e-12)


@lru_cache(maxsize=256)
def parse_unit(text: str | bytes | None) -> Unit:
    """Read a unit whatever its spelling: ``mV``, ``MV``, ``µV``, ``pA``, ``picoamperes``, ``volt``, ``C``, nothing.

    Notes
    -----
    No patch-clamp signal is in megavolts or megaamperes, so the case of the prefix is ignored.
    """
    if text is None:
        return NO_UNIT
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    shown = "".join(c for c in text.split("\x00", 1)[0] if c.isprintable()).strip()
    plain = _MU.sub("u", shown.strip("[](){}")).strip().lower().rstrip(".")
    if plain in ("", "?", "none", "unknown", "n/a", "na.", "-", "a.u.", "a.u", "au"):
        return Unit(shown, "unknown")
    if match := _LONG.match(plain):
        prefix = _LONG_PREFIXES.get(match[1] or "", "")
        base = match[2][0]
    elif match := _SHORT.match(plain):
        prefix, base = match[1], match[2]
    else:
        return Unit(shown, "other")
    return Unit(shown, _BASES[base], _PREFIXES[prefix])


@dataclass(frozen=True)
class ClampVerdict:
    """The clamp mode, why, and how the two signals must be read if it is right.

    ``response`` and ``command`` are the units to use: the file's own, unless a label was overruled.
    ``notes`` are sentences for ``Recording.problems``; empty where all evidence agrees.
    """

    clamp: Clamp
    reason: str
    response: Unit = NO_UNIT
    command: Unit = NO_UNIT
    notes: tuple[str, ...] = ()

    @property
    def voltage_is_response(self) -> bool:
        """Whether the measured signal is the voltage (else it is the current)."""
        return self.response.quantity == "voltage"


@dataclass(frozen=True)
class Evidence:
    """One thing that speaks for a clamp mode: how strongly, and a clause that says what it is."""

    clamp: Clamp
    weight: int
    because: str


def judge_clamp(
    response: Unit,
    command: Unit = NO_UNIT,
    mode: Clamp = "unknown",
    *,
    mode_source: str = "the file's mode field",
    probes: Callable[[], Iterable[FloatArray]] | None = None,
    rate_hz: float = 0.0,
) -> ClampVerdict:
    """Decide the clamp mode from the response's unit, the command's unit and the mode field together.

    Parameters
    ----------
    response, command
        Units of what was measured and of what was applied; ``NO_UNIT`` where the file does not say.
    mode, mode_source
        The mode the file states, and where it states it (for the notes), for example "the amplifier's telegraph".
    probes
        Called only where labels cannot be trusted alone: gives a few contiguous stretches of the response, in the
        file's own numbers. A few thousand points are enough.
    rate_hz
        Sampling rate of the probes.
    """
    if response.quantity == "other":
        return ClampVerdict("unknown", f"the signal is in {response}, which is no electrode's unit", response, command)
    evidence = [*_from_response(response), *_from_labels(command, mode, mode_source)]
    agreed = len({item.clamp for item in evidence}) == 1
    stretches: list[FloatArray] = []
    # the one mislabelling that leaves no disagreement behind: current clamp saved with a voltage-clamp set-up,
    # by a program that does not know the amplifier's mode
    trusted = agreed and (response.quantity == "voltage" or mode != "unknown")
    if probes is not None and not trusted:
        stretches = list(probes())
        evidence += _from_values(stretches, rate_hz, only_spikes=agreed)
    if not evidence:
        reason = "the mode is unknown: neither response nor command has a unit and the file states none"
        return ClampVerdict("unknown", reason, response, command)
    verdict = _with_units_that_fit(_weigh(evidence), response, command)
    if verdict.response.quantity != "voltage" or response.quantity == "voltage":
        return verdict
    return replace(verdict, notes=(*verdict.notes, *_notes_of_range(stretches)))


def judge_pair(
    command: Unit = NO_UNIT,
    mode: Clamp = "unknown",
    *,
    mode_source: str = "the file's mode field",
    voltage_name: str = "",
    current_name: str = "",
    voltage_probes: Callable[[], Iterable[FloatArray]] | None = None,
    rate_hz: float = 0.0,
) -> ClampVerdict:
    """Decide the clamp mode of an electrode whose voltage and current were both recorded.

    Which of the two was the command is told by the command's unit, by channels named after an output
    (``AO #0``, ``Cmd``), by the mode field, and by action potentials in the voltage (probes in mV).
    """
    evidence = _from_labels(command, mode, mode_source)
    if _names_an_output(voltage_name):
        evidence.append(Evidence("voltage", 2, f"the voltage channel is named {voltage_name}, an output"))
    if _names_an_output(current_name):
        evidence.append(Evidence("current", 2, f"the current channel is named {current_name}, an output"))
    guessed = not evidence
    if voltage_probes is not None and {item.clamp for item in evidence} != {"current"}:
        stretches = list(voltage_probes())
        if guessed and stretches and all(steps_between_levels(values) for values in stretches):
            evidence.append(Evidence("voltage", 1, "the voltage steps between flat levels, as a command does"))
        evidence += _from_values(stretches, rate_hz, only_spikes=bool(evidence))
    if not evidence:
        return ClampVerdict("unknown", "voltage and current were both recorded and nothing says which was the command")
    verdict = _weigh(evidence)
    if guessed and not verdict.notes:
        verdict = replace(verdict, notes=(f"Taken as {verdict.reason}.",))
    return replace(verdict, command=_fitting(command, "current" if verdict.clamp == "current" else "voltage"))


def _names_an_output(name: str) -> bool:
    return re.search(r"\b(ao\b|cmd|command|com\b|out\b|dac)|_com\b", name.lower()) is not None


def _from_response(response: Unit) -> list[Evidence]:
    if not response.is_electrical:
        return []
    clamp: Clamp = "current" if response.quantity == "voltage" else "voltage"
    return [Evidence(clamp, 1, f"the response is in {response}")]


def _from_labels(command: Unit, mode: Clamp, mode_source: str) -> list[Evidence]:
    evidence = []
    if command.is_electrical:
        clamp: Clamp = "current" if command.quantity == "current" else "voltage"
        evidence.append(Evidence(clamp, 1, f"the command is in {command}"))
    if mode != "unknown":
        # the amplifier or the producer knew the mode; units are typed by people
        evidence.append(Evidence(mode, 2, f"{mode_source} says {mode} clamp"))
    return evidence


def _from_values(stretches: list[FloatArray], rate_hz: float, *, only_spikes: bool) -> list[Evidence]:
    every = max(1, int(rate_hz // PROBE_RATE_HZ))
    stretches, rate_hz = [values[::every] for values in stretches], rate_hz / every
    if any(looks_like_action_potentials(values, rate_hz) for values in stretches):
        return [Evidence("current", 3, "the values look like action potentials in mV")]
    if stretches and not only_spikes and all(looks_like_membrane_potential(values) for values in stretches):
        return [Evidence("current", 1, "the values look like a resting membrane potential in mV")]
    return []


def _weigh(evidence: list[Evidence]) -> ClampVerdict:
    """The mode with more weight behind it; what stands first decides a tie."""
    weight = {clamp: sum(item.weight for item in evidence if item.clamp == clamp) for clamp in ("current", "voltage")}
    if weight["current"] == weight["voltage"]:
        clamp = evidence[0].clamp
    else:
        clamp = "current" if weight["current"] > weight["voltage"] else "voltage"
    reason = f"{clamp} clamp, because {_and([item.because for item in evidence if item.clamp == clamp])}"
    against = [item.because for item in evidence if item.clamp != clamp]
    if against:
        reason = f"{reason}, although {_and(against)} (a guess)"
        return ClampVerdict(clamp, reason, notes=(f"Taken as {reason}.",))
    if len(evidence) == 1 and evidence[0].weight == 1:
        reason = f"{reason} (a guess: nothing else in the file says so)"
    return ClampVerdict(clamp, reason)


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _with_units_that_fit(verdict: ClampVerdict, response: Unit, command: Unit) -> ClampVerdict:
    """Read both signals in units that the decided mode allows, and say where a label was overruled."""
    current_clamp = verdict.clamp == "current"
    fitting_response = _fitting(response, "voltage" if current_clamp else "current")
    fitting_command = _fitting(command, "current" if current_clamp else "voltage")
    notes = list(verdict.notes)
    if fitting_response != response:
        label = f"is labelled {response}" if response.text else "has no unit"
        notes.append(f"The response {label}; its numbers are read as {fitting_response}.")
    if fitting_command != command and command.text:
        notes.append(
            f"The command is labelled {command}; its numbers are read as {fitting_command}, though their true scale "
            "is the amplifier's."
        )
    return replace(verdict, response=fitting_response, command=fitting_command, notes=tuple(notes))


def _notes_of_range(stretches: list[FloatArray]) -> list[str]:
    """What to say of numbers that were taken for mV against their label and cannot be."""
    values = np.concatenate([np.empty(0), *stretches])
    values = values[np.isfinite(values)]
    if not values.size or (values.min() > -200 and values.max() < 150):
        return []
    text = (
        f"Its numbers run from {values.min():.4g} to {values.max():.4g}, which no membrane does in mV: "
        "the gain in the file is wrong too, so amplitudes cannot be trusted."
    )
    # an amplifier switched from 0.5 V/nA to 10 mV/mV while the file's set-up stayed
    if looks_like_membrane_potential(values / 20):
        text += " Divided by 20, as after a switch from 0.5 V/nA to 10 mV/mV, they would fit."
    return [text]


def _fitting(unit: Unit, quantity: Quantity) -> Unit:
    """The unit itself, or mV / pA where it cannot be right.

    Amplifiers scale their voltage in mV and their current in pA, so a wrong label sits on numbers of that size;
    V and nA, a thousand times more, go together likewise.
    """
    if unit.quantity == quantity:
        return unit
    large = unit.text and unit.to_si in (1.0, 1e-9) and unit.is_electrical
    if quantity == "voltage":
        return Unit("V", "voltage", 1.0) if large else _MILLIVOLT
    return Unit("nA", "current", 1e-9) if large else _PICOAMPERE


def looks_like_membrane_potential(values: FloatArray) -> bool:
    """Whether numbers could be a membrane potential in mV: at rest most of the time, never beyond -160 or +80."""
    values = values[np.isfinite(values)]
    if values.size < 10 or values.min() < -160 or values.max() > 80:
        return False
    # a holding current may rest there too, but patch current is noisier than half a pA from sample to sample
    return -95 < float(np.median(values)) < -40 and _jitter(values) < 0.5


def steps_between_levels(values: FloatArray) -> bool:
    """Whether numbers in mV rest on flat levels 5 or more apart with nothing between, as no membrane does."""
    values = values[np.isfinite(values)]
    if values.size < 10 or float(np.ptp(values)) < 5:
        return False
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    levels = np.split(ordered, np.flatnonzero(gaps >= 5) + 1)
    return len(levels) > 1 and all(float(np.ptp(level)) < 1 for level in levels)


def looks_like_action_potentials(values: FloatArray, rate_hz: float) -> bool:
    """Whether numbers hold an action potential in mV: from rest beyond -10 and back, 0.15 to 6 ms wide, smooth."""
    if values.size < 10 or rate_hz <= 0:
        return False
    # NaN fails too, and then is looked for
    if not (values.max() < 80 and values.min() > -200):
        values = values[np.isfinite(values)]
        if values.size < 10 or values.max() >= 80 or values.min() <= -200:
            return False
    at = int(values.argmax())
    peak = float(values[at])
    if peak <= -10:
        return False
    rest = float(np.partition(values, values.size // 10)[values.size // 10])
    if not -100 < rest < -30:
        return False
    below = np.flatnonzero(values < (rest + peak) / 2)
    split = int(np.searchsorted(below, at))
    if split in (0, below.size):
        return False
    width_ms = (below[split] - below[split - 1] - 1) / rate_hz * 1e3
    return bool(0.15 <= width_ms <= 6) and _jitter(values) < 0.02 * (peak - rest)


def _jitter(values: FloatArray) -> float:
    return float(np.median(np.abs(np.diff(values))))
