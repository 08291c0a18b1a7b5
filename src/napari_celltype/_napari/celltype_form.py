"""Which model, on what device, live or on request; the model's card in a dialog."""

from __future__ import annotations

from typing import Any

from psygnal import Signal
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.workbench.classify_values import ModelChoice

__all__ = ["CardDialog", "ModelForm"]

_DEVICES = (("Automatic", "auto"), ("CPU", "cpu"), ("NVIDIA GPU", "cuda"), ("Apple GPU", "mps"))
_NEWEST = "newest"


class ModelForm(QWidget):
    """Emits ``chosen`` with a :class:`ModelChoice`; everything else is asked for with a signal of its own."""

    chosen = Signal(object)
    live_changed = Signal(bool)
    predict_requested = Signal()
    cancel_requested = Signal()
    card_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._infos: list[Any] = []
        self.model = _combo(
            "Model that is asked. Waveform models look at the window, feature models at the whole recording."
        )
        self.version = _combo("Version of the model", 3)
        self.device = _combo("Where networks run. If it is not there, the CPU is used and a note says so.", 4)
        for text, value in _DEVICES:
            self.device.addItem(text, value)
        self.card = QPushButton("Card")
        self.card.setToolTip("What the model was trained on, how often it is right, and where it fails")
        self.live = QCheckBox("Live")
        self.live.setChecked(True)
        self.live.setToolTip("Predict again whenever recording, window or model change")
        self.predict = QPushButton("Predict")
        self.predict.setToolTip("Predict now (P in the Recording dock)")
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(4)
        self.progress.setTextVisible(False)
        self._is_busy = False
        self._lay_out()
        self.model.currentIndexChanged.connect(self._on_model_changed)
        self.version.currentIndexChanged.connect(self._on_rest_changed)
        self.device.currentIndexChanged.connect(self._on_rest_changed)
        self.live.toggled.connect(self._on_live_toggled)
        self.predict.clicked.connect(self._on_predict_clicked)
        self.card.clicked.connect(self._on_card_clicked)
        self.show_busy(False)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.model, 1)
        first.addWidget(self.version)
        first.addWidget(self.card)
        second.addWidget(self.device, 1)
        second.addWidget(self.live)
        second.addWidget(self.predict, 1)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.progress)

    def list_models(self, infos: list[Any]) -> None:
        """Offer these models, by name."""
        self._infos = list(infos)
        with QSignalBlocker(self.model):
            self.model.clear()
            for name in dict.fromkeys(info.name for info in infos):
                info = self._infos_of(name)[0]
                self.model.addItem(name, name)
                tip = f"Looks at: {info.input}\n{info.task}\n{', '.join(info.classes)}\n{info.summary}".strip()
                self.model.setItemData(self.model.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.setEnabled(bool(infos))

    def _infos_of(self, name: str) -> list[Any]:
        return [info for info in self._infos if info.name == name]

    def show_choice(self, choice: ModelChoice) -> None:
        """Show what is chosen, without choosing it again."""
        with QSignalBlocker(self.model), QSignalBlocker(self.version), QSignalBlocker(self.device):
            self.model.setCurrentIndex(self.model.findData(choice.name))
            self._list_versions(choice.name)
            self.version.setCurrentIndex(max(0, self.version.findData(choice.version)))
            self.device.setCurrentIndex(max(0, self.device.findData(choice.device)))
        self.model.setToolTip(str(self.model.currentData(Qt.ItemDataRole.ToolTipRole) or ""))

    def _list_versions(self, name: str) -> None:
        self.version.clear()
        versions = [info.version for info in self._infos_of(name)]
        self.version.addItem(versions[-1] if len(versions) == 1 else _NEWEST, None)
        if len(versions) > 1:
            for version in reversed(versions):
                self.version.addItem(version, version)

    @property
    def choice(self) -> ModelChoice:
        """What the form says."""
        return ModelChoice(self.model.currentData(), self.version.currentData(), self.device.currentData())

    def show_busy(self, busy: bool) -> None:
        """While busy the button cancels."""
        self._is_busy = busy
        self.predict.setText("Cancel" if busy else "Predict")
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.progress.setVisible(busy)
        if not busy:
            self.progress.setValue(0)

    def show_progress(self, share: float, doing: str) -> None:
        """How far it is."""
        self.progress.setValue(round(100 * share))
        self.progress.setToolTip(doing)

    def _on_model_changed(self, _: int) -> None:
        with QSignalBlocker(self.version):
            self._list_versions(self.model.currentData())
        self.chosen.emit(self.choice)

    def _on_rest_changed(self, _: int) -> None:
        if self.model.currentData() is not None:
            self.chosen.emit(self.choice)

    def _on_live_toggled(self, live: bool) -> None:
        self.live_changed.emit(live)

    def _on_predict_clicked(self) -> None:
        if self._is_busy:
            self.cancel_requested.emit()
        else:
            self.predict_requested.emit()

    def _on_card_clicked(self) -> None:
        self.card_requested.emit()


def _combo(tip: str, letters: int = 8) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(letters)
    return combo


class CardDialog(QDialog):
    """A model's card, as its authors wrote it."""

    def __init__(self, name: str, card: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Model card: {name}")
        self.resize(720, 600)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setMarkdown(card)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
