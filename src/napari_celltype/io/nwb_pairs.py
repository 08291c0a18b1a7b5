"""Which stimulus belongs to which response in an NWB file, and on what ground we say so.

Three grounds, best first: the file's own table of recordings, a sweep number and electrode that both series state,
and names that differ only in their role (``data_00003_AD0`` and ``data_00003_DA0``). Names are a guess and are told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from .nwb_series import Series

__all__ = ["Pair", "TableRow", "pair_series"]

BY_TABLE = "the file's table of recordings"
BY_SWEEP = "sweep number and electrode"
BY_NAME = "name"
_ROLES = re.compile(
    r"(?:current|voltage|izero)?_?clamp_?(?:stimulus|stim)?_?(?:series)?|responses?|stimulus|stimuli|stim|acquisition|"
    r"presentation|series|command|cmd|(?<![a-z])(?:ad|da|adc|dac|ics|ic|vcs|vc|ccss|ccs|vcss|resp|in|out)(?![a-z])"
)


@dataclass(frozen=True)
class Pair:
    """A response, the stimulus that caused it if known, and why we think so."""

    response: Series
    stimulus: Series | None = None
    ground: str = ""
    notes: tuple[str, ...] = ()
    number: int | None = None
    protocol: str = ""


@dataclass(frozen=True)
class TableRow:
    """A row of the table of intracellular recordings: group paths with sample ranges (count -1: all)."""

    response: tuple[str, int, int]
    stimulus: tuple[str, int, int] | None = None
    number: int | None = None
    protocol: str = ""


def pair_series(responses: list[Series], stimuli: list[Series], rows: Iterable[TableRow] = ()) -> list[Pair]:
    """Every response once (or once for each row that names it), with its stimulus where one can be told."""
    pairs, responses, stimuli = _by_table(responses, stimuli, list(rows))
    found: dict[str, Pair] = {}
    grounds = _GROUNDS if len(responses) != 1 or len(stimuli) != 1 else (*_GROUNDS, _ONLY_TWO)
    for ground, key in grounds:
        free = [one for one in responses if one.path not in found or found[one.path].stimulus is None]
        taken = {pair.stimulus.path for pair in found.values() if pair.stimulus is not None}
        for response, stimulus in _unique_matches(free, [s for s in stimuli if s.path not in taken], key):
            found[response.path] = Pair(response, stimulus, ground, _doubts(response, stimulus, ground))
    return pairs + [found.get(response.path, Pair(response)) for response in responses]


def _by_table(
    responses: list[Series], stimuli: list[Series], rows: list[TableRow]
) -> tuple[list[Pair], list[Series], list[Series]]:
    """Pairs of the table, and the series it does not mention."""
    response_at = {one.group: one for one in responses}
    stimulus_at = {one.group: one for one in stimuli}
    pairs = []
    for row in rows:
        response = response_at.get(row.response[0])
        if response is None:
            continue
        stimulus = stimulus_at.get(row.stimulus[0]) if row.stimulus else None
        part = stimulus.part(*row.stimulus[1:]) if stimulus and row.stimulus else None
        ground = BY_TABLE if part else ""
        number = row.number if response.number is None else None
        pairs.append(Pair(response.part(*row.response[1:]), part, ground, number=number, protocol=row.protocol))
    told = {pair.response.group for pair in pairs}
    # a table written without its stimulus column still leaves sweep numbers and names
    lonely = {pair.response.group for pair in pairs if pair.stimulus is None}
    used = {pair.stimulus.group for pair in pairs if pair.stimulus}
    if lonely and not used and len(lonely) == len(pairs):
        rest = {pair.response.path: pair for pair in pair_series([p.response for p in pairs], stimuli)}
        pairs = [_with_row(rest[pair.response.path], pair) for pair in pairs]
    return pairs, [r for r in responses if r.group not in told], [s for s in stimuli if s.group not in used]


def _with_row(pair: Pair, row: Pair) -> Pair:
    return Pair(row.response, pair.stimulus, pair.ground, pair.notes, row.number, row.protocol)


def _unique_matches(
    responses: list[Series], stimuli: list[Series], key: Callable[[Series], Hashable | None]
) -> list[tuple[Series, Series]]:
    """Response and stimulus that share a key nobody else has."""
    groups: dict[Hashable, tuple[list[Series], list[Series]]] = defaultdict(lambda: ([], []))
    for side, members in enumerate((responses, stimuli)):
        for one in members:
            if (shared := key(one)) is not None:
                groups[shared][side].append(one)
    pairs = [(ours[0], theirs[0]) for ours, theirs in groups.values() if len(ours) == len(theirs) == 1]
    return [(ours, theirs) for ours, theirs in pairs if not _contradict(ours, theirs)]


def _contradict(ours: Series, theirs: Series) -> bool:
    return None not in (ours.number, theirs.number) and ours.number != theirs.number


def _by_number_electrode_name(one: Series) -> Hashable | None:
    name = _by_name(one)
    return None if one.number is None or name is None else (one.number, one.electrode, name)


def _by_number_electrode(one: Series) -> Hashable | None:
    return None if one.number is None else (one.number, one.electrode)


def _by_number_electrode_start(one: Series) -> Hashable | None:
    return None if one.number is None else (one.number, one.electrode, round(one.start_s, 6))


def _by_number(one: Series) -> Hashable | None:
    return one.number


def _by_name(one: Series) -> Hashable | None:
    """The name without the words that say which side it is on, numbers as numbers."""
    bare = _ROLES.sub(" ", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one.name).lower())
    words = re.findall(r"[a-z]+|\d+", bare)
    return tuple(int(w[-15:]) if w.isdecimal() else w for w in words) if re.search(r"\d", bare) else None


def _alone(one: Series) -> Hashable | None:
    return "the only one"


_GROUNDS: tuple[tuple[str, Callable[[Series], Hashable | None]], ...] = (
    # two devices in one file number their sweeps alike: then the name decides among series with equal numbers
    (BY_SWEEP, _by_number_electrode_name),
    (BY_SWEEP, _by_number_electrode),
    (BY_SWEEP, _by_number_electrode_start),
    ("sweep number", _by_number),
    (BY_NAME, _by_name),
)
_ONLY_TWO = ("being the only two", _alone)


def _doubts(response: Series, stimulus: Series, ground: str) -> tuple[str, ...]:
    if ground == "sweep number":
        text = (
            f"The response is said to come from {response.electrode or 'no electrode'} and the stimulus from "
            f"{stimulus.electrode or 'no electrode'}; they were paired because no other has this sweep number."
        )
        return (text,)
    if ground == BY_SWEEP:
        return ()
    return (f"Response and stimulus were paired by {ground} (a guess): the file does not say what belongs together.",)
