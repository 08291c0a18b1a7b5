"""ABF 1 and 2 (pCLAMP, and the many programs that write it): header first, samples when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, SampleReader, StimulusNote, Sweep

from . import abf1, abf2
from .abf_command import Command, NoCommandError, rebuild_command
from .abf_header import DAMAGED, AbfHeader, AdcChannel, CheckedFile, Dac
from .abf_layout import SweepPlace, place_sweeps
from .abf_stimulus import describe_stimulus
from .channels import NO_UNIT, PROBE_RATE_HZ, ClampVerdict, Unit, judge_clamp, judge_pair, parse_unit
from .interleaved import InterleavedSamples
from .pairing import Electrode, pair_channels

__all__ = ["read", "read_abf_header"]

_PROBES = 3
_DAMAGED_SCALE = "its scale is damaged."


def read(path: Path) -> Recording:
    """Open an ABF file: sweeps, clamp mode and stimulus from the header, no samples kept.

    Raises
    ------
    RecordingError
        If the header cannot be understood or promises what the file does not have.
    """
    header, size = read_abf_header(path)
    places, cut_notes = place_sweeps(header, size, path)
    builder = _Builder(path, header, places)
    sweeps = builder.sweeps()
    return Recording(
        path=path,
        format=f"ABF {header.generation}",
        sweeps=sweeps,
        notes=(*header.notes, *cut_notes, *builder.notes),
        metadata=_metadata(header, builder.other_channels),
    )


def read_abf_header(path: Path) -> tuple[AbfHeader, int]:
    """The header of either version, and the file's size in bytes."""
    try:
        with path.open("rb") as opened:
            file = CheckedFile(path, opened)
            signature = file.read(0, 4, "signature")
            if signature == b"ABF2":
                return abf2.read_header(file), file.size
            if signature == b"ABF ":
                return abf1.read_header(file), file.size
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror or error})", path=path) from error
    raise RecordingError("is no ABF file", path=path, hint="Its first four bytes should be ABF2, or ABF and a blank.")


def _metadata(header: AbfHeader, other_channels: list[str]) -> dict[str, Any]:
    facts = {
        "session_start": header.started.isoformat() if header.started else "",
        "protocol": _protocol_name(header),
        "protocol_path": header.protocol,
        "comment": header.comment,
        "creator": header.creator,
        "file_version": header.version,
        "acquisition": header.operation,
        "channels": [f"{channel.name} ({channel.unit})" for channel in header.channels],
        "other_channels": other_channels,
        "tags": [{"time_s": time_s, "comment": text} for time_s, text in header.tags],
    }
    return {name: fact for name, fact in facts.items() if fact not in ("", [])}


def _protocol_name(header: AbfHeader) -> str:
    path = PureWindowsPath(header.protocol)
    return path.stem if path.suffix.lower() == ".pro" else ""


@dataclass(frozen=True)
class _Channel:
    """A recorded channel with the unit its numbers are believed to have."""

    place: int
    adc: AdcChannel
    unit: Unit


@dataclass(frozen=True)
class _Plan:
    """How one electrode's sweeps are read: its channels, its clamp, and the command if it is not a channel."""

    name: str
    verdict: ClampVerdict
    voltage: _Channel | None
    current: _Channel | None
    command: Command | None
    stated_unit: Unit
    command_origin: str


class _Builder:
    """Turns a header and the places of its sweeps into sweeps, gathering notes on the way."""

    def __init__(self, path: Path, header: AbfHeader, places: list[SweepPlace]) -> None:
        self._header = header
        self._protocol = _protocol_name(header)
        self._silence = StimulusNote(name=self._protocol)
        self._places = places
        self._samples = InterleavedSamples(path, header.data_start, header.dtype, len(header.channels))
        self.notes: list[str] = []
        units = [parse_unit(channel.unit) for channel in header.channels]
        self._channels = [_Channel(i, c, u) for i, (c, u) in enumerate(zip(header.channels, units, strict=True))]
        names = [channel.name for channel in header.channels]
        pairing = pair_channels(names, self._usable(units), separate=_is_dual_clamp(header, units))
        self.notes += pairing.notes
        self.other_channels = [f"{names[place]} ({header.channels[place].unit})" for place in pairing.others]
        if not pairing.electrodes:
            raise self._no_electrode(path)
        self._plans = [
            self._plan(k, electrode, len(pairing.electrodes)) for k, electrode in enumerate(pairing.electrodes)
        ]

    def sweeps(self) -> tuple[Sweep, ...]:
        """One entry per sweep and electrode, sweep by sweep."""
        several = len(self._plans) > 1
        pairs = [(place, plan) for place in self._places for plan in self._plans]
        return tuple(self._sweep(index, place, plan, several) for index, (place, plan) in enumerate(pairs))

    def _usable(self, units: list[Unit]) -> list[Unit]:
        """Units for pairing; a channel whose scale is damaged counts as no electrode's."""
        usable = []
        for channel, unit in zip(self._channels, units, strict=True):
            damaged = self._header.dtype.kind == "i" and math.isnan(channel.adc.gain)
            if damaged or not math.isfinite(channel.adc.offset):
                self.notes.append(f"Channel {channel.adc.name or channel.place} is left out: {_DAMAGED_SCALE}")
                unit = Unit("damaged scale", "other")
            usable.append(unit)
        return usable

    def _no_electrode(self, path: Path) -> RecordingError:
        if damaged := [note for note in self.notes if note.endswith(_DAMAGED_SCALE)]:
            return RecordingError(f"has no channel that can be read. {damaged[0]}", path=path, hint=DAMAGED)
        return RecordingError(
            f"has no voltage or current channel, only {', '.join(self.other_channels)}",
            path=path,
            hint="Check the units of the channels in the acquisition program.",
        )

    def _plan(self, ordinal: int, electrode: Electrode, n_electrodes: int) -> _Plan:
        dac = self._dac_of(ordinal, n_electrodes)
        command_unit = parse_unit(dac.unit) if dac is not None else NO_UNIT
        verdict = self._judge(electrode, command_unit)
        prefix = f"Electrode {electrode.name}: " if n_electrodes > 1 else ""
        self.notes += [prefix + note for note in verdict.notes]
        voltage = self._channel(electrode.voltage, verdict)
        current = self._channel(electrode.current, verdict)
        if electrode.unlabelled is not None:
            channel = self._channel(electrode.unlabelled, verdict)
            voltage, current = (channel, None) if verdict.response.quantity != "current" else (None, channel)
        elif not electrode.is_pair and verdict.response.quantity == "voltage":
            # one channel, whose label may have been overruled
            voltage, current = voltage or current, None
        command, origin = self._command(dac, electrode, prefix)
        return _Plan(electrode.name, verdict, voltage, current, command, command_unit, origin)

    def _channel(self, place: int | None, verdict: ClampVerdict) -> _Channel | None:
        if place is None:
            return None
        channel = self._channels[place]
        relabelled = verdict.response.is_electrical and verdict.response.quantity != channel.unit.quantity
        return replace(channel, unit=verdict.response) if relabelled else channel

    def _judge(self, electrode: Electrode, command_unit: Unit) -> ClampVerdict:
        modes = {self._channels[p].adc.mode for p in (electrode.voltage, electrode.current) if p is not None}
        mode = modes.pop() if len(modes) == 1 else "unknown"
        source = "the amplifier's telegraph"
        rate_hz = self._header.rate_hz / self._probe_step
        if electrode.voltage is None or electrode.current is None:
            channel = self._channels[electrode.response]
            probes = self._probes(channel, 1.0)
            return judge_clamp(channel.unit, command_unit, mode, mode_source=source, probes=probes, rate_hz=rate_hz)
        voltage, current = self._channels[electrode.voltage], self._channels[electrode.current]
        return judge_pair(
            command_unit,
            mode,
            mode_source=source,
            voltage_name=voltage.adc.name,
            current_name=current.adc.name,
            voltage_probes=self._probes(voltage, voltage.unit.to_si * 1e3),
            rate_hz=rate_hz,
        )

    def _probes(self, channel: _Channel, factor: float) -> Callable[[], Iterator[FloatArray]]:
        """The first part of a few sweeps, or stretches from along a single one, thinned out."""
        n_wanted = min(max(8192, round(0.8 * self._header.rate_hz)), 50_000)
        scale, offset = self._scale(channel, factor)

        def probes() -> Iterator[FloatArray]:
            for k in range(_PROBES):
                place = self._places[k * (len(self._places) - 1) // (_PROBES - 1)]
                spare = max(place.n_samples - n_wanted, 0)
                start = place.first + (0 if len(self._places) > 1 else spare * k // (_PROBES - 1))
                stop = min(start + n_wanted, place.first + place.n_samples)
                yield self._samples.read(channel.place, start, stop, scale, offset, every=self._probe_step)

        return probes

    @property
    def _probe_step(self) -> int:
        return max(1, int(self._header.rate_hz // PROBE_RATE_HZ))

    def _reader(self, channel: _Channel, place: SweepPlace, factor: float) -> SampleReader:
        return self._samples.reader(channel.place, place.first, *self._scale(channel, factor))

    def _scale(self, channel: _Channel, factor: float) -> tuple[float, float]:
        if self._header.dtype.kind == "f":
            return factor, 0.0
        return channel.adc.gain * factor, channel.adc.offset * factor

    def _dac_of(self, ordinal: int, n_electrodes: int) -> Dac | None:
        """Electrodes and outputs are numbered alike; a lone electrode may have been driven by another output."""
        dacs = self._header.dacs
        own = dacs[ordinal] if ordinal < len(dacs) else None
        playing = [dac for dac in dacs if dac.enabled]
        if n_electrodes == 1 and own is not None and not own.enabled and len(playing) == 1:
            self.notes.append(
                f"The command is taken from output {playing[0].name or playing[0].number}, the only one that "
                "played a waveform (a guess)."
            )
            return playing[0]
        return own

    def _command(self, dac: Dac | None, electrode: Electrode, prefix: str) -> tuple[Command | None, str]:
        """The waveform to draw, with a note where one is missing and was not recorded either."""
        try:
            if dac is None:
                raise NoCommandError("the file describes no output for it")
            n_samples = {place.n_samples for place in self._places}
            command = rebuild_command(dac, self._header, max(n_samples), len(self._places))
        except NoCommandError as reason:
            if not electrode.is_pair:
                self.notes.append(f"{prefix}The command is unknown: it was not recorded, and {reason}.")
            return None, "unknown"
        if self._header.operation in ("gap-free", "event-driven") and not electrode.is_pair:
            self.notes.append(
                f"{prefix}The command was not recorded; what is shown is the output's holding level at the start "
                "(a guess: it may have been changed by hand)."
            )
        return command, command.origin

    def _sweep(self, index: int, place: SweepPlace, plan: _Plan, several: bool) -> Sweep:
        voltage = self._reader(plan.voltage, place, plan.voltage.unit.to_si) if plan.voltage else None
        current = self._reader(plan.current, place, plan.current.unit.to_si) if plan.current else None
        origin = "recorded" if voltage is not None and current is not None else plan.command_origin
        if plan.command is not None:
            drawn = plan.command.reader(place.number, plan.verdict.command.to_si)
            if current is None and plan.verdict.clamp == "current":
                current = drawn
            elif voltage is None and plan.verdict.clamp == "voltage":
                voltage = drawn
        return Sweep(
            index=index,
            number=place.number,
            rate_hz=self._header.rate_hz,
            n_stored=place.n_samples,
            read_voltage=voltage,
            read_current=current,
            clamp=plan.verdict.clamp,
            clamp_reason=plan.verdict.reason,
            start_s=place.start_s,
            electrode=plan.name if several else "",
            stimulus=self._stimulus(place, plan),
            metadata={"command": origin},
        )

    def _stimulus(self, place: SweepPlace, plan: _Plan) -> StimulusNote:
        if plan.command is None:
            return self._silence
        if plan.command.epochs:
            return describe_stimulus(self._protocol, plan.command, place.number, self._header.rate_hz, plan.stated_unit)
        return self._silence


def _is_dual_clamp(header: AbfHeader, units: list[Unit]) -> bool:
    """Whether a voltage and a current channel are two cells, one in each mode, and not one cell's two signals."""
    modes = {channel.mode for channel in header.channels} - {"unknown"}
    if len(modes) == 2:
        return True
    playing = [parse_unit(dac.unit).quantity for dac in header.dacs[:2] if dac.enabled and dac.source != "none"]
    return len(units) == 2 and sorted(playing) == ["current", "voltage"]
