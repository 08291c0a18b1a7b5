"""The two questions asked of every reconstruction, and gathering what models that never saw a neuron say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.calibration import Calibration

from .combined_fit import fit_mixing
from .neuron_splits import cell_folds, source_folds
from .neuron_tables import Task, broad_task, judged
from .neurons import BROAD, NeuronSet

__all__ = [
    "QUESTIONS",
    "Answers",
    "Fit",
    "Logs",
    "Question",
    "alone",
    "calibrated_apart",
    "calibrated_elsewhere",
    "figures_of",
    "gather_cells",
    "gather_sources",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Logs = dict[str, FloatArray]
Answers = Callable[[str, int], dict[str, NDArray[Any]]]

N_FOLDS = 5


@dataclass(frozen=True)
class Question:
    """What is asked of a neuron.

    Parameters
    ----------
    suffix
        Of the names of models that answer it.
    key
        Of the answers of networks.
    number
        Which of a network's heads answers it.
    about
        In a few words.
    """

    suffix: str
    key: str
    number: int
    about: str

    def truth(self, neurons: NeuronSet) -> IntArray:
        """Answers, -1 where there is none."""
        return neurons.truth if self.number == 0 else neurons.broad

    def classes(self, neurons: NeuronSet) -> tuple[str, ...]:
        """What may be answered."""
        return neurons.classes if self.number == 0 else BROAD

    def task(self, neurons: NeuronSet) -> tuple[Task, IntArray]:
        """The neurons of which it can be asked, and their rows."""
        return broad_task(neurons) if self.number else (Task.of(neurons), np.arange(len(neurons)))


QUESTIONS = (
    Question("", "class8", 0, "eight types by shape"),
    Question("-2class", "broad", 1, "principal cell or interneuron"),
)


def gather_cells(neurons: NeuronSet, seed: int, answers: Answers) -> Logs:
    """What each fold's models say of its test rows, put together: all neurons, by name of the answer.

    Parameters
    ----------
    answers
        From split and fold to arrays by name, each of the test rows of the fold.
    """
    folds = cell_folds(neurons, N_FOLDS, seed)
    return _gathered(len(neurons), [np.flatnonzero(folds == k) for k in range(N_FOLDS)], "cells", answers)


def gather_sources(neurons: NeuronSet, answers: Answers) -> Logs:
    """The same with each collection kept out in turn; neurons of none of these stay zero."""
    return _gathered(len(neurons), [fold.test for fold in source_folds(neurons)], "sources", answers)


def _gathered(n: int, tests: Sequence[IntArray], split: str, answers: Answers) -> Logs:
    found: Logs = {}
    for fold, test in enumerate(tests):
        for name, values in answers(split, fold).items():
            found.setdefault(name, np.zeros((n, values.shape[1])))[test] = values
    return found


Fit = Callable[[Logs, IntArray], Callable[[Logs], FloatArray]]


def calibrated_apart(logs: Logs, truth: IntArray, folds: IntArray, fit: Fit) -> FloatArray:
    """Probabilities of all neurons, what makes them of logs being fitted on the other folds."""
    found = np.zeros_like(next(iter(logs.values())))
    for fold in np.unique(folds):
        learn, test = (folds != fold) & (truth >= 0), folds == fold
        found[test] = fit(_some(logs, learn), truth[learn])(_some(logs, test))
    return found


def calibrated_elsewhere(logs: Logs, unseen: Logs, truth: IntArray, neurons: NeuronSet, fit: Fit) -> FloatArray:
    """Probabilities of kept-out collections, what makes them of logs being fitted on the others' by-cell answers."""
    found = np.zeros_like(next(iter(logs.values())))
    for fold in source_folds(neurons):
        learn = fold.train[truth[fold.train] >= 0]
        found[fold.test] = fit(_some(logs, learn), truth[learn])(_some(unseen, fold.test))
    return found


def _some(logs: Logs, rows: NDArray[Any]) -> Logs:
    return {name: values[rows] for name, values in logs.items()}


def alone(name: str, n_classes: int) -> Fit:
    """One model's answers, made believable: a temperature and an offset for each class."""

    def fit(logs: Logs, truth: IntArray) -> Callable[[Logs], FloatArray]:
        calibration: Calibration = fit_mixing([logs[name]], truth, n_classes)
        return lambda new: calibration(new[name])

    return fit


def figures_of(
    neurons: NeuronSet, question: Question, runs: Sequence[FloatArray], unseen: FloatArray
) -> dict[str, Any]:
    """Figures by cell, on unseen collections and within collections, from probabilities of all neurons."""
    task, rows = question.task(neurons)
    place = np.full(len(neurons), -1)
    place[rows] = np.arange(len(rows))
    tested = np.concatenate([np.zeros(0, dtype=np.intp), *(fold.test for fold in source_folds(neurons))])
    tested = tested[place[tested] >= 0]
    return judged(task, [run[rows] for run in runs], unseen[tested], place[tested], neurons.sources[tested])
