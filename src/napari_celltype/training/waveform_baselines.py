"""Plain classifiers on the same windows and donor folds as the waveform models, and what the rate gives away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.windows import PEAK_FORMAT, WindowFormat

from .ghaderi import GhaderiSettings, fit_ghaderi
from .job import Job
from .metrics import score_seeds
from .spikes import SpikeSet, read_spikes
from .splits import donor_folds
from .waveform import TASKS, Task
from .waveform_expert import ExpertSettings, fit_expert

__all__ = ["BASELINES", "run"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]
Judge = Callable[[FloatArray], FloatArray]
Fitter = Callable[[FloatArray, Rows, int, int], Judge]


def _trace_and_slope(windows: FloatArray) -> FloatArray:
    return np.concatenate([windows, 10 * np.diff(windows, axis=1)], axis=1)


def _svc(x: FloatArray, truth: Rows, n_classes: int, seed: int) -> Judge:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    fitted = make_pipeline(StandardScaler(), SVC(C=10)).fit(_trace_and_slope(x), truth)
    return lambda new: np.eye(n_classes)[fitted.predict(_trace_and_slope(new))]


def _logistic(x: FloatArray, truth: Rows, n_classes: int, seed: int) -> Judge:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(x, truth)
    return lambda new: np.asarray(fitted.predict_proba(new), dtype=float)


def _ghaderi(x: FloatArray, truth: Rows, n_classes: int, seed: int) -> Judge:
    return fit_ghaderi(x, truth, n_classes, GhaderiSettings(), seed).probabilities


def _hard_bank(x: FloatArray, truth: Rows, n_classes: int, seed: int) -> Judge:
    import torch

    settings = replace(ExpertSettings(), widths=(0.2,), ridges=(0.1,), noise_mv=1e-4)
    expert = fit_expert(x.astype(np.float32), truth, n_classes, settings, seed)
    return lambda new: expert(torch.from_numpy(new.astype(np.float32))).numpy().astype(float)


BASELINES: dict[str, tuple[Fitter, WindowFormat]] = {
    "SVC on trace and slope": (_svc, PEAK_FORMAT),
    "logistic regression": (_logistic, PEAK_FORMAT),
    "Ghaderi's method": (_ghaderi, PEAK_FORMAT),
    "kernel machine with hard thresholds (sees the rate)": (_hard_bank, PEAK_FORMAT),
    "the same, unfiltered (sees the rate plainly)": (_hard_bank, WindowFormat(low_pass_hz=0.0)),
}


def run(job: Job) -> dict[str, Any]:
    """Score every baseline on donor folds, over all cells and within each rate."""
    report: dict[str, Any] = {}
    for name, (fitter, form) in BASELINES.items():
        spikes = read_spikes(job.data, form)
        spikes = spikes.take(np.flatnonzero(spikes.subclass >= 0))
        for task in TASKS:
            runs = _runs(job, name, fitter, spikes, task)
            for group, rows in {
                "": np.ones(len(spikes), dtype=bool),
                ", at 50 kHz": spikes.rates_khz == 50,
                ", at 200 kHz": spikes.rates_khz == 200,
            }.items():
                truth = task.truth(spikes)[rows]
                scores = score_seeds([run[rows] for run in runs], truth, task.classes, spikes.donors[rows])
                report.setdefault(task.name, {})[name + group] = scores.to_dict()
    return {"donor_folds": report}


def _runs(job: Job, name: str, fitter: Fitter, spikes: SpikeSet, task: Task) -> list[FloatArray]:
    seeds = range(job.seed, job.seed + (1 if job.quick else 3))
    truth, x = task.truth(spikes), spikes.windows.astype(float)

    def compute() -> dict[str, NDArray[Any]]:
        found = np.zeros((len(seeds), len(spikes), len(task.classes)))
        pairs = [(seed, *fold) for seed in seeds for fold in donor_folds(truth, spikes.donors, 5, seed)]
        for seed, train, test in job.track(pairs, name):
            found[seed - job.seed, test] = fitter(x[train], truth[train], len(task.classes), seed)(x[test])
        return {"probabilities": found}

    slug = "".join(c if c.isalnum() else "-" for c in name)
    return list(job.stage(f"wave-{slug}-{task.head}", [len(spikes), list(seeds)], compute)["probabilities"])
