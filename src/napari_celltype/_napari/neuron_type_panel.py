"""What the page about a neuron is made of; what it does is in :mod:`.neuron_type_page`."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.workbench import Item

from .celltype_form import ModelForm
from .celltype_result import ResultPanel
from .neuron_type_tabs import NeuronTabs, make_words
from .plots.theme import PlotTheme

__all__ = ["NeuronPanel"]

_HOWS = (("structure", "Structure"), ("type", "Cell type"), ("why", "What decided"))


class NeuronPanel(QWidget):
    """Form, answer, colours, the recording of the cell, buttons and tabs."""

    def __init__(self) -> None:
        super().__init__()
        self._build()

    def _build(self) -> None:
        self.who = QComboBox()
        self.who.setToolTip("Neuron shown")
        self.form = ModelForm()
        self.form.predict.setToolTip("Predict now")
        self.form.live.setToolTip("Predict again whenever the neuron or the model change")
        self.result = ResultPanel()
        self.how = QComboBox()
        for how, text in _HOWS:
            self.how.addItem(text, how)
        self.how.setToolTip("What the branches on the canvas are coloured by")
        self.recording = QComboBox()
        self.recording.setToolTip("Which of the open recordings is of this neuron's cell")
        self.joint = make_words()
        self.accept = QPushButton("Accept")
        self.accept.setToolTip("Put this neuron into the table of the session")
        self.report = QPushButton("Report…")
        self.report.setToolTip("Save one page about this cell as PDF or PNG")
        self.tabs = NeuronTabs()
        for box in (self.who, self.recording):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self._build_upper())
        splitter.addWidget(self.tabs)
        splitter.setSizes([460, 240])
        splitter.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(splitter)

    def _build_upper(self) -> QScrollArea:
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        buttons = QHBoxLayout()
        buttons.addWidget(self.accept)
        buttons.addWidget(self.report)
        self._partner = labelled("Recording", self.recording)
        for widget in (self.who, self.form, self.result, labelled("Colour by", self.how), self._partner, self.joint):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(upper)
        # nothing is cut off at the side: only long answers scroll, downwards
        scroll.setMinimumWidth(upper.minimumSizeHint().width() + scroll.verticalScrollBar().sizeHint().width())
        return scroll

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.result.apply_theme(theme)
        self.tabs.apply_theme(theme)

    def list_neurons(self, neurons: Sequence[Item], current: str | None) -> None:
        """Offer the neurons that are open, where there are several."""
        with QSignalBlocker(self.who):
            self.who.clear()
            for item in neurons:
                self.who.addItem(item.name, item.id)
            self.who.setCurrentIndex(self.who.findData(current))
        self.who.setVisible(len(neurons) > 1)

    def list_recordings(self, recordings: Sequence[Item], partner: str | None, said: str) -> None:
        """Offer the recordings that are open, and say whether the cell's own agrees."""
        self._partner.setVisible(bool(recordings))
        with QSignalBlocker(self.recording):
            self.recording.clear()
            self.recording.addItem("none of this cell", None)
            for item in recordings:
                self.recording.addItem(item.name, item.id)
            self.recording.setCurrentIndex(max(0, self.recording.findData(partner)))
        self.joint.setVisible(bool(said))
        self.joint.setText(said)


def labelled(text: str, widget: QWidget) -> QWidget:
    """A widget behind a word."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(QLabel(text))
    layout.addWidget(widget, 1)
    return row
