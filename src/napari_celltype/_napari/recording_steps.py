"""What the Recording dock lets a worker find out: problems, then stimuli and spikes."""

from __future__ import annotations

import time
from collections.abc import Generator

from napari_celltype.workbench.classify_facts import Facts, SweepFacts, sweep_facts

__all__ = ["Found", "look_steps"]

_TELL_EVERY_S = 0.4

Found = tuple[list[str], dict[int, str]] | dict[int, SweepFacts]
"""Problems of the recording and of its sweeps, or what is known of each sweep so far."""


def look_steps(facts: Facts) -> Generator[Found, None, None]:
    """Problems first, then stimuli and spikes as they are found: all of it reads samples, which is not the GUI's work.

    Blank tails are found by reading the end of every sweep.
    """
    recording, of_sweeps = facts.recording, {}
    for sweep in recording.sweeps:
        problem = sweep.tail_problem
        if problem is None and sweep.clamp == "unknown":
            problem = "Clamp mode unknown."
        if problem:
            of_sweeps[sweep.index] = problem
    yield recording.problems, of_sweeps
    told = time.monotonic()
    for _ in facts.look():
        if time.monotonic() - told > _TELL_EVERY_S:
            yield sweep_facts(facts)
            told = time.monotonic()
    yield sweep_facts(facts)
