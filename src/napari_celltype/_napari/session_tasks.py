"""Writing and finding session files, as steps for a worker."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.session_file import (
    LoadedState,
    Saved,
    SessionConflict,
    find_state_file,
    load_state,
    save_state,
    save_table,
    write_problem,
)

__all__ = ["Done", "NoFile", "Refusal", "Task", "find_steps", "save_steps"]


@dataclass(frozen=True, eq=False)
class Task:
    """Something to write: the state of an item, or the cells of a folder (then ``item_id`` is empty)."""

    item_id: str
    path: Path
    recording: Path | None
    content: Any
    before: Saved | None = None
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class Refusal:
    """Something that was not written, and why; ``is_conflict`` where another file would be lost."""

    task: Task
    reason: str
    is_conflict: bool


class NoFile:
    """There is no file of that name in a folder that can be read: a sample, say."""


@dataclass(frozen=True, eq=False)
class Done:
    """Something that was written."""

    task: Task
    saved: Saved


def find_steps(recording: Path) -> Generator[LoadedState | NoFile | None, None, None]:
    """What was saved for a recording, if anything."""
    if recording.parent.is_dir() and not recording.is_file():
        yield NoFile()
        return
    place = find_state_file(recording)
    yield None if place is None else load_state(place, recording)


def save_steps(task: Task, before: Saved | None) -> Generator[Done | Refusal, None, None]:
    """Write it, and say how that went."""
    try:
        if task.recording is None:
            saved = save_table(task.path, task.content, before=before, overwrite=task.overwrite)
        else:
            saved = save_state(task.path, task.recording, task.content, before=before, overwrite=task.overwrite)
    except CelltypeError as error:
        yield Refusal(task, str(error), isinstance(error, SessionConflict))
    except OSError as error:
        yield Refusal(task, write_problem(task.path, error), is_conflict=False)
    else:
        yield Done(task, saved)
