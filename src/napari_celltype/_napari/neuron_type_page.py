"""The page of the Cell type dock about the current neuron."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.classify_values import ModelChoice
from napari_celltype.workbench.neuron_joint import choose_partner, joint_text, neuron_row, partner_of

from .celltype_control import control_of
from .celltype_form import CardDialog
from .jobs import LatestJob
from .neuron_type_control import NO_NEURON, neuron_control_of
from .neuron_type_paint import NeuronPaint, why_colours
from .neuron_type_panel import NeuronPanel
from .notices import report_error, report_warning
from .plots.palette import class_colour
from .plots.theme import PlotTheme
from .session import Session

__all__ = ["NeuronPage"]

_PAGES = "PDF (*.pdf);;PNG (*.png)"
_NO_MODELS = "No model that judges reconstructions is installed. Reinstall napari-celltype."


class NeuronPage(NeuronPanel):
    """Shows what models say of the current neuron of the session, and paints it on its layers.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.control = neuron_control_of(session)
        self.neurons = self.control.neurons
        self.document = session.document
        self.paint = NeuronPaint(session)
        self._saving = LatestJob(self._on_saved)
        self._connect()
        self._list_models()
        self.refresh()
        self._on_busy_changed(self.control.is_busy)
        self.control.join(self)

    def _connect(self) -> None:
        self.form.chosen.connect(self._on_form_chosen)
        self.form.live_changed.connect(self._on_form_live_changed)
        self.form.predict_requested.connect(self._on_form_predict)
        self.form.cancel_requested.connect(self.control.cancel)
        self.form.card_requested.connect(self._on_form_card)
        self.tabs.branches.asked.connect(self.control.ask_why)
        self.tabs.branches.cancelled.connect(self.control.cancel_why)
        self.who.activated.connect(self._on_who_activated)
        self.how.currentIndexChanged.connect(self._on_how_changed)
        self.recording.activated.connect(self._on_recording_activated)
        self.accept.clicked.connect(self._on_accept_clicked)
        self.report.clicked.connect(self._on_report_clicked)
        for signal, slot in self._signals:
            signal.connect(slot)

    @property
    def _signals(self) -> tuple[tuple[Any, Any], ...]:
        document, control = self.document, self.control
        return (
            (self.neurons.answered, self._on_answered),
            (self.neurons.forgotten, self._on_forgotten),
            (control.busy_changed, self._on_busy_changed),
            (control.progressed, self._on_progressed),
            (control.explaining_changed, self.tabs.branches.show_busy),
            (control.explained, self._on_explained),
            (control_of(self.session).cells.answered, self._on_recording_answered),
            (document.current_neuron_changed, self._on_current_changed),
            (document.opened, self._on_items_changed),
            (document.closed, self._on_items_changed),
            (document.chosen, self._on_chosen),
        )

    def tear_down(self) -> None:
        """Stop what runs for this page and let go of document, session and layers."""
        self._saving.stop()
        for signal, slot in self._signals:
            signal.disconnect(slot)
        self.control.leave(self)
        self.paint.close()

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        super().apply_theme(theme)
        self.refresh()

    # showing ------------------------------------------------------------------------------------------------------

    def _list_models(self) -> None:
        try:
            self.form.list_models(self.neurons.shelf.infos())
        except CelltypeError as error:
            report_error(error)
        self.form.live.setChecked(self.neurons.live)
        self._show_choice()

    def _show_choice(self) -> None:
        try:
            self.form.show_choice(self.neurons.model(self.control.item_id))
        except CelltypeError:
            self.form.setEnabled(False)

    def refresh(self) -> None:
        """Show what is said now, in the dock and on the canvas."""
        item_id = self.control.item_id
        call, neuron = self.neurons.call(item_id), self.neurons.neuron(item_id)
        self.result.show_call(call.as_cell_call, self._waiting())
        self.tabs.show_call(call, neuron)
        for button in (self.accept, self.report):
            button.setEnabled(call.verdict is not None)
        self.list_neurons(self.document.neurons, item_id)
        self._show_partner()
        if item_id is not None and neuron is not None:
            self.paint.show(item_id, neuron, call, self.how.currentData())

    def _waiting(self) -> str:
        if not self.form.model.count():
            return _NO_MODELS
        if self.control.item_id is None:
            return NO_NEURON
        return "Looking at the neuron …" if self.control.is_working else "Press Predict."

    def _show_partner(self) -> None:
        item_id = self.control.item_id
        partner = None if item_id is None else partner_of(self.document, item_id)
        said = ""
        if partner is not None:
            said = joint_text(control_of(self.session).cells.call(partner).verdict, self.neurons.call(item_id).verdict)
        self.list_recordings(self.document.recordings if item_id is not None else [], partner, said)

    # what happens elsewhere -----------------------------------------------------------------------------------------

    def _on_answered(self, item_id: str) -> None:
        if item_id == self.control.item_id:
            call = self.neurons.call(item_id)
            if call.why is not None and not self._had_why:
                self.how.setCurrentIndex(self.how.findData("why"))
            self._had_why = call.why is not None
            self.refresh()

    _had_why = False

    def _on_forgotten(self, item_id: str) -> None:
        self.paint.wipe(item_id)
        self.refresh()

    def _on_recording_answered(self, _: str) -> None:
        self._show_partner()

    def _on_busy_changed(self, busy: bool) -> None:
        self.form.show_busy(busy)
        if self.neurons.call(self.control.item_id).verdict is None:
            self.refresh()

    def _on_progressed(self, share: float, doing: str) -> None:
        self.form.show_progress(share, doing)

    def _on_explained(self, share: float, doing: str) -> None:
        self.tabs.branches.progress.setValue(round(100 * share))
        self.tabs.branches.progress.setToolTip(doing)

    def _on_current_changed(self, _: str | None) -> None:
        self._show_choice()
        self.refresh()

    def _on_items_changed(self, _: str) -> None:
        self.refresh()

    def _on_chosen(self, _: str, __: str) -> None:
        self._show_choice()
        self._show_partner()

    # what the user does ---------------------------------------------------------------------------------------------

    def _on_form_chosen(self, choice: ModelChoice) -> None:
        try:
            self.neurons.choose_model(self.control.item_id, choice)
        except CelltypeError as error:
            report_error(error)

    def _on_form_live_changed(self, live: bool) -> None:
        self.neurons.live = live
        if live and self.neurons.call(self.control.item_id).verdict is None:
            self.control.ask()

    def _on_form_predict(self) -> None:
        if self.control.item_id is None:
            report_warning(NO_NEURON)
        self.control.ask()

    def _on_form_card(self) -> None:
        """Read from the card's file: opening it needs neither the model nor torch."""
        choice = self.form.choice
        infos = [info for info in self.neurons.shelf.infos() if info.name == choice.name]
        info = next((one for one in infos if one.version == choice.version), infos[-1] if infos else None)
        if info is None:
            return
        try:
            card = (Path(info.folder) / "CARD.md").read_text(encoding="utf-8")
        except OSError as error:
            report_error(
                f"The card of {info.name} cannot be read ({error.strerror or error}). Reinstall napari-celltype."
            )
            return
        self.dialog = CardDialog(f"{info.name} {info.version}", card, self)
        self.dialog.show()

    def _on_who_activated(self, _: int) -> None:
        self.document.make_current(self.who.currentData())

    def _on_how_changed(self, _: int) -> None:
        if self.how.currentData() == "why" and self.neurons.call(self.control.item_id).why is None:
            self.tabs.setCurrentWidget(self.tabs.branches)
            if not self.control.is_explaining and self.control.item_id is not None:
                self.control.ask_why()
        self.refresh()

    def _on_recording_activated(self, _: int) -> None:
        item_id = self.control.item_id
        if item_id is not None:
            choose_partner(self.document, item_id, self.recording.currentData())

    def _on_accept_clicked(self) -> None:
        item_id = self.control.item_id
        neuron = self.neurons.neuron(item_id)
        if item_id is None or neuron is None:
            return
        try:
            row = neuron_row(self.document[item_id].name, neuron, self.neurons.call(item_id))
        except CelltypeError as error:
            report_warning(str(error))
        else:
            control_of(self.session).cells.table.accept(item_id, row)

    def _on_report_clicked(self) -> None:
        item = self.document.current_neuron
        if item is None:
            return
        folder = item.path.parent if item.path is not None else Path.home()
        name = f"{Path(item.name).stem} cell type.pdf"
        chosen, kind = QFileDialog.getSaveFileName(self, "Save the report", str(folder / name), _PAGES)
        if chosen:
            path = Path(chosen)
            self.save_report(path if path.suffix else path.with_suffix(kind.split("*")[-1].rstrip(")")))

    def save_report(self, path: Path, item_id: str | None = None) -> None:
        """Draw and save the page about a neuron in a worker; with the recording of its cell, if there is one."""
        item_id = item_id or self.control.item_id
        neuron, call = self.neurons.neuron(item_id), self.neurons.call(item_id)
        if item_id is None or neuron is None or call.verdict is None:
            report_warning("Nothing is predicted for this neuron yet. Press Predict first.")
            return
        cells, partner = control_of(self.session).cells, partner_of(self.document, item_id)
        recording = cells.recording(partner)
        self._saving.start(_save_report, neuron, call, recording, cells.call(partner), path)

    def _on_saved(self, path: Path) -> None:
        from napari.utils.notifications import show_info

        show_info(f"Saved {path.name}")


def _save_report(neuron: Any, call: Any, recording: Any, recorded: Any, path: Path) -> Any:
    from napari_celltype.workbench.neuron_report import neuron_report_of
    from napari_celltype.workbench.neuron_report_page import save_neuron_report

    report = neuron_report_of(neuron, call, recording, recorded)
    yield save_neuron_report(report, path, class_colour, why_colours)
