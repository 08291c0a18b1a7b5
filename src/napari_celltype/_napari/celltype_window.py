"""The window's line in the Recording dock: typed values, snapping, suggestions, undo; the region over the traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_session import MODEL
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.classify_values import CellCall, Verdict
from napari_celltype.workbench.classify_windows import STEP_S, WINDOW, drawn

from .celltype_control import control_of
from .celltype_region import WindowRegion
from .celltype_window_form import WindowForm
from .plots.palette import OTHER_CLASS_COLOUR, class_colour
from .plots.theme import PlotTheme
from .rig_keys import WINDOW_KEYS, bind_keys

if TYPE_CHECKING:
    from .recording_dock import RecordingDock

__all__ = ["WINDOW_KEYS", "WindowLine"]

SMOOTH_A_SECOND = 15
"""Fewer verdicts a second than this while dragging are said to be a preview."""


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
        bind_keys(dock, WINDOW_KEYS, self)
        document = self._document
        document.chosen.connect(self._on_chosen)
        document.current_recording_changed.connect(self._on_current_changed)
        document.sweeps_selected.connect(self._on_sweeps_selected)
        self.cells.answered.connect(self._on_answered)
        self.refresh()

    def _build(self) -> None:
        self.form = WindowForm()
        self.start, self.length, self.said = self.form.start, self.form.length, self.form.said
        self.start.editingFinished.connect(self._on_typed)
        self.length.editingFinished.connect(self._on_typed)
        buttons = self.form.buttons
        for button, slot in (
            (self.form.kinds["peak"], self._on_key_spike),
            (self.form.kinds["onset"], self._on_key_onset),
            (buttons["before"], self._on_key_previous),
            (buttons["after"], self._on_key_next),
            (buttons["zoom"], self._on_key_zoom),
            (buttons["undo"], self._on_key_undo),
            (buttons["redo"], self._on_key_redo),
        ):
            button.clicked.connect(slot)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.form)

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
        self.form.show_window(window)
        self.form.mark_kind(*self.cells.window_kind(item_id))
        if recording is None or window is None or item_id is None:
            self.region.hide()
            self.said.setText("")
            return
        call = self.cells.call(item_id)
        if window.sweep in self._document.selected_sweeps(item_id):
            self.region.place(window.start_s, window.stop_s, recording.sweeps[window.sweep].duration_s)
            self._colour(window, call)
        else:
            self.region.hide()
        number = recording.sweeps[window.sweep].number
        self.said.setText(f"Sweep {number}: {window.reason or 'drawn by hand'}")

    def _colour(self, window: ApWindow, call: CellCall) -> None:
        verdict = _verdict_on(call)
        if verdict is None:
            self.region.say("", OTHER_CLASS_COLOUR)
            return
        said = f"{spoken(verdict.label)} {percent(verdict.confidence)}"
        text = f"? {said}" if verdict.abstained else said
        self.region.say(text, OTHER_CLASS_COLOUR if verdict.abstained else class_colour(verdict.label))

    def _on_chosen(self, item_id: str, what: str) -> None:
        if item_id != self.control.item_id or what not in (WINDOW, MODEL):
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
        self.form.show_span(start_s, stop_s)
        rate = self.control.preview_rate
        if rate is not None and rate < SMOOTH_A_SECOND:
            self.said.setText(f"Preview: {max(rate, 1.0):.0f} verdicts a second; the full answer comes when you let go")
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
        self._nudge(STEP_S, STEP_S, "Move the window later")

    def _on_key_earlier(self) -> None:
        self._nudge(-STEP_S, -STEP_S, "Move the window earlier")

    def _on_key_longer(self) -> None:
        self._nudge(0.0, STEP_S, "Lengthen the window")

    def _on_key_shorter(self) -> None:
        self._nudge(0.0, -STEP_S, "Shorten the window")

    def _attempt(self, action: Callable[..., None], *args: Any) -> None:
        self.control.attempt(action, *args)
        # a button that could not do what it says must not look as if it had
        self.form.show_window(self.window)

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
