"""The dock "Feature gates": which features a verdict rests on, beside what the classes rest on."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import QPoint, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QStackedLayout,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_atomically
from napari_celltype.recording import Recording
from napari_celltype.workbench.gates import CellGates, GateReference
from napari_celltype.workbench.gates_sheet import Sheet, describe_feature, headline, sheet_to_frame
from napari_celltype.workbench.measured import (
    MeasuredCell,
    measure_steps,
    measured_cells_of,
    why_not_measured,
)
from napari_celltype.workbench.selection import CellSelection, selected_cells_of

from .gates_panels import GatesBar
from .gates_steps import cell_steps, reference_steps, sheet_steps
from .jobs import LatestJob
from .notices import report_error
from .plots.export import FIGURE_FILTER, save_figure
from .plots.heatmap import HeatmapView, Place
from .plots.theme import PlotTheme
from .rig_dock import RigDock

__all__ = ["GatesDock"]

NO_RECORDING = (
    "No recording is open; the class averages are shown.\nOpen one, or choose File › Open Sample › napari-celltype."
)
NO_CELLS = "The installed model keeps no gates of single reference cells; only class averages can be shown."
NO_SELECTION = "No reference cells are selected: draw around some in the Map dock. Class averages are shown."


class GatesDock(RigDock):
    """Shows the gates of the current recording's cell.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    model_folder
        A model that is not bundled.
    """

    title = "Feature gates"
    first_area = "right"
    first_size = 290

    def __init__(self, napari_viewer: Any, model_folder: Path | None = None) -> None:
        super().__init__(napari_viewer)
        self.document = self.session.document
        self.measured = measured_cells_of(self.document)
        self.selection = selected_cells_of(self.document)
        self.reference: GateReference | None = None
        self.cell: CellGates | None = None
        self.sheet: Sheet | None = None
        self._model: Any = None
        self._loading = LatestJob(self._on_reference, on_busy=self._on_busy, on_failed=self._say)
        self._measuring = LatestJob(self._on_measured, on_busy=self._on_busy, on_failed=self._note)
        self._judging = LatestJob(self._on_judged, on_busy=self._on_busy, on_failed=self._note)
        self._laying = LatestJob(self._on_sheet, on_busy=self._on_busy, on_failed=self._note)
        self._build()
        self._connect()
        self.apply_theme(self.theme)
        self._say("Loading the model …")
        self._loading.start(reference_steps, model_folder)

    # building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.bar = GatesBar(self._on_save_figure, self._on_save_table)
        self.order, self.shown, self.grey = self.bar.order, self.bar.shown, self.bar.grey
        self.export, self.head = self.bar.export, self.bar.head
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setMaximumHeight(4)
        self.progress.setTextVisible(False)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.heatmap = HeatmapView()
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        pages = QWidget()
        self._stack = QStackedLayout(pages)
        self._stack.addWidget(self.message)
        self._stack.addWidget(self.heatmap)
        # else napari gives the height to an empty stretch below
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.setSpacing(3)
        outer.addWidget(self.bar)
        outer.addWidget(self.progress)
        outer.addWidget(pages, 1)
        self.setMinimumWidth(340)

    def _connect(self) -> None:
        self.document.current_recording_changed.connect(self._on_current_changed)
        self.document.changed.connect(self._on_item_changed)
        self.selection.changed.connect(self._on_selection_changed)
        self.order.currentIndexChanged.connect(self._on_order_changed)
        self.shown.currentIndexChanged.connect(self._on_shown_changed)
        self.grey.toggled.connect(self._on_grey_toggled)
        self.heatmap.hovered.connect(self._on_heatmap_hovered)

    def tear_down(self) -> None:
        """Stop working and let go of the document."""
        for job in (self._loading, self._measuring, self._judging, self._laying):
            job.stop()
        self.document.current_recording_changed.disconnect(self._on_current_changed)
        self.document.changed.disconnect(self._on_item_changed)
        self.selection.changed.disconnect(self._on_selection_changed)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.heatmap.apply_theme(theme)

    # what is said ------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        """A sentence instead of the heatmap."""
        self.message.setText(text)
        self._stack.setCurrentWidget(self.message)
        self.export.setEnabled(False)

    def _note(self, text: str) -> None:
        """A sentence above the heatmap."""
        self.head.setText(text)

    def _on_busy(self, _: bool) -> None:
        jobs = (self._loading, self._measuring, self._judging, self._laying)
        self.progress.setVisible(any(job.is_busy for job in jobs))

    # from the recording to the heatmap ---------------------------------------------------------------------------

    def _on_reference(self, found: tuple[Any, GateReference]) -> None:
        self._model, self.reference = found
        if self.reference.cells is None:
            for what in ("all", "by class", "selected"):
                item = self.shown.model().item(self.shown.findData(what))
                item.setEnabled(False)
                item.setToolTip(NO_CELLS)
        self._show_current()

    @property
    def recording(self) -> Recording | None:
        """The recording whose cell is shown."""
        item = self.document.current_recording
        return item.value if item is not None and isinstance(item.value, Recording) else None

    def _show_current(self) -> None:
        if self.reference is None:
            return
        self._measuring.stop()
        self._judging.stop()
        self.cell = None
        item, recording = self.document.current_recording, self.recording
        if item is None or recording is None:
            self._note(item.error or f"Reading {item.name} …" if item is not None else NO_RECORDING)
            self._lay_out()
            return
        known = self.measured.get(item.id, recording)
        refusal = why_not_measured(recording)
        self._note(refusal or f"Measuring the features of {item.name} …")
        self._lay_out()
        if known is not None:
            self._judging.start(cell_steps, self._model, known)
        elif not refusal:
            self._measuring.start(measure_steps, item.id, item.name, recording)

    def _on_measured(self, cell: MeasuredCell) -> None:
        if cell.item_id not in self.document:
            return
        self.measured.put(cell)
        current = self.document.current_recording
        if current is not None and current.id == cell.item_id:
            self._judging.start(cell_steps, self._model, cell)

    def _on_judged(self, cell: CellGates) -> None:
        self.cell = cell
        self._note(headline(cell))
        self.head.setToolTip("\n".join(cell.reasons))
        self._lay_out()

    def _options(self) -> dict[str, Any]:
        selected = self.selection.value.gates
        return {"by": self.order.currentData(), "shown": self.shown.currentData(), "selected": selected}

    def _lay_out(self) -> None:
        if self.reference is not None:
            self._laying.start(sheet_steps, self.reference, self.cell, self._options())

    def _on_sheet(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.heatmap.show_sheet(sheet, grey=self.grey.isChecked())
        self._stack.setCurrentWidget(self.heatmap)
        self.export.setEnabled(True)
        if self.shown.currentData() == "selected" and not len(self.selection.value.gates):
            self.shown.setToolTip(NO_SELECTION)
            if self.cell is None:
                self._note(NO_SELECTION)

    # what the user does ------------------------------------------------------------------------------------------

    def _on_current_changed(self, _: str | None) -> None:
        self._show_current()

    def _on_item_changed(self, item_id: str) -> None:
        item = self.document.current_recording
        if item is not None and item.id == item_id:
            self._show_current()

    def _on_order_changed(self, _: int) -> None:
        self._lay_out()

    def _on_shown_changed(self, _: int) -> None:
        self._lay_out()

    def _on_grey_toggled(self, grey: bool) -> None:
        self.heatmap.show_sheet(self.sheet, grey=grey)

    def _on_selection_changed(self, selection: CellSelection) -> None:
        if self.reference is None or self.reference.cells is None:
            return
        if len(selection.gates):
            with QSignalBlocker(self.shown):
                self.shown.setCurrentIndex(self.shown.findData("selected"))
        if self.shown.currentData() == "selected":
            self._lay_out()

    def _on_heatmap_hovered(self, place: Place | None, at: Any) -> None:
        if place is None or self.reference is None:
            QToolTip.hideText()
            return
        QToolTip.showText(QPoint(round(at.x()) + 12, round(at.y()) + 12), self.describe(place), self.heatmap)

    def describe(self, place: Place) -> str:
        """What the mouse is over, as rich text."""
        assert self.reference is not None
        (label, name), *lines = describe_feature(place.feature, self.cell, self.reference)
        rows = "".join(f"<tr><td>{escape(what)}&nbsp;</td><td>{escape(much)}</td></tr>" for what, much in lines)
        return f"<b>{escape(label)}</b> <i>{escape(name)}</i>{self._describe_column(place)}<table>{rows}</table>"

    def _describe_column(self, place: Place) -> str:
        panel = self.sheet.panels[place.panel] if self.sheet is not None and place.panel >= 0 else None
        if panel is None or panel.rows is None:
            return ""
        gate = panel.values[place.feature, place.column]
        return (
            f"<br>reference cell {int(panel.rows[place.column])}: {escape(panel.classes[place.column])}, "
            f"gate {gate:.2f}"
        )

    def _on_save_figure(self) -> None:
        self._save("Save the figure", "gates.svg", FIGURE_FILTER, self.save_figure)

    def _on_save_table(self) -> None:
        self._save("Save the numbers", "gates.csv", "CSV (*.csv)", self.save_table)

    def _save(self, title: str, name: str, kinds: str, save: Any) -> None:
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        if not path:
            return
        try:
            save(Path(path))
        except (CelltypeError, OSError) as error:
            report_error(error)

    def save_figure(self, path: Path) -> None:
        """Write what is shown as SVG, PDF or PNG."""
        width = max(700, self.heatmap.width())
        save_figure(path, self.heatmap.draw, width, self.heatmap.paper_height, self.theme)

    def save_table(self, path: Path) -> None:
        """Write the numbers as CSV, in the order shown."""
        if self.sheet is None or self.reference is None:
            raise CelltypeError("there is nothing to save yet", hint="Wait until the heatmap is shown.")
        table = sheet_to_frame(self.sheet, self.cell, self.reference)
        write_atomically(path, table.to_csv(index=False).encode(), overwrite=True)
