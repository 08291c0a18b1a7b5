"""Edits as values: exact undo, JSON, comments in the file, replay, and what the hand edits do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype import Neuron, RepairError, read_neuron, write_swc
from napari_celltype.io.swc_write import swc_bytes
from napari_celltype.morphology import find_z_jumps, repair_z_jumps
from napari_celltype.morphology.changes import difference
from napari_celltype.morphology.edits import (
    Edit,
    Record,
    apply_edit,
    apply_edits,
    propose_repair,
    record_from_comments,
    replay,
)

COLUMNS = ("ids", "types", "xyz_um", "radii_um", "parents", "source_rows")


def assert_same_bits(a: Neuron, b: Neuron) -> None:
    for name in COLUMNS:
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        assert left is None or left.tobytes() == right.tobytes(), name


@pytest.fixture
def swc(tmp_path):
    """A small file with comments, odd spacing and a jump at node 4."""
    path = tmp_path / "cell.swc"
    path.write_bytes(
        b"# drawn by hand\r\n1 1 0 0 0 5 -1\r\n 2 3 5 0 .10 1 1\r\n3 3\t9 0 0.3 1.50 2\r\n"
        b"4 3 9.5 0 30.3 1 3\r\n# half way\r\n5 3 15 0 31 1 4\r\n6 3 9 5 30 1 4\r\n7 2 0 -5 -0.0 1 1\r\n"
    )
    return path


def random_edits(rng: np.random.Generator, neuron: Neuron, count: int) -> list[Edit]:
    """Edits that fit one after another; those that would be refused are drawn again."""
    edits: list[Edit] = []
    while len(edits) < count:
        a, b = (int(i) for i in rng.choice(neuron.ids, 2))
        shift = rng.normal(0, 5, 3).tolist()
        kind, parameters = [
            ("move_node", {"node_id": a, "to_um": shift}),
            ("move_subtree", {"node_id": a, "by_um": shift}),
            ("delete_node", {"node_id": a}),
            ("delete_subtree", {"node_id": a}),
            ("reparent", {"node_id": a, "parent_id": b}),
            ("detach", {"node_id": a}),
            ("insert_node", {"node_id": a, "fraction": 0.3}),
            ("set_type", {"node_ids": [a, b], "structure_type": 4, "downstream": True}),
            ("set_radius", {"node_ids": [a], "radius_um": 0.25}),
            ("repair_z_jumps", {"jumps": [{"node_id": a, "dz_um": 1.0, "mode": "align"}]}),
            ("zcorr", {"threshold_um": 2.0}),
            ("resample", {"spacing_um": 3.0}),
            ("smooth_z", {"length_um": 4.0}),
            ("align_diameters", {}),
            ("remove_twigs", {"max_length_um": 4.0}),
            ("reroot", {"node_id": a}),
            ("sort_nodes", {}),
            ("renumber", {}),
            ("join_pieces", {}),
        ][int(rng.integers(19))]
        edit = Edit(kind, parameters)
        try:
            neuron, _ = apply_edit(neuron, edit)
        except RepairError:
            continue
        edits.append(edit)
    return edits


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_sequence_of_edits_is_undone_and_redone_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    parents = np.array([-1, *(int(rng.integers(max(0, i - 3), i)) for i in range(1, n))])
    start = Neuron.from_arrays(rng.normal(0, 10, (n, 3)), parents, types=[1, *rng.integers(2, 5, n - 1)])
    end, applied = apply_edits(start, random_edits(rng, start, 6))
    neuron = end
    for done in reversed(applied):
        neuron = done.undo(neuron)
    assert_same_bits(neuron, start)
    for done in applied:
        neuron = done.redo(neuron)
    assert_same_bits(neuron, end)


def test_undo_gives_back_the_file_byte_for_byte(swc):
    neuron = read_neuron(swc)
    original = swc_bytes(neuron)
    assert original == swc.read_bytes()
    for seed in range(12):
        edited, applied = apply_edits(neuron, random_edits(np.random.default_rng(seed), neuron, 8))
        for done in reversed(applied):
            edited = done.undo(edited)
        assert swc_bytes(edited) == original


@pytest.mark.needs_data
def test_random_edits_of_real_files_are_undone_to_identical_bytes(real_swc_folder):
    files = sorted(real_swc_folder.rglob("*.swc"))
    rng = np.random.default_rng(11)
    for path in rng.choice(np.array(files, dtype=object), 12, replace=False):
        neuron = read_neuron(path)
        if len(neuron) > 8000 or neuron.has_cycle or len(neuron.roots) > 20:
            continue
        edited, applied = apply_edits(neuron, random_edits(rng, neuron, 5))
        for done in reversed(applied):
            edited = done.undo(edited)
        assert swc_bytes(edited) == path.read_bytes(), path


def test_moving_by_a_shift_and_undoing_leaves_no_rounding(swc):
    neuron = read_neuron(swc)
    moved, done = apply_edit(neuron, Edit("move_subtree", {"node_id": 4, "by_um": [0.1, 0.2, 1e-9]}))
    assert_same_bits(done.undo(moved), neuron)


def test_a_small_edit_costs_little_memory():
    neuron = Neuron.from_arrays(np.zeros((5000, 3)), np.arange(-1, 4999))
    _, moved = apply_edit(neuron, Edit("move_node", {"node_id": 9, "to_um": [1, 2, 3]}))
    _, deleted = apply_edit(neuron, Edit("delete_node", {"node_id": 9}))
    assert moved.change.n_values < 30
    assert deleted.change.n_values < 30


def test_a_change_refuses_another_neuron(swc):
    neuron = read_neuron(swc)
    moved, done = apply_edit(neuron, Edit("move_node", {"node_id": 5, "to_um": [0, 0, 0]}))
    with pytest.raises(RepairError, match="does not fit"):
        done.redo(moved)
    shorter, removed = apply_edit(neuron, Edit("delete_node", {"node_id": 5}))
    with pytest.raises(RepairError, match="does not fit"):
        removed.redo(shorter)


def test_no_change_is_empty(swc):
    neuron = read_neuron(swc)
    change = difference(neuron, neuron.replace(types=neuron.types.copy()))
    assert change.steps == ()
    assert change.apply(neuron) is neuron


def test_record_survives_json_and_replays_on_the_same_file(swc):
    neuron = read_neuron(swc)
    edits = [propose_repair(find_z_jumps(neuron)), Edit("set_type", {"node_ids": [7], "structure_type": 3})]
    edited, _ = apply_edits(neuron, edits)
    record = Record.from_json(Record.of(neuron, edits, edited).to_json())
    assert record.edits == tuple(edits)
    assert record.source_name == "cell.swc"
    again, _ = replay(read_neuron(swc), record)
    assert_same_bits(again, edited)


def test_record_lies_in_the_saved_file_and_does_not_pile_up(swc, tmp_path):
    neuron = read_neuron(swc)
    edits = [propose_repair(find_z_jumps(neuron))]
    edited, _ = apply_edits(neuron, edits)
    record = Record.of(neuron, edits, edited)
    saved = write_swc(edited, tmp_path / "fixed.swc", comments=record.comments())
    text = saved.read_text()
    assert "edit 1: align z-jump at node 4, dz 30 um" in text
    assert record.source_sha256 in text
    assert "# drawn by hand" in text
    assert record_from_comments(text.splitlines()) == record
    np.testing.assert_array_equal(read_neuron(saved).xyz_um, edited.xyz_um)


def test_file_without_a_record_has_none(swc):
    assert record_from_comments(swc.read_text().splitlines()) is None


def test_replay_refuses_another_file_and_another_result(swc, tmp_path):
    neuron = read_neuron(swc)
    edits = [Edit("move_node", {"node_id": 2, "to_um": [1, 1, 1]})]
    edited, _ = apply_edits(neuron, edits)
    other = tmp_path / "other.swc"
    other.write_bytes(swc.read_bytes() + b"8 3 1 1 1 1 7\r\n")
    with pytest.raises(RepairError, match="another file, cell"):
        replay(read_neuron(other), Record.of(neuron, edits, edited))
    with pytest.raises(RepairError, match="does not give the neuron recorded"):
        replay(neuron, Record.of(neuron, edits, neuron))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no record of edits"),
        ("{", "no record of edits"),
        ('{"schema": "x"}', "no record of edits"),
        ('{"schema": "napari-celltype/edits", "version": 99}', "version 99"),
    ],
)
def test_damaged_records_say_so(text, message):
    with pytest.raises(RepairError, match=message):
        Record.from_json(text)


def test_later_edit_kinds_in_a_record_are_named(swc):
    record = json.loads(Record.of(read_neuron(swc), []).to_json())
    record["edits"] = [{"kind": "teleport", "parameters": {}}]
    with pytest.raises(RepairError, match="no edit 'teleport'"):
        Record.from_json(json.dumps(record))


def test_edit_takes_numpy_numbers_and_refuses_what_json_cannot_hold():
    edit = Edit("move_node", {"node_id": np.int64(3), "to_um": np.array([1.5, 2, 3])})
    assert edit.parameters == {"node_id": 3, "to_um": [1.5, 2.0, 3.0]}
    with pytest.raises(RepairError, match="finite numbers"):
        Edit("set_radius", {"node_ids": [1], "radius_um": float("nan")})


def test_proposed_repair_equals_the_function(swc):
    neuron = read_neuron(swc)
    jumps = find_z_jumps(neuron)
    for mode in ("align", "split", "tilt", "cut"):
        edited, _ = apply_edit(neuron, propose_repair(jumps, {4: mode}))
        assert_same_bits(edited, repair_z_jumps(neuron, jumps, mode))


# the hand edits ------------------------------------------------------------------------------------------------------


def edited(swc, kind: str, **parameters) -> Neuron:
    return apply_edit(read_neuron(swc), Edit(kind, parameters))[0]


def links(neuron: Neuron) -> dict[int, int]:
    return dict(zip(neuron.ids.tolist(), neuron.parent_ids.tolist(), strict=True))


def test_deleting_a_node_hands_its_children_to_its_parent(swc):
    assert links(edited(swc, "delete_node", node_id=4)) == {1: -1, 2: 1, 3: 2, 5: 3, 6: 3, 7: 1}


def test_deleting_the_root_makes_its_children_roots(swc):
    assert links(edited(swc, "delete_node", node_id=1)) == {2: -1, 3: 2, 4: 3, 5: 4, 6: 4, 7: -1}


def test_deleting_a_subtree_leaves_the_rest(swc):
    assert links(edited(swc, "delete_subtree", node_id=3)) == {1: -1, 2: 1, 7: 1}


def test_moving_a_subtree_moves_what_lies_downstream_only(swc):
    before, after = read_neuron(swc), edited(swc, "move_subtree", node_id=4, by_um=[0, 0, -30])
    shift = (after.xyz_um - before.xyz_um)[:, 2]
    assert shift.tolist() == [0, 0, 0, -30, -30, -30, 0]


def test_inserting_a_node_lies_on_the_edge_and_takes_a_free_id(swc):
    after = edited(swc, "insert_node", node_id=5, fraction=0.5)
    assert links(after)[8] == 4
    assert links(after)[5] == 8
    np.testing.assert_allclose(after.xyz_um[-1], [12.25, 0, 30.65])


def test_detaching_opens_a_cycle():
    looped = Neuron.from_arrays([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [2, 0, 1])
    opened, _ = apply_edit(looped, Edit("detach", {"node_id": 2}))
    assert not opened.has_cycle
    assert links(opened) == {1: 3, 2: -1, 3: 2}


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("move_node", {"node_id": 99, "to_um": [0, 0, 0]}, "no node has id 99"),
        ("move_node", {"node_id": 2, "to_um": [0, 0]}, "three finite numbers"),
        ("reparent", {"node_id": 3, "parent_id": 6}, "lies downstream"),
        ("reparent", {"node_id": 3, "parent_id": 3}, "lies downstream"),
        ("delete_subtree", {"node_id": 1}, "last node"),
        ("insert_node", {"node_id": 1}, "is a root"),
        ("insert_node", {"node_id": 2, "fraction": 1.0}, "between 0 and 1"),
        ("set_radius", {"node_ids": [2], "radius_um": -1}, "zero or above"),
        ("set_type", {"nodes": [2]}, "cannot be made"),
    ],
)
def test_impossible_hand_edits_say_why(swc, kind, parameters, message):
    with pytest.raises(RepairError, match=message):
        edited(swc, kind, **parameters)


@pytest.mark.parametrize("decimals", [2, 4, None])
def test_a_run_of_shifts_is_the_shifts_one_by_one_bit_for_bit(decimals):
    rng = np.random.default_rng(decimals)
    parents = np.r_[-1, [int(rng.integers(row)) for row in range(1, 60)]]
    xyz = rng.normal(scale=50, size=(60, 3))
    neuron = Neuron.from_arrays(xyz if decimals is None else xyz.round(decimals), parents)
    edits = []
    for i in range(25):
        chosen = rng.choice(neuron.ids, int(rng.integers(1, 5)), replace=False)
        downstream = bool(i % 2)
        by_um = rng.normal(size=3 if downstream else (len(chosen), 3)).round(int(rng.integers(2, 7)))
        parameters = {"node_ids": chosen, "by_um": by_um}
        edits.append(Edit("move_nodes", {**parameters, "downstream": True} if downstream else parameters))
    single, undo = neuron, []
    for edit in edits:
        single, done = apply_edit(single, edit)
        undo.append(done)
    together, applied = apply_edits(neuron, edits)
    assert_same_bits(together, single)
    for done in reversed(applied):
        together = done.undo(together)
        single = undo.pop().undo(single)
        assert_same_bits(together, single)
    assert_same_bits(together, neuron)


def test_a_run_of_shifts_with_an_impossible_one_is_refused_with_its_reason(swc):
    edits = [Edit("move_nodes", {"node_ids": [i], "by_um": [0, 0, 1.0]}) for i in (2, 3, 99, 4)]
    with pytest.raises(RepairError, match="no node has id 99"):
        apply_edits(read_neuron(swc), edits)
