"""The maps of reference reconstructions: t-SNE of the joined embedding and of the measured features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_image import NOTHING, draw_as_it_lies
from napari_celltype.models.neuron_map import pack_silhouettes, squeezed

from .job import Job
from .neuron_packing import NEURON_CITATION, describe_set
from .neurons import NeuronSet, read_neurons

__all__ = ["Space", "lay_out", "pack_map", "run", "silhouettes_of", "space_of"]

FloatArray = NDArray[np.float64]

PERPLEXITY = 30
SILHOUETTE_PX = 32


class Space:
    """Raw numbers brought to one scale and turned to their principal axes."""

    def __init__(self, centre: FloatArray, spread: FloatArray, axes: FloatArray) -> None:
        self.centre, self.spread, self.axes = centre, spread, axes

    def condense(self, raw: FloatArray) -> FloatArray:
        """Coordinates of cells; gaps lie in the middle."""
        condensed: FloatArray = np.clip(np.nan_to_num((raw - self.centre) / self.spread), -6.0, 6.0) @ self.axes
        return condensed

    def to_arrays(self) -> Arrays:
        """For storing with a map."""
        return {
            "space.centre": self.centre.astype(np.float32),
            "space.spread": self.spread.astype(np.float32),
            "space.axes": self.axes.astype(np.float32),
        }


def space_of(raw: FloatArray, dimensions: int) -> Space:
    """The principal axes of cells."""
    centre = np.nanmedian(raw, axis=0)
    spread = np.maximum(np.nanstd(raw, axis=0), 1e-6)
    scaled = np.clip(np.nan_to_num((raw - centre) / spread), -6.0, 6.0)
    _, _, axes = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    axes = axes[:dimensions]
    # the sign of an axis is chance: the largest entry is made positive, so that equal data give equal maps
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    return Space(centre, spread, axes.T)


def lay_out(vectors: FloatArray, seed: int, steps: int = 750) -> FloatArray:
    """Places of cells by t-SNE; equal cells and seed give equal places."""
    from openTSNE import TSNE

    made = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) // 3),
        n_iter=steps,
        initialization="pca",
        random_state=seed,
        n_jobs=1,
        negative_gradient_method="bh",
    )
    return np.asarray(made.fit(vectors), dtype=float)


def silhouettes_of(neurons: NeuronSet) -> NDArray[np.uint8]:
    """A small picture of each neuron seen along z, packed."""
    drawn = []
    for index in range(len(neurons)):
        neuron = neurons.neuron(index)
        # cable is cable here: a picture to know a cell by need not tell its axon apart
        plain = neuron.replace(types=np.where(neuron.types == 2, 0, neuron.types))
        drawn.append((np.maximum(draw_as_it_lies(plain, SILHOUETTE_PX)[0], NOTHING) - NOTHING) * 2)
    return pack_silhouettes(np.stack(drawn))


def run(job: Job) -> dict[str, Any]:
    """Lay out the joined embedding and the measured features of all reference neurons, and write both maps."""
    from .combined_pack import part_of, shipped_embeddings
    from .feature_study import variant_features
    from .resnet import read_set

    neurons = read_set(job)
    joined = shipped_embeddings(job, neurons)[0][0]
    raw = read_neurons(job.data, job.out / "cache")
    place = {name: row for row, name in enumerate(raw.files.tolist())}
    measured = raw.take(np.array([place[name] for name in neurons.files.tolist()]))
    part = part_of(job, "resnet18-tree-lstm")
    pack_map(
        job,
        "reconstruction-map",
        neurons,
        joined,
        space="embedding",
        summary="Reference reconstructions laid out by what the joined networks make of them (640 numbers).",
        card=lambda agree: _card("reconstruction-map", neurons, _BY_EMBEDDING, _ANY_NEURON, agree),
        parts=[part.to_settings()],
    )
    pack_map(
        job,
        "shape-map",
        neurons,
        squeezed(variant_features(job, measured, "raw")),
        space="measures",
        summary="Reference reconstructions laid out by twenty measures of their shape.",
        card=lambda agree: _card("shape-map", neurons, _BY_MEASURES, _ANY_NEURON, agree),
        dimensions=20,
    )
    return {name: _figures(job, name, neurons) for name in ("reconstruction-map", "shape-map")}


def _figures(job: Job, name: str, neurons: NeuronSet) -> dict[str, Any]:
    """How far neighbours agree on the map and in the space it was made from."""
    model: Any = load_model(job.out / name, device="cpu")
    return {
        "cells": len(neurons),
        "dimensions": int(model.reference.shape[1]),
        "neighbours_agree_on_map": _agreement(model.layout, neurons.truth),
        "neighbours_agree_in_space": _agreement(model.reference, neurons.truth),
    }


def _agreement(at: FloatArray, truth: NDArray[np.intp], count: int = 10) -> float:
    from scipy.spatial import cKDTree

    near = np.asarray(cKDTree(at).query(at, k=min(count, len(at) - 1) + 1)[1])
    return float((truth[near[:, 1:]] == truth[:, None]).mean())


_BY_EMBEDDING = (
    "The networks were taught with these very cells, so they lie among their own kind more neatly than new ones will: "
    "the map is for looking, and what a cell is, ask `resnet18-tree-lstm`."
)
_ANY_NEURON = "A reconstruction: an SWC file, in micrometres, that is one tree or nearly so."
_BY_MEASURES = (
    "Nothing was taught here: cells lie together if twenty measures of their shape agree. Measures depend on how "
    "completely a cell was traced, so collections show as islands."
)


def _card(name: str, neurons: NeuronSet, about: str, needs: str, agree: float) -> str:
    sections = {
        "Data and terms": f"{describe_set(neurons)} Kept of each cell are its place, class, collection and species "
        "as stated, and a picture of 32 by 32 pixels in 16 shades.",
        "How it is made": "Numbers are brought to one spread, turned to their principal axes and laid out by t-SNE "
        f"(perplexity {PERPLEXITY}, start from the principal axes, fixed seed). New cells are placed among their "
        "neighbours and moved down t-SNE's own gradient; reference cells stay where they are.",
        "How it was split and tested": "Not at all: it shows all cells. It has no accuracy to state; it abstains.",
        "Figures": f"Of the ten nearest neighbours of a cell on the map, {100 * agree:.0f} % are of its class.",
        "Known failures": f"- {about}\n- Distances between far islands and sizes of islands mean nothing, as in any "
        "t-SNE.\n- Cells of classes that are not on the map are placed all the same: see how far their nearest "
        "neighbours are.",
        "What it needs": needs,
        "When it abstains": "Always: it places, it does not decide.",
        "Made by": "`napari-celltype train reconstruction-maps --data DIR --out OUT`",
        "Licence": LICENCE,
        "Citation": NEURON_CITATION,
    }
    return f"# {name} 1.0.0\n\n{about}\n" + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


LICENCE = "Positions and small pictures of public reconstructions; cite NeuroMorpho.Org and the collections."


def pack_map(
    job: Job,
    name: str,
    neurons: NeuronSet,
    raw: FloatArray,
    *,
    space: str,
    summary: str,
    card: Callable[[float], str],
    parts: list[dict[str, str]] | None = None,
    dimensions: int = 50,
) -> ModelInfo:
    """Lay cells out and write the map to ``out/<name>``."""
    found = space_of(raw, dimensions)
    reference = found.condense(raw).astype(np.float16).astype(float)
    layout = job.stage(
        f"layout-{name}",
        [dimensions, len(neurons), float(np.abs(reference).sum())],
        lambda: {"layout": lay_out(reference, job.seed, 50 if job.quick else 750)},
    )["layout"]
    sources, source = np.unique(neurons.sources, return_inverse=True)
    species, kind = np.unique(neurons.species, return_inverse=True)
    weights: Arrays = found.to_arrays() | {
        "map.reference": reference.astype(np.float16),
        "map.layout": layout.astype(np.float32),
        "map.truth": neurons.truth.astype(np.uint8),
        "map.source": source.astype(np.uint8),
        "map.species": kind.astype(np.uint8),
        "map.silhouettes": silhouettes_of(neurons),
    }
    info = ModelInfo(
        name=name,
        version="1.0.0",
        task="a map of reference reconstructions",
        input="neuron",
        kind="neuron-map",
        classes=neurons.classes,
        summary=summary,
        species=(),
        licence=LICENCE,
        citation=NEURON_CITATION,
        settings={
            "space": space,
            "perplexity": PERPLEXITY,
            "seed": job.seed,
            "source": sources.tolist(),
            "species": species.tolist(),
            "parts": parts or [],
        },
    )
    folder, told = job.out / name, card(_agreement(layout, neurons.truth))
    # between pairs of cells: no reference cell itself, so that the test says something of placing
    inputs: Arrays = {"vectors": ((reference[:16] + reference[1:17]) / 2).astype(np.float32)}
    write_bundle(folder, info, weights, check_arrays(inputs, {}), told)
    outputs = load_model(folder, device="cpu").replay(inputs)
    return write_bundle(folder, info, weights, check_arrays(inputs, outputs), told)
