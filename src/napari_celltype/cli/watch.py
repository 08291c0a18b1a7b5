"""``napari-celltype watch``: tell the type of each new recording in a folder."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._arguments import size

if TYPE_CHECKING:
    from napari_celltype.models.files import FilePredictor
    from napari_celltype.workbench.watch import FolderWatch, WatchedFile

_ABOUT = (
    "Watch a folder and tell the type of each new recording as soon as it is finished. Runs until Ctrl+C. Files that "
    "are there already are left alone unless --existing is given; subfolders are not looked into."
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("watch", help="tell the type of each new recording in a folder", description=_ABOUT)
    parser.add_argument("folder", type=Path, help="the folder recordings are written to")
    parser.add_argument("--json", action="store_true", help="print each as one line of JSON, like predict")
    parser.add_argument("--existing", action="store_true", help="begin with the recordings that are there already")
    parser.add_argument("--model", help="name of a bundled model, or folder of one you trained (default: by file)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument(
        "--settle",
        type=size,
        default=3.0,
        metavar="S",
        help="a file is finished when it has not changed for this many seconds (default: 3)",
    )
    parser.add_argument(
        "--give-up",
        type=size,
        default=120.0,
        metavar="S",
        help="a file that cannot be read has failed when it has not changed for this many seconds (default: 120)",
    )
    parser.add_argument("--every", type=size, default=1.0, metavar="S", help="look this often (default: each second)")
    parser.add_argument("--count", type=int, metavar="N", help="end after this many recordings")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl+C, or until the count is full; 1 if any file failed."""
    from napari_celltype.models.files import FilePredictor
    from napari_celltype.workbench.watch import FolderWatch, WatchOptions

    if arguments.folder.is_file():
        print(f"{arguments.folder} is a file. Use “predict” for a single recording.", file=sys.stderr)
        return 2
    watch = FolderWatch(arguments.folder, WatchOptions(arguments.settle, arguments.give_up, arguments.existing))
    predictor = FilePredictor(arguments.model, None, arguments.device)
    n_done = n_failed = 0
    try:
        for entry in _entries(watch, predictor, arguments.every):
            _print(entry, as_json=arguments.json)
            n_done, n_failed = n_done + 1, n_failed + ("error" in entry)
            if n_done == arguments.count:
                break
    except KeyboardInterrupt:
        pass
    print(f"{n_done} recordings, {n_failed} of them failed.", file=sys.stderr)
    return int(n_failed > 0)


def _entries(watch: FolderWatch, predictor: FilePredictor, every_s: float) -> Iterator[dict[str, Any]]:
    """One dictionary for each recording as it is finished; what the folder itself is about goes to stderr."""
    problem = None
    while True:
        start = time.monotonic()
        watch.look()
        if watch.problem != problem:
            problem = watch.problem
            print(problem or f"Watching {watch.folder}. End with Ctrl+C.", file=sys.stderr, flush=True)
        while (file := watch.due()) is not None:
            yield from _judge(watch, predictor, file)
            watch.look()
        # a folder that takes long to list is not looked into all the time
        time.sleep(max(every_s, time.monotonic() - start))


def _judge(watch: FolderWatch, predictor: FilePredictor, file: WatchedFile) -> Iterator[dict[str, Any]]:
    """The entry of a file; nothing if it is not finished yet."""
    from napari_celltype.errors import RecordingError
    from napari_celltype.workbench.watch_judge import open_finished, what_is_missing

    watch.begin(file)
    try:
        missing = what_is_missing(open_finished(file.path, take_as_is=watch.is_last_try(file)))
    except (RecordingError, OSError) as error:
        watch.refuse(file, str(error))
        now = watch.file(file.path)
        if now is not None and now.state == "failed":
            yield {"path": str(file.path), "kind": "recording", "error": str(error)}
        return
    entries = list(predictor.entries([file.path]))
    watch.finish(file, ", ".join(entry.get("label", "") for entry in entries))
    for entry in entries:
        yield entry | ({"notes": [missing, *entry.get("notes", [])]} if missing else {})


def _print(entry: dict[str, Any], *, as_json: bool) -> None:
    from .predict import as_text

    print(json.dumps(entry, allow_nan=False) if as_json else as_text(entry), flush=True)
