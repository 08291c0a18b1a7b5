"""The 41 features of the Allen table: what each is, which stimulus it needs, and reading them from anything.

Units are the table's own: mV, pA, V/s (which equals mV/ms), seconds, megaohm, gigaohm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.ephys.names import FEATURES_41
from napari_celltype.errors import ModelError

if TYPE_CHECKING:
    from napari_celltype.recording import Recording

__all__ = ["FEATURES", "FEATURE_NAMES", "STIMULI", "Feature", "FeatureTable", "columns_of", "read_features"]


@dataclass(frozen=True)
class Feature:
    """One column of the table: its name, unit, the stimulus it is measured under, and words for axes."""

    name: str
    unit: str
    stimulus: str
    label: str


def _spike_features(suffix: str, stimulus: str, words: str) -> list[Feature]:
    shared = {
        "fast_trough_v": ("mV", "fast trough"),
        "peak_v": ("mV", "peak"),
        "threshold_i": ("pA", "threshold current"),
        "threshold_v": ("mV", "threshold"),
        "trough_v": ("mV", "trough"),
        "upstroke_downstroke_ratio": ("", "upstroke/downstroke"),
    }
    return [Feature(name + suffix, unit, stimulus, f"{label}, {words}") for name, (unit, label) in shared.items()]


_NOISE = {
    "threshold_v": ("mV", "threshold"),
    "threshold_i": ("pA", "current at threshold"),
    "peak_v": ("mV", "peak"),
    "peak_i": ("pA", "current at peak"),
    "trough_v": ("mV", "trough"),
    "trough_i": ("pA", "current at trough"),
    "upstroke": ("V/s", "upstroke"),
    "upstroke_v": ("mV", "voltage at upstroke"),
    "downstroke": ("V/s", "downstroke"),
    "downstroke_v": ("mV", "voltage at downstroke"),
    "fast_trough_v": ("mV", "fast trough"),
    "fast_trough_i": ("pA", "current at fast trough"),
    "width": ("s", "width"),
    "upstroke_downstroke_ratio": ("", "upstroke/downstroke"),
}
_CELL = {
    "f_i_curve_slope": ("Hz/pA", "long square", "f-I slope"),
    "input_resistance_mohm": ("MΩ", "quality", "input resistance (test pulse)"),
    "latency": ("s", "long square", "latency at rheobase"),
    "ri": ("MΩ", "long square", "input resistance"),
    "sag": ("", "long square", "sag"),
    "seal_gohm": ("GΩ", "quality", "seal resistance"),
    "tau": ("ms", "long square", "membrane time constant"),
    "vm_for_sag": ("mV", "long square", "voltage for sag"),
    "vrest": ("mV", "long square", "resting potential"),
}

STIMULI = ("noise", "long square", "ramp", "short square", "quality")
"""What a feature needs: a stimulus, or (``quality``) figures the acquisition notes about seal and cell."""

_KNOWN = {
    feature.name: feature
    for feature in [
        *(Feature(name, unit, "noise", f"{label}, noise") for name, (unit, label) in _NOISE.items()),
        *_spike_features("_long_square", "long square", "long square"),
        *_spike_features("_ramp", "ramp", "ramp"),
        *_spike_features("_short_square", "short square", "short square"),
        *(Feature(name, *about) for name, about in _CELL.items()),
    ]
}

FEATURES: tuple[Feature, ...] = tuple(_KNOWN[name] for name in FEATURES_41)
"""The 41 features in the table's order."""

FEATURE_NAMES = FEATURES_41
"""Their names, in the same order."""


def columns_of(stimulus: str) -> NDArray[np.intp]:
    """Columns of the features measured under a stimulus."""
    return np.flatnonzero([feature.stimulus == stimulus for feature in FEATURES])


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of ``n`` cells as numbers, and what was noticed while reading them.

    Parameters
    ----------
    values
        (n, 41), NaN where unknown.
    items
        What each row is.
    notes, doubts
        Per row, remarks, and reasons to abstain that are known before any model looks.
    species
        Per row, ``"mouse"``, ``"human"`` or another name where the data state it, else empty.
    """

    values: NDArray[np.float64]
    items: list[str]
    notes: list[list[str]] = field(default_factory=list)
    doubts: list[list[str]] = field(default_factory=list)
    species: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.species:
            object.__setattr__(self, "species", ["" for _ in self.items])
        for name in ("notes", "doubts"):
            if not getattr(self, name):
                object.__setattr__(self, name, [[] for _ in self.items])


def read_features(x: Any, names: Sequence[str] = FEATURE_NAMES) -> FeatureTable:
    """Features from a table, a Series, a mapping, an array with 41 columns, a Recording or several recordings.

    Columns are found by name, in any order; absent ones count as missing. Infinite values count as missing too.

    Raises
    ------
    ModelError
        If nothing in ``x`` is a feature.
    """
    import pandas as pd

    from napari_celltype.recording import Recording

    if isinstance(x, Recording):
        return _from_recordings([x], names)
    if isinstance(x, list | tuple) and x and all(isinstance(item, Recording) for item in x):
        return _from_recordings(x, names)
    if isinstance(x, pd.Series):
        x = x.to_frame().T
    elif isinstance(x, Mapping):
        x = pd.DataFrame([dict(x)])
    if isinstance(x, pd.DataFrame):
        return _from_frame(x, names)
    return _from_array(x, names)


def _from_frame(table: Any, names: Sequence[str]) -> FeatureTable:
    if not set(names) & set(table.columns):
        raise ModelError(
            "none of the table's columns is a feature this model knows",
            hint=f"It needs columns named like {names[0]}, {names[1]}, {names[2]} ({len(names)} in all).",
        )
    duplicated = table.columns[table.columns.duplicated()]
    if len(set(duplicated) & set(names)):
        raise ModelError(f"the table has more than one column named {duplicated[0]}", hint="Keep one of them.")
    chosen = table.reindex(columns=list(names))
    try:
        values = chosen.to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"a feature is not a number ({error})", hint="Leave a cell empty where it is unknown."
        ) from error
    absent = [name for name in names if name not in table.columns]
    notes = [[f"The table has no column {_listed(absent)}."] if absent else [] for _ in range(len(table))]
    return FeatureTable(
        _only_finite(values), [str(item) for item in table.index], notes, species=_stated_species(table)
    )


_SPECIES = {"mus musculus": "mouse", "homo sapiens": "human", "rattus norvegicus": "rat"}


def common_species(stated: object) -> str:
    """``"mouse"`` for ``"Mus musculus"`` and the like; empty for what is no text."""
    text = stated.strip().lower() if isinstance(stated, str) else ""
    return _SPECIES.get(text, text)


def _stated_species(table: Any) -> list[str]:
    for column in ("species", "organism"):
        if column in table.columns:
            return [common_species(stated) for stated in table[column]]
    return []


def _from_array(x: Any, names: Sequence[str]) -> FeatureTable:
    try:
        values = np.atleast_2d(np.asarray(x, dtype=float))
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"cannot make features of {type(x).__name__}", hint="Give a table with named columns."
        ) from error
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ModelError(
            f"got an array of shape {values.shape}, this model takes (cells, {len(names)})",
            hint="A table with named columns may have fewer.",
        )
    return FeatureTable(_only_finite(values), [str(i) for i in range(len(values))])


def _only_finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)


def _from_recordings(recordings: Sequence[Recording], names: Sequence[str]) -> FeatureTable:
    rows, notes, doubts = zip(*(_from_recording(recording, names) for recording in recordings), strict=True)
    items = [recording.name for recording in recordings]
    species = [recorded_species(recording) for recording in recordings]
    return FeatureTable(_only_finite(np.array(rows)), items, list(notes), list(doubts), species)


def recorded_species(recording: Recording) -> str:
    """Species a recording states, in a common name; empty where it states none."""
    subject = recording.metadata.get("subject")
    stated = subject.get("species") if isinstance(subject, Mapping) else recording.metadata.get("species")
    return common_species(stated)


def _from_recording(recording: Recording, names: Sequence[str]) -> tuple[NDArray[np.float64], list[str], list[str]]:
    from napari_celltype.ephys.features import extract_features

    clamps = {sweep.clamp for sweep in recording.sweeps}
    if clamps and clamps <= {"voltage"}:
        doubt = "All sweeps are voltage clamp; the features are measured in current clamp."
        return np.full(len(names), np.nan), [], [doubt]
    series = extract_features(recording)
    notes = [str(note) for note in series.attrs.get("notes", [])]
    values = np.array([series.get(name, np.nan) for name in names], dtype=np.float64)
    return values, notes, []


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
