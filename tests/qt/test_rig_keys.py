"""The rig by keys alone: every key there is is pressed, in a dock and on the canvas, and the help shows each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from celltype_stubs import FEATURES, WAVEFORM, StubFeatures, StubWaveform, make_firing_recording, stub_shelf
from leaks import bound_keys, listeners
from napari_celltype._napari import rig_keys
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.celltype_dock import CellTypeDock
from napari_celltype._napari.gates_dock import GatesDock
from napari_celltype._napari.keys_dock import KeysDock, keys_html
from napari_celltype._napari.map_dock import MapDock
from napari_celltype._napari.recording_dock import RecordingDock
from napari_celltype._napari.rig_actions import actions_of
from napari_celltype._napari.rig_keys import RIG_KEYS, TRACE_KEYS, WINDOW_KEYS, CanvasBinding, canvas_name, key_groups
from napari_celltype._napari.session import session_of
from napari_celltype._napari.session_dock import SessionDock
from napari_celltype._napari.watch_control import watch_control_of
from napari_celltype._napari.watch_dock import WatchDock
from napari_celltype.workbench import Item

RIG_DOCKS = [RecordingDock, CellTypeDock, GatesDock, MapDock, WatchDock, SessionDock, KeysDock]


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def rig(viewer, qtbot, tmp_path):
    """Two judged recordings with three sweeps each; the first is current."""
    rig = Rig(viewer, qtbot)
    rig.open_recordings(tmp_path)
    return rig


class Rig:
    """A session, and what a test wants to know of it."""

    def __init__(self, viewer, qtbot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.session = session_of(viewer)
        self.control = control_of(self.session, stub_shelf(StubWaveform(WAVEFORM), StubFeatures(FEATURES)))
        self.document = self.session.document
        self.control.cells.live = False

    def open_recordings(self, folder) -> None:
        for name in ("a.abf", "b.abf"):
            path = folder / name
            path.write_bytes(b"samples")
            self.document.add(Item.holding(replace(make_firing_recording(3, name=name), path=path)))
        cells, item = self.control.cells, self.item
        for step in cells.steps(item):
            cells.take(item, step)

    @property
    def item(self) -> str:
        return self.document.current_recording.id

    @property
    def sweeps(self) -> tuple[int, ...]:
        return self.document.selected_sweeps(self.item)

    @property
    def window(self):
        return self.control.cells.window(self.item)

    def open(self, kind) -> QWidget:
        dock = kind(self.viewer)
        self.qtbot.addWidget(dock)
        dock.show()
        return dock

    def idle(self) -> None:
        self.qtbot.waitUntil(lambda: not self.control.is_working, timeout=15_000)


def press(dock, key: str) -> None:
    """What Qt does when the key is pressed in a dock: one shortcut only may answer, or none does."""
    wanted = QKeySequence(key)
    found = [shortcut for shortcut in dock.findChildren(QShortcut) if shortcut.key() == wanted]
    assert len(found) == 1, f"{key} is bound {len(found)} times in {type(dock).__name__}"
    found[0].activated.emit()


def press_on_canvas(viewer, key: str) -> None:
    viewer.keymap[coerce_keybinding(canvas_name(key))](viewer)


@pytest.fixture(params=["in a dock", "on the canvas"])
def pressed(request, rig):
    """Presses a key, either way."""
    dock = rig.open(WatchDock)
    if request.param == "in a dock":
        return lambda key: press(dock, key)
    return lambda key: press_on_canvas(rig.viewer, key)


def test_sweeps(rig, pressed):
    pressed("PgDown")
    pressed("PgDown")
    assert rig.sweeps == (2,)
    pressed("PgDown")
    assert rig.sweeps == (2,), "the last one is the last"
    pressed("PgUp")
    assert rig.sweeps == (1,)


def test_windows_and_undo(rig, pressed):
    suggested = rig.control.cells.call(rig.item).suggested
    pressed("W")
    assert rig.window == suggested[1]
    pressed("Shift+W")
    assert rig.window == suggested[0]
    pressed("Ctrl+Z")
    assert rig.window == suggested[1]
    pressed("Ctrl+Shift+Z")
    assert rig.window == suggested[0]


def test_recordings(rig, pressed):
    pressed("Ctrl+PgDown")
    assert rig.document.current_recording.name == "b.abf"
    pressed("Ctrl+PgUp")
    assert rig.document.current_recording.name == "a.abf"


def test_predict_and_accept(rig, pressed):
    rig.control.cells.begin(rig.item)
    pressed("P")
    rig.idle()
    assert rig.control.cells.call(rig.item).verdict.label == "Inh"
    pressed("A")
    assert [row.cell for row in rig.control.cells.table.rows] == ["a.abf"]
    assert rig.viewer.status == "Accepted a.abf: Inhibitory, 90 %."


def test_live_is_the_same_everywhere(rig, pressed):
    dock = rig.open(CellTypeDock)
    assert not dock.form.live.isChecked()
    pressed("Shift+L")
    assert rig.control.cells.live
    assert dock.form.live.isChecked()
    pressed("Shift+L")
    assert not dock.form.live.isChecked()
    assert "press P" in rig.viewer.status


def test_the_watch_is_paused_and_resumed(rig, pressed, tmp_path):
    pressed("Shift+P")
    assert "No folder is watched" in rig.viewer.status
    folder = tmp_path / "rig"
    folder.mkdir()
    watch_control_of(rig.session).choose_folder(folder)
    pressed("Shift+P")
    assert watch_control_of(rig.session).watch.paused
    pressed("Shift+P")
    assert not watch_control_of(rig.session).watch.paused


def test_the_session_is_saved(rig, pressed, tmp_path):
    pressed("Shift+S")
    rig.qtbot.waitUntil((tmp_path / "a.abf.celltype.json").exists, timeout=10_000)


def test_without_a_recording_and_without_a_window_each_key_is_harmless(viewer, qtbot):
    dock = Rig(viewer, qtbot).open(SessionDock)
    for key, _, _ in RIG_KEYS:
        press(dock, key)


def test_the_window_s_and_the_traces_keys_work_in_the_recording_dock(rig, qtbot):
    dock = rig.open(RecordingDock)
    qtbot.waitUntil(lambda: bool(dock.traces.traces), timeout=10_000)
    start = rig.window.start_s
    for key, moved_ms in (("Shift+Right", 0.1), ("Shift+Left", 0.0)):
        press(dock, key)
        assert (rig.window.start_s - start) * 1e3 == pytest.approx(moved_ms, abs=1e-6)
    length = rig.window.duration_s
    for key, longer_ms in (("Shift+Up", 0.1), ("Shift+Down", 0.0)):
        press(dock, key)
        assert (rig.window.duration_s - length) * 1e3 == pytest.approx(longer_ms, abs=1e-6)
    press(dock, "O")
    assert rig.window.kind == "onset"
    press(dock, "S")
    assert rig.window.kind == "peak"
    press(dock, "Z")
    low, high = dock.traces.time_range
    assert low < rig.window.start_s < rig.window.stop_s < high < 0.1
    press(dock, "Home")
    assert dock.traces.time_range[1] > 0.15
    press(dock, "+")
    closer = dock.traces.time_range
    press(dock, "Right")
    assert dock.traces.time_range[0] > closer[0]
    press(dock, "Left")
    assert dock.traces.time_range == pytest.approx(closer)
    press(dock, "-")
    assert dock.traces.time_range[1] > closer[1]
    dock.traces.voltage.vb.setYRange(0, 1)
    press(dock, "Y")
    assert dock.traces.voltage.vb.viewRange()[1][0] < -60
    press(dock, "M")


# one place ----


def test_no_key_is_bound_twice_in_a_dock_and_the_help_shows_every_one(rig):
    shown = {
        QKeySequence(key).toString() for _, keys in key_groups() for names, _ in keys for key in names.split(" or ")
    }
    for kind in RIG_DOCKS:
        keys = [shortcut.key().toString() for shortcut in rig.open(kind).findChildren(QShortcut)]
        assert len(keys) == len(set(keys)), kind.__name__
        assert {QKeySequence(key).toString() for key, _, _ in RIG_KEYS} <= set(keys) <= shown, kind.__name__
    html = keys_html("#888888")
    assert all(key in html for key, _, _ in (*RIG_KEYS, *TRACE_KEYS, *WINDOW_KEYS))


def test_the_help_follows_what_is_defined(monkeypatch):
    monkeypatch.setattr(rig_keys, "RIG_KEYS", (*RIG_KEYS, ("F9", "make coffee", "toggle_help")))
    assert "make coffee" in keys_html("#888888")


def test_the_documentation_has_every_key_of_the_rig():
    page = (Path(__file__).resolve().parents[2] / "docs" / "classify-at-the-rig.md").read_text(encoding="utf-8")
    lines = [line for _, keys in key_groups()[:3] for line in (f"| {key} | {what} |" for key, what in keys)]
    assert [line for line in lines if line not in page] == []


# the canvas ----


def test_the_canvas_gets_its_keys_back_with_the_last_dock(rig):
    before = bound_keys(rig.session)
    first, second = rig.open(WatchDock), rig.open(SessionDock)
    assert len(bound_keys(rig.session)) > len(before) + 8
    first.close()
    assert len(bound_keys(rig.session)) > len(before) + 8
    second.close()
    assert bound_keys(rig.session) == before


def test_a_key_somebody_has_bound_stays_theirs(rig):
    heard = []

    @rig.viewer.bind_key("W")
    def theirs(viewer):
        heard.append(viewer)

    dock = rig.open(WatchDock)
    press_on_canvas(rig.viewer, "W")
    dock.close()
    press_on_canvas(rig.viewer, "W")
    assert len(heard) == 2


def test_a_handler_somebody_kept_does_nothing_after_the_docks_are_gone(rig):
    keys = CanvasBinding(rig.viewer, actions_of(rig.session))
    keys.hold()
    kept = rig.viewer.keymap[coerce_keybinding("PageDown")]
    keys.release()
    kept(rig.viewer)
    assert rig.sweeps == (0,)
    rig.viewer.bind_key("PageDown", kept)  # put back by a dock that had taken it over meanwhile
    keys.hold()
    press_on_canvas(rig.viewer, "PgDown")
    assert rig.sweeps == (1,)
    keys.release()


# closing and opening ----


@pytest.mark.parametrize("kind", RIG_DOCKS)
def test_closed_and_opened_five_times_nothing_is_left_behind(rig, kind):
    """The first time things that outlive the dock are made; after that nothing may grow."""
    seen = []
    for _ in range(5):
        dock = kind(rig.viewer)
        dock.show()
        rig.qtbot.wait(10)
        dock.close()
        seen.append((listeners(rig.session), bound_keys(rig.session)))
        dock.deleteLater()
    assert seen[1] == seen[-1]


def test_docks_closed_while_everything_is_at_work_leave_no_job(rig, tmp_path):
    docks = [rig.open(kind) for kind in RIG_DOCKS]
    rig.control.set_live(True)
    rig.document.make_current(rig.document.recordings[1].id)
    rig.control.ask()
    watch_control_of(rig.session).choose_folder(tmp_path)
    for dock in docks:
        dock.close()
    assert not rig.control.is_working
    assert not watch_control_of(rig.session).is_working
    assert not watch_control_of(rig.session)._timer.isActive()
