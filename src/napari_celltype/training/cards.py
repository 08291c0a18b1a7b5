"""Model cards: one page for people beside each model, every figure taken from the run that trained it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_celltype.models.bundle import ModelInfo

__all__ = ["CardFacts", "figures_table", "per_class_table", "write_card"]


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond the model's description.

    Parameters
    ----------
    data, split, needs, abstains
        Paragraphs.
    figures
        Name of a model or condition to its scores (:meth:`napari_celltype.training.metrics.Scores.to_dict`); the
        first is the model itself, the others stand beside it.
    failures
        Sentences on what it gets wrong, beyond what the figures give by themselves.
    command
        What reproduces it.
    """

    data: str
    split: str
    needs: str
    abstains: str
    figures: Mapping[str, Mapping[str, Any]]
    command: str
    failures: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def write_card(info: ModelInfo, facts: CardFacts) -> str:
    """The card as Markdown."""
    own = next(iter(facts.figures.values()))
    sections = {
        "Data and terms": facts.data,
        "How it was split and tested": facts.split,
        "Figures": figures_table(facts.figures),
        "Class by class": per_class_table(own),
        "Answering only when sure": coverage_table(own),
        "Known failures": "\n".join(f"- {text}" for text in [*weak_classes(own, info.classes), *facts.failures]),
        **facts.extra,
        "What it needs": facts.needs,
        "When it abstains": facts.abstains,
        "Made by": f"`{facts.command}`",
        "Licence": info.licence,
        "Citation": info.citation,
    }
    told = f"Classes: {', '.join(info.classes)}. Species: {', '.join(info.species)}."
    head = f"# {info.name} {info.version}\n\n{info.summary}\n\n{told}\n"
    return head + "".join(f"\n## {title}\n\n{text.strip()}\n" for title, text in sections.items() if text.strip())


def figures_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a model: accuracies with intervals, F1, AUC, calibration error."""
    rows = [
        "| | accuracy | balanced accuracy | macro F1 | AUC | calibration error | cells | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, scores in figures.items():
        mean, spread, interval = scores["mean"], scores["spread"], scores["interval"]
        cells = [
            f"{mean[key]:.3f} ± {spread[key]:.3f} ({interval[key][0]:.3f} to {interval[key][1]:.3f})"
            for key in ("accuracy", "balanced_accuracy")
        ]
        cells += [f"{mean[key]:.3f}" for key in ("macro_f1", "auc", "ece")]
        rows.append(f"| {_cell(name)} | {' | '.join(cells)} | {scores['n_cells']} | {scores['n_seeds']} |")
    return (
        "\n".join(rows)
        + "\n\nMean ± standard deviation over seeds; in brackets the 95 % bootstrap interval over donors."
    )


def per_class_table(scores: Mapping[str, Any]) -> str:
    """Precision, recall and F1 of each class."""
    rows = ["| class | precision | recall | F1 | cells |", "|---|---|---|---|---|"]
    for name, rates in scores["per_class"].items():
        shares = " | ".join(f"{rates[key]:.3f}" for key in ("precision", "recall", "f1"))
        rows.append(f"| {_cell(name)} | {shares} | {rates['cells']} |")
    return "\n".join(rows)


def coverage_table(scores: Mapping[str, Any]) -> str:
    """Accuracy among the most confident cells."""
    rows = ["| answered | accuracy among them |", "|---|---|"]
    rows += [f"| {share:.0%} | {accuracy:.3f} |" for share, accuracy in scores["coverage"] if share > 0.45]
    return "\n".join(rows)


def weak_classes(scores: Mapping[str, Any], classes: Sequence[str], below: float = 0.85) -> list[str]:
    """A sentence for every class found less often than ``below``, with what it is taken for."""
    counts = np.array(scores["confusion"])
    found = []
    for i, name in enumerate(classes):
        recall = scores["per_class"][name]["recall"]
        if recall < below:
            wrong = counts[i].copy()
            wrong[i] = 0
            j = int(wrong.argmax())
            found.append(
                f"{name}: {recall:.0%} are found; {wrong[j] / counts[i].sum():.0%} are taken for {classes[j]}."
            )
    return found or [f"No class is found in less than {below:.0%} of its cells."]


def _cell(text: str) -> str:
    """Text for a table's cell: a class may have a bar in its name."""
    return text.replace("|", "\\|")
