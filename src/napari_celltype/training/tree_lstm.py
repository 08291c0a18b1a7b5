"""The recipe of ``tree-lstm``: a Tree-LSTM on the pieces of neurons, judged by cell and by source, then bundled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.networks.tree_lstm import TreeLstm
from napari_celltype.models.neuron_form import NeuronForm, piece_columns

from .job import Job, save_arrays
from .neuron_splits import source_folds
from .neuron_tables import Task, broad_task
from .neurons import NeuronSet, hash_of
from .resnet import N_FOLDS, fold_rows, read_set
from .svc_morphology import wide_of
from .tree_fit import Lessons, TreeTeaching, fit_tree, tree_answers
from .tree_pieces import Grove, cut_copies

__all__ = ["TREE_FORM", "Said", "fold_answers", "grove_of", "network_of", "run", "teaching_of"]

Arrays = dict[str, NDArray[Any]]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

N_SEEDS = 1
"""Splits by cell that are judged; each costs as much as teaching five networks."""

TREE_FORM = NeuronForm(piece_um=100.0)
"""Pieces of 100 um: most are whole sections, so that a tree is no deeper than its branch order asks."""


def teaching_of(job: Job) -> TreeTeaching:
    """How networks are taught in this run."""
    found = TreeTeaching()
    return replace(found, epochs=1, copies=2) if job.quick else found


def grove_of(job: Job, neurons: NeuronSet, teaching: TreeTeaching) -> Grove:
    """All neurons and their varied copies in pieces, cut once for all folds; the last copy is not for teaching."""
    copies = teaching.copies + 1

    def compute() -> Arrays:
        return cut_copies(neurons, TREE_FORM, copies, 0).to_arrays()

    return Grove.from_arrays(job.stage("tree-pieces", copies_key(neurons, copies), compute), copies)


def copies_key(neurons: NeuronSet, copies: int) -> list[Any]:
    """What decides the copies."""
    return [TREE_FORM.to_settings(), copies, hash_of(" ".join(neurons.files.tolist()))]


def fold_answers(
    job: Job, neurons: NeuronSet, split: str, seed: int, fold: int, teaching: TreeTeaching | None = None
) -> Arrays:
    """What the network of a fold says of all neurons.

    Parameters
    ----------
    neurons
        Standardised.
    split, seed, fold
        As in :func:`.resnet.fold_rows`: ``cells``, ``sources`` or ``all``.

    Returns
    -------
    dict
        ``rows`` (test rows), ``embedding`` (n, 128), ``class8`` and ``broad`` (log-probabilities), and the same of a
        varied copy of each neuron that was not among the lessons, with ``_varied`` at the end of their names.
    """
    teaching = teaching or teaching_of(job)
    train, test = fold_rows(neurons, split, seed, fold)
    name = f"tree-lstm-{split}-{seed}-{fold}"

    def compute() -> Arrays:
        grove = grove_of(job, neurons, teaching)
        checkpoint = job.checkpoint(name)
        network = fit_tree(
            grove,
            train,
            Lessons(neurons.truth, neurons.broad, wide_of(job, neurons), len(neurons.classes)),
            teaching,
            seed,
            checkpoint=checkpoint,
            progress=job.steps(name),
        )
        checkpoint.unlink(missing_ok=True)
        if split == "all":
            save_arrays(_state_path(job, seed), {k: v.numpy() for k, v in network.state_dict().items()})
        found: Arrays = {"rows": test}
        for suffix, copy in (("", 0), ("_varied", grove.copies - 1)):
            said = tree_answers(network, grove, copy)
            found |= {what + suffix: array.astype(np.float32) for what, array in said.items()}
        return found

    settings = [teaching.to_settings(), TREE_FORM.to_settings(), len(neurons), seed]
    return job.stage(name, settings, compute)


def _state_path(job: Job, seed: int) -> Path:
    return job.out / "networks" / f"tree-lstm-{seed}.npz"


def network_of(job: Job, neurons: NeuronSet, seed: int) -> TreeLstm:
    """The network taught with all neurons."""
    fold_answers(job, neurons, "all", seed, 0)
    teaching = teaching_of(job)
    inputs = len(piece_columns(TREE_FORM.points))
    network = TreeLstm(teaching.shape(inputs, len(neurons.classes), 2))
    with np.load(_state_path(job, seed)) as stored:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in stored.items()})
    return network.eval()


@dataclass(frozen=True, eq=False)
class Said:
    """What networks said of neurons they had not seen.

    Parameters
    ----------
    rows, sources
        Of the set, in ascending order, and the collection each comes from.
    scores
        Log-probabilities of each head.
    """

    neurons: NeuronSet
    rows: IntArray
    sources: NDArray[np.str_]
    scores: dict[str, FloatArray]

    @classmethod
    def of_folds(cls, neurons: NeuronSet, answers: list[Arrays]) -> Said:
        """The test rows of several folds together; of none, where there is but one collection."""
        rows = np.concatenate([np.zeros(0, dtype=np.intp), *(one["rows"] for one in answers)])
        order = np.argsort(rows, kind="stable")
        heads = {"class8": len(neurons.classes), "broad": 2}
        scores = {
            head: np.concatenate([np.zeros((0, k)), *(one[head][one["rows"]] for one in answers)])[order].astype(float)
            for head, k in heads.items()
        }
        return cls(neurons, rows[order], neurons.sources[rows[order]], scores)

    def of(self, head: str, rows: IntArray) -> FloatArray:
        """Log-probabilities of these rows of the set."""
        return self.scores[head][np.searchsorted(self.rows, rows)]


def out_of_fold(job: Job, neurons: NeuronSet, seed: int) -> Said:
    """What was said of every neuron by networks that never saw its cell."""
    return Said.of_folds(neurons, [fold_answers(job, neurons, "cells", seed, fold) for fold in range(N_FOLDS)])


def out_of_source(job: Job, neurons: NeuronSet) -> Said:
    """What was said by networks that never saw the collection."""
    count = len(source_folds(neurons))
    return Said.of_folds(neurons, [fold_answers(job, neurons, "sources", job.seed, fold) for fold in range(count)])


def run(job: Job) -> dict[str, Any]:
    """Judge by cell and by source, then teach all neurons and write ``tree-lstm`` and ``tree-lstm-2class``."""
    from .tree_packing import judge_and_pack

    neurons = read_set(job)
    seeds = range(job.seed, job.seed + N_SEEDS)
    runs = [out_of_fold(job, neurons, seed) for seed in seeds]
    unseen = out_of_source(job, neurons)
    network = network_of(job, neurons, job.seed)
    whole = Task.of(neurons), np.arange(len(neurons))
    tasks = (("8 classes", "class8", whole), ("2 classes", "broad", broad_task(neurons)))
    return {name: judge_and_pack(job, network, head, task, rows, runs, unseen) for name, head, (task, rows) in tasks}
