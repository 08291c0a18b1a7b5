"""Read HEKA PatchMaster bundles (.dat): an index of groups, series, sweeps and traces, and the traces' samples.

Notes
-----
What the amplifier was told to apply is stored only as a protocol in the stimulation tree, which is not rebuilt here:
voltage and current are shown where both were recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Clamp, FloatArray, Recording, SampleReader, StimulusNote, Sweep

from .abf_header import CheckedFile
from .channel_sweeps import Channel, Episode, Layout, build_sweeps
from .channels import Unit, parse_unit
from .heka_tree import Node, read_tree
from .interleaved import InterleavedSamples
from .pairing import Electrode, Pairing

__all__ = ["read"]

_FORMATS = {0: "i2", 1: "i4", 2: "f4", 3: "f8"}
_MODES: dict[int, Clamp] = {0: "voltage", 1: "voltage", 2: "voltage", 3: "voltage", 4: "current", 5: "voltage"}
_COMMAND_NOTE = "The command was not recorded; PatchMaster keeps it as a protocol, which is not rebuilt here."


@dataclass(frozen=True)
class _Trace:
    label: str
    unit: Unit
    mode: Clamp
    amplifier: int
    start: int
    n: int
    dtype: np.dtype[np.float64]
    scale: float
    step_s: float
    block: int
    skip: int
    facts: dict[str, float]

    @property
    def last_byte(self) -> int:
        """Where the trace's last sample ends."""
        n_bytes = self.n * self.dtype.itemsize
        if not self.block:
            return self.start + n_bytes
        whole, rest = divmod(n_bytes, self.block)
        return self.start + whole * self.skip + rest if rest else self.start + (whole - 1) * self.skip + self.block


def read(path: Path) -> Recording:
    """Open a PatchMaster bundle, lazily.

    Raises
    ------
    RecordingError
        If it is damaged or holds no trace in V or A.
    """
    with path.open("rb") as handle:
        file = CheckedFile(path, handle)
        root, version, order = read_tree(file)
    notes: list[str] = []
    sweeps: list[Sweep] = []
    first_s = min((time for node in root.at_depth(3) if math.isfinite(time := node.number("d", 48))), default=0.0)
    for g, group in enumerate(root.children, start=1):
        for s, series in enumerate(group.children, start=1):
            found, said = _read_series(file, series, order, (g, s), first_s)
            notes += [note for note in said if note not in notes]
            sweeps += [replace(sweep, index=len(sweeps) + k) for k, sweep in enumerate(found)]
    if not sweeps:
        reason = "is a PatchMaster bundle without a complete trace in V or A"
        raise RecordingError(f"{reason}: {notes[0]}" if notes else reason, path=path)
    if all(sweep.read_voltage is None or sweep.read_current is None for sweep in sweeps):
        notes.append(_COMMAND_NOTE)
    groups = [group.text(4, 32) for group in root.children]
    return Recording(path, f"HEKA {version}".strip(), tuple(sweeps), tuple(notes), {"groups": groups})


def _read_series(
    file: CheckedFile, series: Node, order: str, where: tuple[int, int], first_s: float
) -> tuple[list[Sweep], list[str]]:
    """Sweeps of one series; its first complete sweep says which channels there are."""
    label = series.text(4, 32)
    name = f"{where[0]}.{where[1]} {label}".strip()
    table: list[list[_Trace]] = []
    episodes: list[Episode] = []
    notes: list[str] = []
    for number, node in enumerate(series.children, start=1):
        try:
            traces = [_read_trace(file, trace, order) for trace in node.children]
        except RecordingError as error:
            notes.append(f"Series {name}, sweep {number} was left out: {error.reason}.")
            continue
        traces = [trace for trace in traces if trace.unit.is_electrical]
        if not traces or (table and [t.unit for t in traces] != [t.unit for t in table[0]]):
            if traces:
                notes.append(f"Series {name}, sweep {number} was left out: its channels are not the first sweep's.")
            continue
        table.append(traces)
        episodes.append(_episode(node, number, label, name, traces, first_s))
    if not table:
        return [], notes
    channels = [Channel(trace.label, trace.unit, trace.mode) for trace in table[0]]

    def reader(place: int, channel: int, factor: float) -> SampleReader:
        return _reader(file.path, table[place][channel], factor)

    pairing = _pair(table[0])
    sweeps, judged = build_sweeps(Layout(channels, episodes, reader, pairing, "the amplifier's recording mode"))
    return sweeps, notes + [f"Series {name}: {note}" for note in judged]


def _episode(node: Node, number: int, label: str, name: str, traces: list[_Trace], first_s: float) -> Episode:
    time_s = node.number("d", 48) - first_s
    steps = {trace.step_s for trace in traces}
    return Episode(
        number=number,
        rate_hz=_rate(min(steps)),
        n_samples=min(trace.n for trace in traces),
        start_s=time_s if math.isfinite(time_s) else 0.0,
        stimulus=StimulusNote(name=label),
        metadata={"series": name, "sweep": number, **traces[0].facts},
    )


def _rate(step_s: float) -> float:
    rate_hz = 1 / step_s
    nearest = round(rate_hz)
    return float(nearest) if nearest and abs(nearest - rate_hz) < 1e-6 * rate_hz else rate_hz


def _pair(traces: list[_Trace]) -> Pairing:
    """Voltage and current of one amplifier are one electrode's."""
    electrodes, notes = [], []
    for amplifier in dict.fromkeys(trace.amplifier for trace in traces):
        mine = [k for k, trace in enumerate(traces) if trace.amplifier == amplifier]
        voltages = [k for k in mine if traces[k].unit.quantity == "voltage"]
        currents = [k for k in mine if traces[k].unit.quantity == "current"]
        if len(voltages) <= 1 and len(currents) <= 1:
            name = " + ".join(traces[k].label for k in [*voltages, *currents])
            electrodes.append(Electrode(name, *(k[0] if k else None for k in (voltages, currents))))
            continue
        electrodes += [Electrode(traces[k].label, voltage=k) for k in voltages]
        electrodes += [Electrode(traces[k].label, current=k) for k in currents]
        notes.append("An amplifier has several channels of a kind; each is shown as an electrode of its own.")
    return Pairing(tuple(electrodes), (), tuple(notes))


def _read_trace(file: CheckedFile, node: Node, order: str) -> _Trace:
    label = node.text(4, 32) or "trace"
    start, n = node.integers("ii", 40)
    kind = node.integers("B", 70)[0]
    scale, step_s = node.number("d", 72), node.number("d", 104)
    block, skip = node.integers("ii", 292) if node.size >= 300 else (0, 0)
    if kind not in _FORMATS or not (math.isfinite(scale) and math.isfinite(step_s) and step_s > 0):
        raise file.damaged(f"trace {label} has an impossible format, scale or time between samples")
    dtype = np.dtype(order + _FORMATS[kind])
    trace = _Trace(
        label=label,
        unit=parse_unit(node.text(96, 8)),
        mode=_MODES.get(node.integers("B", 68)[0], "unknown"),
        amplifier=node.integers("b", 69)[0],
        start=start,
        n=n,
        dtype=dtype,
        scale=scale,
        step_s=step_s,
        block=block if block > 0 and skip > 0 else 0,
        skip=skip,
        facts=_facts(node),
    )
    if n < 1 or start < 0 or (trace.block and (block % dtype.itemsize or skip < block)):
        raise file.damaged(f"trace {label} is empty")
    if trace.last_byte > file.size:
        raise file.damaged(f"trace {label} should end at byte {trace.last_byte}, but the file has {file.size}")
    return trace


def _facts(node: Node) -> dict[str, float]:
    """What the amplifier reported with the trace, where it reported something."""
    places = {"pipette_resistance_ohm": 152, "seal_resistance_ohm": 168, "c_slow_f": 176, "g_series_s": 184}
    facts = {name: node.number("d", at) for name, at in places.items()}
    return {name: value for name, value in facts.items() if math.isfinite(value) and value != 0}


def _reader(path: Path, trace: _Trace, factor: float) -> SampleReader:
    scale = trace.scale * factor
    if not trace.block:
        return InterleavedSamples(path, trace.start, trace.dtype, 1).reader(0, 0, scale)
    return _BlockedSamples(path, trace, scale)


@dataclass(frozen=True)
class _BlockedSamples:
    """Samples in blocks with other traces' blocks between them."""

    path: Path
    trace: _Trace
    scale: float

    def __call__(self, start: int, stop: int) -> FloatArray:
        parts = [self._part(*piece) for piece in self._pieces(start, stop)]
        return np.concatenate([np.empty(0), *parts])

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        per_block = self.trace.block // self.trace.dtype.itemsize
        while start < stop:
            number, first = divmod(start, per_block)
            n = min(per_block - first, stop - start)
            yield number, first, n
            start += n

    def _part(self, number: int, first: int, n: int) -> FloatArray:
        start = self.trace.start + number * self.trace.skip
        samples: Any = InterleavedSamples(self.path, start, self.trace.dtype, 1)
        values: FloatArray = samples.read(0, first, first + n, self.scale)
        return values
