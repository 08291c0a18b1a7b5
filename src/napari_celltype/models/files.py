"""From files to verdicts: what a file holds, the model for it, one entry a cell, failures among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError, ModelError

from .base import Model
from .catalogue import load_model, model_infos
from .prediction import Prediction

__all__ = ["FilePredictor", "kind_of"]

_TABLES = {".csv", ".tsv"}
_NEURONS = (".swc", ".eswc", ".asc", ".nmx", ".swc.gz", ".eswc.gz")

INPUTS = {"recording": ("features", "waveform"), "table": ("features",), "neuron": ("neuron", "image")}
"""Kinds of file, and the inputs of models that can judge them, the first preferred."""


def kind_of(path: Path) -> str:
    """``"table"``, ``"neuron"`` or ``"recording"``, by suffix: anything else may be a recording."""
    name = path.name.lower()
    return "table" if path.suffix.lower() in _TABLES else "neuron" if name.endswith(_NEURONS) else "recording"


@dataclass
class FilePredictor:
    """Judges files one after another, loading each model once.

    Parameters
    ----------
    model
        Name or folder; by default the default models for what a file holds.
    version, device
        As in :func:`napari_celltype.load_model`.
    """

    model: str | None = None
    version: str | None = None
    device: str = "auto"
    _loaded: dict[str, Model] = field(default_factory=dict, repr=False)

    def entries(self, paths: Sequence[str | os.PathLike[str]]) -> Iterator[dict[str, Any]]:
        """One dictionary a cell; a file that fails is an entry with ``error``."""
        for path in map(Path, paths):
            kind = kind_of(path)
            try:
                yield from self._judge(path, kind)
            except CelltypeError as error:
                yield {"path": str(path), "kind": kind, "error": str(error)}

    def _judge(self, path: Path, kind: str) -> list[dict[str, Any]]:
        content = _READERS[kind](path)
        prediction = self._predict(content, kind)
        records = prediction.to_records()
        items = [{"item": item} for item in prediction.items] if kind == "table" or len(prediction) > 1 else [{}]
        return [
            {"path": str(path), "kind": kind, **item, **record} for item, record in zip(items, records, strict=True)
        ]

    def _predict(self, content: Any, kind: str) -> Prediction:
        """The first fitting model's verdict; another's where the first abstains and it does not."""
        names = [self.model] if self.model is not None else _defaults(kind)
        if not names:
            raise ModelError(f"no model for a {kind} is bundled", hint="Name one with --model.")
        first = self._load(names[0]).predict(content)
        for name in names[1:]:
            if not first.abstained.all():
                break
            other = self._load(name).predict(content)
            if not other.abstained.all():
                return other
        return first

    def _load(self, name: str) -> Model:
        if name not in self._loaded:
            self._loaded[name] = load_model(name, self.version, device=self.device)
        return self._loaded[name]


def _defaults(kind: str) -> list[str]:
    infos = [info for info in model_infos() if info.default]
    return [info.name for wanted in INPUTS[kind] for info in infos if info.input == wanted]


def _read_table(path: Path) -> Any:
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot be read as a table ({error})", path=path) from error
    for column in ("specimen_id", "cell_id", "id"):
        if column in table.columns:
            return table.set_index(column)
    return table


def _read_recording(path: Path) -> Any:
    from napari_celltype.io import read_recording

    return read_recording(path)


def _read_neuron(path: Path) -> Any:
    from napari_celltype.io import read_neuron

    return read_neuron(path)


_READERS: dict[str, Callable[[Path], Any]] = {
    "table": _read_table,
    "recording": _read_recording,
    "neuron": _read_neuron,
}
