"""A neuron as layers and back: the two functions undo each other, and edits arrive as meant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype._napari.neuron_from_layers import layers_to_neuron
from napari_celltype._napari.neuron_layers import (
    KEY,
    landmarks,
    neuron_to_layers,
    nodes_layer,
    segments,
)
from napari_celltype._napari.plots.palette import DEFECT_COLOURS, rgba
from napari_celltype.neuron import Defect, Neuron


@st.composite
def neurons(draw, max_nodes: int = 30) -> Neuron:
    """Forests in any order, with cycles, shared ids, missing positions, odd types and radii."""
    n = draw(st.integers(1, max_nodes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    xyz = rng.normal(scale=100, size=(n, 3))
    xyz[rng.random(n) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
    parents = np.array([rng.integers(-1, i) if i else -1 for i in range(n)])
    if draw(st.booleans()):
        parents = rng.integers(-1, n, size=n)  # anything, cycles too
    ids = rng.permutation(5 * n)[:n] + 1
    if draw(st.booleans()):
        ids = rng.integers(1, n + 1, size=n)  # shared ids
    return Neuron(
        ids=ids,
        types=rng.choice([0, 1, 2, 3, 4, 5, 274], size=n),
        xyz_um=xyz,
        radii_um=rng.choice([0.0, -1.0, 0.5, 3.25, np.nan], size=n),
        parents=parents,
    )


def as_edited(neuron: Neuron) -> tuple[np.ndarray, pd.DataFrame]:
    data, options, kind = nodes_layer(neuron)
    assert kind == "points"
    return data.copy(), options["features"].copy()


def assert_same(a: Neuron, b: Neuron) -> None:
    for name in ("ids", "types", "parents", "xyz_um", "radii_um"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@given(neurons())
def test_layers_of_a_neuron_give_the_same_neuron_back(neuron):
    assert_same(layers_to_neuron(*as_edited(neuron), neuron), neuron)


@given(neurons())
def test_without_the_source_what_the_points_say_is_kept(neuron):
    data, features = as_edited(neuron)
    back = layers_to_neuron(data, features.drop(columns="row"))
    np.testing.assert_array_equal(back.ids, features["id"])
    np.testing.assert_array_equal(back.types, features["type"])
    np.testing.assert_array_equal(back.xyz_um[:, ::-1], data)
    np.testing.assert_array_equal(back.radii_um, features["radius"])
    has_parent = back.parents >= 0
    np.testing.assert_array_equal(back.parent_ids[has_parent], features["parent"][has_parent])


@given(neurons(), st.data())
def test_moved_and_retyped_nodes_change_and_nothing_else(neuron, data):
    points, features = as_edited(neuron)
    if not len(points):
        return
    at = data.draw(st.integers(0, len(points) - 1))
    points[at] = [7.0, 8.0, 9.0]
    features.loc[at, "type"] = 42
    features.loc[at, "radius"] = 1.5
    row = int(features["row"][at])
    xyz, types, radii = neuron.xyz_um.copy(), neuron.types.copy(), neuron.radii_um.copy()
    xyz[row], types[row], radii[row] = [9.0, 8.0, 7.0], 42, 1.5
    assert_same(layers_to_neuron(points, features, neuron), neuron.replace(xyz_um=xyz, types=types, radii_um=radii))


def literal_parent(neuron: Neuron, row: int, kept: set[int]) -> int:
    """Row of the nearest ancestor that is kept, -1 at the top; cycles of deleted nodes have no top either."""
    seen = set()
    row = int(neuron.parents[row])
    while row >= 0 and row not in kept:
        if row in seen:
            return -1
        seen.add(row)
        row = int(neuron.parents[row])
    return row


@given(neurons(), st.data())
def test_children_of_deleted_nodes_hang_on_the_nearest_ancestor_left(neuron, data):
    points, features = as_edited(neuron)
    keep = data.draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points)).map(np.array)).astype(bool)
    deleted = set(features["row"][~keep])
    back = layers_to_neuron(points[keep], features[keep].reset_index(drop=True), neuron)
    rows = [row for row in range(len(neuron)) if row not in deleted]
    np.testing.assert_array_equal(back.ids, neuron.ids[rows])
    np.testing.assert_array_equal(back.xyz_um, neuron.xyz_um[rows])
    expected = [literal_parent(neuron, row, set(rows)) for row in rows]
    np.testing.assert_array_equal(back.parents, [rows.index(p) if p >= 0 else -1 for p in expected])


def chain(n: int = 4) -> Neuron:
    return Neuron.from_arrays(np.arange(3 * n).reshape(n, 3), np.arange(n) - 1, ids=np.arange(n) * 10 + 10)


def test_a_point_clicked_after_selecting_a_node_continues_from_that_node():
    points, features = as_edited(chain())
    points = np.vstack([points, [[1.0, 2.0, 3.0]]])
    features = pd.concat([features, features.iloc[[2]]], ignore_index=True)  # napari copies the selected one
    back = layers_to_neuron(points, features, chain())
    np.testing.assert_array_equal(back.ids, [10, 20, 30, 40, 41])
    np.testing.assert_array_equal(back.parents, [-1, 0, 1, 2, 2])
    np.testing.assert_array_equal(back.xyz_um[-1], [3.0, 2.0, 1.0])


def test_a_point_added_with_features_of_its_own_keeps_its_id_and_parent():
    points, features = as_edited(chain())
    points = np.vstack([points, [[0, 0, 0]], [[1, 1, 1]]])
    added = pd.DataFrame({"id": [99, 100], "type": 3, "radius": 0.5, "parent": [40, 99], "row": -1})
    back = layers_to_neuron(points, pd.concat([features, added], ignore_index=True), chain())
    np.testing.assert_array_equal(back.ids[-2:], [99, 100])
    np.testing.assert_array_equal(back.parents[-2:], [3, 4])


def test_a_point_without_features_becomes_a_root_with_a_new_id():
    points, features = as_edited(chain())
    points = np.vstack([points, [[0, 0, 0]]])
    added = pd.DataFrame({name: [np.nan] for name in features.columns})
    back = layers_to_neuron(points, pd.concat([features, added], ignore_index=True), chain())
    assert back.ids[-1] == 41
    assert back.parents[-1] == -1


def test_parent_given_by_hand_is_taken():
    points, features = as_edited(chain())
    features.loc[3, "parent"] = 10
    np.testing.assert_array_equal(layers_to_neuron(points, features, chain()).parents, [-1, 0, 1, 0])


def test_positions_go_from_xyz_to_zyx_and_lines_from_node_to_parent():
    neuron = Neuron.from_arrays([[1, 2, 3], [4, 6, 8]], [-1, 0])
    points, vectors, nodes = neuron_to_layers(neuron, item_id="abc", name="cell")
    np.testing.assert_array_equal(nodes[0], [[3, 2, 1], [8, 6, 4]])
    np.testing.assert_array_equal(vectors[0], [[[8, 6, 4], [-5, -4, -3]]])
    assert [layer[1]["name"] for layer in (vectors, points, nodes)] == ["cell · segments", "cell · landmarks", "cell"]
    assert nodes[1]["visible"] is False
    assert {layer[1]["metadata"][KEY]["id"] for layer in (vectors, points, nodes)} == {"abc"}
    assert {layer[1]["units"] for layer in (vectors, points, nodes)} == {("um", "um", "um")}


def test_nodes_without_a_position_are_not_drawn_and_neither_are_their_lines():
    neuron = Neuron.from_arrays([[0, 0, 0], [np.nan, 1, 1], [2, 2, 2], [3, 3, np.inf]], [-1, 0, 1, 0])
    for layer in neuron_to_layers(neuron):
        assert np.isfinite(layer[0]).all()
    rows, _ = segments(neuron)
    assert rows.size == 0


def test_a_cycle_is_red_and_the_rest_is_not():
    neuron = Neuron.from_arrays(np.eye(5, 3), [-1, 0, 3, 2, 2])
    _, (_, vectors, _), (_, nodes, _) = neuron_to_layers(neuron)
    red = np.array(rgba(DEFECT_COLOURS["error"]), dtype=np.float32)
    assert (vectors["edge_color"] == red).all(axis=1).tolist() == [False, True, True, False]
    assert (nodes["face_color"] == red).all(axis=1).tolist() == [False, False, True, True, False]


def test_landmarks_name_soma_forks_tips_roots_and_what_is_wrong():
    defects = [
        Defect("jump", None, (4,), "A jump.", "warning"),
        Defect("x", None, (4,), "Worse.", "error"),
        Defect("n", None, (5,), "Harmless.", "note"),
        Defect("gone", 3, (77,), "A line that was not read.", "warning"),
    ]
    neuron = Neuron.from_arrays(
        np.arange(18).reshape(6, 3), [-1, 0, 1, 1, 3, -1], types=[1, 3, 3, 3, 3, 3], ids=[1, 2, 3, 4, 5, 6]
    ).replace(defects=defects)
    marks = landmarks(neuron)
    plain = marks[marks["message"] == ""]
    assert dict(zip(plain["id"], plain["what"], strict=True)) == {1: "soma", 2: "fork", 3: "tip", 5: "tip", 6: "root"}
    rings = marks[marks["message"] != ""]
    assert rings[["id", "what", "message"]].to_numpy().tolist() == [[4, "error", "Worse. A jump."]]


@pytest.mark.parametrize("n", [0, 1])
def test_neurons_of_no_or_one_node_make_layers(n):
    neuron = Neuron.from_arrays(np.zeros((n, 3)), np.full(n, -1))
    _, vectors, nodes = neuron_to_layers(neuron)
    assert vectors[0].shape == (0, 2, 3)
    assert len(nodes[0]) == n
    assert_same(layers_to_neuron(nodes[0], nodes[1]["features"], neuron), neuron)


def test_a_node_too_far_away_for_napari_is_not_drawn_and_comes_back():
    xyz = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 10.0], [0.0, 0.0, 1e9]])
    neuron = Neuron.from_arrays(xyz, np.array([-1, 0, 1]))
    *_, (data, options, _) = neuron_to_layers(neuron)
    np.testing.assert_array_equal(data[:, 0], [0.0, 10.0])
    back = layers_to_neuron(data, options["features"], neuron)
    np.testing.assert_array_equal(back.xyz_um, xyz)
    np.testing.assert_array_equal(back.parents, neuron.parents)
