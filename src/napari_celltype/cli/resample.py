"""``napari-celltype resample``: put the nodes of reconstructions at another spacing."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._folders import Row, outputs_for, print_rows, run_over, save_table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "resample",
        help="put the nodes of reconstructions at another spacing",
        description="Resample reconstructions. Forks and tips stay; no file is overwritten.",
    )
    parser.add_argument("source", type=Path, metavar="IN", help="SWC file, or a folder")
    parser.add_argument("target", type=Path, metavar="OUT", help="new SWC file, or the folder to write to")
    parser.add_argument("--spacing", type=float, default=1.0, metavar="UM", help="distance between nodes (default 1)")
    parser.add_argument(
        "--method", default="even", choices=("even", "grid"), help="grid counts from the root, as TREES does"
    )
    parser.add_argument(
        "--max-length-loss", type=float, default=0.05, metavar="PART", help="nodes come closer beyond (default 0.05)"
    )
    parser.add_argument("--smooth-z", type=float, metavar="UM", help="smooth z over this length first")
    parser.add_argument("--diameters", type=float, nargs=2, metavar=("MIN", "MAX"), help="bring diameters into a range")
    parser.add_argument("--remove-twigs", type=float, metavar="UM", help="take off side twigs up to this length first")
    parser.add_argument("--table", type=Path, metavar="CSV", help="save the table of files")
    parser.add_argument("--json", action="store_true", help="print one JSON document: a list, one entry a file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Resample the files; 1 if some failed."""
    pairs = outputs_for(arguments.source, arguments.target)
    rows = run_over([source for source, _ in pairs], lambda i: _resample(*pairs[i], arguments), quiet=arguments.json)
    if arguments.table:
        save_table(rows, arguments.table)
    return print_rows(rows, as_json=arguments.json)


def _resample(source: Path, target: Path, arguments: argparse.Namespace) -> Row:
    from napari_celltype.io import read_neuron, write_swc
    from napari_celltype.morphology import measure
    from napari_celltype.morphology.edits import Edit, Record, apply_edits

    neuron = read_neuron(source)
    edits = []
    if arguments.remove_twigs is not None:
        edits.append(Edit("remove_twigs", {"max_length_um": arguments.remove_twigs}))
    if arguments.smooth_z is not None:
        edits.append(Edit("smooth_z", {"length_um": arguments.smooth_z}))
    if arguments.diameters:
        edits.append(Edit("align_diameters", dict(zip(("min_um", "max_um"), arguments.diameters, strict=True))))
    wanted = {"spacing_um": arguments.spacing, "method": arguments.method, "max_length_loss": arguments.max_length_loss}
    edits.append(Edit("resample", wanted))
    new, _ = apply_edits(neuron, edits)
    if arguments.source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
    write_swc(new, target, comments=Record.of(neuron, edits, new).comments())
    before, after = (float(measure(cell)["TotalLength"]) for cell in (neuron, new))
    return {
        "resampled": str(target),
        "nodes": len(neuron),
        "nodes_after": len(new),
        "length_um": before,
        "length_after_um": after,
    }
