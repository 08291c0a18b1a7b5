"""What the repair dock offers when a file is opened that was being repaired before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_celltype.workbench.repair_session import RepairSession

__all__ = ["offer_earlier_work"]

_visited: set[str] = set()
"""Files repaired since the program started: their decisions come back unasked."""


def offer_earlier_work(desk: Any, repair: RepairSession) -> None:
    """Go on where this run of the program left a file; ask first if it was an earlier run."""
    earlier, known = repair.earlier, repair.source_sha256 in _visited
    _visited.add(repair.source_sha256)
    if earlier is None:
        return
    if known:
        desk.attempt(repair.restore)
        return
    saved = f"saved as {Path(earlier.saved_as).name}" if earlier.saved_as else "not saved"
    n = len(earlier.done)
    desk.ask(
        f"This file was being repaired on {earlier.at[:16].replace('T', ' at ')}: {n} step{'s' if n != 1 else ''}, "
        f"the last “{earlier.done[-1].label}”, {saved}. Go on from there?",
        [("Go on from there", _Restore(desk, repair)), ("Start afresh", repair.start_afresh)],
    )


class _Restore:
    """The answer that goes on; says why if that is not possible."""

    def __init__(self, desk: Any, repair: RepairSession) -> None:
        self._desk = desk
        self._repair = repair

    def __call__(self) -> None:
        self._desk.attempt(self._repair.restore)
