"""``napari-celltype check``: everything unusual in reconstruction files, and their z-jumps."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError

from ._arguments import size

_SUFFIXES = (".swc", ".eswc", ".swc.gz", ".eswc.gz", ".nmx", ".nml")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "check",
        help="list the defects and z-jumps of reconstructions",
        description="List what is wrong or unusual in reconstruction files, worst first, and their z-jumps: sudden "
        "steps along z, as a slipped section or a lost focus leaves them. Nothing is changed. A folder stands for all "
        "reconstructions in it.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="SWC or other neuron file, or a folder")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document: an object for one file, else a list"
    )
    parser.add_argument("--min-dz", type=size, default=10.0, metavar="UM", help="smallest z-jump (default 10 um)")
    parser.add_argument(
        "--min-slope",
        type=size,
        default=3.0,
        metavar="RATIO",
        help="how much farther than sideways a z-jump goes along z, at least (default 3)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found; 1 if some could not be read."""
    single = len(arguments.files) == 1 and not arguments.files[0].is_dir()
    results: list[dict[str, Any]] = []
    for path in find_files(arguments.files):
        result = {"path": str(path), **check_file(path, min_dz_um=arguments.min_dz, min_slope=arguments.min_slope)}
        results.append(result)
        if not arguments.json:
            print(_as_text(result), flush=True)
    if arguments.json:
        whole = {k: v for k, v in results[0].items() if k != "path"} if single else results
        print(json.dumps(whole, indent=2, allow_nan=False))
    elif len(results) > 1:
        print(_summary(results))
    return int(any("error" in result for result in results))


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Put in place of each folder the reconstructions in it; an empty folder stays, to be reported."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.name.lower().endswith(_SUFFIXES)) if path.is_dir() else []
        found += inside or [path]
    return found


def check_file(path: Path, *, min_dz_um: float = 10.0, min_slope: float = 3.0) -> dict[str, Any]:
    """Nodes, defects and z-jumps of one file, ready for JSON; with ``error`` where it cannot be read."""
    from napari_celltype.io import read_neuron
    from napari_celltype.morphology import find_z_jumps

    found: dict[str, Any] = {"nodes": 0, "defects": [], "z_jumps": []}
    try:
        if path.is_dir():
            raise CelltypeError("there is no reconstruction in this folder", path=path)
        neuron = read_neuron(path)
        found |= {"nodes": len(neuron), "defects": [asdict(defect) for defect in neuron.defects]}
        if not neuron.has_cycle:  # reported as a defect already; jumps are steps of a tree
            jumps = find_z_jumps(neuron, min_dz_um=min_dz_um, min_slope=min_slope)
            found["z_jumps"] = [jump.to_json() for jump in jumps]
    except CelltypeError as error:
        print(error, file=sys.stderr)
        found["error"] = str(error)
    return found


def _as_text(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{result['path']}: cannot be read"
    counts = Counter(defect["severity"] for defect in result["defects"])
    parts = [_count(result["nodes"], "node")]
    parts += [_count(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]]
    parts.append(_count(len(result["z_jumps"]), "z-jump"))
    lines = [f"{result['path']}: {', '.join(parts)}"]
    lines += [_defect_line(defect) for defect in result["defects"]]
    lines += [_jump_line(jump) for jump in result["z_jumps"]]
    return "\n".join(lines)


def _defect_line(defect: dict[str, Any]) -> str:
    place = "" if defect["line"] is None else f"line {defect['line']}"
    return f"  {defect['severity']:8s}{place:12s}{defect['code']:22s}{defect['message']}"


def _jump_line(jump: dict[str, Any]) -> str:
    slope = "vertical" if jump["slope"] is None else f"slope {jump['slope']:.1f}"
    step = f"{jump['parent_id']} → {jump['node_id']}"
    return f"  z-jump  {step:22s}{jump['dz_um']:+9.2f} um, {slope}, {_count(jump['n_downstream'], 'node')} downstream"


def _summary(results: list[dict[str, Any]]) -> str:
    files_with = Counter(code for result in results for code in {d["code"] for d in result["defects"]})
    failed = sum("error" in result for result in results)
    jumps = sum(bool(result["z_jumps"]) for result in results)
    lines = ["", f"{_count(len(results), 'file')}, {failed} not readable, {jumps} with z-jumps"]
    lines += [f"  {n:6d}  {code}" for code, n in files_with.most_common()]
    return "\n".join(lines)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
