"""Which of the two the Cell type dock is about: the recording or the neuron. It follows the layer that is selected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

from napari_celltype.workbench.neuron_joint import partner_of

from .neuron_layers import KEY
from .neuron_type_page import NeuronPage
from .plots.theme import PlotTheme
from .session import Session

__all__ = ["SubjectSwitch"]

_RECORDING, _NEURON = 0, 1


class SubjectSwitch(QWidget):
    """Two pages and, while both a recording and a neuron are open, a bar to choose between them.

    Parameters
    ----------
    session
        The viewer's session.
    recording_page
        The page about recordings.
    """

    def __init__(self, session: Session, recording_page: QWidget) -> None:
        super().__init__()
        self.session = session
        self.neuron_page = NeuronPage(session)
        self.bar = QTabBar()
        self.bar.setExpanding(True)
        self.bar.setDocumentMode(True)
        for name, tip in (("Recording", "The cell of the current recording"), ("Neuron", "The current neuron")):
            self.bar.setTabToolTip(self.bar.addTab(name), tip)
        self.pages = QStackedWidget()
        self.pages.addWidget(recording_page)
        self.pages.addWidget(self.neuron_page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        column.addWidget(self.pages, 1)
        self.bar.currentChanged.connect(self._on_bar_changed)
        for signal, slot in self._signals:
            signal.connect(slot)
        session.viewer.layers.selection.events.active.connect(self._on_selection_changed)
        self._on_items_changed("")
        self._on_selection_changed()

    @property
    def _signals(self) -> tuple[tuple[Any, Any], ...]:
        document = self.session.document
        return (
            (document.opened, self._on_items_changed),
            (document.closed, self._on_items_changed),
            (document.current_recording_changed, self._on_current_recording_changed),
            (document.current_neuron_changed, self._on_current_neuron_changed),
        )

    def tear_down(self) -> None:
        """Let go of document and viewer."""
        for signal, slot in self._signals:
            signal.disconnect(slot)
        if self.session.has_viewer:
            self.session.viewer.layers.selection.events.active.disconnect(self._on_selection_changed)
        self.neuron_page.tear_down()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.neuron_page.apply_theme(theme)

    @property
    def shows_neuron(self) -> bool:
        """Whether the page about the neuron is shown."""
        return bool(self.pages.currentIndex() == _NEURON)

    def show_page(self, page: int) -> None:
        """Show one of the pages."""
        with QSignalBlocker(self.bar):
            self.bar.setCurrentIndex(page)
        self.pages.setCurrentIndex(page)

    def save_joint_report(self, recording_id: str, path: Path) -> bool:
        """Save one page about a recording and the neuron of its cell; False where there is no such neuron."""
        document, neurons = self.session.document, self.neuron_page.neurons
        for item in document.neurons:
            if partner_of(document, item.id) == recording_id and neurons.call(item.id).verdict is not None:
                self.neuron_page.save_report(path, item.id)
                return True
        return False

    def _on_bar_changed(self, page: int) -> None:
        self.pages.setCurrentIndex(page)

    def _on_items_changed(self, _: str) -> None:
        recordings, neurons = self.session.document.recordings, self.session.document.neurons
        self.bar.setVisible(bool(recordings and neurons))
        if not (recordings and neurons):
            self.show_page(_NEURON if neurons else _RECORDING)

    def _on_current_recording_changed(self, item_id: str | None) -> None:
        if item_id is not None:
            self.show_page(_RECORDING)

    def _on_current_neuron_changed(self, item_id: str | None) -> None:
        if item_id is not None:
            self.show_page(_NEURON)

    def _on_selection_changed(self, _: Any = None) -> None:
        """Show what the selected layer belongs to, and make it the current one."""
        layer, document = self.session.viewer.layers.selection.active, self.session.document
        label = layer.metadata.get(KEY) if layer is not None and isinstance(layer.metadata, dict) else None
        item_id = label.get("id", "") if isinstance(label, dict) else ""
        if item_id not in document:
            return
        kind = document[item_id].kind
        if kind == "neuron":
            document.make_current(item_id)
        self.show_page(_NEURON if kind == "neuron" else _RECORDING)
