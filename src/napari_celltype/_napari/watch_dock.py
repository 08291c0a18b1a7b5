"""The dock "Watch folder": new recordings of the acquisition folder, what they wait for, and what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from napari_celltype.workbench.watch import FolderWatch, WatchedFile

from .celltype_tables import Rows, make_table_view
from .plots.palette import OTHER_CLASS_COLOUR, class_colour
from .plots.theme import PlotTheme
from .rig_dock import RigDock
from .watch_control import watch_control_of

__all__ = ["WatchDock", "WatchTable", "status_text"]

_NO_FOLDER = (
    "Choose the folder your acquisition program writes to, or drop it here. Every new recording is then opened and "
    "classified as soon as it is finished, and what you are looking at stays as it is."
)


class WatchTable(Rows):
    """One row a file, the newest first and those left alone last."""

    columns = ("File", "State")
    swatch_column = 0

    def __init__(self) -> None:
        super().__init__()
        self.files: list[WatchedFile] = []

    def show_files(self, files: list[WatchedFile], labels: dict[str, str]) -> None:
        """List these files; ``labels`` are the classes of those that have one."""
        self.files = [*_newest_first(files, left=False), *_newest_first(files, left=True)]
        self._show(
            [(file.name, _state_text(file)) for file in self.files],
            [_colour(file, labels.get(file.name, "")) for file in self.files],
            [f"{file.path}\n{_state_text(file)}\n{file.reason}\nClick to show it.".strip() for file in self.files],
        )


def _newest_first(files: list[WatchedFile], *, left: bool) -> list[WatchedFile]:
    return [file for file in reversed(files) if (file.state == "left") == left]


def _colour(file: WatchedFile, label: str) -> str:
    return class_colour(label) if label else OTHER_CLASS_COLOUR if file.state == "done" else "transparent"


def _state_text(file: WatchedFile) -> str:
    if not file.there:
        return f"{file.said}  (deleted since)" if file.said else file.reason
    if file.state == "done":
        return f"{file.said}  ⚠" if file.reason else file.said
    if file.state == "failed":
        return f"⚠ {file.reason}"
    if file.state == "waiting":
        return f"Waiting: {file.reason}" if file.reason else "Waiting until it is finished"
    return "Reading …" if file.state == "reading" else "Was there before"


def status_text(watch: FolderWatch | None) -> str:
    """How it goes, in a sentence."""
    if watch is None:
        return _NO_FOLDER
    if watch.problem:
        return f"⚠ {watch.problem}"
    parts = [
        f"{count} {words}"
        for count, words in (
            (watch.count("done"), "read"),
            (watch.count("waiting", "reading"), "waiting"),
            (watch.count("failed"), "failed"),
            (watch.count("left"), "left alone"),
        )
        if count
    ]
    doing = "Paused" if watch.paused else "Watching"
    return f"{doing}: {', '.join(parts) or 'no recording yet'}."


class WatchDock(RigDock):
    """Chooses the folder and lists its files.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Watch folder"
    first_area = "right"
    first_size = 170
    takes_height = True

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.control = watch_control_of(self.session)
        self._build()
        self._connect()
        self.apply_theme(self.theme)
        self.refresh()
        self.control.join(self)

    def _build(self) -> None:
        self.setMinimumWidth(250)
        self.setAcceptDrops(True)
        self.folder = QLabel()
        self.folder.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.folder.setMinimumWidth(60)
        self.choose = _button("Folder…", "Choose the folder to watch")
        self.pause = _button("Pause", "Read nothing until Resume; new files are noticed all the same")
        self.old = _button("Read old", "Read the recordings that were in the folder before, too")
        self.newest = QCheckBox("Show newest")
        self.newest.setToolTip("Hands-off: show each recording as soon as it is classified")
        self.settle = QDoubleSpinBox()
        self.settle.setRange(0.5, 600.0)
        self.settle.setDecimals(1)
        self.settle.setSuffix(" s")
        self.settle.setKeyboardTracking(False)
        self.settle.setToolTip(
            "A file is finished when it has not changed for this long. Choose more than the pause between two sweeps."
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(4)
        self.progress.setTextVisible(False)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.progress.hide()
        self.files = WatchTable()
        self.view = make_table_view(self.files, stretch=1)
        self._lay_out()

    def _lay_out(self) -> None:
        first, second, third = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.folder, 1)
        first.addWidget(self.choose)
        second.addWidget(self.pause, 1)
        second.addWidget(self.old, 1)
        third.addWidget(self.newest, 1)
        third.addWidget(QLabel("Finished after"))
        third.addWidget(self.settle)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(5)
        for row in (first, second, third):
            column.addLayout(row)
        column.addWidget(self.status)
        column.addWidget(self.progress)
        column.addWidget(self.view, 1)

    def _connect(self) -> None:
        self.choose.clicked.connect(self._on_choose_clicked)
        self.pause.clicked.connect(self._on_pause_clicked)
        self.old.clicked.connect(self._on_old_clicked)
        self.newest.toggled.connect(self._on_newest_toggled)
        self.settle.valueChanged.connect(self._on_settle_changed)
        self.view.clicked.connect(self._on_file_clicked)
        self.control.changed.connect(self._on_changed)
        self.control.progressed.connect(self._on_progressed)

    def tear_down(self) -> None:
        """Let the watch rest, unless another dock shows it."""
        self.control.changed.disconnect(self._on_changed)
        self.control.progressed.disconnect(self._on_progressed)
        self.control.leave(self)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._warning = theme.warning
        self.refresh()

    # showing ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the files as they are now."""
        watch = self.control.watch
        self.folder.setText("No folder" if watch is None else watch.folder.name or str(watch.folder))
        self.folder.setToolTip("" if watch is None else str(watch.folder))
        self.status.setText(status_text(watch))
        problem = watch is not None and bool(watch.problem)
        self.status.setStyleSheet(f"color: {self._warning};" if problem else "")
        self.pause.setText("Resume" if watch is not None and watch.paused else "Pause")
        self.pause.setEnabled(watch is not None)
        n_left = 0 if watch is None else watch.count("left")
        self.old.setText(f"Read {n_left} old" if n_left else "Read old")
        self.old.setEnabled(n_left > 0)
        self.files.show_files([] if watch is None else watch.files, self.control.labels())
        self.view.setVisible(watch is not None)
        with QSignalBlocker(self.newest), QSignalBlocker(self.settle):
            self.newest.setChecked(self.control.show_newest)
            self.settle.setValue(self.control.options.settle_s)

    def _on_changed(self) -> None:
        self.refresh()

    def _on_progressed(self, share: float, doing: str) -> None:
        self.progress.setValue(round(100 * share))
        self.progress.setToolTip(doing)
        self.progress.setVisible(bool(doing))

    # wishes -----------------------------------------------------------------------------------------------------

    def _on_choose_clicked(self) -> None:
        watch = self.control.watch
        start = str(watch.folder) if watch is not None else ""
        chosen = QFileDialog.getExistingDirectory(self, "Watch a folder", start)
        if chosen:
            self.control.choose_folder(Path(chosen))

    def _on_pause_clicked(self) -> None:
        if self.control.watch is not None:
            self.control.watch.pause(not self.control.watch.paused)

    def _on_old_clicked(self) -> None:
        if self.control.watch is not None:
            self.control.watch.include_all()

    def _on_newest_toggled(self, on: bool) -> None:
        self.control.show_newest = on

    def _on_settle_changed(self, seconds: float) -> None:
        self.control.be_patient(replace(self.control.options, settle_s=seconds))

    def _on_file_clicked(self, index: QModelIndex) -> None:
        if index.row() < len(self.files.files):
            self.control.open_file(self.files.files[index.row()])

    def dragEnterEvent(self, event: Any) -> None:
        """Accept a folder."""
        if any(Path(url.toLocalFile()).is_dir() for url in event.mimeData().urls() if url.isLocalFile()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Watch the folder dropped."""
        folders = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.control.choose_folder(next(folder for folder in folders if folder.is_dir()))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
