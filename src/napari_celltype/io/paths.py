"""Whether a path names a file that can be read, told before a reader tries, and with the reason if it does not."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path

from napari_celltype.errors import CelltypeError

__all__ = ["require_file"]


def require_file(
    path: str | os.PathLike[str], error: type[CelltypeError], *, what: str, folder_hint: str = "Choose a file in it."
) -> Path:
    """The path, if it is a file or a link to one; else the given error.

    Devices and pipes are refused: reading one may never end.

    Parameters
    ----------
    path
        Where to look. Nothing is opened.
    error
        The kind of error to raise.
    what
        What the file should be, for the messages: ``"recording"``.
    folder_hint
        What to do if it is a folder.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path, error) from None
    except (OSError, ValueError) as reason:
        raise _unreachable(path, error, reason) from reason
    if stat.S_ISREG(mode):
        return path
    if stat.S_ISDIR(mode):
        raise error(f"is a folder, not a {what}", path=path, hint=folder_hint)
    raise error("is a device or a pipe, not a file", path=path, hint="Save it to a file first.")


def _missing(path: Path, error: type[CelltypeError]) -> CelltypeError:
    if path.is_symlink():
        target = os.readlink(path)
        return error(f"is a link to {target}, which does not exist", path=path, hint="Open the file itself.")
    return error("does not exist", path=path, hint=_hint_for_missing(path))


def _hint_for_missing(path: Path) -> str:
    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return f"The folder {path.parent} does not exist or cannot be listed either."
    alike = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"Is {alike[0]} meant?" if alike else "Check the path and whether the drive is connected."


def _unreachable(path: Path, error: type[CelltypeError], reason: OSError | ValueError) -> CelltypeError:
    if isinstance(reason, PermissionError):
        hint = "Ask for the right to read it and the folders above it."
        return error("may not be read (permission denied)", path=path, hint=hint)
    why = reason.strerror if isinstance(reason, OSError) else str(reason)
    return error(f"cannot be read ({why or reason})", path=path, hint="Check the path.")
