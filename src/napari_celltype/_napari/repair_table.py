"""The list of jumps as a table model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QFont

from napari_celltype.workbench.repair_jumps import JumpRow
from napari_celltype.workbench.repair_state import JumpKey

from .repair_colours import STATE_COLOURS, STATE_WORDS
from .sweep_table import _swatch as swatch

__all__ = ["COLUMNS", "JumpTable"]

COLUMNS = ("Node", "dz µm", "Slope", "Nodes", "Length", "State", "Mode")
_HELP = (
    "Node at the lower end of the step",
    "Height of the step in µm: z of the node minus z of its parent",
    "Height over length in the xy plane (∞: vertical)",
    "Nodes downstream, which a correction moves",
    "Neurite length downstream in µm",
    "What you decided",
    "How it is mended",
)


class JumpTable(QAbstractTableModel):
    """Rows of a repair session, worst first."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: tuple[JumpRow, ...] = ()
        self.faded = "#8a8a8a"
        self.warning = "#e3b617"

    def show(self, rows: Sequence[JumpRow]) -> None:
        """List these; a list of the same jumps in the same order keeps the selection."""
        new = tuple(rows)
        if [row.key for row in new] == [row.key for row in self.rows]:
            changed = [i for i, pair in enumerate(zip(self.rows, new, strict=True)) if pair[0] != pair[1]]
            self.rows = new
            for i in changed:
                self.dataChanged.emit(self.index(i, 0), self.index(i, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = new
        self.endResetModel()

    def position(self, key: JumpKey | None) -> int | None:
        """Row of a jump, if it is listed."""
        return next((i for i, row in enumerate(self.rows) if row.key == key), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of jumps."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Column titles and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return _HELP[section] if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, colour, mark and tooltip of a cell."""
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(row)
        if role == Qt.ItemDataRole.TextAlignmentRole and column < 5:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 5:
            faded = row.left_out and row.state == "proposed"
            return swatch(None if faded or row.is_gone else STATE_COLOURS[row.state])
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._foreground(row, column)
        if role == Qt.ItemDataRole.FontRole and (row.left_out or row.is_gone):
            font = QFont()
            font.setItalic(True)
            return font
        return None

    def _foreground(self, row: JumpRow, column: int) -> QColor | None:
        if row.is_gone or row.state == "refused" or (row.left_out and row.state == "proposed"):
            return QColor(self.faded)
        return QColor(self.warning) if column == 2 and row.jump.steep_beside else None


def cell_text(row: JumpRow, column: int) -> str:
    """What a cell says."""
    jump = row.jump
    texts = (
        str(jump.node_id),
        f"{jump.dz_um:+.1f}",
        f"{jump.slope:.1f}" if math.isfinite(jump.slope) else "∞",
        f"{jump.n_downstream:,}",
        f"{jump.length_downstream_um:,.0f}",
        state_text(row),
        "" if row.left_out and row.state == "proposed" else row.mode,
    )
    return f"{texts[column]} ⚠" if column == 2 and jump.steep_beside else texts[column]


def state_text(row: JumpRow) -> str:
    """What was decided, in a word."""
    if row.is_gone:
        return "gone"
    if row.left_out and row.state == "proposed":
        return "left out"
    return STATE_WORDS[row.state]


def tooltip(row: JumpRow) -> str:
    """All that is known of a jump, one line each."""
    jump = row.jump
    lines = [f"Step from node {jump.parent_id} to node {jump.node_id}: {jump.dz_um:+.2f} µm in z"]
    if row.left_out:
        lines.append(f"Not called a jump: it {row.left_out}. You may accept it all the same.")
    if jump.steep_beside:
        lines.append("⚠ The neurite runs steeply beside it too: it may be a genuine vertical stretch. Look at it.")
    if row.is_late:
        lines.append("It came about by an edit made by hand.")
    if row.is_gone:
        lines.append("An edit made by hand has removed it.")
    return "\n".join(lines)
