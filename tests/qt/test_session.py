"""Layers and document stay the same thing: what arrives, what is edited, what is hidden, what is saved."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_celltype._napari import opened
from napari_celltype._napari.neuron_layers import LANDMARKS, NODES, SEGMENTS, neuron_to_layers, segments
from napari_celltype._napari.readers import (
    get_folder_reader,
    get_neuron_reader,
    get_recording_reader,
    layers_of_neuron,
    layers_of_recording,
)
from napari_celltype._napari.recording_layers import OVERVIEW, recording_to_layers
from napari_celltype._napari.session import Session, session_of, sessions
from napari_celltype._napari.writers import write_neuron_layers
from napari_celltype.errors import NeuronError
from napari_celltype.io import read_neuron
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording
from qt.recordings import make_recording

SWC = b"""# traced by hand
1 1 0 0 0 5.0 -1 kept
2 3 10.50 0 0 1 1
3 3 20 0 5 1 2
4 3 30 10 5 1 3
5 3 30 -10 5 1 3
"""


@pytest.fixture
def swc(tmp_path) -> Path:
    path = tmp_path / "cell.swc"
    path.write_bytes(SWC)
    return path


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(viewer) -> Session:
    return session_of(viewer)


def add(viewer: ViewerModel, layers: list) -> list[Layer]:
    return [viewer.add_layer(Layer.create(*layer)) for layer in layers]


@pytest.fixture
def item_id(viewer, session, swc, qtbot) -> str:
    add(viewer, layers_of_neuron(read_neuron(swc)))
    qtbot.wait(1)
    return session.document.neurons[0].id


def neuron_of(session: Session, item_id: str) -> Neuron:
    value = session.document[item_id].value
    assert isinstance(value, Neuron)
    return value


def layer(session: Session, item_id: str, role: str) -> Layer:
    found = session.view(item_id).layer(role)
    assert found is not None
    return found


def assert_picture_is_true(session: Session, item_id: str) -> None:
    """What is drawn is what a fresh set of layers of the document's neuron would draw."""
    fresh = {
        options["metadata"]["napari_celltype"]["role"]: (data, options)
        for data, options, _ in neuron_to_layers(neuron_of(session, item_id))
    }
    for role in (SEGMENTS, LANDMARKS, NODES):
        shown = layer(session, item_id, role)
        data, options = fresh[role]
        np.testing.assert_allclose(shown.data, data, err_msg=role)
        assert shown.features["id"].tolist() == options["features"]["id"].tolist(), role
    np.testing.assert_allclose(layer(session, item_id, SEGMENTS).edge_color, fresh[SEGMENTS][1]["edge_color"])
    np.testing.assert_allclose(layer(session, item_id, LANDMARKS).face_color, fresh[LANDMARKS][1]["face_color"])


def test_a_neuron_opens_in_3d_with_lines_and_landmarks_and_its_nodes_hidden(viewer, session, item_id):
    assert session.document.current_neuron.id == item_id
    assert viewer.dims.ndisplay == 3
    assert layer(session, item_id, SEGMENTS).visible
    assert layer(session, item_id, LANDMARKS).visible
    assert not layer(session, item_id, NODES).visible
    assert_picture_is_true(session, item_id)


@pytest.mark.parametrize("xyz", [np.zeros((0, 3)), np.zeros((1, 3)), np.full((3, 3), np.nan)])
def test_neurons_with_nothing_to_draw_open_all_the_same(viewer, session, xyz):
    add(viewer, layers_of_neuron(Neuron.from_arrays(xyz, np.arange(len(xyz)) - 1)))
    assert len(viewer.layers) == 3
    assert len(session.document.neurons) == 1


def test_a_moved_node_takes_its_lines_along_and_can_be_put_back(session, item_id):
    nodes = layer(session, item_id, NODES)
    before = neuron_of(session, item_id)
    moved = nodes.data.copy()
    moved[2] = [9, 8, 7]
    nodes.data = moved
    np.testing.assert_array_equal(neuron_of(session, item_id).xyz_um[2], [7, 8, 9])
    assert_picture_is_true(session, item_id)
    session.undo()
    assert neuron_of(session, item_id) is before
    assert_picture_is_true(session, item_id)
    session.redo()
    np.testing.assert_array_equal(neuron_of(session, item_id).xyz_um[2], [7, 8, 9])
    assert_picture_is_true(session, item_id)
    assert [edit.label for edit in session.document.history.done] == ["move 5 nodes"]


def test_a_deleted_node_mends_its_line_and_comes_back_on_undo(session, item_id):
    nodes = layer(session, item_id, NODES)
    nodes.selected_data = {2}
    nodes.remove_selected()
    neuron = neuron_of(session, item_id)
    assert neuron.ids.tolist() == [1, 2, 4, 5]
    assert neuron.parent_ids.tolist() == [-1, 1, 2, 2]
    assert_picture_is_true(session, item_id)
    session.undo()
    assert neuron_of(session, item_id).ids.tolist() == [1, 2, 3, 4, 5]
    assert_picture_is_true(session, item_id)


def test_points_clicked_one_after_the_other_trace_a_branch(session, item_id):
    nodes = layer(session, item_id, NODES)
    nodes.selected_data = {4}
    nodes.add([5, -20, 30])
    nodes.add([5, -30, 30])
    neuron = neuron_of(session, item_id)
    assert neuron.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert neuron.parent_ids[5:].tolist() == [5, 6]
    assert_picture_is_true(session, item_id)
    session.undo()
    session.undo()
    assert_picture_is_true(session, item_id)


def test_a_changed_radius_is_an_edit_and_an_unchanged_table_is_none(session, item_id):
    nodes = layer(session, item_id, NODES)
    features = nodes.features.copy()
    nodes.features = features
    assert session.document.history.done == ()
    features.loc[1, "radius"] = 2.5
    nodes.features = features
    assert neuron_of(session, item_id).radii_um[1] == 2.5
    assert len(session.document.history.done) == 1


def test_defects_are_checked_again_after_an_edit(session, item_id):
    nodes = layer(session, item_id, NODES)
    features = nodes.features.copy()
    features.loc[len(features) - 1, "type"] = 1  # a soma out on a branch
    nodes.features = features
    assert "soma-under-neurite" in {defect.code for defect in neuron_of(session, item_id).defects}
    assert "warning" in set(layer(session, item_id, LANDMARKS).features["what"])
    session.undo()
    assert "warning" not in set(layer(session, item_id, LANDMARKS).features["what"])


def test_an_edit_that_would_close_a_loop_is_refused_and_the_layer_put_back(session, item_id, capsys):
    nodes = layer(session, item_id, NODES)
    before = neuron_of(session, item_id)
    features = nodes.features.copy()
    features.loc[1, "parent"] = 3  # 2 -> 3 -> 2
    nodes.features = features
    assert neuron_of(session, item_id) is before
    assert nodes.features.loc[1, "parent"] == before.parent_ids[1]
    assert "node 2 cannot hang on node 3" in capsys.readouterr().err


def test_lines_stay_as_wide_on_the_screen_when_zooming(viewer, session, item_id):
    lines = layer(session, item_id, SEGMENTS)
    for zoom in (0.5, 3.0, 40.0):
        viewer.scene.camera.zoom = zoom
        assert 1.0 < lines.edge_width * zoom < 2.3


def test_saving_untouched_layers_gives_the_same_bytes(session, item_id, tmp_path):
    target = tmp_path / "copy.swc"
    assert write_neuron_layers(str(target), [one.as_layer_data_tuple() for one in session.layers_of(item_id)]) == [
        str(target)
    ]
    assert target.read_bytes() == SWC


def test_saving_an_edited_neuron_changes_only_the_lines_edited(session, item_id, tmp_path):
    nodes = layer(session, item_id, NODES)
    moved = nodes.data.copy()
    moved[3] = [5, 11, 30]
    nodes.data = moved
    target = tmp_path / "copy.swc"
    write_neuron_layers(str(target), [nodes.as_layer_data_tuple()])
    old, new = SWC.decode().splitlines(), target.read_text().splitlines()
    changed = [line for line in new if line not in old]
    assert len(changed) == 1
    assert [float(word) for word in changed[0].split()] == [4, 3, 30, 11, 5, 1, 3]


@pytest.mark.parametrize("n_points", [0, 2])
def test_saving_needs_the_nodes_of_one_neuron(n_points, tmp_path):
    points = (np.zeros((1, 3)), {"features": {"id": [1]}, "metadata": {}}, "points")
    with pytest.raises(NeuronError, match="exactly one neuron"):
        write_neuron_layers(str(tmp_path / "x.swc"), [points] * n_points)


def test_saving_other_points_names_what_they_lack(tmp_path):
    points = (np.zeros((1, 3)), {"features": {"id": [1]}, "metadata": {}}, "points")
    with pytest.raises(NeuronError, match="lacks the features parent, radius, type"):
        write_neuron_layers(str(tmp_path / "x.swc"), [points])


def visible(session: Session, item_id: str) -> list[bool]:
    return [one.visible for one in session.layers_of(item_id)]


def test_a_neuron_hides_the_recording_and_the_recording_hides_the_neuron(viewer, session, item_id, qtbot):
    add(viewer, layers_of_recording(make_recording()))
    qtbot.wait(1)
    recording = session.document.current_recording.id
    assert not any(visible(session, recording)), "a neuron is in view: the recording stays out of it"
    layer(session, recording, OVERVIEW).visible = True
    assert not any(visible(session, item_id))
    assert viewer.dims.ndisplay == 2
    layer(session, item_id, SEGMENTS).visible = True
    assert not any(visible(session, recording))
    assert viewer.dims.ndisplay == 3


def test_of_two_recordings_the_current_one_is_in_view(viewer, session, qtbot):
    for name in ("a.abf", "b.abf"):
        add(viewer, layers_of_recording(make_recording(name=name)))
        qtbot.wait(1)
    first, second = (item.id for item in session.document.recordings)
    assert not any(visible(session, first))
    assert all(visible(session, second))
    session.document.make_current(first)
    assert all(visible(session, first))
    assert not any(visible(session, second))


def test_deleting_all_layers_of_an_item_closes_it(viewer, session, item_id):
    for one in session.layers_of(item_id)[:-1]:
        viewer.layers.remove(one)
    assert item_id in session.document
    viewer.layers.remove(session.layers_of(item_id)[0])
    assert item_id not in session.document


def test_without_lines_or_landmarks_the_nodes_can_still_be_edited(viewer, session, item_id):
    viewer.layers.remove(layer(session, item_id, SEGMENTS))
    viewer.layers.remove(layer(session, item_id, LANDMARKS))
    nodes = layer(session, item_id, NODES)
    nodes.data = nodes.data + 1.0
    assert neuron_of(session, item_id).xyz_um[0].tolist() == [1, 1, 1]
    session.undo()
    assert nodes.data[0].tolist() == [0, 0, 0]


def test_layers_added_before_the_session_began_are_recognised(viewer, swc):
    add(viewer, layers_of_neuron(read_neuron(swc)))
    assert [item.name for item in session_of(viewer).document.neurons] == ["cell"]


def test_a_session_ends_with_its_viewer():
    viewer = ViewerModel()
    gone = weakref.ref(session_of(viewer))
    assert gone() in sessions()
    del viewer
    gc.collect()
    assert gone() is None


def test_what_a_reader_left_waits_until_it_is_taken():
    item_id = opened.hand_over(make_recording()).id
    gc.collect()
    assert opened.find(item_id) is not None
    taken = opened.take(item_id)
    assert isinstance(taken, Recording)
    del taken
    gc.collect()
    assert opened.take(item_id) is None


def test_a_long_recording_opens_with_its_overview_unfinished_and_completes_it(viewer, session, qtbot):
    recording = make_recording(12, n=200_000)
    layers = recording_to_layers(recording, item_id=opened.hand_over(recording).id)
    image = layers[0][0]
    assert np.isnan(image[-1]).all()
    assert np.isfinite(image[0]).all()
    shown = add(viewer, layers)[0]
    qtbot.waitUntil(lambda: bool(np.isfinite(shown.data).all()), timeout=10_000)
    complete = recording_to_layers(recording, complete=True)[0][0]
    np.testing.assert_array_equal(shown.data, complete)


def test_every_column_of_the_overview_holds_the_value_farthest_from_the_middle():
    recording = make_recording(3, n=5000)
    image, options, _ = recording_to_layers(recording, complete=True)[0]
    for sweep in recording.sweeps:
        volts = sweep.voltage_mv()
        assert image[sweep.index].max() == pytest.approx(volts.max())
    assert options["scale"][1] * image.shape[1] == pytest.approx(250.0)  # ms
    assert options["units"] == ("pixel", "ms")


def test_a_folder_lists_its_recordings_and_reads_one_when_it_is_chosen(viewer, session, tmp_path, qtbot):
    (tmp_path / "good.atf").write_bytes(ATF)
    (tmp_path / "bad.atf").write_bytes(b"ATF\t1.0\nnonsense")
    (tmp_path / "notes.txt").write_text("nothing")
    session.open_folder(tmp_path)
    qtbot.waitUntil(lambda: len(session.document.recordings) == 2)
    bad, good = session.document.recordings
    qtbot.waitUntil(lambda: bool(session.document[bad.id].error))
    assert session.document[good.id].value is None
    session.document.make_current(good.id)
    qtbot.waitUntil(lambda: isinstance(session.document[good.id].value, Recording))
    assert len(session.layers_of(good.id)) == 2


ATF = b'ATF\t1.0\r\n0\t3\r\n"Time (s)"\t"Vm (mV)"\t"Im (pA)"\r\n' + b"".join(
    f"{i / 1000}\t{-70 + i % 7}\t{i % 5}\r\n".encode() for i in range(200)
)


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("a.swc", SWC, True),
        ("a.SWC", b"", True),
        ("a.json", b'{"type": "FeatureCollection"}', False),
        ("a.nmx", b"not xml", False),
    ],
)
def test_neuron_reader_takes_what_is_a_neuron(tmp_path, name, content, ours):
    path = tmp_path / name
    path.write_bytes(content)
    assert (get_neuron_reader(str(path)) is not None) == ours


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("a.abf", b"", True),
        ("a.atf", ATF, True),
        ("a.dat", b"1 2 3\n", False),
        ("a.h5", b"\x89HDF\r\n\x1a\nbroken", False),
    ],
)
def test_recording_reader_takes_what_is_a_recording_or_should_be(tmp_path, name, content, ours):
    path = tmp_path / name
    path.write_bytes(content)
    assert (get_recording_reader(str(path)) is not None) == ours


def test_folder_reader_leaves_folders_without_recordings_to_others(tmp_path):
    (tmp_path / "image.tif").write_bytes(b"II*\0")
    assert get_folder_reader(str(tmp_path)) is None
    (tmp_path / "a.abf").write_bytes(b"ABF2")
    assert get_folder_reader(str(tmp_path)) is not None


def test_readers_refuse_what_is_not_there(tmp_path):
    for reader in (get_recording_reader, get_folder_reader, get_neuron_reader):
        assert reader(str(tmp_path / "gone.abf")) is None
        assert reader([str(tmp_path / "a.swc"), str(tmp_path / "b.swc")]) is None


def test_without_a_viewer_the_readers_error_reaches_the_caller(tmp_path):
    path = tmp_path / "a.swc"
    path.write_bytes(b"# nothing here\n")
    reader = get_neuron_reader(str(path))
    with pytest.raises(NeuronError, match=r"a\.swc"):
        reader(str(path))


def test_lines_of_the_fixture_are_those_of_the_file(swc):
    rows, _ = segments(read_neuron(swc))
    assert rows.tolist() == [1, 2, 3, 4]
