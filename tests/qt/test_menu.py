"""The entries in napari's menus, and the keys for undo and redo."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_celltype._napari import menu
from napari_celltype._napari.readers import layers_of_neuron
from napari_celltype._napari.session import Session, session_of
from napari_celltype.io import read_neuron

SWC = b"1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 0 5 1 2\n"


@pytest.fixture
def session(monkeypatch) -> Session:
    viewer = ViewerModel()
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    notification_manager.records.clear()
    yield session_of(viewer)
    viewer.layers.clear()


@pytest.fixture
def nodes(session, tmp_path) -> Layer:
    path = tmp_path / "cell.swc"
    path.write_bytes(SWC)
    return [session.viewer.add_layer(Layer.create(*layer)) for layer in layers_of_neuron(read_neuron(path))][-1]


def press(session: Session, key: str) -> None:
    session.viewer.keymap[coerce_keybinding(key)](session.viewer)


def test_the_keys_take_an_edit_back_and_make_it_again_and_say_so(session, nodes):
    before = nodes.data.copy()
    nodes.data = before + 1.0
    press(session, "Control-Z")
    np.testing.assert_array_equal(nodes.data, before)
    assert session.viewer.status == "Undone: move 3 nodes."
    press(session, "Control-Shift-Z")
    np.testing.assert_array_equal(nodes.data, before + 1.0)
    press(session, "Control-Shift-Z")
    assert session.viewer.status == "Nothing to redo."


def test_a_key_the_user_has_bound_is_left_alone():
    viewer = ViewerModel()
    viewer.bind_key("Control-Z", print)
    session_of(viewer)
    assert viewer.keymap[coerce_keybinding("Control-Z")] is print


def test_the_entry_shows_the_nodes_selects_their_layer_and_hides_them_again(session, nodes):
    assert not nodes.visible
    menu.show_nodes()
    assert nodes.visible
    assert session.viewer.layers.selection.active is nodes
    menu.show_nodes()
    assert not nodes.visible


def test_without_a_neuron_the_entries_say_what_to_do(session, capsys):
    menu.show_nodes()
    menu.save_neuron()
    assert [record.message for record in notification_manager.records] == [
        "No neuron is open. Open an SWC file first."
    ] * 2


def test_saving_writes_the_edited_neuron_where_the_dialog_says(session, nodes, tmp_path, monkeypatch):
    asked = []

    def choose(parent, title, suggestion, pattern):
        asked.append(Path(suggestion).name)
        return str(tmp_path / "new"), pattern

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    nodes.selected_data = {2}
    nodes.remove_selected()
    menu.save_neuron()
    assert asked == ["cell-edited.swc"]
    assert (tmp_path / "new.swc").read_bytes() == SWC[: SWC.index(b"3 3 20")]


def test_saving_over_what_cannot_be_written_is_reported(session, nodes, tmp_path, monkeypatch, capsys):
    target = tmp_path / "folder.swc"
    target.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    menu.save_neuron()
    assert notification_manager.records[-1].severity == "error"
    assert target.is_dir()


def test_a_folder_chosen_is_opened_and_cancelling_opens_none(session, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(Session, "open_folder", lambda self, folder: opened.append(folder))
    for answer in ("", str(tmp_path)):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, answer=answer: answer)
        menu.open_folder()
    assert opened == [tmp_path]


def test_the_menus_undo_and_redo_are_those_of_the_keys(session, nodes):
    before = nodes.data.copy()
    nodes.data = before + 1.0
    menu.undo()
    np.testing.assert_array_equal(nodes.data, before)
    menu.redo()
    np.testing.assert_array_equal(session.nodes_layer(session.document.neurons[-1].id).data, before + 1.0)
