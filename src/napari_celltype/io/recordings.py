"""Open any recording: find out what it is from its content and hand it to the module that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from .paths import require_file
from .registry import find_format, read_head
from .unknown import describe_unknown

__all__ = ["list_recordings", "read_recording"]

_UNFINISHED = {".part", ".tmp", ".crdownload", ".download"}
_IN_A_FOLDER = "Name one recording in it; napari_celltype.io.list_recordings gives them."


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Open a patch-clamp recording; samples are read when a sweep is asked for them.

    Parameters
    ----------
    path
        An ABF, ATF, NWB or other file named in :data:`napari_celltype.io.registry.FORMATS`; the content decides,
        not the suffix.

    Raises
    ------
    RecordingError
        If nothing in the file can be read: with the path, the reason and what to do next.
    """
    path = require_file(path, RecordingError, what="recording", folder_hint=_IN_A_FOLDER)
    found = find_format(path)
    if found is None:
        reason, hint = describe_unknown(path, read_head(path))
        raise RecordingError(reason, path=path, hint=hint)
    return found.read(path)


def list_recordings(folder: str | os.PathLike[str]) -> list[Path]:
    """Recordings in a folder, by content and sorted by name, without those in its subfolders.

    Hidden files and downloads under way (``.part``, ``.tmp``) are left out, and so are files that cannot be read.

    Raises
    ------
    RecordingError
        If the folder cannot be listed.
    """
    folder = Path(folder)
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
    except OSError as error:
        reason = f"cannot be listed ({error.strerror or error})"
        raise RecordingError(reason, path=folder, hint="Give the folder the recordings are in.") from error
    return [file for file in files if file.suffix.lower() not in _UNFINISHED and _is_recording(file)]


def _is_recording(file: Path) -> bool:
    try:
        return find_format(file) is not None
    except RecordingError:
        return False
