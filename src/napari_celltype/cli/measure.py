"""``napari-celltype measure``: the morphological features of reconstructions, as a table."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from ._folders import Row, print_rows, run_over, save_table
from .check import find_files


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "measure",
        help="measure reconstructions: 20 features, by type, Sholl profile",
        description="Measure reconstructions. Lengths are micrometres, angles degrees.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="SWC or other neuron file, or a folder")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--by-type", action="store_true", help="axon, basal and apical dendrite each by itself too")
    what.add_argument("--sholl", type=float, metavar="UM", help="Sholl profile with spheres this far apart instead")
    parser.add_argument("--table", type=Path, metavar="CSV", help="save the table")
    parser.add_argument("--json", action="store_true", help="print one JSON document: a list, one entry a row")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the files; 1 if some failed."""
    files = find_files(arguments.files)
    found = run_over(files, lambda i: {"parts": _measure(files[i], arguments)}, quiet=arguments.json)
    rows = [
        {"file": row["file"], **part} if "parts" in row else row for row in found for part in row.get("parts", [{}])
    ]
    if arguments.table:
        save_table(rows, arguments.table)
    if len(rows) == 1 and not arguments.json and "error" not in rows[0]:
        rows = [{"feature": name, "value": value} for name, value in rows[0].items()]
    return print_rows(rows, as_json=arguments.json)


def _measure(path: Path, arguments: argparse.Namespace) -> list[Row]:
    from napari_celltype.errors import NeuronError
    from napari_celltype.io import read_neuron
    from napari_celltype.morphology import measure, measure_by_type, sholl

    if path.is_dir():
        raise NeuronError("there is no reconstruction in this folder", path=path)
    neuron = read_neuron(path)
    if arguments.sholl is not None:
        if not arguments.sholl > 0:
            raise NeuronError(f"spheres must be apart by more than zero, not {arguments.sholl}")
        return [{"radius_um": float(r), "crossings": int(n)} for r, n in sholl(neuron, arguments.sholl).items()]
    if arguments.by_type:
        return [{"part": str(part)} | _plain(row.to_dict()) for part, row in measure_by_type(neuron).iterrows()]
    return [_plain(measure(neuron).to_dict())]


def _plain(values: dict[Any, Any]) -> Row:
    return {str(name): (None if math.isnan(value) else float(value)) for name, value in values.items()}
