"""What a model says about cells: classes, calibrated probabilities, doubts and their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Prediction"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about ``n`` cells.

    Parameters
    ----------
    model, version
        The model that spoke.
    classes
        Names of the ``k`` classes, in the order of the probabilities' columns.
    probabilities
        Calibrated, (n, k), rows sum to one.
    reasons
        For each cell, in plain sentences, why the model abstains; empty where it does not.
    notes
        For each cell, remarks that do not make the model abstain (features that were missing, a rate it had
        to convert).
    items
        What each row is: the index of the table, or the recording's name.
    gates
        For LSPIN, how far each feature was let through for each cell, 0 to 1; else None.
    embedding
        Coordinates of each cell in the model's own space, (n, d); else None.
    parts
        For recordings judged by their windows, one row a window that was pooled: where it is and what it alone says;
        else None. Models of features have none: an f-I slope, a latency at rheobase or a mean over a noise sweep belong
        to a stimulus or to all sweeps, so that no sweep alone has a verdict.
    """

    model: str
    version: str
    classes: list[str]
    probabilities: FloatArray
    reasons: list[list[str]]
    notes: list[list[str]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    gates: FloatArray | None = None
    embedding: FloatArray | None = None
    parts: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        n, k = self.probabilities.shape
        if k != len(self.classes) or len(self.reasons) != n:
            raise ValueError(f"{n} x {k} probabilities for {len(self.classes)} classes and {len(self.reasons)} reasons")
        if not self.notes:
            object.__setattr__(self, "notes", [[] for _ in range(n)])
        if not self.items:
            object.__setattr__(self, "items", [str(i) for i in range(n)])

    def __len__(self) -> int:
        return len(self.probabilities)

    def __repr__(self) -> str:
        said = ", ".join(
            f"{item}: {label}{' (abstains)' if doubt else ''} {share:.2f}"
            for item, label, doubt, share in zip(
                self.items[:3], self.labels, self.abstained, self.confidence, strict=False
            )
        )
        return (
            f"<Prediction of {self.model} {self.version} for {len(self)} cells: {said}{', …' if len(self) > 3 else ''}>"
        )

    @cached_property
    def labels(self) -> list[str]:
        """The most probable class of each cell, also where the model abstains."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of each cell's label."""
        return self.probabilities.max(axis=1)

    @cached_property
    def abstained(self) -> NDArray[np.bool_]:
        """Where the label should not be relied on; :attr:`reasons` says why."""
        return np.array([bool(reason) for reason in self.reasons], dtype=bool)

    def to_frame(self) -> pd.DataFrame:
        """One row a cell: label, confidence, abstained, a probability a class, reasons and notes."""
        table = pd.DataFrame(
            {"label": self.labels, "confidence": self.confidence, "abstained": self.abstained}, index=self.items
        )
        for column, name in enumerate(self.classes):
            table[f"p({name})"] = self.probabilities[:, column]
        table["reasons"] = [" ".join(texts) for texts in self.reasons]
        table["notes"] = [" ".join(texts) for texts in self.notes]
        return table

    def to_records(self) -> list[dict[str, Any]]:
        """One dictionary a cell, ready for JSON."""
        return [
            {
                "model": self.model,
                "version": self.version,
                "label": self.labels[row],
                "probabilities": dict(zip(self.classes, self.probabilities[row].tolist(), strict=True)),
                "abstained": bool(self.abstained[row]),
                "reasons": list(self.reasons[row]),
                "notes": list(self.notes[row]),
            }
            for row in range(len(self))
        ]


def join_predictions(predictions: Sequence[Prediction]) -> Prediction:
    """Predictions of one model, one below the other."""
    first = predictions[0]
    gates = [p.gates for p in predictions if p.gates is not None]
    embedding = [p.embedding for p in predictions if p.embedding is not None]
    parts = [p.parts for p in predictions if p.parts is not None]
    return Prediction(
        model=first.model,
        version=first.version,
        classes=first.classes,
        probabilities=np.concatenate([p.probabilities for p in predictions]),
        reasons=[texts for p in predictions for texts in p.reasons],
        notes=[texts for p in predictions for texts in p.notes],
        items=[item for p in predictions for item in p.items],
        gates=np.concatenate(gates) if gates else None,
        embedding=np.concatenate(embedding) if embedding else None,
        parts=pd.concat(parts, ignore_index=True) if parts else None,
    )
