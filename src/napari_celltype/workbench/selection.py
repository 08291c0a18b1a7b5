"""Which cells are selected, for all docks alike: drawn around on the map, shown in the heatmap, marked in the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal

from .document import Document

__all__ = ["CellSelection", "SelectedCells", "inside", "selected_cells_of"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CellSelection:
    """Cells of one map, and cells of the session.

    Parameters
    ----------
    source
        Name of the map the rows belong to; empty without rows.
    rows
        Rows of the map's cells, rising.
    items
        Ids of the document's items.
    gates
        The same cells among those whose gates are kept, rising; fewer where some are not.
    """

    source: str = ""
    rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    items: tuple[str, ...] = ()
    gates: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def __len__(self) -> int:
        return len(self.rows) + len(self.items)

    def same_as(self, other: CellSelection) -> bool:
        """Whether both select the same cells."""
        return self.source == other.source and self.items == other.items and np.array_equal(self.rows, other.rows)


class SelectedCells:
    """The selection of a document; :attr:`changed` tells the new one."""

    changed = Signal(object)

    def __init__(self) -> None:
        self.value = CellSelection()

    def select(self, source: str = "", rows: ArrayLike = (), items: Iterable[str] = (), gates: ArrayLike = ()) -> None:
        """Select these cells instead of those before."""
        found = np.unique(np.asarray(rows, dtype=np.intp))
        kept = np.unique(np.asarray(gates, dtype=np.intp))
        selection = CellSelection(source if len(found) else "", found, tuple(dict.fromkeys(items)), kept)
        if not selection.same_as(self.value):
            self.value = selection
            self.changed.emit(selection)

    def select_items(self, items: Iterable[str]) -> None:
        """Select these items of the session; what is selected of a map stays so."""
        now = self.value
        self.select(now.source, now.rows, items, now.gates)

    def clear(self) -> None:
        """Select nothing."""
        self.select()


_of_document: WeakKeyDictionary[Document, SelectedCells] = WeakKeyDictionary()


def selected_cells_of(document: Document) -> SelectedCells:
    """The selection that goes with a document; it lasts as long as the document."""
    return _of_document.setdefault(document, SelectedCells())


def inside(polygon: ArrayLike, points: ArrayLike) -> NDArray[np.bool_]:
    """Which points lie in a polygon drawn by hand; where it crosses itself, an even number of turns is outside.

    Parameters
    ----------
    polygon
        (m, 2) corners; the last is joined to the first.
    points
        (n, 2).
    """
    corners, xy = np.asarray(polygon, dtype=float), np.asarray(points, dtype=float)
    found = np.zeros(len(xy), dtype=bool)
    if len(corners) < 3:
        return found
    # most points lie outside the box around it, and need no more looking at
    near = np.flatnonzero(((xy >= corners.min(axis=0)) & (xy <= corners.max(axis=0))).all(axis=1))
    x, y = xy[near].T
    odd = np.zeros(len(near), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    found[near] = odd
    return found
