"""Numbers and edits of a neuron: find and repair z-jumps, measure, resample, project, simulate.

Functions are pure: they take a :class:`~napari_celltype.Neuron` and return a new one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "FEATURES": ".morphometrics",
    "ExcludedStep": ".zjumps",
    "ZJump": ".zjumps",
    "ZSteps": ".zjumps",
    "find_excluded_steps": ".zjumps",
    "find_z_jumps": ".zjumps",
    "measure": ".morphometrics",
    "measure_by_type": ".morphometrics",
    "measure_z_steps": ".zjumps",
    "repair_z_jumps": ".repair",
    "sholl": ".morphometrics",
    "zcorr": ".repair",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
