"""The dock "Recording": sweep list, voltage over current, and what is doubtful about the file."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QSignalBlocker, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QSplitter,
    QStackedLayout,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.recording import Recording
from napari_celltype.workbench import Item

from .celltype_window import WINDOW_KEYS, WindowLine
from .dock import Dock
from .jobs import LatestJob
from .plots.palette import sweep_colours
from .plots.theme import PlotTheme
from .plots.trace_view import Trace, TraceView
from .problem_banner import ProblemBanner
from .session import PLUGIN
from .sweep_table import SweepTable
from .trace_loader import LoadedSweep, Progress, SweepCache, load_sweeps

__all__ = ["KEYS", "RecordingDock"]

KEYS: tuple[tuple[str, str, str], ...] = (
    ("PgDown", "next sweep", "_on_key_next"),
    ("PgUp", "previous sweep", "_on_key_previous"),
    ("Left", "move left", "_on_key_left"),
    ("Right", "move right", "_on_key_right"),
    ("+", "zoom in", "_on_key_zoom_in"),
    ("-", "zoom out", "_on_key_zoom_out"),
    ("Home", "whole sweep", "_on_key_home"),
    ("Y", "fit values", "_on_key_fit"),
)
MOUSE_HELP = "Drag to move, wheel to zoom time, Shift+wheel to zoom values. Ctrl+click or Shift+click rows to overlay."
EMPTY = (
    "No recording is open.\nDrop a file or a folder here, or choose File › Open Sample › napari-celltype › Recording."
)


class RecordingDock(Dock):
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
        self._keep_range = False
        self._loading = LatestJob(self._on_sweep_loaded, on_busy=self._on_loading_busy, on_failed=self._show_message)
        self._checking = LatestJob(self._on_problems_found, on_failed=self._show_message)
        self._build()
        self._bind_keys()
        self._connect()
        self.apply_theme(self.theme)
        self._list_recordings()
        self._show_current()

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setAcceptDrops(True)
        self.setMinimumHeight(200)
        self.traces = TraceView()
        self.traces.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.banner = ProblemBanner()
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        plots = QWidget()
        self._stack = QStackedLayout(plots)
        self._stack.addWidget(self.traces)
        self._stack.addWidget(self.message)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.banner)
        column.addWidget(plots, 1)
        self.window_line = WindowLine(self)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self._build_list())
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([310, 670])
        splitter.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.addWidget(splitter, 1)
        outer.addWidget(self.window_line)

    def _build_list(self) -> QWidget:
        self.chooser = QComboBox()
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chooser.setMinimumContentsLength(12)
        self.chooser.setToolTip("Recording shown")
        self.sweeps = SweepTable(self)
        self.table = QTableView()
        self.table.setModel(self.sweeps)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setToolTip(MOUSE_HELP)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setResizeContentsPrecision(50)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setMaximumHeight(6)
        self.progress.setTextVisible(False)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(self._build_bar())
        column.addWidget(self.table, 1)
        column.addWidget(self.progress)
        left.setMinimumWidth(240)
        self.progress.hide()
        return left

    def _build_bar(self) -> QHBoxLayout:
        bar = QHBoxLayout()
        bar.addWidget(self.chooser, 1)
        for text, tip, slot in (
            ("◀", "Previous sweep (PgUp)", self._on_key_previous),
            ("▶", "Next sweep (PgDown)", self._on_key_next),
            ("↔", "Show the whole sweep (Home)", self._on_key_home),
        ):
            bar.addWidget(self._button(text, tip, slot))
        help_button = self._button("?", help_text(), None)
        help_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        bar.addWidget(help_button)
        self.help_button = help_button
        return bar

    def _button(self, text: str, tip: str, slot: Any) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setFixedSize(24, 24)
        if slot is not None:
            button.clicked.connect(slot)
        return button

    def _bind_keys(self) -> None:
        for key, _, slot in KEYS:
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(getattr(self, slot))

    def _connect(self) -> None:
        document = self.document
        document.opened.connect(self._on_items_changed)
        document.closed.connect(self._on_items_changed)
        document.changed.connect(self._on_item_changed)
        document.current_recording_changed.connect(self._on_current_changed)
        document.sweeps_selected.connect(self._on_sweeps_selected)
        self.chooser.currentIndexChanged.connect(self._on_chooser_changed)
        self.table.selectionModel().selectionChanged.connect(self._on_table_selected)
        self.help_button.clicked.connect(self._on_help_clicked)

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
        self.traces.apply_theme(theme)
        self.window_line.apply_theme(theme)
        self.banner.apply_theme(theme)
        self.sweeps.warning_colour = theme.warning
        self._keep_range = True
        self._draw()

    # which recording ---------------------------------------------------------------------------------------------

    def _list_recordings(self) -> None:
        items = self.document.recordings
        current = self.document.current_recording
        with QSignalBlocker(self.chooser):
            self.chooser.clear()
            for item in items:
                self.chooser.addItem(f"⚠ {item.name}" if item.error else item.name, item.id)
                self.chooser.setItemData(self.chooser.count() - 1, _where(item), Qt.ItemDataRole.ToolTipRole)
            self.chooser.setCurrentIndex(-1 if current is None else self.chooser.findData(current.id))

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
        self.sweeps.show(recording)
        self.traces.show_traces([])
        self.banner.show_problems([])
        if recording is None:
            self._show_message(_why_nothing(item, listed=bool(self.document.recordings)))
            return
        if not recording.sweeps:
            self._show_message(f"{recording.name} holds no sweeps.")
            return
        self._keep_range = False
        self._mark_selected_rows()
        self._load()
        self._checking.start(_find_problems, recording)

    def _show_message(self, text: str) -> None:
        self.message.setText(text)
        self._stack.setCurrentWidget(self.message)

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

    def _mark_selected_rows(self) -> None:
        selection = QItemSelection()
        for row in self.selected:
            selection.select(self.sweeps.index(row, 0), self.sweeps.index(row, self.sweeps.columnCount() - 1))
        model = self.table.selectionModel()
        with QSignalBlocker(model):
            model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            if self.selected:
                model.setCurrentIndex(
                    self.sweeps.index(self.selected[0], 0), QItemSelectionModel.SelectionFlag.NoUpdate
                )
        self.table.viewport().update()
        if self.selected:
            self.table.scrollTo(self.sweeps.index(self.selected[0], 0))

    def _on_table_selected(self, *_: Any) -> None:
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        if rows and self._shown_id is not None:
            self.document.select_sweeps(self._shown_id, rows)

    def _on_sweeps_selected(self, item_id: str) -> None:
        if item_id != self._shown_id:
            return
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        if rows != set(self.selected):
            self._mark_selected_rows()
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

    def _draw(self) -> None:
        recording = self.recording
        if recording is None or not recording.sweeps:
            return
        colours = dict(zip(self.selected, sweep_colours(len(self.selected), dark=self.theme.dark), strict=True))
        loaded = [found for index in self.selected if (found := self._cache.get(index)) is not None]
        self.sweeps.set_colours(colours)
        if not loaded:
            return
        traces = [_trace(recording, sweep, colours[sweep.index]) for sweep in loaded]
        same_length = self.traces.traces and abs(self.traces.duration_s - max(t.duration_s for t in traces)) < 1e-9
        clamped = all(recording.sweeps[sweep.index].clamp == "voltage" for sweep in loaded)
        self.traces.show_traces(traces, voltage_on_top=not clamped, keep_range=bool(self._keep_range and same_length))
        self._keep_range = True
        if all(trace.voltage_mv is None and trace.current_pa is None for trace in traces):
            self._show_message("The selected sweeps hold no values.")
        else:
            self._stack.setCurrentWidget(self.traces)

    # what is doubtful --------------------------------------------------------------------------------------------

    def _on_problems_found(self, found: tuple[list[str], dict[int, str]]) -> None:
        problems, of_sweeps = found
        self.banner.show_problems(problems)
        self.sweeps.set_problems(of_sweeps)

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

    def _on_help_clicked(self) -> None:
        from qtpy.QtGui import QCursor
        from qtpy.QtWidgets import QToolTip

        QToolTip.showText(QCursor.pos(), help_text(), self.help_button)

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


def help_text() -> str:
    """Keys and mouse in a few lines."""
    return "\n".join([*(f"{key}: {what}" for key, what, _ in (*KEYS, *WINDOW_KEYS)), MOUSE_HELP])


def _trace(recording: Recording, loaded: LoadedSweep, colour: str) -> Trace:
    sweep = recording.sweeps[loaded.index]
    return Trace(
        str(sweep.number), colour, sweep.rate_hz, max(loaded.n_samples, 1), loaded.voltage_mv, loaded.current_pa
    )


def _where(item: Item) -> str:
    where = str(item.path) if item.path is not None else item.name
    return f"{where}\n{item.error}" if item.error else where


def _why_nothing(item: Item | None, *, listed: bool) -> str:
    if item is None:
        return "Choose a recording from the list." if listed else EMPTY
    return item.error or f"Reading {item.name} …"


def _find_problems(recording: Recording) -> Generator[tuple[list[str], dict[int, str]], None, None]:
    """Blank tails are found by reading the end of every sweep: not the GUI's work."""
    of_sweeps = {}
    for sweep in recording.sweeps:
        problem = sweep.tail_problem
        if problem is None and sweep.clamp == "unknown":
            problem = "Clamp mode unknown."
        if problem:
            of_sweeps[sweep.index] = problem
    yield recording.problems, of_sweeps
