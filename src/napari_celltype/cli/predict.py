"""``napari-celltype predict``: what the cells in some files are."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "predict",
        help="tell cell types from recordings, reconstructions or tables of features",
        description="Tell cell types. Files that fail are reported among the others, and the exit code is then 1.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="recording, SWC, or CSV table of the 41 features")
    parser.add_argument("--json", action="store_true", help="print one JSON document: a list, one entry a cell")
    parser.add_argument("--model", help="name of a bundled model, or folder of one you trained (default: by file)")
    parser.add_argument("--version", dest="model_version", metavar="V", help="version of the model (default: newest)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Predict every file; 1 if any failed."""
    from napari_celltype.models.files import FilePredictor

    predictor = FilePredictor(arguments.model, arguments.model_version, arguments.device)
    found = []
    for entry in predictor.entries(arguments.files):
        found.append(entry)
        if not arguments.json:
            print(as_text(entry), flush=True)
    if arguments.json:
        print(json.dumps(found, indent=1, allow_nan=False))
    return int(any("error" in entry for entry in found))


def as_text(entry: dict[str, Any]) -> str:
    """An entry for people."""
    name = entry["path"] + (f" [{entry['item']}]" if "item" in entry else "")
    if "error" in entry:
        return f"{name}: FAILED. {entry['error']}"
    best = entry["probabilities"][entry["label"]]
    doubt = "abstains; best guess " if entry["abstained"] else ""
    lines = [f"{name}: {doubt}{entry['label']} ({best:.2f}; {entry['model']} {entry['version']})"]
    return "\n    ".join([*lines, *entry["reasons"], *entry["notes"]])
