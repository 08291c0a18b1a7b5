"""A conductance-based point neuron, integrated for many cells and stimuli at once.

Units are those of the trade and agree with each other: mV, ms, pA, nS, pF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_celltype.recording import FloatArray

__all__ = ["CHANNELS", "GATES", "REVERSAL_MV", "CellKind", "CellParameters", "Gate", "integrate", "passive_properties"]

GATES = ("m_slow", "ahp", "h_current", "na_m", "kdr_n", "kv3_n", "kd_a", "na_h", "kd_b")
"""Order of the gating variables in the state; the first three are conductance fractions as they stand."""

CHANNELS = ("na", "kdr", "kv3", "kd", "m_slow", "ahp", "h_current")
REVERSAL_MV = {"na": 55.0, "kdr": -90.0, "kv3": -90.0, "kd": -90.0, "m_slow": -90.0, "ahp": -90.0, "h_current": -35.0}

CellKind = Literal["regular-spiking", "fast-spiking", "low-threshold", "late-spiking", "irregular"]
"""How a cell fires."""

_TABLE_FROM_MV, _TABLE_TO_MV = -200.0, 100.0


@dataclass(frozen=True)
class Gate:
    """Voltage dependence of one gating variable: a Boltzmann curve and a bell-shaped time constant.

    ``slope_mv`` is positive where depolarisation opens the gate. The time constant falls from ``tau_ms`` at
    ``tau_half_mv`` towards ``tau_floor_ms`` over some ``tau_slope_mv`` on either side.
    """

    half_mv: float
    slope_mv: float
    tau_ms: float
    tau_floor_ms: float
    tau_half_mv: float
    tau_slope_mv: float

    def steady(self, voltage_mv: ArrayLike) -> FloatArray:
        """Open fraction after a long time at a potential."""
        return 1.0 / (1.0 + np.exp((self.half_mv - np.asarray(voltage_mv, dtype=np.float64)) / self.slope_mv))

    def time_constant_ms(self, voltage_mv: ArrayLike) -> FloatArray:
        """Time constant of the approach to the steady value."""
        bell = 1.0 / np.cosh((np.asarray(voltage_mv, dtype=np.float64) - self.tau_half_mv) / self.tau_slope_mv)
        return self.tau_floor_ms + (self.tau_ms - self.tau_floor_ms) * bell


@dataclass(frozen=True)
class CellParameters:
    """One cell: capacitance, conductances and gates.

    The leak reversal is not given but follows from ``rest_mv``: the cell is exactly at rest there.
    ``background_pa`` is the standard deviation of a slow random current (as if from synapses) that makes
    firing irregular; it is part of the cell, drawn from the seed, and so part of the truth.
    """

    kind: CellKind
    capacitance_pf: float
    rest_mv: float
    leak_ns: float
    na_ns: float
    kdr_ns: float
    kv3_ns: float
    kd_ns: float
    m_slow_ns: float
    ahp_ns: float
    h_current_ns: float
    na_m: Gate
    na_h: Gate
    kdr_n: Gate
    kv3_n: Gate
    kd_a: Gate
    kd_b: Gate
    m_slow: Gate
    ahp: Gate
    h_current: Gate
    background_pa: float = 0.0
    background_ms: float = 5.0

    @property
    def conductances_ns(self) -> FloatArray:
        """Maximal conductances in the order of :data:`CHANNELS`."""
        return np.array([getattr(self, f"{channel}_ns") for channel in CHANNELS])

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Gates in the order of :data:`GATES`."""
        return tuple(getattr(self, name) for name in GATES)

    def steady_current_pa(self, voltage_mv: ArrayLike) -> FloatArray:
        """Current that holds the cell at a potential for good; zero at ``rest_mv``."""
        voltage = np.asarray(voltage_mv, dtype=np.float64)
        return self._ionic_pa(voltage) - self._ionic_pa(np.float64(self.rest_mv))

    def _ionic_pa(self, voltage: ArrayLike) -> FloatArray:
        v = np.asarray(voltage, dtype=np.float64)
        open_fraction = _open_fractions(np.stack([gate.steady(v) for gate in self.gates], axis=-1))
        driving = v[..., None] - _REVERSALS
        return self.leak_ns * v + (open_fraction * self.conductances_ns * driving).sum(-1)

    def rheobase_pa(self) -> float:
        """Estimate of the weakest long step that makes the cell fire, from the steady current-voltage curve."""
        voltage = np.arange(self.rest_mv, -20.0, 0.1)
        current = self.steady_current_pa(voltage)
        falls = np.flatnonzero(np.diff(current) < 0)
        return float(current[falls[0]] if falls.size else current[np.searchsorted(voltage, -40.0)])


_REVERSALS = np.array([REVERSAL_MV[channel] for channel in CHANNELS])


def _open_fractions(gates: FloatArray) -> FloatArray:
    """Open fraction of each channel from gate values (last axis in the order of GATES)."""
    slow, m, n, p, a, h, b = gates[..., :3], *(gates[..., i] for i in range(3, 9))
    fast = np.stack([m**3 * h, n**4, p**2, a * b], axis=-1)
    return np.concatenate([fast, slow], axis=-1)


@dataclass(frozen=True)
class PassiveProperties:
    """What a small current step shows at rest, by calculation."""

    rest_mv: float
    input_resistance_mohm: float
    tau_ms: float


def passive_properties(cell: CellParameters) -> PassiveProperties:
    """Resting potential, steady input resistance (slow currents included) and membrane time constant."""
    step_mv = 0.01
    around = cell.steady_current_pa([cell.rest_mv - step_mv, cell.rest_mv + step_mv])
    slope_ns = float(np.diff(around)[0]) / (2 * step_mv)
    open_fraction = _open_fractions(np.stack([gate.steady(cell.rest_mv) for gate in cell.gates], axis=-1))
    instant_ns = cell.leak_ns + float((open_fraction * cell.conductances_ns).sum())
    return PassiveProperties(cell.rest_mv, 1e3 / slope_ns, cell.capacitance_pf / instant_ns)


@dataclass
class _Lanes:
    """Everything the time loop needs, one row a lane (one cell under one stimulus)."""

    table: FloatArray
    first_row: FloatArray
    rows_per_mv: float
    conductance: FloatArray
    drive: FloatArray
    leak_ns: FloatArray
    leak_pa: FloatArray
    step_per_pf: FloatArray
    voltage: FloatArray
    state: FloatArray


def integrate(
    cells: Sequence[CellParameters],
    cell_of_lane: ArrayLike,
    current_pa: NDArray[np.floating],
    rate_hz: float,
    *,
    n_samples: ArrayLike | None = None,
    resolution_mv: float = 0.05,
) -> NDArray[np.float32]:
    """Integrate cells from rest under injected currents, all at once.

    Parameters
    ----------
    cells, cell_of_lane
        Distinct cells, and for each lane (one cell under one stimulus) which of them it is.
    current_pa
        Injected current, shape (samples, lanes), held constant over each sample.
    rate_hz
        Sampling rate, which is the integration step too: 50 kHz or more.
    n_samples
        How many samples of each lane are wanted; the rest stays NaN and costs nothing. Lanes must be sorted
        by it, longest first.
    resolution_mv
        Step of the tables that hold the gates' rates.

    Returns
    -------
    Membrane potential in mV, shape (samples, lanes); the first row is rest.

    Notes
    -----
    Exponential Euler for the membrane and the gates (Rush and Larsen 1978): stable at any step, since within one
    step each equation is linear with frozen coefficients. Exact values of the gate factors come from tables by
    potential, so that a step is a few dozen array operations however many lanes there are.
    """
    lane_cells = np.asarray(cell_of_lane, dtype=np.int64)
    n_steps, n_lanes = current_pa.shape
    wanted = np.full(n_lanes, n_steps) if n_samples is None else np.asarray(n_samples, dtype=np.int64)
    if np.any(np.diff(wanted) > 0):
        raise ValueError("lanes must be sorted by length, longest first")
    lanes = _prepare(cells, lane_cells, 1e3 / rate_hz, resolution_mv)
    voltage = np.full((n_steps, n_lanes), np.nan, dtype=np.float32)
    voltage[0] = lanes.voltage
    start = 1
    for n_active in range(n_lanes, 0, -1):
        stop = int(wanted[n_active - 1])
        if stop > start:
            _advance(lanes, n_active, current_pa, voltage, start, stop)
            start = stop
    _check_range(voltage)
    return voltage


def _check_range(voltage: NDArray[np.float32]) -> None:
    low, high = np.nanmin(voltage), np.nanmax(voltage)
    if low <= _TABLE_FROM_MV or high >= _TABLE_TO_MV:
        raise ValueError(
            f"the stimulus drives the cell to {low:.0f}..{high:.0f} mV, outside {_TABLE_FROM_MV:.0f} to "
            f"{_TABLE_TO_MV:.0f} mV; use a weaker one"
        )


def _prepare(
    cells: Sequence[CellParameters], lane_cells: NDArray[np.int64], step_ms: float, resolution_mv: float
) -> _Lanes:
    grid = np.arange(_TABLE_FROM_MV, _TABLE_TO_MV, resolution_mv)
    table = np.stack([_rate_table(cell, grid, step_ms) for cell in cells])
    n_gates = len(GATES)
    rest = np.array([cell.rest_mv for cell in cells], dtype=np.float64)
    rest_row = _row_of(rest, 1.0 / resolution_mv)
    factors = table[np.arange(len(cells)), rest_row]
    gates = factors[:, n_gates:] / (1.0 - factors[:, :n_gates])
    open_fraction = _open_fractions(gates)
    conductance = np.stack([cell.conductances_ns for cell in cells])
    leak = np.array([cell.leak_ns for cell in cells], dtype=np.float64)
    # with the tables' own gate values rest is an exact fixed point of the integration
    leak_pa = leak * rest + (open_fraction * conductance * (rest[:, None] - _REVERSALS)).sum(1)
    per_pf = step_ms / np.array([cell.capacitance_pf for cell in cells])
    return _Lanes(
        table=table.reshape(-1, 2 * n_gates),
        first_row=(lane_cells * len(grid)).astype(np.float64),
        rows_per_mv=1.0 / resolution_mv,
        conductance=conductance[lane_cells],
        drive=(conductance * _REVERSALS)[lane_cells],
        leak_ns=leak[lane_cells],
        leak_pa=leak_pa[lane_cells],
        step_per_pf=-per_pf[lane_cells],
        voltage=rest[lane_cells],
        state=np.concatenate([open_fraction[:, :4], gates], axis=1)[lane_cells],
    )


def _row_of(voltage: FloatArray, rows_per_mv: float) -> NDArray[np.int64]:
    return np.asarray((voltage - _TABLE_FROM_MV) * rows_per_mv + 0.5, dtype=np.int64)


def _rate_table(cell: CellParameters, grid: FloatArray, step_ms: float) -> FloatArray:
    """For each potential: factors ``keep`` of all gates, then their increments, so that x' = x keep + increment."""
    keep = np.stack([np.exp(-step_ms / gate.time_constant_ms(grid)) for gate in cell.gates], axis=1)
    steady = np.stack([gate.steady(grid) for gate in cell.gates], axis=1)
    return np.concatenate([keep, steady * (1.0 - keep)], axis=1)


def _advance(
    lanes: _Lanes, n: int, current_pa: NDArray[np.floating], out: NDArray[np.float32], start: int, stop: int
) -> None:
    """Step the first ``n`` lanes from sample ``start - 1`` to ``stop - 1``.

    The state's columns are na, kdr, kv3, kd | m_slow, ahp, h_current | m, n, p, a, h, b: the first seven are the
    channels' open fractions, the last nine the gates, sharing the slow three.
    """
    n_gates = len(GATES)
    state, v = lanes.state[:n], lanes.voltage[:n]
    open_fraction, gates = state[:, :7], state[:, 4:]
    fast, activations = state[:, :3], state[:, 7:10]
    na, kdr, kd = state[:, 0], state[:, 1], state[:, 3]
    m, h, a, b = state[:, 7], state[:, 11], state[:, 10], state[:, 12]
    table, rows_per_mv = lanes.table, lanes.rows_per_mv
    offset = lanes.first_row[:n] - _TABLE_FROM_MV * rows_per_mv + 0.5
    conductance, drive, leak_ns = lanes.conductance[:n], lanes.drive[:n], lanes.leak_ns[:n]
    step_per_pf = lanes.step_per_pf[:n]
    place, row = np.empty(n), np.empty(n, dtype=np.int64)
    factors = np.empty((n, 2 * n_gates))
    keep, increment = factors[:, :n_gates], factors[:, n_gates:]
    total_ns, target = np.empty(n), np.empty(n)
    injected = np.asarray(current_pa[start - 1 : stop - 1, :n], dtype=np.float64) + lanes.leak_pa[:n]
    mul, add, sub, take, einsum = np.multiply, np.add, np.subtract, np.take, np.einsum
    for k in range(stop - start):
        mul(v, rows_per_mv, place)
        add(place, offset, place)
        row[:] = place
        take(table, row, 0, factors, "clip")
        mul(gates, keep, gates)
        add(gates, increment, gates)
        mul(activations, activations, fast)
        mul(na, m, na)
        mul(na, h, na)
        mul(kdr, kdr, kdr)
        mul(a, b, kd)
        einsum("ij,ij->i", open_fraction, conductance, out=total_ns)
        einsum("ij,ij->i", open_fraction, drive, out=target)
        add(total_ns, leak_ns, total_ns)
        add(target, injected[k], target)
        np.divide(target, total_ns, target)
        sub(v, target, v)
        mul(total_ns, step_per_pf, total_ns)
        np.exp(total_ns, total_ns)
        mul(v, total_ns, v)
        add(v, target, v)
        out[start + k, :n] = v
