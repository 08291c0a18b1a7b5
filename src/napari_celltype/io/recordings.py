"""Open any recording: find out what it is from its content and hand it to the module that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from .registry import find_format

__all__ = ["read_recording"]


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
    if path.is_dir():
        raise RecordingError(
            "is a folder, not a recording", path=path, hint="Use list_recordings to see the recordings in it."
        )
    found = find_format(path)
    if found is None:
        raise RecordingError("is in no recording format known here", path=path)
    return found.read(path)
