"""``napari-celltype evaluate``: how good a model is on labelled cells."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="score a model on labelled cells",
        description="Score a model on labelled cells. Figures on cells it was trained on flatter it: "
        "the card has those that do not.",
    )
    parser.add_argument("model", help="name of a bundled model, or folder of one you trained")
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        help="folder holding ephys/ or morphology/, or one folder of SWC files a class",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the figures."""
    from napari_celltype.models.catalogue import load_model
    from napari_celltype.training.cards import coverage_table, figures_table, per_class_table
    from napari_celltype.training.evaluate import evaluate

    model = load_model(arguments.model, device=arguments.device)
    found = evaluate(model, arguments.data)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    for group, scores in found.items():
        print(figures_table({f"{model.name}, {group}": scores}), end="\n\n")
        print(per_class_table(scores), end="\n\n")
        print(coverage_table(scores))
        print(
            f"\nAbstains on {scores['abstained']:.1%}; accuracy where it answers {scores['answered_accuracy']:.3f}.\n"
        )
    return 0
