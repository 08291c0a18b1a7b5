"""The dock "Repair reconstruction" on a viewer without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_celltype._napari import opened, repair_offer
from napari_celltype._napari.camera import camera_of
from napari_celltype._napari.neuron_layers import neuron_to_layers
from napari_celltype._napari.repair_dock import EMPTY, RepairDock
from napari_celltype._napari.repair_keys import KEYS, help_text
from napari_celltype._napari.repair_layers import AFTER, BEFORE, JUMPS
from napari_celltype._napari.repair_table import COLUMNS
from napari_celltype._napari.session import session_of
from napari_celltype.io import read_neuron
from napari_celltype.samples.neuron import sample_neuron_swc


@pytest.fixture(autouse=True)
def _nothing_visited():
    repair_offer._visited.clear()


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "cell.swc"
    file.write_bytes(sample_neuron_swc())
    return file


def open_neuron(viewer, path: Path) -> str:
    session = session_of(viewer)
    neuron = read_neuron(path)
    item = opened.hand_over(neuron)
    for layer in neuron_to_layers(neuron, item_id=item.id, name=item.name):
        viewer.add_layer(Layer.create(*layer))
    assert item.id in session.document
    return item.id


@pytest.fixture
def empty_dock(viewer, qtbot):
    dock = RepairDock(viewer)
    dock.flight.animated = False
    qtbot.addWidget(dock)
    dock.resize(460, 660)
    dock.show()
    return dock


@pytest.fixture
def dock(viewer, path, empty_dock, qtbot):
    open_neuron(viewer, path)
    qtbot.waitUntil(lambda: empty_dock.overlay is not None)
    return empty_dock


def texts(dock: RepairDock, row: int) -> list[str]:
    model = dock.jumps.model
    return [model.data(model.index(row, column)) for column in range(len(COLUMNS))]


def states(dock: RepairDock) -> list[str]:
    return [texts(dock, row)[5] for row in range(3)]


def names(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers}


def test_without_a_neuron_it_says_what_to_do(empty_dock):
    assert empty_dock.banner.message == EMPTY
    assert not empty_dock.tabs.isEnabled()
    for _, _, _, method in KEYS:
        if method != "next_file":
            getattr(empty_dock, method)()  # no key may crash it


def test_a_neuron_lists_its_jumps_with_a_ring_each(dock):
    assert texts(dock, 0)[:2] == ["384", "+43.0"]
    assert states(dock) == ["open", "open", "open"]
    assert dock.jumps.summary.text() == "3 open"
    rings = dock.overlay.layer(JUMPS)
    assert len(rings.data) == 3
    np.testing.assert_allclose(rings.data[0], dock.repair.source.xyz_um[dock.repair.source.rows_of(384)[0], ::-1])


def test_selecting_a_jump_flies_there_and_shows_before_and_after(dock, viewer, qtbot):
    dock.next_jump()
    jump = dock.jumps.current.jump
    assert len(dock.overlay.layer(BEFORE).data) == len(dock.overlay.layer(AFTER).data) == jump.n_downstream
    # first line of each: from the node that moves to its parent
    row = dock.repair.source.rows_of(jump.node_id)[0]
    z_before = dock.overlay.layer(BEFORE).data[:, 0, 0]
    assert dock.repair.source.xyz_um[row, 2] in z_before
    assert np.abs(z_before - dock.overlay.layer(AFTER).data[:, 0, 0]).max() == pytest.approx(abs(jump.dz_um), abs=1e-6)
    camera = camera_of(viewer)
    assert np.linalg.norm(np.array(camera.center)[1:] - dock.repair.source.xyz_um[row, [1, 0]]) < 5
    assert abs(camera.view_direction[0]) < 0.1  # from the side
    qtbot.waitUntil(lambda: len(dock.side_view._curves[1].getData()[0]) > 0)  # after the canvas


def test_an_own_side_view_is_kept_when_flying_on(dock, viewer):
    dock.next_jump()
    camera_of(viewer).angles = angles = (10.0, 80.0, 30.0)
    dock.next_jump()
    assert camera_of(viewer).angles == pytest.approx(angles) or abs(camera_of(viewer).view_direction[0]) < 0.82


def test_keys_accept_refuse_choose_and_go_on(dock, qtbot):
    dock.next_jump()
    dock.accept()
    assert states(dock) == ["accepted", "open", "open"]
    assert dock.jumps.current.jump.node_id == 1465
    dock.mode_tilt()
    assert texts(dock, 1)[6] == "tilt"
    dock.refuse()
    dock.accept_above()
    assert states(dock) == ["accepted", "refused", "accepted"]
    dock.undo()
    assert states(dock) == ["accepted", "refused", "open"]
    dock.redo()
    dock.previous_jump()
    dock.reopen()
    assert states(dock)[1] == "open"
    assert "reconsider" in dock.steps.undo_button.toolTip()


@pytest.mark.parametrize(("key", "modifier", "expected"), [("A", "No", "accepted"), ("R", "No", "refused")])
def test_the_keys_work_in_the_dock(dock, qtbot, key, modifier, expected):
    dock.next_jump()
    dock.jumps.table.setFocus()
    dock.activateWindow()
    qtbot.waitUntil(dock.jumps.table.hasFocus)
    qtbot.keyClick(dock.jumps.table, getattr(Qt.Key, f"Key_{key}"))
    assert states(dock)[0] == expected


def test_the_keys_work_in_the_canvas_and_are_given_back(viewer, path, qtbot):
    pressed = []
    viewer.bind_key("J", pressed.append)
    open_neuron(viewer, path)
    viewer_keys = dict(viewer.keymap)
    before = {layer.name: dict(layer.keymap) for layer in viewer.layers}
    dock = RepairDock(viewer)
    qtbot.addWidget(dock)
    dock.flight.animated = False
    qtbot.waitUntil(lambda: dock.overlay is not None)
    by_name = {str(key): action for key, action in viewer.keymap.items()}
    by_name["J"](viewer)
    by_name["A"](viewer)
    assert dock.repair.state.count("accepted") == 1
    dock.nodes.edit_button.setChecked(True)  # while nodes are edited their layer has its keys to itself
    assert "A" not in {str(key) for key in viewer.keymap}
    assert "Ctrl+Z" in {str(key) for key in viewer.keymap}
    dock.close()
    assert dict(viewer.keymap) == viewer_keys
    assert {layer.name: dict(layer.keymap) for layer in viewer.layers} == before


def test_the_help_names_every_key_and_each_does_something():
    for key, _, what, method in KEYS:
        assert f"{key}: {what}" in help_text()
        assert callable(getattr(RepairDock, method))


def test_the_sliders_change_the_list_and_the_rings_at_once(dock, qtbot):
    dock.jumps.thresholds.height_slider.setValue(2)  # 1 um
    dock.jumps.thresholds.slope_slider.setValue(10)  # 1
    qtbot.waitUntil(lambda: len(dock.jumps.model.rows) > 3)
    n_rings = sum(not row.left_out for row in dock.jumps.model.rows)
    assert len(dock.overlay.layer(JUMPS).data) == n_rings
    dock.jumps.thresholds.height_box.setValue(99.0)
    qtbot.waitUntil(lambda: not dock.jumps.model.rows)
    assert dock.jumps.summary.text() == "0 open"


def test_numbers_before_and_now(dock, qtbot):
    dock.jumps.accept_all()
    qtbot.waitUntil(lambda: "→" in dock.numbers.text())
    assert "258.5 → <b>215.5</b>" in dock.numbers.text()


def test_a_repair_that_makes_the_neuron_much_deeper_is_called_so(viewer, tmp_path, qtbot):
    # down slowly to -60 um, up again in one step, and down slowly once more
    z = [*range(0, -61, -6), *range(0, -61, -6)]
    rows = [f"{i} {1 if i == 1 else 3} {9 * i} 0 {z[i - 1]} 1 {i - 1 if i > 1 else -1}" for i in range(1, len(z) + 1)]
    path = tmp_path / "drift.swc"
    path.write_text("\n".join(rows) + "\n")
    open_neuron(viewer, path)
    dock = RepairDock(viewer)
    qtbot.addWidget(dock)
    dock.flight.animated = False
    dock.next_jump()
    dock.accept()
    assert "much deeper: 60 → 120 µm" in dock.banner.message
    qtbot.waitUntil(lambda: "⚠ 60.0 → <b>120.0</b>" in dock.numbers.text())
    dock.undo()
    assert not dock.banner.message
    qtbot.waitUntil(lambda: "⚠" not in dock.numbers.text())


def test_the_picture_follows_every_decision(dock, viewer):
    dock.jumps.accept_all()
    nodes = dock.session.nodes_layer(dock.repair.item_id)
    np.testing.assert_array_equal(nodes.data[:, ::-1], dock.repair.neuron.xyz_um)
    dock.undo()
    np.testing.assert_array_equal(nodes.data[:, ::-1], dock.repair.source.xyz_um)


# nodes and defects ---------------------------------------------------------------------------------------------------


def test_a_dragged_node_takes_its_subtree_along_if_wanted(dock):
    nodes = dock.session.nodes_layer(dock.repair.item_id)
    dock.nodes.with_subtree.setChecked(True)
    row = int(dock.repair.neuron.rows_of(384)[0])
    data = nodes.data.copy()
    data[row] += [5.0, 0.0, 0.0]
    nodes.data = data
    moved = np.flatnonzero((dock.repair.neuron.xyz_um != dock.repair.source.xyz_um).any(axis=1))
    assert len(moved) == 77
    np.testing.assert_array_equal(nodes.data[:, ::-1], dock.repair.neuron.xyz_um)
    dock.undo()
    np.testing.assert_array_equal(nodes.data[:, ::-1], dock.repair.source.xyz_um)


def test_the_tools_work_on_the_selected_node(dock):
    tab = dock.nodes
    tab.select([384])
    assert "Node 384" in tab.told.text()
    assert "76 nodes downstream" in tab.told.text()
    tab.detach()
    assert dock.repair.neuron.parent_ids[dock.repair.neuron.rows_of(384)[0]] == -1
    tab.begin_hanging()
    assert "Click the node" in tab.told.text()
    tab.select([100])
    assert dock.repair.neuron.parent_ids[dock.repair.neuron.rows_of(384)[0]] == 100
    tab.select([384])
    tab.insert()
    tab.select([384])
    tab.delete_subtree()
    assert 384 not in dock.repair.neuron.ids
    tab.select([100, 101])
    assert tab.told.text() == "2 nodes are selected."
    tab.delete()
    tab.select([50])
    tab.radius_box.setValue(2.5)
    tab.set_radius()
    tab.type_box.setCurrentIndex(2)
    tab.set_type()
    row = dock.repair.neuron.rows_of(50)[0]
    assert dock.repair.neuron.radii_um[row] == 2.5
    assert dock.repair.neuron.types[row] == 2
    while dock.repair.undo():
        pass
    assert dock.repair.neuron is dock.repair.source


def test_what_cannot_be_done_is_a_sentence(dock):
    dock.nodes.select([2])
    dock.nodes.begin_hanging()
    dock.nodes.select([300])
    assert "lies downstream" in dock.banner.message
    assert dock.repair.neuron is dock.repair.source


def test_defects_are_listed_gone_to_and_fixed_only_when_asked(dock, qtbot, viewer):
    qtbot.waitUntil(lambda: dock.defects.list.count() == 2)
    assert dock.tabs.tabText(2) == "Defects (1)"
    dock.defects.list.setCurrentRow(0)
    assert "Proposed: Hang node 855" in dock.defects.proposal.text()
    dock.defects.go_to()
    assert dock.nodes.selected == [855]
    assert dock.repair.state.is_untouched
    dock.defects.apply_fix()
    qtbot.waitUntil(lambda: dock.tabs.tabText(2) == "Defects")


# saving, restoring, folders ------------------------------------------------------------------------------------------


def test_save_makes_a_new_file_and_says_so(dock, path, tmp_path):
    original = path.read_bytes()
    dock.jumps.accept_all()
    assert dock.files.save_button.text() == "Save •"
    dock.save()
    assert "cell.repaired.swc" in dock.banner.message
    assert dock.files.save_button.text() == "Save"
    assert (tmp_path / "cell.repaired.json").exists()
    assert path.read_bytes() == original
    dock.undo()
    dock.save()  # over its own earlier result


def test_a_foreign_file_in_the_way_is_asked_about(dock, tmp_path):
    (tmp_path / "cell.repaired.swc").write_text("1 1 0 0 0 1 -1\n")
    dock.save()
    assert "exists already" in dock.question.question
    dock.question.answer("Cancel")
    assert (tmp_path / "cell.repaired.swc").read_text() == "1 1 0 0 0 1 -1\n"


def test_the_original_is_replaced_only_after_a_question(dock, path, monkeypatch):
    original = path.read_bytes()
    dock.jumps.accept_all()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    dock.files.save_as()
    assert "Replace it?" in dock.question.question
    assert path.read_bytes() == original
    dock.question.answer("Replace the original")
    assert path.read_bytes() != original


def test_earlier_work_is_offered_and_taken_up(viewer, path, empty_dock, qtbot):
    item_id = open_neuron(viewer, path)
    qtbot.waitUntil(lambda: empty_dock.overlay is not None)
    empty_dock.jumps.accept_all()
    for layer in session_of(viewer).layers_of(item_id):
        viewer.layers.remove(layer)
    repair_offer._visited.clear()  # as after a crash
    open_neuron(viewer, path)
    assert "Go on from there?" in empty_dock.question.question
    assert empty_dock.repair.neuron is empty_dock.repair.source
    empty_dock.question.answer("Go on from there")
    assert states(empty_dock) == ["accepted"] * 3
    empty_dock.undo()
    assert states(empty_dock) == ["open"] * 3


def test_going_through_a_folder_keeps_the_decisions_of_each_file(
    viewer, path, tmp_path, empty_dock, qtbot, monkeypatch
):
    (tmp_path / "other.swc").write_bytes(sample_neuron_swc(1))
    (tmp_path / "rubbish.swc").write_text("rubbish")
    (tmp_path / "sound.swc").write_bytes(sample_neuron_swc(damaged=False))
    dock = empty_dock
    monkeypatch.setattr(ViewerModel, "open", lambda viewer, file, plugin: _open_if_possible(viewer, Path(file)))
    dock.files.open_folder(tmp_path)
    qtbot.waitUntil(lambda: len(dock.files.folder.counts) == 4)
    assert dock.repair.source.path == path
    dock.jumps.accept_all()
    dock.files.next_file()
    assert "not saved" in dock.question.question
    dock.question.answer("Go on")
    assert dock.repair.source.path.name == "other.swc"
    assert len(dock.document.neurons) == 1
    dock.jumps.accept_all()
    dock.files.next_file()
    dock.question.answer("Save and go on")
    assert dock.repair.source.path == path  # not done yet, and as it was left
    assert states(dock) == ["accepted"] * 3
    dock.save()
    dock.files.next_file()
    assert "No further file" in dock.banner.message
    assert "2 of 4" in dock.files.progress.text()


def _open_if_possible(viewer, file: Path) -> None:
    if file.name != "rubbish.swc":
        open_neuron(viewer, file)


# coming and going ----------------------------------------------------------------------------------------------------


def test_two_neurons_have_a_repair_each(dock, viewer, tmp_path, qtbot):
    dock.jumps.accept_all()
    first = dock.overlay
    (tmp_path / "other.swc").write_bytes(sample_neuron_swc(1))
    open_neuron(viewer, tmp_path / "other.swc")
    qtbot.waitUntil(lambda: dock.overlay not in (None, first))
    assert "open" in states(dock)
    assert sum(name.endswith("· jumps") for name in names(viewer)) == 1
    dock.chooser.setCurrentIndex(0)
    assert states(dock) == ["accepted"] * 3


def test_deleted_repair_layers_are_no_trouble(dock, viewer):
    dock.next_jump()
    for role in (JUMPS, BEFORE, AFTER):
        viewer.layers.remove(dock.overlay.layer(role))
    dock.accept()
    dock.next_jump()
    assert len(dock.overlay.layer(JUMPS).data) == 3


def test_closing_the_neuron_empties_the_dock(dock, viewer):
    dock.next_jump()
    viewer.layers.clear()
    assert dock.repair is None
    assert dock.banner.message == EMPTY
    assert not dock.jumps.model.rows
    dock.accept()


def test_deleting_only_the_neurons_own_layers_closes_it_too(dock, viewer, qtbot):
    for layer in list(viewer.layers):
        if "·" not in layer.name or layer.name.endswith(("segments", "landmarks")):
            viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not dock.document.neurons)
    assert not viewer.layers
    assert dock.repair is None


def test_opened_and_closed_five_times_it_works_like_the_first(viewer, path, qtbot):
    open_neuron(viewer, path)
    session = session_of(viewer)
    own = names(viewer)
    for n in range(5):
        window = QWidget()
        dock = RepairDock(viewer)
        dock.flight.animated = False
        dock.setParent(window)
        qtbot.waitUntil(lambda dock=dock: dock.overlay is not None)
        assert dock.repair.state.count("accepted") == min(n, 3)
        if n < 3:
            dock.jumps.next_open()
            dock.accept()
        dock.setParent(None)
        assert names(viewer) == own
        dock.deleteLater()
        window.deleteLater()
    assert len(session.document.history.changed) == 0
    assert len(session.document.current_neuron_changed) == 0


def test_colours_follow_the_theme(dock, viewer):
    dock.next_jump()
    viewer.theme = "dark"
    dark = dock.overlay.layer(AFTER).edge_color[0].copy(), dock.side_view.plot_widget.backgroundBrush().color().name()
    viewer.theme = "light"
    light = dock.overlay.layer(AFTER).edge_color[0], dock.side_view.plot_widget.backgroundBrush().color().name()
    assert not np.allclose(dark[0], light[0])
    assert dark[1] != light[1]
