"""Making the bundled waveform models: trained on all cells, with their limits, references, self-tests and cards."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.networks.kernel_bank import KernelExpert
from napari_celltype.models.networks.triple_cnn import TripleCnn
from napari_celltype.models.networks.waveform_ensemble import WaveformEnsemble
from napari_celltype.models.waveform_doubts import WaveformDoubts, class_statistics, measure_shapes
from napari_celltype.models.windows import WindowFormat

from .cards import CardFacts, write_card
from .job import Job
from .packing import LICENCE
from .spikes import SpikeSet
from .waveform import TASKS, Joining, OutOfFold, Task, WaveformSettings, answers, fit_joining, principal_axes
from .waveform_expert import fit_expert
from .waveform_fit import HEADS, fit_cnn
from .waveform_reference import class_reference

__all__ = ["RATES_HZ", "invented_windows", "limits", "pack_waveform_models", "stored"]

FloatArray = NDArray[np.float64]

RATES_HZ = (20_000.0, 500_000.0)
_MARGIN = 0.15
_TOLERATED = 0.995
_HALVED = ("weight", "supports")

CITATION = (
    "Allen Institute for Brain Science, Allen Cell Types Database, 2015, https://celltypes.brain-map.org; Wang, Han, "
    "Gajowa and Liu, Neocortical cell type classification from electrophysiology recordings using deep neural "
    "networks, 2023; Dempster, Petitjean and Webb, ROCKET, 2020."
)

_SPECIES = {"subclass": ("mouse",), "broad": ("mouse", "human")}
_ABOUT = {"subclass": "cortical genetic type, five classes", "broad": "excitatory or inhibitory"}


def pack_waveform_models(
    job: Job,
    spikes: SpikeSet,
    settings: WaveformSettings,
    found: list[dict[str, OutOfFold]],
    report: dict[str, dict[str, Any]],
) -> None:
    """Train on all cells and write every task's model to ``out/<name>``."""
    network = fit_cnn(
        spikes,
        None,
        settings.taught(),
        job.seed,
        checkpoint=job.checkpoint("waveform-shipped"),
        progress=job.steps("networks to ship"),
    )
    _, hidden = answers(network, spikes.windows)
    for task in TASKS:
        truth = task.truth(spikes)
        expert = fit_expert(spikes.windows, truth, len(task.classes), settings.expert, job.seed, spikes.donors)
        parts = [one[task.name] for one in found]
        rows = np.flatnonzero(truth >= 0)
        joining = fit_joining(
            np.concatenate([one.networks[rows] for one in parts]),
            np.concatenate([one.expert[rows] for one in parts]),
            np.tile(truth[rows], len(parts)),
            settings.weights,
        )
        far = np.concatenate([one.distances[rows] for one in parts])
        _pack(job, task, spikes.take(rows), network, hidden[rows], expert, joining, far, settings, report[task.name])


def _pack(
    job: Job,
    task: Task,
    cells: SpikeSet,
    network: TripleCnn,
    hidden: FloatArray,
    expert: KernelExpert,
    joining: Joining,
    far: FloatArray,
    settings: WaveformSettings,
    figures: dict[str, Any],
) -> None:
    form, truth = settings.form, task.truth(cells)
    ensemble = _ensemble(network, expert, task, joining.weight)
    centre, projection = principal_axes(hidden, settings.dimensions)
    doubts = limits(cells.windows.astype(float), (hidden - centre) @ projection, truth, task, far, form)
    weights = (
        stored(ensemble, "network.")
        | joining.calibration.to_arrays()
        | {"embedding.centre": centre.astype(np.float32), "embedding.projection": projection.astype(np.float32)}
        | doubts.to_arrays()
        | {f"reference.{k}": v for k, v in class_reference(cells.windows, truth, len(task.classes), form).items()}
    )
    info = _info(task, ensemble, doubts, settings)
    card = write_card(info, _facts(task, cells, doubts, joining, settings, figures))
    inputs: Arrays = {"windows": invented_windows(weights["reference.mean_mv"], job.seed)}
    folder = job.out / info.name
    write_bundle(folder, info, weights, check_arrays(inputs, {}), card)
    outputs = load_model(folder, device="cpu").replay(inputs)
    write_bundle(folder, info, weights, check_arrays(inputs, outputs), card)


def _ensemble(network: TripleCnn, expert: KernelExpert, task: Task, weight: float) -> WaveformEnsemble:
    """Networks with the outputs of this task only, and the task's kernel machine."""
    head = HEADS[task.head]
    state = network.state_dict()
    for name in ("output.weight", "output.bias"):
        state[name] = state[name][..., head]
    ensemble = WaveformEnsemble(replace(network.shape, outputs=len(task.classes)), expert.shape)
    ensemble.cnn.load_state_dict(state)
    ensemble.expert.load_state_dict(expert.state_dict())
    ensemble.weight.fill_(weight)
    return ensemble.eval()


def stored(network: torch.nn.Module, prefix: str) -> Arrays:
    """Tensors by name; the large ones in half precision, which changes no probability by more than a thousandth."""
    return {
        prefix + name: (tensor.half() if name.endswith(_HALVED) and tensor.numel() > 1000 else tensor).numpy()
        for name, tensor in network.state_dict().items()
    }


def limits(
    windows: FloatArray, placed: FloatArray, truth: NDArray[np.intp], task: Task, far: FloatArray, form: WindowFormat
) -> WaveformDoubts:
    """Ranges of the training spikes and where they lie, with the margins the cards state."""
    measures = measure_shapes(windows, form)
    low, high = measures.min(axis=0), measures.max(axis=0)
    margin = _MARGIN * (high - low)
    # the peak's place is no matter of cells: a fifth of a millisecond to each side is still the same window
    if form.anchor == "peak":
        low[0], high[0], margin[0] = -0.2, 0.2, 1e-6
    means, covariance = class_statistics(placed, truth, len(task.classes))
    return WaveformDoubts(
        low=low - margin,
        high=high + margin,
        means=means,
        covariance=covariance,
        farthest=float(np.quantile(far, _TOLERATED)),
        min_confidence=task.min_confidence,
    )


def _info(task: Task, ensemble: WaveformEnsemble, doubts: WaveformDoubts, settings: WaveformSettings) -> ModelInfo:
    return ModelInfo(
        name=task.name + settings.suffix,
        version="1.0.0",
        task=_ABOUT[task.head],
        input="waveform",
        kind="triple-cnn",
        classes=task.classes,
        default=not settings.suffix,
        summary=(
            "Triple-input convolutional networks on one action potential (trace, real and imaginary spectrum), "
            "joined with a kernel machine on a bank of random kernels."
        ),
        species=_SPECIES[task.head],
        licence=LICENCE,
        citation=CITATION,
        settings={
            "window": settings.form.to_settings(),
            "rates_hz": list(RATES_HZ),
            "network": ensemble.cnn.shape.to_settings(),
            "bank": asdict(ensemble.expert.shape),
            "abstain": doubts.limits(),
        },
    )


def invented_windows(averages: NDArray[np.float32], seed: int, each: int = 3) -> NDArray[np.float32]:
    """Windows near the class averages, bent smoothly at random: no real cell goes into the package."""
    rng = np.random.default_rng(seed)
    means = np.repeat(averages, each, axis=0)
    place = np.linspace(0, 1, means.shape[1])
    bends = sum(rng.normal(size=(len(means), 1)) * 3 / k * np.cos(np.pi * k * place) for k in range(1, 6))
    invented: NDArray[np.float32] = (means + bends).astype(np.float32)
    return invented


_DATA = (
    "{cells} cells of {donors} donors ({species}) from the Allen Cell Types Database, one action potential evoked"
    " by a short square each, as published with Ophir et al. 2023, 1 ms before to 2 ms after the peak, recorded "
    "at 50 or 200 kHz. {labels} Allen Institute terms of use: research, with citation, no commercial "
    "redistribution. No trace is in the package; averages and histograms of each class are. What the kernel machine "
    "compares with are means of three like cells each."
)
_LABELS = {
    "subclass": "Labels are driver lines, not transcriptomes: a line marks some cells of other types too.",
    "broad": "Mouse labels are driver lines; human cells are excitatory if their dendrites are spiny.",
}
_SPLIT = (
    "{folds}-fold cross-validation by donor, stratified by class: no cell is judged by a model that saw another "
    "cell of its donor. Width and ridge of the kernel machine were chosen within the training donors of each fold, its "
    "weight and the calibration on other donors too. The weights shipped were then trained on all cells in the same "
    "way, as many networks as in a fold; no figure here is measured on them. Size and teaching of the networks were "
    "chosen by such folds on the same cells, so expect slightly less on new donors. "
    "All windows are brought to 50 kHz and pass one 10 kHz filter, because the rate tells the class apart in "
    "these data (nearly all Vip cells were recorded at 50 kHz); figures within each rate are given too."
)
_NEEDS = (
    "An action potential in current clamp, in mV, from 1 ms before to 2 ms after its peak, sampled at 20 to 500 "
    "kHz; it was trained on spikes evoked by 3 ms squares in acute slices near 34 °C. Absolute voltage counts: "
    "other junction-potential corrections shift verdicts. From a recording, windows are found and their verdicts "
    "averaged."
)
_ABSTAINS = (
    "When there is no action potential in its place; when a measure of its shape (rise, fall, fastest slopes, "
    "peak, lowest point, roughness) lies outside the training range by more than {margin:.0%} of it; when its "
    "embedding is farther than {far:.1f} standard deviations from every class (one held-out cell in 200 is); when"
    " the best class has a probability below {confidence:.2f}; when the windows of a cell disagree, when most of them "
    "cannot be judged, or more than a tenth are unlike the training cells; outside 20 to 500 kHz; in voltage clamp."
)

_FAILURES = (
    "One window of 3 ms says less than a whole recording: `lspin` is the better judge where features can be measured.",
    "Cells of other areas, ages and temperatures were not among the training cells.",
)


_BROADER = (
    "At room temperature, and on long steps, spikes are broader than those it was taught: a fast-spiking cell can then "
    "be taken for Sst with high confidence."
)


def _facts(
    task: Task,
    cells: SpikeSet,
    doubts: WaveformDoubts,
    joining: Joining,
    settings: WaveformSettings,
    figures: dict[str, Any],
) -> CardFacts:
    own = next(iter(figures.values()))
    return CardFacts(
        data=_DATA.format(
            cells=len(cells),
            donors=len(set(cells.donors.tolist())),
            species=" and ".join(_SPECIES[task.head]),
            labels=_LABELS[task.head],
        ),
        split=_SPLIT.format(folds=settings.n_folds),
        needs=_NEEDS,
        abstains=_ABSTAINS.format(margin=_MARGIN, far=doubts.farthest, confidence=task.min_confidence),
        figures=figures,
        command="napari-celltype train triple-cnn --data DIR --out OUT",
        failures=(*_FAILURES, *([_BROADER] if task.head == "subclass" else [])),
        extra={
            "Confusion": confusion_table(own, task.classes),
            "How it is made": (
                f"{settings.members} networks and one kernel machine "
                f"({settings.expert.shape.kernels} kernels), weight {joining.weight:g}."
            ),
        },
    )


def confusion_table(scores: dict[str, Any], classes: tuple[str, ...]) -> str:
    """True classes in rows, shares of their cells in columns."""
    counts = np.array(scores["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = ["| true \\ said | " + " | ".join(classes) + " |", "|---|" + "---|" * len(classes)]
    for name, row in zip(classes, shares, strict=True):
        rows.append(f"| {name} | " + " | ".join(f"{x:.2f}" for x in row) + " |")
    return "\n".join(rows)
