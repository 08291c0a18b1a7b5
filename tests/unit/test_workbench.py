"""The document: what is open, what is current, and undo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording, Sweep
from napari_celltype.workbench import Document, Item, ReplaceValue


def recording(n_sweeps: int = 3, name: str = "cell.abf") -> Recording:
    sweeps = [Sweep(i, i, 1000.0, 100, lambda a, b: np.zeros(b - a)) for i in range(n_sweeps)]
    return Recording(Path(name), "test", sweeps)


def neuron(n: int = 4) -> Neuron:
    return Neuron.from_arrays(np.arange(3 * n).reshape(n, 3), np.arange(n) - 1, name="tree")


def heard(signal) -> list:
    got: list = []
    signal.connect(got.append)
    return got


def test_first_item_of_a_kind_becomes_current_and_a_closed_one_hands_over():
    document = Document()
    first, second = Item.holding(recording()), Item.holding(recording(name="b.abf"))
    currents = heard(document.current_recording_changed)
    document.add(first)
    document.add(second)
    assert document.current_recording is document[first.id]
    document.close(first.id)
    assert currents == [first.id, second.id]
    document.close(second.id)
    assert document.current_recording is None
    assert currents[-1] is None


def test_closing_a_recording_does_not_begin_to_read_one_that_is_only_listed():
    document = Document()
    item = Item.holding(recording())
    document.add(item)
    document.add(Item.listing(Path("next.abf")))
    document.close(item.id)
    assert document.current_recording is None
    assert len(document.recordings) == 1


def test_selection_of_each_recording_is_kept_and_stays_within_its_sweeps():
    document = Document()
    first, second = Item.holding(recording(5)), Item.holding(recording(2))
    document.add(first)
    document.add(second)
    selections = heard(document.sweeps_selected)
    assert document.selected_sweeps(first.id) == (0,)
    document.select_sweeps(first.id, [4, 2, 2, 99, -1])
    document.make_current(second.id)
    document.make_current(first.id)
    assert document.selected_sweeps(first.id) == (2, 4)
    document.select_sweeps(first.id, (2, 4))
    assert selections == [first.id]


def test_a_listed_recording_has_no_sweeps_until_read_and_says_why_it_cannot_be():
    document = Document()
    item = Item.listing(Path("folder/cell.abf"))
    document.add(item)
    assert document.selected_sweeps(item.id) == ()
    document.fail(item.id, "is empty")
    assert document[item.id].error == "is empty"
    document.replace_value(item.id, recording())
    assert document[item.id].error == ""
    assert document.selected_sweeps(item.id) == (0,)


@given(st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=40))
def test_undo_and_redo_walk_the_states_of_a_literal_list(steps):
    document = Document()
    start = neuron()
    item = Item.holding(start)
    document.add(item)
    states, at = [start], 0
    for step in steps:
        if step == "edit":
            after = states[at].replace(xyz_um=states[at].xyz_um + 1.0)
            document.history.do(ReplaceValue(item.id, states[at], after, "move"))
            states, at = [*states[: at + 1], after], at + 1
        elif step == "undo":
            assert (document.history.undo() is None) == (at == 0)
            at = max(at - 1, 0)
        else:
            assert (document.history.redo() is None) == (at == len(states) - 1)
            at = min(at + 1, len(states) - 1)
        assert document[item.id].value is states[at]
        assert len(document.history.done) == at
        assert len(document.history.undone) == len(states) - 1 - at


def test_closing_an_item_forgets_its_edits_and_keeps_those_of_others():
    document = Document()
    kept, gone = Item.holding(neuron()), Item.holding(neuron())
    for item in (kept, gone):
        document.add(item)
        document.history.do(ReplaceValue(item.id, item.value, neuron(5), "grow"))
    document.close(gone.id)
    assert [edit.item_id for edit in document.history.done] == [kept.id]
    assert document.history.undo() is not None
    assert document.history.undo() is None


def test_unknown_item_is_an_error():
    with pytest.raises(KeyError):
        Document().make_current("nobody")
