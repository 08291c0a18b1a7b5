"""The controls of the Feature gates dock: order, what is shown, colours, saving, and a line about the cell."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

__all__ = ["GatesBar"]

ORDER_TEXTS = {
    "stimulus": "by stimulus",
    "gate": "most open first",
    "contribution": "most telling first",
    "similarity": "alike together (tree)",
    "table": "as in the table",
}
SHOWN_TEXTS = {
    "averages": "class averages",
    "all": "all cells, clustered",
    "by class": "all cells, by class",
    "selected": "cells selected on the map",
}


class GatesBar(QWidget):
    """Two lines: what to show, and what is shown.

    Parameters
    ----------
    save_figure, save_table
        Called when the user wants to save.
    """

    def __init__(self, save_figure: Callable[[], None], save_table: Callable[[], None]) -> None:
        super().__init__()
        self.order = _chooser(ORDER_TEXTS, "Order of the features")
        self.shown = _chooser(SHOWN_TEXTS, "Reference cells shown beside the averages")
        self.grey = QToolButton()
        self.grey.setText("B/W")
        self.grey.setCheckable(True)
        self.grey.setToolTip("Gates from black (muted) to white (open), as in the paper")
        self.export = QToolButton()
        self.export.setText("Save   ")
        self.export.setToolTip("Save the figure or the numbers")
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        menu.addAction("Figure (SVG, PDF, PNG) …", save_figure)
        menu.addAction("Table (CSV) …", save_table)
        self.export.setMenu(menu)
        self.head = QLabel()
        self.head.setWordWrap(True)
        self.head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()

    def _lay_out(self) -> None:
        choosers = QHBoxLayout()
        choosers.setSpacing(4)
        for text, widget in (("Sort", self.order), ("Show", self.shown)):
            label = QLabel(text)
            label.setBuddy(widget)
            choosers.addWidget(label)
            choosers.addWidget(widget, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        grid.addLayout(choosers, 0, 0, 1, 3)
        grid.addWidget(self.head, 1, 0)
        grid.addWidget(self.grey, 1, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.export, 1, 2, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 1)


def _chooser(texts: dict[str, str], tip: str) -> QComboBox:
    box = QComboBox()
    for value, text in texts.items():
        box.addItem(text, value)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    return box
