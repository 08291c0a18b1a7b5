"""The recipe of ``svc-allen41``: a support-vector machine on the 41 features, the baseline every network must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import Arrays, ModelInfo
from napari_celltype.models.calibration import Calibration, fit_calibration, log_softmax, softmax
from napari_celltype.models.kernel import couple
from napari_celltype.models.preparation import fit_preparation

from .baselines import BASELINES, prepared
from .crossval import Fitted, out_of_fold
from .experts import fit_svc, without_cells
from .facts import mouse_facts
from .job import Job
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, pack_feature_model
from .splits import donor_folds
from .tables import Cells, read_mouse

__all__ = ["run"]

FloatArray = NDArray[np.float64]
MIN_CONFIDENCE = 0.5


def run(job: Job) -> dict[str, Any]:
    """Score it on donor folds, then train on all cells and write the model."""
    cells = read_mouse(job.data)
    seeds = [job.seed + s for s in range(1 if job.quick else 5)]
    n_folds = 3 if job.quick else 10
    raw = [
        np.log(np.maximum(p, 1e-12))
        for p in out_of_fold(job, "svc-of-blends", cells, prepared(_of_blends), seeds, n_folds=n_folds)
    ]
    whole = out_of_fold(job, "svc", cells, BASELINES["SVC with coupled pairs"], seeds, n_folds=n_folds)
    votes = out_of_fold(job, "votes", cells, BASELINES["SVC, scikit-learn's defaults"], seeds, n_folds=n_folds)
    figures = {
        "svc-allen41": score_seeds(
            cross_calibrated(raw, cells, seeds), cells.truth, cells.classes, cells.donors
        ).to_dict(),
        "with its support vectors, uncalibrated": score_seeds(
            whole, cells.truth, cells.classes, cells.donors
        ).to_dict(),
        "the same, by votes": score_seeds(votes, cells.truth, cells.classes, cells.donors).to_dict(),
    }
    calibration = fit_calibration(np.concatenate(raw), np.tile(cells.truth, len(raw)), len(cells.classes))
    _pack(job, cells, calibration, figures)
    return {"donor_folds": figures}


def _of_blends(x: FloatArray, cells: Cells, seed: int) -> Fitted:
    fitted = without_cells(fit_svc(x, cells.truth), x, cells.truth, seed)
    return lambda new: softmax(couple(fitted.decisions(new), len(cells.classes)))


def cross_calibrated(
    logs: list[FloatArray], cells: Cells, seeds: list[int], form: str = "temperature"
) -> list[FloatArray]:
    """Calibrated probabilities of every cell, the calibration fitted on the other donors' cells."""
    found = []
    for scores, seed in zip(logs, seeds, strict=True):
        probabilities = np.zeros((len(cells), len(cells.classes)))
        for fit, check in donor_folds(cells.truth, cells.donors, 5, seed + 1000):
            fitted = fit_calibration(log_softmax(scores[fit]), cells.truth[fit], len(cells.classes), form=form)
            probabilities[check] = fitted(log_softmax(scores[check]))
        found.append(probabilities)
    return found


def _pack(job: Job, cells: Cells, calibration: Calibration, figures: dict[str, Any]) -> None:
    preparation = fit_preparation(cells.features, logarithms=False)
    x = preparation.filled(preparation.scaled(cells.features))
    fitted = without_cells(fit_svc(x, cells.truth), x, cells.truth, job.seed)
    info = ModelInfo(
        name="svc-allen41",
        version="1.0.0",
        task="mouse cortical subclass, five classes",
        input="features",
        kind="svc",
        classes=cells.classes,
        summary="A support-vector machine (radial kernel, C = 1) on the 41 Allen features: the baseline beside LSPIN.",
        species=("mouse",),
        licence=LICENCE,
        citation=CITATION,
        settings={"gamma": fitted.gamma},
    )
    weights: Arrays = {
        "svc.centres": fitted.centres.astype(np.float32),
        "svc.weights": fitted.weights,
        "svc.intercept": fitted.intercept,
    }
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=30, logarithms=False, seed=job.seed)
    facts = mouse_facts(
        cells,
        doubts,
        "svc-allen41",
        figures,
        split=" Nothing was chosen: penalty and reach of the kernel are scikit-learn's defaults.",
        needs=" It was not trained with gaps: it fills a few, and refuses many; `lspin` is made for them.",
        extra={
            "How it is made": (
                "The support vectors of such a machine are cells. Here its decisions are stored as sums over "
                f"{len(fitted.centres)} means of three like cells each, fitted to say what the machine says; the "
                "table shows both."
            )
        },
    )
    pack_feature_model(job, info, weights, facts, preparation=preparation, calibration=calibration, doubts=doubts)
