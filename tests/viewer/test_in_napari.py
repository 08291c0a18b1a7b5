"""The main paths as a user walks them, in a real napari window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_celltype._napari.demo import open_demo, settle, traces_are_drawn
from napari_celltype._napari.recording_dock import RecordingDock
from napari_celltype._napari.session import session_of

DOCK = "Recording (napari-celltype)"


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    yield viewer
    for name in list(viewer.window.dock_widgets):
        viewer.window.remove_dock_widget(viewer.window.dock_widgets[name])


def recording_dock(viewer) -> RecordingDock:
    settle(0.0, until=lambda: DOCK in viewer.window.dock_widgets)
    dock = viewer.window.dock_widgets[DOCK]
    assert isinstance(dock, RecordingDock)
    return dock


def coloured_share(picture: np.ndarray) -> float:
    """Share of pixels that are neither black nor white nor grey."""
    rgb = picture[..., :3].astype(int)
    return float((np.ptp(rgb, axis=-1) > 30).mean())


def test_the_samples_open_on_the_canvas_and_in_the_dock(viewer):
    lines = open_demo(viewer)
    settle(0.5, until=lambda: traces_are_drawn(viewer))
    dock = recording_dock(viewer)
    assert "sweeps at 50 kHz" in lines[0]
    assert any(line.startswith("Cell type (") for line in lines)
    assert any(line.startswith("Neuron's type") for line in lines)
    assert len(dock.traces.traces) == len(dock.selected) > 1
    assert dock.isVisible()
    names = {layer.name: layer.visible for layer in viewer.layers}
    assert names["sample neuron · segments"]
    assert not names["sample recording · overview (mV)"]
    assert viewer.layers.units is not None, "a hidden recording must not take the units from the others"
    assert 0.001 < coloured_share(viewer.screenshot(canvas_only=True, flash=False)) < 0.5


def test_the_dock_opens_below_and_leaves_most_of_the_window_to_the_canvas(viewer):
    viewer.open_sample("napari-celltype", "recording")
    dock = recording_dock(viewer)
    settle(0.5, until=lambda: traces_are_drawn(viewer))
    assert 200 <= dock.height() <= 400
    assert dock.traces.width() > 400
    height, width = viewer.canvas.size
    assert height > 200
    assert width > 500


def test_closing_the_dock_and_opening_it_again_shows_the_recording_again(viewer):
    viewer.open_sample("napari-celltype", "recording")
    document = session_of(viewer).document
    for _ in range(3):
        dock = recording_dock(viewer)
        settle(0.1, until=lambda: traces_are_drawn(viewer))
        viewer.window.remove_dock_widget(dock)  # what the X button calls
        settle(0.05)
        assert len(document.sweeps_selected) == 0, "the closed dock still listens"
        viewer.window.add_plugin_dock_widget("napari-celltype", "Recording")
    settle(0.1, until=lambda: traces_are_drawn(viewer))
    assert len(recording_dock(viewer).traces.traces) == 1


def test_a_file_that_cannot_be_read_is_one_notification_with_name_and_reason(viewer, tmp_path, capsys):
    path = tmp_path / "broken.abf"
    path.write_bytes(b"XXXX" * 200)
    notification_manager.records.clear()
    assert viewer.open(str(path), plugin="napari-celltype") == []
    assert len(notification_manager.records) == 1
    assert notification_manager.records[0].message.startswith("broken.abf: ")
    assert f"napari-celltype: {path}: " in capsys.readouterr().err


def test_files_dropped_on_the_dock_open_and_a_bad_one_does_not_stop_the_others(viewer, tmp_path):
    good, bad = tmp_path / "cell.swc", tmp_path / "bad.abf"
    good.write_bytes(b"1 1 0 0 0 5 -1\n2 3 10 4 3 1 1\n3 3 20 0 0 1 2\n")
    bad.write_bytes(b"")
    viewer.window.add_plugin_dock_widget("napari-celltype", "Recording")
    recording_dock(viewer).open_files([str(bad), str(good)])
    settle(0.1)
    assert [layer.name for layer in viewer.layers] == ["cell · landmarks", "cell · segments", "cell"]


def test_saving_from_napari_writes_the_edited_neuron(viewer, tmp_path):
    source, target = tmp_path / "cell.swc", tmp_path / "edited.swc"
    source.write_bytes(b"# by hand\n1 1 0 0 0 5 -1\n2 3 10 4 3 1 1\n3 3 20 0 0 1 2\n")
    nodes = viewer.open(str(source), plugin="napari-celltype")[-1]
    nodes.selected_data = {2}
    nodes.remove_selected()
    settle(0.05)
    nodes.save(str(target), plugin="napari-celltype")
    assert target.read_bytes() == b"# by hand\n1 1 0 0 0 5 -1\n2 3 10 4 3 1 1\n"
    assert Path(source).read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("swc", [b"1 1 0 0 0 5 -1\n", b"1 1 0 0 0 5 -1\n2 3 0 0 40 1 1\n3 3 0 0 80 1 2\n"])
def test_a_single_node_and_a_line_seen_from_its_end_leave_the_window_usable(viewer, tmp_path, swc):
    path = tmp_path / "odd.swc"
    path.write_bytes(swc)
    for _ in range(2):  # the second time the viewer is in 3D already
        viewer.open(str(path), plugin="napari-celltype")
        settle(0.1)
        assert np.isfinite(viewer.scene.camera.zoom)
        assert len(viewer.layers) == 3
        viewer.layers.clear()


def test_a_folder_is_listed_in_the_dock(viewer, shared_data):
    folder = shared_data / "recordings" / "swharden+pyABF"
    viewer.open(str(folder), plugin="napari-celltype")
    dock = recording_dock(viewer)
    settle(0.1, until=lambda: dock.chooser.count() > 5 and bool(dock.traces.traces))
    assert dock.chooser.count() == len(list(folder.iterdir()))
    assert dock.traces.traces
