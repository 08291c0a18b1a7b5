"""The repair of a neuron without a screen: decisions, edits by hand, undo, journal, saving, folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_celltype as nct
from conftest import shared_files
from napari_celltype.errors import CelltypeError, NeuronError, RepairError
from napari_celltype.io.swc_write import swc_bytes
from napari_celltype.morphology import repair_z_jumps
from napari_celltype.morphology.edits import Edit, Record, record_from_comments, replay
from napari_celltype.samples.neuron import sample_neuron_swc, sample_neuron_truth
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench.journal import Journal, read_journal
from napari_celltype.workbench.repair_fixes import propose_fix
from napari_celltype.workbench.repair_folder import RepairFolder, count_jumps
from napari_celltype.workbench.repair_save import (
    default_target,
    earlier_record,
    is_earlier_result,
    record_beside,
    save_repair,
)
from napari_celltype.workbench.repair_session import RepairSession, repair_of
from napari_celltype.workbench.repair_translate import edits_between


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "cell.swc"
    file.write_bytes(sample_neuron_swc())
    return file


def begin(path: Path) -> RepairSession:
    document = Document()
    item = Item.holding(nct.read_neuron(path))
    document.add(item)
    session = repair_of(document, item.id)
    session.keep = document  # type: ignore[attr-defined]  # a session does not keep its document alive
    return session


def end(session: RepairSession) -> None:
    session.keep.close(session.item_id)  # type: ignore[attr-defined]


def move(node_id: int, *by: float, downstream: bool = False) -> Edit:
    return Edit("move_nodes", {"node_ids": [node_id], "by_um": list(by), "downstream": downstream})


@pytest.fixture
def session(path: Path) -> RepairSession:
    return begin(path)


# jumps and decisions -------------------------------------------------------------------------------------------------


def test_the_jumps_put_into_the_sample_are_listed_worst_first_and_open(session):
    truth = {(jump.node_id, jump.parent_id) for jump in sample_neuron_truth().jumps}
    rows = [row for row in session.jumps.rows if not row.left_out]
    assert {row.key for row in rows} == truth
    assert [abs(row.jump.dz_um) for row in rows] == sorted((abs(row.jump.dz_um) for row in rows), reverse=True)
    assert all(row.is_open and row.mode == "align" for row in rows)


def test_accepting_all_equals_repairing_all_at_once_and_brings_the_truth_back(session):
    session.decide(session.jumps.open_rows, "accepted")
    np.testing.assert_array_equal(session.neuron.xyz_um, repair_z_jumps(session.source).xyz_um)
    clean = sample_neuron_truth().clean
    both = np.isin(clean.ids, session.neuron.ids)
    truth = clean.xyz_um[both]
    assert np.abs(session.neuron.xyz_um[session.neuron.rows_of(clean.ids[both])] - truth).max() <= 1.0
    assert session.after.extent_um[2] < session.before.extent_um[2]


def test_the_order_of_decisions_does_not_matter(path):
    forwards, backwards = begin(path), begin(path)
    modes = ("align", "tilt", "split")
    for session, step in ((forwards, 1), (backwards, -1)):
        for row, mode in list(zip(session.jumps.open_rows, modes, strict=True))[::step]:
            session.decide([row], "accepted", mode)
    np.testing.assert_array_equal(forwards.neuron.xyz_um, backwards.neuron.xyz_um)


def test_a_decision_can_be_changed_at_any_time(session):
    first, second, third = session.jumps.open_rows
    session.decide([first, second, third], "accepted")
    session.decide([second], "refused")
    assert [row.state for row in session.jumps.rows[:3]] == ["accepted", "refused", "accepted"]
    expected = repair_z_jumps(session.source, [first.jump, third.jump])
    np.testing.assert_array_equal(session.neuron.xyz_um, expected.xyz_um)


def test_decided_jumps_stay_listed_below_the_thresholds(session):
    session.decide(session.jumps.open_rows[2:], "accepted")
    session.set_thresholds(30.0, 3.0)
    assert [row.state for row in session.jumps.rows if not row.left_out] == ["proposed", "accepted"]


def test_soma_steps_are_left_out_with_a_reason_and_may_be_accepted_all_the_same(tmp_path):
    file = tmp_path / "cell.swc"
    file.write_text("1 1 0 0 0 5 -1\n2 3 0 1 30 1 1\n3 3 10 1 30 1 2\n")
    session = begin(file)
    (row,) = session.jumps.rows
    assert "soma" in row.left_out
    assert not row.is_open
    session.decide([row], "accepted")
    assert session.neuron.xyz_um[:, 2].tolist() == [0, 0, 0]
    assert session.jumps.rows[0].left_out


def test_the_preview_shows_both_sides_whatever_is_decided_now(session):
    row = session.jumps.open_rows[0]
    open_preview = session.preview(row)
    session.decide([row], "accepted")
    accepted_preview = session.preview(session.jumps.rows[0])
    np.testing.assert_array_equal(open_preview.after.xyz_um, accepted_preview.after.xyz_um)
    np.testing.assert_array_equal(open_preview.before.xyz_um, session.source.xyz_um)
    assert len(open_preview.moved) == row.jump.n_downstream


def test_a_jump_that_hand_edits_make_is_listed_and_mended_after_them(session):
    session.decide(session.jumps.open_rows, "accepted")
    session.amend([move(50, 0, 0, 40.0, downstream=True)])
    late = [row for row in session.jumps.rows if row.is_late]
    assert [row.jump.node_id for row in late] == [50]
    session.decide(late, "accepted")
    assert not [row for row in session.jumps.rows if row.is_late]
    replayed, _ = replay(session.source, session.record())
    np.testing.assert_array_equal(replayed.xyz_um, session.neuron.xyz_um)


def test_a_jump_whose_node_was_deleted_is_gone(session):
    session.decide(session.jumps.open_rows[1:2], "accepted")
    session.amend([Edit("delete_subtree", {"node_id": session.jumps.rows[0].jump.node_id})])
    assert session.jumps.rows[0].is_gone


# undo ----------------------------------------------------------------------------------------------------------------


def test_everything_can_be_undone_to_the_very_file_and_done_again(session):
    rows = session.jumps.open_rows
    session.decide(rows[:1], "accepted")
    session.amend([move(100, 1, 2, 3)])
    session.decide(rows[1:2], None, "tilt")
    session.decide(rows[1:2], "accepted")
    session.amend([Edit("delete_node", {"node_id": 200})])
    session.decide(rows[:1], "refused")
    end_state = swc_bytes(session.neuron)
    for _ in range(6):
        assert session.undo()
    assert not session.undo()
    assert session.neuron is session.source
    assert swc_bytes(session.neuron) == session.source.text.raw
    while session.redo():
        pass
    assert swc_bytes(session.neuron) == end_state


def test_undo_of_one_neuron_leaves_the_other_alone(path, tmp_path):
    document = Document()
    items = [Item.holding(nct.read_neuron(path)) for _ in range(2)]
    for item in items:
        document.add(item)
    one, other = (repair_of(document, item.id) for item in items)
    one.decide(one.jumps.open_rows, "accepted")
    other.decide(other.jumps.open_rows, "accepted")
    one.undo()
    assert one.neuron is one.source
    assert other.state.count("accepted") == 3


def test_an_impossible_edit_changes_nothing_and_is_not_recorded(session):
    neuron = session.neuron
    with pytest.raises(RepairError, match="downstream"):
        session.amend([Edit("reparent", {"node_id": 2, "parent_id": 100})])
    assert session.neuron is neuron
    assert not session.undo()


@pytest.mark.parametrize("seed", range(6))
def test_random_work_is_undone_bit_for_bit(session, seed):
    rng = np.random.default_rng(seed)
    for _ in range(12):
        rows = session.jumps.rows
        row = rows[rng.integers(len(rows))]
        node = int(rng.choice(session.neuron.ids[1:]))
        try:
            match rng.integers(5):
                case 0:
                    session.decide([row], "accepted", str(rng.choice(["align", "split", "tilt", "cut"])))
                case 1:
                    session.decide([row], str(rng.choice(["refused", "proposed"])))
                case 2:
                    session.amend([move(node, *rng.normal(size=3), downstream=bool(rng.integers(2)))])
                case 3:
                    session.amend([Edit("delete_node", {"node_id": node})])
                case _:
                    session.undo()
        except RepairError:
            pass  # refused with a reason, which must not change anything
    replayed, _ = replay(session.source, session.record())
    assert swc_bytes(replayed) == swc_bytes(session.neuron)
    while session.undo():
        pass
    assert swc_bytes(session.neuron) == session.source.text.raw


# what the mouse did --------------------------------------------------------------------------------------------------


def test_a_dragged_node_becomes_an_edit_with_its_subtree_if_wanted(session):
    neuron = session.neuron
    node = int(neuron.ids[300])
    xyz = neuron.xyz_um.copy()
    xyz[300] += [1.0, 2.0, 3.0]
    (edit,) = edits_between(neuron, neuron.replace(xyz_um=xyz))
    assert edit.parameters == {"node_ids": [node], "by_um": [1.0, 2.0, 3.0]}
    session.with_subtree = True
    session.take(neuron.replace(xyz_um=xyz), "move 1 node")
    moved = (session.neuron.xyz_um != neuron.xyz_um).any(axis=1)
    assert moved.sum() > 1
    assert session.undo_label == "move 1 node"


def test_deleting_adding_and_changing_nodes_is_told_as_edits(session):
    before = session.neuron
    after = before.take(before.ids != 500)
    row = int(before.rows_of(500)[0])
    heir = np.where(before.parents == row, before.parents[row], before.parents)
    after = before.replace(parents=heir).take(before.ids != 500)
    after = after.append([[1, 2, 3], [2, 3, 4]], [10, len(after)], ids=[9001, 9002])
    types = after.types.copy()
    types[20] = 4
    after = after.replace(types=types)
    session.take(after, "several things")
    for name in ("ids", "types", "parents"):
        np.testing.assert_array_equal(getattr(session.neuron, name), getattr(after, name))
    assert session.neuron.xyz_um[-1].tolist() == [2, 3, 4]


def test_a_neuron_with_shared_ids_asks_to_be_renumbered_first(tmp_path):
    file = tmp_path / "cell.swc"
    file.write_text("1 1 0 0 0 5 -1\n2 3 0 9 0 1 1\n2 3 10 1 0 1 1\n")
    session = begin(file)
    xyz = session.neuron.xyz_um.copy()
    xyz[2] += 1
    with pytest.raises(RepairError, match=r"more than one node.*Renumber"):
        session.take(session.neuron.replace(xyz_um=xyz), "move 1 node")
    defect = next(defect for defect in session.neuron.defects if defect.code == "duplicate-id")
    session.amend(propose_fix(session.neuron, defect).edits)
    xyz = session.neuron.xyz_um.copy()
    xyz[2] += 1
    session.take(session.neuron.replace(xyz_um=xyz), "move 1 node")
    assert session.neuron.xyz_um[2].tolist() == [11, 2, 1]


# defects -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("cycle", "1 1 0 0 0 5 -1\n2 3 0 9 0 1 4\n3 3 0 12 0 1 2\n4 3 0 15 0 1 3\n"),
        ("self-parent", "1 1 0 0 0 5 -1\n2 3 0 9 0 1 2\n"),
        ("missing-parent", "1 1 0 0 0 5 -1\n2 3 0 9 0 1 1\n5 3 0 12 0 1 4\n"),
        ("duplicate-id", "1 1 0 0 0 5 -1\n2 3 0 9 0 1 1\n2 3 0 12 0 1 1\n"),
        ("zero-radius", "1 1 0 0 0 5 -1\n2 3 0 9 0 0 1\n"),
        ("negative-radius", "1 1 0 0 0 5 -1\n2 3 0 9 0 -2 1\n"),
        ("zero-length-segment", "1 1 0 0 0 5 -1\n2 3 0 0 0 1 1\n3 3 0 9 0 1 2\n"),
        ("child-before-parent", "2 3 0 9 0 1 1\n1 1 0 0 0 5 -1\n"),
        ("nan", "1 1 0 0 0 5 -1\n2 3 0 nan 0 1 1\n3 3 0 9 0 1 2\n"),
        ("soma-under-neurite", "1 3 0 0 0 1 -1\n2 1 0 9 0 5 1\n3 3 0 12 0 1 2\n"),
    ],
)
def test_the_proposed_fix_mends_the_defect_is_never_made_unasked_and_can_be_undone(tmp_path, code, text):
    file = tmp_path / "cell.swc"
    file.write_text(text)
    session = begin(file)
    defect = next(defect for defect in session.neuron.defects if defect.code == code)
    fix = propose_fix(session.neuron, defect)
    assert session.state.is_untouched
    session.amend(fix.edits, fix.label)
    assert code not in {defect.code for defect in session.neuron.defects}
    session.undo()
    assert session.neuron is session.source


def test_jumps_of_a_neuron_with_a_cycle_can_be_repaired_once_it_is_cut(tmp_path):
    file = tmp_path / "cell.swc"
    file.write_text("1 1 0 0 0 5 -1\n2 3 9 0 0 1 1\n3 3 12 0 40 1 2\n4 3 15 0 40 1 3\n5 3 0 20 0 1 6\n6 3 0 25 0 1 5\n")
    session = begin(file)
    with pytest.raises(RepairError, match="cycle"):
        session.decide(session.jumps.open_rows, "accepted")
    with pytest.raises(NeuronError, match="cannot be saved"):
        save_repair(session, tmp_path / "new.swc")
    defect = next(defect for defect in session.neuron.defects if defect.code == "cycle")
    session.amend(propose_fix(session.neuron, defect).edits)
    session.decide(session.jumps.open_rows, "accepted")
    assert session.neuron.xyz_um[2, 2] == 0
    save_repair(session, tmp_path / "new.swc")


# the journal ---------------------------------------------------------------------------------------------------------


def test_after_a_crash_everything_is_offered_again_with_its_undo(path):
    session = begin(path)
    session.decide(session.jumps.open_rows[:2], "accepted")
    session.amend([move(100, 1, 2, 3)])
    session.amend([move(101, 1, 2, 3)])
    session.undo()
    expected = session.neuron.xyz_um
    session.journal.close()  # as the system does when a program dies
    again = begin(path)
    assert again.neuron is again.source  # nothing is restored unasked
    assert len(again.earlier.done) == 2
    again.restore()
    np.testing.assert_array_equal(again.neuron.xyz_um, expected)
    assert again.redo()
    while again.undo():
        pass
    assert swc_bytes(again.neuron) == path.read_bytes()


def test_a_killed_program_loses_no_step(path):
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
import napari_celltype as nct
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench.repair_session import repair_of
document = Document()
item = Item.holding(nct.read_neuron({str(path)!r}))
document.add(item)
session = repair_of(document, item.id)
for row in session.jumps.open_rows:
    session.decide([row], "accepted")
os._exit(3)
"""
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 3
    session = begin(path)
    session.restore()
    assert session.state.count("accepted") == 3


def test_a_journal_cut_anywhere_restores_what_is_whole(path):
    session = begin(path)
    for row in session.jumps.open_rows:
        session.decide([row], "accepted")
    session.journal.close()
    journal = session.journal.path
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(len(lines[0]), len(whole), 37):
        journal.write_bytes(whole[:cut])
        n_whole = sum(1 for k in range(2, len(lines) + 1) if len(b"".join(lines[:k])) <= cut)
        earlier = begin(path).earlier
        assert (0 if earlier is None else len(earlier.done)) == n_whole
    journal.write_bytes(whole[:-5])
    again = begin(path)
    again.restore()
    again.decide(again.jumps.open_rows, "accepted")
    again.journal.close()
    assert len(read_journal(journal)) == 4  # the header, two whole steps, the new one: no torn line between


def test_starting_afresh_keeps_the_old_journal_aside(path):
    session = begin(path)
    session.decide(session.jumps.open_rows, "refused")
    end(session)
    again = begin(path)
    again.decide(again.jumps.open_rows[:1], "accepted")  # working on without an answer counts as no
    end(again)
    assert len(list(again.journal.path.parent.iterdir())) == 2
    assert len(begin(path).earlier.done) == 1


def test_two_windows_on_one_file_do_not_mix_their_journals(path):
    one, other = begin(path), begin(path)
    one.decide(one.jumps.open_rows[:1], "accepted")
    other.decide(other.jumps.open_rows[1:2], "accepted")
    assert "Another window" in other.journal.problem
    assert one.journal.problem == ""
    assert begin(path).earlier is None  # what is going on elsewhere is not offered
    end(one)
    assert len(begin(path).earlier.done) == 1


def test_without_a_place_for_journals_work_goes_on_and_says_so(path, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NAPARI_CELLTYPE_STATE", str(tmp_path / "file"))
    session = begin(path)
    session.decide(session.jumps.open_rows, "accepted")
    assert "Save often" in session.journal.problem
    assert session.state.count("accepted") == 3


def test_a_journal_of_something_else_is_not_believed(path):
    session = begin(path)
    session.journal.path.parent.mkdir(parents=True)
    for content in (b"", b"\n", b"[1]\n", b'{"schema": "other"}\n', b"\xff\xfe\n", b'{"schema":1'):
        session.journal.path.write_bytes(content)
        assert begin(path).earlier is None


def test_a_journal_is_flushed_to_the_disk(path):
    journal = Journal("abc", {"schema": "test"})
    journal.append({"a": 1})
    journal.flush()
    assert [line.get("a") for line in journal.read()] == [None, 1]
    journal.close()


# saving --------------------------------------------------------------------------------------------------------------


def test_saving_makes_a_new_file_with_the_record_in_and_beside_it(session, path, tmp_path):
    original = path.read_bytes()
    session.decide(session.jumps.open_rows[:2], "accepted")
    session.decide(session.jumps.open_rows, "refused")
    saved = save_repair(session, default_target(path))
    assert saved.path == tmp_path / "cell.repaired.swc"
    assert path.read_bytes() == original
    assert not session.has_unsaved_work
    text = saved.path.read_text()
    record = record_from_comments(text.splitlines())
    assert record.source_sha256 == session.source_sha256
    assert record == Record.from_json(saved.record.read_bytes())
    replayed, _ = replay(nct.read_neuron(path), record)
    np.testing.assert_array_equal(replayed.xyz_um, nct.read_neuron(saved.path).xyz_um)
    review = json.loads(saved.record.read_text())["review"]
    assert [jump["state"] for jump in review["jumps"]] == ["accepted", "accepted", "refused"]
    assert "2 edits" in earlier_record(nct.read_neuron(saved.path)) or "1 edit" in earlier_record(
        nct.read_neuron(saved.path)
    )


def test_untouched_lines_keep_their_bytes(session, path):
    session.decide(session.jumps.open_rows[-1:], "accepted")
    saved = save_repair(session, default_target(path))
    old = [line for line in path.read_bytes().splitlines() if not line.startswith(b"#")]
    new = [line for line in saved.path.read_bytes().splitlines() if not line.startswith(b"#")]
    n_moved = session.jumps.rows[2].jump.n_downstream
    assert sum(a != b for a, b in zip(old, new, strict=True)) == n_moved


def test_the_original_is_never_replaced_unasked(session, path, tmp_path):
    session.decide(session.jumps.open_rows, "accepted")
    link = tmp_path / "link.swc"
    link.symlink_to(path)
    for target in (path, link):
        with pytest.raises(RepairError, match="original"):
            save_repair(session, target, overwrite=True)
    save_repair(session, path, overwrite=True, replace_original=True)
    assert nct.find_z_jumps(nct.read_neuron(path)) == []


def test_a_foreign_file_is_not_replaced_and_an_earlier_result_is_known(session, path):
    target = default_target(path)
    target.write_text("1 1 0 0 0 5 -1\n")
    assert not is_earlier_result(session, target)
    with pytest.raises(NeuronError, match="exists already"):
        save_repair(session, target)
    target.unlink()
    session.decide(session.jumps.open_rows, "accepted")
    save_repair(session, target)
    assert is_earlier_result(session, target)
    session.undo()
    assert session.has_unsaved_work
    save_repair(session, target, overwrite=True)


def test_saving_works_from_memory_when_the_original_was_deleted_meanwhile(session, path):
    session.decide(session.jumps.open_rows, "accepted")
    path.unlink()
    saved = save_repair(session, default_target(path))
    assert nct.find_z_jumps(nct.read_neuron(saved.path)) == []


def test_a_folder_that_is_gone_is_a_sentence(session, tmp_path):
    with pytest.raises(NeuronError, match="cannot be written"):
        save_repair(session, tmp_path / "gone" / "cell.swc")
    assert session.has_unsaved_work is False


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a.swc", "a.repaired.swc"),
        ("a.CNG.swc", "a.CNG.repaired.swc"),
        ("a.SWC.gz", "a.repaired.swc"),
        ("a.json", "a.repaired.swc"),
    ],
)
def test_default_names(name, target):
    assert default_target(Path(name)).name == target
    assert record_beside(Path(target)).name == target.removesuffix(".swc") + ".json"


@pytest.mark.parametrize("bad", shared_files("bad_swc/**/*.swc")[::3], ids=lambda path: path.name)
def test_every_bad_file_opens_and_is_saved_or_refused_with_a_reason(bad, tmp_path):
    reasons = []
    try:
        session = begin(bad)
        assert session.after.n_nodes == len(session.neuron)
        for defect in session.neuron.defects:
            fix = propose_fix(session.neuron, defect)
            if fix is not None:
                session.amend(fix.edits, fix.label)
                session.undo()
        assert session.neuron is session.source
        save_repair(session, tmp_path / "new.swc")
        assert (tmp_path / "new.swc").read_bytes() == session.source.text.body
    except CelltypeError as error:
        reasons.append(str(error))
    assert all(len(reason) > 20 for reason in reasons)


# folders -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, damaged in (("a", True), ("b", False), ("c", True)):
        (tmp_path / f"{name}.swc").write_bytes(sample_neuron_swc(damaged=damaged))
    (tmp_path / "a.repaired.swc").write_bytes(sample_neuron_swc())
    (tmp_path / "notes.txt").write_text("no neuron")
    (tmp_path / "d.swc").write_text("rubbish")
    return tmp_path


def test_a_folder_lists_originals_and_leads_from_one_to_the_next(folder):
    files = RepairFolder(folder)
    assert [path.name for path in files.files] == ["a.swc", "b.swc", "c.swc", "d.swc"]
    assert files.next_after(None).name == "a.swc"
    files.mark(folder / "a.swc", "saved", saved_as="a.repaired.swc")
    assert files.next_after(folder / "a.swc").name == "b.swc"
    assert files.progress == "1 of 4 files done"
    for count in count_jumps(files.files, 10.0, 3.0):
        files.counts[count.name] = count
    assert files.counts["d.swc"].reason
    assert files.next_after(folder / "a.swc", only_with_jumps=True).name == "c.swc"
    assert files.progress == "1 of 4 files done, 1 with jumps to go"


def test_progress_is_kept_from_one_run_to_the_next(folder):
    RepairFolder(folder).mark(folder / "a.swc", "saved")
    again = RepairFolder(folder)
    assert again.entry(folder / "a.swc").state == "saved"
    again.mark(folder / "a.swc", "seen")  # only looked at again
    assert RepairFolder(folder).entry(folder / "a.swc").state == "saved"
    for name in ("b", "c", "d"):
        again.mark(folder / f"{name}.swc", "seen")
    assert again.next_after(folder / "a.swc") is None


def test_a_folder_that_is_gone_is_a_sentence_too(tmp_path):
    with pytest.raises(NeuronError, match="cannot be listed"):
        RepairFolder(tmp_path / "gone")
