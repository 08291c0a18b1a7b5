"""The heatmap of gates as a value: columns in groups, features in an order, texts for the mouse and for a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.features import FEATURES

from .classify_names import spoken
from .gates import CellGates, GateReference, Tree, cluster, order_features

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHOWN", "Panel", "Sheet", "build_sheet", "describe_feature", "headline", "sheet_to_frame"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

Kind = Literal["gate", "z", "adds"]

SHOWN = ("averages", "all", "by class", "selected")
"""Which reference cells are shown beside the class averages."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Columns that belong together.

    Parameters
    ----------
    kind
        What the numbers are: gates from 0 to 1, features in standard deviations, or shares of log-odds.
    labels
        Of each column; empty where there are too many to be labelled.
    classes
        Class of each column, empty for a cell whose class is what is asked.
    values
        (41, columns) in the table's order of features; NaN is missing.
    tree
        How the columns hang together, if they were clustered.
    rows
        Which reference cell each column is; empty else.
    """

    kind: Kind
    title: str
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    values: FloatArray
    tree: Tree | None = None
    rows: IntArray | None = None


@dataclass(frozen=True, eq=False)
class Sheet:
    """Everything the heatmap shows.

    ``order`` is the order of features from top to bottom; ``breaks`` are places in it before which a group begins.
    """

    order: IntArray
    panels: tuple[Panel, ...]
    tree: Tree | None = None
    breaks: tuple[int, ...] = ()


def build_sheet(
    reference: GateReference,
    cell: CellGates | None,
    *,
    by: str = "stimulus",
    shown: str = "averages",
    selected: IntArray | None = None,
) -> Sheet:
    """Lay out a cell and the classes; ``shown`` adds reference cells one by one."""
    order, tree = order_features(by, cell, reference)
    names = tuple(spoken(name) for name in reference.classes)
    gates = Panel("gate", "Gates", names, reference.classes, reference.gates.T)
    z = Panel("z", "Feature values", names, reference.classes, reference.z.T)
    panels = [_with_cell(gates, cell, "gates")]
    single = _reference_panels(reference, shown, selected)
    # beside hundreds of cells there is no room for anything but gates
    if not single:
        panels.append(_with_cell(z, cell, "z"))
    if not single and cell is not None and cell.adds is not None:
        panels.append(Panel("adds", "Adds", (), ("",), cell.adds[:, None]))
    panels += single
    return Sheet(order, tuple(panels), tree, _breaks(order) if by == "stimulus" else ())


def _with_cell(panel: Panel, cell: CellGates | None, what: str) -> Panel:
    if cell is None:
        return panel
    values = np.column_stack([getattr(cell, what), panel.values])
    return replace(panel, labels=("This cell", *panel.labels), classes=("", *panel.classes), values=values)


def _breaks(order: IntArray) -> tuple[int, ...]:
    stimuli = [FEATURES[i].stimulus for i in order]
    return tuple(at for at in range(1, len(stimuli)) if stimuli[at] != stimuli[at - 1])


def _reference_panels(reference: GateReference, shown: str, selected: IntArray | None) -> list[Panel]:
    if reference.cells is None or reference.truth is None or shown == "averages":
        return []
    if shown == "selected":
        rows = np.empty(0, dtype=np.intp) if selected is None else selected
        rows = rows[rows < len(reference.cells)]
        return [_cells_panel(reference, rows, f"{len(rows):,} selected on the map")] if len(rows) else []
    if shown == "all":
        rows = np.arange(len(reference.cells))
        return [_cells_panel(reference, rows, f"All {len(rows):,} reference cells")]
    return [
        _cells_panel(reference, np.flatnonzero(reference.truth == k), spoken(name))
        for k, name in enumerate(reference.classes)
    ]


def _cells_panel(reference: GateReference, rows: IntArray, title: str) -> Panel:
    assert reference.cells is not None
    assert reference.truth is not None
    tree = cluster(reference.cells[rows])
    rows = rows[tree.order]
    classes = tuple(reference.classes[k] for k in reference.truth[rows])
    return Panel("gate", title, (), classes, reference.cells[rows].T, tree, rows)


def headline(cell: CellGates) -> str:
    """One line about a cell: what it is taken for, and on how much that rests."""
    doubt = " (abstains)" if cell.reasons else ""
    known = int(cell.known.sum())
    open_ = int((np.nan_to_num(cell.gates) > 0.5).sum())
    return (
        f"{cell.name}: {spoken(cell.label)} {cell.confidence:.0%}{doubt} · {known} of {len(cell.gates)} features "
        f"measured · {open_} {'gate' if open_ == 1 else 'gates'} over half open"
    )


def describe_feature(row: int, cell: CellGates | None, reference: GateReference) -> list[tuple[str, str]]:
    """A feature in words, as (what, how much): the cell's value, gate and share, then what each class shows."""
    feature = FEATURES[row]
    lines = [(feature.label, feature.name)]
    if cell is not None:
        measured = bool(cell.known[row])
        value = f"{with_unit(cell.values[row], feature.unit)} ({cell.z[row]:+.1f} SD)" if measured else "not measured"
        lines.append(("this cell", value))
        if measured:
            lines.append(("gate", f"{cell.gates[row]:.2f}"))
        if measured and cell.adds is not None:
            lines.append((f"adds to {spoken(cell.label)}", f"{cell.adds[row]:+.2f} log-odds"))
    for k, name in enumerate(reference.classes):
        low, middle, high = reference.ranges[k, :, row]
        span = f"{with_unit(middle, '')} ({with_unit(low, '')} to {with_unit(high, feature.unit)})"
        lines.append((spoken(name), f"{span}, gate {reference.gates[k, row]:.2f}"))
    return lines


def with_unit(value: float, unit: str) -> str:
    """A number with three digits and its unit."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def sheet_to_frame(sheet: Sheet, cell: CellGates | None, reference: GateReference) -> pd.DataFrame:
    """The heatmap as a table, one row a feature, in the order shown; reference cells as further columns."""
    import pandas as pd

    order = sheet.order
    columns: dict[str, object] = {
        "feature": [FEATURES[i].name for i in order],
        "unit": [FEATURES[i].unit for i in order],
        "stimulus": [FEATURES[i].stimulus for i in order],
    }
    if cell is not None:
        columns |= {"value": cell.values[order], "z": cell.z[order], "gate": cell.gates[order]}
        if cell.adds is not None:
            columns[f"adds to {cell.label}"] = cell.adds[order]
    for k, name in enumerate(reference.classes):
        columns[f"gate {name}"] = reference.gates[k, order]
        for number, what in enumerate(("low", "median", "high")):
            columns[f"{what} {name}"] = reference.ranges[k, number, order]
    for panel in sheet.panels:
        if panel.rows is not None:
            found = panel.values[order].T
            columns |= {
                f"reference {row} {name}": values
                for row, name, values in zip(panel.rows, panel.classes, found, strict=True)
            }
    return pd.DataFrame(columns)
