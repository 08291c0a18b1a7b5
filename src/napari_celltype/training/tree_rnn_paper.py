"""The recipe ``tree-rnn-paper``: the published Tree-RNN on the raw lines of SWC files, for comparison with ours.

One split and a few epochs: enough to see what ids, raw coordinates and summed states cost, not a contest of settings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from napari_celltype.models.networks.forest import plant
from napari_celltype.models.networks.tree_lstm import PaperShape, PaperTreeRnn
from napari_celltype.models.runtime import inference

from .fitting import Plan, fit
from .job import Job
from .metrics import score_seeds
from .neuron_splits import cell_folds
from .neurons import NeuronSet, read_neurons

__all__ = ["PaperSettings", "raw_lines", "run", "usable"]

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class PaperSettings:
    """What the paper and its code say, and how much of it is done here.

    Parameters
    ----------
    max_nodes
        Longer files are dropped: 1,500 in the paper, 300 in the code.
    epochs
        The paper trained for 100.
    """

    max_nodes: int = 1500
    batch: int = 100
    learning_rate: float = 1e-4
    epochs: int = 4


def raw_lines(neurons: NeuronSet, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The seven numbers of each line as they stand in the file, and the parent rows."""
    neuron = neurons.neuron(index)
    columns = [neuron.ids, neuron.types, *neuron.xyz_um.T, neuron.radii_um, neuron.parent_ids]
    return np.nan_to_num(np.stack(columns, axis=1)).astype(np.float32), np.asarray(neuron.parents, dtype=np.int64)


def usable(neurons: NeuronSet, max_nodes: int) -> IntArray:
    """Files the published network can take: one root, no cycle, not too long."""
    sizes = np.diff(neurons.starts)[neurons.rows]
    rows = [i for i in np.flatnonzero(sizes <= max_nodes) if _is_one_tree(neurons, int(i))]
    return np.array(rows, dtype=np.intp)


def _is_one_tree(neurons: NeuronSet, index: int) -> bool:
    neuron = neurons.neuron(index)
    return len(neuron.roots) == 1 and not neuron.has_cycle


def run(job: Job) -> dict[str, Any]:
    """Train on four folds, judge the fifth; what is too long is dropped and counted."""
    settings = PaperSettings(max_nodes=300, epochs=1) if job.quick else PaperSettings()
    neurons = read_neurons(job.data, job.out / "cache")
    rows = usable(neurons, settings.max_nodes)
    folds = cell_folds(neurons, 5, job.seed)
    train, test = rows[folds[rows] != 0], rows[folds[rows] == 0]

    def compute() -> dict[str, NDArray[Any]]:
        network = _fit(job, neurons, train, settings)
        return {"shares": _shares(network, neurons, test), "train_shares": _shares(network, neurons, train)}

    found = job.stage("tree-rnn-paper", [asdict(settings), len(rows)], compute)
    truth = neurons.truth
    majority = np.bincount(truth[train]).argmax()
    return {
        "settings": asdict(settings),
        "files": len(neurons),
        "short_enough": len(rows),
        "test_files": len(test),
        "most_frequent_class": float((truth[test] == majority).mean()),
        "train_accuracy": float((found["train_shares"].argmax(axis=1) == truth[train]).mean()),
        "tree-rnn-paper": score_seeds(
            [found["shares"]], truth[test], neurons.classes, neurons.cells[test].astype(np.int64)
        ).to_dict(),
    }


def _fit(job: Job, neurons: NeuronSet, rows: IntArray, settings: PaperSettings) -> PaperTreeRnn:
    shape = PaperShape(classes=len(neurons.classes))
    network = PaperTreeRnn(shape, torch.Generator().manual_seed(job.seed))
    lines = {int(row): raw_lines(neurons, int(row)) for row in rows}
    truth = torch.from_numpy(np.asarray(neurons.truth, dtype=np.int64))
    per_epoch = max(1, len(rows) // settings.batch)  # as published, the last batch is dropped if it is not full

    def loss_at(step: int) -> Tensor:
        order = np.random.default_rng([job.seed, step // per_epoch]).permutation(rows)
        place = step % per_epoch * settings.batch
        chosen = order[place : place + settings.batch]
        return cross_entropy(_logits(network, [lines[int(row)] for row in chosen]), truth[chosen])

    plan = Plan(settings.epochs * per_epoch, settings.learning_rate, optimiser="adam")
    fit(network, loss_at, plan, checkpoint=job.checkpoint("tree-rnn-paper"), progress=job.steps("tree-rnn-paper"))
    return network


def _logits(network: PaperTreeRnn, trees: list[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> Tensor:
    features = torch.from_numpy(np.concatenate([one for one, _ in trees]))
    logits: Tensor = network(features, plant([parents for _, parents in trees]))[0]
    return logits


def _shares(network: PaperTreeRnn, neurons: NeuronSet, rows: IntArray) -> NDArray[np.float64]:
    network.eval()
    parts = []
    for some in np.array_split(rows, max(1, len(rows) // 50)):
        with inference(1):
            logits = _logits(network, [raw_lines(neurons, int(row)) for row in some])
            parts.append(logits.softmax(dim=1).numpy().astype(float))
    return np.concatenate(parts)
