"""Write a file whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_atomically", "write_file_atomically"]


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> Path:
    """Write ``data`` to ``path`` so that a crash leaves either the old file or the new one.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    return write_file_atomically(path, write, overwrite=overwrite)


def write_file_atomically(
    path: str | os.PathLike[str], write: Callable[[Path], None], *, overwrite: bool = False
) -> Path:
    """Let ``write`` make a file beside ``path`` and put it in its place once it is whole and on the disk.

    For libraries that write files themselves. The temporary file has the same suffix as ``path``, since some of
    them insist on theirs.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already; choose another name or ask for overwriting")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".part{path.suffix}")
    os.close(handle)
    try:
        write(Path(temporary))
        with open(temporary, "rb+") as file:
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
