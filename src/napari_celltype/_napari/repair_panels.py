"""Small parts of the repair dock: thresholds, numbers before and after, a question with its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.workbench.repair_neuron import Numbers, is_much_deeper

from .plots.theme import PlotTheme

__all__ = ["MessageBar", "NumbersPanel", "QuestionBar", "ThresholdPanel"]


_NARROW_PX = 330


class ThresholdPanel(QWidget):
    """Two sliders with their numbers; :attr:`changed` carries height and slope."""

    changed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self.height_slider, self.height_box = self._add(grid, 0, "Height ≥", 1.0, 100.0, 0.5, " µm", _HEIGHT_TIP)
        self.slope_slider, self.slope_box = self._add(grid, 1, "Slope ≥", 0.0, 20.0, 0.1, "", _SLOPE_TIP)

    def _add(self, grid: QGridLayout, row: int, text: str, *limits: Any) -> tuple[QSlider, QDoubleSpinBox]:
        low, high, step, suffix, tip = limits
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(round(low / step), round(high / step))
        box = QDoubleSpinBox()
        box.setRange(low, high)
        box.setSingleStep(step)
        box.setDecimals(1)
        box.setSuffix(suffix)
        box.setFixedWidth(92)
        for widget in (slider, box):
            widget.setToolTip(tip)
        label = QLabel(text)
        label.setToolTip(tip)
        grid.addWidget(label, row, 0)
        grid.addWidget(slider, row, 1)
        grid.addWidget(box, row, 2)
        slider.valueChanged.connect(self._on_slider_changed)
        box.valueChanged.connect(self._on_box_changed)
        return slider, box

    @property
    def values(self) -> tuple[float, float]:
        """Height in um and slope."""
        return self.height_box.value(), self.slope_box.value()

    def set_values(self, min_dz_um: float, min_slope: float) -> None:
        """Show these, telling nobody."""
        for box, slider, value, step in (
            (self.height_box, self.height_slider, min_dz_um, 0.5),
            (self.slope_box, self.slope_slider, min_slope, 0.1),
        ):
            with QSignalBlocker(box), QSignalBlocker(slider):
                box.setValue(value)
                slider.setValue(round(value / step))

    def _on_slider_changed(self) -> None:
        with QSignalBlocker(self.height_box), QSignalBlocker(self.slope_box):
            self.height_box.setValue(self.height_slider.value() * 0.5)
            self.slope_box.setValue(self.slope_slider.value() * 0.1)
        self.changed.emit(*self.values)

    def _on_box_changed(self) -> None:
        self.set_values(*self.values)
        self.changed.emit(*self.values)


_HEIGHT_TIP = "A jump is a step at least this high. Lower: more is listed, also what is none."
_SLOPE_TIP = "A jump is at least this steep: height over length in the xy plane. Higher: only steps close to vertical."


class NumbersPanel(QLabel):
    """Length and extent before and now."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setToolTip("Of the file, and of the neuron as it is now. ⚠: much deeper than the file; look at it again")

    def show_numbers(self, before: Numbers, after: Numbers) -> None:
        """Show both; what has changed stands out."""
        x, y, z = (_change(f"{a:,.1f}", f"{b:,.1f}") for a, b in zip(before.extent_um, after.extent_um, strict=True))
        if is_much_deeper(before.extent_um[2], after.extent_um[2]):
            z = f"⚠ {z}"
        length = _change(f"{before.length_um:,.0f}", f"{after.length_um:,.0f}")
        nodes = _change(f"{before.n_nodes:,}", f"{after.n_nodes:,}")
        trees = _change(str(before.n_trees), str(after.n_trees))
        self.setText(
            f"Length {length} µm &nbsp; Nodes {nodes} &nbsp; Trees {trees}<br>Extent x {x} &nbsp; y {y} &nbsp; z {z} µm"
        )


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → <b>{after}</b>"


class _Wrapped(QLabel):
    """Text over as many lines as it takes, and no more.

    Qt guesses the height of wrapped text from a width of its own, which made the window higher than a small screen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def minimumSizeHint(self) -> QSize:
        """As high as the text is at this width."""
        return QSize(0, self.heightForWidth(max(self.width(), _NARROW_PX)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for another height."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()


class MessageBar(_Wrapped):
    """A sentence that is shown whole; hidden while there is nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._good = False
        self._theme: PlotTheme | None = None
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hide()

    @property
    def message(self) -> str:
        """What is said; empty if nothing."""
        return "" if self.isHidden() else self.text()

    def say(self, text: str, *, good: bool = False) -> None:
        """Say this, or nothing if it is empty; ``good`` news are not in the colour of warnings."""
        self._good = good
        self.setText(text)
        self.setVisible(bool(text))
        self._paint()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the theme's colours."""
        self._theme = theme
        self._paint()

    def _paint(self) -> None:
        if self._theme is not None:
            colour = self._theme.text if self._good else self._theme.warning
            self.setStyleSheet(f"color: {colour}; border: 1px solid {colour}; border-radius: 3px; padding: 3px;")


class QuestionBar(QFrame):
    """A sentence and buttons, in the dock rather than over the window; hidden while there is nothing to ask."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = _Wrapped()
        self._buttons = QHBoxLayout()
        self._answers: list[tuple[QPushButton, Callable[[], None]]] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 4)
        column.addWidget(self.label)
        column.addLayout(self._buttons)
        self.hide()

    @property
    def question(self) -> str:
        """What is asked; empty if nothing."""
        return "" if self.isHidden() else self.label.text()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Frame in the theme's accent colour."""
        self.setStyleSheet(f"QuestionBar {{ border: 1px solid {theme.accent}; border-radius: 3px; }}")

    def ask(self, text: str, answers: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Ask this; an answer hides the bar and is then acted on."""
        self.dismiss()
        self.label.setText(text)
        for name, act in answers:
            button = QPushButton(name)
            button.clicked.connect(self._on_button_clicked)
            self._buttons.addWidget(button)
            self._answers.append((button, act))
        self.show()

    def answer(self, name: str) -> None:
        """Press the button of this name."""
        next(button for button, _ in self._answers if button.text() == name).click()

    def dismiss(self) -> None:
        """Ask no more."""
        for button, _ in self._answers:
            self._buttons.removeWidget(button)
            button.deleteLater()
        self._answers.clear()
        self.hide()

    def _on_button_clicked(self) -> None:
        act = next((act for button, act in self._answers if button is self.sender()), None)
        self.dismiss()
        if act is not None:
            act()
