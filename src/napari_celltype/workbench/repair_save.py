"""Save a repaired neuron as a new file, with the record of what was done in it and beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from napari_celltype.errors import CelltypeError, RepairError
from napari_celltype.io import write_swc
from napari_celltype.io.atomic import write_atomically
from napari_celltype.morphology.edits import record_from_comments
from napari_celltype.neuron import Neuron

from .repair_session import RepairSession

__all__ = ["Saved", "default_target", "is_earlier_result", "is_source", "record_beside", "save_repair"]

_SUFFIXES = (".swc.gz", ".eswc.gz", ".swc", ".eswc")


@dataclass(frozen=True)
class Saved:
    """What was written."""

    path: Path
    record: Path

    @property
    def message(self) -> str:
        """A sentence for the user."""
        return f"Saved as {self.path.name}, with the record of all edits beside it (.json), in {self.path.parent}."


def default_target(source: Path) -> Path:
    """Where the repaired neuron goes unless the user says otherwise: ``cell.repaired.swc`` beside ``cell.swc``."""
    lower = source.name.lower()
    suffix = next((suffix for suffix in _SUFFIXES if lower.endswith(suffix)), source.suffix)
    stem = source.name[: len(source.name) - len(suffix)] if suffix else source.name
    return source.with_name(f"{stem}.repaired.swc")


def record_beside(path: Path) -> Path:
    """Where the record of edits of a saved file goes."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".swc") + ".json")


def is_source(session: RepairSession, path: Path) -> bool:
    """Whether saving to this path would replace the original."""
    source = session.source.path
    if source is None:
        return False
    try:
        return path.resolve() == source.resolve() or path.samefile(source)
    except OSError:
        return False


def is_earlier_result(session: RepairSession, path: Path) -> bool:
    """Whether the file there is one that this program saved from the same original."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = [line for line in file if line.startswith("#")]
        record = record_from_comments(head)
    except (OSError, CelltypeError):
        return False
    return record is not None and record.source_sha256 == session.source_sha256


def save_repair(
    session: RepairSession, path: Path, *, overwrite: bool = False, replace_original: bool = False
) -> Saved:
    """Save the neuron as repaired so far, and the record beside it.

    Parameters
    ----------
    session
        What to save.
    path
        The new file.
    overwrite
        Whether a file of that name may be replaced.
    replace_original
        Whether that may be the original, which nothing else allows.

    Raises
    ------
    RepairError, NeuronError
        If the path is the original or exists and that was not allowed, the neuron cannot be saved, or the disk refuses.
    """
    if is_source(session, path) and not replace_original:
        raise RepairError("is the original, which is never replaced unasked", path=path, hint="Choose another name.")
    record, state = session.record(), session.state
    beside = record_beside(path)
    if beside.exists() and not overwrite:
        raise RepairError("exists already and was left as it is", path=beside, hint="Choose another name.")
    write_swc(session.neuron, path, overwrite=overwrite, comments=record.comments() if record.edits else ())
    document = json.loads(record.to_json()) | {"review": _review(session)}
    try:
        write_atomically(beside, (json.dumps(document, indent=1) + "\n").encode(), overwrite=overwrite)
    except OSError as error:
        reason = f"could not be written ({error.strerror or error}); the neuron itself was saved as {path.name}"
        raise RepairError(reason, path=beside) from error
    session.note_saved(str(path), state)
    return Saved(path, beside)


def _review(session: RepairSession) -> dict[str, object]:
    """Who looks at the record later should also see what was looked at and left alone."""
    decided = [
        {**row.jump.to_json(), "state": row.state, "mode": row.mode}
        for row in session.jumps.rows
        if not row.left_out or row.state != "proposed"
    ]
    before, after = session.before, session.after
    return {
        "min_dz_um": session.min_dz_um,
        "min_slope": session.min_slope,
        "jumps": decided,
        "length_um": [before.length_um, after.length_um],
        "extent_um": [before.extent_um, after.extent_um],
    }


def earlier_record(neuron: Neuron) -> str:
    """A sentence on the repairs a file says were made to it already; empty if it says nothing."""
    if neuron.text is None:
        return ""
    head = neuron.text.body[:2_000_000].decode("utf-8", errors="replace").splitlines()
    try:
        record = record_from_comments(line for line in head if line.startswith("#"))
    except CelltypeError:
        return ""
    if record is None:
        return ""
    n = len(record.edits)
    return f"This file was made from {record.source_name} by {record.tool} with {n} edit{'s' if n != 1 else ''}."
