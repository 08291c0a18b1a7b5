"""Plain classifiers on measured features of neurons, judged by cell, on unseen collections, and within collections."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import softmax
from napari_celltype.models.kernel import couple

from .experts import SupportVectors, fit_svc
from .job import Job
from .metrics import score, score_seeds
from .neuron_splits import cell_folds, source_folds, within_sources
from .neurons import BROAD, NeuronSet

__all__ = [
    "CLASSIFIERS",
    "Scaling",
    "Task",
    "broad_task",
    "fit_scaling",
    "judge",
    "out_of_fold",
    "out_of_source",
    "svc",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Fitted = Callable[[FloatArray], FloatArray]
Fitter = Callable[[FloatArray, IntArray, int, int], Fitted]
"""Takes training features, their classes, the number of classes and a seed; gives what turns features into shares."""

_CLIP = 5.0


@dataclass(frozen=True, eq=False)
class Scaling:
    """Features to mean 0 and spread 1, extremes clipped; what is missing becomes the mean."""

    centre: FloatArray
    spread: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """Scaled and without gaps."""
        return np.nan_to_num(np.clip((x - self.centre) / self.spread, -_CLIP, _CLIP), nan=0.0)


def fit_scaling(x: FloatArray) -> Scaling:
    """Learn it from training neurons."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without a single value stays at zero
        centre, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    return Scaling(np.nan_to_num(centre), np.where(np.nan_to_num(spread) > 1e-9, spread, 1.0))


def svc(penalty: float = 1.0, width: float = 1.0) -> Fitter:
    """A support-vector machine whose kernel is ``width`` times as narrow as scikit-learn's default."""

    def fit(x: FloatArray, truth: IntArray, n_classes: int, seed: int) -> Fitted:
        scaling = fit_scaling(x)
        found, classes = fit_present(scaling(x), truth, penalty, width)
        return lambda new: _spread_out(softmax(couple(found.decisions(scaling(new)), len(classes))), classes, n_classes)

    return fit


def fit_present(x: FloatArray, truth: IntArray, penalty: float, width: float) -> tuple[SupportVectors, IntArray]:
    """Support vectors for the classes that occur."""
    classes, codes = np.unique(truth, return_inverse=True)
    return fit_svc(x, codes, penalty=penalty, gamma=width / x.shape[1]), classes


def _spread_out(shares: FloatArray, classes: IntArray, n_classes: int) -> FloatArray:
    """Shares of the classes that were learned, zero for the others."""
    full = np.zeros((len(shares), n_classes))
    full[:, classes] = shares
    return full


def estimator(make: Callable[[int], Any]) -> Fitter:
    """A fitter around a scikit-learn classifier that bears gaps, or has them filled with the mean."""

    def fit(x: FloatArray, truth: IntArray, n_classes: int, seed: int) -> Fitted:
        scaling = fit_scaling(x)
        found = make(seed).fit(scaling(x), truth)
        return lambda new: _spread_out(
            np.asarray(found.predict_proba(scaling(new)), dtype=float), found.classes_, n_classes
        )

    return fit


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(150, random_state=seed)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.15, max_leaf_nodes=12, l2_regularization=1.0, max_features=0.3, random_state=seed
    )


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=500)


CLASSIFIERS: dict[str, Fitter] = {
    "SVM": svc(),
    "SVM, stiffer": svc(3.0),
    "random forest": estimator(_forest),
    "boosting": estimator(_boosting),
    "logistic regression": estimator(_logistic),
}


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be told apart: classes, and the rows of a set that belong to one of them."""

    neurons: NeuronSet
    classes: tuple[str, ...]
    truth: IntArray
    name: str

    @classmethod
    def of(cls, neurons: NeuronSet) -> Task:
        """All classes of a set."""
        return cls(neurons, neurons.classes, neurons.truth, f"{len(neurons.classes)} classes")


def broad_task(neurons: NeuronSet) -> tuple[Task, IntArray]:
    """Principal cell or interneuron, and the rows of the set that are one of them."""
    rows = np.flatnonzero(neurons.broad >= 0)
    part = replace(neurons.take(rows), classes=BROAD, truth=neurons.broad[rows])
    return Task(part, BROAD, part.truth, "2 classes"), rows


def out_of_fold(
    job: Job, name: str, x: FloatArray, task: Task, fitter: Fitter, seeds: Sequence[int], n_folds: int = 5
) -> list[FloatArray]:
    """Shares of every neuron by models that never saw its cell, once a seed; each seed also draws its own folds."""

    def compute() -> dict[str, FloatArray]:
        found = np.zeros((len(seeds), len(task.truth), len(task.classes)))
        for place, seed in enumerate(seeds):
            folds = cell_folds(task.neurons, n_folds, seed)
            for fold in job.track(range(n_folds), f"{name}, {task.name}, seed {seed}"):
                test = folds == fold
                found[place, test] = fitter(x[~test], task.truth[~test], len(task.classes), seed)(x[test])
        return {"shares": found}

    described = [list(seeds), n_folds, task.name, list(x.shape), float(np.nansum(x))]
    return list(job.stage(f"cells-{_slug(name)}", described, compute)["shares"])


def out_of_source(
    job: Job, name: str, x: FloatArray, task: Task, fitter: Fitter, seed: int = 0
) -> tuple[FloatArray, IntArray, NDArray[np.str_]]:
    """Shares by models that never saw the collection, the rows they are of, and the collection of each."""
    folds = source_folds(task.neurons)

    def compute() -> dict[str, FloatArray]:
        parts = [np.zeros((0, len(task.classes)))] + [
            fitter(x[fold.train], task.truth[fold.train], len(task.classes), seed)(x[fold.test])
            for fold in job.track(folds, f"{name}, {task.name}, unseen collections")
        ]
        return {"shares": np.concatenate(parts)}

    described = [seed, task.name, list(x.shape), float(np.nansum(x))]
    shares = job.stage(f"sources-{_slug(name)}", described, compute)["shares"]
    rows = np.concatenate([np.zeros(0, dtype=np.intp), *(fold.test for fold in folds)])
    sources = np.concatenate([np.zeros(0, dtype=str), *(np.full(len(fold.test), fold.source) for fold in folds)])
    return shares, rows, sources


def judge(job: Job, name: str, x: FloatArray, task: Task, fitter: Fitter, seeds: Sequence[int]) -> dict[str, Any]:
    """Figures of a classifier: by cell, on unseen collections (together and each), and within collections."""
    runs = out_of_fold(job, name, x, task, fitter, seeds)
    shares, rows, sources = out_of_source(job, name, x, task, fitter, job.seed)
    return judged(task, runs, shares, rows, sources)


def judged(
    task: Task, runs: Sequence[FloatArray], shares: FloatArray, rows: IntArray, sources: NDArray[np.str_]
) -> dict[str, Any]:
    """Figures of what was said by cell, and on unseen collections if there are two or more."""
    cells = task.neurons.cells.astype(np.int64)
    found: dict[str, Any] = {"by_cell": score_seeds(runs, task.truth, task.classes, cells).to_dict()}
    if len(rows):
        found["unseen_source"] = score_seeds([shares], task.truth[rows], task.classes, cells[rows]).to_dict()
    found["each_unseen_source"] = {
        str(source): {**score(shares[sources == source], task.truth[rows][sources == source]), "files": int(n)}
        for source, n in zip(*np.unique(sources, return_counts=True), strict=True)
    }
    found["within_source"] = {
        source: {**score(runs[0][inside], task.truth[inside]), "files": len(inside)}
        for source, inside in within_sources(task.neurons).items()
    }
    return found


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)
