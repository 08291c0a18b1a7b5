"""The recipe of ``waveform-map``: the embedding of the bundled waveform model, laid out by t-SNE.

Nothing is trained here but the layout: it takes seconds, and has to be done again whenever the waveform model changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import WEIGHTS, Arrays, ModelInfo, write_bundle
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.map import class_shares, place

from .job import Job
from .packing import LICENCE
from .spikes import FIVE_CLASSES, SpikeSet, read_spikes
from .tables import read_mouse
from .waveform_packing import CITATION

__all__ = ["run"]

FloatArray = NDArray[np.float64]

EMBEDDER = "triple-cnn-5class"
CLASSES = (*FIVE_CLASSES, "Inh")
"""The five types; inhibitory cells of no type among them are plainly inhibitory."""
PERPLEXITY = 30
_SPECIES = ("mouse", "human")


def run(job: Job) -> dict[str, Any]:
    """Embed all labelled spikes, lay them out, and write the map."""
    embedder: Any = load_model(EMBEDDER, device="cpu")
    spikes = _labelled(read_spikes(job.data, embedder.form))
    vectors = embedder.replay({"windows": spikes.windows})["embedding"]

    def compute() -> dict[str, NDArray[Any]]:
        return {"layout": _lay_out(vectors, job.seed, 50 if job.quick else 750)}

    digest = embedder.info.files[WEIGHTS]
    layout = job.stage("layout", [digest, len(spikes)], compute)["layout"]
    truth = _truth(spikes)
    report = {"map": _figures(spikes, vectors, layout, truth)}
    _pack(job, embedder.info, spikes, vectors, layout, truth, report["map"])
    return report


def _labelled(spikes: SpikeSet) -> SpikeSet:
    return spikes.take((spikes.subclass >= 0) | (spikes.broad >= 0))


def _truth(spikes: SpikeSet) -> NDArray[np.intp]:
    broad = np.where(spikes.broad == 0, CLASSES.index("Exc"), CLASSES.index("Inh"))
    return np.where(spikes.subclass >= 0, spikes.subclass, broad).astype(np.intp)


def _lay_out(vectors: FloatArray, seed: int, steps: int) -> FloatArray:
    from openTSNE import TSNE

    made = TSNE(
        perplexity=PERPLEXITY,
        n_iter=steps,
        initialization="pca",
        random_state=seed,
        n_jobs=1,
        negative_gradient_method="bh",
    )
    return np.asarray(made.fit(vectors), dtype=float)


def _figures(spikes: SpikeSet, vectors: FloatArray, layout: FloatArray, truth: NDArray[np.intp]) -> dict[str, Any]:
    from sklearn.manifold import trustworthiness

    again = place(vectors, vectors, layout)
    return {
        "cells": len(spikes),
        "donors": len(set(spikes.donors.tolist())),
        "trustworthiness": float(trustworthiness(vectors, layout, n_neighbors=15)),
        "replaced_shift": float(np.median(np.linalg.norm(again - layout, axis=1)) / layout.std()),
    }


def _facts(job: Job, spikes: SpikeSet) -> tuple[Arrays, dict[str, Any]]:
    """Layer, rate, species and the row of each cell's gates, as codes with their names."""
    index = pd.read_csv(job.data / "ephys" / "spikes_index.csv").drop_duplicates("specimen_id").set_index("specimen_id")
    layers = index["layer"].reindex(spikes.specimens).fillna("").astype(str)
    names, codes = np.unique(layers, return_inverse=True)
    rows = {int(specimen): row for row, specimen in enumerate(read_mouse(job.data).specimens)}
    arrays: Arrays = {
        "map.layer": codes.astype(np.int64),
        "map.rate_khz": spikes.rates_khz.astype(np.float32),
        "map.species": spikes.species.astype(np.int64),
        "map.gate_rows": np.array([rows.get(int(specimen), -1) for specimen in spikes.specimens], dtype=np.int64),
    }
    return arrays, {"layers": [str(name) for name in names], "species": list(_SPECIES)}


def _pack(
    job: Job,
    made_with: ModelInfo,
    spikes: SpikeSet,
    vectors: FloatArray,
    layout: FloatArray,
    truth: NDArray[np.intp],
    figures: dict[str, Any],
) -> None:
    facts, names = _facts(job, spikes)
    if not (facts["map.gate_rows"] >= 0).any():
        raise ModelError("no cell of the spikes is among those of the features", path=job.data / "ephys")
    info = ModelInfo(
        name="waveform-map",
        version="1.0.0",
        task="place on a map of cortical cells by an action potential",
        input="waveform",
        kind="waveform-map",
        classes=CLASSES,
        summary=f"A fixed map of cortical cells by one action potential, as {made_with.name} sees it.",
        species=_SPECIES,
        licence=LICENCE,
        citation=CITATION,
        settings={
            "embedder": made_with.name,
            "embedder_version": made_with.version,
            "embedder_sha256": made_with.files[WEIGHTS],
            "perplexity": PERPLEXITY,
            "seed": job.seed,
            **names,
        },
    )
    reference = vectors.astype(np.float32)
    stored = layout.astype(np.float32)
    weights: Arrays = {"map.reference": reference, "map.layout": stored, "map.truth": truth.astype(np.int64), **facts}
    kept, laid = reference.astype(float), stored.astype(float)
    sample = kept[:: max(1, len(kept) // 20)] + 0.05
    shares = class_shares(sample, kept, truth, len(CLASSES))
    check = check_arrays({"vectors": sample}, {"probabilities": shares, "embedding": place(sample, kept, laid)})
    write_bundle(job.out / info.name, info, weights, check, _card(info, figures))


_CARD = """# {name} {version}

{summary}

Classes: {classes}. Species: mouse, human.

## Data and terms

{cells} cells of {donors} donors (mouse and human) from the Allen Cell Types Database, one action potential evoked by a
short square each, as published with Ophir et al. 2023. The map holds, for each cell, its place, its embedding (16
numbers), its class, species, cortical layer and sampling rate. No trace is in it.

## How it is made

The hidden layers of the networks of `{embedder}` {embedder_version}, on their leading principal axes, laid out by t-SNE
(perplexity {perplexity}, seed {seed}). The map belongs to those weights and refuses others of the same name.

## How it was split and tested

Not at all: it shows all cells, and the networks were trained on all of them. It has no accuracy to state; it abstains.

## Figures

Trustworthiness of the layout {trustworthiness:.3f} (15 neighbours). A cell of the map that is placed anew lands
{replaced_shift:.3f} standard deviations of the map from where it lies (median).

## Known failures

- The networks were trained on the cells shown: islands are purer than they would be for new cells. How often
  `{embedder}` is right on new donors its own card says; purity on the map says nothing about it.
- Distances between far islands and sizes of islands mean nothing, as in any t-SNE.
- Inhibitory cells of none of the five types, human ones among them, are shown as Inh; excitatory ones as Exc.

## What it needs

What `{embedder}` needs: an action potential in current clamp.

## When it abstains

Always: it places, it does not decide.

## Made by

`napari-celltype train waveform-map --data DIR --out OUT`

## Licence

{licence}

## Citation

{citation}
"""


def _card(info: ModelInfo, figures: dict[str, Any]) -> str:
    told = {name: info.settings[name] for name in ("embedder", "embedder_version", "perplexity", "seed")}
    about = {"name": info.name, "version": info.version, "summary": info.summary, "classes": ", ".join(info.classes)}
    return _CARD.format(**about, **told, **figures, licence=info.licence, citation=info.citation)
