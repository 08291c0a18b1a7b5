"""``napari-celltype repair``: mend z-jumps and save the result beside the original."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._arguments import size
from ._folders import Row, outputs_for, print_rows, run_over, save_table

if TYPE_CHECKING:
    from napari_celltype import Neuron
    from napari_celltype.morphology.edits import Edit, Record

_COLUMNS = ("file", "repaired", "z_jumps", "left", "length_um", "length_after_um", "depth_um", "depth_after_um")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "repair",
        help="mend the z-jumps of a reconstruction, or of a folder of them",
        description="Mend z-jumps. The original is never touched and no file is overwritten; what was done is "
        "recorded in the comments of the new file. List the jumps first with 'check', or with --dry-run.",
    )
    parser.add_argument("source", type=Path, metavar="IN", help="SWC file, or a folder")
    parser.add_argument("target", type=Path, metavar="OUT", help="new SWC file, or the folder to write to")
    parser.add_argument("--mode", default="align", choices=("align", "split", "tilt", "cut"), help="default: align")
    parser.add_argument("--min-dz", type=size, default=10.0, metavar="UM", help="smallest z-jump (default 10 um)")
    parser.add_argument("--min-slope", type=size, default=3.0, help="smallest slope of a z-jump (default 3)")
    parser.add_argument(
        "--spare-steep", action="store_true", help="leave jumps beside which the neurite runs as steeply anyway"
    )
    parser.add_argument("--node", type=int, action="append", metavar="ID", help="mend only this jump (may be repeated)")
    parser.add_argument(
        "--zcorr", type=size, metavar="UM", help="flatten every step above this height instead, as TREES does"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="make the edits recorded in this JSON or SWC instead"
    )
    parser.add_argument("--record", type=Path, metavar="JSON", help="save the edits as a record of their own")
    parser.add_argument("--skip-sound", action="store_true", help="of a folder, write only files that had jumps")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done and write nothing")
    parser.add_argument("--table", type=Path, metavar="CSV", help="save the table of files")
    parser.add_argument("--json", action="store_true", help="print one JSON document: a list, one entry a file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Repair the files; 1 if some failed."""
    pairs = outputs_for(arguments.source, arguments.target)
    rows = run_over([source for source, _ in pairs], lambda i: _repair(*pairs[i], arguments), quiet=arguments.json)
    if arguments.table:
        save_table(rows, arguments.table)
    return print_rows(rows, as_json=arguments.json, columns=_COLUMNS)


def _repair(source: Path, target: Path, arguments: argparse.Namespace) -> Row:
    from napari_celltype.io import read_neuron
    from napari_celltype.morphology.edits import Record, apply_edits, replay

    neuron = read_neuron(source)
    if arguments.replay:
        record = _read_record(arguments.replay)
        edits = list(record.edits)
        edited, _ = replay(neuron, record)
    else:
        edits = _edits(neuron, arguments)
        edited, _ = apply_edits(neuron, edits)
    row = _summary(neuron, edited, edits, arguments)
    if arguments.dry_run or (arguments.skip_sound and arguments.source.is_dir() and not edits):
        return row
    record = Record.of(neuron, edits, edited)
    _save(edited, target, record, arguments)
    return row | {"repaired": str(target)}


def _edits(neuron: Neuron, arguments: argparse.Namespace) -> list[Edit]:
    from napari_celltype.errors import RepairError
    from napari_celltype.morphology import measure_z_steps
    from napari_celltype.morphology.edits import Edit, propose_repair

    if arguments.zcorr is not None:
        return [Edit("zcorr", {"threshold_um": arguments.zcorr})]
    if arguments.node:
        steps = measure_z_steps(neuron)
        wanted = [i for i, row in enumerate(steps.rows) if int(neuron.ids[row]) in set(arguments.node)]
        missing = set(arguments.node) - {steps.jump(i).node_id for i in wanted}
        if missing:
            raise RepairError(f"no step ends at node {min(missing)}", path=neuron.path)
        jumps = steps.jumps(wanted)
    else:
        steps = measure_z_steps(neuron)
        jumps = steps.jumps(steps.select(arguments.min_dz, arguments.min_slope))
        jumps = [jump for jump in jumps if not (arguments.spare_steep and jump.steep_beside)]
    return [propose_repair(jumps, arguments.mode)] if jumps else []


def _read_record(path: Path) -> Record:
    """A record of edits: a JSON file, or an SWC file that carries one."""
    from napari_celltype.errors import RepairError
    from napari_celltype.morphology.edits import Record, record_from_comments

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RepairError(f"cannot be read ({error.strerror or error})", path=path) from error
    if path.name.lower().endswith(".json"):
        return Record.from_json(text)
    record = record_from_comments(text.splitlines())
    if record is None:
        raise RepairError("carries no record of edits", path=path)
    return record


def _summary(neuron: Neuron, edited: Neuron, edits: list[Edit], arguments: argparse.Namespace) -> Row:
    from napari_celltype.morphology import find_z_jumps, measure

    before, after = measure(neuron), measure(edited)
    left = find_z_jumps(edited, arguments.min_dz, arguments.min_slope)
    return {
        "repaired": "",
        "z_jumps": len(find_z_jumps(neuron, arguments.min_dz, arguments.min_slope)),
        "left": len(left),
        "length_um": _number(before["TotalLength"]),
        "length_after_um": _number(after["TotalLength"]),
        "depth_um": _number(before["OverallDepth"]),
        "depth_after_um": _number(after["OverallDepth"]),
        "edits": [edit.label for edit in edits],
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None


def _save(edited: Neuron, target: Path, record: Record, arguments: argparse.Namespace) -> None:
    from napari_celltype.io import write_swc
    from napari_celltype.io.atomic import write_atomically

    if arguments.source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
    write_swc(edited, target, comments=record.comments() if record.edits else ())
    if arguments.record and not arguments.source.is_dir():
        write_atomically(arguments.record, record.to_json().encode())
