"""The recipe of ``ephys-map``: sparse components stimulus by stimulus, t-SNE, clusters; after Gouwens et al. 2019."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import Arrays, ModelInfo
from napari_celltype.models.calibration import fit_calibration, log_softmax
from napari_celltype.models.doubts import FeatureDoubts
from napari_celltype.models.features import columns_of
from napari_celltype.models.map import class_shares, place
from napari_celltype.models.preparation import fit_preparation

from .cards import CardFacts
from .crossval import Fitted, Fitter, out_of_fold
from .distil import PROTOCOLS
from .facts import mouse_facts
from .job import Job
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, pack_feature_model
from .reference import annotate
from .tables import Cells, read_mouse

__all__ = ["fit_loadings", "run"]

FloatArray = NDArray[np.float64]
MIN_CONFIDENCE = 0.5
MIN_FEATURES = 20
PERPLEXITY = 30


def fit_loadings(filled: FloatArray, *, sparsity: float = 5.0, least_share: float = 0.01, seed: int = 0) -> FloatArray:
    """Weights (41, components) that turn scaled features into sparse components of unit spread.

    Components are sought for each stimulus apart, and kept where they explain at least a hundredth of the spread of
    that stimulus' features.
    """
    from sklearn.decomposition import SparsePCA

    columns = []
    for stimulus in PROTOCOLS:
        rows = columns_of(stimulus)
        x = filled[:, rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = SparsePCA(min(8, len(rows)), alpha=sparsity, random_state=seed, max_iter=300).fit(x).components_
        scores = (x - x.mean(axis=0)) @ found.T
        kept = [i for i in range(len(found)) if _explained(x, scores[:, [i]]) >= least_share]
        weights = np.zeros((filled.shape[1], len(kept)))
        weights[rows] = found[kept].T / scores[:, kept].std(axis=0)
        columns.append(weights)
    return np.concatenate(columns, axis=1)


def _explained(x: FloatArray, score: FloatArray) -> float:
    """Share of the spread of ``x`` along one component; none of it along an empty one."""
    if not score.any():
        return 0.0
    gap = x - x.mean(axis=0)
    fitted = score @ np.linalg.lstsq(score, gap, rcond=None)[0]
    return float((fitted**2).sum() / (gap**2).sum())


def run(job: Job) -> dict[str, Any]:
    """Score neighbours on the map's components by donor folds; then lay the map out with all cells."""
    cells = read_mouse(job.data)
    seeds = [job.seed + s for s in range(1 if job.quick else 3)]
    runs = out_of_fold(job, "neighbours", cells, _neighbours(), seeds, n_folds=3 if job.quick else 10)
    figures = {"ephys-map": score_seeds(runs, cells.truth, cells.classes, cells.donors).to_dict()}
    preparation = fit_preparation(cells.features)
    loadings = fit_loadings(preparation.filled(preparation.scaled(cells.features)), seed=job.seed)
    reference = preparation.filled(preparation.scaled(cells.features)) @ loadings

    def compute() -> dict[str, NDArray[Any]]:
        return {"layout": _lay_out(reference, job.seed, 50 if job.quick else 750), "cluster": _cluster(reference, job)}

    found = job.stage("layout", [loadings.shape[1]], compute)
    report = {"donor_folds": figures, "map": _map_facts(cells, reference, found["layout"], found["cluster"], loadings)}
    _pack(job, cells, loadings, reference, found, np.log(np.concatenate(runs)), report)
    return report


def _neighbours() -> Fitter:
    def fitter(cells: Cells, seed: int) -> Fitted:
        preparation = fit_preparation(cells.features)
        filled = preparation.filled(preparation.scaled(cells.features))
        loadings = fit_loadings(filled, seed=seed)

        def fitted(raw: FloatArray) -> FloatArray:
            components = preparation.filled(preparation.scaled(raw)) @ loadings
            return class_shares(components, filled @ loadings, cells.truth, len(cells.classes))

        return fitted

    return fitter


def _lay_out(reference: FloatArray, seed: int, steps: int) -> FloatArray:
    from openTSNE import TSNE

    made = TSNE(
        perplexity=PERPLEXITY,
        n_iter=steps,
        initialization="pca",
        random_state=seed,
        n_jobs=1,
        negative_gradient_method="bh",
    )
    return np.asarray(made.fit(reference), dtype=float)


def _cluster(reference: FloatArray, job: Job) -> NDArray[np.intp]:
    """Gaussian mixture with as many clusters as the Bayesian information criterion favours."""
    from sklearn.mixture import GaussianMixture

    sizes = range(4, 6) if job.quick else range(4, 25, 2)
    fits = [
        GaussianMixture(
            k, covariance_type="diag", n_init=1 if job.quick else 5, random_state=job.seed, reg_covar=1e-3
        ).fit(reference)
        for k in job.track(sizes, "clusters")
    ]
    best = min(fits, key=lambda fitted: fitted.bic(reference))
    labels = best.predict(reference)
    # largest first, so that numbers mean something
    order = np.argsort(-np.bincount(labels, minlength=best.n_components), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[labels].astype(np.intp)


def _map_facts(
    cells: Cells, reference: FloatArray, layout: FloatArray, cluster: NDArray[np.intp], loadings: FloatArray
) -> dict[str, Any]:
    from sklearn.manifold import trustworthiness

    counts = [np.bincount(cells.truth[cluster == c], minlength=len(cells.classes)) for c in range(cluster.max() + 1)]
    again = place(reference, reference, layout)
    return {
        "components": int(loadings.shape[1]),
        "features_a_component": float((loadings != 0).sum(axis=0).mean()),
        "clusters": len(counts),
        "cluster_purity": float(sum(count.max() for count in counts) / len(cells)),
        "trustworthiness": float(trustworthiness(reference, layout, n_neighbors=15)),
        "replaced_shift": float(np.median(np.linalg.norm(again - layout, axis=1)) / layout.std()),
    }


def _pack(
    job: Job,
    cells: Cells,
    loadings: FloatArray,
    reference: FloatArray,
    found: dict[str, NDArray[Any]],
    logs: FloatArray,
    report: dict[str, Any],
) -> None:
    annotations, names = annotate(job.data, cells)
    info = ModelInfo(
        name="ephys-map",
        version="1.0.0",
        task="place on a map of mouse cortical cells",
        input="features",
        kind="map",
        classes=cells.classes,
        summary=(
            "A fixed map of mouse cortical cells by electrophysiology: a new cell is placed on it, and its neighbours "
            "say what it may be."
        ),
        species=("mouse",),
        licence=LICENCE,
        citation=CITATION + " Method: Gouwens et al., Nature Neuroscience 2019.",
        settings={
            "components": int(loadings.shape[1]),
            "clusters": report["map"]["clusters"],
            "perplexity": PERPLEXITY,
            "seed": job.seed,
            **names,
        },
    )
    weights: Arrays = {
        "map.loadings": loadings,
        "map.reference": reference.astype(np.float32),
        "map.layout": found["layout"].astype(np.float32),
        "map.truth": cells.truth.astype(np.int64),
        "map.cluster": found["cluster"].astype(np.int64),
        **annotations,
    }
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=MIN_FEATURES, seed=job.seed)
    n_seeds = len(logs) // len(cells)
    pack_feature_model(
        job,
        info,
        weights,
        _facts(cells, report, doubts),
        preparation=fit_preparation(cells.features),
        calibration=fit_calibration(log_softmax(logs), np.tile(cells.truth, n_seeds), len(cells.classes)),
        doubts=doubts,
    )


def _facts(cells: Cells, report: dict[str, Any], doubts: FeatureDoubts) -> CardFacts:
    facts = report["map"]
    return mouse_facts(
        cells,
        doubts,
        "ephys-map",
        report["donor_folds"],
        data=(
            " The map holds, for each cell, its place, its class, its cluster, its cortical layer, its sampling rate "
            "and its sparse components."
        ),
        failures=["It is for looking, not for deciding: `lspin` is right more often."],
        extra={
            "The map": (
                f"{facts['components']} sparse components with {facts['features_a_component']:.1f} features each; "
                f"{facts['clusters']} clusters by the Bayesian information criterion, in which "
                f"{facts['cluster_purity']:.0%} of the cells are of their cluster's commonest class; trustworthiness "
                f"of the layout {facts['trustworthiness']:.3f}. Distances between far islands mean nothing, as in any "
                "t-SNE."
            )
        },
    )
