"""Judging the image network by its folds, and making the bundled models ``resnet18`` and ``resnet18-2class``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import Arrays, ModelInfo
from napari_celltype.models.calibration import Calibration
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.combined_model import as_logs
from napari_celltype.models.neuron_doubts import NeuronDoubts, fit_neuron_doubts
from napari_celltype.models.neuron_explain import HandReference
from napari_celltype.models.neuron_features import hand_features
from napari_celltype.models.neuron_model import NeuronModel
from napari_celltype.models.parts import Part

from .cards import CardFacts, write_card
from .combined_fit import fit_mixing
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
)
from .neuron_questions import (
    QUESTIONS,
    Logs,
    Question,
    alone,
    calibrated_apart,
    calibrated_elsewhere,
    figures_of,
    gather_cells,
    gather_sources,
)
from .neuron_splits import cell_folds
from .neurons import NeuronSet
from .resnet import IMAGE_FORM, N_FOLDS, fitting, fold_answers, network_of, read_set, seeds_of, teaching_of
from .svc_morphology import sources_table, wide_of

__all__ = ["card_of", "doubts_of", "hand_of", "run"]

FloatArray = NDArray[np.float64]

MIN_CONFIDENCE = {"class8": 0.5, "broad": 0.65}


def run(job: Job) -> dict[str, Any]:
    """Judge the network by cell and by source; then train it on all neurons and write the models."""
    neurons = read_set(job)
    seeds = seeds_of(job)
    cells = [gather_cells(neurons, seed, _answers(job, neurons, seed)) for seed in seeds]
    unseen = gather_sources(neurons, _answers(job, neurons, job.seed))
    report: dict[str, Any] = {"seeds": seeds}
    part: Part | None = None
    for question in QUESTIONS:
        name = f"resnet18{question.suffix}"
        figures, calibration, shares = judge(neurons, question, cells, unseen, seeds)
        info = _pack(job, neurons, question, calibration, figures, shares, part)
        part = part or Part.of(info)
        model = load_model(job.out / name, device="cpu")
        assert isinstance(model, NeuronModel)
        report[name] = {**figures, "odd_abstained": odd_abstained(model, 2 if job.quick else 10)}
    return report


def _answers(job: Job, neurons: NeuronSet, seed: int) -> Any:
    def answers(split: str, fold: int) -> Logs:
        said = fold_answers(job, neurons, split, seed, fold)
        return {q.key: as_logs(said[q.key][said["rows"]].astype(float)) for q in QUESTIONS}

    return answers


def judge(
    neurons: NeuronSet, question: Question, cells: list[Logs], unseen: Logs, seeds: list[int]
) -> tuple[dict[str, Any], Calibration, FloatArray]:
    """Figures, the calibration to ship, and the probabilities of the first seed."""
    truth, k, key = question.truth(neurons), len(question.classes(neurons)), question.key
    runs = [{key: logs[key]} for logs in cells]
    fit = alone(key, k)
    shares = [
        calibrated_apart(logs, truth, cell_folds(neurons, N_FOLDS, seed), fit)
        for logs, seed in zip(runs, seeds, strict=True)
    ]
    far = calibrated_elsewhere(runs[0], unseen, truth, neurons, fit)
    known = truth >= 0
    logs = np.concatenate([one[key][known] for one in runs])
    calibration = fit_mixing([logs], np.tile(truth[known], len(runs)), k)
    return figures_of(neurons, question, shares, far), calibration, shares[0]


def _pack(
    job: Job,
    neurons: NeuronSet,
    question: Question,
    calibration: Calibration,
    figures: dict[str, Any],
    shares: FloatArray,
    part: Part | None,
) -> ModelInfo:
    teaching = fitting(teaching_of(job), neurons)
    settings: dict[str, Any] = {"network": teaching.shape.to_settings(), "question": question.number}
    if part is not None:
        settings["parts"] = [part.to_settings()]
    info = ModelInfo(
        name=f"resnet18{question.suffix}",
        version="1.0.0",
        task=question.about,
        input="neuron",
        kind="resnet",
        classes=question.classes(neurons),
        summary=(
            "A residual network of 18 layers on a neuron seen along its three principal axes, pretrained to draw "
            "simulated neurons from memory."
        ),
        species=NEURON_SPECIES,
        licence=NEURON_LICENCE,
        citation=NEURON_CITATION,
        settings=settings,
    )
    doubts = doubts_of(job, neurons, question)
    card = card_of(job, info, neurons, question, figures, shares, doubts, extra=_how(job, neurons))
    return pack_neuron_model(
        job.out,
        info,
        ({} if part is not None else _stored(job, neurons)) | hand_of(job, neurons, question),
        calibration=calibration,
        doubts=doubts,
        form=IMAGE_FORM,
        card=card,
    )


def _how(job: Job, neurons: NeuronSet) -> dict[str, str]:
    teaching = fitting(teaching_of(job), neurons)
    return {
        "What it sees": (
            f"Images of {teaching.image_px} by {teaching.image_px} pixels, one along each principal axis, as channels: "
            "dendrites bright, axon dark. Size, radii, node density and the direction in which the cell was mounted "
            "are not in them."
        ),
        "How it was taught": (
            f"{teaching.pretrained_steps} batches of the autoencoder on simulated neurons, then {teaching.epochs} "
            f"epochs of {teaching.copies} varied copies, on a processor. It had not learned all it could: on copies of "
            "its own lessons it is hardly better than by cell. Longer teaching would help; alone it is the weakest of "
            "the models of neurons."
        ),
    }


def _stored(job: Job, neurons: NeuronSet) -> Arrays:
    """Tensors by name; the large ones in half precision, which changes no probability by more than a thousandth."""
    return {
        f"network.{name}": (tensor.half() if tensor.is_floating_point() and tensor.numel() > 1000 else tensor).numpy()
        for name, tensor in network_of(job, neurons, job.seed).state_dict().items()
    }


def doubts_of(job: Job, neurons: NeuronSet, question: Question) -> NeuronDoubts:
    """What the training neurons are like; likeness is to single types also where the question is broad.

    Principal cells of five kinds make one wide cloud, in which many a shape lies that is like none of them.
    """
    task, rows = question.task(neurons)
    folds = cell_folds(task.neurons, N_FOLDS, job.seed)
    least = MIN_CONFIDENCE[question.key]
    wide = wide_of(job, neurons)[rows]
    asked = fit_neuron_doubts(wide, task.truth, folds, task.classes, min_confidence=least)
    present, codes = np.unique(neurons.truth[rows], return_inverse=True)
    names = [str(code) for code in present]
    single = fit_neuron_doubts(wide, codes, folds, names, min_confidence=least, needs_axon=())
    return replace(
        asked, means=single.means, covariances=single.covariances, usual=single.usual, farthest=single.farthest
    )


def hand_of(job: Job, neurons: NeuronSet, question: Question) -> Arrays:
    """What the classes are like in the twenty features, for saying in which a neuron differs."""

    def compute() -> Arrays:
        return {"features": hand_features(neurons.neurons()).to_numpy(float)}

    task, rows = question.task(neurons)
    values = job.stage("hand-standard", [len(neurons)], compute)["features"]
    return HandReference.fit(values[rows], task.truth, task.classes).to_arrays()


def card_of(
    job: Job,
    info: ModelInfo,
    neurons: NeuronSet,
    question: Question,
    figures: dict[str, Any],
    shares: FloatArray,
    doubts: NeuronDoubts,
    *,
    others: dict[str, Any] | None = None,
    extra: dict[str, str] | None = None,
) -> str:
    """The card of a model of reconstructions; says in ``figures`` too how often it answers."""
    task, rows = question.task(neurons)
    wide = wide_of(job, neurons)[rows]
    silent = answered(doubts, task, wide, shares[rows])
    figures["answered"] = silent
    table: dict[str, Any] = {}
    for name, scores in {info.name: figures, **(others or {})}.items():
        table[f"{name}, by cell"] = scores["by_cell"]
        if "unseen_source" in scores:
            table[f"{name}, on unseen collections"] = scores["unseen_source"]
    facts = CardFacts(
        data=describe_set(task.neurons),
        split=NEURON_SPLIT,
        needs=NEURON_NEEDS,
        abstains=NEURON_ABSTAINS.format(confidence=MIN_CONFIDENCE[question.key], far=doubts.farthest)
        + f" By cell it abstains on {silent['abstained']:.1%}, and is right on {silent['answered_accuracy']:.1%} of "
        f"the others and {silent['abstained_accuracy']:.1%} of these.",
        figures=table,
        failures=NEURON_FAILURES,
        command=f"napari-celltype train {info.name.removesuffix('-2class')} --data DIR --out OUT",
        extra={"Collection by collection": sources_table(figures), **(extra or {})},
    )
    return write_card(info, facts)
