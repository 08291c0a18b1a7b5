"""The dock "Session": what is saved of the current recording, the note about it, and what was done so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
)

from napari_celltype.workbench.session_file import TABLE_NAME, place_beside
from napari_celltype.workbench.session_state import NOTE

from .plots.theme import PlotTheme
from .rig_dock import RigDock
from .session_keeper import keeper_of

__all__ = ["SessionDock"]

_KIND = "Session (*.celltype.json);;All files (*)"
_NOTHING = "No recording is open."
_NO_FILE = "This recording has no file, so there is nothing to save a session beside."


class SessionDock(RigDock):
    """Saves and loads; shows the choices made and taken back.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Session"
    first_area = "right"
    first_size = 170
    takes_height = True

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.keeper = keeper_of(self.session)
        self.document = self.session.document
        self._build()
        self._connect()
        self.apply_theme(self.theme)

    def _build(self) -> None:
        self.setMinimumWidth(250)
        self.state = _words()
        self.notice = _words()
        self.save = _button("Save", "Save window, predictions, note and undo history beside the recording (Shift+S)")
        self.save_as = _button("Save as…", "Save them in another place")
        self.load = _button("Load…", "Put back what was saved before")
        self.replace = _button("Replace it", "Write over the session file that is there")
        self.elsewhere = _button("Other place…", "Choose where to write it")
        self.own = _button("Keep for me", "Write it into this program's own folder; it is found again from there")
        self.autosave = QCheckBox("Save by itself")
        self.autosave.setToolTip("Save a moment after each step")
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText("Note about this cell")
        self.note.setMaximumHeight(70)
        self.note.setTabChangesFocus(True)
        self.history = QListWidget()
        self.history.setToolTip("What was done with this recording. Click a step to go back (or forward) to it.")
        self.save_cells = _button("Save cells", "Save the table of accepted cells in the folder of the recordings")
        self.load_cells = _button("Load cells…", "Add the cells of a table saved before")
        self._lay_out()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(5)
        column.addWidget(self.state)
        column.addLayout(_row(self.save, self.save_as, self.load))
        column.addWidget(self.autosave)
        column.addWidget(self.notice)
        column.addLayout(_row(self.replace, self.elsewhere, self.own))
        column.addWidget(self.note)
        column.addWidget(QLabel("Done so far"))
        column.addWidget(self.history, 1)
        column.addLayout(_row(self.save_cells, self.load_cells))

    def _connect(self) -> None:
        for button, slot in (
            (self.save, self._on_save_clicked),
            (self.save_as, self._on_save_as_clicked),
            (self.load, self._on_load_clicked),
            (self.replace, self._on_replace_clicked),
            (self.elsewhere, self._on_elsewhere_clicked),
            (self.own, self._on_own_clicked),
            (self.save_cells, self._on_save_cells_clicked),
            (self.load_cells, self._on_load_cells_clicked),
        ):
            button.clicked.connect(slot)
        self.autosave.toggled.connect(self._on_autosave_toggled)
        self.note.textChanged.connect(self._on_note_typed)
        self.history.itemClicked.connect(self._on_step_clicked)
        self.keeper.changed.connect(self.refresh)

    def tear_down(self) -> None:
        """Let go of the session."""
        self.keeper.changed.disconnect(self.refresh)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._faint = QColor(theme.text)
        self._faint.setAlpha(120)
        self.note.setStyleSheet(f"QPlainTextEdit {{ border: 1px solid {theme.grid}; border-radius: 3px; }}")
        self.refresh()

    # showing ----------------------------------------------------------------------------------------------------

    @property
    def item_id(self) -> str | None:
        """The recording it is about."""
        return self.keeper.control.item_id

    def refresh(self) -> None:
        """Show what is saved and what was done."""
        keeper, item_id = self.keeper, self.item_id
        can_save = keeper.path_of(item_id) is not None
        self.state.setText(self._state_text())
        self.notice.setText(keeper.notice)
        self.notice.setVisible(bool(keeper.notice))
        refusal = keeper.refusal
        self.replace.setVisible(refusal is not None and refusal.is_conflict)
        for button in (self.elsewhere, self.own):
            button.setVisible(refusal is not None)
        for widget in (self.save, self.save_as, self.load, self.note):
            widget.setEnabled(can_save)
        self.save_cells.setEnabled(len(keeper.cells.table) > 0)
        with QSignalBlocker(self.autosave), QSignalBlocker(self.note):
            self.autosave.setChecked(keeper.autosave)
            note = "" if item_id is None else self.document.choice(item_id, NOTE) or ""
            if self.note.toPlainText() != note:
                self.note.setPlainText(note)
        self._show_history()

    def _state_text(self) -> str:
        item_id = self.item_id
        if item_id is None:
            return _NOTHING
        name = self.document[item_id].name
        if self.keeper.path_of(item_id) is None:
            return f"{name}. {_NO_FILE}"
        saved = self.keeper.saved_to(item_id)
        if self.keeper.is_unsaved(item_id):
            return f"{name}: not saved yet." if saved is None else f"{name}: changed since it was saved."
        return f"{name}: nothing to save." if saved is None else f"{name}: saved as {saved.name}."

    def _show_history(self) -> None:
        item_id, history = self.item_id, self.document.history
        done = [edit.label for edit in history.done if edit.item_id == item_id]
        undone = [edit.label for edit in reversed(history.undone) if edit.item_id == item_id]
        self.history.clear()
        for label in ["As opened", *done, *undone]:
            self.history.addItem(QListWidgetItem(label))
        for row in range(len(done) + 1, self.history.count()):
            entry = self.history.item(row)
            if entry is not None:
                entry.setForeground(self._faint)
                entry.setToolTip("Taken back. Click to make it again.")
        self.history.setCurrentRow(len(done))
        self.history.setEnabled(item_id is not None)

    # wishes -----------------------------------------------------------------------------------------------------

    def _on_step_clicked(self, entry: QListWidgetItem) -> None:
        """Undo or redo until this step is the newest in effect."""
        item_id, wanted = self.item_id, self.history.row(entry)
        n_done = sum(edit.item_id == item_id for edit in self.document.history.done)
        for _ in range(abs(wanted - n_done)):
            if wanted < n_done:
                self.document.history.undo(item_id)
            else:
                self.document.history.redo(item_id)

    def _on_note_typed(self) -> None:
        if self.item_id is not None:
            self.document.choose(self.item_id, NOTE, self.note.toPlainText())

    def _on_autosave_toggled(self, on: bool) -> None:
        self.keeper.keep_by_itself(on)

    def _on_save_clicked(self) -> None:
        if self.item_id is not None:
            self.keeper.save(self.item_id)

    def _on_save_as_clicked(self) -> None:
        path = self._ask_where("Save the session")
        if path is not None and self.item_id is not None:
            self.keeper.save(self.item_id, path, overwrite=True)  # the dialog has asked

    def _on_load_clicked(self) -> None:
        path = self._ask_which("Load a session", self._suggested())
        if path is not None and self.item_id is not None:
            self.keeper.load(self.item_id, path)

    def _on_replace_clicked(self) -> None:
        self.keeper.replace_refused()

    def _on_elsewhere_clicked(self) -> None:
        path = self._ask_where("Save the session")
        if path is not None:
            self.keeper.save_refused_elsewhere(path)

    def _on_own_clicked(self) -> None:
        self.keeper.save_refused_elsewhere()

    def _on_save_cells_clicked(self) -> None:
        self.keeper.save_cells()

    def _on_load_cells_clicked(self) -> None:
        folder = self.keeper.folder
        path = self._ask_which("Load cells", Path(TABLE_NAME) if folder is None else folder / TABLE_NAME)
        if path is not None:
            self.keeper.load_cells(path)

    def _suggested(self) -> Path:
        recording = self.keeper.path_of(self.item_id)
        return Path() if recording is None else self.keeper.saved_to(self.item_id) or place_beside(recording)

    def _ask_where(self, title: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(self, title, str(self._suggested()), _KIND)
        return Path(chosen) if chosen else None

    def _ask_which(self, title: str, suggested: Path) -> Path | None:
        chosen, _ = QFileDialog.getOpenFileName(self, title, str(suggested), _KIND)
        return Path(chosen) if chosen else None


def _words() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _row(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    return row
