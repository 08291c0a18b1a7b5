"""What a download will fetch, before anything is fetched, and the table of cells that goes with it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from napari_celltype.io.atomic import write_atomically

from .manifest import Manifest, digest_file
from .transfer import Remote
from .web import DownloadError

__all__ = ["SPECIES", "Plan", "write_cells"]

SPECIES = {"mouse": "mus musculus", "human": "homo sapiens"}
"""Names a person gives, and how the sources begin theirs."""

TABLE = "cells.csv"


@dataclass(frozen=True)
class Plan:
    """Files to fetch, the rows of ``cells.csv``, and what a person should know before agreeing.

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


def write_cells(plan: Plan, folder: Path) -> Path:
    """Write or complete the table of cells: rows of earlier downloads into the folder stay.

    Raises
    ------
    DownloadError
        If there is a table that is not ours, or was edited since: a person's work is not written over.
    """
    manifest, path = Manifest(folder), folder / TABLE
    rows = {row[plan.key]: row for row in _earlier(path, manifest, plan.key)}
    rows |= {row[plan.key]: row for row in plan.rows}
    columns = list(dict.fromkeys(name for row in (*plan.rows, *rows.values()) for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows.values())
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode(), overwrite=True)
    manifest.record(TABLE, state="complete", size=path.stat().st_size, sha256=digest_file(path), key=plan.key)
    return path


def _earlier(path: Path, manifest: Manifest, key: str) -> list[dict[str, str]]:
    if not path.exists():
        return []
    stated = manifest.entry(TABLE).get("sha256")
    if digest_file(path) != stated:
        reason = "was edited since it was written" if stated else "exists and is not of this download"
        raise DownloadError(reason, path=path, hint="Move it or rename it, or choose another folder.", ends_all=True)
    if manifest.entry(TABLE).get("key") != key:
        raise DownloadError("holds the cells of another source", path=path, hint="Choose another folder.")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
