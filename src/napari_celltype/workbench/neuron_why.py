"""Why a model says what it says of a neuron: the branches that decided, and the measures unlike its class's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.neuron import Neuron

from .classify import Found, Progress
from .classify_models import Shelf
from .classify_values import ModelChoice, Verdict

__all__ = ["Difference", "Why", "differences", "explain"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A measure of the neuron beside those of the class it was given; ``z`` in standard deviations of the class."""

    name: str
    value: float
    mean: float
    z: float


@dataclass(frozen=True, eq=False)
class Why:
    """Which branches decided.

    Parameters
    ----------
    label
        The class that is explained.
    values
        (n,) for each node of the neuron how much the probability of the label falls when its branch is taken off;
        negative where it rises, NaN where nothing can be said.
    """

    label: str
    values: FloatArray

    @property
    def limit(self) -> float:
        """Largest value of either sign, for a symmetric scale."""
        return float(np.nanmax(np.abs(self.values), initial=0.0))


def differences(model: Any, neuron: Neuron, label: str) -> tuple[Difference, ...] | None:
    """Measures unlike those of the class, the most unlike first; None where the class's are not known."""
    return None


def explain(choice: ModelChoice, neuron: Neuron, verdict: Verdict, shelf: Shelf) -> Iterator[Progress | Found]:
    """Take off branch after branch and ask again; yields how far it is, and ``why`` at last."""
    yield Progress(0.0, f"Loading {choice.name}")
    shelf.get(choice)
