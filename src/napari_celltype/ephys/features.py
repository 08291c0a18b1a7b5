"""The features of a cell: the 41 columns of the Allen table, the wider set, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_celltype.recording import Recording

from .cell import Measured, measure_families
from .names import FEATURES_41
from .spikes import SpikeRules
from .stimulus import Stimulus, StimulusKind, find_stimuli
from .sweeps import MeasuredSweep, measure_sweeps, sweep_table

__all__ = ["FEATURES_41", "WIDER_FEATURES", "CellFeatures", "extract_features", "measure_features"]

WIDER_FEATURES: tuple[str, ...] = (
    "rheobase_pa",
    "adaptation",
    "avg_isi_s",
    "median_isi_s",
    "first_isi_s",
    "isi_cv",
    "rate_hz",
    "n_spikes",
    "n_pauses",
    "pause_fraction",
    "n_bursts",
    "burstiness",
    "delay_ratio",
    "delay_tau_s",
)
"""Further features, of the sweep some 50 pA above rheobase except ``rheobase_pa``."""

_NOISE = frozenset(FEATURES_41[:14])
_PASSIVE = frozenset({"ri", "tau", "sag", "vm_for_sag"})


@dataclass(frozen=True, eq=False)
class CellFeatures:
    """Everything measured on one cell.

    Attributes
    ----------
    allen41
        The 41 features in the Allen table's order, NaN where the recording does not hold their stimulus.
    wider
        Rheobase, adaptation, intervals, bursts and pauses.
    sweeps
        One row a sweep: stimulus with confidence and reason, spike train, passive values, and what is wrong with it.
    spikes
        One row a spike, all sweeps together, with the sweep's number.
    coverage
        One row a feature: value, the sweeps it came from, a note, and what recording would supply it if missing.
    notes
        What should be known about the whole, one sentence each.
    """

    allen41: pd.Series[float]
    wider: pd.Series[float]
    sweeps: pd.DataFrame
    spikes: pd.DataFrame
    coverage: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def missing(self) -> dict[str, str]:
        """Features without a value, with the recording that would supply each."""
        lacking = self.coverage[self.coverage["value"].isna()]
        return dict(zip(lacking["feature"], lacking["needs"], strict=True))

    def all(self) -> pd.Series[float]:
        """The 41 features and the wider ones in one series."""
        return pd.concat([self.allen41, self.wider])


def extract_features(
    recording: Recording,
    stimuli: Mapping[int, StimulusKind | Stimulus] | None = None,
    *,
    electrode: str | None = None,
    rules: SpikeRules | None = None,
) -> pd.Series[float]:
    """Measure the 41 features of the Allen table on a recording.

    A feature is NaN where its stimulus was not recorded; ``attrs["missing"]`` says what recording would supply it and
    ``attrs["sweeps"]`` which sweeps the others came from. :func:`measure_features` gives all there is.

    Parameters
    ----------
    recording
        The recording of one cell.
    stimuli
        What the user knows better about the stimulus of a sweep, by its index.
    electrode
        Which electrode, if there are several; the one that fires in most sweeps by default.
    rules
        When a deflection counts as a spike.
    """
    cell = measure_features(recording, stimuli, electrode=electrode, rules=rules)
    series = cell.allen41.copy()
    supplied = cell.coverage[cell.coverage["value"].notna()]
    series.attrs["missing"] = {name: text for name, text in cell.missing.items() if name in FEATURES_41}
    series.attrs["sweeps"] = dict(zip(supplied["feature"], supplied["sweeps"], strict=True))
    series.attrs["notes"] = list(cell.notes)
    return series


def measure_features(
    recording: Recording,
    stimuli: Mapping[int, StimulusKind | Stimulus] | None = None,
    *,
    electrode: str | None = None,
    rules: SpikeRules | None = None,
) -> CellFeatures:
    """Measure all features of a cell, with the sweeps and the reasons behind them.

    Parameters are those of :func:`extract_features`.
    """
    rules = rules or SpikeRules()
    found = find_stimuli(recording, stimuli)
    measured, electrode, notes = _measure_electrode(recording, found, electrode, rules)
    values = measure_families(measured, recording, electrode)
    allen41 = pd.Series([_value(values, name) for name in FEATURES_41], index=list(FEATURES_41), dtype=float)
    wider = pd.Series([_value(values, name) for name in WIDER_FEATURES], index=list(WIDER_FEATURES), dtype=float)
    coverage = _coverage(values, measured)
    return CellFeatures(
        allen41, wider, sweep_table(measured), _all_spikes(measured), coverage, (*notes, *_notes(measured, allen41))
    )


def _measure_electrode(
    recording: Recording, stimuli: list[Stimulus], electrode: str | None, rules: SpikeRules
) -> tuple[list[MeasuredSweep], str, list[str]]:
    names = _electrodes(recording, "current") or _electrodes(recording, "unknown") or [""]
    if electrode is not None and electrode not in recording.electrodes:
        raise ValueError(f"there is no electrode {electrode!r}; this recording has {recording.electrodes}")
    wanted = names if electrode is None else [electrode]
    measured = {name: measure_sweeps(recording, stimuli, name, rules) for name in wanted}
    best = max(wanted, key=lambda name: sum(entry.fires for entry in measured[name]))
    notes: list[str] = []
    if len(wanted) > 1:
        notes.append(f"Of {len(wanted)} electrodes, “{best}” was measured: it fires in most sweeps.")
    return measured[best], best, notes


def _electrodes(recording: Recording, clamp: str) -> list[str]:
    return list(dict.fromkeys(sweep.electrode for sweep in recording.sweeps if sweep.clamp == clamp))


def _value(values: Mapping[str, Measured], name: str) -> float:
    return values[name].value if name in values else float("nan")


def _coverage(values: Mapping[str, Measured], measured: list[MeasuredSweep]) -> pd.DataFrame:
    rows = []
    for name in (*FEATURES_41, *WIDER_FEATURES):
        entry = values.get(name)
        sweeps = ", ".join(str(number) for number in entry.sweeps) if entry else ""
        needs = "" if entry else _what_would_supply(name, measured)
        rows.append((name, _value(values, name), sweeps, entry.note if entry else "", needs))
    return pd.DataFrame(rows, columns=["feature", "value", "sweeps", "note", "needs"])


def _what_would_supply(name: str, measured: list[MeasuredSweep]) -> str:
    kinds = {entry.stimulus.kind for entry in measured if entry.values}
    if name in _NOISE:
        have = "noise" in kinds
        return "a noise sweep with more than ten spikes" + (" (the noise sweeps here have fewer)" if have else "")
    if name == "seal_gohm":
        return "a voltage-clamp sweep with square pulses on the sealed, unbroken patch (named EXTPCllATT)"
    if name == "input_resistance_mohm":
        return "a voltage-clamp sweep with square pulses after break-in (named EXTPBREAKN)"
    if name.endswith("_ramp"):
        return "a slow current ramp that makes the cell fire"
    if name.endswith("_short_square"):
        return "short (3 ms) current squares that make the cell fire"
    if name in _PASSIVE:
        return "long (1 s) current squares from 0 to -100 pA, with 100 ms of rest before and little noise"
    if name == "vrest":
        return "long (1 s) current squares with 100 ms of rest before"
    if name == "f_i_curve_slope":
        return "long (1 s) current squares of two or more strengths that make the cell fire"
    if name in WIDER_FEATURES and name != "rheobase_pa":
        return "a long (1 s) current square some 50 pA above rheobase with several spikes"
    return "long (1 s) current squares that make the cell fire"


def _all_spikes(measured: list[MeasuredSweep]) -> pd.DataFrame:
    tables = [
        entry.spikes.assign(sweep=entry.sweep.index, number=entry.sweep.number)
        for entry in measured
        if len(entry.spikes)
    ]
    if not tables:
        return pd.DataFrame()
    for table in tables:
        table.attrs.clear()
    return pd.concat(tables, ignore_index=True)


def _notes(measured: list[MeasuredSweep], allen41: pd.Series[float]) -> list[str]:
    if not measured:
        return ["No sweep was recorded in current clamp: nothing can be measured."]
    notes = []
    unusable = [entry for entry in measured if not entry.values]
    if unusable:
        notes.append(f"{len(unusable)} of {len(measured)} sweeps could not be measured: {unusable[0].problem}.")
    if not any(len(entry.spikes) for entry in measured):
        notes.append("No spike was found.")
    if np.isnan(allen41.to_numpy()).all():
        notes.append("None of the features could be measured.")
    return notes
