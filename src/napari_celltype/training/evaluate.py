"""Scoring a loaded model on labelled cells, species by species or collection by collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.models.base import Model
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.models.joint import JointModel
from napari_celltype.models.prediction import Prediction
from napari_celltype.models.waveform_model import WaveformModel

from . import neurons as reconstructions
from .metrics import score_seeds
from .spikes import BROAD_CLASSES, FIVE_CLASSES, SpikeSet, read_spikes
from .tables import BROAD, SUBCLASSES, Cells, read_both_species, read_mouse

__all__ = ["evaluate"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """What a model says of labelled cells, with what they are."""

    said: Prediction
    truth: NDArray[np.intp]
    donors: NDArray[np.int64]


def evaluate(model: Model, data: Path) -> dict[str, Any]:
    """Figures of a model for each group of labelled cells in ``data`` that its classes fit.

    Besides the scores, each group has ``abstained`` (share of cells) and ``answered_accuracy`` (among the others).
    """
    if model.info.input not in _GROUPS:
        raise ModelError(f"there are no labelled cells for models of a {model.info.input}")
    groups = _GROUPS[model.info.input](model, data)
    return {name: _score(model, cells) for name, cells in groups.items() if len(cells.truth)}


def _feature_groups(model: Model, data: Path) -> dict[str, Labelled]:
    if model.info.classes == SUBCLASSES:
        return {"mouse": _by_features(model, read_mouse(data))}
    if model.info.classes == BROAD:
        cells = read_both_species(data)
        groups = {"mouse": cells.species == 0, "human": cells.species == 1}
        return {name: _by_features(model, cells.take(np.flatnonzero(rows))) for name, rows in groups.items()}
    raise _unfit(model)


def _by_features(model: Model, cells: Cells) -> Labelled:
    table = pd.DataFrame(cells.features, columns=list(FEATURE_NAMES))
    return Labelled(model.predict(table), cells.truth, cells.donors)


def _waveform_groups(model: Model, data: Path) -> dict[str, Labelled]:
    if not isinstance(model, WaveformModel) or model.info.classes not in (FIVE_CLASSES, BROAD_CLASSES):
        raise _unfit(model)
    # not filtered yet: the model does that itself
    spikes = read_spikes(data, replace(model.form, low_pass_hz=0.0))
    truth = spikes.subclass if model.info.classes == FIVE_CLASSES else spikes.broad
    groups = {
        "mouse": spikes.species == 0,
        "mouse, recorded at 50 kHz": (spikes.species == 0) & (spikes.rates_khz == 50),
        "mouse, recorded at 200 kHz": (spikes.species == 0) & (spikes.rates_khz == 200),
        "human": spikes.species == 1,
    }
    chosen = {name: np.flatnonzero(rows & (truth >= 0)) for name, rows in groups.items()}
    return {name: _by_windows(model, spikes.take(rows), truth[rows]) for name, rows in chosen.items() if rows.size}


def _by_windows(model: WaveformModel, spikes: SpikeSet, truth: NDArray[np.intp]) -> Labelled:
    return Labelled(model.predict(spikes.windows, model.form.rate_hz), truth, spikes.donors)


def _pair_groups(model: Model, data: Path) -> dict[str, Labelled]:
    """Cells of which both features and spike are known."""
    from .joint import read_pairs

    if not isinstance(model, JointModel) or model.info.classes != SUBCLASSES:
        raise _unfit(model)
    cells, spikes = read_pairs(data, replace(model.form, low_pass_hz=0.0))
    said = model.predict((cells.features, spikes.windows), model.form.rate_hz)
    return {"mouse": Labelled(said, cells.truth, cells.donors)}


def _neuron_groups(model: Model, data: Path) -> dict[str, Labelled]:
    """All reconstructions of a class the model knows, and those of each collection."""
    found = reconstructions.read_neurons(data)
    if model.info.classes == reconstructions.BROAD:
        truth = found.broad
    else:
        known = {name: code for code, name in enumerate(model.classes)}
        truth = np.array([known.get(found.classes[k], -1) for k in found.truth], dtype=np.intp)
    rows = np.flatnonzero(truth >= 0)
    if not len(rows):
        raise _unfit(model)
    whole = Labelled(model.predict(list(found.neurons(rows))), truth[rows], found.cells[rows].astype(np.int64))
    sources = found.sources[rows]
    names = np.unique(sources)
    each = {str(name): _part(whole, sources == name) for name in names} if len(names) > 1 else {}
    return {"all": whole} | each


def _part(cells: Labelled, rows: NDArray[np.bool_]) -> Labelled:
    said = cells.said
    reasons = [texts for texts, chosen in zip(said.reasons, rows, strict=True) if chosen]
    part = Prediction(said.model, said.version, said.classes, said.probabilities[rows], reasons)
    return Labelled(part, cells.truth[rows], cells.donors[rows])


def _unfit(model: Model) -> ModelError:
    return ModelError(f"no labels in the tables fit the classes {', '.join(model.classes)}")


_GROUPS: dict[str, Callable[[Model, Path], dict[str, Labelled]]] = {
    "features": _feature_groups,
    "waveform": _waveform_groups,
    "recording": _pair_groups,
    "neuron": _neuron_groups,
}


def _score(model: Model, cells: Labelled) -> dict[str, Any]:
    said = cells.said
    scores = score_seeds([said.probabilities], cells.truth, model.classes, cells.donors).to_dict()
    answered = ~said.abstained
    right = said.probabilities.argmax(axis=1) == cells.truth
    accuracy = float(right[answered].mean()) if answered.any() else float("nan")
    return {**scores, "abstained": float(1 - answered.mean()), "answered_accuracy": accuracy}
