"""The recipe of ``dann``: excitatory or inhibitory for mouse and human, and of the regression it must be judged by.

Human cells take part in the training, with their labels; in the code published with the paper none did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.bundle import ModelInfo
from napari_celltype.models.calibration import fit_calibration
from napari_celltype.models.doubts import FeatureDoubts
from napari_celltype.models.networks.dann import Dann, DannShape, reversal_at
from napari_celltype.models.preparation import Preparation, fit_preparation
from napari_celltype.models.runtime import inference

from .baselines import estimator
from .cards import CardFacts, figures_table
from .crossval import Fitted, Fitter
from .facts import BOTH_DATA, BOTH_SPLIT, NEEDS, abstaining
from .fitting import Plan, fit, step_generator
from .job import Job
from .lspin import CONDITIONS, hide_stimuli
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, pack_feature_model
from .splits import donor_folds
from .tables import BROAD, Cells, read_both_species

__all__ = ["Adversarial", "run"]

FloatArray = NDArray[np.float64]
MIN_CONFIDENCE = 0.6
MIN_FEATURES = 8
SPECIES = ("mouse", "human")
FULL = "all stimuli"


@dataclass(frozen=True)
class Adversarial:
    """How the networks are trained.

    Parameters
    ----------
    reversal
        Largest strength of the reversed gradient; 0 trains without adversary.
    human_share
        Share of a batch that is human.
    stray
        Noise put on the scaled features.
    """

    members: int = 5
    shared: tuple[int, ...] = (64, 32)
    reversal: float = 0.3
    human_share: float = 0.4
    stray: float = 0.5
    steps: int = 800
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.3

    def plan(self) -> Plan:
        """Of the descent."""
        return Plan(self.steps, self.learning_rate, weight_decay=self.weight_decay, schedule="one-cycle")


def train_members(
    groups: Sequence[Cells], preparations: Sequence[Preparation], settings: Adversarial, seed: int, job: Job, name: str
) -> Dann:
    """``members`` networks for each group of cells, in one stack."""
    shape = DannShape(members=settings.members * len(groups), shared=settings.shared)
    network = Dann(shape, torch.Generator().manual_seed(seed))
    x = _stacked([_hidden_variants(p, c.features) for p, c in zip(preparations, groups, strict=True)])
    truth = _stacked([torch.from_numpy(cells.truth) for cells in groups])
    rows = [_stacked([torch.from_numpy(np.flatnonzero(c.species == s)) for c in groups]) for s in (0, 1)]
    counts = [torch.tensor([int((c.species == s).sum()) for c in groups]) for s in (0, 1)]
    owner = torch.arange(len(groups)).repeat_interleave(settings.members)[:, None]
    n_human = round(settings.batch * settings.human_share)
    sizes = settings.batch - n_human, n_human
    origin = torch.zeros(shape.members, settings.batch, dtype=torch.long)
    origin[:, sizes[0] :] = 1

    def loss_at(step: int) -> Tensor:
        generator = step_generator(seed, step)
        drawn = []
        for of_species, n_cells, size in zip(rows, counts, sizes, strict=True):
            share = torch.rand(shape.members, size, generator=generator)
            drawn.append(of_species[owner, (share * n_cells[owner]).long()])
        chosen = torch.cat(drawn, dim=1)
        # half of the cells whole, the others as laboratories without some stimuli would see them
        variant = torch.randint(-x.shape[2], x.shape[2], chosen.shape, generator=generator).clamp_min(0)
        seen = x[owner, chosen, variant]
        seen = seen + settings.stray * torch.randn(seen.shape, generator=generator)
        said, species = network(seen, reversal_at(step / settings.steps, settings.reversal))
        return shape.members * (_entropy(said, truth[owner, chosen]) + _entropy(species, origin))

    fit(network, loss_at, settings.plan(), checkpoint=job.checkpoint(name), progress=job.steps(name))
    return network


def _hidden_variants(preparation: Preparation, raw: FloatArray) -> Tensor:
    """Cells with all stimuli, and with some of them hidden and filled: (cells, variants, features)."""
    return torch.stack([_filled(preparation, hide_stimuli(raw, kept)) for kept in CONDITIONS.values()], dim=1)


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """One tensor of all parts, the shorter ones padded with zeros."""
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)


def _entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), truth.flatten())


def _filled(preparation: Preparation, raw: FloatArray) -> Tensor:
    return torch.as_tensor(preparation.filled(preparation.scaled(raw)), dtype=torch.float32)


def run(job: Job) -> dict[str, Any]:
    """Score DANN and regressions on donor folds, species by species; train the final ones on all cells."""
    cells = read_both_species(job.data)
    settings = Adversarial(members=2, steps=60) if job.quick else Adversarial()
    seeds = [job.seed + s for s in range(1 if job.quick else 5)]
    own = [_held_out(job, cells, settings, seed) for seed in seeds]
    without = [_held_out(job, cells, replace(settings, reversal=0.0), seed) for seed in seeds]
    figures = {
        "dann": _condition_figures(own, cells, seeds, FULL),
        "the same network without adversary": _condition_figures(without, cells, seeds, FULL),
    }
    for name, fitter in _regressions().items():
        figures[name] = _by_species([_regression(job, cells, name, fitter, seed) for seed in seeds], cells)
    conditions = {name: _condition_figures(own, cells, seeds, name) for name in CONDITIONS}
    report = {"donor_folds": figures, "conditions": conditions, "settings": asdict(settings), "seeds": seeds}
    _pack_dann(job, cells, settings, own, report)
    _pack_regression(job, cells, report)
    return report


def _condition_figures(found: list[dict[str, FloatArray]], cells: Cells, seeds: list[int], name: str) -> dict[str, Any]:
    return _by_species([_calibrated(one[name], cells, seed) for one, seed in zip(found, seeds, strict=True)], cells)


def _folds(cells: Cells, job: Job, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Folds by donor, stratified by class and species together."""
    return donor_folds(cells.truth + 2 * cells.species, cells.donors, 3 if job.quick else 10, seed)


def _held_out(job: Job, cells: Cells, settings: Adversarial, seed: int) -> dict[str, FloatArray]:
    """Logits of every cell by networks that did not see its donor, with all stimuli and with some hidden."""

    def compute() -> dict[str, NDArray[Any]]:
        folds = _folds(cells, job, seed)
        groups = [cells.take(train) for train, _ in folds]
        preparations = [fit_preparation(group.features) for group in groups]
        network = train_members(groups, preparations, settings, seed, job, f"dann-{settings.reversal}-{seed}")
        found = {name: np.zeros((len(cells), 2)) for name in CONDITIONS}
        for number, (_, test) in enumerate(folds):
            members = slice(number * settings.members, (number + 1) * settings.members)
            for name, kept in CONDITIONS.items():
                x = _filled(preparations[number], hide_stimuli(cells.features[test], kept))
                with inference(len(test)):
                    found[name][test] = network(x.expand(network.shape.members, -1, -1))[0][members].mean(dim=0).numpy()
        return found

    return job.stage(f"dann-held-out-{seed}", [asdict(settings), list(CONDITIONS)], compute)


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


def _pack_dann(
    job: Job, cells: Cells, settings: Adversarial, own: list[dict[str, FloatArray]], report: dict[str, Any]
) -> None:
    preparation = fit_preparation(cells.features)
    network = train_members([cells], [preparation], settings, job.seed, job, "dann-all-cells")
    info = _info(
        "dann",
        "dann",
        "Domain-adversarial networks on the 41 Allen features: excitatory or inhibitory, for mouse and human alike.",
        {"network": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(network.shape).items()}},
    )
    logits = np.concatenate([found[name] for found in own for name in CONDITIONS])
    calibration = fit_calibration(logits, np.tile(cells.truth, len(logits) // len(cells)), 2)
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=MIN_FEATURES, seed=job.seed)
    weights = {f"network.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    facts = _facts(cells, "dann", report, doubts)
    pack_feature_model(job, info, weights, facts, preparation=preparation, calibration=calibration, doubts=doubts)


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
    facts = _facts(cells, "logistic regression, both species", report, doubts)
    calibration = fit_calibration(np.zeros((0, 2)), np.zeros(0, dtype=np.intp), 2)
    pack_feature_model(job, info, weights, facts, preparation=preparation, calibration=calibration, doubts=doubts)


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


def _facts(cells: Cells, own: str, report: dict[str, Any], doubts: FeatureDoubts) -> CardFacts:
    figures = report["donor_folds"]
    order = [own, *(name for name in figures if name != own)]
    hidden = {name: found["human"] for name, found in report["conditions"].items()}
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
        abstains=abstaining(doubts),
        figures={f"{name}, human" if name == own else name: figures[name]["human"] for name in order},
        command="napari-celltype train dann --data DIR --out OUT",
        extra={"On mouse cells": figures_table({name: figures[name]["mouse"] for name in order})}
        | ({"With stimuli missing, on human cells": figures_table(hidden)} if own == "dann" else {}),
    )
