"""Figures that say how good a classifier is, with the spread over seeds and a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import expected_calibration_error

__all__ = ["Scores", "confusion", "coverage_curve", "score", "score_seeds"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "auc", "ece", "log_loss")


@dataclass(frozen=True, eq=False)
class Scores:
    """What one experiment scored.

    Parameters
    ----------
    mean, spread
        Headline figures, averaged over seeds, and their standard deviation over seeds.
    interval
        95 % bootstrap interval of each, from drawing donors with replacement.
    per_class
        Class name to precision, recall, F1 and number of cells.
    coverage
        Pairs (share of cells answered, accuracy among them), most confident cells first.
    confusion
        Counts, true class in rows, averaged over seeds.
    """

    n_cells: int
    n_seeds: int
    mean: dict[str, float]
    spread: dict[str, float]
    interval: dict[str, tuple[float, float]]
    per_class: dict[str, dict[str, float]]
    coverage: list[tuple[float, float]]
    confusion: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "n_cells": self.n_cells,
            "n_seeds": self.n_seeds,
            "mean": self.mean,
            "spread": self.spread,
            "interval": {name: list(pair) for name, pair in self.interval.items()},
            "per_class": self.per_class,
            "coverage": [list(pair) for pair in self.coverage],
            "confusion": self.confusion.tolist(),
        }


def score(probabilities: FloatArray, truth: IntArray) -> dict[str, float]:
    """Headline figures of one run: accuracy, balanced accuracy, macro F1, AUC, calibration error, log loss.

    Classes absent from ``truth`` are left out of the averages over classes.
    """
    counts = confusion(probabilities.argmax(axis=1), truth, probabilities.shape[1])
    _, recall, f1 = _rates(counts)
    present = counts.sum(axis=1) > 0
    return {
        "accuracy": float(np.trace(counts) / len(truth)),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "auc": _macro_auc(probabilities, truth),
        "ece": expected_calibration_error(probabilities, truth),
        "log_loss": float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, 1)).mean()),
    }


def score_seeds(
    runs: Sequence[FloatArray],
    truth: IntArray,
    classes: Sequence[str],
    donors: NDArray[np.int64] | None = None,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Scores:
    """Score several runs over the same cells.

    Parameters
    ----------
    runs
        Probabilities of each seed, (n, k).
    donors
        Who gave each cell; the bootstrap draws donors, so that cells which stand or fall together do so there too.
    """
    single = [score(run, truth) for run in runs]
    counts = np.mean([confusion(run.argmax(axis=1), truth, len(classes)) for run in runs], axis=0)
    precision, recall, f1 = _rates(counts)
    return Scores(
        n_cells=len(truth),
        n_seeds=len(runs),
        mean={name: float(np.mean([s[name] for s in single])) for name in HEADLINES},
        spread={name: float(np.std([s[name] for s in single])) for name in HEADLINES},
        interval=_bootstrap(runs, truth, donors, n_bootstrap, seed),
        per_class={
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "cells": int(counts[i].sum().round()),
            }
            for i, name in enumerate(classes)
        },
        coverage=coverage_curve(np.concatenate(runs), np.tile(truth, len(runs))),
        confusion=counts,
    )


def confusion(predicted: IntArray, truth: IntArray, n_classes: int) -> FloatArray:
    """Counts, true class in rows, predicted in columns."""
    flat = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(float)


def coverage_curve(probabilities: FloatArray, truth: IntArray, steps: int = 10) -> list[tuple[float, float]]:
    """Accuracy among the most confident tenth, two tenths, ... of the cells."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    stops = [max(1, round(len(right) * step / steps)) for step in range(1, steps + 1)]
    return [(stop / len(right), float(right[:stop].mean())) for stop in stops]


def _rates(counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    hits = np.diag(counts)
    precision = hits / np.maximum(counts.sum(axis=0), 1e-12)
    recall = hits / np.maximum(counts.sum(axis=1), 1e-12)
    return precision, recall, 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def _macro_auc(probabilities: FloatArray, truth: IntArray) -> float:
    """One class against the rest, averaged over the classes present: the chance a member outranks a stranger."""
    from scipy.stats import rankdata

    areas = []
    for k in range(probabilities.shape[1]):
        member = truth == k
        n, m = int(member.sum()), int((~member).sum())
        if n and m:
            ranks = rankdata(probabilities[:, k])
            areas.append((ranks[member].sum() - n * (n + 1) / 2) / (n * m))
    return float(np.mean(areas)) if areas else float("nan")


def _bootstrap(
    runs: Sequence[FloatArray], truth: IntArray, donors: NDArray[np.int64] | None, n: int, seed: int
) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(seed)
    _, group = np.unique(np.arange(len(truth)) if donors is None else donors, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    predicted = [run.argmax(axis=1) for run in runs]
    drawn: dict[str, list[float]] = {"accuracy": [], "balanced_accuracy": [], "macro_f1": []}
    for _ in range(n):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        counts = confusion(predicted[rng.integers(len(runs))][rows], truth[rows], runs[0].shape[1])
        _, recall, f1 = _rates(counts)
        present = counts.sum(axis=1) > 0
        drawn["accuracy"].append(float(np.trace(counts) / len(rows)))
        drawn["balanced_accuracy"].append(float(recall[present].mean()))
        drawn["macro_f1"].append(float(f1[present].mean()))
    return {name: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for name, v in drawn.items()}
