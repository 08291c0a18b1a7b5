"""Tables of the Cell type dock: what each sweep says, and the cells of the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.classify_values import Vote
from napari_celltype.workbench.session_table import CellRow

from .plots.palette import class_colour

__all__ = ["CellTable", "Rows", "VoteTable", "make_table_view"]

_SWATCH = QSize(12, 12)
Cells = tuple[str, ...]


class Rows(QAbstractTableModel):
    """Rows of texts, a coloured square in one column, a tooltip for each row."""

    columns: tuple[str, ...] = ()
    swatch_column = 0

    def __init__(self) -> None:
        super().__init__()
        self._texts: list[Cells] = []
        self._colours: list[str] = []
        self._tips: list[str] = []

    def _show(self, texts: list[Cells], colours: list[str], tips: list[str]) -> None:
        self.beginResetModel()
        self._texts, self._colours, self._tips = texts, colours, tips
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of rows."""
        return 0 if parent.isValid() else len(self._texts)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Names of the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, square or tooltip of a cell."""
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts[row][column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tips[row]
        if role == Qt.ItemDataRole.DecorationRole and column == self.swatch_column:
            square = QPixmap(_SWATCH)
            square.fill(QColor(self._colours[row]))
            return QIcon(square)
        return None


class VoteTable(Rows):
    """One row a sweep with a spike."""

    columns = ("Sweep", "Stimulus", "Says", "p")
    swatch_column = 2

    def __init__(self) -> None:
        super().__init__()
        self.votes: tuple[Vote, ...] = ()

    def show_votes(self, votes: Sequence[Vote]) -> None:
        """List these votes."""
        self.votes = tuple(votes)
        self._show(
            [
                (
                    str(vote.number),
                    vote.stimulus,
                    f"{spoken(vote.verdict.label)}{' ?' if vote.verdict.abstained else ''}",
                    percent(vote.verdict.confidence),
                )
                for vote in votes
            ],
            [class_colour(vote.verdict.label) for vote in votes],
            ["\n".join(vote.verdict.reasons) or "Click to take this sweep's window." for vote in votes],
        )


class CellTable(Rows):
    """One row an accepted cell."""

    columns = ("Cell", "Type", "p", "Model")
    swatch_column = 1

    def show_rows(self, rows: Sequence[CellRow]) -> None:
        """List these cells."""
        self._show(
            [
                (
                    row.cell,
                    f"{spoken(row.label)}{' ?' if row.abstained else ''}",
                    percent(row.confidence),
                    row.model,
                )
                for row in rows
            ],
            [class_colour(row.label) for row in rows],
            [f"{row.path}\n{row.agreement}\n{row.reasons}".strip() for row in rows],
        )


def make_table_view(model: QAbstractTableModel, stretch: int) -> QTableView:
    """A plain list of rows; one column takes what room is left."""
    view = QTableView()
    view.setModel(model)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(20)
    header = view.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(30)
    header.setHighlightSections(False)
    return view
