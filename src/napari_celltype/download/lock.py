"""One download at a time in a folder: two would write the same files and the same record."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .web import DownloadError

__all__ = ["only_one"]

_NAME = ".download.lock"


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder until the block is left; the system lets go of it too if the program dies.

    Raises
    ------
    DownloadError
        If another download holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, folder)
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        hint = "Wait until it has ended, or choose another folder."
        raise DownloadError("another download is writing here", path=folder, hint=hint, ends_all=True) from error
