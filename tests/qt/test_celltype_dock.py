"""The dock "Cell type", the window in the Recording dock and the rectangles on the canvas; models are stubs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from celltype_stubs import (
    FEATURES,
    WAVEFORM,
    StubFeatures,
    StubWaveform,
    make_firing_recording,
    make_firing_sweep,
    stub_shelf,
)
from napari_celltype._napari import celltype_control, celltype_shapes
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.celltype_dock import CellTypeDock
from napari_celltype._napari.celltype_shapes import rectangle_of, window_of
from napari_celltype._napari.celltype_window import WINDOW_KEYS, WindowLine
from napari_celltype._napari.recording_dock import RecordingDock
from napari_celltype._napari.recording_layers import WINDOWS
from napari_celltype._napari.session import session_of
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording
from napari_celltype.workbench import Item
from napari_celltype.workbench.classify_models import Shelf
from napari_celltype.workbench.classify_values import ModelChoice
from napari_celltype.workbench.selection import selected_cells_of


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """Warnings shown to the user."""
    found: list[str] = []
    monkeypatch.setattr(celltype_control, "report_warning", found.append)
    return found


def open_dock(viewer, qtbot, *models) -> CellTypeDock:
    control_of(session_of(viewer), stub_shelf(*models))
    dock = CellTypeDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(330, 650)
    dock.show()
    return dock


def open_recording(viewer, recording: Recording) -> str:
    item = Item.holding(recording)
    document = session_of(viewer).document
    document.add(item)
    document.make_current(item.id)
    return item.id


def wait_for_all(dock: CellTypeDock, qtbot) -> None:
    """Until the question is answered to its end."""
    control = dock.control
    qtbot.waitUntil(lambda: not control.is_working and not control.mirrors.is_waiting, timeout=15_000)


def answered(dock: CellTypeDock, qtbot, recording: Recording | None = None) -> str:
    item_id = open_recording(dock.session.viewer, recording or make_firing_recording(3))
    wait_for_all(dock, qtbot)
    return item_id


# the main path ----


def test_opening_a_recording_shows_its_type_without_a_click(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    assert "No recording is open" in dock.result.detail.text()
    answered(dock, qtbot)
    assert dock.result.headline.text() == "Inhibitory, 90 %"
    assert dock.result.bars.verdict.classes == ("Exc", "Inh")
    assert "The feature model feat agrees: Inhibitory, 80 %." in dock.result.agreement.text()
    assert dock.tabs.sweeps.votes.rowCount() == 3
    assert "3 of 3 sweeps" in dock.tabs.sweeps.words.text()
    dock.tabs.setCurrentIndex(1)
    assert "−0.3 to +0.3 ms" in dock.tabs.band.words.text()
    assert "From sweep to sweep: Inhibitory 90 ± 0 % (3 sweeps)." in dock.tabs.band.words.text()
    dock.tabs.setCurrentIndex(2)
    assert "does not bring the average spikes" in dock.tabs.comparison.note.text()
    assert dock.form.predict.text() == "Predict"
    assert not dock.form.progress.isVisible()


def test_another_window_gives_another_answer_and_undo_the_first(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    dock.cells.choose_window(item, dock.cells.window(item).moved(-0.0005))
    wait_for_all(dock, qtbot)
    assert dock.result.headline.text() == "I don't know"
    assert "best guess Inhibitory" in dock.result.detail.text()
    assert "Wrong window" in dock.result.reasons.text()
    dock.control.undo()
    wait_for_all(dock, qtbot)
    assert dock.result.headline.text() == "Inhibitory, 90 %"


def test_a_click_on_a_sweep_takes_its_window(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    dock._on_vote_clicked(dock.tabs.sweeps.votes.index(2, 0))
    assert dock.cells.window(item).sweep == 2
    wait_for_all(dock, qtbot)
    assert dock.cells.call(item).verdict.window.sweep == 2


def test_choosing_another_model_asks_it(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    dock.form.model.setCurrentIndex(dock.form.model.findData("feat"))
    wait_for_all(dock, qtbot)
    assert dock.cells.call(item).verdict.model == "feat"
    dock.control.undo()
    wait_for_all(dock, qtbot)
    assert dock.form.model.currentData() == "wave"
    assert dock.cells.call(item).verdict.model == "wave"


def test_not_live_it_waits_for_the_button(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    dock.form.live.setChecked(False)
    item = open_recording(viewer, make_firing_recording(2))
    qtbot.wait(200)
    assert dock.cells.call(item).verdict is None
    assert dock.result.detail.text() == "Press Predict."
    qtbot.mouseClick(dock.form.predict, Qt.MouseButton.LeftButton)
    wait_for_all(dock, qtbot)
    assert dock.cells.call(item).verdict is not None


def test_two_recordings_keep_their_own_answers(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    first = answered(dock, qtbot)
    answered(dock, qtbot, make_firing_recording(2, name="silent.abf", peaks_s=()))
    assert "No action potential was found" in dock.result.detail.text()
    dock.document.make_current(first)
    assert dock.result.headline.text() == "Inhibitory, 90 %"


# sentences ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        (make_firing_recording(2, clamp="voltage"), "All sweeps are voltage clamp"),
        (make_firing_recording(0), "holds no sweeps"),
        (make_firing_recording(1, peaks_s=()), "Draw a window by hand"),
    ],
)
def test_what_cannot_be_judged_is_a_sentence_and_no_spinner_stays(viewer, qtbot, recording, sentence):
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot, recording)
    assert sentence in dock.result.detail.text()
    assert not dock.result.bars.isVisible()
    assert not dock.form.progress.isVisible()
    assert not dock.accept.isEnabled()


def test_a_failing_model_is_a_sentence(viewer, qtbot):
    dock = open_dock(viewer, qtbot, StubWaveform(WAVEFORM, failing=RuntimeError("out of memory")))
    answered(dock, qtbot)
    assert "wave could not judge this recording (RuntimeError: out of memory)" in dock.result.detail.text()
    assert dock.form.predict.text() == "Predict"


def test_a_model_that_is_gone_is_a_sentence(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    dock.cells.choose_model(item, ModelChoice("gone"))
    wait_for_all(dock, qtbot)
    assert "no model named 'gone'" in dock.result.detail.text()


def test_without_any_model_the_form_is_off_and_says_why(viewer, qtbot):
    control_of(session_of(viewer), Shelf(list))
    dock = CellTypeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    answered(dock, qtbot)
    assert not dock.form.isEnabled()
    assert "no model that judges recordings" in dock.result.detail.text()


def test_a_file_deleted_meanwhile_is_a_sentence(viewer, qtbot):
    def gone(start: int, stop: int):
        raise RecordingError("was deleted meanwhile", path="/data/cell.abf")

    good = make_firing_sweep(0)
    sweep = type(good)(0, 1, good.rate_hz, good.n_stored, gone, None, clamp="current")
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot, Recording(Path("/data/cell.abf"), "made up", [sweep]))
    assert "was deleted meanwhile" in dock.result.detail.text()


def test_a_layer_that_is_none_of_ours_changes_nothing(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    foreign = viewer.add_image(np.zeros((4, 4)))
    viewer.layers.selection = {foreign}
    viewer.layers.remove(foreign)
    assert dock.control.item_id == item
    assert dock.result.headline.text() == "Inhibitory, 90 %"


def test_answers_that_come_in_parts_are_drawn_once(viewer, qtbot, monkeypatch):
    written = []
    monkeypatch.setattr(celltype_shapes, "_write", lambda layer, shown, longest_s: written.append(shown))
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    first = len(written)
    assert first <= 4
    dock.control.ask()
    wait_for_all(dock, qtbot)
    assert len(written) == first  # the same answer again
    dock.cells.choose_window(item, dock.cells.window(item).moved(0.0001))
    wait_for_all(dock, qtbot)
    assert written[-1][0][0] == dock.cells.window(item)


def test_a_slow_preview_says_that_it_is_one(both, qtbot):
    dock, recording = both
    answered(dock, qtbot)
    line = recording.window_line
    assert dock.control.preview_rate is None
    now = time.monotonic()
    dock.control._previewed.extend([now - 0.4, now - 0.2, now])
    line._on_region_dragged(*(end + 1e-4 for end in line.region.bounds_s))
    assert line.said.text().startswith("Preview: 5 verdicts a second")


def test_without_a_waveform_model_the_tabs_say_so(viewer, qtbot):
    dock = open_dock(viewer, qtbot, StubFeatures(FEATURES))
    answered(dock, qtbot)
    assert dock.result.headline.text() == "Inhibitory, 80 %"
    assert "No waveform model" in dock.tabs.sweeps.words.text()
    dock.tabs.setCurrentIndex(1)
    assert "No waveform model" in dock.tabs.band.note.text()


def test_closing_the_recording_empties_the_dock(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    dock.document.close(item)
    assert "No recording is open" in dock.result.detail.text()
    assert not dock.accept.isEnabled()


# closing and cancelling ----


class Slow(StubWaveform):
    """Takes its time, and says when it was asked."""

    def predict(self, x):
        import time

        time.sleep(0.05)
        return super().predict(x)


def test_cancel_stops_and_leaves_what_was_answered(viewer, qtbot):
    dock = open_dock(viewer, qtbot, Slow(WAVEFORM), StubFeatures(FEATURES))
    item = open_recording(viewer, make_firing_recording(3))
    qtbot.waitUntil(lambda: dock.form.predict.text() == "Cancel")
    qtbot.mouseClick(dock.form.predict, Qt.MouseButton.LeftButton)
    assert dock.form.predict.text() == "Predict"
    assert not dock.control.is_busy
    qtbot.wait(300)
    assert dock.cells.call(item).companion is None


def test_closed_while_working_it_stops_and_lets_go(viewer, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    dock = open_dock(viewer, qtbot, Slow(WAVEFORM))
    dock.setParent(window)
    open_recording(viewer, make_firing_recording(3))
    assert dock.control.is_busy
    dock.setParent(None)
    assert not dock.control.is_busy
    assert len(dock.cells.answered) == 1  # the rectangles on the canvas
    dock.deleteLater()


def test_opened_and_closed_five_times_it_works_like_the_first(viewer, qtbot):
    session = session_of(viewer)
    control = control_of(session, stub_shelf())
    counts = []
    for _ in range(5):
        window = QWidget()
        dock = CellTypeDock(viewer)
        dock.setParent(window)
        if not counts:
            open_recording(viewer, make_firing_recording(2))
        wait_for_all(dock, qtbot)
        assert dock.result.headline.text() == "Inhibitory, 90 %"
        dock.setParent(None)
        dock.deleteLater()
        window.deleteLater()
        counts.append(
            (len(control.cells.answered), len(session.document.chosen), len(control.busy_changed), len(control._users))
        )
    assert len(set(counts)) == 1
    assert counts[0][2:] == (0, 0)


def test_the_dock_opens_without_torch():
    import subprocess
    import sys

    code = (
        "import sys, napari_celltype._napari.celltype_dock\n"
        "bad = {'torch', 'matplotlib.pyplot', 'sklearn'} & set(sys.modules)\n"
        "raise SystemExit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# the window in the Recording dock ----


@pytest.fixture
def both(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    recording = RecordingDock(viewer)
    qtbot.addWidget(recording)
    recording.resize(900, 350)
    recording.show()
    return dock, recording


def test_the_region_shows_the_window_in_the_colour_of_its_class(both, qtbot):
    dock, recording = both
    item = answered(dock, qtbot)
    line = recording.window_line
    window = dock.cells.window(item)
    assert line.region.item.isVisible()
    assert line.region.bounds_s == pytest.approx((window.start_s, window.stop_s))
    assert line.start.value() == pytest.approx(window.start_s * 1e3, abs=0.006)
    assert "Inhibitory 90 %" in line.region.text


def test_dragging_previews_and_dropping_is_one_step_to_undo(both, qtbot):
    dock, recording = both
    item = answered(dock, qtbot)
    before = dock.cells.window(item)
    region = recording.window_line.region
    for step in range(1, 6):
        for line, end_s in zip(region.item.lines, (before.start_s, before.stop_s), strict=True):
            line.setPos(end_s - step * 1e-4)
        qtbot.wait(5)
    qtbot.waitUntil(lambda: dock.result.headline.text() == "I don't know")
    region.item.sigRegionChangeFinished.emit(region.item)
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s - 5e-4)
    wait_for_all(dock, qtbot)
    dock.control.undo()
    assert dock.cells.window(item) == before


def test_typed_values_keys_and_buttons_move_the_window(both, qtbot):
    dock, recording = both
    item = answered(dock, qtbot)
    line: WindowLine = recording.window_line
    before = dock.cells.window(item)
    line.start.setValue(before.start_s * 1e3 + 2.0)
    line.start.editingFinished.emit()
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s + 0.002, abs=1e-5)
    assert dock.cells.window(item).duration_s == pytest.approx(before.duration_s)
    line._on_key_spike()
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s)
    line._on_key_later()
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s + 1e-4)
    line._on_key_longer()
    assert dock.cells.window(item).duration_s == pytest.approx(before.duration_s + 1e-4)
    line._on_key_onset()
    assert dock.cells.window(item).kind == "onset"
    line._on_key_undo()
    line._on_key_redo()
    assert dock.cells.window(item).kind == "onset"


def test_the_next_suggested_window_brings_its_sweep_along(both, qtbot):
    dock, recording = both
    item = answered(dock, qtbot)
    sweeps = set()
    for _ in range(len(dock.cells.call(item).suggested)):
        recording.window_line._on_key_next()
        sweeps |= set(dock.document.selected_sweeps(item))
        assert dock.document.selected_sweeps(item) == (dock.cells.window(item).sweep,)
    assert sweeps == {0, 1, 2}
    dock.document.select_sweeps(item, [1 if dock.cells.window(item).sweep != 1 else 0])
    assert not recording.window_line.region.item.isVisible()


def test_keys_without_a_recording_are_a_sentence(both, said):
    _, recording = both
    recording.window_line._on_key_next()
    recording.window_line._on_key_spike()
    recording.window_line._on_key_accept()
    assert said == ["No recording is open."] * 3


def test_every_window_key_has_a_slot():
    assert all(callable(getattr(WindowLine, slot)) for _, _, slot in WINDOW_KEYS)
    assert len({key for key, _, _ in WINDOW_KEYS}) == len(WINDOW_KEYS)


# rectangles on the canvas ----


def windows_layer(viewer, item_id: str):
    return session_of(viewer).view(item_id).layer(WINDOWS)


@pytest.mark.parametrize("sweep", [0, 7])
def test_a_rectangle_means_the_window_it_was_drawn_for(sweep):
    window = ApWindow.around_peak(sweep, 0.06)
    back = window_of(rectangle_of(window, 0.31), 0.31, 8, window)
    assert (back.sweep, back.kind) == (sweep, "peak")
    assert (back.start_s, back.stop_s) == pytest.approx((window.start_s, window.stop_s))


def test_rectangles_carry_label_and_colour_of_each_window(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    layer = windows_layer(viewer, item)
    assert list(layer.features["role"]) == ["chosen", "sweep", "sweep"]
    assert list(layer.features["label"]) == ["Inh"] * 3
    assert layer.features["probability"][0] == pytest.approx(0.9, abs=0.02)
    assert len(layer.data) == 3


def test_a_rectangle_moved_on_the_canvas_moves_the_window_and_asks_again(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    layer = windows_layer(viewer, item)
    before = dock.cells.window(item)
    corners = [np.array(shape) for shape in layer.data]
    corners[0][:, 1] += 0.5 / layer.scale[-1]
    layer._data_view.edit(0, corners[0])
    layer.events.data(value=layer.data, action="changed", data_indices=(0,), vertex_indices=((),))
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s + 0.0005, abs=1e-6)
    wait_for_all(dock, qtbot)
    assert dock.result.headline.text() == "I don't know"


def test_a_rectangle_made_shorter_keeps_the_peak_and_the_sweeps_around_it_stay(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    layer = windows_layer(viewer, item)
    before = dock.cells.window(item)
    corners = np.array(layer.data[0])
    corners[2:0:-1, 1] -= 0.5 / layer.scale[-1]
    layer._data_view.edit(0, corners)
    layer.events.data(value=layer.data, action="changed", data_indices=(0,), vertex_indices=((),))
    window = dock.cells.window(item)
    assert window.duration_s == pytest.approx(before.duration_s - 0.0005, abs=1e-6)
    assert (window.peak_s, window.kind, window.sweep) == (before.peak_s, "manual", before.sweep)
    dock.cells.snap_to_spike(item)
    assert dock.cells.window(item).start_s == pytest.approx(before.start_s)
    wait_for_all(dock, qtbot)


def test_the_kind_the_model_looks_at_is_marked_and_a_failed_snap_unmarks_it(both, qtbot, said):
    dock, recording = both
    form = recording.window_line.form
    item = answered(dock, qtbot)
    assert form.kinds["peak"].isChecked()
    assert form.kinds["peak"].font().underline()
    assert "wave looks at this kind" in form.kinds["peak"].toolTip()
    assert not form.kinds["onset"].font().underline()
    dock.cells.choose_window(item, ApWindow(0, 0.12, 0.13))
    assert not form.kinds["peak"].isChecked()
    qtbot.mouseClick(form.kinds["peak"], Qt.MouseButton.LeftButton)
    assert "no action potential lies within 25 ms" in said[0]
    assert not form.kinds["peak"].isChecked()


def test_words_beside_the_window_stand_where_there_is_room_and_never_beyond_the_edge(both, qtbot):
    dock, recording = both
    item = answered(dock, qtbot)
    region, box = recording.window_line.region, recording.traces.voltage.vb
    window = dock.cells.window(item)
    for low, high, right in ((0.05, 0.16, True), (0.0, 0.07, False), (0.0585, 0.0625, None)):
        box.setXRange(low, high, padding=0)
        width = region.label.boundingRect().width() / box.width() * (high - low)
        x = region.label.pos().x()
        assert low - 1e-9 <= x <= high - width + 1e-9
        if right is not None:
            assert (x > window.stop_s) == right


def test_answers_that_come_while_a_neuron_is_shown_in_3d_are_drawn_afterwards(viewer, qtbot):
    viewer.dims.ndisplay = 3
    dock = open_dock(viewer, qtbot)
    item = open_recording(viewer, make_firing_recording(2))
    viewer.dims.ndisplay = 3
    wait_for_all(dock, qtbot)
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: len(windows_layer(viewer, item).data) == 2)


def test_a_rectangle_drawn_on_another_row_is_a_window_of_that_sweep(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    layer = windows_layer(viewer, item)
    layer.add_rectangles(rectangle_of(ApWindow(2, 0.1, 0.11), float(layer.scale[-1])))
    window = dock.cells.window(item)
    assert (window.sweep, window.kind) == (2, "manual")
    assert (window.start_s, window.stop_s) == pytest.approx((0.1, 0.11), abs=1e-4)


# table, report, card ----


def test_accepted_cells_are_listed_saved_copied_and_removed(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot)
    qtbot.mouseClick(dock.accept, Qt.MouseButton.LeftButton)
    assert dock.tabs.tabText(3) == "Cells (1)"
    dock.tabs.cells.save_table(tmp_path / "cells.csv")
    assert pd.read_csv(tmp_path / "cells.csv")["label"].tolist() == ["Inh"]
    dock.tabs.cells._on_copy_clicked()
    assert QApplication.clipboard().text().startswith("cell\tpath\tlabel")
    dock.tabs.cells.view.selectRow(0)
    dock.tabs.cells._on_remove_clicked()
    assert dock.tabs.tabText(3) == "Cells"
    assert "No cell accepted yet" in dock.tabs.cells.note.text()


def test_cells_selected_on_the_map_are_selected_in_the_table_and_the_other_way_round(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    items = [answered(dock, qtbot, make_firing_recording(1, name=name)) for name in ("a.abf", "b.abf")]
    for item in items:
        dock.cells.accept(item)
    selection = selected_cells_of(dock.document)
    selection.select("a map", [3], [items[1]])
    assert dock.tabs.cells.selected_ids() == [items[1]]
    dock.tabs.cells.view.selectRow(0)
    assert selection.value.items == (items[0],)
    assert selection.value.rows.tolist() == [3]


def test_a_table_that_cannot_be_written_is_one_sentence(viewer, qtbot, tmp_path, capsys):
    dock = open_dock(viewer, qtbot)
    dock.tabs.cells.save_table(tmp_path / "missing" / "cells.csv")
    assert "missing" in capsys.readouterr().err
    dock.tabs.cells.save_table(tmp_path / "cells.xlsx")
    assert "not .xlsx" in capsys.readouterr().err


def test_the_report_is_saved_in_a_worker(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot)
    dock.save_report(tmp_path / "cell.pdf")
    qtbot.waitUntil(lambda: (tmp_path / "cell.pdf").exists(), timeout=20_000)
    qtbot.waitUntil(lambda: not dock._saving.is_busy)


def test_the_card_is_shown_and_a_missing_one_is_a_sentence(viewer, qtbot, tmp_path, capsys):
    dock = open_dock(viewer, qtbot)
    dock._on_form_card()
    assert "card of wave cannot be read" in capsys.readouterr().err
    (tmp_path / "CARD.md").write_text("# wave\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    WAVEFORM.folder = tmp_path
    try:
        dock._on_form_card()
    finally:
        WAVEFORM.folder = Path("/nowhere")
    assert dock.dialog.isVisible()
    assert "wave" in dock.dialog.text.toPlainText()
    dock.dialog.close()
