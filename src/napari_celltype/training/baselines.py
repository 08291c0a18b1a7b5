"""Plain classifiers on the 41 features, on the same cells, folds and training size as the networks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import softmax
from napari_celltype.models.kernel import couple
from napari_celltype.models.preparation import fit_preparation

from .crossval import Fitted, Fitter, out_of_fold
from .experts import choose_gaussians, fit_gaussians, fit_svc, subclass_codes
from .job import Job
from .metrics import score_seeds
from .splits import donor_folds, paper_split
from .tables import Cells, read_mouse

__all__ = ["BASELINES", "run", "whole_cells"]

FloatArray = NDArray[np.float64]
Estimator = Callable[[int], Any]


def prepared(fit: Callable[[FloatArray, Cells, int], Fitted], *, logarithms: bool = False) -> Fitter:
    """A fitter that scales, and fills gaps, from its training cells only."""

    def fitter(cells: Cells, seed: int) -> Fitted:
        preparation = fit_preparation(cells.features, logarithms=logarithms)
        inner = fit(preparation.filled(preparation.scaled(cells.features)), cells, seed)
        return lambda raw: inner(preparation.filled(preparation.scaled(raw)))

    return fitter


def estimator(make: Estimator, *, logarithms: bool = False) -> Fitter:
    """A fitter around a scikit-learn classifier."""

    def fit(x: FloatArray, cells: Cells, seed: int) -> Fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = make(seed).fit(x, cells.truth)
        return lambda new: np.asarray(fitted.predict_proba(new), dtype=float)

    return prepared(fit, logarithms=logarithms)


def _svc(x: FloatArray, cells: Cells, seed: int) -> Fitted:
    fitted = fit_svc(x, cells.truth)
    return lambda new: softmax(couple(fitted.decisions(new), len(cells.classes)))


def _svc_votes(x: FloatArray, cells: Cells, seed: int) -> Fitted:
    from sklearn.svm import SVC

    fitted = SVC().fit(x, cells.truth)
    return lambda new: np.eye(len(cells.classes))[fitted.predict(new)]


_PENALTIES = (1.0, 3.0, 10.0)
_REACHES = (0.25, 0.5, 1.0)
"""Of the kernel, as parts of scikit-learn's default."""


def _svc_chosen(x: FloatArray, cells: Cells, seed: int) -> Fitted:
    """The support-vector machine with penalty and reach chosen by inner folds of its training cells."""
    usual = 1.0 / (x.shape[1] * float(x.var()))
    folds = donor_folds(cells.truth, cells.donors, 5, seed)

    def right(settings: tuple[float, float]) -> int:
        found = 0
        for fit, check in folds:
            fitted = fit_svc(x[fit], cells.truth[fit], penalty=settings[0], gamma=settings[1] * usual)
            said = couple(fitted.decisions(x[check]), len(cells.classes)).argmax(axis=1)
            found += int((said == cells.truth[check]).sum())
        return found

    penalty, reach = max(product(_PENALTIES, _REACHES), key=right)
    fitted = fit_svc(x, cells.truth, penalty=penalty, gamma=reach * usual)
    return lambda new: softmax(couple(fitted.decisions(new), len(cells.classes)))


def _gaussians(x: FloatArray, cells: Cells, seed: int) -> Fitted:
    settings = choose_gaussians(x, cells, seed)
    fitted = fit_gaussians(x, *subclass_codes(cells.truth, cells.lines), settings)
    # half: neighbouring features repeat one another, and their evidence counts double
    return lambda new: softmax(0.5 * fitted.log_probabilities(new))


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=seed)


def _boosting(seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=200, max_depth=4, learning_rate=0.1, subsample=0.8, random_state=seed, n_jobs=1)


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=3000)


def _discriminant(seed: int) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis()


def _perceptron(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((40, 20), activation="tanh", alpha=0.1, max_iter=200, random_state=seed)


BASELINES: dict[str, Fitter] = {
    "SVC, scikit-learn's defaults": prepared(_svc_votes),
    "SVC with coupled pairs": prepared(_svc),
    "random forest": estimator(_forest),
    "XGBoost": estimator(_boosting),
    "logistic regression": estimator(_logistic),
    "linear discriminant, bent features": estimator(_discriminant, logarithms=True),
    "MLP 41-40-20-5": estimator(_perceptron),
    "SVC, bent features, settings chosen within": prepared(_svc_chosen, logarithms=True),
    "Gaussians by driver line": prepared(_gaussians, logarithms=True),
}


def run(job: Job) -> dict[str, Any]:
    """Score every baseline on donor folds, and on the papers' kind of split."""
    cells = read_mouse(job.data)
    seeds = range(1) if job.quick else range(5)
    chosen = dict(list(BASELINES.items())[:2]) if job.quick else BASELINES
    by_donor, by_cell = {}, {}
    for name, fitter in chosen.items():
        slug = "".join(c if c.isalnum() else "-" for c in name)
        runs = out_of_fold(job, slug, cells, fitter, [job.seed + s for s in seeds], n_folds=3 if job.quick else 10)
        by_donor[name] = score_seeds(runs, cells.truth, cells.classes, cells.donors).to_dict()
        by_cell[name] = _paper_figures(job, slug, whole_cells(cells), fitter)
    return {"donor_folds": by_donor, "paper_split": by_cell}


def whole_cells(cells: Cells) -> Cells:
    """Cells without a gap, as the papers used."""
    return cells.take(np.flatnonzero(np.isfinite(cells.features).all(axis=1)))


def _paper_figures(job: Job, slug: str, cells: Cells, fitter: Fitter) -> dict[str, float]:
    """Accuracy over random splits of cells, 80 to 20: mean, spread, extremes."""

    def compute() -> dict[str, NDArray[Any]]:
        accuracies = []
        for number in job.track(range(2 if job.quick else 20), f"{slug}, papers' split"):
            train, test = paper_split(len(cells), seed=job.seed + number)
            said = fitter(cells.take(train), number)(cells.features[test]).argmax(axis=1)
            accuracies.append(float((said == cells.truth[test]).mean()))
        return {"accuracy": np.array(accuracies)}

    found = job.stage(f"papers-{slug}", len(cells), compute)["accuracy"]
    return {
        "mean": float(found.mean()),
        "spread": float(found.std()),
        "least": float(found.min()),
        "most": float(found.max()),
    }
