"""Open any recording: find out what it is from its content and hand it to the module that reads it."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from .registry import find_format, read_head
from .unknown import describe_unknown

__all__ = ["list_recordings", "read_recording"]

_UNFINISHED = {".part", ".tmp", ".crdownload", ".download"}


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
    path = Path(path)
    _check_it_is_a_file(path)
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


def _check_it_is_a_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise RecordingError(
            "is a folder, not a recording",
            path=path,
            hint="Name one recording in it; napari_celltype.io.list_recordings gives them.",
        )
    if path.exists():
        raise RecordingError("is a device or a pipe, not a file", path=path, hint="Save it to a file first.")
    raise RecordingError("does not exist", path=path, hint=_hint_for_missing(path))


def _hint_for_missing(path: Path) -> str:
    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return f"The folder {path.parent} does not exist or cannot be listed either."
    alike = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"Is {alike[0]} meant?" if alike else "Check the path and whether the drive is connected."
