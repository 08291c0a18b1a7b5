"""The recipe of ``joint-5class``: features and action potential of the same cells, judged together.

A density says what the known features imply, a kernel machine what the spike implies; how much the spike counts is
learnt on donors neither saw. With all stimuli there is little left for it to add; where stimuli are missing there is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.density import SoftenedClouds
from napari_celltype.models.doubts import FeatureDoubts
from napari_celltype.models.joint import SPIKE
from napari_celltype.models.lspin import NOT_QUALITY
from napari_celltype.models.networks.kernel_bank import KernelExpert
from napari_celltype.models.preparation import Preparation, fit_preparation
from napari_celltype.models.waveform_doubts import class_statistics
from napari_celltype.models.windows import PEAK_FORMAT, WindowFormat

from .cards import CardFacts, figures_table, write_card
from .distil import fit_teacher
from .facts import mouse_facts
from .job import Job
from .lspin import CONDITIONS, MIN_CONFIDENCE, MIN_FEATURES, hide_stimuli
from .metrics import score_seeds
from .packing import CITATION, LICENCE, fit_doubts, invented_cells
from .spikes import SpikeSet, read_spikes
from .splits import donor_folds
from .tables import Cells, read_mouse
from .waveform import Joining, Task, expert_scores, fit_joining, principal_axes, without_limits
from .waveform_expert import ExpertSettings, fit_expert
from .waveform_packing import RATES_HZ, invented_windows, limits, stored
from .waveform_reference import class_reference

__all__ = ["read_pairs", "run"]

FloatArray = NDArray[np.float64]
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
DIMENSIONS = 16
FULL = next(iter(CONDITIONS))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What density and kernel machine say of donors they never saw; the density under each condition."""

    density: dict[str, FloatArray]
    spikes: FloatArray
    distances: FloatArray
    seed: int


def run(job: Job) -> dict[str, Any]:
    """Judge on donor folds under every condition, then train on all cells and write the model."""
    cells, spikes = read_pairs(job.data)
    settings = ExpertSettings(shape=replace(ExpertSettings().shape, each=4)) if job.quick else ExpertSettings()
    found = [_held_out(job, cells, spikes, settings, job.seed + s) for s in range(1 if job.quick else 3)]
    figures = _figures(cells, found)
    report = {"conditions": figures, "donor_folds": figures[FULL], "expert": asdict(settings)}
    _pack(job, cells, spikes, settings, found, figures)
    return report


def read_pairs(data: Path, form: WindowFormat = PEAK_FORMAT) -> tuple[Cells, SpikeSet]:
    """Cells with both features and a sound action potential, row by row the same."""
    cells, spikes = read_mouse(data), read_spikes(data, form)
    rows = {specimen: row for row, specimen in enumerate(spikes.specimens.tolist())}
    both = np.array([row for row, specimen in enumerate(cells.specimens.tolist()) if specimen in rows], dtype=np.intp)
    cells = cells.take(both)
    return cells, spikes.take([rows[specimen] for specimen in cells.specimens.tolist()])


def _held_out(job: Job, cells: Cells, spikes: SpikeSet, settings: ExpertSettings, seed: int) -> HeldOut:
    def compute() -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {name: np.zeros((len(cells), len(cells.classes))) for name in CONDITIONS}
        found |= {"spikes": np.zeros((len(cells), len(cells.classes))), "distances": np.zeros(len(cells))}
        folds = donor_folds(cells.truth, cells.donors, 2 if job.quick else 5, seed)
        for train, test in job.track(folds, f"joint, seed {seed}"):
            preparation, density = _fit_density(cells.take(train), seed)
            for name, stimuli in CONDITIONS.items():
                raw = hide_stimuli(cells.features[test], stimuli)
                found[name][test] = density.log_probabilities(preparation.scaled(raw), NOT_QUALITY)
            expert = _fit_spikes(cells.take(train), spikes.take(train), settings, seed)
            found["spikes"][test] = expert_scores(expert, spikes.windows[test])
            known, asked = (shares_of(expert, spikes.windows[rows]) for rows in (train, test))
            centre, projection = principal_axes(known, DIMENSIONS)
            statistics = class_statistics((known - centre) @ projection, cells.truth[train], len(cells.classes))
            found["distances"][test] = without_limits(*statistics).distances((asked - centre) @ projection)
        return found

    stage = job.stage(f"joint-{seed}", [asdict(settings), list(CONDITIONS), len(cells)], compute)
    return HeldOut({name: stage[name] for name in CONDITIONS}, stage["spikes"], stage["distances"], seed)


def _fit_density(cells: Cells, seed: int) -> tuple[Preparation, SoftenedClouds]:
    preparation = fit_preparation(cells.features)
    return preparation, fit_teacher(cells, preparation.filled(preparation.scaled(cells.features)), seed).softened()


def _fit_spikes(cells: Cells, spikes: SpikeSet, settings: ExpertSettings, seed: int) -> KernelExpert:
    return fit_expert(spikes.windows, cells.truth, len(cells.classes), settings, seed, cells.donors)


def shares_of(expert: KernelExpert, windows: NDArray[np.float32]) -> FloatArray:
    """Standardised answers of the bank."""
    with torch.inference_mode():
        parts = [expert.standardised(part).numpy() for part in torch.split(torch.from_numpy(windows), 256)]
    return np.concatenate(parts).astype(float)


def _joined(rows: NDArray[np.intp], cells: Cells, found: HeldOut, weights: tuple[float, ...]) -> Joining:
    """Weight and calibration from these cells, under all conditions together."""
    logs = np.concatenate([scores[rows] for scores in found.density.values()])
    n = len(found.density)
    return fit_joining(logs, np.tile(found.spikes[rows], (n, 1)), np.tile(cells.truth[rows], n), weights)


def _judged(cells: Cells, found: HeldOut, weights: tuple[float, ...]) -> dict[str, FloatArray]:
    """Probabilities under each condition, joined and calibrated as the other donors' cells say."""
    said = {name: np.zeros_like(scores) for name, scores in found.density.items()}
    for fit, check in donor_folds(cells.truth, cells.donors, 5, found.seed + 1000):
        joining = _joined(fit, cells, found, weights)
        for name, scores in found.density.items():
            said[name][check] = joining(scores[check], found.spikes[check])
    return said


def _figures(cells: Cells, found: list[HeldOut]) -> dict[str, dict[str, Any]]:
    """Under each condition: together, by features alone, by the spike alone."""
    nothing = [replace(one, density={name: np.zeros_like(x) for name, x in one.density.items()}) for one in found]
    versions = {
        "joint-5class": [_judged(cells, one, WEIGHTS) for one in found],
        "its density of features alone": [_judged(cells, one, (0.0,)) for one in found],
        "its kernel machine on the spike alone": [_judged(cells, one, (1.0,)) for one in nothing],
    }
    return {
        condition: {
            name: score_seeds([run[condition] for run in runs], cells.truth, cells.classes, cells.donors).to_dict()
            for name, runs in versions.items()
        }
        for condition in CONDITIONS
    }


def _pack(
    job: Job,
    cells: Cells,
    spikes: SpikeSet,
    settings: ExpertSettings,
    found: list[HeldOut],
    figures: dict[str, dict[str, Any]],
) -> None:
    preparation, density = _fit_density(cells, job.seed)
    expert = _fit_spikes(cells, spikes, settings, job.seed)
    joining = fit_joining(
        np.concatenate([scores for one in found for scores in one.density.values()]),
        np.concatenate([np.tile(one.spikes, (len(CONDITIONS), 1)) for one in found]),
        np.tile(cells.truth, len(found) * len(CONDITIONS)),
        WEIGHTS,
    )
    shares = shares_of(expert, spikes.windows)
    centre, projection = principal_axes(shares, DIMENSIONS)
    task = Task("joint-5class", "subclass", cells.classes, MIN_CONFIDENCE)
    far = np.concatenate([one.distances for one in found])
    windows = spikes.windows.astype(float)
    seen = limits(windows, (shares - centre) @ projection, cells.truth, task, far, PEAK_FORMAT)
    doubts = fit_doubts(cells, min_confidence=MIN_CONFIDENCE, min_features=MIN_FEATURES, seed=job.seed)
    weights: Arrays = {
        **stored(expert, "network."),
        **preparation.to_arrays(),
        **density.to_arrays(),
        **joining.calibration.to_arrays(),
        **doubts.to_arrays(),
        **{SPIKE + name.removeprefix("doubts."): array for name, array in seen.to_arrays().items()},
        "embedding.centre": centre.astype(np.float32),
        "embedding.projection": projection.astype(np.float32),
    }
    info = ModelInfo(
        name="joint-5class",
        version="1.0.0",
        task="mouse cortical subclass, five classes",
        input="recording",
        kind="joint",
        classes=cells.classes,
        summary=(
            "A density of the 41 features and a kernel machine on one action potential, added up: for recordings that "
            "lack noise or ramps, where the spike tells what the missing features would."
        ),
        species=("mouse",),
        licence=LICENCE,
        citation=CITATION + " Method of the kernels: Dempster, Petitjean and Webb, ROCKET, 2020.",
        settings={
            "window": PEAK_FORMAT.to_settings(),
            "rates_hz": list(RATES_HZ),
            "bank": asdict(expert.shape),
            "weight": joining.weight,
            "abstain": doubts.limits(),
            "abstain_spike": seen.limits(),
        },
    )
    card = write_card(info, _facts(cells, doubts, figures, joining.weight))
    means = class_reference(spikes.windows, cells.truth, len(cells.classes), PEAK_FORMAT)["mean_mv"]
    inputs: Arrays = {
        "features": invented_cells(preparation, doubts, job.seed, each=4),
        "windows": invented_windows(means, job.seed, each=4),
    }
    folder = job.out / info.name
    write_bundle(folder, info, weights, check_arrays(inputs, {}), card)
    outputs = load_model(folder, device="cpu").replay(inputs)
    write_bundle(folder, info, weights, check_arrays(inputs, outputs), card)


def _facts(cells: Cells, doubts: FeatureDoubts, figures: dict[str, dict[str, Any]], weight: float) -> CardFacts:
    others = {
        f"{condition}: {name}": scores
        for condition, versions in figures.items()
        for name, scores in versions.items()
        if condition != FULL
    }
    return mouse_facts(
        cells,
        doubts,
        "joint-5class",
        figures[FULL],
        data=" Of each cell it also saw one action potential evoked by a short square, 1 ms before to 2 ms after.",
        split=(
            " Five folds here, not ten. Settings of the density and of the kernel machine were chosen within the "
            "training donors of each fold, the weight of the spike and the calibration on other donors."
        ),
        needs=(
            " And an action potential, best one evoked by a short square, sampled at 20 to 500 kHz. Either a "
            "recording, in which both are found, or a table and an array of windows."
        ),
        failures=(
            "With all stimuli it is no better than `lspin`, which also says on which features its verdict rests.",
        ),
        extra={
            "With stimuli missing": figures_table(others),
            "How it is made": f"Log-probabilities of the density plus {weight:g} times the kernel machine's scores.",
        },
    )
