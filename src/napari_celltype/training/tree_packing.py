"""Judging the Tree-LSTM on what its folds said, and making the two bundled models of the network taught with all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import Arrays, ModelInfo
from napari_celltype.models.calibration import fit_calibration
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.networks.tree_lstm import TreeLstm
from napari_celltype.models.neuron_doubts import NeuronDoubts, fit_neuron_doubts
from napari_celltype.models.neuron_explain import HandReference
from napari_celltype.models.neuron_model import NeuronModel

from .cards import CardFacts, write_card
from .feature_study import variant_features
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
from .neuron_splits import cell_folds
from .neuron_tables import Task, judged
from .neurons import read_neurons
from .svc_morphology import sources_table, wide_of
from .tree_fit import TreeTeaching
from .tree_lstm import TREE_FORM, Said

__all__ = ["judge_and_pack"]

FloatArray = NDArray[np.float64]

MIN_CONFIDENCE = {"class8": 0.5, "broad": 0.65}
_NAMES = {"class8": "tree-lstm", "broad": "tree-lstm-2class"}
_ASKED = {"class8": "eight types by shape", "broad": "principal cell or interneuron"}


def judge_and_pack(
    job: Job,
    network: TreeLstm,
    head: str,
    task: Task,
    rows: NDArray[np.intp],
    runs: Sequence[Said],
    unseen: Said,
) -> dict[str, Any]:
    """Figures of one question, and its model in ``out/<name>``.

    Parameters
    ----------
    rows
        Rows of the whole set that the task asks about.
    runs, unseen
        What the networks of the folds said, a run a seed; and those that never saw the collection.
    """
    scores = [run.of(head, rows) for run in runs]
    calibration = fit_calibration(
        np.concatenate(scores), np.tile(task.truth, len(scores)), len(task.classes), form="vector"
    )
    shares = [cross_calibrated(one, task, job.seed + number) for number, one in enumerate(scores)]
    asked = np.isin(unseen.rows, rows)
    places = np.searchsorted(rows, unseen.rows[asked])
    figures = judged(task, shares, calibration(unseen.scores[head][asked]), places, unseen.sources[asked])
    wide = wide_of(job, unseen.neurons)[rows]
    doubts = _doubts(job, head, task, wide, unseen.neurons.truth[rows])
    figures["answered"] = answered(doubts, task, wide, shares[0])
    info = _info(head, task, network)
    written = pack_neuron_model(
        job.out,
        info,
        _stored(network) | _hand(job, task).to_arrays(),
        calibration=calibration,
        doubts=doubts,
        form=TREE_FORM,
        card=_card(info, head, task, figures, doubts),
    )
    model = load_model(written.folder, device="cpu")
    assert isinstance(model, NeuronModel)
    figures["odd_abstained"] = odd_abstained(model, 1 if job.quick else 5)
    return figures


def _doubts(job: Job, head: str, task: Task, wide: FloatArray, types: NDArray[np.intp]) -> NeuronDoubts:
    """Limits of trust; likeness is to single types also where the question is broad.

    Principal cells of five kinds make one wide cloud, in which many a shape lies that is like none of them.
    """
    folds = cell_folds(task.neurons, 5, job.seed)
    asked = fit_neuron_doubts(wide, task.truth, folds, task.classes, min_confidence=MIN_CONFIDENCE[head])
    present, codes = np.unique(types, return_inverse=True)
    names = [str(code) for code in present]
    single = fit_neuron_doubts(wide, codes, folds, names, min_confidence=MIN_CONFIDENCE[head], needs_axon=())
    return replace(
        asked, means=single.means, covariances=single.covariances, usual=single.usual, farthest=single.farthest
    )


def cross_calibrated(scores: FloatArray, task: Task, seed: int) -> FloatArray:
    """Probabilities of every neuron, calibrated on the cells of other folds."""
    folds = cell_folds(task.neurons, 5, seed + 1000)
    shares = np.zeros_like(scores)
    for fold in range(5):
        test = folds == fold
        fitted = fit_calibration(scores[~test], task.truth[~test], len(task.classes), form="vector")
        shares[test] = fitted(scores[test])
    return shares


def _hand(job: Job, task: Task) -> HandReference:
    """The twenty features of the files as they are: what an explanation compares another file with."""
    raw = read_neurons(job.data, job.out / "cache")
    place = {name: row for row, name in enumerate(raw.files.tolist())}
    values = variant_features(job, raw, "raw")[[place[name] for name in task.neurons.files.tolist()]]
    return HandReference.fit(values, task.truth, task.classes)


def _stored(network: TreeLstm) -> Arrays:
    """Tensors by name, the matrices in half precision, which changes no probability by more than a thousandth."""
    return {
        f"network.{name}": (tensor.half() if tensor.ndim == 2 else tensor).numpy()
        for name, tensor in network.state_dict().items()
    }


def _info(head: str, task: Task, network: TreeLstm) -> ModelInfo:
    first = 0 if head == "class8" else network.shape.heads[0]
    return ModelInfo(
        name=_NAMES[head],
        version="1.0.0",
        task=_ASKED[head],
        input="neuron",
        kind="tree-lstm",
        classes=task.classes,
        summary=(
            "A two-layer Tree-LSTM on the branches of a reconstruction, with a forget gate for every branch at a "
            "fork; any size of tree, whatever the numbering and spacing of its nodes."
        ),
        species=NEURON_SPECIES,
        licence=NEURON_LICENCE,
        citation=NEURON_CITATION + " Tai, Socher and Manning, Improved semantic representations from tree-structured "
        "long short-term memory networks, 2015.",
        settings={"network": network.shape.to_settings(), "outputs": [first, first + len(task.classes)]},
    )


def _card(info: ModelInfo, head: str, task: Task, figures: dict[str, Any], doubts: NeuronDoubts) -> str:
    silent = figures["answered"]
    facts = CardFacts(
        data=describe_set(task.neurons),
        split=NEURON_SPLIT,
        needs=NEURON_NEEDS,
        abstains=NEURON_ABSTAINS.format(confidence=MIN_CONFIDENCE[head], far=doubts.farthest)
        + f" By cell it abstains on {silent['abstained']:.1%}, and is right on {silent['answered_accuracy']:.1%} of "
        f"the others and {silent['abstained_accuracy']:.1%} of these.",
        figures={f"{info.name}, by cell": figures["by_cell"]}
        | ({"on unseen collections": figures["unseen_source"]} if "unseen_source" in figures else {}),
        failures=NEURON_FAILURES,
        command="napari-celltype train tree-lstm --data DIR --out OUT",
        extra={
            "Collection by collection": sources_table(figures),
            "How it is made": (
                "A neuron is cut into pieces of about 100 um, each described by its course, its place as seen from "
                "the soma, branch order, radius relative to the neuron's own, and type (soma, axon, dendrite). Two "
                "layers of 128 cells climb from the tips; what reaches the soma, with mean and sum over all pieces, "
                "makes 128 numbers that answer. While training, neurons were turned, tilted, mirrored, stretched, "
                "pruned, cut more coarsely or finely, and stripped of axon, types or radii at random. Settings were "
                "chosen on a fifth of the neurons in a split of its own, so expect slightly less on new ones. "
                f"It saw every neuron {TreeTeaching().epochs} times only, and is hardly better on neurons it was "
                "taught with than on others: longer teaching would go on helping."
            ),
        },
    )
    return write_card(info, facts)
