"""Why a model says what it says of a neuron: the branches that decided, and the measures unlike its class's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError, NeuronError
from napari_celltype.neuron import Neuron

from .classify import Found, Progress
from .classify_models import Shelf
from .classify_values import ModelChoice, Verdict

if TYPE_CHECKING:
    from napari_celltype.models.neuron_explain import BranchShares

__all__ = ["Branch", "Difference", "Why", "differences", "explain", "told_of"]

FloatArray = NDArray[np.float64]

_LISTEN_S = 0.1

_FAILURES = (ImportError, MemoryError, RuntimeError, ValueError)
"""How models fail while predicting: torch is missing, memory is full, a device is lost, numbers do not fit. Anything
else, and anything elsewhere, is a bug and must look like one."""


@contextmanager
def told_of(model: Any) -> Iterator[None]:
    """Turn a model's failure into a sentence.

    Raises
    ------
    ModelError
        In the user's words.
    """
    try:
        yield
    except _FAILURES as error:
        raise ModelError(
            f"{model.name} could not judge this neuron ({type(error).__name__}: {error})",
            hint="Choose another model; `napari-celltype info` says what a report of this needs.",
        ) from error


@dataclass(frozen=True)
class Difference:
    """A measure of the neuron beside what its class has in the middle; ``z`` in standard deviations of the class."""

    name: str
    value: float
    usual: float
    z: float


@dataclass(frozen=True)
class Branch:
    """A branch that was taken off: its first node, its length with all beyond it, and what it speaks."""

    node_id: int
    length_um: float
    value: float


@dataclass(frozen=True, eq=False)
class Why:
    """Which branches decided.

    Parameters
    ----------
    label
        The class that is explained.
    values
        (n,) for each node of the neuron by how much the log-odds of the label fall when its branch is taken off;
        negative where they rise, NaN where nothing can be said.
    log_odds
        Of the label for the whole neuron.
    branches
        Those that were tried, the one that speaks most for the label first.
    """

    label: str
    values: FloatArray
    log_odds: float
    branches: tuple[Branch, ...] = ()

    @property
    def limit(self) -> float:
        """Largest value of either sign, for a symmetric scale."""
        return float(np.max(np.abs(np.nan_to_num(self.values)), initial=0.0))

    @property
    def strongest(self) -> Branch | None:
        """The branch whose loss changes the answer most."""
        return max(self.branches, key=lambda branch: abs(branch.value), default=None)

    def probability_without(self, branch: Branch) -> float:
        """Probability of the label once a branch is taken off."""
        return _probability(self.log_odds - branch.value)

    @property
    def probability(self) -> float:
        """Probability of the label with all branches."""
        return _probability(self.log_odds)


def _probability(log_odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-log_odds)))


def differences(model: Any, neuron: Neuron, label: str) -> tuple[Difference, ...] | None:
    """Measures unlike those of the class, the most unlike first; None where the class's are not known."""
    from napari_celltype.models.neuron_explain import hand_reference, unlike_class

    reference = hand_reference(model)
    if reference is None or label not in reference.classes:
        return None
    try:
        table = unlike_class(neuron, label, reference)
    except NeuronError:
        return None
    return tuple(
        Difference(str(row["feature"]), float(row["value"]), float(row["usual"]), float(row["z"]))
        for row in table.to_dict("records")
    )


def explain(choice: ModelChoice, neuron: Neuron, verdict: Verdict, shelf: Shelf) -> Iterator[Progress | Found]:
    """Take off branch after branch and ask again; yields how far it is, and ``why`` at last.

    Whoever stops listening ends it within a batch of branches.
    """
    from napari_celltype.models.neuron_explain import occlude_branches

    yield Progress(0.0, f"Loading {choice.name}")
    model = shelf.get(choice)
    told: SimpleQueue[tuple[int, int]] = SimpleQueue()
    stopped = Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            occlude_branches,
            model,
            neuron,
            of=verdict.label,
            progress=lambda done, total: told.put((done, total)),
            cancelled=stopped.is_set,
        )
        try:
            share = 0.0
            while not work.done():
                try:
                    done, total = told.get(timeout=_LISTEN_S)
                    share = done / max(total, 1)
                except Empty:  # the same again: a worker can only be stopped where it yields
                    pass
                yield Progress(share, "Taking off branch after branch")
            with told_of(model):
                shares = work.result()
            yield Found({"why": _why_of(shares)})
        finally:
            stopped.set()


def _why_of(shares: BranchShares) -> Why:
    branches = tuple(
        Branch(int(row["node_id"]), float(row["length_um"]), float(row["value"]))
        for row in shares.branches.to_dict("records")
    )
    return Why(shares.explained, shares.values, shares.log_odds, branches)
