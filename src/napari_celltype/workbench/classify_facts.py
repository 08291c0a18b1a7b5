"""What is found out about a recording once, for all who ask: stimuli, spikes, suggested windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.ephys.signals import trace_problem
from napari_celltype.ephys.spikes import find_spikes
from napari_celltype.ephys.stimulus import Stimulus, find_stimuli
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.recording import Recording, Sweep

__all__ = ["Facts", "SweepFacts", "sweep_facts"]


@dataclass(eq=False)
class Facts:
    """What was found out about a recording, kept so that it is found out once.

    ``stimuli`` and ``spikes`` hold an entry for every sweep once :meth:`look` has come to its end; ``spikes`` is None
    for a sweep that can have none.
    """

    recording: Recording
    stimuli: list[Stimulus] | None = None
    spikes: list[pd.DataFrame | None] | None = None
    suggested: tuple[ApWindow, ...] | None = None
    features: Any = None
    _found: dict[int, pd.DataFrame | None] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def look(self) -> Iterator[float]:
        """Find stimuli, then spikes sweep by sweep; yields the share done.

        Several workers may look at once and be stopped at any time: they share what each has found.
        """
        with self._lock:
            if self.stimuli is None:
                self.stimuli = find_stimuli(self.recording)
        sweeps = self.recording.sweeps
        for done, sweep in enumerate(sweeps):
            if self.spikes is None:
                with self._lock:
                    if sweep.index not in self._found:
                        self._found[sweep.index] = _spikes_of(sweep)
                yield (done + 1) / len(sweeps)
        if self.spikes is None:
            self.spikes = [self._found[sweep.index] for sweep in sweeps]

    def spikes_so_far(self) -> dict[int, pd.DataFrame | None]:
        """Spikes of the sweeps looked at, by index."""
        with self._lock:
            return dict(self._found)


def _spikes_of(sweep: Sweep) -> pd.DataFrame | None:
    if sweep.clamp == "voltage" or sweep.read_voltage is None:
        return None
    voltage = sweep.voltage_mv()
    return None if trace_problem(voltage) else find_spikes(voltage, sweep.rate_hz, sweep.current_pa())


@dataclass(frozen=True, eq=False)
class SweepFacts:
    """What a list of sweeps shows of one.

    Parameters
    ----------
    stimulus
        What it was stimulated with.
    peak_s, peak_mv
        Time and height of each action potential; None where it can have none, or was not looked at yet.
    """

    stimulus: Stimulus
    peak_s: NDArray[np.float64] | None = None
    peak_mv: NDArray[np.float64] | None = None


def sweep_facts(facts: Facts) -> dict[int, SweepFacts]:
    """What is known of each sweep so far, by index; empty before its stimuli are known."""
    if facts.stimuli is None:
        return {}
    spikes = facts.spikes_so_far()
    return {index: _facts_of(stimulus, spikes.get(index)) for index, stimulus in enumerate(facts.stimuli)}


def _facts_of(stimulus: Stimulus, spikes: pd.DataFrame | None) -> SweepFacts:
    if spikes is None:
        return SweepFacts(stimulus)
    if not len(spikes):
        return SweepFacts(stimulus, np.empty(0), np.empty(0))
    return SweepFacts(stimulus, spikes["peak_t_s"].to_numpy(dtype=float), spikes["peak_v_mv"].to_numpy(dtype=float))
