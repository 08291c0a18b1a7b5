"""Write a file whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> Path:
    """Write ``data`` to ``path`` so that a crash leaves either the old file or the new one.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already; choose another name or ask for overwriting")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _take_place(temporary, path, overwrite=overwrite)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _take_place(temporary: str, path: Path, *, overwrite: bool) -> None:
    mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
    Path(temporary).chmod(mode)
    if overwrite:
        Path(temporary).replace(path)
        return
    try:
        os.link(temporary, path)  # fails, unlike rename, if somebody made the file meanwhile
    except FileExistsError:
        raise
    except OSError:  # file systems without hard links
        if path.exists():
            raise FileExistsError(f"{path} exists already; choose another name or ask for overwriting") from None
        Path(temporary).replace(path)
    else:
        Path(temporary).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
