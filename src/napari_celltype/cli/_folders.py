"""What the commands on reconstructions share: a file or a folder in, files out, a bar, a table, one exit code."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError, NeuronError
from napari_celltype.io.atomic import write_atomically

from .check import find_files

__all__ = ["Row", "outputs_for", "print_rows", "run_over", "save_table"]

Row = dict[str, Any]


def outputs_for(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pair each file to read with the file to write: one and one, or a folder's files under another folder."""
    if not source.is_dir():
        return [(source, target / source.name if target.is_dir() else target)]
    if target.is_file():
        raise NeuronError("is a file; a folder of reconstructions needs a folder to write to", path=target)
    if target.resolve().is_relative_to(source.resolve()):
        raise NeuronError(
            "lies in the folder read from, so results would be taken for originals", path=target, hint="Choose another."
        )
    files = [path for path in find_files([source]) if path != source]
    if not files:
        raise NeuronError("there is no reconstruction in this folder", path=source)
    return [(path, _swc_name(target / path.relative_to(source))) for path in files]


def _swc_name(path: Path) -> Path:
    return path if path.name.lower().endswith((".swc", ".swc.gz")) else path.with_suffix(".swc")


def run_over(files: Sequence[Path], job: Callable[[int], Row], *, quiet: bool = False) -> list[Row]:
    """Run a job for each file, with a bar on stderr where there are several; failures become rows with ``error``."""
    from tqdm import tqdm

    rows = []
    for number in tqdm(range(len(files)), disable=quiet or len(files) < 2, file=sys.stderr, unit="file"):
        row: Row = {"file": str(files[number])}
        try:
            row |= job(number)
        except CelltypeError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def save_table(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as CSV, whole or not at all, never over a file that exists."""
    try:
        write_atomically(path, _csv(list(rows)).encode())
    except FileExistsError as error:
        raise CelltypeError("exists already and was left as it is", path=path, hint="Choose another name.") from error
    except OSError as error:
        raise CelltypeError(f"cannot be written ({error.strerror or error})", path=path) from error


def print_rows(rows: list[Row], *, as_json: bool, columns: Sequence[str] | None = None) -> int:
    """Print rows as JSON or as a table, errors on stderr too; returns the exit code."""
    for row in rows:
        if "error" in row and not as_json:
            print(row["error"], file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=1, allow_nan=False))
    else:
        print(_table(rows, columns))
    return int(any("error" in row for row in rows))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(rows: Sequence[Row], columns: Sequence[str] | None) -> str:
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    if any("error" in row for row in rows) and "error" not in names:
        names.append("error")
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
