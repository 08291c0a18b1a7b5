"""Making a bundled model of one fitted on neurons: what its card says, its self-test, and the folder on disk."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.calibration import Calibration
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_doubts import NeuronDoubts
from napari_celltype.models.neuron_features import wide_features
from napari_celltype.models.neuron_form import NeuronForm, standardise
from napari_celltype.models.neuron_model import NeuronModel, pack_neurons
from napari_celltype.morphology.simulation import simulate
from napari_celltype.neuron import Neuron

from .neuron_tables import Task
from .neurons import NeuronSet

__all__ = [
    "NEURON_ABSTAINS",
    "NEURON_CITATION",
    "NEURON_DATA",
    "NEURON_FAILURES",
    "NEURON_LICENCE",
    "NEURON_NEEDS",
    "NEURON_SPECIES",
    "NEURON_SPLIT",
    "answered",
    "odd_neurons",
    "pack_neuron_model",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

NEURON_SPECIES = ("mouse", "rat", "human")

NEURON_LICENCE = (
    "Trained on reconstructions from public repositories that hold data of NeuroMorpho.Org, the Blue Brain Project, "
    "the Allen Institute and single laboratories; most state no licence, NeuroMorpho.Org asks to cite archive and "
    "article. "
    "No reconstruction is in the package. What is ours in the weights is BSD-3-Clause."
)

NEURON_CITATION = (
    "Ascoli, Donohue and Halavi, NeuroMorpho.Org: a central resource for neuronal morphologies, 2007; Zhang et al., "
    "Neuron type classification in rat brain based on integrative convolutional and tree-based recurrent neural "
    "networks, 2021."
)

NEURON_DATA = (
    "{files} reconstructions of {cells} cells: {counts}. They come from {sources} collections. Class, collection, "
    "species and how complete a tracing is go together: all microglia and all granule cells are from one laboratory "
    "each, most GABAergic and basket cells from another. “GABAergic” is mostly a folder called interneuron, "
    "which holds basket cells nobody labelled and some cells that look pyramidal; “ganglion” is partly only "
    "“retina”. Granule (43 files) and medium spiny (13 files of 8 cells) are weak classes. Astrocytes, nitrergic, "
    "parachromaffin and sensory receptor cells, which Zhang et al. also told apart, were not to be had: the model does "
    "not know them."
)

NEURON_SPLIT = (
    "By cell: five folds, stratified by class; all files of a cell, and copies of a file, are in one fold. By source: "
    "each collection is kept out whole and judged by models trained on the others, for the classes these have too. "
    "Within sources: the answers by cell, judged inside each collection that has two classes or more. The weights "
    "shipped were then trained on all neurons with the same settings; no figure here is measured on them."
)

NEURON_NEEDS = (
    "A reconstruction in micrometres with its soma and, for interneurons, its axon; SWC or whatever `read_neuron` "
    "opens. Where the origin lies, how nodes are ordered and how densely they stand do not matter. Size does: a file "
    "in pixels is judged wrongly, or refused as unlike."
)

NEURON_ABSTAINS = (
    "When the best class has a probability below {confidence:.2f}; when more than a twentieth of the length hangs on "
    "nothing; when it is far smaller or flatter than any neuron of its class; when a class that is told by its axon "
    "has none; when its shape is farther than {far:.1f} standard deviations from every class (one training neuron in "
    "25 is); when it is stated to be of a species not named here; when it cannot be judged at all (a cycle of parents,"
    " nothing but a soma). Reasons are given in words."
)

NEURON_FAILURES = (
    "On collections it has never seen it is right far less often than by cell: try it on known cells of yours first.",
    "Basket cells are labelled in part of the data only: among cells it calls basket against their label, some are.",
)


def describe_set(neurons: NeuronSet) -> str:
    """The data paragraph of a card."""
    counts = np.bincount(neurons.truth, minlength=len(neurons.classes))
    return NEURON_DATA.format(
        files=f"{len(neurons):,}",
        cells=f"{len(np.unique(neurons.cells)):,}",
        counts=", ".join(f"{name} {n}" for name, n in zip(neurons.classes, counts, strict=True) if n),
        sources=len(np.unique(neurons.sources)),
    )


def pack_neuron_model(
    out: Path,
    info: ModelInfo,
    weights: Arrays,
    *,
    calibration: Calibration,
    doubts: NeuronDoubts,
    form: NeuronForm,
    card: str,
) -> ModelInfo:
    """Write ``out/<name>`` with what every model of neurons needs, and a self-test on simulated neurons."""
    settings = {**info.settings, "form": form.to_settings(), "abstain": doubts.limits()}
    info = replace(info, input="neuron", settings=settings)
    arrays = weights | calibration.to_arrays() | doubts.to_arrays()
    folder = out / info.name
    inputs = pack_neurons([standardise(neuron, form) for neuron in invented_neurons()])
    write_bundle(folder, info, arrays, check_arrays(inputs, {}), card)
    outputs = load_model(folder, device="cpu").replay(inputs)
    return write_bundle(folder, info, arrays, check_arrays(inputs, outputs), card)


def invented_neurons() -> list[Neuron]:
    """A few simulated neurons for the self-test: no real cell goes into the package."""
    return [simulate(kind, 0, spacing_um=25.0) for kind in ("basket", "pyramidal", "granule")]


def answered(doubts: NeuronDoubts, task: Task, wide: FloatArray, shares: FloatArray) -> dict[str, float]:
    """Share of neurons the model abstains on, and accuracy among the others, by models not trained on them."""
    reasons = doubts.reasons(list(task.neurons.neurons()), wide, shares, task.classes)
    silent = np.array([bool(texts) for texts in reasons])
    right = shares.argmax(axis=1) == task.truth
    return {
        "abstained": float(silent.mean()),
        "answered_accuracy": float(right[~silent].mean()) if (~silent).any() else float("nan"),
        "abstained_accuracy": float(right[silent].mean()) if silent.any() else float("nan"),
    }


ODD: dict[str, dict[str, float]] = {
    "motoneuron": {},
    "fly": {},
    "Purkinje": {"scale": 6.0},
    "granule": {"scale": 0.05},
    "basket": {"flat": 0.001},
}
"""Simulated neurons no model here should answer on: other kinds, and kinds out of all proportion."""


@cache
def odd_neurons(count: int = 20) -> dict[str, list[Neuron]]:
    """Neurons of other kinds, or of known kinds with odd parameters."""
    found = {}
    for kind, how in ODD.items():
        stretch = np.full(3, how.get("scale", 1.0)) * [1.0, 1.0, how.get("flat", 1.0)]
        name = " ".join([kind, *how])
        found[name] = [
            neuron.replace(xyz_um=neuron.xyz_um * stretch)
            for neuron in (simulate(kind, seed, spacing_um=5.0) for seed in range(count))
        ]
    return found


def odd_abstained(model: NeuronModel, count: int = 20) -> dict[str, Any]:
    """Share of odd neurons a model abstains on, kind by kind."""
    return {name: float(model.predict(neurons).abstained.mean()) for name, neurons in odd_neurons(count).items()}


def wide_matrix(neurons: NeuronSet) -> FloatArray:
    """Wide features of a standardised set."""
    return wide_features(neurons.neurons()).to_numpy(float)
