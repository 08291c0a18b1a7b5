"""What pipette, amplifier and rig add to the membrane potential: artefacts, noise, hum and drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from napari_celltype.recording import FloatArray

__all__ = ["Electrode", "add_electrode"]

VOLTAGE_STEP_MV = 2.0**-5
"""One count of the digitiser."""


@dataclass(frozen=True)
class Electrode:
    """Faults of a recording, each of a size that a good rig has.

    Parameters
    ----------
    bridge_residue_mohm
        Series resistance left after bridge balance: steps of current show as steps of potential.
    capacitance_mv_per_pa, capacitance_ms
        Transient at every edge of the current, from capacitance that was not compensated, and its decay.
    noise_mv, membrane_noise_mv, hum_mv, hum_hz
        Standard deviation of the electrode's white noise below the filter, of slow membrane noise, and the
        amplitude of mains hum.
    drift_mv_per_min
        Slow drift of the baseline over the recording.
    filter_hz
        Corner of the amplifier's four-pole Bessel filter.
    """

    bridge_residue_mohm: float = 1.5
    capacitance_mv_per_pa: float = 0.003
    capacitance_ms: float = 0.08
    noise_mv: float = 0.06
    membrane_noise_mv: float = 0.12
    hum_mv: float = 0.02
    hum_hz: float = 50.0
    drift_mv_per_min: float = 0.8
    filter_hz: float = 10_000.0


def add_electrode(
    potential_mv: NDArray[np.floating],
    current_pa: NDArray[np.floating],
    rate_hz: float,
    electrode: Electrode,
    rng: np.random.Generator,
    start_s: float = 0.0,
) -> NDArray[np.float32]:
    """One sweep as the digitiser stores it.

    Notes
    -----
    Only what the electrode adds passes the amplifier's filter here. The membrane's own signal lies below its
    corner, and left as it is the peaks stay at the very samples the truth names.
    """
    n = len(potential_mv)
    time_s = np.arange(n) / rate_hz
    added = _response_to_current(current_pa, rate_hz, electrode)
    added += electrode.noise_mv * _white_gain(electrode, rate_hz) * rng.normal(size=n)
    added = _filter(added, rate_hz, electrode)
    added += electrode.membrane_noise_mv * _slow_noise(n, rate_hz, rng)
    added += electrode.hum_mv * np.sin(2 * np.pi * electrode.hum_hz * (time_s + start_s))
    added += electrode.drift_mv_per_min / 60.0 * (time_s + start_s)
    counts = np.round((potential_mv + added) / VOLTAGE_STEP_MV)
    return (counts * VOLTAGE_STEP_MV).astype(np.float32)


def _response_to_current(current_pa: NDArray[np.floating], rate_hz: float, electrode: Electrode) -> FloatArray:
    edges = np.diff(current_pa, prepend=current_pa[:1]).astype(np.float64)
    keep = np.exp(-1e3 / rate_hz / electrode.capacitance_ms)
    transient = signal.lfilter([electrode.capacitance_mv_per_pa], [1.0, -keep], edges)
    return transient + electrode.bridge_residue_mohm * 1e-3 * current_pa


def _white_gain(electrode: Electrode, rate_hz: float) -> float:
    """Noise before the filter for unit noise after it, roughly: the filter passes this share of the band."""
    return max(1.0, rate_hz / 2 / electrode.filter_hz) ** 0.5


def _filter(values: FloatArray, rate_hz: float, electrode: Electrode) -> FloatArray:
    if electrode.filter_hz >= rate_hz / 2:
        return values
    numerator, denominator = signal.bessel(4, electrode.filter_hz, fs=rate_hz, norm="mag")
    return signal.lfilter(numerator, denominator, values)


def _slow_noise(n: int, rate_hz: float, rng: np.random.Generator) -> FloatArray:
    """Noise of unit variance whose power falls with frequency: three relaxations, 3 ms to 0.3 s."""
    total = np.zeros(n)
    for tau_s in (0.003, 0.03, 0.3):
        keep = np.exp(-1.0 / (tau_s * rate_hz))
        gain = np.sqrt(1.0 - keep**2)
        start = [keep * rng.normal()]
        total += signal.lfilter([gain], [1.0, -keep], rng.normal(size=n), zi=start)[0]
    return total / np.sqrt(3.0)
