"""Which of the open neurons is repaired."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QWidget

from napari_celltype.workbench import Document

__all__ = ["NeuronChooser"]


class NeuronChooser(QComboBox):
    """Lists the neurons of a document; choosing one makes it the current one."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.currentIndexChanged.connect(self._on_index_changed)
        document.opened.connect(self._on_items_changed)
        document.closed.connect(self._on_items_changed)
        self.refresh()

    def tear_down(self) -> None:
        """Let go of the document."""
        self._document.opened.disconnect(self._on_items_changed)
        self._document.closed.disconnect(self._on_items_changed)

    def refresh(self) -> None:
        """List the neurons there are."""
        current = self._document.current_neuron
        with QSignalBlocker(self):
            self.clear()
            for item in self._document.neurons:
                self.addItem(item.name, item.id)
                where = str(item.path) if item.path is not None else item.name
                self.setItemData(self.count() - 1, where, Qt.ItemDataRole.ToolTipRole)
            self.setCurrentIndex(-1 if current is None else self.findData(current.id))
            self.setEnabled(self.count() > 0)

    def _on_items_changed(self, _: str) -> None:
        self.refresh()

    def _on_index_changed(self, index: int) -> None:
        item_id = self.itemData(index)
        if item_id is not None:
            self._document.make_current(item_id)
