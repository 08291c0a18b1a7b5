"""The tab "Defects": what is wrong with the neuron now, where, and what could be done about it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.neuron import Defect
from napari_celltype.workbench.repair_fixes import Fix, propose_fix

from .plots.theme import PlotTheme

__all__ = ["DefectsTab"]

_MARKS = {"error": "✖", "warning": "⚠", "note": "·"}
_NONE = "Nothing is wrong with this neuron."


class DefectsTab(QWidget):
    """Lists the defects; ``desk`` goes to them and applies what is asked for."""

    def __init__(self, desk: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._defects: list[Defect] = []
        self._fix: Fix | None = None
        self._colours: dict[str, str] = {}
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.setAlternatingRowColors(False)
        self.list.setMinimumHeight(90)
        self.list.currentRowChanged.connect(self._on_row_changed)
        self.list.itemActivated.connect(self._on_item_activated)
        self.proposal = QLabel()
        self.proposal.setWordWrap(True)
        self.proposal.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.go_button = QPushButton("Go to")
        self.go_button.setToolTip("Fly to the first node concerned (double-click)")
        self.go_button.clicked.connect(self.go_to)
        self.fix_button = QPushButton("Apply fix")
        self.fix_button.setToolTip("Do what is proposed; it can be undone. Nothing is mended unasked.")
        self.fix_button.clicked.connect(self.apply_fix)
        bar = QHBoxLayout()
        bar.addWidget(self.go_button)
        bar.addWidget(self.fix_button)
        bar.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 4, 2, 2)
        column.addWidget(self.list, 1)
        column.addWidget(self.proposal)
        column.addLayout(bar)
        self._enable()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the theme's colours."""
        self._colours = {"error": theme.error, "warning": theme.warning}
        self._fill()

    @property
    def n_serious(self) -> int:
        """Defects that are more than a note."""
        return sum(defect.severity != "note" for defect in self._defects)

    def refresh(self) -> None:
        """List the defects there are now."""
        repair = self._desk.repair
        defects = list(repair.neuron.defects) if repair is not None else []
        if defects != self._defects:
            self._defects = defects
            self._fill()
        else:
            self._enable()

    def _fill(self) -> None:
        kept = self.current
        self.list.blockSignals(True)
        self.list.clear()
        for defect in self._defects:
            line = f" (line {defect.line})" if defect.line is not None else ""
            item = QListWidgetItem(f"{_MARKS[defect.severity]} {defect.message}{line}")
            item.setToolTip(f"{defect.code}: {defect.severity}")
            if defect.severity in self._colours:
                item.setForeground(QColor(self._colours[defect.severity]))
            self.list.addItem(item)
        if not self._defects:
            item = QListWidgetItem(_NONE)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        if kept in self._defects:
            self.list.setCurrentRow(self._defects.index(kept))
        self.list.blockSignals(False)
        self._enable()

    @property
    def current(self) -> Defect | None:
        """The defect selected."""
        row = self.list.currentRow()
        return self._defects[row] if 0 <= row < len(self._defects) else None

    def _enable(self) -> None:
        defect, repair = self.current, self._desk.repair
        self._fix = propose_fix(repair.neuron, defect) if repair is not None and defect is not None else None
        self.go_button.setEnabled(defect is not None and bool(defect.node_ids))
        self.fix_button.setEnabled(self._fix is not None)
        if defect is None:
            self.proposal.setText("")
        elif self._fix is None:
            self.proposal.setText("No fix is proposed: look at it, and use the tools under “Nodes” if need be.")
        else:
            self.proposal.setText(f"Proposed: {self._fix.label}.")

    def _on_row_changed(self) -> None:
        self._enable()

    def _on_item_activated(self) -> None:
        self.go_to()

    def go_to(self) -> None:
        """Fly to the defect."""
        if self.current is not None:
            self._desk.go_to_nodes(self.current.node_ids)

    def apply_fix(self) -> None:
        """Do what is proposed for the defect."""
        repair, fix = self._desk.repair, self._fix
        if repair is not None and fix is not None:
            self._desk.attempt(lambda: repair.amend(fix.edits, fix.label))
