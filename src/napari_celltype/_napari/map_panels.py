"""Parts of the Map dock: what colours mean, the nearest cells, and laying out one's own cells."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QSplitter,
    QStackedLayout,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .plots.scatter import ScatterView

__all__ = ["Legend", "MapBar", "MapPages", "NearTable", "RefitBar"]


class MapBar(QWidget):
    """Which map, coloured by what, and what the mouse does."""

    def __init__(self, own_button: QToolButton) -> None:
        super().__init__()
        self.chooser = _chooser("Map shown", 8)
        self.colour = _chooser("What the points are coloured by", 5)
        self.lasso = _button("Lasso", "Drag around points to select them (L)")
        self.lasso.setCheckable(True)
        self.fit = _button("Fit", "Show everything (Home)")
        upper, lower = QHBoxLayout(), QHBoxLayout()
        upper.addWidget(self.chooser, 3)
        upper.addWidget(QLabel("by"))
        upper.addWidget(self.colour, 2)
        for button in (self.lasso, self.fit, own_button):
            lower.addWidget(button)
        lower.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for row in (upper, lower):
            row.setSpacing(4)
            column.addLayout(row)

    def offer_columns(self, names: Sequence[str]) -> None:
        """What this map's cells can be coloured by; what was chosen stays if it can."""
        with QSignalBlocker(self.colour):
            kept = self.colour.currentText()
            self.colour.clear()
            self.colour.addItems(list(names))
            self.colour.setCurrentIndex(max(0, self.colour.findText(kept)))


def _chooser(tip: str, letters: int) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    return box


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button


class MapPages(QWidget):
    """The map over the list of nearest cells, or a sentence in their place."""

    def __init__(self) -> None:
        super().__init__()
        self.scatter = ScatterView()
        self.near = NearTable()
        self.near.setMinimumHeight(48)
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.scatter)
        split.addWidget(self.near)
        split.setStretchFactor(0, 4)
        split.setStretchFactor(1, 1)
        split.setSizes([400, 110])
        split.setChildrenCollapsible(False)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.message)
        self._stack.addWidget(split)

    def say(self, text: str) -> None:
        """A sentence instead of the map."""
        self.message.setText(text)
        self._stack.setCurrentIndex(0)

    def show_map(self) -> None:
        """The map instead of a sentence."""
        self._stack.setCurrentIndex(1)


class Legend(QLabel):
    """Names in their colours, as many lines as they need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def show_groups(self, names: Sequence[str], colours: Sequence[str], counts: Sequence[int]) -> None:
        """One dot, name and number of cells a group."""
        parts = [
            f'<span style="color:{colour}">●</span>&nbsp;{escape(name).replace(" ", "&nbsp;")}&nbsp;'
            f"<small>{count:,}</small>"
            for name, colour, count in zip(names, colours, counts, strict=True)
        ]
        self.setText(" &nbsp; ".join(parts))

    def show_ramp(self, low: str, high: str, colours: Sequence[str]) -> None:
        """A ramp between two numbers."""
        dots = "".join(f'<span style="color:{colour}">■</span>' for colour in colours)
        self.setText(f"{escape(low)} {dots} {escape(high)}")


class NearTable(QTableWidget):
    """Cells nearest to the one placed; :attr:`chosen` tells the rows of the map that are marked in it."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[int] = []
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setHighlightSections(False)
        self.setToolTip("Nearest reference cells in the space of components, nearest first; select to ring them")
        self.itemSelectionChanged.connect(self._on_selection_changed)

    def show_cells(self, rows: Sequence[int], heads: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
        """One line a cell."""
        self.blockSignals(True)
        self._rows = list(rows)
        self.clearSelection()
        self.setColumnCount(len(heads))
        self.setHorizontalHeaderLabels(list(heads))
        self.setRowCount(len(texts))
        for row, line in enumerate(texts):
            for column, text in enumerate(line):
                self.setItem(row, column, QTableWidgetItem(text))
        self.blockSignals(False)

    def _on_selection_changed(self) -> None:
        marked = sorted({index.row() for index in self.selectionModel().selectedRows()})
        self.chosen.emit([self._rows[row] for row in marked])


class RefitBar(QWidget):
    """Perplexity, seed, go and cancel; :attr:`asked` carries both numbers."""

    asked = Signal(float, int)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.perplexity = QDoubleSpinBox()
        self.perplexity.setRange(2.0, 500.0)
        self.perplexity.setDecimals(0)
        self.perplexity.setValue(30.0)
        self.perplexity.setToolTip("About how many neighbours each cell is kept close to; at most a third of the cells")
        self.seed = QSpinBox()
        self.seed.setRange(0, 99_999)
        self.seed.setToolTip("The same cells, perplexity and seed give the same map")
        self.go = QPushButton("Lay out")
        self.go.setToolTip("Lay out one's own cells by t-SNE, beside the fixed map")
        self.cancel = QPushButton("Cancel")
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, box in (("Perplexity", self.perplexity), ("Seed", self.seed)):
            label = QLabel(text)
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box)
        row.addWidget(self.go)
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel)
        row.addStretch(0)
        self.go.clicked.connect(self._on_go_clicked)
        self.cancel.clicked.connect(self.cancelled)
        self.show_busy(False)

    def show_busy(self, busy: bool) -> None:
        """Offer to cancel while working, to begin else."""
        for widget in (self.progress, self.cancel):
            widget.setVisible(busy)
        self.go.setVisible(not busy)
        self.perplexity.setEnabled(not busy)
        self.seed.setEnabled(not busy)
        if not busy:
            self.progress.setValue(0)

    def _on_go_clicked(self) -> None:
        self.asked.emit(self.perplexity.value(), self.seed.value())
