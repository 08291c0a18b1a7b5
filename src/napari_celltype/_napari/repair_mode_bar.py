"""How the selected jump is mended, and what can be decided about all open ones at once."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from napari_celltype.morphology.repair import MODES

__all__ = ["ModeBar"]

_MODE_TIPS = {
    "align": "Shift the node and all downstream until the step is flat (1)",
    "split": "Spread the jump evenly over its section; both ends stay (2)",
    "tilt": "Flatten the step and let the shift fade to nothing along the branch (3)",
    "cut": "Take the node off its parent; nothing moves (4)",
}


class ModeBar(QWidget):
    """A button a mode, and a menu; ``tab`` is the tab of jumps, which decides."""

    def __init__(self, tab: Any) -> None:
        super().__init__(tab)
        self._tab = tab
        bar = QHBoxLayout(self)
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        for number, mode in enumerate(MODES, 1):
            button = QPushButton(f"{number} {mode}")
            button.setToolTip(_MODE_TIPS[mode])
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(58)
            self._group.addButton(button, number - 1)
            self.buttons[mode] = button
            bar.addWidget(button)
        self._group.idClicked.connect(self._on_mode_clicked)
        self.all_button = QPushButton("All open")
        self.all_button.setToolTip("Decide about every open jump in the list at once")
        menu = QMenu(self.all_button)
        for text, slot in (
            ("Accept all open jumps", tab.accept_all),
            ("Refuse all open jumps", tab.refuse_all),
            ("Refuse those marked ⚠ (steep beside the step too)", tab.refuse_steep),
        ):
            menu.addAction(text, slot)
        self.all_button.setMenu(menu)
        bar.addWidget(self.all_button)

    def show_mode(self, mode: str | None, *, usable: bool, n_open: int) -> None:
        """Press the button of this mode; offer what can be done."""
        for name, button in self.buttons.items():
            button.setEnabled(usable)
            button.setChecked(name == mode)
        self.all_button.setEnabled(n_open > 0)

    def _on_mode_clicked(self, number: int) -> None:
        self._tab.set_mode(MODES[number])
