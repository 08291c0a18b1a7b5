"""What the journal of a repair says, and what it tells of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_celltype import __version__
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .repair_state import Action, action_from_json

__all__ = ["EarlierWork", "earlier_work", "journal_header"]

_SCHEMA = "napari-celltype/repair-journal"


@dataclass(frozen=True)
class EarlierWork:
    """What a journal tells of an earlier run.

    ``done`` and ``undone`` are actions in the order they were made and taken back; ``saved_as`` is the file last
    saved, empty if what was done since was not saved.
    """

    done: tuple[Action, ...]
    undone: tuple[Action, ...]
    at: str
    saved_as: str = ""


def journal_header(neuron: Neuron, sha256: str) -> dict[str, Any]:
    """First line of a neuron's journal."""
    name = neuron.path.name if neuron.path else neuron.name
    return {
        "schema": _SCHEMA,
        "version": 1,
        "tool": f"napari-celltype {__version__}",
        "source": {"name": name, "path": str(neuron.path or ""), "sha256": sha256},
    }


def earlier_work(lines: Sequence[Mapping[str, Any]]) -> EarlierWork | None:
    """What a journal tells; None where nothing of it is in effect or it is of a version we do not know."""
    if not lines or lines[0].get("schema") != _SCHEMA or lines[0].get("version") != 1:
        return None
    done: list[Action] = []
    undone: list[Action] = []
    saved_as = ""
    for line in lines[1:]:
        if "saved" in line:
            saved_as = str(line["saved"])
            continue
        saved_as = ""
        if "undo" in line:
            undone += [done.pop()] if done else []
            continue
        try:
            action = action_from_json(line)
        except RepairError:
            break  # a journal that was tampered with: what comes before is whole
        if undone and undone[-1] == action:
            undone.pop()
        else:
            undone.clear()
        done.append(action)
    return EarlierWork(tuple(done), tuple(undone), str(lines[0].get("at", "")), saved_as) if done else None
