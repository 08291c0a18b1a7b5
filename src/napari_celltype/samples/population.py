"""A labelled population of simulated cells, as input with known truth for training recipes and their tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

from .cells import BROAD_OF_KIND, CELL_KINDS, CLASS_OF_KIND, CellKind, draw_cell
from .conductance import CellParameters, integrate
from .electrode import Electrode, add_electrode
from .protocols import SHORT_SQUARE_S, short_square_threshold_pa
from .recording import background_current
from .spikes import find_peaks, repolarises

__all__ = ["Population", "simulate_population"]

_HALF_WINDOW_S = 0.025
_BEFORE_PEAK_S, _AFTER_PEAK_S = 0.001, 0.002
_STRENGTHS = (0.9, 1.0, 1.1, 1.25, 1.45, 1.7, 2.0, 2.5)
_CELLS_AT_ONCE = 64
_MAX_DRAWS = 20


@dataclass(frozen=True, eq=False)
class Population:
    """Windows of action potentials evoked by short squares, one row a window.

    Parameters
    ----------
    peak_windows_mv
        1 ms before to 2 ms after the peak.
    onset_windows_mv
        25 ms before to 25 ms after the onset of the stimulus.
    cell_ids
        Number of the cell each window comes from; split training data by it.
    kinds, classes, broad
        Firing type that was simulated, the class it stands for, and excitatory or inhibitory.
    amplitudes_pa
        Height of the short square.
    peaks
        Sample of the peak in ``onset_windows_mv``.
    cells
        The cells, by number.
    """

    rate_hz: float
    peak_windows_mv: NDArray[np.float32] = field(repr=False)
    onset_windows_mv: NDArray[np.float32] = field(repr=False)
    cell_ids: NDArray[np.int64] = field(repr=False)
    kinds: NDArray[np.str_] = field(repr=False)
    classes: NDArray[np.str_] = field(repr=False)
    broad: NDArray[np.str_] = field(repr=False)
    amplitudes_pa: FloatArray = field(repr=False)
    peaks: NDArray[np.int64] = field(repr=False)
    cells: tuple[CellParameters, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.cell_ids)


def simulate_population(
    n_cells: int,
    *,
    seed: int = 0,
    rate_hz: float = 50_000.0,
    windows_per_cell: int = 1,
    kinds: Sequence[CellKind] = CELL_KINDS,
    electrode: Electrode | None = None,
) -> Population:
    """Draw cells of each kind in turn and record action potentials from them.

    Parameters
    ----------
    n_cells
        How many; their kinds go round ``kinds``.
    seed
        Equal seeds give equal populations.
    rate_hz
        50 or 200 kHz, as in the public recordings this stands in for; any rate from 50 kHz on works.
    windows_per_cell
        At most so many windows of each cell, from the weakest stimulus that made it fire upwards.
    electrode
        What the rig adds; by default the sample recording's, with the drift of a minute drawn per window.
    """
    rng = np.random.default_rng([seed, 3])
    electrode = Electrode() if electrode is None else electrode
    batches: list[_Batch] = []
    for first in range(0, n_cells, _CELLS_AT_ONCE):
        numbers = range(first, min(first + _CELLS_AT_ONCE, n_cells))
        batches.append(_batch([kinds[i % len(kinds)] for i in numbers], rate_hz, windows_per_cell, electrode, rng))
    return _gather(batches, rate_hz)


@dataclass
class _Batch:
    cells: list[CellParameters]
    windows: list[_Window]


@dataclass
class _Window:
    cell: int
    amplitude_pa: float
    peak: int
    trace_mv: NDArray[np.float32]


def _batch(
    kinds: list[CellKind], rate_hz: float, per_cell: int, electrode: Electrode, rng: np.random.Generator
) -> _Batch:
    cells = [draw_cell(kind, rng) for kind in kinds]
    windows: list[_Window] = []
    pending = list(range(len(cells)))
    for _ in range(_MAX_DRAWS):
        found = _fire([cells[i] for i in pending], rate_hz, per_cell, electrode, rng)
        windows += [replace(window, cell=pending[window.cell]) for window in found]
        fired = {window.cell for window in windows}
        pending = [i for i in pending if i not in fired]
        if not pending:
            return _Batch(cells, sorted(windows, key=lambda window: window.cell))
        for i in pending:  # a draw that no short square excites is no cell to classify: draw another
            cells[i] = draw_cell(kinds[i], rng)
    raise RuntimeError(f"no {kinds[pending[0]]} cell that fires could be drawn in {_MAX_DRAWS} attempts")


def _fire(
    cells: list[CellParameters], rate_hz: float, per_cell: int, electrode: Electrode, rng: np.random.Generator
) -> list[_Window]:
    """Give every cell short squares of all strengths side by side, and keep its weakest responses that fire once."""
    n = 2 * round(_HALF_WINDOW_S * rate_hz)
    onset, stop = n // 2, n // 2 + round(SHORT_SQUARE_S * rate_hz)
    cell_of_lane = np.repeat(np.arange(len(cells)), len(_STRENGTHS))
    amplitudes = np.outer([short_square_threshold_pa(cell) for cell in cells], _STRENGTHS).ravel()
    command = np.zeros((n, len(cell_of_lane)), dtype=np.float32)
    command[onset:stop] = amplitudes
    current = command.copy()
    for lane in np.flatnonzero([cells[i].background_pa > 0 for i in cell_of_lane]):
        current[:, lane] += background_current(cells[cell_of_lane[lane]], (n, 1), rate_hz, rng)[:, 0]
    potential = integrate(cells, cell_of_lane, current, rate_hz, resolution_mv=0.1)
    windows: list[_Window] = []
    taken = np.zeros(len(cells), dtype=np.int64)
    for lane in np.flatnonzero(potential.max(axis=0) > 0.0):
        cell = int(cell_of_lane[lane])
        peak = _single_peak(potential[:, lane], onset, rate_hz)
        sound = repolarises(potential[:, lane], cells[cell].rest_mv)
        if peak is not None and sound and taken[cell] < per_cell:
            taken[cell] += 1
            trace = add_electrode(
                potential[:, lane], command[:, lane], rate_hz, electrode, rng, start_s=60 * rng.uniform()
            )
            windows.append(_Window(cell, float(amplitudes[lane]), peak, trace))
    return windows


def _single_peak(potential_mv: NDArray[np.float32], onset: int, rate_hz: float) -> int | None:
    peaks = find_peaks(potential_mv)
    if len(peaks) != 1 or peaks[0] < onset:
        return None
    peak = int(peaks[0])
    return peak if peak + round(_AFTER_PEAK_S * rate_hz) <= len(potential_mv) else None


def _gather(batches: list[_Batch], rate_hz: float) -> Population:
    cells: list[CellParameters] = []
    ids: list[int] = []
    windows: list[_Window] = []
    for batch in batches:
        ids += [len(cells) + window.cell for window in batch.windows]
        windows += batch.windows
        cells += batch.cells
    before, after = round(_BEFORE_PEAK_S * rate_hz), round(_AFTER_PEAK_S * rate_hz)
    n = 2 * round(_HALF_WINDOW_S * rate_hz)
    kinds = [cells[i].kind for i in ids]
    return Population(
        rate_hz=rate_hz,
        peak_windows_mv=np.array([w.trace_mv[w.peak - before : w.peak + after] for w in windows]).reshape(
            -1, before + after
        ),
        onset_windows_mv=np.array([w.trace_mv for w in windows]).reshape(-1, n),
        cell_ids=np.array(ids, dtype=np.int64),
        kinds=np.array(kinds, dtype=np.str_),
        classes=np.array([CLASS_OF_KIND[kind] for kind in kinds], dtype=np.str_),
        broad=np.array([BROAD_OF_KIND[kind] for kind in kinds], dtype=np.str_),
        amplitudes_pa=np.array([w.amplitude_pa for w in windows], dtype=np.float64),
        peaks=np.array([w.peak for w in windows], dtype=np.int64),
        cells=tuple(cells),
    )
