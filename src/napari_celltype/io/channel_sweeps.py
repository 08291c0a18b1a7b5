"""Sweeps out of recorded channels, for formats that store channels by episode and say little else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_celltype.recording import Clamp, FloatArray, SampleReader, StimulusNote, Sweep

from .channels import ClampVerdict, Unit, judge_clamp, judge_pair
from .pairing import Electrode, Pairing, pair_channels

__all__ = ["Channel", "Episode", "Layout", "build_sweeps", "pair_si_channels"]

_LARGEST_MEMBRANE_V = 0.3


@dataclass(frozen=True)
class Channel:
    """A recorded channel: its name, the unit its numbers have, and the mode its amplifier was in."""

    name: str
    unit: Unit
    mode: Clamp = "unknown"


@dataclass(frozen=True)
class Episode:
    """One sweep of all channels."""

    number: int
    rate_hz: float
    n_samples: int
    start_s: float = 0.0
    stimulus: StimulusNote = field(default_factory=StimulusNote)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """What a file holds, and how to read it.

    ``reader`` takes an episode's position, a channel's position and the factor from the channel's unit to the
    wanted one, and gives a sample reader.
    """

    channels: Sequence[Channel]
    episodes: Sequence[Episode]
    reader: Callable[[int, int, float], SampleReader]
    pairing: Pairing
    mode_source: str = "the file's mode field"


def pair_si_channels(channels: Sequence[Channel]) -> Pairing:
    """Group channels of a program that stores everything in V and A.

    Elsewhere a channel in V beside others in mV or pA is no electrode's; here it is as good as any.
    """
    units = [replace(c.unit, to_si=1e-3) if c.unit.quantity == "voltage" else c.unit for c in channels]
    return pair_channels([channel.name for channel in channels], units)


def build_sweeps(layout: Layout) -> tuple[list[Sweep], list[str]]:
    """One sweep per episode and electrode, episode by episode, and notes on what was guessed."""
    electrodes = layout.pairing.electrodes
    several = len(electrodes) > 1
    notes = list(layout.pairing.notes)
    plans = []
    for electrode in electrodes:
        verdict = _judge(layout, electrode)
        prefix = f"Electrode {electrode.name}: " if several else ""
        notes += [prefix + note for note in verdict.notes]
        plans.append(_Plan(layout, electrode, verdict, several))
    places = [(place, plan) for place in range(len(layout.episodes)) for plan in plans]
    return [plan.sweep(index, place) for index, (place, plan) in enumerate(places)], notes


@dataclass(frozen=True)
class _Plan:
    layout: Layout
    electrode: Electrode
    verdict: ClampVerdict
    several: bool

    def sweep(self, index: int, place: int) -> Sweep:
        episode = self.layout.episodes[place]
        voltage, current = self._readers(place)
        return Sweep(
            index=index,
            number=episode.number,
            rate_hz=episode.rate_hz,
            n_stored=episode.n_samples,
            read_voltage=voltage,
            read_current=current,
            clamp=self.verdict.clamp,
            clamp_reason=self.verdict.reason,
            start_s=episode.start_s,
            electrode=self.electrode.name if self.several else "",
            stimulus=episode.stimulus,
            metadata=episode.metadata,
        )

    def _readers(self, place: int) -> tuple[SampleReader | None, SampleReader | None]:
        electrode = self.electrode
        if electrode.voltage is not None and electrode.current is not None:
            return self._read(place, electrode.voltage), self._read(place, electrode.current)
        # one channel, whose label may have been overruled
        unit = self.verdict.response
        reader = self.layout.reader(place, electrode.response, unit.to_si)
        return (None, reader) if unit.quantity == "current" else (reader, None)

    def _read(self, place: int, channel: int) -> SampleReader:
        return self.layout.reader(place, channel, self.layout.channels[channel].unit.to_si)


def _judge(layout: Layout, electrode: Electrode) -> ClampVerdict:
    channels = layout.channels
    rate_hz = layout.episodes[0].rate_hz if layout.episodes else 0.0
    places = [place for place in (electrode.voltage, electrode.current, electrode.unlabelled) if place is not None]
    modes = {channels[place].mode for place in places}
    mode = modes.pop() if len(modes) == 1 else "unknown"
    if electrode.voltage is None or electrode.current is None:
        place = electrode.response
        probes = _probes(layout, place, 1.0)
        unit = channels[place].unit
        verdict = judge_clamp(unit, mode=mode, mode_source=layout.mode_source, probes=probes, rate_hz=rate_hz)
        return _doubt_large_voltage(verdict, unit, probes) if mode == "unknown" else verdict
    voltage, current = channels[electrode.voltage], channels[electrode.current]
    return judge_pair(
        mode=mode,
        mode_source=layout.mode_source,
        voltage_name=voltage.name,
        current_name=current.name,
        voltage_probes=_probes(layout, electrode.voltage, voltage.unit.to_si * 1e3),
        rate_hz=rate_hz,
    )


def _doubt_large_voltage(verdict: ClampVerdict, unit: Unit, probes: Callable[[], Iterator[FloatArray]]) -> ClampVerdict:
    """A channel in plain volts is a membrane's only if it stays within what a membrane does."""
    if unit.quantity != "voltage" or unit.to_si != 1.0:
        return verdict
    peak = max((float(np.nanmax(np.abs(values), initial=0.0)) for values in probes()), default=0.0)
    if peak < _LARGEST_MEMBRANE_V:
        return verdict
    reason = f"unknown, because the channel reaches {peak:.3g} V, which no membrane does"
    note = f"The clamp mode is {reason}; its scale was perhaps never set, or it is no electrode's channel."
    return replace(verdict, clamp="unknown", reason=reason, notes=(*verdict.notes, note))


def _probes(layout: Layout, channel: int, factor: float) -> Callable[[], Iterator[FloatArray]]:
    """The first part of a few episodes, long enough for a step of a second."""

    def probes() -> Iterator[FloatArray]:
        last = len(layout.episodes) - 1
        for place in sorted({0, last // 3, 2 * last // 3, last}):
            episode = layout.episodes[place]
            wanted = min(max(8192, round(episode.rate_hz)), 50_000)
            yield layout.reader(place, channel, factor)(0, min(wanted, episode.n_samples))

    return probes
