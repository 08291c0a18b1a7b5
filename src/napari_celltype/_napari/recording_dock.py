"""The dock "Recording": sweep list, voltage over current, and what is doubtful about the file."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QSplitter, QToolTip, QVBoxLayout

from napari_celltype.recording import Recording
from napari_celltype.workbench import Item
from napari_celltype.workbench.classify_facts import SweepFacts

from .celltype_window import WindowLine
from .jobs import LatestJob
from .plots.palette import sweep_colours
from .plots.theme import PlotTheme
from .recording_keys import KEYS, bind_keys, help_text
from .recording_panels import SweepPanel
from .recording_steps import Found, look_steps
from .recording_traces import TracePane
from .rig_dock import RigDock
from .session import PLUGIN
from .trace_loader import LoadedSweep, Progress, SweepCache, load_sweeps

__all__ = ["KEYS", "RecordingDock", "help_text"]

EMPTY = (
    "No recording is open.\nDrop a file or a folder here, or choose File › Open Sample › napari-celltype › Recording."
)


class RecordingDock(RigDock):
    """Shows the current recording of the session.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Recording"
    first_area = "bottom"
    first_size = 330

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.document = self.session.document
        self._cache = SweepCache()
        self._shown_id: str | None = None
        self._facts: dict[int, SweepFacts] = {}
        self._build()
        self._loading = LatestJob(self._on_sweep_loaded, on_busy=self._on_loading_busy, on_failed=self.pane.say)
        self._checking = LatestJob(self._on_found, on_failed=self.pane.warn)
        bind_keys(self)
        self._connect()
        self.apply_theme(self.theme)
        self._list_recordings()
        self._show_current()

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setAcceptDrops(True)
        self.setMinimumHeight(200)
        self.panel = SweepPanel()
        self.chooser, self.table, self.sweeps = self.panel.chooser, self.panel.table, self.panel.sweeps
        self.progress = self.panel.progress
        self.pane = TracePane()
        self.traces, self.marks, self.banner = self.pane.traces, self.pane.marks, self.pane.banner
        self.message, self._stack = self.pane.message, self.pane.stack
        self.window_line = WindowLine(self)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.panel)
        splitter.addWidget(self.pane)
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([285, 695])
        splitter.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.addWidget(splitter, 1)
        outer.addWidget(self.window_line)

    def _connect(self) -> None:
        document = self.document
        document.opened.connect(self._on_items_changed)
        document.closed.connect(self._on_items_changed)
        document.changed.connect(self._on_item_changed)
        document.current_recording_changed.connect(self._on_current_changed)
        document.sweeps_selected.connect(self._on_sweeps_selected)
        self.chooser.currentIndexChanged.connect(self._on_chooser_changed)
        self.table.selectionModel().selectionChanged.connect(self._on_table_selected)
        self.panel.before.clicked.connect(self._on_key_previous)
        self.panel.after.clicked.connect(self._on_key_next)
        self.panel.whole.clicked.connect(self._on_key_home)
        self.panel.help.clicked.connect(self._on_help_clicked)

    def tear_down(self) -> None:
        """Stop loading and let go of the document."""
        self._loading.stop()
        self._checking.stop()
        self._cache.clear()
        self.window_line.tear_down()
        self.traces.tear_down()
        document = self.document
        document.opened.disconnect(self._on_items_changed)
        document.closed.disconnect(self._on_items_changed)
        document.changed.disconnect(self._on_item_changed)
        document.current_recording_changed.disconnect(self._on_current_changed)
        document.sweeps_selected.disconnect(self._on_sweeps_selected)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme, traces included."""
        self.pane.apply_theme(theme)
        self.window_line.apply_theme(theme)
        self.sweeps.warning_colour = theme.warning
        self._draw()

    # which recording ---------------------------------------------------------------------------------------------

    def _list_recordings(self) -> None:
        self.panel.list_recordings(self.document.recordings, self.document.current_recording)

    @property
    def recording(self) -> Recording | None:
        """The recording shown."""
        item = self.document.current_recording
        value = item.value if item is not None else None
        return value if isinstance(value, Recording) else None

    def _show_current(self) -> None:
        item = self.document.current_recording
        recording = self.recording
        self._loading.stop()
        self._checking.stop()
        self._cache.clear()
        self.window_line.refresh()
        self._shown_id = item.id if item is not None else None
        self.panel.show_sweeps(recording)
        self.pane.clear()
        self._take_facts({})
        if recording is None:
            self.pane.say(_why_nothing(item, listed=bool(self.document.recordings)))
            return
        if not recording.sweeps:
            self.pane.say(f"{recording.name} holds no sweeps.")
            return
        self.panel.mark_rows(self.selected)
        self._load()
        self._checking.start(look_steps, self.window_line.cells.facts(self._shown_id or ""))

    def _on_items_changed(self, _: str) -> None:
        self._list_recordings()

    def _on_item_changed(self, item_id: str) -> None:
        self._list_recordings()
        if item_id == self._shown_id:
            self._show_current()

    def _on_current_changed(self, _: str | None) -> None:
        self._list_recordings()
        self._show_current()

    def _on_chooser_changed(self, index: int) -> None:
        item_id = self.chooser.itemData(index)
        if item_id is not None:
            self.document.make_current(item_id)

    # which sweeps ------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> tuple[int, ...]:
        """Positions of the sweeps shown."""
        shown = self._shown_id
        return self.document.selected_sweeps(shown) if shown is not None and shown in self.document else ()

    def _on_table_selected(self, *_: Any) -> None:
        rows = self.panel.marked_rows
        if rows and self._shown_id is not None:
            self.document.select_sweeps(self._shown_id, rows)

    def _on_sweeps_selected(self, item_id: str) -> None:
        if item_id != self._shown_id:
            return
        if self.panel.marked_rows != set(self.selected):
            self.panel.mark_rows(self.selected)
        self._load()

    def _load(self) -> None:
        recording = self.recording
        if recording is None:
            return
        missing = [index for index in self.selected if self._cache.get(index) is None]
        self._draw()
        if missing:
            self._loading.start(load_sweeps, recording, missing)
        else:
            self._loading.stop()

    def _on_sweep_loaded(self, step: LoadedSweep | Progress) -> None:
        if isinstance(step, Progress):
            self.progress.setValue(round(100 * step.share))
            return
        self._cache.put(step)
        self._draw()

    def _on_loading_busy(self, busy: bool) -> None:
        self.progress.setValue(0)
        self.progress.setVisible(busy)

    @property
    def _colours(self) -> dict[int, str]:
        """Colour of each sweep shown."""
        return dict(zip(self.selected, sweep_colours(len(self.selected), dark=self.theme.dark), strict=True))

    def _draw(self) -> None:
        recording = self.recording
        if recording is None or not recording.sweeps:
            return
        colours = self._colours
        loaded = [found for index in self.selected if (found := self._cache.get(index)) is not None]
        self.sweeps.set_colours(colours)
        if loaded:
            self.pane.show_sweeps(recording, loaded, colours)
            self.pane.mark_spikes(self._facts, colours)

    # what is found out -------------------------------------------------------------------------------------------

    def _on_found(self, found: Found) -> None:
        if isinstance(found, dict):
            self._take_facts(found)
            return
        problems, of_sweeps = found
        self.banner.show_problems(problems)
        self.sweeps.set_problems(of_sweeps)

    def _take_facts(self, facts: dict[int, SweepFacts]) -> None:
        self._facts = facts
        self.sweeps.set_facts(facts)
        self.pane.mark_spikes(facts, self._colours)

    # keys --------------------------------------------------------------------------------------------------------

    def step_sweep(self, by: int) -> None:
        """Show the sweep ``by`` rows further on, alone."""
        if self._shown_id is None or not self.selected:
            return
        at = (max(self.selected) if by > 0 else min(self.selected)) + by
        self.document.select_sweeps(self._shown_id, [min(max(at, 0), self.sweeps.rowCount() - 1)])

    def _on_key_next(self) -> None:
        self.step_sweep(1)

    def _on_key_previous(self) -> None:
        self.step_sweep(-1)

    def _on_key_left(self) -> None:
        self.traces.pan(-0.1)

    def _on_key_right(self) -> None:
        self.traces.pan(0.1)

    def _on_key_zoom_in(self) -> None:
        self.traces.zoom(0.7)

    def _on_key_zoom_out(self) -> None:
        self.traces.zoom(1 / 0.7)

    def _on_key_home(self) -> None:
        self.traces.home()

    def _on_key_fit(self) -> None:
        self.traces.fit_values()

    def _on_key_marks(self) -> None:
        self.marks.toggle()

    def _on_help_clicked(self) -> None:
        QToolTip.showText(QCursor.pos(), help_text(), self.panel.help)

    # files dropped here ------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: Any) -> None:
        """Accept files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open the files dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open_files(paths)

    def open_files(self, paths: list[str]) -> None:
        """Open files one by one; what cannot be read is reported and does not stop the others."""
        for path in paths:
            self.session.viewer.open(path, plugin=PLUGIN)


def _why_nothing(item: Item | None, *, listed: bool) -> str:
    if item is None:
        return "Choose a recording from the list." if listed else EMPTY
    return item.error or f"Reading {item.name} …"
