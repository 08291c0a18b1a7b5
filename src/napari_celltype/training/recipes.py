"""The recipes by name: what each trains, and the function that does it.

A recipe is ``run(job) -> dict``: it writes model folders and ``report.json`` under ``job.out`` and returns the
report. To add one, write the function and add its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari_celltype.errors import ModelError

from .job import Job

__all__ = ["RECIPES", "Recipe", "run_recipe"]


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Parameters
    ----------
    name, about
        What the command line calls it, and a line for its help.
    function
        ``module:function`` below :mod:`napari_celltype.training`.
    trains
        Names of the models it writes, each to ``out/<name>``; none for recipes that only measure.
    """

    name: str
    about: str
    function: str
    trains: tuple[str, ...] = ()

    def run(self, job: Job) -> dict[str, Any]:
        """Do it."""
        module, name = self.function.split(":")
        found: Callable[[Job], dict[str, Any]] = getattr(import_module(module, __package__), name)
        return found(job)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("baselines", "SVC, forest, boosting, regression, MLP on the 41 features", ".baselines:run"),
        Recipe("svc-allen41", "support-vector machine on the 41 features", ".svc:run", ("svc-allen41",)),
        Recipe(
            "svc-morphology",
            "plain classifiers on measured features of reconstructions, and what they rely on",
            ".svc_morphology:run",
            ("svc-morphology", "svc-morphology-2class"),
        ),
        Recipe("lspin", "the LSPIN we ship: accepts gaps, calibrated", ".lspin:run", ("lspin",)),
        Recipe("lspin-paper", "LSPIN with the paper's settings", ".lspin_paper:run", ("lspin-paper",)),
        Recipe("dann", "mouse to human, excitatory or inhibitory", ".dann:run", ("dann", "lr-broad")),
        Recipe(
            "ephys-map",
            "sparse components, t-SNE and clusters: the map cells are placed on",
            ".map:run",
            ("ephys-map",),
        ),
        Recipe(
            "waveform-map",
            "t-SNE of the bundled waveform model's embedding: a map by the action potential",
            ".waveform_map:run",
            ("waveform-map",),
        ),
        Recipe(
            "joint-5class",
            "features and action potential together: a density and a kernel machine",
            ".joint:run",
            ("joint-5class",),
        ),
        Recipe(
            "triple-cnn",
            "CNNs and a kernel machine on the waveform, two and five classes",
            ".waveform:run",
            ("triple-cnn-2class", "triple-cnn-5class"),
        ),
        Recipe(
            "triple-cnn-50ms",
            "the same on 50 ms around the stimulus onset, from a folder of Allen NWB files and cells.csv",
            ".waveform:run_onset",
            ("triple-cnn-2class-50ms", "triple-cnn-5class-50ms"),
        ),
        Recipe(
            "triple-cnn-50ms-200khz",
            "the same at 200 kHz, 10,000 samples",
            ".waveform:run_onset_fast",
            ("triple-cnn-2class-50ms-200khz", "triple-cnn-5class-50ms-200khz"),
        ),
        Recipe(
            "waveform-baselines",
            "plain classifiers on the waveform",
            ".waveform_baselines:run",
        ),
        Recipe(
            "tree-lstm",
            "Tree-LSTM on the branches of reconstructions, eight and two classes",
            ".tree_lstm:run",
            ("tree-lstm", "tree-lstm-2class"),
        ),
        Recipe(
            "resnet18",
            "residual network on three projections of reconstructions, eight and two classes",
            ".resnet_pack:run",
            ("resnet18", "resnet18-2class"),
        ),
        Recipe(
            "resnet18-tree-lstm",
            "image network, tree network and measured features joined; needs the models it is made of",
            ".combined:run",
            ("resnet18-tree-lstm", "resnet18-tree-lstm-2class"),
        ),
        Recipe(
            "reconstruction-maps",
            "t-SNE of the joined embedding and of the measured features of reconstructions",
            ".neuron_map:run",
            ("reconstruction-map", "shape-map"),
        ),
        Recipe(
            "reconstruction-paper",
            "the published networks on images and on lists of nodes, one split",
            ".reconstruction_paper:run",
        ),
        Recipe("virtual-neurons", "simulated basket against simulated pyramidal cells", ".virtual:run"),
        Recipe("tree-rnn-paper", "the published Tree-RNN on raw SWC lines, one split", ".tree_rnn_paper:run"),
        Recipe("triple-cnn-paper", "the papers' experiments with the triple-input CNN", ".waveform_paper:run"),
    )
}


def run_recipe(name: str, job: Job) -> dict[str, Any]:
    """Run a recipe and write what it reports to ``report.json``.

    Raises
    ------
    ModelError
        If there is no such recipe, or its data are not there.
    """
    if name not in RECIPES:
        raise ModelError(f"there is no recipe named {name!r}", hint=f"Recipes: {', '.join(RECIPES)}.")
    job.out.mkdir(parents=True, exist_ok=True)
    report = RECIPES[name].run(job)
    text = json.dumps({"recipe": name, "seed": job.seed, "quick": job.quick, **report}, indent=1)
    (job.out / "report.json").write_text(text + "\n", encoding="utf-8")
    # recipes that build on one another share a folder, and each keeps its report
    reports = job.out / "reports"
    reports.mkdir(exist_ok=True)
    (reports / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return report
