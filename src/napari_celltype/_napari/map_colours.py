"""Colours of a map's cells by one of their columns, with what the legend says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.workbench.place import CellMap, grouping_of

from .plots.palette import class_colour, rgba, sweep_colours

__all__ = ["MapColours", "colours_by"]

UNKNOWN = "#8a8a8a"
_STEPS = 24


@dataclass(frozen=True, eq=False)
class MapColours:
    """A colour for each cell, and names, colours and numbers of the groups; a ramp has two names and its colours."""

    rgba: NDArray[np.float32]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    counts: tuple[int, ...]
    ramp: bool = False


def colours_by(cell_map: CellMap, column: str, *, dark: bool) -> MapColours:
    """Classes in their own colours everywhere, numbers on a ramp, other groups in colours told apart."""
    if column not in cell_map.cells.columns:
        return _groups(np.full(len(cell_map), -1, dtype=np.intp), (), ())
    found = grouping_of(cell_map.cells[column])
    if found.share is not None:
        ramp = tuple(sweep_colours(_STEPS, dark=dark))
        codes = np.where(np.isnan(found.share), -1, np.nan_to_num(found.share) * (_STEPS - 1)).astype(np.intp)
        return MapColours(_paint(codes, ramp), (f"{found.low:.3g}", f"{found.high:.3g}"), ramp, (), ramp=True)
    own = tuple(class_colour(name) for name in found.names)
    known = sum(colour != UNKNOWN for colour in own) >= max(1, len(own) // 2)
    return _groups(found.codes, found.names, own if known else tuple(sweep_colours(len(found.names), dark=dark)))


def _groups(codes: NDArray[np.intp], names: tuple[str, ...], colours: tuple[str, ...]) -> MapColours:
    counts = tuple(int((codes == k).sum()) for k in range(len(names)))
    return MapColours(_paint(codes, colours), names, colours, counts)


def _paint(codes: NDArray[np.intp], colours: tuple[str, ...]) -> NDArray[np.float32]:
    table = np.array([rgba(colour) for colour in (*colours, UNKNOWN)], dtype=np.float32)
    return table[codes]
