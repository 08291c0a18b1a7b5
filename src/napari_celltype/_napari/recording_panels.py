"""The left side of the Recording dock: which recording, its sweeps, and buttons to go through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.recording import Recording
from napari_celltype.workbench import Item

from .sweep_table import CLAMP_COLUMN, STIMULUS_COLUMN, SweepTable, clamp_text

__all__ = ["MOUSE_HELP", "SweepPanel"]

MOUSE_HELP = "Drag to move, wheel to zoom time, Shift+wheel to zoom values. Ctrl+click or Shift+click rows to overlay."


class SweepPanel(QWidget):
    """The chooser of recordings above the list of sweeps."""

    def __init__(self) -> None:
        super().__init__()
        self.chooser = QComboBox()
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chooser.setMinimumContentsLength(8)
        self.chooser.setToolTip("Recording shown (Ctrl+PgDown, Ctrl+PgUp)")
        self.before = _button("◀", "Previous sweep (PgUp)")
        self.after = _button("▶", "Next sweep (PgDown)")
        self.whole = _button("↔", "Show the whole sweep (Home)")
        self.help = _button("?", "Keys and mouse")
        self.sweeps = SweepTable(self)
        self.table = _table_view(self.sweeps)
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setMaximumHeight(6)
        self.progress.setTextVisible(False)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        bar = QHBoxLayout()
        bar.addWidget(self.chooser, 1)
        for button in (self.before, self.after, self.whole, self.help):
            bar.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(bar)
        column.addWidget(self.table, 1)
        column.addWidget(self.progress)
        self.setMinimumWidth(240)
        self.progress.hide()

    def list_recordings(self, items: Sequence[Item], current: Item | None) -> None:
        """Offer these recordings, without choosing one anew."""
        with QSignalBlocker(self.chooser):
            self.chooser.clear()
            for item in items:
                self.chooser.addItem(f"⚠ {item.name}" if item.error else item.name, item.id)
                self.chooser.setItemData(self.chooser.count() - 1, _where(item), Qt.ItemDataRole.ToolTipRole)
            self.chooser.setCurrentIndex(-1 if current is None else self.chooser.findData(current.id))

    def show_sweeps(self, recording: Recording | None) -> None:
        """List the sweeps; clamp modes only where they are not all plainly current clamp."""
        self.sweeps.show(recording)
        plain = recording is not None and {clamp_text(sweep) for sweep in recording.sweeps} <= {"CC"}
        self.table.setColumnHidden(CLAMP_COLUMN, plain)

    @property
    def marked_rows(self) -> set[int]:
        """Rows selected in the list."""
        return {index.row() for index in self.table.selectionModel().selectedRows()}

    def mark_rows(self, rows: Sequence[int]) -> None:
        """Select these rows, without telling anybody."""
        selection = QItemSelection()
        for row in rows:
            selection.select(self.sweeps.index(row, 0), self.sweeps.index(row, self.sweeps.columnCount() - 1))
        model = self.table.selectionModel()
        with QSignalBlocker(model):
            model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            if rows:
                model.setCurrentIndex(self.sweeps.index(rows[0], 0), QItemSelectionModel.SelectionFlag.NoUpdate)
        self.table.viewport().update()
        if rows:
            self.table.scrollTo(self.sweeps.index(rows[0], 0))


def _table_view(model: SweepTable) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 4)
    table.setToolTip(MOUSE_HELP)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setResizeContentsPrecision(50)
    header.setMinimumSectionSize(24)
    header.setSectionResizeMode(STIMULUS_COLUMN, QHeaderView.ResizeMode.Stretch)
    header.setHighlightSections(False)
    return table


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    side = max(24, button.fontMetrics().height() + 8)
    button.setFixedSize(side, side)
    return button


def _where(item: Item) -> Any:
    where = str(item.path) if item.path is not None else item.name
    return f"{where}\n{item.error}" if item.error else where
