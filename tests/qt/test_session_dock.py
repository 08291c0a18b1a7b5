"""Saving and finding sessions again: by the dock, by itself, and when the window is closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QMainWindow

from celltype_stubs import FEATURES, WAVEFORM, StubFeatures, StubWaveform, make_firing_recording, stub_shelf
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.celltype_dock import CellTypeDock
from napari_celltype._napari.session import session_of
from napari_celltype._napari.session_dock import SessionDock
from napari_celltype._napari.session_guard import guard_window
from napari_celltype._napari.session_keeper import SessionKeeper, keeper_of
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.workbench import Item, session_file
from napari_celltype.workbench.session_file import find_state_file, own_place, place_beside


class Window:
    """A viewer with a Session dock, as if napari had just been started; models are stubs that count."""

    def __init__(self, qtbot) -> None:
        self.qtbot = qtbot
        self.viewer = ViewerModel()
        session = session_of(self.viewer)
        self.model = StubWaveform(WAVEFORM)
        self.control = control_of(session, stub_shelf(self.model, StubFeatures(FEATURES)))
        self.document, self.cells = session.document, self.control.cells
        self.dock = self.open(SessionDock)
        self.keeper: SessionKeeper = keeper_of(session)

    def open(self, kind):
        dock = kind(self.viewer)
        self.qtbot.addWidget(dock)
        dock.show()
        return dock

    def show(self, path: Path) -> str:
        """Open a recording and wait for what was saved with it."""
        item = Item.holding(replace(make_firing_recording(3, name=path.name), path=path))
        self.document.add(item)
        self.document.make_current(item.id)
        self.qtbot.waitUntil(lambda: not self.keeper._finding.is_busy and not self.keeper._wanted, timeout=10_000)
        return item.id

    def work(self, item: str) -> None:
        """Judge, move the window twice, take one back, accept."""
        for step in self.cells.steps(item):
            self.cells.take(item, step)
        for _ in range(2):
            self.cells.choose_window(item, self.cells.window(item).moved(0.0001), "Drag the window")
        self.document.history.undo(item)
        self.cells.accept(item)

    def saved(self) -> None:
        self.qtbot.waitUntil(lambda: not self.keeper.is_saving, timeout=10_000)

    def click(self, button) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        self.saved()

    def steps(self) -> list[str]:
        history = self.dock.history
        return [history.item(row).text() for row in range(history.count())]


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "cell.abf"
    path.write_bytes(b"samples" * 10)
    return path


@pytest.fixture
def window(qtbot) -> Window:
    return Window(qtbot)


def test_saved_and_opened_again_everything_is_back_without_asking_a_model(window, path, qtbot):
    item = window.show(path)
    window.work(item)
    window.dock.note.setPlainText("L5, tdTomato")
    assert window.dock.state.text() == "cell.abf: not saved yet."
    window.click(window.dock.save)
    assert place_beside(path).exists()
    assert window.dock.state.text() == "cell.abf: saved as cell.abf.celltype.json."

    later = Window(qtbot)
    later.open(CellTypeDock)
    again = later.show(path)
    qtbot.wait(200)  # long enough for a question to be asked
    assert later.cells.window(again) == window.cells.window(item)
    assert later.cells.call(again).verdict.label == "Inh"
    assert later.cells.call(again).verdict.version == "1.0.0"
    assert not later.control.is_working
    assert later.steps() == ["As opened", "Drag the window", "Drag the window"]
    assert later.dock.history.currentRow() == 1
    assert later.dock.note.toPlainText() == "L5, tdTomato"
    assert len(later.cells.table) == 1
    assert "are back as saved 20" in later.dock.notice.text()
    assert "2 steps of undo" in later.dock.notice.text()


def test_a_click_on_a_step_goes_there(window, path):
    item = window.show(path)
    window.work(item)
    windows = [edit.after for edit in (*window.document.history.done, *window.document.history.undone)]
    for row, expected in ((2, windows[1]), (0, window.document.history.done[0].before), (1, windows[0])):
        window.dock._on_step_clicked(window.dock.history.item(row))
        assert window.cells.window(item) == expected
        assert window.dock.history.currentRow() == row


def test_what_the_user_did_meanwhile_is_not_thrown_away(window, path, qtbot):
    window.work(window.show(path))
    window.click(window.dock.save)
    later, drawn = Window(qtbot), ApWindow(1, 0.01, 0.02)
    item = Item.holding(replace(make_firing_recording(3, name=path.name), path=path))
    later.document.add(item)
    later.cells.choose_window(item.id, drawn, "Draw a window")
    qtbot.waitUntil(lambda: later.keeper.held(item.id) is not None, timeout=10_000)
    assert later.cells.window(item.id) == drawn
    assert "is saved already" in later.dock.notice.text()


def test_a_recording_that_changed_gets_nothing_back_unless_asked(window, path, qtbot):
    window.work(window.show(path))
    window.click(window.dock.save)
    path.write_bytes(b"samples" * 11)
    later = Window(qtbot)
    item = later.show(path)
    assert "has changed since its session was saved: it had 70 bytes then and has 77 now" in later.dock.notice.text()
    assert later.cells.window(item) is None
    later.keeper.load(item, place_beside(path))
    assert later.cells.window(item) == window.cells.window(window.document.current_recording.id)
    assert "Loaded, although cell.abf has changed" in later.dock.notice.text()


def test_somebody_else_s_file_is_offered_for_replacement(window, path, qtbot):
    item = window.show(path)
    window.work(item)
    session_file.save_state(place_beside(path), path, session_file.RecordingState())
    window.click(window.dock.save)
    assert "was saved by somebody else" in window.dock.notice.text()
    assert window.dock.replace.isVisible()
    assert window.keeper.is_unsaved(item)
    window.click(window.dock.replace)
    assert not window.keeper.is_unsaved(item)
    assert not window.dock.replace.isVisible()


def test_where_nothing_can_be_written_it_is_kept_elsewhere_and_found_there(window, path, qtbot, monkeypatch):
    written = session_file.write_atomically

    def read_only(place, *args, **options):
        if Path(place).parent == path.parent:
            raise OSError(30, "Read-only file system", str(place))
        return written(place, *args, **options)

    monkeypatch.setattr(session_file, "write_atomically", read_only)
    item = window.show(path)
    window.work(item)
    window.click(window.dock.save)
    assert "the drive is read-only. Nothing is lost yet" in window.dock.notice.text()
    assert window.dock.elsewhere.isVisible()
    window.click(window.dock.own)
    assert find_state_file(path) == own_place(path)
    later = Window(qtbot)
    assert later.cells.window(later.show(path)) == window.cells.window(item)


def test_it_saves_by_itself_only_when_told(window, path, monkeypatch):
    item = window.show(path)
    window.work(item)
    window.keeper._timer.setInterval(10)
    window.qtbot.wait(50)
    assert not place_beside(path).exists()
    window.dock.autosave.setChecked(True)
    window.qtbot.waitUntil(lambda: place_beside(path).exists() and not window.keeper.is_saving, timeout=10_000)
    window.document.history.redo(item)
    window.qtbot.waitUntil(lambda: not window.keeper.is_unsaved(item), timeout=10_000)
    window.saved()


def test_a_sample_without_a_file_says_so_and_holds_nothing_up(window, path):
    item = window.show(path.with_name("sample recording"))
    window.work(item)
    assert "has no file" in window.dock.state.text()
    assert not window.dock.save.isEnabled()
    assert window.keeper.unsaved == []


def test_a_damaged_session_file_is_a_sentence_and_the_recording_opens(window, path):
    place_beside(path).write_text("{")
    item = window.show(path)
    assert "cannot be understood" in window.dock.notice.text()
    assert window.cells.recording(item) is not None


def test_the_cells_of_a_folder_are_saved_and_added_to_those_of_another_session(window, path, qtbot):
    window.work(window.show(path))
    window.click(window.dock.save_cells)
    table = path.with_name(session_file.TABLE_NAME)
    assert table.exists()
    later = Window(qtbot)
    later.keeper.load_cells(table)
    assert [row.cell for row in later.cells.table.rows] == ["cell.abf"]
    assert later.document.current_recording is None, "loading a table opens nothing"
    [item_id] = later.cells.table.item_ids
    assert later.document[item_id].path == path, "a double click on the row finds the file"


def test_a_recording_closed_with_work_on_it_is_kept(window, path, qtbot):
    item = window.show(path)
    window.work(item)
    kept = window.cells.window(item)
    window.document.close(item)
    window.saved()
    assert find_state_file(path) == own_place(path)
    later = Window(qtbot)
    assert later.cells.window(later.show(path)) == kept


def test_the_dock_closed_and_opened_shows_the_same(window, path):
    window.work(window.show(path))
    window.dock.note.setPlainText("odd")
    steps = window.steps()
    window.dock.close()
    window.dock = window.open(SessionDock)
    assert window.steps() == steps
    assert window.dock.note.toPlainText() == "odd"


# the window is closed ----


class Closing(QEvent):
    """A close by the user, or by the program."""

    def __init__(self, by_user: bool) -> None:
        super().__init__(QEvent.Type.Close)
        self._by_user = by_user

    def spontaneous(self) -> bool:
        return self._by_user


@pytest.mark.parametrize(
    ("answer", "stays", "is_saved"), [("save", False, True), ("discard", False, False), ("cancel", True, False)]
)
def test_whoever_closes_the_window_with_work_unsaved_is_asked(window, path, qtbot, answer, stays, is_saved):
    item = window.show(path)
    main = QMainWindow()
    qtbot.addWidget(main)
    guard = guard_window(window.dock.session, main)
    assert guard_window(window.dock.session, main) is guard
    asked: list[list[str]] = []

    def ask(_, names):
        asked.append(names)
        return answer

    guard.ask = ask
    assert not guard.eventFilter(main, Closing(True))
    assert asked == [], "there is nothing to lose yet"
    window.work(item)
    assert guard.eventFilter(main, Closing(True)) == stays
    assert asked == [["cell.abf"]]
    assert place_beside(path).exists() == is_saved
    main.removeEventFilter(guard)


def test_a_window_closed_by_the_program_keeps_what_nobody_was_asked_about(window, path, qtbot):
    item = window.show(path)
    window.work(item)
    main = QMainWindow()
    qtbot.addWidget(main)
    guard = guard_window(window.dock.session, main)
    assert not guard.eventFilter(main, Closing(False))
    assert find_state_file(path) == own_place(path)
    assert not place_beside(path).exists()
    main.removeEventFilter(guard)
