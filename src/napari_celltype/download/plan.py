"""What a download will fetch, before anything is fetched, and the table of cells that goes with it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from napari_celltype.io.atomic import write_atomically

from .manifest import Manifest, digest_file
from .transfer import Remote
from .web import DownloadError, Patience, ask_size

__all__ = ["SPECIES", "TABLE", "Plan", "check_table", "estimate_size", "write_cells"]

SPECIES = {"mouse": "mus musculus", "human": "homo sapiens"}
"""Names a person gives, and how the sources begin theirs."""

TABLE = "cells.csv"
_PROBES = 10


@dataclass(frozen=True)
class Plan:
    """Files to fetch, the rows of the table that goes with them, and what a person should know before agreeing.

    ``size`` is the sum in bytes, an estimate where ``exact`` is False, None where the source does not tell.
    """

    source: str
    terms: str
    key: str
    files: tuple[Remote, ...]
    rows: tuple[dict[str, str], ...]
    size: int | None
    exact: bool
    notes: tuple[str, ...] = ()
    table: str = TABLE


def estimate_size(files: tuple[Remote, ...], patience: Patience) -> tuple[int | None, bool]:
    """Size of all in bytes, from asking for a few spread over the list, and whether these were all."""
    step = max(1, len(files) // _PROBES)
    asked = files[::step][:_PROBES]
    sizes = [size for file in asked if (size := ask_size(file.url, patience)) is not None]
    if not sizes:
        return None, False
    return round(sum(sizes) / len(sizes) * len(files)), len(sizes) == len(files)


def check_table(plan: Plan, folder: Path) -> None:
    """Make sure that the table may be written, before anything is fetched for it.

    Raises
    ------
    DownloadError
        If there is a table that is not ours, or was edited since.
    """
    _earlier(folder / plan.table, Manifest(folder), plan.key)


def write_cells(plan: Plan, folder: Path) -> Path:
    """Write or complete the table of cells: rows of earlier downloads into the folder stay.

    Raises
    ------
    DownloadError
        If there is a table that is not ours, or was edited since: a person's work is not written over.
    """
    manifest, path = Manifest(folder), folder / plan.table
    rows = {row[plan.key]: row for row in _earlier(path, manifest, plan.key)}
    rows |= {row[plan.key]: row for row in plan.rows}
    columns = list(dict.fromkeys(name for row in (*plan.rows, *rows.values()) for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows.values())
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode(), overwrite=True)
    manifest.record(plan.table, state="complete", size=path.stat().st_size, sha256=digest_file(path), key=plan.key)
    return path


def _earlier(path: Path, manifest: Manifest, key: str) -> list[dict[str, str]]:
    if not path.exists():
        return []
    stated = manifest.entry(path.name).get("sha256")
    if digest_file(path) != stated:
        reason = "was edited since it was written" if stated else "exists and is not of this download"
        raise DownloadError(reason, path=path, hint="Move it or rename it, or choose another folder.", ends_all=True)
    if manifest.entry(path.name).get("key") != key:
        raise DownloadError("holds the cells of another source", path=path, hint="Choose another folder.")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
