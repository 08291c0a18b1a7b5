"""Each sweep of a cell measured in the way its stimulus asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from napari_celltype.recording import FloatArray, Recording, Sweep

from .filters import Slope
from .passive import Square, baseline_mv, deflection, sag
from .signals import trace_problem
from .spikes import SpikeRules, find_spikes
from .stimulus import Stimulus
from .trains import train_features

__all__ = ["MeasuredSweep", "measure_sweeps", "sweep_table"]

_SHORT_SQUARE_LOOK_S = 0.001
_SHORT_SQUARE_FRACTION = 0.1


@dataclass(frozen=True, eq=False)
class MeasuredSweep:
    """A sweep's stimulus, spikes and numbers; ``problem`` says why nothing was measured, if so."""

    sweep: Sweep
    stimulus: Stimulus
    spikes: pd.DataFrame
    values: dict[str, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def amplitude_pa(self) -> float:
        """Size of the step, NaN where unknown."""
        return float("nan") if self.stimulus.amplitude_pa is None else self.stimulus.amplitude_pa

    @property
    def passive_pa(self) -> float:
        """Size of the step the passive values belong to: of a step right before the stimulus, if there is one."""
        return self.amplitude_pa if self.stimulus.prepulse is None else self.stimulus.prepulse[2]

    @property
    def fires(self) -> bool:
        """Whether it has a spike in the time looked at."""
        return self.values.get("rate_hz", 0.0) > 0.0


def measure_sweeps(
    recording: Recording, stimuli: Sequence[Stimulus], electrode: str, rules: SpikeRules
) -> list[MeasuredSweep]:
    """Measure the sweeps of one electrode that are not in voltage clamp, in order."""
    pairs = [
        (sweep, stimulus)
        for sweep, stimulus in zip(recording.sweeps, stimuli, strict=True)
        if sweep.electrode == electrode and sweep.clamp != "voltage" and sweep.read_voltage is not None
    ]
    short = rules_for_short_squares((pair for pair in pairs if pair[1].kind == "short_square"), rules)
    return [_measure(sweep, stimulus, short if stimulus.kind == "short_square" else rules) for sweep, stimulus in pairs]


def square_of(sweep: Sweep, stimulus: Stimulus, voltage: FloatArray) -> Square | None:
    """The step that begins from rest: the stimulus, or the step right before it."""
    if stimulus.onset_s is None or stimulus.offset_s is None:
        return None
    size = float("nan") if stimulus.amplitude_pa is None else stimulus.amplitude_pa
    onset, offset, size = stimulus.prepulse or (stimulus.onset_s, stimulus.offset_s, size)
    return Square(voltage, size, sweep.rate_hz, onset, offset)


def read_pair(sweep: Sweep, stimulus: Stimulus) -> tuple[FloatArray, FloatArray | None]:
    """Potential, and current relative to the holding level (as the Allen Institute's tables count it)."""
    voltage, current = sweep.voltage_mv(), sweep.current_pa()
    if current is None or current.size != voltage.size:
        return voltage, None
    return voltage, current - stimulus.baseline_pa if stimulus.baseline_pa else current


def rules_for_short_squares(pairs: Iterable[tuple[Sweep, Stimulus]], rules: SpikeRules) -> SpikeRules:
    """Rules by which the fast passive rise at the onset of a short square is not taken for a spike.

    The slope that makes a candidate is raised above the median passive slope of the first millisecond, and the
    threshold's slope above what is left of it then (at least 10 % of the mean upstroke).
    """
    looks = [look for sweep, stimulus in pairs if (look := _passive_rise(sweep, stimulus, rules)) is not None]
    if not looks:
        return replace(rules, threshold_fraction=max(rules.threshold_fraction, _SHORT_SQUARE_FRACTION))
    cutoff = 1.1 * float(np.median([steepest for steepest, _, _ in looks]))
    raised = replace(rules, min_slope_mv_ms=cutoff)
    upstrokes = np.concatenate([_upstrokes(sweep, raised) for _, _, sweep in looks])
    if not upstrokes.size:
        return replace(raised, threshold_fraction=_SHORT_SQUARE_FRACTION)
    left = 1.2 * float(np.median([settled for _, settled, _ in looks]))
    return replace(raised, threshold_fraction=max(_SHORT_SQUARE_FRACTION, left / float(upstrokes.mean())))


def _passive_rise(sweep: Sweep, stimulus: Stimulus, rules: SpikeRules) -> tuple[float, float, Sweep] | None:
    """Steepest slope in the first millisecond of a square, and the slope at its end."""
    if stimulus.onset_s is None or trace_problem(voltage := sweep.voltage_mv()):
        return None
    slope = Slope(np.nan_to_num(voltage), sweep.rate_hz, rules.lowpass_hz)
    first = round(stimulus.onset_s * sweep.rate_hz)
    last = round((stimulus.onset_s + _SHORT_SQUARE_LOOK_S) * sweep.rate_hz)
    part = slope.values(first, last + 1)
    return (float(part[:-1].max()), float(part[-1]), sweep) if part.size == last + 1 - first > 1 else None


def _upstrokes(sweep: Sweep, rules: SpikeRules) -> FloatArray:
    return find_spikes(sweep.voltage_mv(), sweep.rate_hz, rules=rules)["upstroke_mv_ms"].to_numpy()


def _measure(sweep: Sweep, stimulus: Stimulus, rules: SpikeRules) -> MeasuredSweep:
    voltage, current = read_pair(sweep, stimulus)
    problem = trace_problem(voltage)
    if problem:
        return MeasuredSweep(sweep, stimulus, find_spikes(np.empty(0), sweep.rate_hz), problem=problem)
    start, stop = _window(stimulus)
    spikes = find_spikes(voltage, sweep.rate_hz, current, start_s=start, stop_s=stop, rules=rules)
    if stop is not None and stop > sweep.duration_s + 1e-3:
        text = f"the sweep ends at {sweep.duration_s:.4g} s, before its stimulus does ({stop:.4g} s)"
        return MeasuredSweep(sweep, stimulus, spikes, problem=text)
    counted = spikes[~spikes["clipped"].to_numpy()] if stimulus.kind == "short_square" else spikes
    last = (sweep.n_samples - 1) / sweep.rate_hz
    values = train_features(counted, 0.0 if start is None else start, last if stop is None else stop)
    square = square_of(sweep, stimulus, voltage) if stimulus.kind == "long_square" else None
    if square is not None:
        values |= _passive(square)
    return MeasuredSweep(sweep, stimulus, spikes, values, "; ".join(spikes.attrs["notes"]))


def _window(stimulus: Stimulus) -> tuple[float | None, float | None]:
    """Where a stimulus of this kind evokes the spikes that count."""
    if stimulus.kind == "long_square":
        return stimulus.onset_s, stimulus.offset_s
    return (stimulus.onset_s, None) if stimulus.kind == "ramp" else (None, None)


def _passive(square: Square) -> dict[str, float]:
    extreme, index = deflection(square)
    _, lowest = deflection(square, downwards=True)
    return {
        "baseline_mv": baseline_mv(square),
        "deflection_mv": extreme,
        "deflection_t_s": index / square.rate_hz,
        "lowest_t_s": lowest / square.rate_hz,
        "sag": sag(square),
    }


def sweep_table(measured: Sequence[MeasuredSweep]) -> pd.DataFrame:
    """One row a sweep: what it was stimulated with and what was measured."""
    rows = [
        {
            "sweep": entry.sweep.index,
            "number": entry.sweep.number,
            "electrode": entry.sweep.electrode,
            "stimulus": entry.stimulus.kind,
            "stimulus_confidence": entry.stimulus.confidence,
            "stimulus_reason": entry.stimulus.reason,
            "onset_s": entry.stimulus.onset_s,
            "offset_s": entry.stimulus.offset_s,
            "amplitude_pa": entry.amplitude_pa,
            **entry.values,
            "problem": entry.problem,
        }
        for entry in measured
    ]
    return pd.DataFrame(rows)
