"""``napari-celltype features``: the features of one recording."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_celltype.ephys.features import CellFeatures
    from napari_celltype.ephys.stimulus import StimulusKind

_ABOUT = (
    "Measure the 41 features of the Allen table on a recording. A feature whose stimulus was not recorded has no "
    "value; --coverage says which sweeps each came from and what recording would supply the others."
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("features", help="electrophysiological features of a recording", description=_ABOUT)
    parser.add_argument("file", type=Path, help="the recording")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print {feature: number or null}")
    form.add_argument("--csv", action="store_true", help="print a line of names and a line of values")
    form.add_argument("--coverage", action="store_true", help="print where each value came from and what is missing")
    parser.add_argument("--wider", action="store_true", help="add rheobase, adaptation, bursts, pauses and more")
    parser.add_argument("--electrode", help="the electrode to measure, if there are several")
    parser.add_argument(
        "--stimulus",
        action="append",
        default=[],
        metavar="SWEEP=KIND",
        help="say what a sweep was stimulated with, for example 3=ramp (counted from 0; may be repeated)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from napari_celltype.ephys.features import measure_features
    from napari_celltype.io import read_recording

    recording = read_recording(arguments.file)
    try:
        chosen = _chosen(arguments.stimulus, len(recording.sweeps))
        cell = measure_features(recording, chosen, electrode=arguments.electrode)
    except ValueError as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 2
    for note in cell.notes:
        print(f"{arguments.file}: {note}", file=sys.stderr)
    print(_as_text(cell, arguments))
    return 0


def _chosen(pairs: list[str], n_sweeps: int) -> dict[int, StimulusKind]:
    from napari_celltype.ephys.stimulus import STIMULUS_KINDS

    chosen: dict[int, StimulusKind] = {}
    for pair in pairs:
        index, _, kind = pair.partition("=")
        if not index.isdigit() or int(index) >= n_sweeps:
            raise ValueError(f"--stimulus {pair}: give SWEEP=KIND with a sweep from 0 to {n_sweeps - 1}")
        known = next((known for known in STIMULUS_KINDS if known == kind), None)
        if known is None:
            raise ValueError(f"--stimulus {pair}: the kind is one of {', '.join(STIMULUS_KINDS)}")
        chosen[int(index)] = known
    return chosen


def _as_text(cell: CellFeatures, arguments: argparse.Namespace) -> str:
    values = cell.all() if arguments.wider else cell.allen41
    if arguments.json:
        return json.dumps({str(name): _number(value) for name, value in values.items()}, indent=2)
    if arguments.csv:
        return values.to_frame().T.to_csv(index=False).rstrip("\n")
    if arguments.coverage:
        return _coverage_text(cell, list(values.index))
    width = max(len(name) for name in values.index)
    return "\n".join(
        f"{name:<{width}}  {'' if math.isnan(value) else f'{value:.6g}'}" for name, value in values.items()
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _coverage_text(cell: CellFeatures, names: list[str]) -> str:
    table = cell.coverage[cell.coverage["feature"].isin(names)]
    lines = []
    for row in table.to_dict("records"):
        note = f" ({row['note']})" if row["note"] else ""
        if math.isnan(row["value"]):
            lines.append(f"{row['feature']}: missing; needs {row['needs']}")
        else:
            lines.append(f"{row['feature']}: {row['value']:.6g}, from sweep {row['sweeps']}{note}")
    return "\n".join(lines)
