"""Features of a cell from the families of sweeps it was stimulated with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from napari_celltype.recording import FloatArray, Recording

from .delay import prespike_tau_s
from .passive import Square, input_resistance_mohm, time_constant_s
from .pulses_vc import pulse_resistance_mohm
from .sweeps import MeasuredSweep, square_of

__all__ = ["Family", "Measured", "measure_families"]

_SAG_AT_MV = -100.0
_PASSIVE_BELOW_PA = -100.0
_HERO_PA = (39.0, 61.0)
_NOISE_SPIKES = 10
_SPIKE_POINTS = ("threshold", "peak", "trough", "fast_trough")
_NOISE_COLUMNS = {
    **{
        f"{point}_{letter}": f"{point}_{column}"
        for point in _SPIKE_POINTS
        for letter, column in (("v", "v_mv"), ("i", "i_pa"))
    },
    "upstroke": "upstroke_mv_ms",
    "upstroke_v": "upstroke_v_mv",
    "downstroke": "downstroke_mv_ms",
    "downstroke_v": "downstroke_v_mv",
    "width": "width_s",
    "upstroke_downstroke_ratio": "upstroke_downstroke_ratio",
}
_SUFFIXED = {
    "threshold_v": "threshold_v_mv",
    "peak_v": "peak_v_mv",
    "trough_v": "trough_v_mv",
    "fast_trough_v": "fast_trough_v_mv",
    "upstroke_downstroke_ratio": "upstroke_downstroke_ratio",
}


@dataclass(frozen=True)
class Measured:
    """A value, the sweeps it came from (by number), and what should be known about it."""

    value: float
    sweeps: tuple[int, ...] = ()
    note: str = ""


@dataclass
class Family:
    """Values gathered so far, by name."""

    values: dict[str, Measured] = field(default_factory=dict)

    def add(self, name: str, value: float | np.floating[Any], sources: Sequence[MeasuredSweep], note: str = "") -> None:
        """Record one value and where it came from."""
        self.values[name] = Measured(float(value), tuple(entry.sweep.number for entry in sources), note)


def measure_families(measured: Sequence[MeasuredSweep], recording: Recording, electrode: str) -> dict[str, Measured]:
    """All values a recording allows; names it does not allow are absent."""
    family = Family()
    usable = [entry for entry in measured if entry.values]
    _from_noise([entry for entry in usable if entry.stimulus.kind == "noise"], family)
    _from_long_squares(same_timing([entry for entry in usable if entry.stimulus.kind == "long_square"]), family)
    _from_short_squares([entry for entry in usable if entry.stimulus.kind == "short_square"], family)
    _from_ramps([entry for entry in usable if entry.stimulus.kind == "ramp"], family)
    _from_voltage_clamp(recording, electrode, family)
    return family.values


def same_timing(squares: Sequence[MeasuredSweep]) -> list[MeasuredSweep]:
    """The largest group of squares that begin and end alike (within a millisecond)."""
    groups: dict[tuple[float, float], list[MeasuredSweep]] = {}
    for entry in squares:
        times = (entry.stimulus.onset_s, entry.stimulus.offset_s)
        if times[0] is not None and times[1] is not None:
            onset, offset = times[0], times[1]
            key = next((k for k in groups if abs(k[0] - onset) < 1e-3 and abs(k[1] - offset) < 1e-3), (onset, offset))
            groups.setdefault(key, []).append(entry)
    return max(groups.values(), key=len, default=[])


def _from_noise(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    """Means over the spikes of the first noise sweep with more than ten."""
    chosen = next((entry for entry in sweeps if len(entry.spikes) > _NOISE_SPIKES), None)
    if chosen is None:
        return
    n_spikes = len(chosen.spikes)
    for name, column in _NOISE_COLUMNS.items():
        values = chosen.spikes[column].to_numpy(dtype=float)
        known = values[np.isfinite(values)]
        note = f"mean of {known.size} spikes" + (f" of {n_spikes}" if known.size < n_spikes else "")
        if known.size:
            family.add(name, known.mean(), [chosen], note)


def _from_long_squares(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    if not sweeps:
        return
    rest = [entry for entry in sweeps if np.isfinite(entry.values["baseline_mv"])]
    if rest:
        family.add("vrest", np.mean([entry.values["baseline_mv"] for entry in rest]), rest)
    _from_firing(sweeps, family)
    _from_silent([entry for entry in sweeps if not entry.fires], family)


def _from_firing(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    firing = [entry for entry in sweeps if entry.fires and np.isfinite(entry.amplitude_pa)]
    slope = _slope([e.amplitude_pa for e in firing], [e.values["rate_hz"] for e in firing])
    if np.isfinite(slope):
        family.add("f_i_curve_slope", slope, firing)
    depolarised = sorted((entry for entry in firing if entry.amplitude_pa > 0.0), key=lambda e: e.amplitude_pa)
    if not depolarised:
        return
    rheobase = depolarised[0]
    family.add("rheobase_pa", rheobase.amplitude_pa, [rheobase])
    family.add("threshold_i_long_square", rheobase.amplitude_pa, [rheobase])
    for name, column in _SUFFIXED.items():
        value = float(rheobase.spikes[column].iloc[0])
        if np.isfinite(value):
            family.add(f"{name}_long_square", value, [rheobase])
    hero = _hero(depolarised, rheobase.amplitude_pa)
    _from_delay(hero, family)
    names = {"latency_s": "latency", "mean_isi_s": "avg_isi_s"}
    for name, value in hero.values.items():
        if name not in ("baseline_mv", "deflection_mv", "deflection_t_s", "lowest_t_s", "sag") and np.isfinite(value):
            family.add(names.get(name, f"{name}"), value, [hero])


def _hero(firing: Sequence[MeasuredSweep], rheobase_pa: float) -> MeasuredSweep:
    """The sweep some 50 pA above rheobase, or the one nearest to 39 pA above."""
    low, high = rheobase_pa + _HERO_PA[0], rheobase_pa + _HERO_PA[1]
    within = [entry for entry in firing if low < entry.amplitude_pa < high]
    return within[0] if within else min(firing, key=lambda entry: abs(entry.amplitude_pa - low))


def _from_delay(hero: MeasuredSweep, family: Family) -> None:
    onset = hero.stimulus.onset_s
    first = float(hero.spikes["threshold_t_s"].iloc[0])
    if onset is None or first <= onset:
        return
    tau = prespike_tau_s(hero.sweep.voltage_mv(onset, first), hero.sweep.rate_hz)
    if np.isfinite(tau) and tau > 0.0:
        family.add("delay_tau_s", tau, [hero])
        family.add("delay_ratio", (first - onset) / tau, [hero], "latency over the time constant of the rise before it")


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    centred = np.array(x) - np.mean(x) if len(x) > 1 else np.zeros(1)
    size = float(centred @ centred)
    return float(centred @ np.array(y)) / size if size > 0.0 else float("nan")


def _from_silent(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    # sag is how a hyperpolarised membrane comes back; where no command is known its direction is not either
    deflected = [e for e in sweeps if np.isfinite(e.values["deflection_mv"]) and not e.passive_pa >= 0.0]
    if deflected:
        nearest = min(deflected, key=lambda entry: abs(entry.values["deflection_mv"] - _SAG_AT_MV))
        family.add("vm_for_sag", nearest.values["deflection_mv"], [nearest])
        if np.isfinite(nearest.values["sag"]):
            family.add("sag", nearest.values["sag"], [nearest])
    negative = sorted((entry for entry in sweeps if entry.passive_pa < 0.0), key=lambda e: -e.passive_pa)
    passive = [entry for entry in negative if entry.passive_pa > _PASSIVE_BELOW_PA]
    note = "" if passive else f"no step lies between {_PASSIVE_BELOW_PA:g} and 0 pA; the three weakest were used"
    _from_passive(sorted(passive or negative[:3], key=lambda e: e.sweep.index), family, note)


def _from_passive(sweeps: Sequence[MeasuredSweep], family: Family, note: str) -> None:
    if not sweeps:
        return
    squares = [_square(entry) for entry in sweeps]
    if any(entry.stimulus.prepulse for entry in sweeps):
        note = "measured on the step right before the stimulus"
    resistance = input_resistance_mohm(squares)
    if np.isfinite(resistance):
        family.add("ri", resistance, sweeps, note)
    latest = float(np.median([entry.values["lowest_t_s"] for entry in sweeps]))
    taus = np.array([time_constant_s(square, latest) for square in squares])
    fitted = [entry for entry, tau in zip(sweeps, taus, strict=True) if np.isfinite(tau)]
    if fitted:
        family.add("tau", float(np.nanmean(taus)) * 1e3, fitted, note)


def _square(entry: MeasuredSweep) -> Square:
    square = square_of(entry.sweep, entry.stimulus, entry.sweep.voltage_mv())
    assert square is not None
    return square


def _from_short_squares(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    """First spikes of all firing sweeps; the current is the one that made most sweeps fire, the lower if tied."""
    firing = [entry for entry in sweeps if entry.fires]
    counts = Counter(round(entry.amplitude_pa, 3) for entry in firing if np.isfinite(entry.amplitude_pa))
    if counts:
        most = max(counts.values())
        common = min(amplitude for amplitude, count in counts.items() if count == most)
        chosen = [entry for entry in firing if round(entry.amplitude_pa, 3) == common]
        family.add("threshold_i_short_square", chosen[0].amplitude_pa, chosen)
    _from_first_spikes([entry for entry in sweeps if len(entry.spikes)], "short_square", family)


def _from_ramps(sweeps: Sequence[MeasuredSweep], family: Family) -> None:
    firing = [entry for entry in sweeps if len(entry.spikes)]
    _from_first_spikes(firing, "ramp", family)
    currents = _first([entry.spikes for entry in firing], "threshold_i_pa")
    if np.isfinite(currents).any():
        family.add("threshold_i_ramp", np.nanmean(currents), firing)


def _from_first_spikes(firing: Sequence[MeasuredSweep], suffix: str, family: Family) -> None:
    for name, column in _SUFFIXED.items():
        values = _first([entry.spikes for entry in firing], column)
        known = [entry for entry, value in zip(firing, values, strict=True) if np.isfinite(value)]
        if known:
            family.add(f"{name}_{suffix}", np.nanmean(values), known)


def _first(spikes: Sequence[pd.DataFrame], column: str) -> FloatArray:
    return np.array([float(table[column].iloc[0]) for table in spikes])


_SEAL, _BREAK_IN = "extpcllatt", "extpbreakn"


def _from_voltage_clamp(recording: Recording, electrode: str, family: Family) -> None:
    """Seal and input resistance from the last sweeps the file names as cell-attached and break-in."""
    for code, name, unit in ((_SEAL, "seal_gohm", 1e-3), (_BREAK_IN, "input_resistance_mohm", 1.0)):
        for sweep in reversed(recording.sweeps):
            named = f"{sweep.stimulus.name} {sweep.stimulus.description}".lower()
            if sweep.clamp != "voltage" or sweep.electrode != electrode or code not in named:
                continue
            current = sweep.current_pa()
            value = (
                float("nan") if current is None else pulse_resistance_mohm(sweep.voltage_mv(), current, sweep.rate_hz)
            )
            if np.isfinite(value):
                family.values[name] = Measured(value * unit, (sweep.number,))
                break
