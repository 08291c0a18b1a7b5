"""Numbers and edits of a neuron: find and repair z-jumps, measure, resample, project, simulate.

Functions are pure: they take a :class:`~napari_celltype.Neuron` and return a new one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "AppliedEdit": ".edits",
    "Augmentation": ".augmentation",
    "Change": ".changes",
    "Edit": ".edits",
    "ExcludedStep": ".zjumps",
    "FEATURES": ".morphometrics",
    "Record": ".edits",
    "ZJump": ".zjumps",
    "ZSteps": ".zjumps",
    "align_diameters": ".smoothing",
    "align_to_axes": ".projection",
    "apply_edit": ".edits",
    "apply_edits": ".edits",
    "augment": ".augmentation",
    "find_excluded_steps": ".zjumps",
    "find_z_jumps": ".zjumps",
    "inject_z_jumps": ".augmentation",
    "join_pieces": ".reordering",
    "measure": ".morphometrics",
    "measure_by_type": ".morphometrics",
    "measure_z_steps": ".zjumps",
    "project": ".projection",
    "propose_repair": ".edits",
    "record_from_comments": ".edits",
    "remove_twigs": ".pruning",
    "remove_type": ".pruning",
    "renumber": ".reordering",
    "repair_z_jumps": ".repair",
    "repaired_columns": ".repair",
    "replay": ".edits",
    "reroot": ".reordering",
    "resample": ".resampling",
    "sholl": ".morphometrics",
    "simulate": ".simulation",
    "simulate_many": ".simulation",
    "smooth_z": ".smoothing",
    "sort_nodes": ".reordering",
    "source_hash": ".edits",
    "subtree_rows": ".hand_edits",
    "zcorr": ".repair",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
