"""The lower half of the page about a neuron: what decided, the pictures a model sees, measures, and the repair."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.neuron import Neuron
from napari_celltype.workbench.neuron_type import NeuronCall
from napari_celltype.workbench.neuron_type_text import (
    NO_JUMP,
    difference_cells,
    difference_text,
    limit_text,
    repair_text,
    why_text,
)

from .neuron_type_drawings import PairBars, Pictures, WhyScale
from .plots.theme import PlotTheme

__all__ = ["NeuronTabs"]

_WAITING = "Not asked yet."


class BranchesTab(QWidget):
    """Asks which branches decided; emits ``asked`` and ``cancelled``."""

    asked = Signal()
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton("Which branches decided?")
        self.button.setToolTip("Take off branch after branch and see how the answer changes")
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(4)
        self.progress.setTextVisible(False)
        self.words = make_words()
        self.scale = WhyScale()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        for widget in (self.button, self.progress, self.words, self.scale):
            column.addWidget(widget)
        column.addStretch(1)
        self._is_busy = False
        self.button.clicked.connect(self._on_button_clicked)
        self.show_busy(False)

    def show_busy(self, busy: bool) -> None:
        """While busy the button cancels."""
        self._is_busy = busy
        self.button.setText("Cancel" if busy else "Which branches decided?")
        self.progress.setVisible(busy)
        if not busy:
            self.progress.setValue(0)

    def show_call(self, call: NeuronCall, neuron: Neuron | None) -> None:
        """Say what decided, if it was asked."""
        self.button.setEnabled(call.verdict is not None)
        known = call.why is not None and neuron is not None
        self.scale.setVisible(known)
        if call.why is not None and neuron is not None:
            self.words.setText(why_text(call.why, neuron))
            self.scale.show_limit(limit_text(call.why))
        else:
            self.words.setText(
                "Each branch is taken off in turn, and the model asked again. The branches take on the "
                "colour of what they did to the answer."
            )

    def _on_button_clicked(self) -> None:
        (self.cancelled if self._is_busy else self.asked).emit()


class PicturesTab(QWidget):
    """The pictures with a word on what was taken off."""

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.pictures = Pictures()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.pictures, 1)

    def show_call(self, call: NeuronCall) -> None:
        """Draw them, if they are there."""
        self.pictures.show_views(call.pictures)
        self.words.setText(
            _WAITING
            if call.pictures is None
            else "As networks of pictures see it: upright, as large as fits; the more neurite lies behind a pixel, the "
            "stronger. Axon blue, all else orange."
        )


class MeasuresTab(QWidget):
    """Measures of the neuron beside those of its class, the most unlike first."""

    heads = ("Measure", "This neuron", "Class", "z")

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.table = QTableWidget(0, len(self.heads))
        self.table.setHorizontalHeaderLabels(list(self.heads))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.table, 1)

    def show_call(self, call: NeuronCall) -> None:
        """List them, or say why there are none."""
        found = call.differences or ()
        self.table.setRowCount(len(found))
        for row, difference in enumerate(found):
            for column, text in enumerate(difference_cells(difference)):
                cell = QTableWidgetItem(text)
                cell.setToolTip(" · ".join(difference_cells(difference)))
                if column:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, cell)
        self.table.setVisible(bool(found))
        label = "" if call.verdict is None else call.verdict.label
        self.words.setText(_WAITING if call.verdict is None else difference_text(call.differences, label))


class RepairTab(QWidget):
    """The answer before and after mending."""

    def __init__(self) -> None:
        super().__init__()
        self.words = make_words()
        self.bars = PairBars()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.bars)
        column.addStretch(1)

    def show_call(self, call: NeuronCall) -> None:
        """Show both answers, or say why there is one."""
        effect = call.repair
        self.bars.show_effect(effect)
        if effect is None:
            self.words.setText(NO_JUMP if call.repair_asked else _WAITING)
        else:
            self.words.setText(repair_text(effect))


class NeuronTabs(QTabWidget):
    """The four tabs."""

    def __init__(self) -> None:
        super().__init__()
        self.branches, self.pictures = BranchesTab(), PicturesTab()
        self.measures, self.repair = MeasuresTab(), RepairTab()
        for tab, name, tip in (
            (self.branches, "Branches", "Which branches decided"),
            (self.pictures, "Pictures", "The three views a network is given"),
            (self.measures, "Measures", "What is unlike the cells of its class"),
            (self.repair, "Repair", "Whether mending z-jumps changes the answer"),
        ):
            self.setTabToolTip(self.addTab(tab, name), tip)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        for part in (self.branches.scale, self.pictures.pictures, self.repair.bars):
            part.apply_theme(theme)

    def show_call(self, call: NeuronCall, neuron: Neuron | None) -> None:
        """Show what is said of a neuron."""
        self.branches.show_call(call, neuron)
        for tab in (self.pictures, self.measures, self.repair):
            tab.show_call(call)


def make_words() -> QLabel:
    """A label whose long sentences wrap and do not dictate how wide the dock is."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
