"""``napari-celltype download``: fetch public recordings or reconstructions into a folder, after asking."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_celltype.download.plan import Plan
    from napari_celltype.download.transfer import Outcome
    from napari_celltype.download.web import Patience

__all__ = ["add_parser"]

_GAP_S = 0.25
"""Pause before each request to NeuroMorpho.Org, which is asked for many small files."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "download",
        help="fetch public recordings or reconstructions to train on",
        description="Fetch public recordings or reconstructions and their table. Says first what and how much, and "
        "asks. Stopped half-way, the same command goes on where it was.",
    )
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    allen = sources.add_parser("allen", help="Allen Cell Types Database")
    dandi = sources.add_parser("dandi", help="one dandiset of the DANDI archive")
    dandi.add_argument("--dandiset", required=True, metavar="ID", help="its number, as in 000020")
    dandi.add_argument("--version", metavar="V", help="default: the newest published one")
    for source in (allen, dandi):
        source.add_argument("--species", choices=("mouse", "human"), help="default: all")
        _add_common(source)
    neurons = sources.add_parser("neuromorpho", help="reconstructions of NeuroMorpho.Org, a folder a class")
    neurons.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help="of the twelve, as in pyramidal 'medium spiny'"
    )
    neurons.add_argument("--species", metavar="NAME", help="as the archive names it, as in rat (default: all)")
    neurons.add_argument("--old-tls", action="store_true", help="accept the short key of an old server")
    _add_common(neurons)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files and their table")
    parser.add_argument("--limit", type=_count, metavar="N", help="at most so many cells or files (of each class)")
    parser.add_argument(
        "--ids", nargs="+", default=[], metavar="ID", help="only these specimens, subjects, sessions or neurons"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be fetched, and stop")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--base-url", metavar="URL", help="another server with the same interface")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Plan, ask, fetch."""
    from napari_celltype.download.transfer import check_space, missing_bytes

    patience = _patience(arguments)
    plan = _plan(arguments, patience)
    _tell_plan(plan, arguments.out)
    if arguments.dry_run:
        return 0
    check_space(missing_bytes(plan.files, arguments.out) if plan.exact else plan.size or 0, arguments.out)
    if not arguments.yes and not _agreed():
        print("Nothing was fetched.", file=sys.stderr)
        return 0
    outcome = _fetch(plan, arguments, patience)
    for name, reason in outcome.failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(outcome.fetched)} fetched, {len(outcome.kept)} there already, {len(outcome.failed)} failed.")
    return 1 if outcome.failed else 0


def _patience(arguments: argparse.Namespace) -> Patience:
    from napari_celltype.download.web import Patience

    if arguments.source == "neuromorpho":
        return Patience(gap_s=_GAP_S, old_tls=arguments.old_tls)
    return Patience()


def _fetch(plan: Plan, arguments: argparse.Namespace, patience: Patience) -> Outcome:
    """Fetch the files and write their table, while no other download does so there."""
    from napari_celltype.download.lock import only_one

    with only_one(arguments.out):
        return _fetch_alone(plan, arguments, patience)


def _fetch_alone(plan: Plan, arguments: argparse.Namespace, patience: Patience) -> Outcome:
    """The table of recordings is written first, that of reconstructions when it is known which can be read."""
    from napari_celltype.download.neuromorpho import finish
    from napari_celltype.download.plan import check_table, write_cells
    from napari_celltype.download.transfer import Outcome, fetch_all

    progress = _Progress(len(plan.files))
    if arguments.source != "neuromorpho":
        write_cells(plan, arguments.out)
        return fetch_all(plan.files, arguments.out, patience, progress)
    check_table(plan, arguments.out)
    outcome = Outcome()
    try:
        outcome = fetch_all(plan.files, arguments.out, patience, progress)
    finally:  # also of what has arrived when it was broken off
        finish(plan, arguments.out, outcome)
    return outcome


def _plan(arguments: argparse.Namespace, patience: Patience) -> Plan:
    from napari_celltype.download import allen, dandi, neuromorpho

    sources = {"allen": allen, "dandi": dandi, "neuromorpho": neuromorpho}
    base_url = arguments.base_url or sources[arguments.source].BASE_URL
    choice = {
        "species": arguments.species,
        "ids": arguments.ids,
        "limit": arguments.limit,
        "base_url": base_url,
        "patience": patience,
    }
    print("Asking what there is ...", file=sys.stderr)
    if arguments.source == "neuromorpho":
        return neuromorpho.plan_neuromorpho(arguments.classes, **choice)
    if arguments.source == "allen":
        return allen.plan_allen(**choice)
    return dandi.plan_dandi(arguments.dandiset, version=arguments.version, **choice)


def _tell_plan(plan: Plan, folder: Path) -> None:
    size = "of a size the source does not tell"
    if plan.size is not None:
        size = f"{'' if plan.exact else 'about '}{_readable(plan.size)}"
    print(f"From:   {plan.source}")
    print(f"Files:  {len(plan.files)}, {size}, and the table {plan.table}")
    print(f"Into:   {folder}")
    print(f"Terms:  {plan.terms}")
    for note in plan.notes:
        print(f"Note:   {note}")


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _agreed() -> bool:
    print("Fetch them? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class _Progress:
    """A line for each file, and on a terminal how far it is."""

    def __init__(self, count: int) -> None:
        self._count, self._name, self._number = count, "", 0

    def __call__(self, name: str, done: int, total: int | None) -> None:
        if name != self._name:
            self._name, self._number = name, self._number + 1
        whole = done == total
        if whole or sys.stderr.isatty():
            share = f"{_readable(done)}" + (f" of {_readable(total)}" if total else "")
            end = "\n" if whole else "\r"
            print(f"{self._number}/{self._count} {name}: {share}   ", end=end, file=sys.stderr, flush=True)
