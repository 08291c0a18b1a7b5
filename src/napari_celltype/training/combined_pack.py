"""Making the bundled models ``resnet18-tree-lstm`` and ``-2class`` and the maps, from the bundles they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.bundle import ModelInfo, read_info
from napari_celltype.models.catalogue import find_model, load_model
from napari_celltype.models.neuron_model import NeuronModel
from napari_celltype.models.parts import Part

from .combined_fit import fit_head
from .job import Job
from .neuron_packing import NEURON_CITATION, NEURON_LICENCE, NEURON_SPECIES, odd_abstained, pack_neuron_model
from .neuron_questions import Question
from .neuron_tables import fit_scaling
from .neurons import NeuronSet
from .resnet import FORM
from .resnet import fold_answers as image_answers
from .resnet_pack import card_of, doubts_of, hand_of
from .svc_morphology import wide_of
from .tree_lstm import fold_answers as tree_answers

if TYPE_CHECKING:
    from .combined import Mixture

__all__ = ["pack", "part_of", "shipped_embeddings"]

FloatArray = NDArray[np.float64]

NETWORKS = ("resnet18", "tree-lstm")


def pack(job: Job, neurons: NeuronSet, question: Question, mixture: Mixture, figures: dict[str, Any]) -> dict[str, Any]:
    """Teach the joining network on what the shipped networks make of all neurons, and write the model."""
    from .combined import heads_of

    copies, parts = shipped_embeddings(job, neurons)
    teaching = heads_of(job)[mixture.head]
    if teaching.features:
        wide = wide_of(job, neurons)[question.task(neurons)[1]]
        scaled = fit_scaling(wide)(wide_of(job, neurons))
        copies, parts = [np.concatenate([copy, scaled], axis=1) for copy in copies], [*parts, scaled.shape[1]]
    head = fit_head(copies, parts, neurons.truth, neurons.broad, len(neurons.classes), teaching, job.seed)
    shipped = figures["shipped"]
    info = _info(job, neurons, question, mixture, head.shape.to_settings(), teaching.features)
    doubts = doubts_of(job, neurons, question)
    others = {name: scores for name, scores in figures.items() if name in mixture.experts}
    card = card_of(
        job, info, neurons, question, shipped, shipped.pop("shares"), doubts, others=others, extra=_made_of(mixture)
    )
    weights = {f"network.{name}": tensor.detach().numpy() for name, tensor in head.state_dict().items()}
    weights |= hand_of(job, neurons, question)
    pack_neuron_model(job.out, info, weights, calibration=mixture.calibration, doubts=doubts, form=FORM, card=card)
    model = load_model(job.out / info.name, device="cpu")
    assert isinstance(model, NeuronModel)
    return {"odd_abstained": odd_abstained(model, 2 if job.quick else 10), "answered": shipped["answered"]}


def _info(
    job: Job, neurons: NeuronSet, question: Question, mixture: Mixture, network: dict[str, Any], features: bool
) -> ModelInfo:
    # experts answer the same question; embeddings are those of the first question's bundles, which hold the networks
    experts = [f"{name}{question.suffix}" for name in mixture.experts]
    return ModelInfo(
        name=f"resnet18-tree-lstm{question.suffix}",
        version="1.0.0",
        task=question.about,
        input="neuron",
        kind="resnet-tree",
        classes=question.classes(neurons),
        default=question.number == 0,
        summary=(
            "A residual network on three projections and a Tree-LSTM on the pieces of a neuron, joined by a network on "
            "their embeddings and weighed with what each says alone"
            + (" and with a support-vector machine on measures of shape." if len(experts) > len(NETWORKS) else ".")
        ),
        species=NEURON_SPECIES,
        licence=NEURON_LICENCE,
        citation=NEURON_CITATION,
        settings={
            "network": network,
            "question": question.number,
            "experts": experts,
            "embeddings": experts[: len(NETWORKS)],
            "read": experts[len(NETWORKS) :] if features else [],
            "parts": [part_of(job, name).to_settings() for name in experts],
        },
    )


def part_of(job: Job, name: str) -> Part:
    """A model as a part: from this run's folder, else the bundled one."""
    own = job.out / name
    return Part.of(read_info(own if (own / "model.toml").is_file() else find_model(name)))


def _made_of(mixture: Mixture) -> dict[str, str]:
    weighed = "; ".join(f"{name} {weight:.2f}" for name, weight in mixture.weights().items())
    return {
        "What it is made of": (
            "The networks' embeddings (512 and 128 numbers) are joined by three layers; log-probabilities are then "
            f"added up with these weights, fitted on neurons none of the parts was taught with: {weighed}. The parts "
            "are the bundled models of these names, and no others will do."
        )
    }


def shipped_embeddings(job: Job, neurons: NeuronSet) -> tuple[list[FloatArray], list[int]]:
    """What the networks taught with all neurons make of them, and of copies that were not among their lessons.

    Joined, (n, 640) each, and how many numbers are whose. As in the folds, the image network looked from one side.
    """
    from .combined import embeddings

    said = {"resnet18": image_answers(job, neurons, "all", job.seed, 0)}
    said["tree-lstm"] = tree_answers(job, neurons, "all", job.seed, 0)
    return embeddings(said)
