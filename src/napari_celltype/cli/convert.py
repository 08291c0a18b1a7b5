"""``napari-celltype convert``: other neuron formats, or untidy SWC, to tidy SWC."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._folders import Row, outputs_for, print_rows, run_over, save_table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "convert",
        help="turn reconstructions into SWC, and put their nodes in order",
        description="Convert reconstructions to SWC. Nothing is changed unless asked for; no file is overwritten.",
    )
    parser.add_argument("source", type=Path, metavar="IN", help="neuron file of any format, or a folder")
    parser.add_argument("target", type=Path, metavar="OUT", help="new SWC file (.swc.gz compresses), or a folder")
    parser.add_argument("--root", type=int, metavar="ID", help="make this node the root (one file only)")
    parser.add_argument(
        "--join",
        type=float,
        nargs="?",
        const=float("inf"),
        metavar="UM",
        help="link disconnected pieces whose gap is at most this wide (default: any)",
    )
    parser.add_argument("--sort", action="store_true", help="put parents before children")
    parser.add_argument("--renumber", action="store_true", help="number nodes from 1 in their order")
    parser.add_argument("--table", type=Path, metavar="CSV", help="save the table of files")
    parser.add_argument("--json", action="store_true", help="print one JSON document: a list, one entry a file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert the files; 1 if some failed."""
    from napari_celltype.errors import CelltypeError

    pairs = outputs_for(arguments.source, arguments.target)
    if arguments.root is not None and arguments.source.is_dir():
        raise CelltypeError("one root cannot be given for a folder of files", path=arguments.source)
    rows = run_over([source for source, _ in pairs], lambda i: _convert(*pairs[i], arguments), quiet=arguments.json)
    if arguments.table:
        save_table(rows, arguments.table)
    return print_rows(rows, as_json=arguments.json)


def _convert(source: Path, target: Path, arguments: argparse.Namespace) -> Row:
    from napari_celltype.io import read_neuron, write_swc
    from napari_celltype.morphology.edits import Edit, Record, apply_edits

    neuron = read_neuron(source)
    edits = []
    if arguments.join is not None:
        edits.append(Edit("join_pieces", {} if arguments.join == float("inf") else {"max_gap_um": arguments.join}))
    if arguments.root is not None:
        edits.append(Edit("reroot", {"node_id": arguments.root}))
    edits += [Edit("sort_nodes")] if arguments.sort else []
    edits += [Edit("renumber")] if arguments.renumber else []
    new, _ = apply_edits(neuron, edits)
    if arguments.source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
    write_swc(new, target, comments=Record.of(neuron, edits, new).comments() if edits else ())
    return {"converted": str(target), "nodes": len(new), "pieces": len(neuron.roots), "pieces_after": len(new.roots)}
