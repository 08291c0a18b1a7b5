"""Cells to simulate: a typical one of each firing type, and others drawn around it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from .conductance import GATES, CellKind, CellParameters, Gate

__all__ = [
    "AMBIGUOUS_SEED",
    "BROAD_OF_KIND",
    "CELL_KINDS",
    "CLASS_OF_KIND",
    "PLAIN_SEED",
    "PRESETS",
    "CellKind",
    "draw_cell",
]

PLAIN_SEED = 2
"""A regular-spiking cell on which the models agree: what one looks at first should not be the exception."""
AMBIGUOUS_SEED = 0
"""A regular-spiking cell the models are of different minds about, whose default answer is an abstention."""

CELL_KINDS: tuple[CellKind, ...] = get_args(CellKind)

CLASS_OF_KIND: dict[CellKind, str] = {
    "regular-spiking": "Exc",
    "fast-spiking": "Pvalb",
    "low-threshold": "Sst",
    "late-spiking": "Ndnf",
    "irregular": "Vip",
}
"""The genetic class whose typical firing each kind imitates. A stand-in for tests: no simulated cell has genes."""

BROAD_OF_KIND: dict[CellKind, str] = {kind: "Exc" if name == "Exc" else "Inh" for kind, name in CLASS_OF_KIND.items()}

_H_CURRENT = Gate(-88.0, -9.0, tau_ms=120.0, tau_floor_ms=20.0, tau_half_mv=-80.0, tau_slope_mv=25.0)
_KD_A = Gate(-47.0, 6.0, tau_ms=2.0, tau_floor_ms=0.5, tau_half_mv=-50.0, tau_slope_mv=25.0)
_KD_B = Gate(-75.0, -7.0, tau_ms=500.0, tau_floor_ms=100.0, tau_half_mv=-75.0, tau_slope_mv=30.0)

# The numbers were found by a search for cells whose passive properties, action potential and firing are like those
# typical of each type in mouse cortex; they are our own and stand for no measured cell.
PRESETS: dict[CellKind, CellParameters] = {
    "regular-spiking": CellParameters(
        kind="regular-spiking",
        capacitance_pf=111.0,
        rest_mv=-74.0,
        leak_ns=4.9,
        na_ns=3700.0,
        kdr_ns=376.0,
        kv3_ns=66.0,
        kd_ns=0.13,
        m_slow_ns=12.5,
        ahp_ns=3.2,
        h_current_ns=2.0,
        na_m=Gate(-35.3, 5.86, tau_ms=0.146, tau_floor_ms=0.0112, tau_half_mv=-40.0, tau_slope_mv=25.0),
        na_h=Gate(-53.3, -8.3, tau_ms=6.6, tau_floor_ms=0.24, tau_half_mv=-65.0, tau_slope_mv=15.0),
        kdr_n=Gate(-23.0, 12.5, tau_ms=1.62, tau_floor_ms=0.34, tau_half_mv=-40.0, tau_slope_mv=25.0),
        kv3_n=Gate(-3.9, 8.0, tau_ms=1.72, tau_floor_ms=0.152, tau_half_mv=-15.0, tau_slope_mv=25.0),
        kd_a=_KD_A,
        kd_b=_KD_B,
        m_slow=Gate(-28.4, 6.0, tau_ms=90.0, tau_floor_ms=40.0, tau_half_mv=-45.0, tau_slope_mv=30.0),
        ahp=Gate(-5.0, 5.0, tau_ms=309.0, tau_floor_ms=2.0, tau_half_mv=-60.0, tau_slope_mv=12.0),
        h_current=_H_CURRENT,
    ),
    "fast-spiking": CellParameters(
        kind="fast-spiking",
        capacitance_pf=75.4,
        rest_mv=-73.0,
        leak_ns=9.03,
        na_ns=4380.0,
        kdr_ns=308.0,
        kv3_ns=1177.0,
        kd_ns=1.14,
        m_slow_ns=0.68,
        ahp_ns=1.53,
        h_current_ns=0.5,
        na_m=Gate(-33.8, 5.03, tau_ms=0.169, tau_floor_ms=0.0267, tau_half_mv=-40.0, tau_slope_mv=25.0),
        na_h=Gate(-49.6, -8.58, tau_ms=1.31, tau_floor_ms=0.204, tau_half_mv=-65.0, tau_slope_mv=15.0),
        kdr_n=Gate(-18.3, 14.3, tau_ms=1.46, tau_floor_ms=1.06, tau_half_mv=-40.0, tau_slope_mv=25.0),
        kv3_n=Gate(-17.4, 8.0, tau_ms=0.762, tau_floor_ms=0.114, tau_half_mv=-20.0, tau_slope_mv=25.0),
        kd_a=_KD_A,
        kd_b=Gate(-72.0, -7.0, tau_ms=300.0, tau_floor_ms=60.0, tau_half_mv=-75.0, tau_slope_mv=30.0),
        m_slow=Gate(-40.4, 6.0, tau_ms=80.0, tau_floor_ms=40.0, tau_half_mv=-45.0, tau_slope_mv=30.0),
        ahp=Gate(-5.0, 5.0, tau_ms=73.7, tau_floor_ms=2.0, tau_half_mv=-60.0, tau_slope_mv=12.0),
        h_current=_H_CURRENT,
    ),
    "low-threshold": CellParameters(
        kind="low-threshold",
        capacitance_pf=60.0,
        rest_mv=-70.0,
        leak_ns=2.96,
        na_ns=1600.0,
        kdr_ns=450.0,
        kv3_ns=415.0,
        kd_ns=0.1,
        m_slow_ns=3.45,
        ahp_ns=6.16,
        h_current_ns=3.0,
        na_m=Gate(-37.2, 4.53, tau_ms=0.153, tau_floor_ms=0.01, tau_half_mv=-40.0, tau_slope_mv=25.0),
        na_h=Gate(-50.4, -8.04, tau_ms=1.65, tau_floor_ms=0.39, tau_half_mv=-65.0, tau_slope_mv=15.0),
        kdr_n=Gate(-17.8, 13.2, tau_ms=1.32, tau_floor_ms=0.242, tau_half_mv=-40.0, tau_slope_mv=25.0),
        kv3_n=Gate(-11.8, 8.0, tau_ms=1.44, tau_floor_ms=0.195, tau_half_mv=-15.0, tau_slope_mv=25.0),
        kd_a=_KD_A,
        kd_b=_KD_B,
        m_slow=Gate(-34.6, 6.0, tau_ms=90.0, tau_floor_ms=40.0, tau_half_mv=-45.0, tau_slope_mv=30.0),
        ahp=Gate(-5.0, 5.0, tau_ms=46.6, tau_floor_ms=2.0, tau_half_mv=-60.0, tau_slope_mv=12.0),
        h_current=_H_CURRENT,
    ),
    "late-spiking": CellParameters(
        kind="late-spiking",
        capacitance_pf=68.7,
        rest_mv=-71.0,
        leak_ns=5.63,
        na_ns=1517.0,
        kdr_ns=497.0,
        kv3_ns=222.0,
        kd_ns=9.6,
        m_slow_ns=0.71,
        ahp_ns=10.5,
        h_current_ns=0.3,
        na_m=Gate(-33.6, 6.77, tau_ms=0.0973, tau_floor_ms=0.0122, tau_half_mv=-40.0, tau_slope_mv=25.0),
        na_h=Gate(-48.1, -5.68, tau_ms=4.66, tau_floor_ms=0.224, tau_half_mv=-65.0, tau_slope_mv=15.0),
        kdr_n=Gate(-21.9, 11.5, tau_ms=5.96, tau_floor_ms=0.647, tau_half_mv=-40.0, tau_slope_mv=25.0),
        kv3_n=Gate(-6.8, 8.0, tau_ms=0.537, tau_floor_ms=0.267, tau_half_mv=-15.0, tau_slope_mv=25.0),
        kd_a=Gate(-42.8, 6.0, tau_ms=2.0, tau_floor_ms=0.5, tau_half_mv=-50.0, tau_slope_mv=25.0),
        kd_b=_KD_B,
        m_slow=Gate(-45.2, 6.0, tau_ms=90.0, tau_floor_ms=40.0, tau_half_mv=-45.0, tau_slope_mv=30.0),
        ahp=Gate(-5.0, 5.0, tau_ms=120.0, tau_floor_ms=2.0, tau_half_mv=-60.0, tau_slope_mv=12.0),
        h_current=_H_CURRENT,
    ),
    "irregular": CellParameters(
        kind="irregular",
        capacitance_pf=52.0,
        rest_mv=-71.0,
        leak_ns=3.73,
        na_ns=1722.0,
        kdr_ns=400.0,
        kv3_ns=220.0,
        kd_ns=2.18,
        m_slow_ns=1.23,
        ahp_ns=9.6,
        h_current_ns=0.5,
        na_m=Gate(-33.3, 6.37, tau_ms=0.136, tau_floor_ms=0.0181, tau_half_mv=-40.0, tau_slope_mv=25.0),
        na_h=Gate(-50.9, -8.22, tau_ms=3.79, tau_floor_ms=0.279, tau_half_mv=-65.0, tau_slope_mv=15.0),
        kdr_n=Gate(-16.0, 8.81, tau_ms=4.27, tau_floor_ms=1.32, tau_half_mv=-40.0, tau_slope_mv=25.0),
        kv3_n=Gate(-5.2, 8.0, tau_ms=1.17, tau_floor_ms=0.257, tau_half_mv=-15.0, tau_slope_mv=25.0),
        kd_a=Gate(-43.6, 6.0, tau_ms=2.0, tau_floor_ms=0.5, tau_half_mv=-50.0, tau_slope_mv=25.0),
        kd_b=_KD_B,
        m_slow=Gate(-34.6, 6.0, tau_ms=90.0, tau_floor_ms=40.0, tau_half_mv=-45.0, tau_slope_mv=30.0),
        ahp=Gate(-5.0, 5.0, tau_ms=46.7, tau_floor_ms=2.0, tau_half_mv=-60.0, tau_slope_mv=12.0),
        h_current=_H_CURRENT,
        background_pa=8.0,
        background_ms=8.0,
    ),
}

_CONDUCTANCE_SPREAD = 0.10
_SIZE_SPREAD = 0.15
_TIME_SPREAD = 0.06
_SHIFT_MV = 0.7
_REST_MV = 2.0


def draw_cell(kind: CellKind, rng: np.random.Generator) -> CellParameters:
    """Another cell of a kind: of its own size, channel densities, kinetics and resting potential.

    Notes
    -----
    Size scales capacitance and all conductances together, as a larger membrane does, so that spikes stay spikes;
    the densities then vary about it one by one. All gates shift and slow down together, as with temperature
    and offset. A rare draw never repolarises after a spike: see :func:`napari_celltype.samples.spikes.repolarises`.
    """
    typical = PRESETS[kind]
    size = np.exp(_SIZE_SPREAD * rng.normal())
    changes: dict[str, object] = {
        "rest_mv": float(typical.rest_mv + _REST_MV * np.clip(rng.normal(), -2, 2)),
        "capacitance_pf": float(typical.capacitance_pf * size),
    }
    for name in ("leak", "na", "kdr", "kv3", "kd", "m_slow", "ahp", "h_current"):
        density = np.exp(_CONDUCTANCE_SPREAD * np.clip(rng.normal(), -2, 2))
        changes[f"{name}_ns"] = float(getattr(typical, f"{name}_ns") * size * density)
    shift = float(_SHIFT_MV * np.clip(rng.normal(), -2, 2))
    slower = float(np.exp(_TIME_SPREAD * np.clip(rng.normal(), -2, 2)))
    for name in GATES:
        changes[name] = _shifted(getattr(typical, name), shift, slower)
    return replace(typical, **changes)  # type: ignore[arg-type]


def _shifted(gate: Gate, shift_mv: float, slower: float) -> Gate:
    return replace(
        gate,
        half_mv=gate.half_mv + shift_mv,
        tau_half_mv=gate.tau_half_mv + shift_mv,
        tau_ms=gate.tau_ms * slower,
        tau_floor_ms=gate.tau_floor_ms * slower,
    )
