"""repair, measure, resample, convert and simulate from the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_celltype import find_z_jumps, measure, read_neuron
from napari_celltype.cli import main

SWC = (
    "1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n3 3 10 0 0 1 2\n4 3 11 0 40 1 3\n5 3 20 0 40 1 4\n6 2 -6 0 0 1 1\n7 2 -9 0 15 1 6\n"
)


@pytest.fixture
def cell(tmp_path):
    path = tmp_path / "cell.swc"
    path.write_text(SWC)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two readable files, one of them in a folder of its own and without jumps, and one that is not readable."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "jumpy.swc").write_text(SWC)
    (tmp_path / "in" / "deep" / "sound.swc").write_text("1 1 0 0 0 5 -1\n2 3 6 0 0 1 1\n")
    (tmp_path / "in" / "broken.swc").write_text("nothing to see\n")
    return tmp_path / "in"


def rows(capsys) -> list[dict]:
    return json.loads(capsys.readouterr().out)


def test_repair_saves_beside_the_original_and_records_what_was_done(cell, tmp_path, capsys):
    assert main(["repair", str(cell), str(tmp_path / "new.swc"), "--json", "--record", str(tmp_path / "r.json")]) == 0
    (row,) = rows(capsys)
    assert (row["z_jumps"], row["left"], row["depth_um"], row["depth_after_um"]) == (2, 0, 40, 0)
    assert cell.read_text() == SWC
    repaired = read_neuron(tmp_path / "new.swc")
    assert find_z_jumps(repaired) == []
    assert "align z-jump at node 4, dz 40 um" in (tmp_path / "new.swc").read_text()
    for record in ("r.json", "new.swc"):
        again = tmp_path / f"again_{record}.swc"
        assert main(["repair", str(cell), str(again), "--replay", str(tmp_path / record)]) == 0
        np.testing.assert_array_equal(read_neuron(again).xyz_um, repaired.xyz_um)


def test_repair_of_chosen_nodes_in_a_chosen_way(cell, tmp_path):
    assert main(["repair", str(cell), str(tmp_path / "cut.swc"), "--node", "4", "--mode", "cut"]) == 0
    cut = read_neuron(tmp_path / "cut.swc")
    assert cut.ids[cut.parents < 0].tolist() == [1, 4]
    assert len(find_z_jumps(cut)) == 1


def test_zcorr_flattens_all(cell, tmp_path):
    assert main(["repair", str(cell), str(tmp_path / "flat.swc"), "--zcorr", "1"]) == 0
    assert not read_neuron(tmp_path / "flat.swc").xyz_um[:, 2].any()


def test_dry_run_writes_nothing(cell, tmp_path, capsys):
    assert main(["repair", str(cell), str(tmp_path / "no.swc"), "--dry-run", "--json"]) == 0
    assert rows(capsys)[0]["edits"] == ["align z-jump at node 4, dz 40 um; align z-jump at node 7, dz 15 um"]
    assert not (tmp_path / "no.swc").exists()


def test_nothing_is_overwritten(cell, tmp_path, capsys):
    taken = tmp_path / "taken.swc"
    taken.write_text("mine")
    for command in ("repair", "resample", "convert"):
        assert main([command, str(cell), str(taken)]) == 1
        assert main([command, str(cell), str(cell)]) == 1
    assert taken.read_text() == "mine"
    assert cell.read_text() == SWC
    assert "exists already" in capsys.readouterr().err


def test_repair_of_a_folder_reports_each_file_and_goes_on_after_a_bad_one(folder, tmp_path, capsys):
    out, table = tmp_path / "out", tmp_path / "table.csv"
    assert main(["repair", str(folder), str(out), "--table", str(table)]) == 1
    captured = capsys.readouterr()
    assert "broken.swc" in captured.err
    assert "3/3" in captured.err
    assert (out / "jumpy.swc").is_file()
    assert (out / "deep" / "sound.swc").read_bytes() == (folder / "deep" / "sound.swc").read_bytes()
    listed = pd.read_csv(table)
    assert len(listed) == 3
    assert listed["error"].notna().sum() == 1


def test_sound_files_can_be_skipped(folder, tmp_path):
    main(["repair", str(folder), str(tmp_path / "out"), "--skip-sound"])
    assert [path.name for path in (tmp_path / "out").rglob("*.swc")] == ["jumpy.swc"]


def test_results_may_not_land_among_the_originals(folder, capsys):
    assert main(["repair", str(folder), str(folder / "new")]) == 1
    assert "taken for originals" in capsys.readouterr().err


def test_measure_prints_what_the_function_gives(cell, capsys):
    assert main(["measure", str(cell), "--json"]) == 0
    (row,) = rows(capsys)
    expected = measure(read_neuron(cell))
    for name, value in expected.items():
        assert row[name] == (None if np.isnan(value) else pytest.approx(value))
    assert main(["measure", str(cell)]) == 0
    assert "TotalLength" in capsys.readouterr().out


def test_measure_by_type_and_sholl(cell, tmp_path, capsys):
    assert main(["measure", str(cell), "--by-type", "--json"]) == 0
    assert [row["part"] for row in rows(capsys)] == ["all", "axon", "basal"]
    assert main(["measure", str(cell), "--sholl", "5", "--table", str(tmp_path / "s.csv")]) == 0
    assert pd.read_csv(tmp_path / "s.csv")["radius_um"].tolist()[:2] == [5, 10]
    assert main(["measure", str(cell), "--sholl", "0"]) == 1


def test_measure_of_a_folder_keeps_the_failures_in_the_table(folder, tmp_path, capsys):
    assert main(["measure", str(folder), "--table", str(tmp_path / "m.csv")]) == 1
    table = pd.read_csv(tmp_path / "m.csv")
    assert table["error"].notna().sum() == 1
    assert table["TotalLength"].notna().sum() == 2


def test_resample_writes_evenly_spaced_nodes(cell, tmp_path, capsys):
    new = tmp_path / "new.swc"
    assert main(["resample", str(cell), str(new), "--spacing", "2", "--diameters", "1", "1", "--json"]) == 0
    (row,) = rows(capsys)
    assert row["nodes_after"] == len(read_neuron(new))
    assert row["length_after_um"] == pytest.approx(row["length_um"], rel=0.05)
    assert set(read_neuron(new).radii_um[1:]) == {0.5}


def test_convert_tidies_and_compresses(tmp_path, capsys):
    untidy = tmp_path / "untidy.swc"
    untidy.write_text("7 3 9 0 0 1 3\n3 1 0 0 0 5 -1\n9 3 20 0 0 1 -1\n")
    tidy = tmp_path / "tidy.swc.gz"
    assert main(["convert", str(untidy), str(tidy), "--join", "--sort", "--renumber"]) == 0
    neuron = read_neuron(tidy)
    assert neuron.ids.tolist() == [1, 2, 3]
    assert neuron.parents.tolist() == [-1, 0, 1]
    plain = tmp_path / "plain.swc"
    assert main(["convert", str(tidy), str(plain)]) == 0
    assert plain.read_bytes()[:2] != b"\x1f\x8b"


def test_simulate_makes_a_labelled_data_set_once(tmp_path, capsys):
    out = tmp_path / "set"
    command = ["simulate", str(out), "--classes", "granule", "fly", "--count", "2", "--images", "32"]
    assert main(command) == 0
    index = pd.read_csv(out / "index.csv")
    assert index["class"].value_counts().to_dict() == {"granule": 2, "fly": 2}
    for file in index["file"]:
        assert len(read_neuron(out / file)) == index.set_index("file").loc[file, "n_nodes"]
        assert (out / file).with_suffix(".png").is_file()
    assert main(command) == 1
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["repair", "nowhere.swc", "out.swc"], ["measure", "nowhere.swc"], ["simulate", "x", "--count", "0"]]
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.strip()
    assert "Traceback" not in error
