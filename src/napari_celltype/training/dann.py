"""The recipe of ``dann``: excitatory or inhibitory for mouse and human, and of the regression it must be judged by.

Human cells take part in the training, with their labels; in the code published with the paper none did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.bundle import ModelInfo
from napari_celltype.models.calibration import fit_calibration
from napari_celltype.models.networks.dann import Dann, DannShape, reversal_at
from napari_celltype.models.preparation import Preparation, fit_preparation
from napari_celltype.models.runtime import inference

from .baselines import estimator
from .cards import CardFacts, figures_table, write_card
from .crossval import Fitted, Fitter
from .facts import ABSTAINS, BOTH_DATA, BOTH_SPLIT, NEEDS
from .fitting import Plan, fit, step_generator
from .job import Job
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, pack_feature_model
from .splits import donor_folds
from .tables import BROAD, Cells, read_both_species

__all__ = ["Adversarial", "run"]

FloatArray = NDArray[np.float64]
MIN_CONFIDENCE = 0.6
MIN_FEATURES = 12
FINAL_MEMBERS = 10
SPECIES = ("mouse", "human")


@dataclass(frozen=True)
class Adversarial:
    """How the networks are trained.

    Parameters
    ----------
    reversal
        Largest strength of the reversed gradient; 0 trains without adversary.
    human_share
        Share of a batch that is human.
    stray, hide
        Noise put on features, and the chance that a feature is hidden (filled from the others) in a batch's cell.
    """

    members: int = 5
    shared: tuple[int, ...] = (64, 32)
    reversal: float = 0.3
    human_share: float = 0.4
    stray: float = 0.2
    steps: int = 1200
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 3e-2

    def plan(self) -> Plan:
        """Of the descent."""
        return Plan(self.steps, self.learning_rate, weight_decay=self.weight_decay, schedule="one-cycle")


def train_members(
    groups: Sequence[Cells], preparations: Sequence[Preparation], settings: Adversarial, seed: int, job: Job, name: str
) -> Dann:
    """``members`` networks for each group of cells, in one stack."""
    shape = DannShape(members=settings.members * len(groups), shared=settings.shared)
    network = Dann(shape, torch.Generator().manual_seed(seed))
    x = [_filled(p, c.features) for p, c in zip(preparations, groups, strict=True)]
    truth = [torch.from_numpy(cells.truth) for cells in groups]
    rows = [[torch.from_numpy(np.flatnonzero(cells.species == s)) for s in (0, 1)] for cells in groups]
    n_human = round(settings.batch * settings.human_share)

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        inputs, labels = [], []
        for member in range(shape.members):
            group = member // settings.members
            drawn = [
                _draw(pool, n, generator)
                for pool, n in zip(rows[group], (settings.batch - n_human, n_human), strict=True)
            ]
            chosen = torch.cat(drawn)
            inputs.append(x[group][chosen])
            labels.append(truth[group][chosen])
        seen = torch.stack(inputs)
        seen = seen + settings.stray * torch.randn(seen.shape, generator=generator)
        said, species = network(seen, reversal_at(step / settings.steps, settings.reversal))
        origin = torch.zeros(seen.shape[:2], dtype=torch.long)
        origin[:, settings.batch - n_human :] = 1
        return shape.members * (_entropy(said, torch.stack(labels)) + _entropy(species, origin))

    fit(network, loss_at, settings.plan(), checkpoint=job.checkpoint(name), progress=job.steps(name))
    return network


def _draw(pool: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return pool[torch.randint(len(pool), (n,), generator=generator)]


def _entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), truth.flatten())


def _filled(preparation: Preparation, raw: FloatArray) -> Tensor:
    return torch.as_tensor(preparation.filled(preparation.scaled(raw)), dtype=torch.float32)


def run(job: Job) -> dict[str, Any]:
    """Score DANN and regressions on donor folds, species by species; train the final ones on all cells."""
    cells = read_both_species(job.data)
    settings = Adversarial(members=2, steps=60) if job.quick else Adversarial()
    seeds = [job.seed + s for s in range(1 if job.quick else 5)]
    logits = {"dann": [_held_out(job, cells, settings, seed) for seed in seeds]}
    without = Adversarial(**{**asdict(settings), "reversal": 0.0})
    logits["the same network without adversary"] = [_held_out(job, cells, without, seed) for seed in seeds]
    figures = {
        name: _by_species([_calibrated(s, cells, seed) for s, seed in zip(found, seeds, strict=True)], cells)
        for name, found in logits.items()
    }
    for name, fitter in _regressions().items():
        figures[name] = _by_species([_regression(job, cells, name, fitter, seed) for seed in seeds], cells)
    report = {"donor_folds": figures, "settings": asdict(settings), "seeds": seeds}
    _pack_dann(job, cells, settings, logits["dann"], report)
    _pack_regression(job, cells, report)
    return report


def _folds(cells: Cells, job: Job, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Folds by donor, stratified by class and species together."""
    return donor_folds(cells.truth + 2 * cells.species, cells.donors, 3 if job.quick else 10, seed)


def _held_out(job: Job, cells: Cells, settings: Adversarial, seed: int) -> FloatArray:
    def compute() -> dict[str, NDArray[Any]]:
        folds = _folds(cells, job, seed)
        groups = [cells.take(train) for train, _ in folds]
        preparations = [fit_preparation(group.features) for group in groups]
        network = train_members(groups, preparations, settings, seed, job, f"dann-{settings.reversal}-{seed}")
        logits = np.zeros((len(cells), 2))
        for number, (_, test) in enumerate(folds):
            with inference(len(test)):
                x = _filled(preparations[number], cells.features[test]).expand(network.shape.members, -1, -1)
                own = network(x)[0][number * settings.members : (number + 1) * settings.members]
            logits[test] = own.mean(dim=0).numpy()
        return {"logits": logits}

    return job.stage(f"dann-held-out-{seed}", asdict(settings), compute)["logits"].astype(float)


def _calibrated(logits: FloatArray, cells: Cells, seed: int) -> FloatArray:
    """Probabilities by a temperature fitted on other donors."""
    found = np.zeros_like(logits)
    for rows, check in donor_folds(cells.truth + 2 * cells.species, cells.donors, 5, seed + 1000):
        found[check] = fit_calibration(logits[rows], cells.truth[rows], 2)(logits[check])
    return found


def _regression(job: Job, cells: Cells, name: str, fitter: Fitter, seed: int) -> FloatArray:
    slug = "".join(c if c.isalnum() else "-" for c in name)

    def compute() -> dict[str, NDArray[Any]]:
        found = np.zeros((len(cells), 2))
        for train, test in job.track(_folds(cells, job, seed), name):
            found[test] = fitter(cells.take(train), seed)(cells.features[test])
        return {"probabilities": found}

    return job.stage(f"{slug}-{seed}", None, compute)["probabilities"]


def _logistic(_seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=3000)


def _regressions() -> dict[str, Fitter]:
    pooled = estimator(_logistic)

    def only(species: int) -> Fitter:
        def fitter(cells: Cells, seed: int) -> Fitted:
            return pooled(cells.take(np.flatnonzero(cells.species == species)), seed)

        return fitter

    return {
        "logistic regression, both species": pooled,
        "logistic regression, human only": only(1),
        "logistic regression, mouse only": only(0),
    }


def _by_species(runs: list[FloatArray], cells: Cells) -> dict[str, Any]:
    found = {}
    for number, name in enumerate(SPECIES):
        rows = np.flatnonzero(cells.species == number)
        own = [run[rows] for run in runs]
        found[name] = score_seeds(own, cells.truth[rows], BROAD, cells.donors[rows]).to_dict()
    return found


def _pack_dann(job: Job, cells: Cells, settings: Adversarial, logits: list[FloatArray], report: dict[str, Any]) -> None:
    final = Adversarial(**{**asdict(settings), "members": 2 if job.quick else FINAL_MEMBERS})
    preparation = fit_preparation(cells.features)
    network = train_members([cells], [preparation], final, job.seed, job, "dann-all-cells")
    info = _info(
        "dann",
        "dann",
        "Domain-adversarial networks on the 41 Allen features: excitatory or inhibitory, for mouse and human alike.",
        {"network": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(network.shape).items()}},
    )
    calibration = fit_calibration(np.concatenate(logits), np.tile(cells.truth, len(logits)), 2)
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=MIN_FEATURES, seed=job.seed)
    weights = {f"network.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    card = write_card(info, _facts(cells, "dann", report, doubts.farthest))
    pack_feature_model(
        job.out,
        info,
        weights,
        preparation=preparation,
        calibration=calibration,
        doubts=doubts,
        card=card,
        seed=job.seed,
    )


def _pack_regression(job: Job, cells: Cells, report: dict[str, Any]) -> None:
    preparation = fit_preparation(cells.features, logarithms=False)
    fitted = _logistic(0).fit(preparation.filled(preparation.scaled(cells.features)), cells.truth)
    half = 0.5 * fitted.coef_[0]
    weights = {
        "linear.coefficients": np.stack([-half, half], axis=1),
        "linear.intercept": 0.5 * fitted.intercept_[0] * np.array([-1.0, 1.0]),
    }
    info = _info(
        "lr-broad",
        "linear",
        "Logistic regression on the 41 Allen features of both species: the baseline beside DANN, and hard to beat.",
        {},
    )
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=30, logarithms=False, seed=job.seed)
    card = write_card(info, _facts(cells, "logistic regression, both species", report, doubts.farthest))
    calibration = fit_calibration(np.zeros((0, 2)), np.zeros(0, dtype=np.intp), 2)
    pack_feature_model(
        job.out,
        info,
        weights,
        preparation=preparation,
        calibration=calibration,
        doubts=doubts,
        card=card,
        seed=job.seed,
    )


def _info(name: str, kind: str, summary: str, settings: dict[str, Any]) -> ModelInfo:
    return ModelInfo(
        name=name,
        version="1.0.0",
        task="excitatory or inhibitory, mouse and human",
        input="features",
        kind=kind,
        classes=BROAD,
        summary=summary,
        species=SPECIES,
        licence=LICENCE,
        citation=CITATION + (" Method: Ganin et al., JMLR 2016." if kind == "dann" else ""),
        settings=settings,
    )


def _facts(cells: Cells, own: str, report: dict[str, Any], farthest: float) -> CardFacts:
    figures = report["donor_folds"]
    order = [own, *(name for name in figures if name != own)]
    human = cells.species == 1
    return CardFacts(
        data=BOTH_DATA.format(
            mouse=int((~human).sum()),
            mouse_donors=len(set(cells.donors[~human].tolist())),
            human=int(human.sum()),
            human_donors=len(set(cells.donors[human].tolist())),
        ),
        split=BOTH_SPLIT,
        needs=NEEDS,
        abstains=ABSTAINS.format(
            confidence=MIN_CONFIDENCE, features=MIN_FEATURES if own == "dann" else 30, far=farthest
        ),
        figures={f"{name}, human" if name == own else name: figures[name]["human"] for name in order},
        command="napari-celltype train dann --data DIR --out OUT",
        extra={"On mouse cells": figures_table({name: figures[name]["mouse"] for name in order})},
    )
