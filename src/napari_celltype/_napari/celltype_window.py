"""The window's line in the Recording dock: typed values, snapping, suggestions, undo; the region over the traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.classify_values import CellCall, Verdict
from napari_celltype.workbench.classify_windows import SHORTEST_S, WINDOW, drawn

from .celltype_control import control_of
from .celltype_region import WindowRegion
from .plots.palette import OTHER_CLASS_COLOUR, class_colour
from .plots.theme import PlotTheme

if TYPE_CHECKING:
    from .recording_dock import RecordingDock

__all__ = ["WINDOW_KEYS", "WindowLine"]

_STEP_S = 0.0001

WINDOW_KEYS: tuple[tuple[str, str, str], ...] = (
    ("W", "next suggested window", "_on_key_next"),
    ("Shift+W", "suggested window before", "_on_key_previous"),
    ("Shift+Right", "window 0.1 ms later", "_on_key_later"),
    ("Shift+Left", "window 0.1 ms earlier", "_on_key_earlier"),
    ("Shift+Up", "window 0.1 ms longer", "_on_key_longer"),
    ("Shift+Down", "window 0.1 ms shorter", "_on_key_shorter"),
    ("S", "snap to the spike", "_on_key_spike"),
    ("O", "snap to the stimulus onset", "_on_key_onset"),
    ("Z", "zoom to the window", "_on_key_zoom"),
    ("P", "predict", "_on_key_predict"),
    ("A", "accept: put the cell into the table", "_on_key_accept"),
    ("Ctrl+PgDown", "next recording", "_on_key_next_file"),
    ("Ctrl+PgUp", "previous recording", "_on_key_previous_file"),
    ("Ctrl+Z", "undo", "_on_key_undo"),
    ("Ctrl+Shift+Z", "redo", "_on_key_redo"),
)


class WindowLine(QWidget):
    """Shows and changes the window of the recording shown in a Recording dock."""

    def __init__(self, dock: RecordingDock) -> None:
        super().__init__()
        self.control = control_of(dock.session)
        self.cells = self.control.cells
        self._document = dock.document
        self._traces = dock.traces
        self.region = WindowRegion(dock.traces, self._on_region_dragged, self._on_region_dropped)
        self._build()
        for key, _, slot in WINDOW_KEYS:
            shortcut = QShortcut(QKeySequence(key), dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(getattr(self, slot))
        document = self._document
        document.chosen.connect(self._on_chosen)
        document.current_recording_changed.connect(self._on_current_changed)
        document.sweeps_selected.connect(self._on_sweeps_selected)
        self.cells.answered.connect(self._on_answered)
        self.refresh()

    def _build(self) -> None:
        self.title = QLabel("Window")
        self.start = self._spin("Begin of the window in ms since the sweep began")
        self.length = self._spin("Length of the window in ms")
        self.length.setRange(SHORTEST_S * 1e3, 1e4)
        self.start.editingFinished.connect(self._on_typed)
        self.length.editingFinished.connect(self._on_typed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for widget in (self.title, self.start, QLabel("for"), self.length):
            row.addWidget(widget)
        self.buttons = {
            text: self._button(text, tip, slot)
            for text, tip, slot in (
                (
                    "Spike",
                    "Put the window around the nearest spike: 1 ms before to 2 ms after its peak (S)",
                    "_on_key_spike",
                ),
                ("Onset", "Put the window around the stimulus onset: 25 ms to each side (O)", "_on_key_onset"),
                ("◂", "Suggested window before (Shift+W)", "_on_key_previous"),
                ("▸", "Next suggested window (W)", "_on_key_next"),
                ("⌕", "Zoom to the window (Z)", "_on_key_zoom"),
                ("↶", "Undo (Ctrl+Z)", "_on_key_undo"),
                ("↷", "Redo (Ctrl+Shift+Z)", "_on_key_redo"),
            )
        }
        for button in self.buttons.values():
            row.addWidget(button)
        self.said = QLabel()
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self.said, 1)

    def _spin(self, tip: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setDecimals(2)
        spin.setRange(0.0, 1e7)
        spin.setSingleStep(_STEP_S * 1e3)
        spin.setSuffix(" ms")
        spin.setKeyboardTracking(False)
        spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        spin.setFixedWidth(82)
        spin.setToolTip(tip)
        return spin

    def _button(self, text: str, tip: str, slot: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setFixedHeight(24)
        button.setMinimumWidth(24)
        button.clicked.connect(getattr(self, slot))
        return button

    def tear_down(self) -> None:
        """Let go of document and session."""
        document = self._document
        document.chosen.disconnect(self._on_chosen)
        document.current_recording_changed.disconnect(self._on_current_changed)
        document.sweeps_selected.disconnect(self._on_sweeps_selected)
        self.cells.answered.disconnect(self._on_answered)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.region.apply_theme(theme)

    # showing --------------------------------------------------------------------------------------------------------

    @property
    def window(self) -> ApWindow | None:
        """The window chosen for the recording shown."""
        return self.cells.window(self.control.item_id)

    def refresh(self) -> None:
        """Show window and verdict as they are now."""
        item_id, window = self.control.item_id, self.window
        recording = self.cells.recording(item_id)
        self.setEnabled(recording is not None)
        for widget in (self.start, self.length):
            widget.setEnabled(window is not None)
        if recording is None or window is None or item_id is None:
            self.region.hide()
            self.said.setText("")
            return
        with QSignalBlocker(self.start), QSignalBlocker(self.length):
            self.start.setValue(window.start_s * 1e3)
            self.length.setValue(window.duration_s * 1e3)
        call = self.cells.call(item_id)
        if window.sweep in self._document.selected_sweeps(item_id):
            self.region.place(window.start_s, window.stop_s, recording.sweeps[window.sweep].duration_s)
            self._colour(window, call)
        else:
            self.region.hide()
        number = recording.sweeps[window.sweep].number
        self.said.setText(f"  Sweep {number}: {window.reason or 'drawn by hand'}")
        self.said.setToolTip(self.said.text().strip())

    def _colour(self, window: ApWindow, call: CellCall) -> None:
        verdict = _verdict_on(call)
        if verdict is None:
            self.region.say("", OTHER_CLASS_COLOUR)
            return
        said = f"{spoken(verdict.label)} {percent(verdict.confidence)}"
        text = f"? {said}" if verdict.abstained else said
        self.region.say(text, OTHER_CLASS_COLOUR if verdict.abstained else class_colour(verdict.label))

    def _on_chosen(self, item_id: str, what: str) -> None:
        if what != WINDOW or item_id != self.control.item_id:
            return
        window = self.window
        shown = self._document.selected_sweeps(item_id)
        if window is not None and window.sweep not in shown:
            # sweeps laid over each other were chosen by somebody, a single one may be just the first
            self._document.select_sweeps(item_id, [*shown, window.sweep] if len(shown) > 1 else [window.sweep])
        self.refresh()

    def _on_current_changed(self, _: str | None) -> None:
        self.refresh()

    def _on_sweeps_selected(self, _: str) -> None:
        self.refresh()

    def _on_answered(self, item_id: str) -> None:
        if item_id == self.control.item_id:
            self._colour_now()

    def _colour_now(self) -> None:
        window = self.window
        if window is not None and self.region.item.isVisible():
            self._colour(window, self.cells.call(self.control.item_id))

    # moving ---------------------------------------------------------------------------------------------------------

    def _on_region_dragged(self, start_s: float, stop_s: float) -> None:
        window = self.window
        if window is None:
            return
        with QSignalBlocker(self.start), QSignalBlocker(self.length):
            self.start.setValue(start_s * 1e3)
            self.length.setValue((stop_s - start_s) * 1e3)
        self.control.preview(drawn(window.sweep, start_s, stop_s, window))

    def _on_region_dropped(self, start_s: float, stop_s: float) -> None:
        self._choose(start_s, stop_s, "Drag the window")

    def _choose(self, start_s: float, stop_s: float, label: str) -> None:
        item_id, window = self.control.item_id, self.window
        if item_id is not None and window is not None:
            self.cells.choose_window(item_id, drawn(window.sweep, start_s, stop_s, window), label)
            self.refresh()

    def _on_typed(self) -> None:
        window = self.window
        if window is None:
            return
        start_s, length_s = self.start.value() * 1e-3, self.length.value() * 1e-3
        # the boxes round: what was not typed over stays as exact as it was
        start_s = window.start_s if abs(start_s - window.start_s) < 5.1e-6 else start_s
        length_s = window.duration_s if abs(length_s - window.duration_s) < 5.1e-6 else length_s
        self._choose(start_s, start_s + length_s, "Type the window")

    def _nudge(self, start_s: float, stop_s: float, label: str) -> None:
        window = self.window
        if window is not None:
            self._choose(window.start_s + start_s, window.stop_s + stop_s, label)

    def _on_key_later(self) -> None:
        self._nudge(_STEP_S, _STEP_S, "Move the window later")

    def _on_key_earlier(self) -> None:
        self._nudge(-_STEP_S, -_STEP_S, "Move the window earlier")

    def _on_key_longer(self) -> None:
        self._nudge(0.0, _STEP_S, "Lengthen the window")

    def _on_key_shorter(self) -> None:
        self._nudge(0.0, -_STEP_S, "Shorten the window")

    def _attempt(self, action: Callable[..., None], *args: Any) -> None:
        self.control.attempt(action, *args)

    def _on_key_next(self) -> None:
        self._attempt(self.cells.step_suggested, 1)

    def _on_key_previous(self) -> None:
        self._attempt(self.cells.step_suggested, -1)

    def _on_key_spike(self) -> None:
        self._attempt(self._snap, self.cells.snap_to_spike)

    def _on_key_onset(self) -> None:
        self._attempt(self._snap, self.cells.snap_to_onset)

    def _snap(self, item_id: str, snap: Callable[[str], None]) -> None:
        """Where no window is chosen yet, one in the middle of the sweep shown is what snapping begins from."""
        if self.cells.window(item_id) is None:
            recording, shown = self.cells.recording(item_id), self._document.selected_sweeps(item_id)
            if recording is None or not shown:
                return
            low, high = self._traces.time_range
            self.cells.choose_window(
                item_id, ApWindow(shown[0], (low + high) / 2, (low + high) / 2 + 0.003), "Draw a window"
            )
        snap(item_id)

    def _on_key_zoom(self) -> None:
        window = self.window
        if window is not None:
            margin = 2.0 * window.duration_s
            self._traces.voltage.vb.setXRange(window.start_s - margin, window.stop_s + margin, padding=0.0)

    def _on_key_predict(self) -> None:
        self.control.ask()

    def _on_key_accept(self) -> None:
        self._attempt(self.cells.accept)

    def _on_key_next_file(self) -> None:
        self.control.step_recording(1)

    def _on_key_previous_file(self) -> None:
        self.control.step_recording(-1)

    def _on_key_undo(self) -> None:
        self.control.undo()

    def _on_key_redo(self) -> None:
        self.control.redo()


def _verdict_on(call: CellCall) -> Verdict | None:
    """What a waveform model says, else what is said of the cell."""
    for verdict in (call.verdict, call.companion):
        if verdict is not None and verdict.input == "waveform":
            return verdict
    return call.verdict
