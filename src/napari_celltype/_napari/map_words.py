"""What the Map dock says: who the neighbours are, how many of what are selected, what is known of a point."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.place import CLASS_COLUMNS, CellMap, Place, column_names

from .neuron_type_map import thumbnail
from .plots.palette import OTHER_CLASS_COLOUR, class_colour

__all__ = ["describe_place", "describe_point", "describe_selection", "near_texts"]


def describe_place(place: Place, cell_map: CellMap) -> str:
    """Who the neighbours are, in a line."""
    names = column_names(cell_map)
    if not names or names[0] not in CLASS_COLUMNS:
        return f"{place.name} is placed."
    counts = Counter(cell_map.cells[names[0]].iloc[place.near].map(_text))
    listed = ", ".join(f"{count} {spoken(name)}" for name, count in counts.most_common())
    text = f"{place.name}: of its {len(place.near)} nearest cells, {listed}."
    if place.known is not None and place.known[0] < place.known[1] / 2:
        text += f" Only {place.known[0]} of {place.known[1]} features place it; the rest are filled in by expectation."
    return text + " It is unlike all of them: its place says little." if place.is_far else text


def near_texts(place: Place, cell_map: CellMap) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of the table of nearest cells; what is the same for all cells of a map is left out."""
    names = [name for name in column_names(cell_map) if cell_map.cells[name].nunique() > 1]
    columns = [[spoken(_text(value)) for value in cell_map.cells[name].iloc[place.near]] for name in names]
    lines = [list(line) for line in zip((f"{gap:.2f}" for gap in place.distances), *columns, strict=True)]
    return ["Distance", *(name[:1].upper() + name[1:] for name in names)], lines


def describe_selection(rows: NDArray[np.intp], n_items: int, cell_map: CellMap) -> str:
    """How many of what are selected; empty for none."""
    if not len(rows) and not n_items:
        return ""
    names = column_names(cell_map)
    counts = Counter(cell_map.cells[names[0]].iloc[rows].map(_text)) if names else Counter[str]()
    listed = ", ".join(f"{count:,} {spoken(name)}" for name, count in counts.most_common(6))
    own = f" and {n_items} of this session" if n_items else ""
    return f"{len(rows):,} selected{own}: {listed}" if listed else f"{len(rows):,} selected{own}"


def describe_point(index: int, cell_map: CellMap) -> str:
    """All that is known of a cell of the map, as rich text."""
    row = cell_map.cells.iloc[index]
    facts = [f"{escape(str(name))}: {escape(_text(row[name]))}" for name in cell_map.cells.columns]
    colour = class_colour(_text(row["class"])) if "class" in row else OTHER_CLASS_COLOUR
    picture = "" if cell_map.pictures is None else thumbnail(cell_map.pictures[index], colour) + "<br>"
    return f"{picture}<b>cell {index}</b><br>" + "<br>".join(facts)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
