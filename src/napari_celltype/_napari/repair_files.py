"""Saving, and going through the files of a folder: the lowest lines of the repair dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.repair_folder import FileCount, RepairFolder, count_jumps
from napari_celltype.workbench.repair_save import (
    Saved,
    default_target,
    is_earlier_result,
    is_source,
    save_repair,
)
from napari_celltype.workbench.repair_session import RepairSession

from .jobs import LatestJob

__all__ = ["FilesBar"]


class FilesBar(QWidget):
    """Save, save as, next file, progress of the folder; ``desk`` is the dock."""

    def __init__(self, desk: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.folder: RepairFolder | None = None
        self._counting = LatestJob(self._on_file_counted, on_failed=desk.say)
        self.save_button = self._button("Save", "Save as a new file beside the original (Shift+S)", self.save)
        self.save_as_button = self._button("Save as…", "Choose the name of the new file", self.save_as)
        self.next_button = self._button(
            "Next file", "Close this neuron, open the next of its folder (Shift+N)", self.next_file
        )
        self.folder_button = self._button("Folder…", "Go through the reconstructions of a folder", self.choose_folder)
        self.only_jumps = QCheckBox("with jumps")
        self.only_jumps.setChecked(True)
        self.only_jumps.setToolTip("Pass over files in which no jump is over the thresholds")
        self.progress = QLabel()
        self.progress.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        bar = QHBoxLayout()
        bar.setSpacing(4)
        for widget in (self.save_button, self.save_as_button, self.folder_button, self.next_button, self.only_jumps):
            bar.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.progress)
        column.addLayout(bar)
        self.refresh()

    def _button(self, text: str, tip: str, slot: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    @property
    def repair(self) -> RepairSession | None:
        """The repair shown."""
        repair = self._desk.repair
        return repair if isinstance(repair, RepairSession) else None

    def refresh(self) -> None:
        """Offer what can be done."""
        repair = self.repair
        path = repair.source.path if repair is not None else None
        unsaved = repair is not None and repair.has_unsaved_work and repair.state.edits_neuron
        self.save_button.setEnabled(repair is not None)
        self.save_as_button.setEnabled(repair is not None)
        self.save_button.setText("Save •" if unsaved else "Save")
        self.next_button.setEnabled(self.folder is not None or path is not None)
        self.progress.setText("" if self.folder is None else f"{self.folder.folder.name}: {self.folder.progress}")
        self.progress.setVisible(self.folder is not None)

    # saving ------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Save beside the original, or ask for a name where that is not possible."""
        repair = self.repair
        if repair is None:
            return
        if repair.source.path is None:
            self.save_as()
            return
        target = default_target(repair.source.path)
        if target.exists() and not is_earlier_result(repair, target):
            question = f"{target.name} exists already and was not made from this file by this program."
            self._desk.ask(question, [("Choose another name…", self.save_as), ("Cancel", _nothing)])
            return
        self.save_to(target, overwrite=target.exists())

    def save_as(self) -> None:
        """Ask for a name, then save."""
        repair = self.repair
        if repair is None:
            return
        source = repair.source.path
        first = str(default_target(source)) if source is not None else f"{repair.source.name or 'neuron'}.repaired.swc"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the repaired neuron", first, "SWC (*.swc *.swc.gz)")
        if not chosen:
            return
        target = Path(chosen)
        if is_source(repair, target):
            self._desk.ask(
                f"{target.name} is the original. Replace it? What it held before is then only in your backups.",
                [("Replace the original", _Save(self, target)), ("Cancel", _nothing)],
            )
            return
        self.save_to(target, overwrite=True)  # the file dialog has asked

    def save_to(self, target: Path, *, overwrite: bool = False, replace_original: bool = False) -> Saved | None:
        """Save under this name; says what was saved, or why not."""
        repair = self.repair
        if repair is None:
            return None
        try:
            saved = save_repair(repair, target, overwrite=overwrite, replace_original=replace_original)
        except CelltypeError as error:
            self._desk.say(str(error))
            return None
        if self.folder is not None and repair.source.path is not None:
            self.folder.mark(repair.source.path, "saved", saved_as=str(saved.path))
        self._desk.say(saved.message, good=True)
        self.refresh()
        return saved

    # folders -----------------------------------------------------------------------------------------------------

    def choose_folder(self) -> None:
        """Ask for a folder and open its first file that is not done."""
        chosen = QFileDialog.getExistingDirectory(self, "Folder of reconstructions")
        if chosen:
            self.open_folder(Path(chosen))

    def open_folder(self, folder: Path, *, show_first: bool = True) -> None:
        """Go through this folder."""
        try:
            self.folder = RepairFolder(folder)
        except CelltypeError as error:
            self._desk.say(str(error))
            return
        if not self.folder.files:
            self._desk.say(f"{folder} holds no reconstructions.")
        session = self.repair
        limits = (session.min_dz_um, session.min_slope) if session is not None else self._desk.thresholds
        self._counting.start(count_jumps, list(self.folder.files), *limits)
        self.refresh()
        if show_first:
            self._go_on()

    def _on_file_counted(self, count: FileCount) -> None:
        if self.folder is not None:
            self.folder.counts[count.name] = count
            self.refresh()

    def next_file(self) -> None:
        """Go on to the next file; asks first if something is not saved."""
        repair = self.repair
        if self.folder is None and repair is not None and repair.source.path is not None:
            self.open_folder(repair.source.path.parent, show_first=False)
        if repair is not None and repair.has_unsaved_work and repair.state.edits_neuron:
            self._desk.ask(
                "The repairs of this file are not saved. Your decisions are kept either way.",
                [
                    ("Save and go on", self._save_and_go_on),
                    ("Go on", self._go_on),
                    ("Stay", _nothing),
                ],
            )
            return
        self._go_on(looked_at=True)

    def _save_and_go_on(self) -> None:
        self.save()
        repair, told = self.repair, self._desk.banner.message
        if repair is not None and not repair.has_unsaved_work:
            self._go_on(looked_at=True)
            if not self._desk.banner.message:  # what was saved is worth knowing on the next file too
                self._desk.say(told, good=True)

    def _go_on(self, *, looked_at: bool = False) -> None:
        folder, repair = self.folder, self.repair
        if folder is None:
            return
        path = repair.source.path if repair is not None else None
        if path is not None and looked_at and not (repair and repair.jumps.open_rows and repair.state.is_untouched):
            folder.mark(path, "saved" if repair is not None and repair.state.edits_neuron else "seen")
        following = folder.next_after(path, only_with_jumps=self.only_jumps.isChecked())
        while following is not None and not self._desk.open_file(following):
            folder.mark(following, "failed")
            following = folder.next_after(following, only_with_jumps=self.only_jumps.isChecked())
        if following is None:
            self._desk.say(f"No further file to do in {folder.folder.name}: {folder.progress}.", good=True)
        self.refresh()

    def tear_down(self) -> None:
        """Stop counting."""
        self._counting.stop()


class _Save:
    """The answer that replaces the original."""

    def __init__(self, bar: FilesBar, target: Path) -> None:
        self._bar = bar
        self._target = target

    def __call__(self) -> None:
        self._bar.save_to(self._target, overwrite=True, replace_original=True)


def _nothing() -> None:
    """The answer that does nothing."""
