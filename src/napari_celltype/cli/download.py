"""``napari-celltype download``: fetch public recordings into a folder, after asking."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_celltype.download.plan import Plan

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "download",
        help="fetch public recordings to train on",
        description="Fetch public recordings and their table of cells. Says first what and how much, and asks. "
        "Stopped half-way, the same command goes on where it was.",
    )
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    allen = sources.add_parser("allen", help="Allen Cell Types Database")
    dandi = sources.add_parser("dandi", help="one dandiset of the DANDI archive")
    dandi.add_argument("--dandiset", required=True, metavar="ID", help="its number, as in 000020")
    dandi.add_argument("--version", metavar="V", help="default: the newest published one")
    for source in (allen, dandi):
        _add_common(source)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files and cells.csv")
    parser.add_argument("--species", choices=("mouse", "human"), help="default: all")
    parser.add_argument("--limit", type=_count, metavar="N", help="at most so many cells or files")
    parser.add_argument("--ids", nargs="+", default=[], metavar="ID", help="only these specimens, subjects or sessions")
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
    from napari_celltype.download.plan import write_cells
    from napari_celltype.download.transfer import check_space, fetch_all, missing_bytes

    plan = _plan(arguments)
    _tell_plan(plan, arguments.out)
    if arguments.dry_run:
        return 0
    check_space(missing_bytes(plan.files, arguments.out) if plan.exact else plan.size or 0, arguments.out)
    if not arguments.yes and not _agreed():
        print("Nothing was fetched.", file=sys.stderr)
        return 0
    write_cells(plan, arguments.out)
    outcome = fetch_all(plan.files, arguments.out, progress=_Progress(len(plan.files)))
    for name, reason in outcome.failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(outcome.fetched)} fetched, {len(outcome.kept)} there already, {len(outcome.failed)} failed.")
    return 1 if outcome.failed else 0


def _plan(arguments: argparse.Namespace) -> Plan:
    from napari_celltype.download import allen, dandi

    base_url = arguments.base_url or {"allen": allen, "dandi": dandi}[arguments.source].BASE_URL
    choice = {"species": arguments.species, "ids": arguments.ids, "limit": arguments.limit, "base_url": base_url}
    print("Asking what there is ...", file=sys.stderr)
    if arguments.source == "allen":
        return allen.plan_allen(**choice)
    return dandi.plan_dandi(arguments.dandiset, version=arguments.version, **choice)


def _tell_plan(plan: Plan, folder: Path) -> None:
    size = "of a size the source does not tell"
    if plan.size is not None:
        size = f"{'' if plan.exact else 'about '}{_readable(plan.size)}"
    print(f"From:   {plan.source}")
    print(f"Files:  {len(plan.files)}, {size}, and the table cells.csv")
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
