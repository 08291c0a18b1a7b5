"""A journal on the disk: one line a step, there before the next step is made, so that a crash loses nothing.

Lines are JSON. A line cut short by a crash is the last one and is left out on reading. A journal lies in the user's
own state folder under the hash of the file it is about: nothing is put beside anybody's data unasked, and a file that
was moved or renamed finds its journal again.
"""

from __future__ import annotations

import json
import os
import sys
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

__all__ = ["STATE_VARIABLE", "Journal", "read_journal", "state_folder"]

STATE_VARIABLE = "NAPARI_CELLTYPE_STATE"
"""Environment variable that puts the state folder elsewhere."""


def state_folder() -> Path:
    """Where this program keeps what must survive a crash; made when first written to."""
    given = os.environ.get(STATE_VARIABLE)
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "napari-celltype"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "napari-celltype"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "napari-celltype"


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Lines of a journal up to the first that is not whole; none where there is no journal."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    lines = []
    for line in data.split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not isinstance(value, dict):
            break
        lines.append(value)
    return lines


class Journal:
    """An append-only file that one program at a time may write.

    Parameters
    ----------
    name
        What the journal is about: the SHA-256 of a file.
    header
        First line of a new journal.

    Notes
    -----
    A line is handed to the operating system before :meth:`append` returns, which a crash of the program cannot undo;
    forcing it onto the disk, against a power cut, takes longer and is done in a thread of its own. If the folder
    cannot be written to, ``problem`` says so and work goes on without a journal.
    """

    def __init__(self, name: str, header: Mapping[str, Any]) -> None:
        self.path = state_folder() / "journals" / f"{name}.jsonl"
        self.problem = ""
        self._header = dict(header)
        self._file: FileIO | None = None
        self._syncing: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None

    def read(self) -> list[dict[str, Any]]:
        """What is in it, header included; nothing while another program writes it."""
        return [] if self._is_written_elsewhere() else read_journal(self.path)

    def _is_written_elsewhere(self) -> bool:
        if self._file is not None or not self.path.exists():
            return False
        try:
            with FileIO(self.path, "r+") as file:
                return not _lock(file)
        except OSError:
            return False

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        if self.problem:
            return
        try:
            file = self._opened()
            if file is not None:
                file.write(_encoded(line))
                self._sync(file)
        except OSError as error:
            self.problem = _sentence(self.path, error)

    def _opened(self) -> FileIO | None:
        if self._file is not None:
            return self._file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = FileIO(self.path, "a+")
        if not _lock(file):
            file.close()
            self.problem = (
                "Another window is repairing this file. What you do here is not kept if the program crashes, and only "
                "one of you should save."
            )
            return None
        _cut_torn_line(file)
        if not file.tell():
            file.write(_encoded({**self._header, "at": _now()}))
        self._file = file
        self._closing = weakref.finalize(self, file.close)
        return file

    def _sync(self, file: FileIO) -> None:
        if self._syncing is None:
            self._syncing = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._last = self._syncing.submit(os.fsync, file.fileno())

    def flush(self) -> None:
        """Wait until everything is on the disk."""
        if self._last is not None:
            self._last.exception()

    def set_aside(self) -> None:
        """Begin anew, keeping what there is under another name."""
        self.close()
        if self.path.exists():
            self.path.replace(self.path.with_name(f"{self.path.stem}.{datetime.now():%Y%m%d-%H%M%S-%f}.jsonl"))

    def close(self) -> None:
        """Let go of the file; appending opens it again."""
        if self._syncing is not None:
            self._syncing.shutdown(wait=True)
            self._syncing = None
        if self._file is not None:
            self._closing()
            self._file = None


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _cut_torn_line(file: FileIO) -> None:
    """Drop a last line that a crash cut short, so that the next one begins on a line of its own."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    data = file.read(size) or b""
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        file.truncate(whole)
    file.seek(0, os.SEEK_END)


def _lock(file: FileIO) -> bool:
    """Take the file for this process; the system gives it back however the process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # a byte that is never written: locked ranges cannot be read by others on Windows
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0, os.SEEK_END)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sentence(path: Path, error: OSError) -> str:
    return (
        f"The journal {path} cannot be written ({error.strerror or error}): your work is not kept if the program "
        "crashes. Save often."
    )
