"""The recipe of ``svc-allen41``: a support-vector machine on the 41 features, the baseline every network must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import ModelInfo
from napari_celltype.models.calibration import Calibration, fit_calibration, log_softmax
from napari_celltype.models.preparation import fit_preparation

from .baselines import BASELINES
from .cards import CardFacts, write_card
from .crossval import out_of_fold
from .experts import fit_svc
from .facts import ABSTAINS, MOUSE_DATA, MOUSE_SPLIT, NEEDS
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
        for p in out_of_fold(job, "svc", cells, BASELINES["SVC with coupled pairs"], seeds, n_folds=n_folds)
    ]
    votes = out_of_fold(job, "votes", cells, BASELINES["SVC, scikit-learn's defaults"], seeds, n_folds=n_folds)
    figures = {
        "svc-allen41": score_seeds(
            cross_calibrated(raw, cells, seeds), cells.truth, cells.classes, cells.donors
        ).to_dict(),
        "the same, by votes": score_seeds(votes, cells.truth, cells.classes, cells.donors).to_dict(),
    }
    calibration = fit_calibration(np.concatenate(raw), np.tile(cells.truth, len(raw)), len(cells.classes))
    _pack(job, cells, calibration, figures)
    return {"donor_folds": figures}


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
    fitted = fit_svc(preparation.filled(preparation.scaled(cells.features)), cells.truth)
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
    weights = {
        "svc.supports": fitted.supports,
        "svc.dual": fitted.dual,
        "svc.intercept": fitted.intercept,
        "svc.counts": fitted.counts,
    }
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=30, logarithms=False, seed=job.seed)
    card = write_card(
        info,
        CardFacts(
            data=MOUSE_DATA.format(cells=len(cells), donors=len(set(cells.donors.tolist()))),
            split=MOUSE_SPLIT,
            needs=NEEDS + " It was not trained with gaps: it fills a few, and refuses many; `lspin` is made for them.",
            abstains=ABSTAINS.format(confidence=MIN_CONFIDENCE, features=30, far=doubts.farthest),
            figures=figures,
            command="napari-celltype train svc-allen41 --data DIR --out OUT",
            failures=["Its support vectors are standardised features of training cells, as in any such machine."],
        ),
    )
    pack_feature_model(
        job.out,
        info,
        weights,
        preparation=preparation,
        calibration=calibration,
        doubts=doubts,
        card=card,
        seed=job.seed,
    )
