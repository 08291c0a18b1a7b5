"""``napari-celltype train``: run one of the recipes behind the bundled models."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    from napari_celltype.training.recipes import RECIPES

    listed = "\n".join(f"  {recipe.name:24} {recipe.about}" for recipe in RECIPES.values())
    parser = commands.add_parser(
        "train",
        help="train a model by one of the recipes",
        description="Train a model. Stopped half-way, the same command goes on where it was and ends the same.",
        epilog=f"recipes:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", choices=list(RECIPES), help="one of those below")
    parser.add_argument("--data", required=True, type=Path, help="folder holding ephys/ or morphology/")
    parser.add_argument("--out", required=True, type=Path, help="folder for the model, its report and its state")
    parser.add_argument("--seed", type=int, default=0, help="everything random is a function of it (default: 0)")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see it run: the model means nothing")
    parser.add_argument("--threads", type=int, default=1, help="threads torch may use (default: 1)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe."""
    os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
    import torch

    from napari_celltype.training.job import Job, print_progress
    from napari_celltype.training.recipes import RECIPES, run_recipe

    torch.set_num_threads(arguments.threads)
    job = Job(arguments.data, arguments.out, arguments.seed, arguments.quick, print_progress)
    run_recipe(arguments.recipe, job)
    for name in RECIPES[arguments.recipe].trains:
        print(job.out / name)
    print(job.out / "report.json")
    return 0
