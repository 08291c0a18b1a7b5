"""The maps of reference reconstructions: t-SNE of the joined embedding and of the measured features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import Arrays, ModelInfo, write_bundle
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.neuron_image import draw_tree
from napari_celltype.models.neuron_map import pack_silhouettes, squeezed

from .job import Job
from .neurons import NeuronSet

__all__ = ["Space", "lay_out", "pack_map", "silhouettes_of", "space_of"]

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
    drawn = [
        draw_tree(neuron.xyz_um, neuron.parents, SILHOUETTE_PX)[0]
        for neuron in (neurons.neuron(index) for index in range(len(neurons)))
    ]
    return pack_silhouettes(np.stack(drawn))


def measures_of(neurons: NeuronSet, job: Job) -> FloatArray:
    """The measured features of all neurons, squeezed."""
    from napari_celltype.morphology.morphometrics import measure

    def compute() -> dict[str, NDArray[Any]]:
        rows = job.track(range(len(neurons)), "measures")
        return {"measures": np.array([measure(neurons.neuron(row)).to_numpy(dtype=float) for row in rows])}

    return squeezed(job.stage("measures", [len(neurons)], compute)["measures"])


def pack_map(
    job: Job,
    name: str,
    neurons: NeuronSet,
    raw: FloatArray,
    *,
    space: str,
    summary: str,
    card: str,
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
        licence="Positions and pictures of 32 by 32 pixels of public reconstructions; cite NeuroMorpho.Org and sources.",
        settings={
            "space": space,
            "perplexity": PERPLEXITY,
            "seed": job.seed,
            "source": sources.tolist(),
            "species": species.tolist(),
            "parts": parts or [],
        },
    )
    folder = job.out / name
    # between pairs of cells: no reference cell itself, so that the test says something of placing
    inputs: Arrays = {"vectors": ((reference[:16] + reference[1:17]) / 2).astype(np.float32)}
    write_bundle(folder, info, weights, check_arrays(inputs, {}), card)
    outputs = load_model(folder, device="cpu").replay(inputs)
    return write_bundle(folder, info, weights, check_arrays(inputs, outputs), card)
