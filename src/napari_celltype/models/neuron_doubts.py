"""When a model of reconstructions should not be believed: torn, tiny, flat, without the part that tells, unlike any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.neuron import Neuron

from .neuron_features import wide_names

__all__ = ["MEASURES", "NeuronDoubts", "fit_neuron_doubts", "likeness"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

MEASURES = (
    "all_length",
    "all_tips",
    "all_stems",
    "all_reach_50",
    "all_reach_most",
    "all_reach_shape",
    "all_detour",
    "all_tip_length",
    "all_tip_spread",
    "all_inner_length",
    "all_order_most",
    "all_angle_remote",
    "all_angle_local",
    "all_asymmetry",
    "all_flatness",
    "all_slimness",
    "all_off_centre",
    "all_straight",
    "all_winding",
    "all_outward",
    "all_bar_evenness",
    "all_shell_peak_at",
    "stem_evenness",
)
"""Wide features by which a neuron is held to be like, or unlike, those a model was trained on."""

_LENGTH, _TIPS, _FLATNESS = "all_length", "all_tips", "all_flatness"
_AXON = 2
_LEAST_AXON = 0.01


@dataclass(frozen=True, eq=False)
class NeuronDoubts:
    """What the training neurons were like, and where trust ends.

    Parameters
    ----------
    usual
        Of each of :data:`MEASURES`, what stands in where it cannot be measured.
    means, covariances
        Of each class, (k, d) and (k, d, d).
    least
        (k, 3): least length in um, ends, and flatness that count as a whole neuron of the class.
    needs_axon
        (k,) whether the class is told by its axon.
    farthest
        Largest distance to the nearest class that still counts as like the training neurons, in standard deviations.
    min_confidence
        Below this probability of the best class the model abstains.
    """

    usual: FloatArray
    means: FloatArray
    covariances: FloatArray
    least: FloatArray
    needs_axon: NDArray[np.bool_]
    farthest: float
    min_confidence: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> NeuronDoubts:
        """What a model stores: arrays under ``doubts.*``, limits under ``abstain`` in its settings."""
        limits = settings["abstain"]
        return cls(
            **{name: arrays[f"doubts.{name}"].astype(float) for name in ("usual", "means", "covariances", "least")},
            needs_axon=arrays["doubts.needs_axon"].astype(bool),
            farthest=float(limits["farthest"]),
            min_confidence=float(limits["min_confidence"]),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing with a model."""
        stored = {f"doubts.{name}": getattr(self, name) for name in ("usual", "means", "covariances", "least")}
        return stored | {"doubts.needs_axon": self.needs_axon.astype(np.uint8)}

    def limits(self) -> dict[str, float]:
        """For a model's settings."""
        return {"farthest": float(self.farthest), "min_confidence": float(self.min_confidence)}

    def distances(self, wide: FloatArray) -> FloatArray:
        """How unlike the training neurons each is: 0 as usual, 3 as rare as three standard deviations.

        The Mahalanobis distance to the nearest class, brought by the Wilson-Hilferty cube root from chi-squared to a
        standard normal.
        """
        values = self._filled(wide)
        d = values.shape[1]
        gaps = values[None] - self.means[:, None]
        solved = np.linalg.solve(self.covariances, gaps.transpose(0, 2, 1)).transpose(0, 2, 1)
        squared = (gaps * solved).sum(axis=2).min(axis=0)
        distances: FloatArray = (np.cbrt(squared / d) - (1 - 2 / (9 * d))) / np.sqrt(2 / (9 * d))
        return distances

    def _filled(self, wide: FloatArray) -> FloatArray:
        values = likeness(wide)
        return np.where(np.isfinite(values), values, self.usual)

    def reasons(
        self, neurons: Sequence[Neuron], wide: FloatArray, probabilities: FloatArray, classes: Sequence[str]
    ) -> list[list[str]]:
        """Why the model abstains on each standardised neuron; empty where it does not."""
        distances = self.distances(wide)
        return [
            [
                text
                for text in (
                    _torn(neuron),
                    self._partial(wide[row], int(probabilities[row].argmax()), classes),
                    self._axonless(neuron, int(probabilities[row].argmax()), classes),
                    self._unlike(float(distances[row])),
                    self._unsure(float(probabilities[row].max())),
                )
                if text
            ]
            for row, neuron in enumerate(neurons)
        ]

    def _partial(self, wide: FloatArray, best: int, classes: Sequence[str]) -> str:
        """Too little of a neuron to be one of its class."""
        length, tips, flatness = _whole_measures(wide[None])[0]
        least_length, least_tips, least_flatness = self.least[best]
        if length < least_length or tips < least_tips:
            return (
                f"Tiny: {length:.0f} um of neurite and {tips:.0f} ends; for {classes[best]} it asks for at least "
                f"{least_length:.0f} um and {np.ceil(least_tips):.0f} ends, half of what the smallest in training had."
            )
        if flatness < least_flatness:
            return (
                f"Flat: its thickness is {flatness:.2%} of its spread; for {classes[best]} it asks for at least "
                f"{least_flatness:.2%}. Perhaps it was traced from a picture, or in a thin slice."
            )
        return ""

    def _axonless(self, neuron: Neuron, best: int, classes: Sequence[str]) -> str:
        if not self.needs_axon[best] or (neuron.types == _AXON).mean() >= _LEAST_AXON:
            return ""
        return f"No axon is traced, and {classes[best]} cells are told from others by their axon."

    def _unlike(self, distance: float) -> str:
        if distance <= self.farthest:
            return ""
        return (
            f"Unlike the training neurons: {distance:.1f} standard deviations from the nearest class "
            f"(limit {self.farthest:.1f})."
        )

    def _unsure(self, probability: float) -> str:
        if probability >= self.min_confidence:
            return ""
        return f"Low confidence: {probability:.2f}, below the {self.min_confidence:.2f} this model asks for."


def likeness(wide: FloatArray) -> FloatArray:
    """The columns of wide features by which likeness is judged."""
    place = {name: i for i, name in enumerate(wide_names())}
    return wide[:, [place[name] for name in MEASURES]]


def _whole_measures(wide: FloatArray) -> FloatArray:
    """Length in um, number of ends, and flatness of each neuron."""
    place = {name: i for i, name in enumerate(wide_names())}
    length, tips, flatness = (wide[:, place[name]] for name in (_LENGTH, _TIPS, _FLATNESS))
    return np.column_stack([100 * np.expm1(length), np.expm1(tips), np.nan_to_num(flatness, nan=1.0)])


def _torn(neuron: Neuron) -> str:
    lost = [note.message for note in neuron.defects if note.code == "left-off" and note.severity != "note"]
    return f"Disconnected: {lost[0]}" if lost else ""


def fit_neuron_doubts(
    wide: FloatArray,
    truth: IntArray,
    folds: IntArray,
    classes: Sequence[str],
    *,
    min_confidence: float,
    needs_axon: Sequence[str] = ("basket", "GABAergic", "interneuron"),
    tolerated: float = 0.96,
) -> NeuronDoubts:
    """Learn what neurons are like, and how far neurons not used usually are from that.

    Parameters
    ----------
    wide
        Wide features of the training neurons.
    folds
        Number of the part each is in; distances are measured from the other parts.
    tolerated
        Part of the neurons not used that must count as like the others.
    """
    far = np.zeros(len(truth))
    for fold in np.unique(folds):
        fit, check = folds != fold, folds == fold
        far[check] = _fitted(wide[fit], truth[fit], len(classes)).distances(wide[check])
    found = _fitted(wide, truth, len(classes))
    sizes = _whole_measures(wide)
    least = np.stack([0.5 * np.quantile(sizes[truth == k], 0.01, axis=0) for k in range(len(classes))])
    return NeuronDoubts(
        found.usual,
        found.means,
        found.covariances,
        least,
        np.array([name in needs_axon for name in classes]),
        farthest=float(np.quantile(far, tolerated)),
        min_confidence=min_confidence,
    )


def _fitted(wide: FloatArray, truth: IntArray, n_classes: int) -> NeuronDoubts:
    values = likeness(wide)
    usual = np.nanmedian(values, axis=0)
    values = np.where(np.isfinite(values), values, usual)
    present = [values[truth == k] for k in range(n_classes)]
    means = np.stack([part.mean(axis=0) if len(part) else values.mean(axis=0) for part in present])
    pooled = np.cov(values - means[truth], rowvar=False, bias=True)
    pooled += 1e-3 * np.diag(values.var(axis=0))
    covariances = np.stack(
        [_toward(part - mean, pooled) if len(part) else pooled for part, mean in zip(present, means, strict=True)]
    )
    nothing = np.zeros((n_classes, 3))
    return NeuronDoubts(usual, means, covariances, nothing, np.zeros(n_classes, dtype=bool), np.inf, 0.0)


def _toward(gaps: FloatArray, pooled: FloatArray, worth: float = 60.0) -> FloatArray:
    """Covariance of a class, drawn to that of all classes as if these were so many more neurons of it."""
    return (gaps.T @ gaps + worth * pooled) / (len(gaps) + worth)
