"""Write a file whole or not at all, and never over another one unasked."""

from __future__ import annotations

import errno
import os
import stat
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
    them insist on theirs. A link stays a link: the file it leads to is replaced.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    OSError
        If it cannot be written, or what is there is no file (a folder, a device).
    """
    path = Path(path)
    place = _find_place(path, overwrite=overwrite)
    # a short name of its own, so that whatever name may be written may be written this way
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=f".part{place.suffix[:16]}")
    os.close(handle)
    try:
        write(Path(temporary))
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        _take_place(temporary, place, overwrite=overwrite)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _find_place(path: Path, *, overwrite: bool) -> Path:
    """Where the file really goes, links followed; renaming a file over a device would destroy the device."""
    if "\x00" in str(path):
        raise OSError(errno.EINVAL, "a name cannot hold a zero byte", str(path))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path if not path.is_symlink() else path.resolve()
    if not overwrite:
        raise FileExistsError(f"{path} exists already; choose another name or ask for overwriting")
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "there is a folder of that name", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "there is a device or a pipe of that name", str(path))
    return path.resolve()


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
