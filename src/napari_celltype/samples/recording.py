"""The sample recording: a simulated cell on a simulated rig, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from napari_celltype.recording import FloatArray, Recording, StimulusNote, Sweep

from .cells import AMBIGUOUS_SEED, PLAIN_SEED, CellKind, draw_cell
from .conductance import CellParameters, integrate, passive_properties
from .electrode import Electrode, add_electrode
from .protocols import SHORT_SQUARE_S, Stimulus, command_pa, short_square_threshold_pa, standard_protocol
from .spikes import find_peaks, repolarises

__all__ = ["AMBIGUOUS_SEED", "PLAIN_SEED", "SampleTruth", "SweepTruth", "record", "sample_recording", "sample_truth"]

RATE_HZ = 50_000.0
_PAUSE_S = 2.0
_SESSION_START = "2024-01-01T12:00:00+00:00"


@dataclass(frozen=True, eq=False)
class SweepTruth:
    """What really happened in one sweep.

    Parameters
    ----------
    stimulus
        What was played: kind, onset, duration, amplitude, test pulse.
    peaks
        Samples at which the action potentials peak, within the part that was recorded.
    potential_mv
        The membrane's potential without electrode, noise or drift, over the whole sweep.
    n_recorded
        Samples before the sweep was aborted (all of them, usually).
    """

    stimulus: Stimulus
    peaks: NDArray[np.int64]
    potential_mv: NDArray[np.float32] = field(repr=False)
    n_recorded: int


@dataclass(frozen=True, eq=False)
class SampleTruth:
    """What is known of a simulated recording because we made it; sweeps in the recording's order."""

    cell: CellParameters
    electrode: Electrode
    rate_hz: float
    rest_mv: float
    input_resistance_mohm: float
    tau_ms: float
    sweeps: tuple[SweepTruth, ...]


def sample_recording(seed: int = PLAIN_SEED, kind: CellKind = "regular-spiking") -> Recording:
    """Current-clamp recording of a simulated cell; the same seed and kind give the same recording.

    Parameters
    ----------
    seed
        Draws the cell, the noise stimuli and the electrode's noise.
    kind
        Firing type of the cell, one of :data:`napari_celltype.samples.cells.CELL_KINDS`.
    """
    return _sample(seed, kind)[0]


def sample_truth(seed: int = PLAIN_SEED, kind: CellKind = "regular-spiking") -> SampleTruth:
    """The truth about :func:`sample_recording` of the same seed and kind."""
    return _sample(seed, kind)[1]


@lru_cache(maxsize=2)
def _sample(seed: int, kind: CellKind) -> tuple[Recording, SampleTruth]:
    rng = np.random.default_rng([seed, 1])
    cell = _draw_sound_cell(kind, rng)
    recording, truth = record(cell, standard_protocol(cell, seed), rng)
    identifier = f"napari-celltype sample, {kind}, seed {seed}"
    return replace(recording, metadata={**recording.metadata, "identifier": identifier}), truth


def _draw_sound_cell(kind: CellKind, rng: np.random.Generator) -> CellParameters:
    """Draw cells until one answers short squares as a cell does: with a spike that ends."""
    while True:
        cell = draw_cell(kind, rng)
        command = np.zeros((round(0.03 * RATE_HZ), 2), dtype=np.float32)
        command[: round(SHORT_SQUARE_S * RATE_HZ)] = short_square_threshold_pa(cell) * np.array([1.5, 2.0])
        potential = integrate([cell], [0, 0], command, RATE_HZ)
        if all(repolarises(lane, cell.rest_mv) and find_peaks(lane).size for lane in potential.T):
            return cell


def record(
    cell: CellParameters,
    protocol: tuple[Stimulus, ...],
    rng: np.random.Generator,
    *,
    electrode: Electrode | None = None,
    rate_hz: float = RATE_HZ,
) -> tuple[Recording, SampleTruth]:
    """Play a protocol to a cell and record it through an electrode."""
    electrode = Electrode() if electrode is None else electrode
    commands = [command_pa(stimulus, rate_hz) for stimulus in protocol]
    potentials = _integrate_sweeps(cell, commands, rate_hz, rng)
    truths = [_truth(*pair, rate_hz) for pair in zip(protocol, potentials, strict=True)]
    starts = np.cumsum([0.0, *(stimulus.sweep_s + _PAUSE_S for stimulus in protocol)])
    sweeps = [
        _sweep(i, truth, command, electrode, rng, rate_hz, float(starts[i]))
        for i, (truth, command) in enumerate(zip(truths, commands, strict=True))
    ]
    recording = Recording(
        path=Path("sample recording"),
        format="simulated",
        sweeps=tuple(sweeps),
        metadata={
            "session_start": _SESSION_START,
            "session_description": f"Simulated current-clamp recording of a {cell.kind} cell, made by napari-celltype",
            "device": "simulated amplifier",
        },
    )
    passive = passive_properties(cell)
    truth = SampleTruth(
        cell, electrode, rate_hz, passive.rest_mv, passive.input_resistance_mohm, passive.tau_ms, tuple(truths)
    )
    return recording, truth


def _integrate_sweeps(
    cell: CellParameters, commands: list[NDArray[np.float32]], rate_hz: float, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """All sweeps side by side, longest first as the integrator wants them."""
    lengths = np.array([len(command) for command in commands])
    by_length = np.argsort(-lengths, kind="stable")
    current = np.zeros((lengths.max(), len(commands)), dtype=np.float32)
    for lane, i in enumerate(by_length):
        current[: lengths[i], lane] = commands[i]
    if cell.background_pa:
        current += background_current(cell, current.shape, rate_hz, rng)
    lanes = np.zeros(len(commands), dtype=np.int64)
    voltage = integrate([cell], lanes, current, rate_hz, n_samples=lengths[by_length])
    place = np.argsort(by_length)
    return [np.ascontiguousarray(voltage[:length, place[i]]) for i, length in enumerate(lengths)]


def background_current(
    cell: CellParameters, shape: tuple[int, int], rate_hz: float, rng: np.random.Generator
) -> FloatArray:
    """Random current of a cell's inputs, independent in each column."""
    keep = np.exp(-1e3 / rate_hz / cell.background_ms)
    scale = cell.background_pa * np.sqrt(1.0 - keep**2)
    return signal.lfilter([scale], [1.0, -keep], rng.normal(size=shape), axis=0)


def _truth(stimulus: Stimulus, potential_mv: NDArray[np.float32], rate_hz: float) -> SweepTruth:
    n_recorded = stimulus.n_recorded(rate_hz)
    peaks = find_peaks(potential_mv)
    return SweepTruth(stimulus, peaks[peaks < n_recorded], potential_mv, n_recorded)


def _sweep(
    index: int,
    truth: SweepTruth,
    command: NDArray[np.float32],
    electrode: Electrode,
    rng: np.random.Generator,
    rate_hz: float,
    start_s: float,
) -> Sweep:
    voltage = add_electrode(truth.potential_mv, command, rate_hz, electrode, rng, start_s)
    current = command.copy()
    voltage[truth.n_recorded :] = 0.0
    current[truth.n_recorded :] = 0.0
    stimulus = truth.stimulus
    note = StimulusNote(
        stimulus.name, "", stimulus.onset_s, stimulus.duration_s, amplitude_a=stimulus.amplitude_pa * 1e-12
    )
    return Sweep(
        index=index,
        number=index,
        rate_hz=rate_hz,
        n_stored=len(voltage),
        read_voltage=_InMemory(voltage, 1e-3),
        read_current=_InMemory(current, 1e-12),
        clamp="current",
        clamp_reason="simulated in current clamp",
        start_s=start_s,
        electrode="electrode 0",
        stimulus=note,
    )


@dataclass(frozen=True, eq=False)
class _InMemory:
    """Reader of samples held as counts of mV or pA."""

    values: NDArray[np.float32]
    to_si: float

    def __call__(self, start: int, stop: int) -> FloatArray:
        return self.values[start:stop].astype(np.float64) * self.to_si
