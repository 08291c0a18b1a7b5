"""``napari-celltype check``: what a script reads and what a person reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_celltype.cli import main

JUMPY = (
    "1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 0 0 1 2\n4 3 30 1 0 1 3\n5 3 31 1 40 1 4\n6 3 41 1 40 1 5\n"
    "7 3 51 2 40 1 6\n8 3 61 2 40 0 7\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.swc").write_text(JUMPY)
    (tmp_path / "in" / "b.swc").write_text("1 1 0 0 0 5 2\n2 3 1 0 0 1 1\n")
    (tmp_path / "in" / "notes.txt").write_text("not a neuron")
    return tmp_path / "in"


def test_one_file_gives_exactly_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "a.swc"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"nodes", "defects", "z_jumps"}
    assert found["nodes"] == 8
    assert [set(d) for d in found["defects"]] == [{"code", "line", "node_ids", "message", "severity"}]
    assert (found["defects"][0]["code"], found["defects"][0]["node_ids"]) == ("zero-radius", [8])
    assert [(j["node_id"], j["parent_id"], j["dz_um"]) for j in found["z_jumps"]] == [(5, 4, 40.0)]


def test_thresholds_decide_what_a_jump_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "a.swc"), "--json", "--min-dz", "50"]) == 0
    assert json.loads(capsys.readouterr().out)["z_jumps"] == []


def test_a_cycle_is_reported_and_stops_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "b.swc"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nodes"] == 2
    assert found["defects"][0]["code"] == "cycle"


def test_several_inputs_give_a_list_and_a_failure_is_an_entry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = folder / "absent.swc"
    assert main(["check", str(folder), str(absent), "--json"]) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [Path(entry["path"]).name for entry in found] == ["a.swc", "b.swc", "absent.swc"]
    assert "does not exist" in found[2]["error"]
    assert str(absent) in captured.err


def test_a_folder_of_one_is_still_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.swc").write_text(JUMPY)
    assert main(["check", str(tmp_path), "--json"]) == 0
    assert [entry["nodes"] for entry in json.loads(capsys.readouterr().out)] == [8]


def test_an_empty_folder_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 1
    assert "no reconstruction in this folder" in capsys.readouterr().err


def test_a_person_reads_counts_lines_and_advice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "a.swc: 8 nodes, 1 note, 1 z-jump" in text
    assert "line 8" in text
    assert "4 → 5" in text
    assert "Cut one of these links" in text
    assert "2 files, 0 not readable, 1 with z-jumps" in text


def test_no_file_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check"])
    assert caught.value.code == 2
    assert "FILE" in capsys.readouterr().err
