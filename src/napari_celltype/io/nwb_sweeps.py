"""From paired NWB series to sweeps: what each signal really is, on one time base, with every doubt in words.

The unit of a patch-clamp series is fixed by the NWB standard, so a converter that picks the wrong series type also
writes the wrong unit without noticing. What it cannot fake is the scale: nobody stores a membrane potential with a
step of 0.6 fA, nor a patch current with a full scale of 1 A.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from napari_celltype.recording import Clamp, FloatArray, SampleReader, StimulusNote, Sweep

from .channels import PROBE_RATE_HZ, Quantity, Unit, judge_clamp, looks_like_action_potentials
from .hdf5 import Hdf5Source
from .notes import SweepLabel, SweepNotes
from .nwb_pairs import Pair
from .nwb_series import Series, natural_key, scalars_of

__all__ = ["build_sweeps"]

_PROBED = 3
_PROBE_SAMPLES = 1000
_VOLT = Unit("V", "voltage")
_AMPERE = Unit("A", "current")


def build_sweeps(source: Hdf5Source, pairs: list[Pair], notes: SweepNotes) -> tuple[list[Sweep], list[SweepLabel]]:
    """Sweeps in the order of acquisition, and what notes call them; ``notes`` collects what is doubtful."""
    pairs = _with_believable_starts(pairs, notes)
    ordered = _ordered(pairs)
    numbers = _numbers(ordered)
    labels = _labels(ordered, numbers)
    context = _Context(source, notes, _Probe(source))
    sweeps = [_sweep(context, pair, i, numbers[i], labels[i]) for i, pair in enumerate(ordered)]
    _note_rates(sweeps, labels, notes)
    return sweeps, labels


@dataclass(frozen=True)
class _Context:
    source: Hdf5Source
    notes: SweepNotes
    probe: _Probe


def _labels(pairs: list[Pair], numbers: list[int]) -> list[SweepLabel]:
    """Number and electrode, or the series' name where two devices in one file count their sweeps alike."""
    electrodes = [pair.response.electrode for pair in pairs]
    if len(set(zip(numbers, electrodes, strict=True))) < len(pairs):
        return [(pair.response.name, "") for pair in pairs]
    several = len(set(electrodes)) > 1
    return [(str(number), electrode if several else "") for number, electrode in zip(numbers, electrodes, strict=True)]


def _with_believable_starts(pairs: list[Pair], notes: SweepNotes) -> list[Pair]:
    """Take the stimuli's starts where all responses claim the same instant and the stimuli do not."""
    told = [pair for pair in pairs if pair.stimulus]
    starts = {pair.response.start_s for pair in pairs}
    of_stimuli = {pair.stimulus.start_s for pair in told if pair.stimulus}
    if len(starts) != 1 or len(of_stimuli) != len(pairs) or len(pairs) < 2:
        return pairs
    notes.say(
        f"All responses claim to start at {starts.pop():.6g} s; the stimuli's starting times, which differ, were used.",
    )
    return [
        replace(pair, response=replace(pair.response, start_s=pair.stimulus.start_s)) if pair.stimulus else pair
        for pair in pairs
    ]


def _ordered(pairs: list[Pair]) -> list[Pair]:
    """By sweep number where that is unique for an electrode, else by time."""
    keys = Counter((pair.response.number, pair.response.electrode) for pair in pairs)
    numbered = all(number is not None and count == 1 for (number, _), count in keys.items())

    def key(pair: Pair) -> tuple[Any, ...]:
        one = pair.response
        name = natural_key(one.name)
        if pair.number is not None:
            return (0.0, pair.number, one.first, name)
        return (0.0 if numbered else one.start_s, one.number or 0, one.first, name)

    return sorted(pairs, key=key)


def _numbers(pairs: list[Pair]) -> list[int]:
    """The file's own sweep numbers, else those in the names, else the positions."""
    own = [pair.response.number if pair.number is None else pair.number for pair in pairs]
    if all(number is not None for number in own):
        return [int(number) for number in own if number is not None]
    named = [pair.response.name_number for pair in pairs]
    distinct = len({(n, pair.response.electrode) for n, pair in zip(named, pairs, strict=True)}) == len(pairs)
    if distinct and all(number is not None for number in named):
        return [int(number) for number in named if number is not None]
    return list(range(len(pairs)))


def _sweep(context: _Context, pair: Pair, index: int, number: int, label: SweepLabel) -> Sweep:
    source, notes = context.source, context.notes
    response, stimulus = pair.response, pair.stimulus
    verdict = _judge(response, stimulus, context.probe)
    notes.add(label, *pair.notes, *response.notes, *verdict.notes)
    voltage: SampleReader | None = None
    current: SampleReader | None = None
    measured = response.samples(source, verdict.response_scale)
    applied = None
    if stimulus is not None and verdict.command_quantity not in (verdict.response_quantity, "unknown"):
        notes.add(label, *stimulus.notes)
        applied = _on_time_base_of(response, stimulus, stimulus.samples(source, verdict.command_scale), notes, label)
    if verdict.response_quantity == "voltage":
        voltage, current = measured, applied
    else:
        voltage, current = applied, measured
    return Sweep(
        index=index,
        number=number,
        rate_hz=response.rate_hz,
        n_stored=response.n,
        read_voltage=voltage,
        read_current=current,
        clamp=verdict.clamp,
        clamp_reason=verdict.reason,
        start_s=response.start_s,
        electrode=response.electrode,
        stimulus=_stimulus_note(pair),
        metadata=SeriesDetails(source, pair),
    )


@dataclass(frozen=True)
class _Verdict:
    clamp: Clamp
    reason: str
    response_quantity: Quantity
    command_quantity: Quantity
    response_scale: float
    command_scale: float
    notes: tuple[str, ...] = ()


def _judge(response: Series, stimulus: Series | None, probe: _Probe) -> _Verdict:
    """What was measured and what was applied, from types, units and scales together."""
    mode = _mode(response.kind)
    measured = _settle(response, probe, response=True)
    applied = _settle(stimulus, probe, response=False) if stimulus else _Signal("unknown", 1.0)
    notes = (*measured.notes, *applied.notes)
    expected = {"current": ("voltage", "current"), "voltage": ("current", "voltage")}.get(mode)
    if expected == (measured.quantity, applied.quantity) or (expected and _agrees(measured, applied, expected)):
        reason = f"{mode} clamp, because the file says so ({response.kind})"
    elif measured.quantity == applied.quantity and measured.overruled | applied.overruled:
        mode, reason = _judge_twins(response, measured, probe)
        notes = (*notes, f"The clamp mode is {reason}; only the response is shown.")
    else:
        verdict = judge_clamp(measured.unit, applied.unit, mode, mode_source=f"the series' type ({response.kind})")
        mode, reason = verdict.clamp, verdict.reason
        notes = (*notes, *(note for note in verdict.notes if note.startswith("Taken")))
        if verdict.response.is_electrical:
            measured = replace(measured, quantity=verdict.response.quantity)
    return _Verdict(mode, reason, measured.quantity, applied.quantity, measured.scale, applied.scale, notes)


def _judge_twins(response: Series, measured: _Signal, probe: _Probe) -> tuple[Clamp, str]:
    """The mode where response and stimulus are of one quantity, so that one of them is no partner of the other."""
    both = f"response and stimulus are both {measured.quantity}s by their scale"
    if measured.quantity == "voltage" and probe.shows_spikes(response, measured.scale):
        return "current", f"current, because the values look like action potentials, although {both} (a guess)"
    return "unknown", f"unknown, because {both}"


def _agrees(measured: _Signal, applied: _Signal, expected: tuple[str, str]) -> bool:
    return measured.quantity == expected[0] and applied.quantity in ("unknown", expected[1])


def _mode(kind: str) -> Clamp:
    if kind.startswith("VoltageClamp"):
        return "voltage"
    return "current" if kind.startswith(("CurrentClamp", "IZeroClamp")) else "unknown"


@dataclass(frozen=True)
class _Signal:
    quantity: Quantity
    scale: float
    notes: tuple[str, ...] = ()
    overruled: bool = False

    @property
    def unit(self) -> Unit:
        return {"voltage": _VOLT, "current": _AMPERE}.get(self.quantity, Unit("", self.quantity))


def _settle(one: Series, probe: _Probe, *, response: bool) -> _Signal:
    """The quantity and the factor to SI that type, unit and scale agree on best."""
    role = "response" if response else "stimulus"
    scale = one.conversion * one.unit.to_si
    declared = _declared(one, response=response)
    if declared not in ("voltage", "current"):
        return _Signal(declared, scale)
    implied = _implied(one, scale, declared, probe)
    if implied is not None and implied != declared:
        text = (
            f"The {role} is labelled {one.unit} ({one.kind or 'no type'}), but stored in steps or values only "
            f"a {implied} has; it is taken as a {implied} (a guess)."
        )
        return _Signal(implied, scale, (text,), overruled=True)
    return _rescaled(one, scale, declared, probe, role)


def _declared(one: Series, *, response: bool) -> Quantity:
    if one.unit.is_electrical:
        return one.unit.quantity
    mode = _mode(one.kind)
    if mode == "unknown":
        return one.unit.quantity
    return "voltage" if (mode == "current") == response else "current"


def _implied(one: Series, scale: float, declared: Quantity, probe: _Probe) -> Quantity | None:
    """What the scale alone says, or None where it could be either."""
    if one.full_scale is not None:
        full = one.full_scale * abs(scale)
        return "voltage" if full >= 1e-2 else "current" if 0 < full <= 1e-6 else None
    if scale != 1.0:
        return "voltage" if abs(scale) >= 1e-5 else "current" if 0 < abs(scale) <= 1e-8 else None
    peak = probe.peak(one)
    if declared == "current" and 1e-2 < peak < 0.5:
        return "voltage"
    return "current" if declared == "voltage" and 0 < peak < 1e-7 else None


def _rescaled(one: Series, scale: float, quantity: Quantity, probe: _Probe, role: str) -> _Signal:
    """Undo a conversion that is missing or stated twice, where the values leave no other reading."""
    floats = one.full_scale is None
    if floats and quantity == "voltage" and one.unit.to_si != 1.0 and one.conversion == one.unit.to_si:
        if role == "response" and probe.peak(one) * scale < 5e-4 <= probe.peak(one) * one.conversion:
            text = f"The {role} is labelled {one.unit} and converted to V as well; it was converted once (a guess)."
            return _Signal(quantity, one.conversion, (text,), overruled=False)
        return _Signal(quantity, scale)
    if not floats or scale != 1.0:
        return _Signal(quantity, scale)
    peak = probe.peak(one)
    if quantity == "voltage" and 10 <= peak < 1000:
        text = f"The {role} is labelled {one.unit} but reaches {peak:.4g}; its numbers are read as mV (a guess)."
        return _Signal(quantity, 1e-3, (text,))
    if quantity == "current" and peak >= 5:
        text = f"The {role} is labelled {one.unit} but reaches {peak:.4g}; its numbers are read as pA (a guess)."
        return _Signal(quantity, 1e-12, (text,))
    if (quantity == "current" and peak > 1e-3) or (quantity == "voltage" and peak >= 1000):
        text = f"The {role} is labelled {one.unit} and reaches {peak:.4g}, which cannot be right; its scale is unknown."
        return _Signal(quantity, scale, (text,))
    return _Signal(quantity, scale)


class _Probe:
    """Largest stored magnitudes, looked up in the first few series of each kind and only when somebody asks."""

    def __init__(self, source: Hdf5Source) -> None:
        self._source = source
        self._peaks: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def peak(self, one: Series) -> float:
        """Largest magnitude seen in series like this one; 0 if they were silent where we looked."""
        seen = self._peaks[one.kind, one.unit.text, one.electrode]
        if len(seen) < _PROBED:
            seen.append(self._look(one))
        return max(seen)

    def shows_spikes(self, one: Series, to_volts: float) -> bool:
        """Whether the first second holds an action potential."""
        values = one.samples(self._source, to_volts * 1e3)(0, min(one.n, round(one.rate_hz)))
        every = max(1, int(one.rate_hz // PROBE_RATE_HZ))
        return looks_like_action_potentials(values[::every], one.rate_hz / every)

    def _look(self, one: Series) -> float:
        read = one.samples(self._source, 1.0)
        starts = sorted({0, one.n // 2, max(one.n - _PROBE_SAMPLES, 0)})
        values = np.concatenate([read.raw(at, min(at + _PROBE_SAMPLES, one.n)).astype(float) for at in starts])
        return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def _on_time_base_of(
    response: Series, stimulus: Series, read: SampleReader, notes: SweepNotes, label: SweepLabel
) -> SampleReader:
    """The stimulus at the response's sample times; NaN, and a note, where the file has no stimulus."""
    ratio = stimulus.rate_hz / response.rate_hz
    shift = _shift(response, stimulus)
    covered = (stimulus.n / stimulus.rate_hz + shift) * response.rate_hz
    if ratio == 1.0 and shift == 0.0 and stimulus.n >= response.n:
        return read
    if ratio != 1.0:
        text = f"The stimulus was stored at {stimulus.rate_hz:.6g} Hz, the response at {response.rate_hz:.6g} Hz"
        notes.add(label, f"{text}; each stimulus value is held until the next.")
    if shift != 0.0:
        notes.add(label, f"The stimulus begins {shift * 1e3:.4g} ms after the response (negative: before).")
    if covered < response.n - 0.5 or shift > 0:
        text = f"The file holds stimulus for {stimulus.n / stimulus.rate_hz:.4g} s of the response's"
        notes.add(label, f"{text} {response.n / response.rate_hz:.4g} s; the rest reads as NaN.")
    return AlignedSamples(read, stimulus.n, ratio, shift * stimulus.rate_hz)


def _shift(response: Series, stimulus: Series) -> float:
    """Seconds from the response's start to the stimulus', if both began within the same sweep."""
    shift = stimulus.start_s - response.start_s
    overlap = -stimulus.n / stimulus.rate_hz < shift < response.n / response.rate_hz
    return shift if overlap and abs(shift) >= 1 / min(stimulus.rate_hz, response.rate_hz) else 0.0


@dataclass(frozen=True, eq=False)
class AlignedSamples:
    """Reads a signal of another rate, start or length on a sweep's time base, holding each value until the next."""

    read: SampleReader
    n: int
    ratio: float
    shift: float

    def __call__(self, start: int, stop: int) -> FloatArray:
        # a hundredth of a sample keeps 0.99999 from becoming the sample before
        at = np.floor(np.arange(start, stop) * self.ratio - self.shift + 0.01).astype(np.int64)
        inside = (at >= 0) & (at < self.n)
        values = np.full(at.size, np.nan)
        if inside.any():
            first, last = int(at[inside][0]), int(at[inside][-1])
            values[inside] = self.read(first, last + 1)[at[inside] - first]
        return values


_NOTHING = {"", "n/a", "na", "none", "placeholder", "not available"}


def _stimulus_note(pair: Pair) -> StimulusNote:
    series = [one for one in (pair.response, pair.stimulus) if one is not None]
    names = [name for name in (*(one.description for one in series), pair.protocol) if name.lower() not in _NOTHING]
    facts: dict[str, Any] = {}
    for one in reversed(series):
        facts |= one.stimulus
    name = facts.pop("name", names[0] if names else "")
    return StimulusNote(name=name, **facts)


class SeriesDetails(Mapping[str, Any]):
    """What the file says of one sweep (amplifier settings, descriptions), read when somebody looks."""

    def __init__(self, source: Hdf5Source, pair: Pair) -> None:
        self._source = source
        self._pair = pair

    @cached_property
    def _values(self) -> dict[str, Any]:
        pair = self._pair
        values: dict[str, Any] = {"response": pair.response.path}
        if pair.stimulus is not None:
            values |= {"stimulus": pair.stimulus.path, "paired_by": pair.ground}
        return values | {
            name: value for name, value in scalars_of(self._source, pair.response.group).items() if name not in values
        }

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pair.response.path})"


def _note_rates(sweeps: list[Sweep], labels: list[SweepLabel], notes: SweepNotes) -> None:
    rates = Counter(sweep.rate_hz for sweep in sweeps)
    usual = rates.most_common(1)[0][0]
    for sweep, label in zip(sweeps, labels, strict=True):
        if sweep.rate_hz != usual:
            notes.add(label, f"Sampled at {sweep.rate_hz:.6g} Hz; most other sweeps at {usual:.6g} Hz.")
