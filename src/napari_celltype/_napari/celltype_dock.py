"""The dock "Cell type": what the cell of the current recording is, how sure that is, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.classify_values import CellCall, ModelChoice

from .celltype_cells import ask_path
from .celltype_control import control_of
from .celltype_form import CardDialog, ModelForm
from .celltype_result import ResultPanel
from .celltype_tabs import ResultTabs
from .jobs import LatestJob
from .neuron_type_switch import SubjectSwitch
from .notices import report_error, report_warning
from .plots.palette import class_colour
from .plots.theme import PlotTheme
from .rig_dock import RigDock

__all__ = ["CellTypeDock"]

_PAGES = "PDF (*.pdf);;PNG (*.png)"
_NOTHING_OPEN = "No recording is open. Drop a file on the window, or choose File › Open Sample › Cell type › Recording."
_NO_MODELS = "No model that judges recordings is installed. Reinstall napari-celltype."


class CellTypeDock(RigDock):
    """Shows what models say of the current recording of the session.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Cell type"
    first_area = "right"
    first_size = 170

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.control = control_of(self.session)
        self.cells = self.control.cells
        self.document = self.session.document
        self._saving = LatestJob(self._on_saved)
        self._build()
        self._connect()
        self.apply_theme(self.theme)
        self._list_models()
        self.refresh()
        self._on_busy_changed(self.control.is_busy)
        self.control.join(self)

    def _build(self) -> None:
        self.setMinimumWidth(250)
        self.form = ModelForm()
        self.result = ResultPanel()
        self.tabs = ResultTabs(self.cells)
        self.accept = QPushButton("Accept")
        self.accept.setToolTip("Put this cell into the table of the session (A in the Recording dock)")
        self.report = QPushButton("Report…")
        self.report.setToolTip("Save one page about this cell as PDF or PNG")
        actions = QHBoxLayout()
        actions.addWidget(self.accept)
        actions.addWidget(self.report)
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.form)
        column.addWidget(self.result)
        column.addLayout(actions)
        column.addStretch(1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(upper)
        # long answers scroll downwards; sideways only with a larger font than the dock was opened with
        scroll.setMinimumWidth(upper.minimumSizeHint().width() + scroll.verticalScrollBar().sizeHint().width())
        splitter.addWidget(scroll)
        splitter.addWidget(self.tabs)
        splitter.setSizes([290, 350])
        splitter.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 4, 6, 4)
        self.subject = SubjectSwitch(self.session, splitter)
        outer.addWidget(self.subject)

    def _settle(self) -> None:
        """Take the whole height at the right: a dock at the bottom ends left of it."""
        super()._settle()
        window = self.window()
        if isinstance(window, QMainWindow):
            window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)

    def _connect(self) -> None:
        self.form.chosen.connect(self._on_form_chosen)
        self.form.live_changed.connect(self._on_form_live_changed)
        self.form.predict_requested.connect(self._on_form_predict)
        self.form.cancel_requested.connect(self._on_form_cancel)
        self.form.card_requested.connect(self._on_form_card)
        self.accept.clicked.connect(self._on_accept_clicked)
        self.report.clicked.connect(self._on_report_clicked)
        self.tabs.sweeps.view.clicked.connect(self._on_vote_clicked)
        self.cells.answered.connect(self._on_answered)
        self.control.busy_changed.connect(self._on_busy_changed)
        self.control.progressed.connect(self._on_progressed)
        self.control.live_changed.connect(self._on_live_changed)
        self.document.current_recording_changed.connect(self._on_current_changed)
        self.document.changed.connect(self._on_current_changed)
        self.document.chosen.connect(self._on_chosen)

    def tear_down(self) -> None:
        """Stop what runs for this dock and let go of document and session."""
        self._saving.stop()
        self.subject.tear_down()
        self.tabs.tear_down()
        self.cells.answered.disconnect(self._on_answered)
        self.control.busy_changed.disconnect(self._on_busy_changed)
        self.control.progressed.disconnect(self._on_progressed)
        self.control.live_changed.disconnect(self._on_live_changed)
        self.document.current_recording_changed.disconnect(self._on_current_changed)
        self.document.changed.disconnect(self._on_current_changed)
        self.document.chosen.disconnect(self._on_chosen)
        self.control.leave(self)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.result.apply_theme(theme)
        self.tabs.apply_theme(theme)
        self.subject.apply_theme(theme)
        self.refresh()

    # showing --------------------------------------------------------------------------------------------------------

    def _list_models(self) -> None:
        try:
            self.form.list_models(self.cells.shelf.infos())
        except CelltypeError as error:
            report_error(error)
        self.form.live.setChecked(self.cells.live)
        self._show_choice()

    def _show_choice(self) -> None:
        try:
            self.form.show_choice(self.cells.model(self.control.item_id))
        except CelltypeError:
            self.form.setEnabled(False)

    def refresh(self) -> None:
        """Show what is said now."""
        call = self.cells.call(self.control.item_id)
        self.result.show_call(call, self._waiting())
        self.tabs.show_call(call)
        for button in (self.accept, self.report):
            button.setEnabled(call.verdict is not None)

    def _waiting(self) -> str:
        if not self.form.model.count():
            return _NO_MODELS
        item = self.document.current_recording
        if item is None:
            return _NOTHING_OPEN
        if item.error:
            return item.error
        if item.value is None:
            return f"Reading {item.name} …"
        return "Looking at the recording …" if self.control.is_busy else "Press Predict."

    def _on_answered(self, item_id: str) -> None:
        if item_id == self.control.item_id:
            self.refresh()

    def _on_busy_changed(self, busy: bool) -> None:
        self.form.show_busy(busy)
        if self.cells.call(self.control.item_id).verdict is None:
            self.refresh()

    def _on_progressed(self, share: float, doing: str) -> None:
        self.form.show_progress(share, doing)

    def _on_current_changed(self, _: str | None) -> None:
        self._show_choice()
        self.refresh()

    def _on_chosen(self, _: str, __: str) -> None:
        self._show_choice()

    # the form -------------------------------------------------------------------------------------------------------

    def _on_form_chosen(self, choice: ModelChoice) -> None:
        try:
            self.cells.choose_model(self.control.item_id, choice)
        except CelltypeError as error:
            report_error(error)

    def _on_form_live_changed(self, live: bool) -> None:
        self.control.set_live(live)

    def _on_live_changed(self, live: bool) -> None:
        with QSignalBlocker(self.form.live):
            self.form.live.setChecked(live)

    def _on_form_predict(self) -> None:
        if self.control.item_id is None:
            report_warning(_NOTHING_OPEN)
        self.control.ask()

    def _on_form_cancel(self) -> None:
        self.control.cancel()

    def _on_form_card(self) -> None:
        """Read from the card's file: opening it needs neither the model nor torch."""
        name = self.form.choice.name
        infos = [info for info in self.cells.shelf.infos() if info.name == name]
        wanted = next(
            (info for info in infos if info.version == self.form.choice.version), infos[-1] if infos else None
        )
        if wanted is None:
            return
        try:
            card = (Path(wanted.folder) / "CARD.md").read_text(encoding="utf-8")
        except OSError as error:
            report_error(f"The card of {name} cannot be read ({error.strerror or error}). Reinstall napari-celltype.")
            return
        self.dialog = CardDialog(f"{name} {wanted.version}", card, self)
        self.dialog.show()

    # sweeps and cells -------------------------------------------------------------------------------------------------

    def _on_vote_clicked(self, index: QModelIndex) -> None:
        item_id, votes = self.control.item_id, self.tabs.sweeps.votes.votes
        if item_id is not None and index.row() < len(votes):
            self.cells.choose_window(item_id, votes[index.row()].verdict.window, "Take the sweep's window")

    def _on_accept_clicked(self) -> None:
        self.control.attempt(self.cells.accept)

    # files ------------------------------------------------------------------------------------------------------------

    def _on_report_clicked(self) -> None:
        item = self.document.current_recording
        name = Path(item.name).stem if item is not None else "cell"
        beside = item.path if item is not None else None
        path = ask_path(self, "Save the report", beside, f"{name} cell type.pdf", _PAGES)
        if path is not None:
            self.save_report(path)

    def save_report(self, path: Path) -> None:
        """Draw and save the page in a worker: importing matplotlib takes a second."""
        item_id = self.control.item_id
        recording = self.cells.recording(item_id)
        if item_id is not None and self.subject.save_joint_report(item_id, path):
            return
        if recording is not None:
            self._saving.start(_save_report, recording, self.cells.call(item_id), path)

    def _on_saved(self, path: Path) -> None:
        from napari.utils.notifications import show_info

        show_info(f"Saved {path.name}")


def _save_report(recording: Any, call: CellCall, path: Path) -> Any:
    from napari_celltype.workbench.report import report_of
    from napari_celltype.workbench.report_page import save_report

    yield save_report(report_of(recording, call), path, class_colour)
