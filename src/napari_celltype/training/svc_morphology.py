"""The recipe of ``svc-morphology``: plain classifiers on measured features, what they rely on, and the one we ship.

Zhang et al. give a support-vector machine on twenty hand-designed features as the baseline. Here it stands beside a
forest and boosting, on the same features and on many more, judged by cell and on collections never seen; the study of
shortcuts says what each thing a laboratory decides would have been worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import ModelInfo
from napari_celltype.models.calibration import Calibration, fit_calibration, log_softmax
from napari_celltype.models.neuron_doubts import fit_neuron_doubts
from napari_celltype.models.neuron_features import wide_names
from napari_celltype.models.neuron_form import NeuronForm
from napari_celltype.morphology.morphometrics import FEATURES

from .cards import CardFacts, write_card
from .feature_study import VARIANTS, contributions, distributions, variant_features
from .job import Job
from .neuron_packing import (
    NEURON_ABSTAINS,
    NEURON_CITATION,
    NEURON_FAILURES,
    NEURON_LICENCE,
    NEURON_NEEDS,
    NEURON_SPECIES,
    NEURON_SPLIT,
    answered,
    describe_set,
    odd_abstained,
    pack_neuron_model,
    wide_matrix,
)
from .neuron_splits import cell_folds
from .neuron_tables import (
    CLASSIFIERS,
    Task,
    broad_task,
    judge,
    judged,
    out_of_fold,
    out_of_source,
    svc,
)
from .neurons import NeuronSet, read_neurons, standard_set
from .shortcuts import shortcut_features, study
from .table_expert import PENALTY, WIDTH, fit_expert

__all__ = ["SHIPPED", "run", "wide_of"]

FloatArray = NDArray[np.float64]

MIN_CONFIDENCE = 0.5
SHIPPED = svc(PENALTY, WIDTH)

_MEASURED = 2
"""Count up when a wide feature is measured otherwise under its old name, so that no old measurement is reused."""


def run(job: Job) -> dict[str, Any]:
    """Judge all classifiers, study features and shortcuts, then train on all neurons and write the models."""
    raw = read_neurons(job.data, job.out / "cache")
    neurons = standard_set(raw, NeuronForm(), job.out / "cache")
    wide = wide_of(job, neurons)
    report: dict[str, Any] = {"wide_features": list(wide_names()), "counts": _counts(neurons)}
    tasks = {"8 classes": (Task.of(neurons), np.arange(len(neurons))), "2 classes": broad_task(neurons)}
    hand = {name: variant_features(job, raw, name) for name in (["raw"] if job.quick else VARIANTS)}
    for name, (task, rows) in tasks.items():
        report[name] = _compare(job, task, {key: x[rows] for key, x in hand.items()})
        bundle = "svc-morphology" if task is tasks["8 classes"][0] else "svc-morphology-2class"
        report[bundle] = _ship(job, bundle, task, wide[rows], report[name])
    whole, _ = tasks["8 classes"]
    report["contributions"] = contributions(job, hand["raw"], FEATURES, whole, CLASSIFIERS["SVM"], _seeds(job))
    report["distributions"] = distributions(hand["raw"], FEATURES, whole)
    if not job.quick:
        report["8 classes"] |= _compare_wide(job, whole, wide)
        report["shortcuts"] = study(job, whole, _shortcuts(job, raw), wide)
    report["disputed"] = _disputed(job, whole, wide)
    return report


def _disputed(job: Job, task: Task, wide: FloatArray) -> dict[str, Any]:
    """Files that every model that had not seen them calls another class, on all seeds."""
    runs = out_of_fold(job, "shipped", wide, task, SHIPPED, _seeds(job))
    said = np.stack([run.argmax(axis=1) for run in runs])
    wrong = (said != task.truth).all(axis=0)
    sources, counts = np.unique(task.neurons.sources[wrong], return_counts=True)
    found: dict[str, Any] = {"files": len(wrong), "always": int(wrong.sum())}
    found |= {"main": str(sources[counts.argmax()]), "always_main": int(counts.max())} if len(counts) else {}
    if "basket" in task.classes and "GABAergic" in task.classes:
        basket, other = task.classes.index("basket"), task.classes.index("GABAergic")
        rows = task.truth == basket
        found |= {"basket": int(rows.sum()), "basket_lost": int((said[:, rows] == other).all(axis=0).sum())}
    return found


def _seeds(job: Job) -> list[int]:
    return [job.seed + s for s in range(1 if job.quick else 3)]


def wide_of(job: Job, neurons: NeuronSet) -> FloatArray:
    """Wide features of a standardised set, measured once."""
    described = [len(neurons), list(wide_names()), _MEASURED]
    return job.stage("wide", described, lambda: {"features": wide_matrix(neurons)})["features"]


def _shortcuts(job: Job, raw: NeuronSet) -> Any:
    import pandas as pd

    columns = shortcut_features([raw.neuron(0)]).columns
    found = job.stage(
        "shortcut-measures",
        [len(raw), [list(pair) for pair in columns]],
        lambda: {"features": shortcut_features(raw.neurons()).to_numpy(float)},
    )
    return pd.DataFrame(found["features"], columns=columns)


def _counts(neurons: NeuronSet) -> dict[str, dict[str, int]]:
    return {
        name: {
            str(source): int(((neurons.truth == k) & (neurons.sources == source)).sum())
            for source in np.unique(neurons.sources[neurons.truth == k])
        }
        for k, name in enumerate(neurons.classes)
    }


def _compare(job: Job, task: Task, hand: dict[str, FloatArray]) -> dict[str, Any]:
    """Figures of classifiers on the twenty features: all of them on all classes, one on two."""
    seeds = _seeds(job)
    whole = len(task.classes) > 2 and not job.quick
    found = {}
    for name in ("SVM", "SVM, stiffer", "random forest", "boosting") if whole else ("SVM",):
        found[f"{name}, 20 features"] = judge(job, f"{name} 20", hand["raw"], task, CLASSIFIERS[name], seeds)
    for variant in list(VARIANTS)[1:] if whole else []:
        found[f"SVM, 20 features, {variant}"] = judge(
            job, f"SVM 20 {variant}", hand[variant], task, CLASSIFIERS["SVM"], seeds
        )
    return found


def _compare_wide(job: Job, task: Task, wide: FloatArray) -> dict[str, Any]:
    """Figures of other classifiers on the wide features; forests on so many take long, so once each."""
    return {
        f"{name}, wide features": judge(job, f"{name} wide", wide, task, CLASSIFIERS[name], [job.seed])
        for name in ("logistic regression", "boosting", "random forest")
    }


def _ship(job: Job, name: str, task: Task, wide: FloatArray, others: dict[str, Any]) -> dict[str, Any]:
    seeds = _seeds(job)
    logs = [log_softmax(np.log(np.maximum(p, 1e-12))) for p in out_of_fold(job, "shipped", wide, task, SHIPPED, seeds)]
    calibration = fit_calibration(
        np.concatenate(logs), np.tile(task.truth, len(logs)), len(task.classes), form="vector"
    )
    runs = [_cross_calibrated(job, scores, task, seed) for scores, seed in zip(logs, seeds, strict=True)]
    shares, rows, sources = out_of_source(job, "shipped", wide, task, SHIPPED, job.seed)
    unseen = calibration(np.log(np.maximum(shares, 1e-12))) if len(rows) else shares
    figures = judged(task, runs, unseen, rows, sources)
    folds = cell_folds(task.neurons, 5, job.seed)
    doubts = fit_neuron_doubts(wide, task.truth, folds, task.classes, min_confidence=MIN_CONFIDENCE)
    figures["answered"] = answered(doubts, task, wide, runs[0])
    expert = fit_expert(wide, task.truth, len(task.classes), job.seed)
    info = ModelInfo(
        name=name,
        version="1.0.0",
        task="principal cell or interneuron" if len(task.classes) == 2 else "eight types by shape",
        input="neuron",
        kind="neuron-svc",
        classes=task.classes,
        summary=f"A support-vector machine on {wide.shape[1]} measures of a reconstruction's shape.",
        species=NEURON_SPECIES,
        licence=NEURON_LICENCE,
        citation=NEURON_CITATION,
    )
    card = _card(info, task, figures, others, doubts.farthest)
    written = pack_neuron_model(
        job.out, info, expert.to_arrays(), calibration=calibration, doubts=doubts, form=NeuronForm(), card=card
    )
    figures["odd_abstained"] = _odd(written, 1 if job.quick else 10)
    return figures


def _odd(info: ModelInfo, count: int) -> dict[str, Any]:
    from napari_celltype.models.catalogue import load_model
    from napari_celltype.models.neuron_model import NeuronModel

    model = load_model(info.folder, device="cpu")
    return odd_abstained(model, count) if isinstance(model, NeuronModel) else {}


def _cross_calibrated(job: Job, scores: FloatArray, task: Task, seed: int) -> FloatArray:
    """Shares of every neuron, the calibration fitted on other cells."""
    shares = np.zeros_like(scores)
    folds = cell_folds(task.neurons, 5, seed + 1000)
    for fold in range(5):
        check = folds == fold
        fitted: Calibration = fit_calibration(scores[~check], task.truth[~check], len(task.classes), form="vector")
        shares[check] = fitted(scores[check])
    return shares


def _card(info: ModelInfo, task: Task, figures: dict[str, Any], others: dict[str, Any], farthest: float) -> str:
    table = {f"{info.name}, by cell": figures["by_cell"]}
    table |= {"on unseen collections": figures["unseen_source"]} if "unseen_source" in figures else {}
    table |= {f"{name}, by cell": scores["by_cell"] for name, scores in others.items() if "features, " not in name}
    silent = figures["answered"]
    facts = CardFacts(
        data=describe_set(task.neurons),
        split=NEURON_SPLIT,
        needs=NEURON_NEEDS,
        abstains=NEURON_ABSTAINS.format(confidence=MIN_CONFIDENCE, far=farthest)
        + f" By cell it abstains on {silent['abstained']:.1%}, and is right on {silent['answered_accuracy']:.1%} of "
        f"the others and {silent['abstained_accuracy']:.1%} of these.",
        figures=table,
        failures=NEURON_FAILURES,
        command="napari-celltype train svc-morphology --data DIR --out OUT",
        extra={"Collection by collection": sources_table(figures)},
    )
    return write_card(info, facts)


def sources_table(figures: dict[str, Any]) -> str:
    """Accuracy on each collection: never seen, and with other cells of it seen."""
    rows = ["| collection | files | never seen: accuracy, balanced | other cells of it seen: accuracy, balanced |"]
    rows.append("|---|---|---|---|")
    within = figures["within_source"]
    for source, unseen in figures["each_unseen_source"].items():
        seen = within.get(source)
        other = f"{seen['accuracy']:.3f}, {seen['balanced_accuracy']:.3f}" if seen else "one class only"
        pair = f"{unseen['accuracy']:.3f}, {unseen['balanced_accuracy']:.3f}"
        rows.append(f"| {source} | {unseen['files']} | {pair} | {other} |")
    return "\n".join(rows)
