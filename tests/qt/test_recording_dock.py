"""The dock "Recording" on a viewer without a window."""

from __future__ import annotations

import time

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QWidget

from celltype_stubs import make_firing_recording
from napari_celltype._napari.recording_dock import KEYS, RecordingDock, help_text
from napari_celltype._napari.session import session_of
from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording
from napari_celltype.workbench import Item
from qt.recordings import make_recording, make_sweep, stored


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, qtbot):
    dock = RecordingDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(900, 350)
    dock.show()
    return dock


def show(dock: RecordingDock, recording: Recording, qtbot, n_traces: int = 1) -> Item:
    item = Item.holding(recording)
    dock.document.add(item)
    dock.document.make_current(item.id)
    qtbot.waitUntil(lambda: len(dock.traces.traces) == n_traces)
    return item


def cell_texts(dock: RecordingDock, row: int) -> list[str]:
    model = dock.sweeps
    return [model.data(model.index(row, column)) for column in range(model.columnCount())]


def shown_sweeps(dock: RecordingDock) -> list[str]:
    return [trace.label for trace in dock.traces.traces]


def message(dock: RecordingDock) -> str:
    return dock.message.text() if dock._stack.currentWidget() is dock.message else ""


def test_without_a_recording_it_says_what_to_do(dock):
    assert "Drop a file" in message(dock)
    assert dock.sweeps.rowCount() == 0


def test_a_recording_lists_its_sweeps_and_draws_the_first(dock, qtbot):
    show(dock, make_recording(), qtbot)
    assert dock.sweeps.rowCount() == 4
    qtbot.waitUntil(lambda: cell_texts(dock, 2)[3] != "")
    assert cell_texts(dock, 2) == ["2", "Long square", "100", "0", "CC"]
    tip = dock.sweeps.data(dock.sweeps.index(2, 0), Qt.ItemDataRole.ToolTipRole)
    assert "200 ms at 20 kHz" in tip
    assert shown_sweeps(dock) == ["0"]
    trace = dock.traces.traces[0]
    assert trace.voltage_mv.high == pytest.approx(40.0)
    assert message(dock) == ""


def test_rows_selected_in_the_table_are_overlaid_in_different_colours(dock, qtbot):
    show(dock, make_recording(), qtbot)
    model = dock.table.selectionModel()
    rows = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for row in (1, 3):
        model.select(dock.sweeps.index(row, 0), rows)
    qtbot.waitUntil(lambda: len(dock.traces.traces) == 3)
    assert shown_sweeps(dock) == ["0", "1", "3"]
    assert len({trace.colour for trace in dock.traces.traces}) == 3
    marked = [
        not dock.sweeps.data(dock.sweeps.index(row, 0), Qt.ItemDataRole.DecorationRole).isNull() for row in (0, 3)
    ]
    assert marked == [True, True]


def test_keys_step_through_the_sweeps_and_stop_at_the_ends(dock, qtbot):
    item = show(dock, make_recording(3), qtbot)
    for expected in ((1,), (2,), (2,)):
        dock._on_key_next()
        assert dock.document.selected_sweeps(item.id) == expected
    for expected in ((1,), (0,), (0,)):
        dock._on_key_previous()
        assert dock.document.selected_sweeps(item.id) == expected
    assert [index.row() for index in dock.table.selectionModel().selectedRows()] == [0]
    qtbot.waitUntil(lambda: shown_sweeps(dock) == ["0"])


def test_time_range_stays_when_the_next_sweep_is_as_long_and_home_shows_all(dock, qtbot):
    show(dock, make_recording(), qtbot)
    dock.traces.voltage.vb.setXRange(0.05, 0.1, padding=0)
    dock._on_key_next()
    qtbot.waitUntil(lambda: shown_sweeps(dock) == ["1"])
    assert dock.traces.time_range == pytest.approx((0.05, 0.1))
    dock._on_key_home()
    low, high = dock.traces.time_range
    assert low <= 0.0
    assert high >= 0.2


def test_spikes_are_counted_in_the_list_and_marked_on_the_trace(dock, qtbot):
    show(dock, make_firing_recording(2, peaks_s=(0.06, 0.1)), qtbot)
    qtbot.waitUntil(lambda: [cell_texts(dock, row)[3] for row in range(2)] == ["2", "2"])
    times, volts = dock.marks.item.getData()
    assert times == pytest.approx([0.06, 0.1], abs=1e-4)
    assert (volts > 35).all()
    dock.traces.voltage.vb.setXRange(0.09, 0.11, padding=0)
    assert dock.marks.item.getData()[0] == pytest.approx([0.1], abs=1e-4)
    dock._on_key_marks()
    assert not len(dock.marks.item.getData()[0])
    show(dock, make_recording(name="other.abf", clamp="voltage"), qtbot)
    qtbot.waitUntil(lambda: bool(dock._facts))
    assert cell_texts(dock, 0)[3:] == ["", "VC"]


def test_both_plots_move_together(dock, qtbot):
    show(dock, make_recording(), qtbot)
    dock._on_key_zoom_in()
    dock._on_key_right()
    upper, lower = (plot.vb.viewRange()[0] for plot in (dock.traces.voltage, dock.traces.current))
    assert upper == pytest.approx(lower, abs=1e-3)
    assert upper[1] - upper[0] < 0.2


def test_every_key_in_the_help_does_something():
    for key, what, slot in KEYS:
        assert f"{key}: {what}" in help_text()
        assert callable(getattr(RecordingDock, slot))


def test_in_voltage_clamp_the_current_is_on_top(dock, qtbot):
    show(dock, make_recording(clamp="voltage"), qtbot)
    assert dock.traces.upper is dock.traces.current
    show(dock, make_recording(name="other.abf"), qtbot)
    assert dock.traces.upper is dock.traces.voltage


def test_a_recording_without_current_shows_no_current_plot(dock, qtbot):
    show(dock, make_recording(current=False), qtbot)
    assert dock.traces.traces[0].current_pa is None
    assert not dock.traces._panes["current"].isVisible()
    assert "No current is stored" in dock.sweeps.data(dock.sweeps.index(0, 0), Qt.ItemDataRole.ToolTipRole)


def test_problems_are_said_in_the_banner_and_marked_in_the_list(dock, qtbot):
    volts = np.full(20_000, -0.06)
    volts[15_000:] = np.nan
    broken = make_sweep(1)
    tail = type(broken)(1, 1, 20_000.0, len(volts), stored(volts), None, clamp="current")
    recording = Recording(make_recording().path, "made up", [make_sweep(0), tail], ("The units were guessed.",))
    show(dock, recording, qtbot)
    qtbot.waitUntil(lambda: bool(dock.banner.problems))
    assert dock.banner.problems[0] == "The units were guessed."
    assert len(dock.banner.problems) == 2
    assert dock.banner.isVisible()
    assert "The units were guessed." in dock.banner.label.text()
    assert "1 more" in dock.banner.label.text()
    assert "⚠" in cell_texts(dock, 1)[0]
    assert "blank" in dock.sweeps.data(dock.sweeps.index(1, 0), Qt.ItemDataRole.ToolTipRole)
    qtbot.mouseClick(dock.banner, Qt.MouseButton.LeftButton)
    assert "blank" in dock.banner.label.text()


def test_a_second_recording_can_be_chosen_and_the_first_comes_back_as_it_was(dock, qtbot):
    first = show(dock, make_recording(), qtbot)
    dock.document.select_sweeps(first.id, [1, 2])
    show(dock, make_recording(2, name="other.abf"), qtbot)
    assert dock.chooser.count() == 2
    assert dock.sweeps.rowCount() == 2
    dock.chooser.setCurrentIndex(0)
    qtbot.waitUntil(lambda: shown_sweeps(dock) == ["1", "2"])
    assert sorted(index.row() for index in dock.table.selectionModel().selectedRows()) == [1, 2]


def test_closing_the_recording_empties_the_dock(dock, qtbot):
    item = show(dock, make_recording(), qtbot)
    dock.document.close(item.id)
    assert "No recording is open" in message(dock)
    assert dock.chooser.count() == 0


def test_a_sweep_that_cannot_be_read_is_a_sentence_and_the_bar_goes_away(dock, qtbot):
    def fail(start: int, stop: int):
        raise RecordingError("was deleted meanwhile", path="/data/cell.abf")

    sweep = make_sweep(0)
    bad = type(sweep)(0, 0, 20_000.0, 4000, fail, None, clamp="current")
    item = Item.holding(Recording(make_recording().path, "made up", [bad]))
    dock.document.add(item)
    qtbot.waitUntil(lambda: "was deleted meanwhile" in message(dock))
    qtbot.waitUntil(lambda: not dock.progress.isVisible())


def test_sweeps_without_values_are_said_to_have_none(dock, qtbot):
    empty = type(make_sweep(0))(0, 0, 1000.0, 100, stored(np.full(100, np.nan)), None)
    dock.document.add(Item.holding(Recording(make_recording().path, "made up", [empty])))
    qtbot.waitUntil(lambda: message(dock) == "The selected sweeps hold no values.")


def test_a_recording_without_sweeps_is_said_to_have_none(dock):
    dock.document.add(Item.holding(make_recording(0)))
    assert message(dock) == "cell.abf holds no sweeps."


def test_only_the_newest_selection_is_drawn_however_fast_it_changes(dock, qtbot):
    item = show(dock, make_recording(30), qtbot)
    for sweep in range(30):
        dock.document.select_sweeps(item.id, [sweep])
    qtbot.waitUntil(lambda: shown_sweeps(dock) == ["29"])
    qtbot.wait(50)
    assert shown_sweeps(dock) == ["29"]


def test_colours_follow_the_theme(dock, viewer, qtbot):
    show(dock, make_recording(), qtbot)
    viewer.theme = "dark"
    dark = dock.traces.traces[0].colour, dock.traces._panes["voltage"].backgroundBrush().color().name()
    viewer.theme = "light"
    light = dock.traces.traces[0].colour, dock.traces._panes["voltage"].backgroundBrush().color().name()
    assert dark[0] != light[0]
    assert dark[1] != light[1]


def test_taken_out_of_its_dock_it_lets_go_of_everything(viewer, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    dock = RecordingDock(viewer)
    dock.setParent(window)
    document = dock.document
    show(dock, make_recording(), qtbot)
    dock._loading.start(_endless)
    assert len(document.current_recording_changed) == 4  # session, coordinator of windows, the dock and its window line
    dock.setParent(None)
    assert len(document.current_recording_changed) == 2
    assert not dock._loading.is_busy
    viewer.theme = "light"  # reaches nobody
    dock.deleteLater()


def _endless():
    # longer than any test, but no failure may keep the process alive
    until = time.monotonic() + 20
    while time.monotonic() < until:
        time.sleep(0.005)
        yield None


def test_opened_and_closed_five_times_it_works_like_the_first(viewer, qtbot):
    session = session_of(viewer)
    session.document.add(Item.holding(make_recording()))
    for _ in range(5):
        window = QWidget()
        dock = RecordingDock(viewer)
        dock.setParent(window)
        qtbot.waitUntil(lambda dock=dock: shown_sweeps(dock) == ["0"])
        dock.setParent(None)
        dock.deleteLater()
        window.deleteLater()
    assert len(session.document.sweeps_selected) == 0
