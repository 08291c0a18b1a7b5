"""Making a bundled model of a fitted one: where trust ends, a self-test, and the folder on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.calibration import Calibration
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.doubts import FeatureDoubts
from napari_celltype.models.preparation import Preparation, fit_preparation

from .cards import CardFacts, write_card
from .job import Job
from .splits import donor_folds
from .tables import Cells

__all__ = ["CITATION", "LICENCE", "fit_doubts", "invented_cells", "pack_feature_model"]

FloatArray = NDArray[np.float64]

LICENCE = (
    "Trained on data of the Allen Institute for Brain Science, used under its terms of use: research with "
    "citation, no commercial redistribution. What is ours in the weights is BSD-3-Clause."
)
CITATION = (
    "Allen Institute for Brain Science, Allen Cell Types Database, 2015, https://celltypes.brain-map.org; Ophir, "
    "Shefi and Lindenbaum, Neuronal cell type classification using deep learning, 2023."
)

_MARGIN = 0.25
_TOLERATED = 0.995


def fit_doubts(
    cells: Cells, *, min_confidence: float, min_features: int = 10, logarithms: bool = True, seed: int = 0
) -> FeatureDoubts:
    """Learn what cells are like, and how far cells of other donors usually are from that.

    One cell in two hundred of donors not used lies farther than the limit; ranges reach a quarter beyond the extremes.
    """
    far = [
        _held_out_distances(cells, fit, check, logarithms)
        for fit, check in donor_folds(cells.truth, cells.donors, 10, seed)
    ]
    low, high = np.nanmin(cells.features, axis=0), np.nanmax(cells.features, axis=0)
    margin = _MARGIN * (high - low)
    means, covariance = _class_statistics(cells, fit_preparation(cells.features, logarithms=logarithms))
    return FeatureDoubts(
        means,
        covariance,
        low - margin,
        high + margin,
        farthest=float(np.quantile(np.concatenate(far), _TOLERATED)),
        min_confidence=min_confidence,
        min_features=min_features,
    )


def _held_out_distances(cells: Cells, fit: NDArray[np.intp], check: NDArray[np.intp], logarithms: bool) -> FloatArray:
    preparation = fit_preparation(cells.features[fit], logarithms=logarithms)
    means, covariance = _class_statistics(cells.take(fit), preparation)
    limits = np.zeros(cells.features.shape[1])
    doubts = FeatureDoubts(means, covariance, limits, limits, farthest=0, min_confidence=0, min_features=0)
    return doubts.distances(preparation.scaled(cells.features[check]))


def _class_statistics(cells: Cells, preparation: Preparation) -> tuple[FloatArray, FloatArray]:
    filled = preparation.filled(preparation.scaled(cells.features))
    means = np.stack([filled[cells.truth == k].mean(axis=0) for k in range(len(cells.classes))])
    gaps = filled - means[cells.truth]
    covariance = np.cov(gaps, rowvar=False, bias=True)
    return means, 0.95 * covariance + 0.05 * np.diag(np.diag(covariance))


def pack_feature_model(
    job: Job,
    info: ModelInfo,
    weights: Arrays,
    facts: CardFacts,
    *,
    preparation: Preparation,
    calibration: Calibration,
    doubts: FeatureDoubts,
) -> ModelInfo:
    """Write ``job.out/<name>``: all a feature model needs, its card, and a self-test made of invented cells."""
    card = write_card(info, facts)
    info = replace(info, input="features", settings={**info.settings, "abstain": doubts.limits()})
    arrays = weights | preparation.to_arrays() | calibration.to_arrays() | doubts.to_arrays()
    folder = job.out / info.name
    features = invented_cells(preparation, doubts, job.seed)
    write_bundle(folder, info, arrays, check_arrays({"features": features}, {}), card)
    outputs = load_model(folder, device="cpu").replay({"features": features})
    return write_bundle(folder, info, arrays, check_arrays({"features": features}, outputs), card)


def invented_cells(preparation: Preparation, doubts: FeatureDoubts, seed: int, each: int = 4) -> FloatArray:
    """Cells near the class means, some with gaps: no real cell goes into the package."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(doubts.covariance)
    means = np.repeat(doubts.means, each, axis=0)
    scaled: FloatArray = means + rng.normal(size=means.shape) @ root.T
    scaled[::3, rng.random(means.shape[1]) < 0.3] = np.nan
    return preparation.raw(scaled)


def describe(scores: dict[str, Any]) -> str:
    """Accuracy and balanced accuracy of a report's entry in a few words."""
    mean, interval = scores["mean"], scores["interval"]
    return ", ".join(
        f"{name.replace('_', ' ')} {mean[name]:.3f} ({interval[name][0]:.3f} to {interval[name][1]:.3f})"
        for name in ("accuracy", "balanced_accuracy")
    )
