"""The benchmark page's sections on models of reconstructions, from the reports the recipes leave in ``reports/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.training.cards import figures_table, per_class_table

Reports = dict[str, dict[str, Any]]

SHARED = (
    "svc-morphology",
    "tree-lstm",
    "resnet18",
    "resnet18-tree-lstm",
    "reconstruction-paper",
    "tree-rnn-paper",
    "virtual-neurons",
)
"""Recipes that share a folder, in the order in which they need one another."""

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"

_PRINTED = {
    "svc-morphology": "81.64 (12 classes, 20 features), 84.78 (2)",
    "tree-lstm": "90.33 (12), 90.24 (2)",
    "ResNet18": "83.24-87.87",
    "LSTM": "89.00",
    "U-Net": "86.39",
    "last layer, 0.001": "89.36",
    "last layer, 0.0001": "91.90",
    "last layer, 1e-05": "91.13",
    "hidden layer, 0.001": "88.52",
    "hidden layer, 0.0001": "90.77",
    "hidden layer, 1e-05": "90.69",
}
"""Accuracies in per cent that Zhang et al. print, most for twelve classes of rat neurons, some for two."""


def reconstruction_section(reports: Reports, pictures: Path = PICTURES) -> str:
    """By cell, on collections never seen, and within collections; class by class; the paper beside it."""
    joined = reports["resnet18-tree-lstm"]
    parts = []
    for task, title in (("8 classes", "Eight types by shape"), ("2 classes", "Principal cell or interneuron")):
        figures = joined[task]
        own = figures["shipped"]
        names = [name for name in figures if name != "shipped"]
        by_cell = {"**shipped**": own["by_cell"]} | {name: figures[name]["by_cell"] for name in names}
        unseen = {"**shipped**": own["unseen_source"]} | {
            name: figures[name]["unseen_source"] for name in names if "unseen_source" in figures[name]
        }
        stem = f"confusion-reconstructions-{len(own['by_cell']['per_class'])}"
        draw_confusion(own["by_cell"], pictures / f"{stem}.png")
        parts.append(
            f"\n## {title}\n\nBy cell:\n\n{figures_table(by_cell)}\n\nOn collections never seen (classes that others "
            f"have too):\n\n{figures_table(unseen)}\n\n{sources_table(own)}\n\nClass by class, by cell:\n\n"
            f"{per_class_table(own['by_cell'])}\n\n"
            f"```{{image}} pictures/{stem}.png\n:alt: confusion of classes, counts and logarithms of counts\n```\n"
        )
    return _BEFORE + "".join(parts)


_BEFORE = """
# Reconstructions

Neurons are split **by cell** (five folds; files of one cell, and copies of a file, stay together), and **by source**:
each collection is kept out whole. Class and collection go together in these data: the second table says more about your
own cells than the first. How models are made and what they see: [reconstruction models](reconstruction-models.md).
"""


def sources_table(figures: dict[str, Any]) -> str:
    """Collection by collection: never seen, and with other cells of it seen."""
    rows = ["| collection | files | never seen: accuracy, balanced | other cells of it seen |", "|---|---|---|---|"]
    for source, unseen in figures["each_unseen_source"].items():
        seen = figures["within_source"].get(source)
        other = f"{seen['accuracy']:.3f}, {seen['balanced_accuracy']:.3f}" if seen else "one class only"
        pair = f"{unseen['accuracy']:.3f}, {unseen['balanced_accuracy']:.3f}"
        rows.append(f"| {source} | {unseen['files']} | {pair} | {other} |")
    return "\n".join(rows)


def published_section(reports: Reports) -> str:
    """What Zhang et al. print beside what comes out here."""
    joined, paper = reports["resnet18-tree-lstm"]["8 classes"], reports["reconstruction-paper"]
    ours = {name: scores["by_cell"]["mean"] for name, scores in joined.items() if name != "shipped"}
    ours |= {
        f"{name} (published settings, one split)": scores["mean"]
        for name, scores in paper.items()
        if isinstance(scores, dict) and "mean" in scores
    }
    rows = ["| | printed: accuracy in % | here: accuracy | balanced | AUC |", "|---|---|---|---|---|"]
    for name, mean in ours.items():
        printed = next((text for start, text in _PRINTED.items() if name.lower().startswith(start.lower())), "")
        rows.append(
            f"| {name} | {printed} | {mean['accuracy']:.3f} | {mean['balanced_accuracy']:.3f} | {mean['auc']:.3f} |"
        )
    shipped = joined["shipped"]["by_cell"]["mean"]
    figures = " | ".join(f"{shipped[name]:.3f}" for name in ("accuracy", "balanced_accuracy", "auc"))
    rows.append(f"| **shipped** | 91.90 | {figures} |")
    return _PUBLISHED + "\n".join(rows) + "\n" + _virtual(reports["virtual-neurons"])


def _virtual(report: dict[str, Any]) -> str:
    """Simulated basket against pyramidal cells."""
    figures = {name: scores for name, scores in report.items() if isinstance(scores, dict)}
    return (
        f"\nSimulated basket against simulated pyramidal cells, {report['each']} of each, {report['test']} judged "
        f"(printed: 100 % for every model):\n\n{figures_table(figures)}\n"
    )


_PUBLISHED = """
## Beside the published figures

Not like for like: theirs are rat neurons of twelve classes, split by file, the best epoch on the test set; ours are
eight classes of three species, split by cell, nothing chosen on test cells. Runs with the published settings are short
and start from no ImageNet weights, which cannot be had here: they say how far these settings get in a few epochs.

"""


def draw_confusion(scores: dict[str, Any], path: Path) -> None:
    """Counts, and their logarithms as in the paper, side by side."""
    import matplotlib.pyplot as plt

    counts: NDArray[np.float64] = np.array(scores["confusion"])
    names = list(scores["per_class"])
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    for axis, values, title in (
        (axes[0], counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), "share of the true class, counts written"),
        (axes[1], np.log10(counts + 1), "log10(count + 1)"),
    ):
        image = axis.imshow(values, cmap="Blues", vmin=0)
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set(xlabel="said", ylabel="true", title=title)
        figure.colorbar(image, ax=axis, shrink=0.8)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            colour = "white" if share[row, column] > 0.5 else "black"
            axes[0].text(column, row, f"{counts[row, column]:g}", ha="center", va="center", color=colour, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
