"""Scoring a loaded model on labelled cells, species by species."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from napari_celltype.errors import ModelError
from napari_celltype.models.base import Model
from napari_celltype.models.features import FEATURE_NAMES

from .metrics import score_seeds
from .tables import BROAD, SUBCLASSES, Cells, read_both_species, read_mouse

__all__ = ["evaluate"]


def evaluate(model: Model, data: Path) -> dict[str, Any]:
    """Figures of a model for each group of labelled cells in ``data`` that its classes fit.

    Besides the scores, each group has ``abstained`` (share of cells) and ``answered_accuracy`` (among the others).
    """
    try:
        groups = _GROUPS[model.info.input](model, data)
    except KeyError:
        raise ModelError(f"there are no labelled cells for models of a {model.info.input}") from None
    return {name: _score(model, cells) for name, cells in groups.items() if len(cells)}


def _feature_groups(model: Model, data: Path) -> dict[str, Cells]:
    if model.info.classes == SUBCLASSES:
        return {"mouse": read_mouse(data)}
    if model.info.classes == BROAD:
        cells = read_both_species(data)
        return {"mouse": cells.take(cells.species == 0), "human": cells.take(cells.species == 1)}
    raise ModelError(f"no labels in the tables fit the classes {', '.join(model.classes)}")


_GROUPS: dict[str, Callable[[Model, Path], dict[str, Cells]]] = {"features": _feature_groups}


def _score(model: Model, cells: Cells) -> dict[str, Any]:
    said = model.predict(pd.DataFrame(cells.features, columns=list(FEATURE_NAMES)))
    scores = score_seeds([said.probabilities], cells.truth, cells.classes, cells.donors).to_dict()
    answered = ~said.abstained
    right = said.probabilities.argmax(axis=1) == cells.truth
    accuracy = float(right[answered].mean()) if answered.any() else float("nan")
    return {**scores, "abstained": float(1 - answered.mean()), "answered_accuracy": accuracy}
