"""The dock "Watch folder": new files are read behind the user's back, and each thing that goes wrong is a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QMimeData, Qt, QUrl

from celltype_stubs import make_firing_recording, stub_shelf
from napari_celltype._napari import watch_control
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.session import session_of
from napari_celltype._napari.watch_dock import WatchDock
from napari_celltype.errors import RecordingError
from napari_celltype.workbench import Item, watch_judge
from napari_celltype.workbench.watch import WatchOptions

AT_ONCE = WatchOptions(settle_s=0.0, give_up_s=0.3)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Look often, and read made-up recordings."""
    monkeypatch.setattr(watch_control, "_EVERY_MS", 20)
    monkeypatch.setattr(watch_judge, "read_recording", read)


def read(path: Path):
    """What a file holds is its number of sweeps; or it cannot be read."""
    text = path.read_text()
    if not text.isdigit():
        raise RecordingError("is open in another program", path=path, hint="Close it there.")
    return make_firing_recording(int(text), name=path.name)


def open_dock(viewer, qtbot, folder: Path | None = None) -> WatchDock:
    control_of(session_of(viewer), stub_shelf())
    dock = WatchDock(viewer)
    qtbot.addWidget(dock)
    dock.control.options = AT_ONCE
    dock.show()
    if folder is not None:
        dock.control.choose_folder(folder)
        qtbot.waitUntil(lambda: dock.control.watch._has_looked or bool(dock.control.watch.problem))
    return dock


def wait_until_idle(dock, qtbot, n: int) -> None:
    qtbot.waitUntil(lambda: dock.control.watch.count("done", "failed") >= n, timeout=15_000)
    qtbot.waitUntil(lambda: not dock.control.is_working, timeout=15_000)


def states(dock) -> dict[str, str]:
    return {dock.files._texts[row][0]: dock.files._texts[row][1] for row in range(dock.files.rowCount())}


def test_without_a_folder_it_says_what_to_do(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    assert "Choose the folder" in dock.status.text()
    assert not dock.pause.isEnabled()


def test_a_new_recording_comes_into_the_table_and_nothing_else_changes(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    document = dock.session.document
    looked_at = Item.holding(make_firing_recording(2, name="mine.abf"))
    document.add(looked_at)
    qtbot.wait(50)
    selection, n_layers = set(viewer.layers.selection), len(viewer.layers)
    (tmp_path / "new.abf").write_text("2")
    wait_until_idle(dock, qtbot, 1)
    assert states(dock) == {"new.abf": "Inhibitory, 90 %"}
    assert [row.cell for row in dock.control.cells.table.rows] == ["new.abf"]
    assert document.current_recording.id == looked_at.id
    assert set(viewer.layers.selection) == selection
    assert len(viewer.layers) == n_layers
    assert [item.name for item in document.recordings] == ["mine.abf", "new.abf"]
    assert dock.status.text() == "Watching: 1 read."


def test_with_nothing_open_nothing_is_shown_either(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    (tmp_path / "new.abf").write_text("1")
    wait_until_idle(dock, qtbot, 1)
    assert dock.session.document.current_recording is None
    assert len(viewer.layers) == 0


def test_hands_off_shows_the_newest(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    dock.newest.setChecked(True)
    for name in ("a.abf", "b.abf"):
        (tmp_path / name).write_text("1")
        qtbot.waitUntil(lambda name=name: _current(dock) == name, timeout=15_000)
    assert len(viewer.layers) > 0


def _current(dock) -> str:
    item = dock.session.document.current_recording
    return "" if item is None else item.name


def test_old_recordings_are_left_alone_until_the_button(viewer, qtbot, tmp_path):
    (tmp_path / "old.abf").write_text("1")
    dock = open_dock(viewer, qtbot, tmp_path)
    qtbot.waitUntil(lambda: dock.old.isEnabled())
    assert states(dock) == {"old.abf": "Was there before"}
    assert dock.old.text() == "Read 1 old"
    qtbot.mouseClick(dock.old, Qt.MouseButton.LeftButton)
    wait_until_idle(dock, qtbot, 1)
    assert states(dock) == {"old.abf": "Inhibitory, 90 %"}


def test_a_file_that_stays_unreadable_is_a_sentence_in_the_list(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    (tmp_path / "locked.abf").write_text("x")
    wait_until_idle(dock, qtbot, 1)
    assert states(dock)["locked.abf"] == "⚠ is open in another program. Close it there."
    assert len(dock.control.cells.table) == 0
    (tmp_path / "locked.abf").write_text("2")
    qtbot.waitUntil(lambda: states(dock)["locked.abf"] == "Inhibitory, 90 %", timeout=15_000)


def test_a_lost_folder_is_said_and_found_again(viewer, qtbot, tmp_path):
    folder = tmp_path / "rig"
    folder.mkdir()
    dock = open_dock(viewer, qtbot, folder)
    shutil.rmtree(folder)
    qtbot.waitUntil(lambda: "cannot be looked into" in dock.status.text())
    folder.mkdir()
    (folder / "new.abf").write_text("1")
    wait_until_idle(dock, qtbot, 1)
    assert dock.status.text() == "Watching: 1 read."


def test_paused_nothing_is_read(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    qtbot.mouseClick(dock.pause, Qt.MouseButton.LeftButton)
    assert dock.pause.text() == "Resume"
    (tmp_path / "a.abf").write_text("1")
    qtbot.waitUntil(lambda: dock.files.rowCount() == 1)
    qtbot.wait(100)
    assert states(dock) == {"a.abf": "Waiting until it is finished"}
    qtbot.mouseClick(dock.pause, Qt.MouseButton.LeftButton)
    wait_until_idle(dock, qtbot, 1)


def test_the_same_name_again_is_a_second_cell(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    path = tmp_path / "cell.abf"
    path.write_text("10")
    wait_until_idle(dock, qtbot, 1)
    path.write_text("2")
    qtbot.waitUntil(lambda: len(dock.control.cells.table) == 2, timeout=15_000)
    assert [row.cell for row in dock.control.cells.table.rows] == ["cell.abf", "cell.abf (2)"]


def test_a_click_shows_the_recording_and_one_not_read_yet_is_read(viewer, qtbot, tmp_path, monkeypatch):
    from napari_celltype import io

    monkeypatch.setattr(io, "read_recording", read)
    (tmp_path / "old.abf").write_text("2")
    dock = open_dock(viewer, qtbot, tmp_path)
    (tmp_path / "new.abf").write_text("1")
    wait_until_idle(dock, qtbot, 1)
    for row, name in ((0, "new.abf"), (1, "old.abf")):
        dock._on_file_clicked(dock.files.index(row, 0))
        qtbot.waitUntil(lambda name=name: _current(dock) == name and _is_read(dock))
    assert [item.name for item in dock.session.document.recordings] == ["new.abf", "old.abf"]


def _is_read(dock) -> bool:
    return dock.session.document.current_recording.value is not None


def test_what_is_on_the_screen_is_not_replaced_when_its_file_grows(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot, tmp_path)
    dock.newest.setChecked(True)
    path = tmp_path / "cell.abf"
    path.write_text("2")
    qtbot.waitUntil(lambda: _current(dock) == "cell.abf", timeout=15_000)
    shown = dock.session.document.current_recording.value
    dock.newest.setChecked(False)
    path.write_text("10")
    qtbot.waitUntil(lambda: len(dock.session.document.recordings) == 2, timeout=15_000)
    assert dock.session.document.current_recording.value is shown
    assert dock.session.document.recordings[1].name == "cell.abf, complete"


def test_a_row_the_user_accepted_by_hand_stays(viewer, qtbot, tmp_path):
    """The user was quicker than the watch, with a window of their own."""
    dock = open_dock(viewer, qtbot, tmp_path)
    dock.control.watch.pause()
    (tmp_path / "cell.abf").write_text("2")
    item = Item.holding(make_firing_recording(2, name="cell.abf"))
    dock.session.document.add(item)
    dock.control._items[tmp_path / "cell.abf", 1] = item.id
    *_, judged = watch_judge.judge_file(tmp_path / "cell.abf", dock.control.cells.model(None), dock.control.cells.shelf)
    dock.control.cells.adopt(item.id, judged.call)
    dock.control.cells.accept(item.id)
    row = dock.control.cells.table.rows[0]
    dock.control.watch.pause(False)
    wait_until_idle(dock, qtbot, 1)
    assert dock.control.cells.table.rows == [row]


def test_a_folder_dropped_on_the_dock_is_watched(viewer, qtbot, tmp_path):
    dock = open_dock(viewer, qtbot)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])

    class Drop:
        def mimeData(self):
            return data

        def acceptProposedAction(self):
            pass

    dock.dropEvent(Drop())
    assert dock.control.watch.folder == tmp_path


def test_closed_while_it_reads_it_rests_and_goes_on_when_opened_again(viewer, qtbot, tmp_path, monkeypatch):
    go_on = Event()

    def slowly(path):
        go_on.wait(10)
        return read(path)

    monkeypatch.setattr(watch_judge, "read_recording", slowly)
    dock = open_dock(viewer, qtbot, tmp_path)
    (tmp_path / "cell.abf").write_text("1")
    qtbot.waitUntil(lambda: dock.control.is_working)
    dock.close()
    go_on.set()
    assert not dock.control.is_working
    assert dock.control.watch.count("reading") == 0
    again = WatchDock(viewer)
    qtbot.addWidget(again)
    assert again.folder.text() == tmp_path.name
    wait_until_idle(again, qtbot, 1)
    assert len(again.control.cells.table) == 1
