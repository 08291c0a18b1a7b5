"""The recipe of ``lspin``, the model we ship: gated networks that accept missing stimuli, taught by a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.bundle import ModelInfo
from napari_celltype.models.calibration import Calibration, fit_calibration
from napari_celltype.models.density import SoftenedClouds
from napari_celltype.models.doubts import FeatureDoubts
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.models.lspin import NOT_QUALITY, average
from napari_celltype.models.networks.lspin import Lspin, LspinShape
from napari_celltype.models.preparation import Preparation, fit_preparation
from napari_celltype.models.runtime import inference

from .baselines import BASELINES
from .cards import CardFacts, figures_table
from .crossval import out_of_fold
from .distil import Distilling, columns_with, fit_students, fit_teacher, make_pool, stimulus_sets
from .facts import mouse_facts
from .job import Job
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, pack_feature_model
from .reference import reference_gates
from .splits import donor_folds
from .svc import cross_calibrated
from .tables import Cells, read_mouse

__all__ = ["run"]

FloatArray = NDArray[np.float64]

FULL = stimulus_sets()[0]
CONDITIONS: dict[str, tuple[str, ...]] = {
    "all stimuli": FULL,
    "no noise": ("long square", "ramp", "short square"),
    "no ramp": ("noise", "long square", "short square"),
    "no noise, no ramp": ("long square", "short square"),
    "long square only": ("long square",),
    "noise only": ("noise",),
}
MIN_CONFIDENCE = 0.5
MIN_FEATURES = 8
COMPARED = ("SVC, scikit-learn's defaults", "SVC with coupled pairs", "logistic regression")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What students say of donors they never saw: scores under each condition, and gates with all stimuli."""

    scores: dict[str, FloatArray]
    gates: FloatArray
    parts: dict[str, FloatArray]


def run(job: Job) -> dict[str, Any]:
    """Score on donor folds under every condition, then teach the final networks on all cells and write the model."""
    cells = read_mouse(job.data)
    settings = Distilling(members=2, steps=60, pool=2400) if job.quick else Distilling()
    seeds = [job.seed + s for s in range(1 if job.quick else 3)]
    held_out = [_held_out(job, cells, settings, seed) for seed in seeds]
    figures = {name: _figures([h.scores[name] for h in held_out], cells, seeds) for name in CONDITIONS}
    parts = {name: _figures([h.parts[name] for h in held_out], cells, seeds) for name in held_out[0].parts}
    report = {
        "conditions": figures,
        "parts": parts,
        "baselines": _baselines(job, cells, seeds),
        "gates": _gate_facts(held_out, cells),
        "settings": asdict(settings),
        "seeds": seeds,
    }
    _pack(job, cells, settings, held_out, report)
    return report


def _figures(scores: list[FloatArray], cells: Cells, seeds: list[int]) -> dict[str, Any]:
    calibrated = cross_calibrated(scores, cells, seeds)
    return score_seeds(calibrated, cells.truth, cells.classes, cells.donors).to_dict()


def _held_out(job: Job, cells: Cells, settings: Distilling, seed: int) -> HeldOut:
    def compute() -> dict[str, NDArray[Any]]:
        folds = donor_folds(cells.truth, cells.donors, 3 if job.quick else 10, seed)
        groups = [cells.take(train) for train, _ in folds]
        preparations, densities, network = _teach(job, groups, settings, seed, f"folds-{seed}")
        scores = {name: np.zeros((len(cells), len(cells.classes))) for name in CONDITIONS}
        gates = np.zeros(cells.features.shape)
        by_networks, by_density = np.zeros((2, len(cells), len(cells.classes)))
        for number, (_, test) in enumerate(folds):
            chosen = range(number * settings.members, (number + 1) * settings.members)
            for name, stimuli in CONDITIONS.items():
                raw = hide_stimuli(cells.features[test], stimuli)
                alone, opened = judge(network, chosen, preparations[number], raw)
                clouds = densities[number].log_probabilities(preparations[number].scaled(raw), NOT_QUALITY)
                scores[name][test] = average(alone, clouds)
                if name == "all stimuli":
                    gates[test], by_networks[test], by_density[test] = opened, alone, clouds
        named = {f"scores.{name}": found for name, found in scores.items()}
        return named | {"gates": gates, "networks": by_networks, "density": by_density}

    found = job.stage(f"held-out-{seed}", [asdict(settings), list(CONDITIONS), "with density"], compute)
    parts = {"the networks alone": found["networks"], "the density alone": found["density"]}
    return HeldOut({name: found[f"scores.{name}"] for name in CONDITIONS}, found["gates"], parts)


def _teach(
    job: Job, groups: Sequence[Cells], settings: Distilling, seed: int, name: str
) -> tuple[list[Preparation], list[SoftenedClouds], Lspin]:
    preparations, pools, densities = [], [], []
    for cells in job.track(groups, f"lspin {name}, labelling"):
        preparation = fit_preparation(cells.features)
        teacher = fit_teacher(cells, preparation.filled(preparation.scaled(cells.features)), seed)
        preparations.append(preparation)
        densities.append(teacher.softened())
        pools.append(make_pool(cells, preparation, teacher, settings.pool, seed))
    network = fit_students(
        pools, settings, seed, checkpoint=job.checkpoint(name), progress=job.steps(f"lspin {name}, teaching")
    )
    return preparations, densities, network


def hide_stimuli(raw: FloatArray, kept: tuple[str, ...]) -> FloatArray:
    """Features as a laboratory without the other stimuli would have them."""
    hidden = np.full_like(raw, np.nan)
    columns = columns_with(kept)
    hidden[:, columns] = raw[:, columns]
    return hidden


def judge(
    network: Lspin, members: Sequence[int], preparation: Preparation, raw: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log of the mean probabilities, and mean gates, of some members of a stack."""
    scaled = preparation.scaled(raw)
    with inference(len(raw)):
        x = torch.as_tensor(preparation.filled(scaled), dtype=torch.float32)
        known = torch.as_tensor(np.isfinite(scaled), dtype=torch.float32)
        logits, gates, _ = network(*(t.expand(network.shape.members, -1, -1) for t in (x, known)))
    chosen = list(members)
    mean = logits[chosen].softmax(dim=-1).mean(dim=0).clamp_min(1e-12).log()
    return mean.numpy().astype(float), gates[chosen].mean(dim=0).numpy().astype(float)


def _baselines(job: Job, cells: Cells, seeds: list[int]) -> dict[str, Any]:
    n_folds = 3 if job.quick else 10
    found = {}
    for name in COMPARED[:1] if job.quick else COMPARED:
        slug = "".join(c if c.isalnum() else "-" for c in name)
        runs = out_of_fold(job, slug, cells, BASELINES[name], seeds, n_folds=n_folds)
        found[name] = score_seeds(runs, cells.truth, cells.classes, cells.donors).to_dict()
    return found


def _gate_facts(held_out: list[HeldOut], cells: Cells) -> dict[str, Any]:
    """How many features a cell's verdict rests on, which are never used, and whether seeds agree."""
    gates = np.mean([h.gates for h in held_out], axis=0)
    usual = gates.mean(axis=0)
    facts: dict[str, Any] = {
        "open_by_half": float((gates > 0.5).sum(axis=1).mean()),
        "open_at_all": float((gates > 0.05).sum(axis=1).mean()),
        "never": [name for name, most in zip(FEATURE_NAMES, gates.max(axis=0), strict=True) if most < 0.05],
        "most_open": {
            name: [FEATURE_NAMES[i] for i in np.argsort(-gates[cells.truth == k].mean(axis=0))[:8]]
            for k, name in enumerate(cells.classes)
        },
    }
    if len(held_out) > 1:
        first, second = held_out[0].gates - usual, held_out[1].gates - usual
        facts["agreement_of_seeds"] = float(np.corrcoef(held_out[0].gates.ravel(), held_out[1].gates.ravel())[0, 1])
        facts["agreement_beyond_the_average_cell"] = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return facts


def _pack(job: Job, cells: Cells, settings: Distilling, held_out: list[HeldOut], report: dict[str, Any]) -> None:
    (preparation,), (density,), network = _teach(job, [cells], settings, job.seed, "all-cells")
    gates = np.mean([h.gates for h in held_out], axis=0)
    weights = {f"network.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    weights |= density.to_arrays()
    weights["gates.by_class"] = np.stack([gates[cells.truth == k].mean(axis=0) for k in range(len(cells.classes))])
    weights |= reference_gates(gates, cells)
    info = ModelInfo(
        name="lspin",
        version="1.0.0",
        task="mouse cortical subclass, five classes",
        input="features",
        kind="lspin",
        classes=cells.classes,
        default=True,
        summary=(
            "Locally sparse networks on the 41 Allen features: the gates of a cell say which features its verdict "
            "rests on. Accepts missing stimuli."
        ),
        species=("mouse",),
        licence=LICENCE,
        citation=CITATION + " Method: Yang, Lindenbaum and Kluger, Locally sparse neural networks, ICML 2022.",
        settings={"network": shape_settings(network.shape)},
    )
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=MIN_FEATURES, seed=job.seed)
    pack_feature_model(
        job,
        info,
        weights,
        _card_facts(cells, report, doubts),
        preparation=preparation,
        calibration=_calibration(held_out, cells),
        doubts=doubts,
    )


def _calibration(held_out: list[HeldOut], cells: Cells) -> Calibration:
    scores = np.concatenate([h.scores[name] for h in held_out for name in CONDITIONS])
    return fit_calibration(scores, np.tile(cells.truth, len(held_out) * len(CONDITIONS)), len(cells.classes))


def shape_settings(shape: LspinShape) -> dict[str, Any]:
    """A network's shape as plain data for a description."""
    stated = asdict(shape)
    return {name: list(v) if isinstance(v, tuple) else (0.0 if v is None else v) for name, v in stated.items()}


def _card_facts(cells: Cells, report: dict[str, Any], doubts: FeatureDoubts) -> CardFacts:
    gates = report["gates"]
    never = ", ".join(f"`{name}`" for name in gates["never"]) or "none"
    openness = "\n".join(f"- {name}: {', '.join(features)}" for name, features in gates["most_open"].items())
    return mouse_facts(
        cells,
        doubts,
        "lspin",
        {"lspin": report["conditions"]["all stimuli"], **report["parts"], **report["baselines"]},
        split=(
            " How the density pools cells was chosen within the training donors of every fold. Sizes and sparsity of "
            "the networks were chosen by folds of the same cells, so expect slightly less on new donors."
        ),
        needs=(
            " Stimuli may be missing: see the table of conditions. Seal resistance and the test pulse's input "
            "resistance are not used."
        ),
        extra={
            "With stimuli missing": figures_table(report["conditions"]),
            "Gates": (
                "The verdict is the mean of the networks' and of the density they were taught by; gates tell of the "
                f"networks. They rest on {gates['open_at_all']:.0f} of 41 features, {gates['open_by_half']:.0f} of "
                f"them more than half open. Never used: {never}. Gates of two seeds correlate by "
                f"{gates.get('agreement_of_seeds', float('nan')):.2f}. A gate says that a feature was let through, not "
                f"that the class depends on it alone. Most open, by class:\n\n{openness}"
            ),
            "How it is made": (
                f"{report['settings']['members']} networks and one density, in the folds as in the model shipped."
            ),
        },
    )
