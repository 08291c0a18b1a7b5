"""Current-clamp stimuli as a rig plays them: a test pulse, then a step, ramp or noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

from .conductance import CellParameters, passive_properties

__all__ = [
    "SHORT_SQUARE_S",
    "Stimulus",
    "StimulusKind",
    "TestPulse",
    "command_pa",
    "short_square_threshold_pa",
    "standard_protocol",
]

StimulusKind = Literal["short square", "long square", "ramp", "noise", "square pulse train"]

SHORT_SQUARE_S = 0.003
_CURRENT_STEP_PA = 0.125  # one count of a 16-bit output over +-4 nA


@dataclass(frozen=True)
class TestPulse:
    """The small step before every stimulus that shows access and membrane resistance."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    onset_s: float = 0.02
    duration_s: float = 0.03
    amplitude_pa: float = -20.0


@dataclass(frozen=True)
class Stimulus:
    """One sweep's stimulus.

    ``amplitude_pa`` is the height of a step, the end of a ramp, or the mean of the noise's strongest part.
    ``recorded_s`` is shorter than ``sweep_s`` where the sweep was aborted: its rest is stored as zeros.
    ``noise_seed`` makes the noise; equal seeds give equal ("frozen") noise.
    """

    name: str
    kind: StimulusKind
    onset_s: float
    duration_s: float
    amplitude_pa: float
    sweep_s: float
    recorded_s: float | None = None
    noise_seed: int = 0
    test_pulse: TestPulse = TestPulse()

    @property
    def offset_s(self) -> float:
        """When the stimulus ends."""
        return self.onset_s + self.duration_s

    def n_samples(self, rate_hz: float) -> int:
        """Samples of the whole sweep."""
        return round(self.sweep_s * rate_hz)

    def n_recorded(self, rate_hz: float) -> int:
        """Samples before the sweep was aborted; all of them if it was not."""
        return self.n_samples(rate_hz) if self.recorded_s is None else round(self.recorded_s * rate_hz)


def command_pa(stimulus: Stimulus, rate_hz: float) -> NDArray[np.float32]:
    """Injected current in pA over a whole sweep, in steps of the output's resolution."""
    current = np.zeros(stimulus.n_samples(rate_hz))
    pulse = stimulus.test_pulse
    current[_samples(pulse.onset_s, pulse.duration_s, rate_hz)] = pulse.amplitude_pa
    where = _samples(stimulus.onset_s, stimulus.duration_s, rate_hz)
    current[where] += _shape(stimulus, where.stop - where.start, rate_hz)
    return (np.round(current / _CURRENT_STEP_PA) * _CURRENT_STEP_PA).astype(np.float32)


def _samples(onset_s: float, duration_s: float, rate_hz: float) -> slice:
    return slice(round(onset_s * rate_hz), round((onset_s + duration_s) * rate_hz))


def _shape(stimulus: Stimulus, n: int, rate_hz: float) -> FloatArray:
    if stimulus.kind == "ramp":
        return stimulus.amplitude_pa * np.arange(n) / n
    if stimulus.kind == "noise":
        return _noise_pa(stimulus, n, rate_hz)
    if stimulus.kind == "square pulse train":
        phase = np.arange(n) % round(0.02 * rate_hz)
        return np.where(phase < round(0.003 * rate_hz), stimulus.amplitude_pa, 0.0)
    return np.full(n, stimulus.amplitude_pa)


def _noise_pa(stimulus: Stimulus, n: int, rate_hz: float) -> FloatArray:
    """Pink noise around three rising means, fading in and out, never negative."""
    rng = np.random.default_rng(stimulus.noise_seed)
    means = stimulus.amplitude_pa * np.repeat([0.55, 0.78, 1.0], -(-n // 3))[:n]
    current = means * (1.0 + 0.35 * pink_noise(n, rate_hz, rng, lowest_hz=1.0, highest_hz=150.0))
    edge = np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.01 * rate_hz)
    return np.maximum(current, 0.0) * np.minimum(edge, 1.0)


def pink_noise(n: int, rate_hz: float, rng: np.random.Generator, *, lowest_hz: float, highest_hz: float) -> FloatArray:
    """Noise of power 1/f between two frequencies and none outside, of unit variance."""
    length = 1 << max(n - 1, 1).bit_length()  # a power of two keeps the transform quick
    frequency = np.fft.rfftfreq(length, 1.0 / rate_hz)
    inside = (frequency >= lowest_hz) & (frequency <= highest_hz)
    spectrum = np.zeros(len(frequency), dtype=np.complex128)
    phase = rng.normal(size=(2, int(inside.sum())))
    spectrum[inside] = (phase[0] + 1j * phase[1]) / np.sqrt(frequency[inside])
    noise = np.fft.irfft(spectrum, length)[:n]
    return noise / noise.std()


def standard_protocol(cell: CellParameters, seed: int = 0) -> tuple[Stimulus, ...]:
    """Stimuli that show what a cell is, scaled to it as an experimenter would.

    Short squares around their threshold and a triplet, long squares from hyperpolarising to strong, one of them
    aborted, two ramps, and two different noises.
    """
    rheobase = _round_to(cell.rheobase_pa(), 5.0)
    return (*_short_squares(cell), *_long_squares(cell, rheobase), *_ramps(rheobase), *_noises(rheobase, seed))


def _round_to(value: float, step: float) -> float:
    return max(step, round(value / step) * step)


def _short_squares(cell: CellParameters) -> list[Stimulus]:
    threshold = short_square_threshold_pa(cell)
    single = Stimulus("Short Square", "short square", 0.2, SHORT_SQUARE_S, 0.0, 0.5)
    singles = [replace(single, amplitude_pa=_round_to(threshold * k, 10.0)) for k in _SHORT_STEPS]
    triple = replace(single, name="Short Square - Triple", kind="square pulse train", duration_s=0.043)
    return [*singles, replace(triple, amplitude_pa=_round_to(threshold * 1.6, 10.0))]


def short_square_threshold_pa(cell: CellParameters) -> float:
    """Estimate of the weakest short square that fires: the charge to a typical threshold, and what leaks meanwhile."""
    duration_ms = SHORT_SQUARE_S * 1e3
    leak = 1.0 + duration_ms / 2 / passive_properties(cell).tau_ms
    return (-45.0 - cell.rest_mv) * cell.capacitance_pf / duration_ms * leak


_SHORT_STEPS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.15, 1.3, 1.5)
_LONG_STEPS = (0.4, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.9, 2.4)


def _long_squares(cell: CellParameters, rheobase: float) -> list[Stimulus]:
    resistance = passive_properties(cell).input_resistance_mohm
    down = [-_round_to(mv / resistance * 1e3, 5.0) for mv in (24.0, 16.0, 8.0, 4.0)]
    up = [_round_to(rheobase * k, 5.0) for k in _LONG_STEPS]
    step = Stimulus("Long Square", "long square", 0.3, 1.0, 0.0, 1.7)
    aborted = replace(step, amplitude_pa=up[-1], recorded_s=0.95)
    return [*(replace(step, amplitude_pa=amplitude) for amplitude in (*down, *up)), aborted]


def _ramps(rheobase: float) -> list[Stimulus]:
    ramp = Stimulus("Ramp", "ramp", 0.3, 1.3, _round_to(rheobase * 1.8, 5.0), 1.9)
    return [ramp, replace(ramp, duration_s=0.9, sweep_s=1.5)]


def _noises(rheobase: float, seed: int) -> list[Stimulus]:
    noise = Stimulus("Noise 1", "noise", 0.3, 1.4, _round_to(rheobase * 1.9, 5.0), 1.9, noise_seed=2 * seed + 1)
    return [noise, replace(noise, name="Noise 2", noise_seed=2 * seed + 2)]
