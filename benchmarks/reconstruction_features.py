"""Write ``docs/reconstruction-features.md`` and its pictures from the report of the recipe ``svc-morphology``.

``python benchmarks/reconstruction_features.py OUT/report.json``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_celltype.training.cards import figures_table
from napari_celltype.training.shortcuts import GROUPS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reconstruction-features.md"
PICTURES = ROOT / "docs" / "pictures"

SHOWN = ("AverageDiameter", "OverallWidth", "NumberBranches", "TotalSurface", "MaxBranchOrder", "TotalLength")
"""The features whose distributions are drawn: those Zhang et al. call helpful or harmful, and length."""

HEAD = """# What measured features tell of a neuron

Before any network: how far do plain numbers go, what do they rest on, and what would a model learn that a laboratory
decides and not the neuron? `napari-celltype train svc-morphology --data DIR --out OUT` answers it and makes the bundled
models `svc-morphology` and `svc-morphology-2class`; this page is written from its report.

## What is taken off before a model sees a neuron

Every model of reconstructions sees a file only after the same preparation
(`napari_celltype.models.neuron_form.standardise`):

- one tree, its soma drawn together to one point at the origin; loose pieces within 50 um are joined, farther ones
  left off with a note, and the model abstains if that is more than a twentieth of the length;
- nodes parents first, none in its parent's place; the networks get sections cut into even pieces, so neither the
  numbers of nodes nor how densely they stand matter;
- types are soma, axon, dendrite, unknown. *Apical* is withheld: whoever wrote it knew that the cell is pyramidal;
- radii count only relative to one another, or not at all. In the pictures all neurites are equally wide.

Size in micrometres is kept: it is a property of the neuron. A file in pixels is therefore refused as unlike, or judged
wrongly.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    report = json.loads(parser.parse_args().report.read_text(encoding="utf-8"))
    PICTURES.mkdir(exist_ok=True)
    draw_distributions(report["distributions"], PICTURES / "feature-distributions.png")
    draw_contributions(report["contributions"], PICTURES / "feature-contributions.png")
    sections = [HEAD, classifiers(report), forms(report), contributions(report), shortcuts(report), errors(report)]
    PAGE.write_text("\n".join(section.strip() + "\n" for section in sections), encoding="utf-8")


def classifiers(report: dict[str, Any]) -> str:
    """Plain classifiers side by side, by cell and on unseen collections."""
    parts = ["## Plain classifiers"]
    for task, name in (("8 classes", "svc-morphology"), ("2 classes", "svc-morphology-2class")):
        found = {f"**{name}** (shipped)": report[name]} | {
            label: figures for label, figures in report[task].items() if not label.startswith("SVM, 20 features, ")
        }
        by_cell = figures_table({label: figures["by_cell"] for label, figures in found.items()})
        unseen = figures_table({label: figures["unseen_source"] for label, figures in found.items()})
        parts += [
            f"### {task.capitalize()}, by cell",
            by_cell,
            f"### {task.capitalize()}, collections never seen",
            unseen,
        ]
    wide = len(report["wide_features"])
    parts.append(
        f"“20 features” are those of Zhang et al. as `napari_celltype.measure` gives them; wide ones are "
        f"{wide} measures of the standardised neuron: lengths, ends and forks of axon and dendrite, how they spread "
        "with distance from the soma (Sholl), angles, straightness over 20 um, how branches outlast one another "
        "(persistence), one-sidedness, what the longest dendrite looks like. None changes when the cell is turned."
    )
    return "\n\n".join(parts)


def forms(report: dict[str, Any]) -> str:
    """Raw, repaired, resampled and aligned files."""
    found = {label: figures["by_cell"] for label, figures in report["8 classes"].items() if label.startswith("SVM, 20")}
    return "\n\n".join(
        [
            "## Raw, repaired, resampled, aligned",
            FORMS,
            figures_table(found),
        ]
    )


def contributions(report: dict[str, Any]) -> str:
    """What each of the twenty features is worth."""
    rows = ["| feature | worth, accuracy | worth, balanced | alone | alone, balanced |", "|---|---|---|---|---|"]
    by_worth = sorted(report["contributions"].items(), key=lambda item: -item[1]["worth"])
    for name, found in by_worth:
        worth = f"{100 * found['worth']:+.2f} ± {100 * found['spread']:.2f} | {100 * found['balanced_worth']:+.2f}"
        rows.append(f"| {name} | {worth} | {100 * found['alone']:.1f} | {100 * found['balanced_alone']:.1f} |")
    return "\n\n".join(
        [
            "## Feature by feature",
            WORTHS,
            "\n".join(rows),
            "```{image} pictures/feature-contributions.png\n:alt: worth of each feature, by accuracy and balanced\n```",
            "```{image} pictures/feature-distributions.png\n:alt: distributions of six features in eight classes\n```",
        ]
    )


def shortcuts(report: dict[str, Any]) -> str:
    """What each shortcut is worth."""
    found = report["shortcuts"]
    none = found["none"]["beside"]
    head = "| | alone, by cell | alone, unseen collection | beside shape, by cell | beside shape, unseen | importance |"
    rows = [head, "|---|---|---|---|---|---|", _row("shape only", None, none, found["none"]["importance"])]
    for group in [*GROUPS, "all of them"]:
        entry = found[group]
        label = f"{group}: {GROUPS[group]}" if group in GROUPS else group
        rows.append(_row(label, entry["alone"], entry["beside"], entry.get("importance")))
    return "\n\n".join(
        [
            "## What shortcuts would be worth",
            SHORTCUTS,
            "\n".join(rows),
            TOGETHER.format(
                cell=100 * found["all of them"]["alone"]["accuracy"],
                source=100 * found["all of them"]["alone"]["source_accuracy"],
            ),
        ]
    )


def _row(label: str, alone: dict[str, float] | None, beside: dict[str, float], importance: float | None) -> str:
    def pair(found: dict[str, float] | None, prefix: str = "") -> str:
        if found is None:
            return ""
        return f"{100 * found[f'{prefix}accuracy']:.1f} ({100 * found[f'{prefix}balanced_accuracy']:.1f})"

    share = "" if importance is None else f"{importance:.0%}"
    cells = [pair(alone), pair(alone, "source_"), pair(beside), pair(beside, "source_"), share]
    return f"| {label} | {' | '.join(cells)} |"


def errors(report: dict[str, Any]) -> str:
    """Where the shipped model errs, and when it abstains."""
    shipped = report["svc-morphology"]
    classes = list(shipped["by_cell"]["per_class"])
    counts = np.array(shipped["by_cell"]["confusion"])
    np.fill_diagonal(counts, 0)
    pairs = np.dstack(np.unravel_index(np.argsort(-counts, axis=None)[:6], counts.shape))[0]
    rows = ["| labelled | taken for | files |", "|---|---|---|"]
    rows += [f"| {classes[i]} | {classes[j]} | {counts[i, j]:.0f} |" for i, j in pairs]
    rows.append(f"| all other pairs | | {counts.sum() - sum(counts[i, j] for i, j in pairs):.0f} |")
    odd = "\n".join(f"| {name} | {share:.0%} |" for name, share in shipped["odd_abstained"].items())
    silent = shipped["answered"]
    return "\n\n".join(
        [
            "## Where the errors are",
            "Mean over seeds, by cell:",
            "\n".join(rows),
            DISPUTED.format(**report["disputed"]),
            "## When it abstains",
            SILENT.format(**silent),
            "| simulated | abstained |\n|---|---|\n" + odd,
        ]
    )


FORMS = """The support-vector machine on the twenty features of the files as they are, with z-jumps mended, resampled to
5 um, and turned to their principal axes; eight classes, by cell:"""

WORTHS = """What the machine on twenty features loses when one is left out (positive: the feature helps), and what it
reaches with that one alone; per cent, eight classes, by cell, mean over three seeds ± their spread. Most worths are
within their spread: the features repeat one another."""

SHORTCUTS = """Class and laboratory go together in the data, so a model can be right by knowing the laboratory. Each row
is one way to know it, measured on the raw files; a forest of extremely randomised trees is given it alone, and beside
the wide features. Per cent accuracy (balanced accuracy); the importance is a group's share when the forest has
everything."""

TOGETHER = """All of them together, without one measure of shape, reach {cell:.1f} % by cell, and {source:.1f} % on
collections never seen: figures by cell alone say little about the shape of neurons. None of these measures reaches a
bundled model, but for size, and for how much axon there is."""

SILENT = """By cell it abstains on {abstained:.1%} of the neurons; it is right on {answered_accuracy:.1%} of the others,
and would have been on {abstained_accuracy:.1%} of these. Of simulated neurons no model here should answer on, it
abstains on:"""

DISPUTED = """Nearly all errors are among pyramidal, GABAergic and basket cells of one collection, and many are the
labels'. {always} of {files} files are called another class by every model that had not seen them, on all seeds;
{always_main} of these come from {main}, whose folders *interneuron* and *principal cell* each hold cells that look
like the other: a long apical dendrite with a tuft in the one, dense local axon in the other. Basket cells are labelled
only where the Blue Brain Project typed them; the folder *interneuron* of the same laboratory holds others without a
label, and {basket_lost} of {basket} basket cells are called GABAergic. Labels that contradict themselves bound what any
model can reach on them."""


def draw_distributions(found: dict[str, Any], path: Path) -> None:
    """Small histograms, a row a class and a column a feature."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    classes = list(found[SHOWN[0]]["classes"])
    figure, axes = plt.subplots(len(classes), len(SHOWN), figsize=(11, 7.5), sharex="col")
    for column, name in enumerate(SHOWN):
        edges = np.array(found[name]["edges"])
        for row, label in enumerate(classes):
            ax = axes[row, column]
            ax.stairs(found[name]["classes"][label]["shares"], edges, fill=True, color=f"C{row}", alpha=0.85)
            ax.axvline(found[name]["classes"][label]["quartiles"][1], color="black", linewidth=0.8)
            ax.set_yticks([])
            ax.spines[["top", "right", "left"]].set_visible(False)
            ax.tick_params(labelsize=7)
            if column == 0:
                ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        axes[0, column].set_title(name, fontsize=9)
    figure.tight_layout(h_pad=0.2)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_contributions(found: dict[str, Any], path: Path) -> None:
    """One bar a feature, worth by accuracy and balanced."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = sorted(found, key=lambda name: found[name]["worth"])
    at = np.arange(len(names))
    figure, ax = plt.subplots(figsize=(7.5, 5.2))
    worth = [100 * found[name]["worth"] for name in names]
    ax.barh(at + 0.2, worth, 0.4, xerr=[100 * found[name]["spread"] for name in names], label="accuracy", color="C0")
    ax.barh(at - 0.2, [100 * found[name]["balanced_worth"] for name in names], 0.4, label="balanced", color="C1")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(at, names, fontsize=8)
    ax.set_xlabel("percentage points lost without the feature")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
