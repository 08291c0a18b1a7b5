"""Notice that a file is no longer the one that was opened, before its bytes are taken for the old ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from napari_celltype.errors import RecordingError

__all__ = ["FileStamp"]


class FileStamp(NamedTuple):
    """What tells a file from its former or later self: size, time of change, identity."""

    size: int
    changed_ns: int
    identity: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Stamp of the file as it is now; RecordingError if it is gone."""
        try:
            return cls.of_status(os.stat(path))
        except OSError as error:
            reason = f"cannot be read any more ({error.strerror or error})"
            raise RecordingError(reason, path=path, hint="Check that the file is still where it was.") from error

    @classmethod
    def of_status(cls, status: os.stat_result) -> FileStamp:
        """Stamp from what :func:`os.stat` or :func:`os.fstat` tells."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    def require(self, now: FileStamp, path: Path) -> None:
        """Raise RecordingError if the file has changed since this stamp was taken."""
        if now != self:
            raise RecordingError("has changed since it was opened", path=path, hint="Open it again.")
