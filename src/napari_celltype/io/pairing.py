"""Which recorded channels belong to one electrode, and which are something else (temperature, triggers)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .channels import Unit

__all__ = ["Electrode", "Pairing", "pair_channels"]


@dataclass(frozen=True)
class Electrode:
    """Positions of an electrode's voltage and current channel; ``unlabelled`` where the unit says neither."""

    name: str
    voltage: int | None = None
    current: int | None = None
    unlabelled: int | None = None

    @property
    def is_pair(self) -> bool:
        """Whether both voltage and current were recorded."""
        return self.voltage is not None and self.current is not None

    @property
    def response(self) -> int:
        """The only channel of an electrode that is no pair."""
        return next(place for place in (self.voltage, self.current, self.unlabelled) if place is not None)


@dataclass(frozen=True)
class Pairing:
    """The electrodes in order, positions of all other channels, and notes on what was guessed."""

    electrodes: tuple[Electrode, ...]
    others: tuple[int, ...]
    notes: tuple[str, ...] = ()


def pair_channels(names: Sequence[str], units: Sequence[Unit], *, separate: bool = False) -> Pairing:
    """Group channels into electrodes by unit, by numbered names (V1 with I1), else by order where counts match.

    Parameters
    ----------
    names, units
        One of each per channel, in order.
    separate
        Set where the file shows that voltage and current channels belong to different electrodes.
    """
    shown = [name or f"channel {place}" for place, name in enumerate(names)]
    chosen, notes = _choose(shown, units)
    voltages = [place for place in chosen if units[place].quantity == "voltage"]
    currents = [place for place in chosen if units[place].quantity == "current"]
    if separate or not (voltages and currents):
        electrodes = [_alone(place, shown, units) for place in chosen]
    elif numbered := _pair_by_number(shown, voltages, currents):
        electrodes = numbered
        notes += _notes_of_dropped(shown, units, chosen, electrodes)
    elif len(voltages) == len(currents):
        electrodes = [Electrode(f"{shown[v]} + {shown[i]}", v, i) for v, i in zip(voltages, currents, strict=True)]
    else:
        electrodes = [_alone(place, shown, units) for place in chosen]
        notes.append(
            f"{len(voltages)} voltage and {len(currents)} current channels were recorded and nothing says which "
            "belong together; each is shown as an electrode of its own."
        )
    used = {place for e in electrodes for place in (e.voltage, e.current, e.unlabelled)}
    return Pairing(tuple(electrodes), tuple(p for p in range(len(units)) if p not in used), tuple(notes))


def _choose(names: list[str], units: Sequence[Unit]) -> tuple[list[int], list[str]]:
    """Channels that can be an electrode's: in mV or pA; else in V; else without a unit."""
    electrical = [place for place, unit in enumerate(units) if unit.is_electrical]
    fine = [p for p in electrical if not (units[p].quantity == "voltage" and units[p].to_si == 1.0)]
    if fine:
        left = [names[p] for p in electrical if p not in fine]
        note = f"Taken for auxiliary signals because they are in V: {', '.join(left)}."
        return fine, [note] if left else []
    if electrical:
        return electrical, []
    return [place for place, unit in enumerate(units) if unit.quantity == "unknown"], []


def _alone(place: int, names: list[str], units: Sequence[Unit]) -> Electrode:
    quantity = units[place].quantity
    if quantity == "voltage":
        return Electrode(names[place], voltage=place)
    if quantity == "current":
        return Electrode(names[place], current=place)
    return Electrode(names[place], unlabelled=place)


_NUMBERED = re.compile(r"^(v|vm|i|im)[ _-]?(\d+)$")


def _pair_by_number(names: list[str], voltages: list[int], currents: list[int]) -> list[Electrode]:
    """Pairs by names such as V1 and I1; nothing unless every voltage channel is numbered so."""
    by_number: dict[tuple[str, str], int] = {}
    for place in [*voltages, *currents]:
        if match := _NUMBERED.match(names[place].strip().lower()):
            letter = "v" if place in voltages else "i"
            if match[1].startswith(letter):
                by_number[letter, match[2]] = place
    numbers = [number for letter, number in by_number if letter == "v"]
    if not numbers or not any(("i", number) in by_number for number in numbers):
        return []
    return [Electrode(number, by_number["v", number], by_number.get(("i", number))) for number in numbers]


def _notes_of_dropped(
    names: list[str], units: Sequence[Unit], chosen: list[int], electrodes: list[Electrode]
) -> list[str]:
    used = {place for e in electrodes for place in (e.voltage, e.current)}
    return [
        f"Channel {names[place]} is labelled {units[place]}, which does not fit its name among the numbered "
        "channels; it is left out."
        for place in chosen
        if place not in used
    ]
