"""Read Neurodata Without Borders files: tell the two generations apart and hand them on."""

from __future__ import annotations

from pathlib import Path

import h5py

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from . import nwb1, nwb2
from .hdf5 import HDF5_ERRORS, Hdf5Source, read_text, read_value, to_text

__all__ = ["read"]


def read(path: Path) -> Recording:
    """Open an NWB file of either generation, lazily.

    Raises
    ------
    RecordingError
        If it is damaged or holds no patch-clamp recording.
    """
    source = Hdf5Source(path)
    with source.open() as file:
        if not _has_version(file) and "acquisition" not in file:
            raise RecordingError("is an HDF5 file, but not an NWB file: it states no NWB version", path=path)
        try:
            return (nwb1 if _is_first_generation(file) else nwb2).read_file(source, file)
        except HDF5_ERRORS as error:
            reason = f"is damaged and cannot be indexed ({error})"
            raise RecordingError(reason, path=path, hint="Copy it again from where it was recorded.") from error


def _has_version(file: h5py.File) -> bool:
    return "nwb_version" in file.attrs or "nwb_version" in file


def _is_first_generation(file: h5py.File) -> bool:
    """Version 1 keeps its version in a dataset and its series one level deeper; version 2 has an attribute."""
    if read_text(file.id, "nwb_version"):
        return False
    version = to_text(read_value(file.id, "nwb_version"))
    return version.startswith(("NWB-1", "1.")) or "acquisition/timeseries" in file
