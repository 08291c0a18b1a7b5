"""Saving what was done with a recording and finding it again; never over somebody else's, never onto another file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celltype_stubs import make_firing_recording, stub_shelf
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import CelltypeError
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench import session_file as files
from napari_celltype.workbench.classify_session import MODEL, ClassifySession
from napari_celltype.workbench.classify_values import ModelChoice
from napari_celltype.workbench.classify_windows import WINDOW
from napari_celltype.workbench.session_codec import decoded, encoded
from napari_celltype.workbench.session_state import NOTE, RecordingState, has_changed, put_back, state_of


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "cell.abf"
    path.write_bytes(b"samples" * 100)
    return path


def open_session() -> tuple[ClassifySession, str]:
    document = Document()
    cells = ClassifySession(document, stub_shelf())
    item = Item.holding(make_firing_recording(3))
    document.add(item)
    return cells, item.id


def worked_session() -> tuple[ClassifySession, str]:
    """Judged, two choices made, one taken back, accepted, with a note."""
    cells, item = open_session()
    for step in cells.steps(item):
        cells.take(item, step)
    cells.choose_window(item, cells.window(item).moved(0.0002), "Drag the window")
    cells.choose_model(item, ModelChoice("feat"))
    cells.choose_window(item, cells.window(item).moved(0.0003), "Drag the window")
    cells.document.history.undo(item)
    cells.document.select_sweeps(item, [0, 2])
    cells.document.choose(item, NOTE, "layer 5, Tlx3 µ")
    cells.accept(item)
    return cells, item


def as_json(value) -> str:
    return json.dumps(encoded(value), allow_nan=False)


def test_everything_is_back_in_another_session_and_undo_goes_on_where_it_was(path):
    cells, item = worked_session()
    state = state_of(cells, item)
    files.save_state(files.place_beside(path), path, state)
    other, there = open_session()
    loaded = files.load_state(files.place_beside(path), path)
    assert loaded.changed == ""
    put_back(other, there, loaded.state)
    assert as_json(replace(state_of(other, there).call)) == as_json(state.call)
    assert other.document.choices(there) == cells.document.choices(item)
    assert other.document.selected_sweeps(there) == (0, 2)
    assert other.table.row(there) == cells.table.row(item)
    history = other.document.history
    assert [edit.label for edit in history.done] == ["Drag the window", "Use feat"]
    redone = history.redo(there)
    assert other.window(there) == redone.after
    for _ in range(3):
        history.undo(there)
    assert other.document.choice(there, MODEL) == ModelChoice("wave")
    assert other.window(there) == cells.document.history.done[0].before


def test_the_recording_itself_is_not_touched(path):
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    files.save_state(files.place_beside(path), path, RecordingState())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["cell.abf", "cell.abf.celltype.json"]


def test_a_file_somebody_else_has_saved_is_not_replaced_silently(path):
    place = files.place_beside(path)
    mine = files.save_state(place, path, RecordingState())
    mine = files.save_state(place, path, RecordingState(sweeps=(1,)), before=mine)
    theirs = files.save_state(place, path, RecordingState(sweeps=(2, 3)), overwrite=True)
    for before in (None, mine):
        with pytest.raises(CelltypeError, match=r"was saved by somebody else at 20.*Load it, save under another name"):
            files.save_state(place, path, RecordingState(), before=before)
    assert files.load_state(place, path).state.sweeps == (2, 3)
    files.save_state(place, path, RecordingState(), before=theirs)


def test_a_newer_programs_file_is_neither_read_nor_replaced(path):
    place = files.place_beside(path)
    mine = files.save_state(place, path, RecordingState())
    document = json.loads(place.read_bytes())
    place.write_text(json.dumps(document | {"version": 2}))
    with pytest.raises(CelltypeError, match=r"newer version of napari-celltype\. Update"):
        files.load_state(place, path)
    with pytest.raises(CelltypeError, match="newer version"):
        files.save_state(place, path, RecordingState(), before=mine)


def test_copying_or_touching_a_recording_changes_nothing(path, tmp_path):
    place = files.place_beside(path)
    files.save_state(place, path, RecordingState())
    copy = tmp_path / "copy" / "cell.abf"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    assert files.load_state(place, copy).changed == ""


@pytest.mark.parametrize(
    ("content", "how"),
    [(b"samples" * 101, "it had 700 bytes then and has 707 now"), (b"SAMPLES" * 100, "its content is another")],
)
def test_another_recording_under_the_same_name_is_noticed(path, content, how):
    place = files.place_beside(path)
    files.save_state(place, path, RecordingState())
    path.write_bytes(content)
    assert how in files.load_state(place, path).changed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "cannot be understood"),
        (b"[]", "is not a session file"),
        (b'{"schema": "napari-celltype/session", "version": 1}', "cannot be understood .'choices'"),
        (b'{"schema": "napari-celltype/session"}', "newer version"),
        (b"\xff\xfe", "cannot be understood"),
    ],
)
def test_a_damaged_file_is_a_sentence(path, content, reason):
    place = files.place_beside(path)
    place.write_bytes(content)
    with pytest.raises(CelltypeError, match=reason):
        files.load_state(place, path)


def test_a_value_of_an_unknown_kind_is_a_sentence(path):
    place = files.place_beside(path)
    files.save_state(place, path, RecordingState(choices={WINDOW: ApWindow(0, 0.1, 0.2)}))
    place.write_bytes(place.read_bytes().replace(b'"is": "window"', b'"is": "spline"'))
    with pytest.raises(CelltypeError, match="holds a “spline” that cannot be understood"):
        files.load_state(place, path)


def test_fields_of_a_later_version_are_left_out(path):
    place = files.place_beside(path)
    files.save_state(place, path, RecordingState(choices={WINDOW: ApWindow(0, 0.1, 0.2)}))
    place.write_bytes(place.read_bytes().replace(b'"is": "window"', b'"is": "window", "colour": "red"'))
    assert files.load_state(place, path).state.choices[WINDOW] == ApWindow(0, 0.1, 0.2)


def test_what_cannot_be_written_leaves_the_old_file_and_is_a_sentence(path, monkeypatch):
    place = files.place_beside(path)
    mine = files.save_state(place, path, RecordingState())

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(files, "write_atomically", refuse)
    with pytest.raises(PermissionError) as caught:
        files.save_state(place, path, RecordingState(sweeps=(1,)), before=mine)
    assert "you may not write there. Nothing is lost yet: choose another place" in files.write_problem(
        place, caught.value
    )
    assert files.load_state(place, path).state.sweeps == ()


def test_the_program_s_own_folder_is_looked_into_too_and_the_newer_counts(path):
    assert files.find_state_file(path) is None
    own = files.own_place(path)
    files.save_state(own, path, RecordingState())
    assert files.find_state_file(path) == own
    beside = files.place_beside(path)
    files.save_state(beside, path, RecordingState())
    assert files.find_state_file(path) == beside


def test_the_cells_of_a_folder_are_kept_together(path):
    cells, _ = worked_session()
    place = path.with_name(files.TABLE_NAME)
    files.save_table(place, cells.table.rows)
    rows, saved = files.load_table(place)
    assert rows == cells.table.rows
    with pytest.raises(CelltypeError, match="somebody else"):
        files.save_table(place, rows)
    files.save_table(place, rows, before=saved)


def test_only_what_the_user_did_is_worth_keeping():
    cells, item = open_session()
    for step in cells.steps(item):
        cells.take(item, step)
    assert not has_changed(None, state_of(cells, item)), "an answer can be asked for again"
    cells.document.choose(item, NOTE, "odd")
    assert has_changed(None, state_of(cells, item))
    saved = state_of(cells, item)
    assert not has_changed(saved, state_of(cells, item))
    cells.choose_window(item, cells.window(item).moved(0.001))
    assert has_changed(saved, state_of(cells, item))


# single values ----


@given(st.lists(st.floats(), max_size=5), st.integers(0, 3))
def test_arrays_and_numbers_come_back_bit_by_bit(numbers, sweep):
    back = decoded(json.loads(as_json(np.array(numbers, dtype=float))))
    np.testing.assert_array_equal(back, np.array(numbers, dtype=float))
    assert back.dtype == float
    window = ApWindow(sweep, 0.1 + 0.2, 1 / 3, None)
    assert decoded(json.loads(as_json(window))) == window


@pytest.mark.parametrize("values", [np.zeros((2, 0)), np.array([True, False]), np.arange(4).reshape(2, 2)])
def test_shapes_and_kinds_of_arrays_are_kept(values):
    back = decoded(json.loads(as_json(values)))
    np.testing.assert_array_equal(back, values)
    assert (back.shape, back.dtype.kind) == (values.shape, values.dtype.kind)


def test_missing_features_stay_missing():
    features = pd.Series({"tau": 12.5, "sag": math.nan})
    pd.testing.assert_series_equal(decoded(json.loads(as_json(features))), features)


def test_what_cannot_be_kept_says_so():
    with pytest.raises(CelltypeError, match="type object cannot be kept"):
        encoded(object())
