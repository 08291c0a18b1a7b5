"""Names of the 41 features, apart from the code that measures them: models need the names alone."""

from __future__ import annotations

__all__ = ["FEATURES_41"]

FEATURES_41: tuple[str, ...] = (
    "threshold_v",
    "threshold_i",
    "peak_v",
    "peak_i",
    "trough_v",
    "trough_i",
    "upstroke",
    "upstroke_v",
    "downstroke",
    "downstroke_v",
    "fast_trough_v",
    "fast_trough_i",
    "width",
    "upstroke_downstroke_ratio",
    "f_i_curve_slope",
    "fast_trough_v_long_square",
    "fast_trough_v_ramp",
    "fast_trough_v_short_square",
    "input_resistance_mohm",
    "latency",
    "peak_v_long_square",
    "peak_v_ramp",
    "peak_v_short_square",
    "ri",
    "sag",
    "seal_gohm",
    "tau",
    "threshold_i_long_square",
    "threshold_i_ramp",
    "threshold_i_short_square",
    "threshold_v_long_square",
    "threshold_v_ramp",
    "threshold_v_short_square",
    "trough_v_long_square",
    "trough_v_ramp",
    "trough_v_short_square",
    "upstroke_downstroke_ratio_long_square",
    "upstroke_downstroke_ratio_ramp",
    "upstroke_downstroke_ratio_short_square",
    "vm_for_sag",
    "vrest",
)
"""The columns of the Allen table in its order: potentials in mV, currents in pA, upstroke and downstroke in mV/ms,
``width`` and ``latency`` in s, ``tau`` in ms, ``ri`` and ``input_resistance_mohm`` in MΩ, ``f_i_curve_slope`` in
spikes/s/pA."""
