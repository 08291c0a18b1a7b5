"""The file beside a recording that keeps what was done with it, ``cell.abf.celltype.json``; the recording stays as is.

A file says which recording it is about (size, time of change, SHA-256), so that choices made for one recording are not
put onto another that has taken its name. What cannot be written beside the recording goes where the user says, or into
the program's own folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_atomically
from napari_celltype.io.stamp import FileStamp

from .journal import state_folder
from .session_codec import decoded, encoded
from .session_state import RecordingState
from .session_table import CellRow

__all__ = [
    "TABLE_NAME",
    "LoadedState",
    "Saved",
    "SessionConflict",
    "find_state_file",
    "load_state",
    "load_table",
    "own_place",
    "place_beside",
    "save_state",
    "save_table",
    "write_problem",
]

SUFFIX = ".celltype.json"
TABLE_NAME = f"cells{SUFFIX}"
_SCHEMA = "napari-celltype/session"
_TABLE_SCHEMA = "napari-celltype/session-table"
_VERSION = 1
_BLOCK = 1 << 20


class SessionConflict(CelltypeError):
    """A session file is there that would be lost."""


@dataclass(frozen=True)
class Saved:
    """A session file as it was when this program wrote or read it."""

    path: Path
    stamp: FileStamp


@dataclass(frozen=True, eq=False)
class LoadedState:
    """What a session file holds; ``changed`` says how the recording is no longer the one it is about."""

    state: RecordingState
    saved: Saved
    saved_at: str
    changed: str = ""


# where ------------------------------------------------------------------------------------------------------------


def place_beside(recording: Path) -> Path:
    """The session file's place beside its recording."""
    return recording.with_name(recording.name + SUFFIX)


def own_place(recording: Path) -> Path:
    """Its place in the program's own folder, for recordings whose folder cannot be written to."""
    name = hashlib.sha256(str(recording.absolute()).encode()).hexdigest()[:24]
    return state_folder() / "sessions" / f"{recording.name}.{name}{SUFFIX}"


def find_state_file(recording: Path) -> Path | None:
    """The session file of a recording: the newer of the two places it may lie in."""
    found = []
    for place in (place_beside(recording), own_place(recording)):
        try:
            found.append((place.stat().st_mtime_ns, place))
        except OSError:
            continue
    return max(found)[1] if found else None


# one recording ------------------------------------------------------------------------------------------------------


def save_state(
    path: Path, recording: Path, state: RecordingState, *, before: Saved | None = None, overwrite: bool = False
) -> Saved:
    """Write the session file of a recording, whole or not at all.

    Parameters
    ----------
    path
        Where to.
    recording
        What it is about.
    state
        What to keep.
    before
        The file as this program knew it last: a file that has been written by somebody else since is not replaced.
    overwrite
        Replace it all the same.

    Raises
    ------
    SessionConflict
        If another one is there, or it was made by a newer version of this program.
    OSError
        If it cannot be written; :func:`write_problem` puts it into words.
    """
    _refuse_to_replace(path, before, overwrite=overwrite)
    document = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "saved_at": _now(),
        "recording": _identity(recording),
        "choices": {what: encoded(value) for what, value in state.choices.items()},
        "sweeps": encoded(state.sweeps),
        "call": encoded(state.call),
        "done": encoded(state.done),
        "undone": encoded(state.undone),
        "row": encoded(state.row),
    }
    return _write(path, document)


def load_state(path: Path, recording: Path) -> LoadedState:
    """Read a session file, and say whether the recording is still the one it is about.

    Raises
    ------
    CelltypeError
        If it cannot be read or understood.
    """
    document, stamp = _read(path, _SCHEMA)
    try:
        state = RecordingState(
            choices={str(what): decoded(value) for what, value in document["choices"].items()},
            call=decoded(document["call"]),
            sweeps=decoded(document["sweeps"]),
            done=decoded(document["done"]),
            undone=decoded(document["undone"]),
            row=decoded(document["row"]),
        )
        changed = _how_changed(document["recording"], recording)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _not_understood(path, error) from error
    except CelltypeError as error:
        raise CelltypeError(error.reason, path=path, hint=_DAMAGED) from error
    return LoadedState(state, Saved(path, stamp), str(document.get("saved_at", "")), changed)


# a folder's table -----------------------------------------------------------------------------------------------------


def save_table(path: Path, rows: Sequence[CellRow], *, before: Saved | None = None, overwrite: bool = False) -> Saved:
    """Write the cells of a session; raises as :func:`save_state` does."""
    _refuse_to_replace(path, before, overwrite=overwrite)
    return _write(path, {"schema": _TABLE_SCHEMA, "version": _VERSION, "saved_at": _now(), "rows": encoded(list(rows))})


def load_table(path: Path) -> tuple[list[CellRow], Saved]:
    """Read the cells of a session; raises as :func:`load_state` does."""
    document, stamp = _read(path, _TABLE_SCHEMA)
    try:
        rows = decoded(document["rows"])
    except (KeyError, TypeError) as error:
        raise _not_understood(path, error) from error
    except CelltypeError as error:
        raise CelltypeError(error.reason, path=path, hint=_DAMAGED) from error
    return [row for row in rows if isinstance(row, CellRow)], Saved(path, stamp)


# what both do ---------------------------------------------------------------------------------------------------------

_DAMAGED = "It is damaged or was changed by hand; delete it or move it away to begin anew."


def write_problem(path: Path, error: OSError) -> str:
    """Why a session file could not be written, and what can be done about it."""
    why = "you may not write there" if isinstance(error, PermissionError) else error.strerror or str(error)
    if error.errno == 30:  # EROFS has this number wherever there is such an error
        why = "the drive is read-only"
    return f"{path.name} cannot be written into {path.parent}: {why}. Nothing is lost yet: choose another place for it."


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _write(path: Path, document: dict[str, Any]) -> Saved:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(document, indent=1, allow_nan=False).encode(), overwrite=True)
    return Saved(path, FileStamp.of(path))


def _read(path: Path, schema: str) -> tuple[dict[str, Any], FileStamp]:
    try:
        with path.open("rb") as file:
            stamp = FileStamp.of_status(os.fstat(file.fileno()))
            document = json.loads(file.read())
    except OSError as error:
        raise CelltypeError(f"cannot be read ({error.strerror or error})", path=path) from error
    except ValueError as error:
        raise _not_understood(path, error) from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise CelltypeError("is not a session file of this program", path=path, hint="Choose another file.")
    if not isinstance(document.get("version"), int) or document["version"] > _VERSION:
        raise CelltypeError(
            "was saved by a newer version of napari-celltype", path=path, hint="Update napari-celltype to open it."
        )
    return document, stamp


def _not_understood(path: Path, error: Exception) -> CelltypeError:
    return CelltypeError(f"cannot be understood ({error})", path=path, hint=_DAMAGED)


def _refuse_to_replace(path: Path, before: Saved | None, *, overwrite: bool) -> None:
    """A file somebody else has written, or a newer program, is not replaced silently."""
    if overwrite or not path.exists():
        return
    try:
        document = json.loads(path.read_bytes())
        version, saved_at = document.get("version", 0), document.get("saved_at", "")
    except (OSError, ValueError, AttributeError):
        version, saved_at = 0, ""
    if isinstance(version, int) and version > _VERSION:
        raise SessionConflict(
            "was saved by a newer version of napari-celltype and is not replaced",
            path=path,
            hint="Save under another name, or update napari-celltype.",
        )
    # some network drives give a file another identity each time it is asked: size and time must do
    if before is None or before.path != path or FileStamp.of(path)[:2] != before.stamp[:2]:
        raise SessionConflict(
            f"was saved by somebody else{f' at {saved_at}' if saved_at else ''} and is not replaced",
            path=path,
            hint="Load it, save under another name, or replace it on purpose.",
        )


# is it still the same recording? --------------------------------------------------------------------------------------


def _identity(recording: Path) -> dict[str, Any]:
    stamp = FileStamp.of(recording)
    return {
        "name": recording.name,
        "size": stamp.size,
        "changed_ns": stamp.changed_ns,
        "sha256": _sha256(recording, stamp),
    }


@lru_cache(maxsize=256)
def _sha256(recording: Path, stamp: FileStamp) -> str:
    """Hash of the whole file, which need not be read again while its stamp is the same."""
    digest = hashlib.sha256()
    try:
        with recording.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise CelltypeError(f"cannot be read ({error.strerror or error})", path=recording) from error
    return digest.hexdigest()


def _how_changed(identity: dict[str, Any], recording: Path) -> str:
    """How a recording differs from the one a session is about; copying it or touching it makes no difference."""
    stamp = FileStamp.of(recording)
    if stamp.size != identity["size"]:
        return f"it had {identity['size']:,} bytes then and has {stamp.size:,} now"
    if stamp.changed_ns == identity["changed_ns"] or _sha256(recording, stamp) == identity["sha256"]:
        return ""
    return "its content is another, though as long as it was"
