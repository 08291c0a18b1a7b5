"""What is said of a recording's cell, as plain values: verdicts, votes of sweeps, and how far a verdict holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.ephys.windows import ApWindow

if TYPE_CHECKING:
    from napari_celltype.models.prediction import Prediction

    from .classify_compare import Comparison

__all__ = ["Band", "CellCall", "ModelChoice", "SweepSpread", "Verdict", "Vote", "pooled", "spread_of", "verdict_of"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ModelChoice:
    """A model by name; version None is the newest."""

    name: str
    version: str | None = None
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Verdict:
    """What one model says of one cell or window.

    ``input`` is what it looked at (``features`` or ``waveform``), ``window`` where, if it was a window.
    """

    model: str
    version: str
    input: str
    classes: tuple[str, ...]
    probabilities: FloatArray
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    window: ApWindow | None = None
    gates: FloatArray | None = None
    embedding: FloatArray | None = None

    @property
    def label(self) -> str:
        """The most probable class, also where the model abstains."""
        return self.classes[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return float(np.max(self.probabilities))

    @property
    def abstained(self) -> bool:
        """Whether the label should not be relied on."""
        return bool(self.reasons)


def verdict_of(prediction: Prediction, row: int, seen: str, window: ApWindow | None = None) -> Verdict:
    """One row of a prediction as a verdict."""
    return Verdict(
        model=prediction.model,
        version=prediction.version,
        input=seen,
        classes=tuple(prediction.classes),
        probabilities=np.asarray(prediction.probabilities[row], dtype=float),
        reasons=tuple(prediction.reasons[row]),
        notes=tuple(prediction.notes[row]),
        window=window,
        gates=None if prediction.gates is None else np.asarray(prediction.gates[row]),
        embedding=None if prediction.embedding is None else np.asarray(prediction.embedding[row]),
    )


@dataclass(frozen=True, eq=False)
class Vote:
    """What one sweep says by its own best window."""

    sweep: int
    number: int
    stimulus: str
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Band:
    """How the verdict moves when the window is shifted.

    Parameters
    ----------
    shifts_ms
        (m,) in rising order, 0 among them.
    probabilities
        (m, k) for each shift.
    abstained
        (m,) where the model would abstain.
    """

    classes: tuple[str, ...]
    shifts_ms: FloatArray
    probabilities: FloatArray
    abstained: NDArray[np.bool_]

    @property
    def labels(self) -> list[str]:
        """Best class at each shift."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    def steady_ms(self) -> tuple[float, float]:
        """The shifts around 0 over which the label stays and the model goes on answering."""
        middle = int(np.abs(self.shifts_ms).argmin())
        same = np.array([label == self.labels[middle] for label in self.labels]) & ~self.abstained
        if not same[middle]:
            return (0.0, 0.0)
        first = last = middle
        while first > 0 and same[first - 1]:
            first -= 1
        while last < len(same) - 1 and same[last + 1]:
            last += 1
        return float(self.shifts_ms[first]), float(self.shifts_ms[last])


@dataclass(frozen=True, eq=False)
class CellCall:
    """All that is said of one recording's cell so far; parts that are still to come are None.

    Parameters
    ----------
    window
        The window the verdict is about.
    suggested
        Windows worth looking at, best first.
    verdict
        Of the model chosen.
    companion
        Of the other kind of model: features beside a waveform and the other way round.
    others
        Of the other models offered by default.
    votes, band
        Of the waveform model, whichever of the two it is.
    features
        The 41 features as measured, by name.
    refusal
        A sentence where nothing can be said at all.
    remarks
        Sentences about what is left out and why.
    """

    window: ApWindow | None = None
    suggested: tuple[ApWindow, ...] = ()
    verdict: Verdict | None = None
    companion: Verdict | None = None
    others: tuple[Verdict, ...] = ()
    votes: tuple[Vote, ...] | None = None
    band: Band | None = None
    comparison: Comparison | None = None
    features: Any = None
    refusal: str = ""
    remarks: tuple[str, ...] = field(default=())


def pooled(votes: Sequence[Vote]) -> FloatArray | None:
    """Mean probabilities over the sweeps whose model does not abstain; over all where it always does."""
    if not votes:
        return None
    sound = [vote.verdict.probabilities for vote in votes if not vote.verdict.abstained]
    mean: FloatArray = np.mean(sound or [vote.verdict.probabilities for vote in votes], axis=0)
    return mean


@dataclass(frozen=True)
class SweepSpread:
    """How the verdict moves from sweep to sweep.

    Parameters
    ----------
    label
        The class with the largest mean probability.
    asked, judged, agreeing
        Sweeps with a window; those among them the model does not abstain on; those of them that say ``label``.
    mean, deviation, low, high
        Of the probability of ``label`` over the sweeps judged (over all, where it abstains on each).
    """

    label: str
    asked: int
    judged: int
    agreeing: int
    mean: float
    deviation: float
    low: float
    high: float


def spread_of(votes: Sequence[Vote]) -> SweepSpread | None:
    """The spread of the sweeps' votes; None without votes."""
    mean = pooled(votes)
    if mean is None:
        return None
    best = int(mean.argmax())
    label = votes[0].verdict.classes[best]
    sound = [vote.verdict for vote in votes if not vote.verdict.abstained]
    shares = np.array([verdict.probabilities[best] for verdict in sound or [vote.verdict for vote in votes]])
    return SweepSpread(
        label=label,
        asked=len(votes),
        judged=len(sound),
        agreeing=sum(verdict.label == label for verdict in sound),
        mean=float(shares.mean()),
        deviation=float(shares.std()),
        low=float(shares.min()),
        high=float(shares.max()),
    )
