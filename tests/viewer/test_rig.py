"""The rig's main path as a user walks it, in a real window, with the bundled models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from celltype_stubs import make_firing_recording
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.demo import settle, traces_are_drawn
from napari_celltype._napari.keys_dock import KeysDock
from napari_celltype._napari.recording_dock import RecordingDock
from napari_celltype._napari.session import session_of
from napari_celltype._napari.session_keeper import keeper_of
from napari_celltype._napari.watch_control import watch_control_of
from napari_celltype.io.write_abf import write_abf
from napari_celltype.workbench.session_file import place_beside
from napari_celltype.workbench.watch import WatchOptions

PLUGIN = "napari-celltype"


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    yield viewer
    for name in list(viewer.window.dock_widgets):
        viewer.window.remove_dock_widget(viewer.window.dock_widgets[name])
    settle(0.1)


def open_dock(viewer, name: str):
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return dock


def recording_dock(viewer) -> RecordingDock:
    settle(0.0, until=lambda: any(isinstance(dock, RecordingDock) for dock in viewer.window.dock_widgets.values()))
    return next(dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, RecordingDock))


def drag(dock: RecordingDock, from_s: float, to_s: float) -> None:
    """Take hold of the window's middle with the mouse and let it go elsewhere."""
    plot = dock.traces.voltage.vb
    low, high = plot.viewRange()[1]
    view = plot.scene().views()[0]

    def pixel(time_s: float):
        return view.mapFromScene(plot.mapViewToScene(QPointF(time_s, (low + high) / 2)))

    def send(kind: QEvent.Type, time_s: float, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
        port, at = view.viewport(), QPointF(pixel(time_s))
        modifiers = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(port, QMouseEvent(kind, at, QPointF(port.mapToGlobal(at)), button, held, modifiers))
        settle(0.05)

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(QEvent.Type.MouseMove, from_s, none, none)
    send(QEvent.Type.MouseButtonPress, from_s, left, left)
    for share in (0.3, 0.6, 1.0):
        send(QEvent.Type.MouseMove, from_s + share * (to_s - from_s), none, left)
    send(QEvent.Type.MouseButtonRelease, to_s, left, none)


def test_from_a_recording_to_its_type_its_gates_its_place_and_the_exported_table(viewer, tmp_path: Path):
    viewer.open_sample(PLUGIN, "recording")
    celltype = open_dock(viewer, "Cell type")
    control = control_of(session_of(viewer))
    dock = recording_dock(viewer)
    settle(0.2, until=lambda: not control.is_working and traces_are_drawn(viewer), limit_s=90)
    call = control.cells.call(control.item_id)
    suggested = control.cells.window(control.item_id)
    assert suggested in call.suggested
    assert celltype.result.headline.text()

    dock._on_key_home()
    dock.window_line._on_key_zoom()
    settle(0.1)
    middle = (suggested.start_s + suggested.stop_s) / 2
    drag(dock, middle, middle + 0.0006)
    window = control.cells.window(control.item_id)
    assert window.start_s - suggested.start_s == pytest.approx(0.0006, abs=0.0002)
    settle(0.2, until=lambda: not control.is_working, limit_s=60)
    assert control.cells.call(control.item_id).verdict is not None
    assert dock.window_line.region.bounds_s == pytest.approx((window.start_s, window.stop_s))
    control.undo()
    assert control.cells.window(control.item_id) == suggested

    gates = open_dock(viewer, "Feature gates")
    settle(0.2, until=lambda: gates.cell is not None, limit_s=60)
    places = open_dock(viewer, "Map")
    settle(0.2, until=lambda: bool(places.places), limit_s=60)
    x, y = next(iter(places.places.values())).xy
    assert np.isfinite([x, y]).all()

    settle(0.2, until=lambda: not control.is_working, limit_s=60)
    celltype.accept.click()
    celltype.tabs.cells.save_table(tmp_path / "cells.csv")
    table = pd.read_csv(tmp_path / "cells.csv")
    assert table["label"].tolist() == [control.cells.call(control.item_id).verdict.label]
    celltype.save_report(tmp_path / "cell.png")
    settle(0.1, until=lambda: (tmp_path / "cell.png").exists() and not celltype._saving.is_busy, limit_s=60)
    assert (tmp_path / "cell.png").stat().st_size > 10_000


def test_keys_work_on_the_canvas_and_in_the_docks_and_f1_opens_and_closes_the_help(viewer):
    viewer.open_sample(PLUGIN, "recording")
    dock = recording_dock(viewer)
    settle(0.3, until=lambda: traces_are_drawn(viewer))
    document = session_of(viewer).document
    item = document.current_recording.id
    viewer.window._qt_window.activateWindow()
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    settle(0.1)
    QTest.keyClick(canvas, Qt.Key.Key_PageDown)
    assert document.selected_sweeps(item) == (1,)
    dock.traces.setFocus()
    settle(0.1)
    QTest.keyClick(dock.traces, Qt.Key.Key_PageDown)
    assert document.selected_sweeps(item) == (2,)

    def help_docks() -> list:
        return [found for found in viewer.window.dock_widgets.values() if isinstance(found, KeysDock)]

    QTest.keyClick(canvas, Qt.Key.Key_F1)
    settle(0.1)
    assert len(help_docks()) == 1
    QTest.keyClick(canvas, Qt.Key.Key_F1)
    settle(0.1)
    assert help_docks() == []
    settle(0.1)


def test_a_recording_saved_into_the_watched_folder_is_classified_while_another_is_looked_at(viewer, tmp_path):
    viewer.open_sample(PLUGIN, "recording")
    settle(0.3, until=lambda: traces_are_drawn(viewer))
    control = watch_control_of(session_of(viewer))
    control.options = WatchOptions(settle_s=0.3)
    dock = open_dock(viewer, "Watch folder")
    control.choose_folder(tmp_path)
    looked_at = session_of(viewer).document.current_recording.id
    focus, layers = QApplication.focusWidget(), list(viewer.layers)
    write_abf(make_firing_recording(2), tmp_path / "new.abf")
    settle(0.2, until=lambda: control.watch.count("done", "failed") == 1, limit_s=60)
    assert dock.files.files[0].state == "done"
    assert session_of(viewer).document.current_recording.id == looked_at
    assert QApplication.focusWidget() is focus
    assert list(viewer.layers) == layers
    dock.view.clicked.emit(dock.files.index(0, 0))
    settle(0.3, until=lambda: traces_are_drawn(viewer))
    assert session_of(viewer).document.current_recording.name == "new.abf"


def test_a_recording_opened_again_is_as_it_was_left(viewer, tmp_path):
    path = write_abf(make_firing_recording(3), tmp_path / "cell.abf")
    viewer.open(str(path), plugin=PLUGIN)
    recording_dock(viewer)
    open_dock(viewer, "Cell type")
    session = session_of(viewer)
    control, keeper = control_of(session), keeper_of(session)
    settle(0.2, until=lambda: not control.is_working, limit_s=90)
    item = control.item_id
    control.cells.choose_window(item, control.cells.window(item).moved(0.0002), "Drag the window")
    settle(0.2, until=lambda: not control.is_working, limit_s=60)
    left = control.cells.window(item), control.cells.call(item).verdict.label
    keeper.save(item)
    settle(0.1, until=lambda: not keeper.is_saving)
    assert place_beside(path).exists()
    viewer.layers.clear()
    settle(0.1)
    viewer.open(str(path), plugin=PLUGIN)
    settle(0.2, until=lambda: bool(session.document.history.done) and not control.is_working, limit_s=60)
    again = control.item_id
    assert (control.cells.window(again), control.cells.call(again).verdict.label) == left
    assert [edit.label for edit in session.document.history.done] == ["Drag the window"]
