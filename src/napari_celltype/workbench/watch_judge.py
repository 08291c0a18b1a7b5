"""Reading and judging one file of a watched folder; for a worker or a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from napari_celltype.errors import RecordingError
from napari_celltype.io import read_recording
from napari_celltype.recording import Recording

from .classify import Facts, Found, Progress, Request, Step, Suggested, classify
from .classify_models import Shelf
from .classify_text import headline
from .classify_values import CellCall, ModelChoice

__all__ = ["Judged", "call_with", "judge_file", "open_finished", "said_of", "what_is_missing"]

# what readers note of a file whose end is missing
_CUT_OFF = re.compile(r"ends early|is left out: its|but the file (holds|has)|columns are missing|should end at byte")


@dataclass(frozen=True, eq=False)
class Judged:
    """A recording read and judged to the end; ``remark`` is what should be known about it."""

    recording: Recording
    call: CellCall
    facts: Facts
    remark: str = ""


def open_finished(path: Path, *, take_as_is: bool = False) -> Recording:
    """Open a recording that should be complete.

    Parameters
    ----------
    path
        The file.
    take_as_is
        Open it also if its end is missing.

    Raises
    ------
    RecordingError
        If it cannot be read, or is readable but ends before its header says.
    """
    recording = read_recording(path)
    missing = what_is_missing(recording)
    if missing and not take_as_is:
        raise RecordingError("is not written to its end yet", path=path, hint=missing)
    return recording


def what_is_missing(recording: Recording) -> str:
    """What its reader notes of an end that is missing; empty for a whole recording."""
    return " ".join(note for note in recording.problems if _CUT_OFF.search(note))


def judge_file(
    path: Path, model: ModelChoice, shelf: Shelf, *, take_as_is: bool = False
) -> Iterator[Progress | Judged]:
    """Read and judge a file: progress, and at the end all that is said of it.

    Raises
    ------
    RecordingError
        If it cannot be read (yet).
    CelltypeError
        If it cannot be judged.
    """
    yield Progress(0.0, "Reading")
    recording = open_finished(path, take_as_is=take_as_is)
    facts, call = Facts(recording), CellCall()
    for step in classify(Request(model), facts, shelf):
        call = call_with(call, step)
        yield step if isinstance(step, Progress) else Progress(0.5, "Judging")
    yield Judged(recording, call, facts, what_is_missing(recording))


def call_with(call: CellCall, step: Step) -> CellCall:
    """What is said of a cell after one more step."""
    if isinstance(step, Suggested):
        return replace(call, suggested=step.windows, window=step.window)
    return replace(call, **step.parts) if isinstance(step, Found) else call


def said_of(call: CellCall) -> str:
    """The answer in a few words."""
    if call.verdict is None:
        return call.refusal or "Nothing can be said."
    answer, detail = headline(call.verdict)
    return f"{answer} ({detail})" if call.verdict.abstained and detail else answer
