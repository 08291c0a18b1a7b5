"""Teaching gated networks what a density of the cells knows, also for cells with missing stimuli.

Gaussians by driver line do well on a thousand cells. So they label as many cells as we like (real ones, and ones made
between and around real ones, with the features of missing stimuli hidden) and the networks learn those labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.calibration import Calibration, fit_calibration
from napari_celltype.models.density import Clouds, SoftenedClouds
from napari_celltype.models.features import FEATURE_NAMES, columns_of
from napari_celltype.models.networks.lspin import Lspin, LspinShape, gate_similarity, open_probability
from napari_celltype.models.preparation import Preparation

from .experts import GaussianSettings, choose_gaussians, fit_gaussians, subclass_codes
from .fitting import Plan, Progress, fit, step_generator
from .splits import donor_folds
from .tables import Cells

__all__ = ["Distilling", "Pool", "Teacher", "columns_with", "fit_students", "fit_teacher", "make_pool", "stimulus_sets"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PROTOCOLS = ("noise", "long square", "ramp", "short square")
"""Seal and input resistance of the test pulse are left out: they tell of the recording, and others do not note them."""


def stimulus_sets() -> list[tuple[str, ...]]:
    """Every set of stimuli a laboratory may have recorded, the full one first."""
    return [names for size in range(len(PROTOCOLS), 0, -1) for names in combinations(PROTOCOLS, size)]


def columns_with(names: tuple[str, ...]) -> NDArray[np.intp]:
    """Columns of the features measured under these stimuli, in order."""
    return np.sort(np.concatenate([columns_of(name) for name in names]))


@dataclass(frozen=True, eq=False)
class Teacher:
    """Gaussians, and for every set of stimuli a calibration learnt on donors they had not seen."""

    gaussians: Clouds
    calibrations: dict[tuple[str, ...], Calibration]

    def probabilities(self, filled: FloatArray, names: tuple[str, ...], columns: NDArray[np.intp]) -> FloatArray:
        """Of the classes, judged by ``columns``, which are of the stimuli ``names``."""
        return self.calibrations[names](self.gaussians.log_probabilities(filled, columns))

    def softened(self) -> SoftenedClouds:
        """The same for any known features: the softening follows from how many there are."""
        by_count: dict[int, list[float]] = {}
        for names, calibration in self.calibrations.items():
            by_count.setdefault(len(columns_with(names)), []).append(float(calibration.weight[0, 0]))
        counts = sorted(by_count)
        return SoftenedClouds(
            self.gaussians, np.array(counts, dtype=float), np.array([float(np.mean(by_count[n])) for n in counts])
        )


def fit_teacher(cells: Cells, filled: FloatArray, seed: int = 0) -> Teacher:
    """Fit the Gaussians, with settings and calibrations that inner folds of these cells choose."""
    settings, sets = choose_gaussians(filled, cells, seed), stimulus_sets()
    logs = {names: np.zeros((len(cells), len(cells.classes))) for names in sets}
    for rows, check in donor_folds(cells.truth, cells.donors, 5, seed):
        gaussians = _fit(cells.take(rows), filled[rows], settings)
        for names in sets:
            logs[names][check] = gaussians.log_probabilities(filled[check], columns_with(names))
    calibrations = {names: fit_calibration(logs[names], cells.truth, len(cells.classes)) for names in sets}
    return Teacher(_fit(cells, filled, settings), calibrations)


def _fit(cells: Cells, filled: FloatArray, settings: GaussianSettings) -> Clouds:
    return fit_gaussians(filled, *subclass_codes(cells.truth, cells.lines), settings)


@dataclass(frozen=True, eq=False)
class Pool:
    """Cells to learn from: filled features, which of them are known, and what the teachers say."""

    x: NDArray[np.float32]
    known: NDArray[np.float32]
    target: NDArray[np.float32]


def make_pool(
    cells: Cells, preparation: Preparation, teacher: Teacher, size: int, seed: int, n_patterns: int = 240
) -> Pool:
    """Draw ``size`` cells between and around the real ones, hide features, and ask the teacher.

    A third keeps all stimuli, the rest lose some; half lose a few single features on top. The true labels are not
    used again: mixed into the targets, they make the networks worse on donors not seen.
    """
    rng = np.random.default_rng(seed)
    filled = preparation.filled(preparation.scaled(cells.features))
    x = _draw_around(filled, cells.truth, size, rng)
    sets = stimulus_sets()
    known, target = np.zeros_like(x), np.zeros((size, len(cells.classes)))
    for number, rows in enumerate(np.array_split(rng.permutation(size), n_patterns)):
        names = sets[0] if number % 3 == 0 else sets[rng.integers(len(sets))]
        mask = _mask(names, rng)
        known[rows] = mask
        target[rows] = teacher.probabilities(x[rows], names, np.flatnonzero(mask))
        x[rows] = preparation.filled(np.where(mask, x[rows], np.nan))
    return Pool(x.astype(np.float32), known.astype(np.float32), target.astype(np.float32))


def _mask(names: tuple[str, ...], rng: np.random.Generator) -> BoolArray:
    mask = np.zeros(len(FEATURE_NAMES), dtype=bool)
    columns = columns_with(names)
    mask[columns] = True
    if rng.random() < 0.5:
        mask[rng.choice(columns, size=rng.integers(1, 5), replace=False)] = False
    return mask


def _draw_around(
    x: FloatArray, truth: NDArray[np.intp], size: int, rng: np.random.Generator, stray: float = 0.3, mix: float = 0.4
) -> FloatArray:
    """Real cells moved part of the way to another one and a little at random; a fifth stays as measured."""
    gaps = x - np.stack([x[truth == t].mean(axis=0) for t in range(truth.max() + 1)])[truth]
    root = np.linalg.cholesky(np.cov(gaps, rowvar=False) + 0.01 * np.eye(x.shape[1]))
    first, second = rng.integers(len(x), size=(2, size))
    real = rng.random(size) < 0.2
    towards = rng.uniform(0, mix, (size, 1)) * (x[second] - x[first])
    strayed = stray * rng.normal(size=x[first].shape) @ root.T
    return np.where(real[:, None], x[first], x[first] + towards + strayed)


@dataclass(frozen=True)
class Distilling:
    """How the students are taught.

    Parameters
    ----------
    sparsity, similarity
        Weights of the two penalties on gates, lambda 1 and lambda 2 of the paper.
    settling
        Share of the steps, at the end, over which the gates' noise has died away: gates are chosen under noise, and
        the net then gets used to them as they will be.
    pool
        Cells drawn for each set of students.
    """

    members: int = 5
    hidden: tuple[int, ...] = (96, 48)
    gating: tuple[int, ...] = (64, 64)
    sparsity: float = 0.15
    similarity: float = 0.0
    settling: float = 0.5
    steps: int = 4000
    batch: int = 128
    learning_rate: float = 5e-3
    weight_decay: float = 1e-3
    pool: int = 48000

    def shape(self, n_stacks: int, n_classes: int) -> LspinShape:
        """Of the stack of networks."""
        return LspinShape(
            members=self.members * n_stacks,
            classes=n_classes,
            hidden=self.hidden,
            gating=self.gating,
            normalise=False,
            bounded=False,
            sees_gaps=True,
            spread=None,
        )

    def noise_at(self, step: int) -> float:
        """Share of the gates' noise left at a step."""
        return max(0.0, 1.0 - step / max(1.0, self.steps * (1 - self.settling)))

    def plan(self) -> Plan:
        """Of the descent."""
        return Plan(self.steps, self.learning_rate, weight_decay=self.weight_decay, schedule="one-cycle")


def fit_students(
    pools: list[Pool],
    settings: Distilling,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Lspin:
    """Teach ``members`` networks from each pool; stacked in the order of the pools."""
    n_classes = pools[0].target.shape[1]
    shape = settings.shape(len(pools), n_classes)
    network = Lspin(shape, torch.Generator().manual_seed(seed))
    x, known, target = (
        torch.from_numpy(np.stack([getattr(pool, name) for pool in pools])) for name in ("x", "known", "target")
    )
    owner = torch.arange(len(pools)).repeat_interleave(settings.members)[:, None]

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        rows = torch.randint(x.shape[1], (shape.members, settings.batch), generator=generator)
        seen, there = x[owner, rows], known[owner, rows]
        noise = settings.noise_at(step) * shape.sigma * torch.randn(seen.shape, generator=generator)
        logits, gates, centres = network(seen, there, noise=noise)
        likeness = -(target[owner, rows] * logits.log_softmax(dim=-1)).sum(dim=-1).mean(dim=1)
        opened = (open_probability(centres, shape.sigma) * there).sum(dim=-1) / there.sum(dim=-1)
        loss = likeness + settings.sparsity * opened.mean(dim=1)
        if settings.similarity:
            loss = loss + settings.similarity * gate_similarity(gates, seen)
        return loss.sum()

    fit(network, loss_at, settings.plan(), checkpoint=checkpoint, progress=progress)
    return network
