"""The tab with the cells of the session: save, copy, remove, go to one, and the selection shared with the map."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.classify_session import ClassifySession
from napari_celltype.workbench.selection import CellSelection, selected_cells_of

from .celltype_plots import Note
from .celltype_tables import CellTable, make_table_view
from .notices import report_error, report_warning

__all__ = ["CellsTab", "ask_path"]

_TABLES = "Table (*.csv);;Parquet (*.parquet)"
_NO_CELLS = "No cell accepted yet. “Accept” puts the cell shown into this table (A in the Recording dock)."


class CellsTab(QWidget):
    """Shows the session table; :attr:`counted` tells how many cells are in it.

    Parameters
    ----------
    cells
        What is asked and answered in the session.
    """

    counted = Signal(int)

    def __init__(self, cells: ClassifySession) -> None:
        super().__init__()
        self._session = cells
        self._table = cells.table
        self._selection = selected_cells_of(cells.document)
        self.cells = CellTable()
        self.view = make_table_view(self.cells, stretch=0)
        self.note = Note()
        self.note.setText(_NO_CELLS)
        table = QWidget()
        self._stack = QStackedLayout(table)
        self._stack.addWidget(self.note)
        self._stack.addWidget(self.view)
        self.save = _button("Save…", "Save the table as CSV or Parquet")
        self.copy = _button("Copy", "Copy the table for a spreadsheet")
        self.remove = _button("Remove", "Take the selected cells out of the table")
        row = QHBoxLayout()
        for button in (self.save, self.copy, self.remove):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(3)
        column.addWidget(table, 1)
        column.addLayout(row)
        self._connect()
        self.refresh()

    def _connect(self) -> None:
        self.save.clicked.connect(self._on_save_clicked)
        self.copy.clicked.connect(self._on_copy_clicked)
        self.remove.clicked.connect(self._on_remove_clicked)
        self.view.doubleClicked.connect(self._on_cell_double_clicked)
        self.view.selectionModel().selectionChanged.connect(self._on_rows_selected)
        self._table.changed.connect(self.refresh)
        self._selection.changed.connect(self._on_selection_changed)

    def tear_down(self) -> None:
        """Let go of the session."""
        self._table.changed.disconnect(self.refresh)
        self._selection.changed.disconnect(self._on_selection_changed)

    def refresh(self) -> None:
        """List the cells as they are now."""
        rows = self._table.rows
        self.cells.show_rows(rows)
        self._stack.setCurrentWidget(self.view if rows else self.note)
        for button in (self.save, self.copy, self.remove):
            button.setEnabled(bool(rows))
        self._mark(self._selection.value)
        self.counted.emit(len(rows))

    # selecting ------------------------------------------------------------------------------------------------------

    def selected_ids(self) -> list[str]:
        """Items of the rows selected."""
        ids = self._table.item_ids
        return [ids[row] for row in sorted({index.row() for index in self.view.selectionModel().selectedRows()})]

    def _on_rows_selected(self, *_: object) -> None:
        self._selection.select_items(self.selected_ids())

    def _on_selection_changed(self, selection: CellSelection) -> None:
        self._mark(selection)

    def _mark(self, selection: CellSelection) -> None:
        """Select the rows of the cells selected on the map."""
        wanted, last = QItemSelection(), self.cells.columnCount() - 1
        for row, item_id in enumerate(self._table.item_ids):
            if item_id in selection.items:
                wanted.select(self.cells.index(row, 0), self.cells.index(row, last))
        model = self.view.selectionModel()
        with QSignalBlocker(model):
            model.select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.view.viewport().update()

    def _on_cell_double_clicked(self, index: QModelIndex) -> None:
        ids, document = self._table.item_ids, self._session.document
        if index.row() < len(ids) and ids[index.row()] in document:
            document.make_current(ids[index.row()])
        else:
            report_warning("This recording was closed; open its file again to look at it.")

    # the table ------------------------------------------------------------------------------------------------------

    def _on_copy_clicked(self) -> None:
        QApplication.clipboard().setText(self._table.to_clipboard_text())

    def _on_remove_clicked(self) -> None:
        self._table.remove(self.selected_ids())

    def _on_save_clicked(self) -> None:
        item = self._session.document.current_recording
        path = ask_path(self, "Save the table", item.path if item is not None else None, "cells.csv", _TABLES)
        if path is not None:
            self.save_table(path)

    def save_table(self, path: Path) -> None:
        """Save the session table; failures are one notification."""
        try:
            self._table.save(path)
        except (CelltypeError, OSError) as error:
            report_error(error)


def ask_path(parent: QWidget, title: str, beside: Path | None, name: str, kinds: str) -> Path | None:
    """Ask where to save, beside a file to begin with; a name without a suffix gets that of the kind chosen."""
    folder = beside.parent if beside is not None else Path.home()
    chosen, kind = QFileDialog.getSaveFileName(parent, title, str(folder / name), kinds)
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix else path.with_suffix(kind.split("*")[-1].rstrip(")"))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
