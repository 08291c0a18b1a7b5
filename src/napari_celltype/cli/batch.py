"""``napari-celltype batch``: a table of features for a folder of recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ABOUT = (
    "Measure every recording in a folder and write one row for each: its features, or why it failed. The table is "
    "written whole at the end. What is done is kept meanwhile, so that a batch that was stopped goes on where it "
    "was; files that have not changed since are not measured again."
)
_UNFINISHED = {".part", ".tmp", ".crdownload", ".download"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("batch", help="features of a whole folder as a table", description=_ABOUT)
    parser.add_argument("folder", type=Path, help="the folder of recordings")
    parser.add_argument("--out", type=Path, help="the table, .csv or .parquet (default: features.csv in the folder)")
    parser.add_argument("--recursive", action="store_true", help="look into subfolders too")
    parser.add_argument("--again", action="store_true", help="measure everything anew, whatever was done before")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the folder and write its table."""
    from napari_celltype.ephys.export import check_table_path, write_table

    folder: Path = arguments.folder
    if not folder.is_dir():
        print(f"{folder} is not a folder. Use “features” for a single recording.", file=sys.stderr)
        return 2
    out: Path = arguments.out or folder / "features.csv"
    check_table_path(out)
    files = sorted(_recordings(folder, arguments.recursive))
    if not files:
        print(f"{folder} holds no recordings.", file=sys.stderr)
        return 1
    journal = out.with_name(f".{out.name}.journal")
    rows = _measure_all(files, folder, journal, {} if arguments.again else _done_before(out, journal), arguments.quiet)
    write_table(_table(rows), out, overwrite=True)
    journal.unlink(missing_ok=True)
    failed = [row for row in rows if row["status"] == "failed"]
    print(f"{out}: {len(rows)} recordings, {len(failed)} of them failed", file=sys.stderr)
    return 1 if failed else 0


def _recordings(folder: Path, recursive: bool) -> Iterator[Path]:
    """Files whose content or suffix says that they are, or should be, recordings."""
    from napari_celltype.errors import RecordingError
    from napari_celltype.io.registry import FORMATS, find_format

    suffixes = {suffix for known in FORMATS for suffix in known.suffixes}
    for path in folder.rglob("*") if recursive else folder.iterdir():
        if path.name.startswith(".") or path.suffix.lower() in _UNFINISHED or not path.is_file():
            continue
        if path.suffix.lower() in suffixes:
            yield path
            continue
        try:
            known = find_format(path) is not None
        except RecordingError:
            known = False
        if known:
            yield path


def _done_before(out: Path, journal: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run that was finished, or stopped, by file."""
    from napari_celltype.ephys.export import read_table

    rows: list[dict[str, Any]] = []
    if out.exists():
        try:
            rows += [{str(k): v for k, v in row.items()} for row in read_table(out).to_dict("records")]
        except (OSError, ValueError) as error:
            print(f"{out} could not be read and is made anew ({error})", file=sys.stderr)
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:  # the run was stopped while writing this line
                continue
    return {str(row["file"]): row for row in rows if "file" in row and "modified_ns" in row}


def _measure_all(
    files: list[Path], folder: Path, journal: Path, done: dict[str, dict[str, Any]], quiet: bool
) -> list[dict[str, Any]]:
    from tqdm import tqdm

    rows = []
    with journal.open("a", encoding="utf-8") as kept:
        for path in tqdm(files, unit="file", disable=quiet, file=sys.stderr):
            name, state = path.relative_to(folder).as_posix(), path.stat()
            row = done.get(name)
            unchanged = row is not None and (row["bytes"], row["modified_ns"]) == (state.st_size, state.st_mtime_ns)
            if row is None or not unchanged:
                row = {"file": name, "bytes": state.st_size, "modified_ns": state.st_mtime_ns, **measure_file(path)}
                kept.write(json.dumps(row) + "\n")
                kept.flush()
            rows.append(row)
    return rows


def measure_file(path: Path) -> dict[str, Any]:
    """One row: the features of a recording, or the reason it has none."""
    from napari_celltype.ephys.features import measure_features
    from napari_celltype.errors import CelltypeError
    from napari_celltype.io import read_recording

    try:
        recording = read_recording(path)
        cell = measure_features(recording)
    except CelltypeError as error:
        return {"status": "failed", "reason": f"{error.reason.rstrip('.')}. {error.hint}".strip()}
    except Exception as error:  # noqa: BLE001 - one file must not stop the night's batch; the row says what happened
        return {"status": "failed", "reason": f"unexpected {type(error).__name__}: {error}"}
    found = {
        "status": "done",
        "reason": " ".join(cell.notes),
        "format": recording.format,
        "sweeps": len(recording.sweeps),
        "spikes": len(cell.spikes),
    }
    return found | {str(name): float(value) for name, value in cell.all().items()}


def _table(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    from napari_celltype.ephys.features import FEATURES_41, WIDER_FEATURES

    first = ["file", "status", "reason", "format", "sweeps", "spikes"]
    columns = [*first, *FEATURES_41, *WIDER_FEATURES, "bytes", "modified_ns"]
    table = pd.DataFrame(rows, columns=columns)
    counts = dict.fromkeys(("sweeps", "spikes", "bytes", "modified_ns"), "Int64")
    return table.astype(counts).assign(reason=table["reason"].fillna(""))
