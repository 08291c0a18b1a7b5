"""The commands that predict, list, train and evaluate, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_celltype.cli import main
from napari_celltype.models.catalogue import model_infos
from napari_celltype.models.features import FEATURE_NAMES

from .test_training import made_up_tables

HAVE_FEATURE_MODEL = any(info.input == "features" and info.default for info in model_infos())
needs_model = pytest.mark.skipif(not HAVE_FEATURE_MODEL, reason="no feature model is bundled")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


@needs_model
def test_predict_prints_one_json_list_with_failures_among_the_others(
    capsys: pytest.CaptureFixture[str], shared_data: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(shared_data / "ephys" / "mouse_features.csv").head(3)
    table.to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "broken.abf").write_bytes(b"ABF2" + bytes(20))
    code, out, _ = run(
        capsys, "predict", tmp_path / "cells.csv", tmp_path / "broken.abf", tmp_path / "absent.nwb", "--json"
    )
    entries = json.loads(out)
    assert code == 1
    assert [entry["kind"] for entry in entries] == ["table"] * 3 + ["recording"] * 2
    for entry, specimen in zip(entries[:3], table["specimen_id"], strict=True):
        assert {"path", "kind", "model", "version", "label", "probabilities", "abstained", "reasons"} <= set(entry)
        assert entry["item"] == str(specimen)
        assert sum(entry["probabilities"].values()) == pytest.approx(1)
        assert entry["label"] == max(entry["probabilities"], key=entry["probabilities"].__getitem__)
        assert isinstance(entry["abstained"], bool)
    assert all(entry["error"] and entry["path"] for entry in entries[3:])


@needs_model
def test_a_real_recording_is_judged_or_abstained_on_with_reasons(
    capsys: pytest.CaptureFixture[str], shared_data: Path
) -> None:
    files = sorted((shared_data / "recordings").glob("*/*.abf"))[:2]
    code, out, _ = run(capsys, "predict", *files, "--json")
    assert code == 0
    for entry in json.loads(out):
        assert entry["kind"] == "recording"
        assert entry["abstained"] == bool(entry["reasons"])


@needs_model
def test_predict_in_words_names_label_and_reasons(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pd.DataFrame([np.zeros(len(FEATURE_NAMES))], columns=list(FEATURE_NAMES)).to_csv(tmp_path / "z.csv", index=False)
    code, out, _ = run(capsys, "predict", tmp_path / "z.csv")
    assert code == 0
    assert "abstains" in out
    assert "Unlike the training cells" in out


def test_an_unknown_model_is_an_error_that_lists_the_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("tau\n20\n")
    code, out, _ = run(capsys, "predict", tmp_path / "t.csv", "--model", "oracle", "--json")
    assert code == 1
    assert "no model named 'oracle'" in json.loads(out)[0]["error"]


def test_models_lists_shows_cards_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "models", "--json")
    names = [entry["name"] for entry in json.loads(out)]
    assert code == 0
    assert names == [info.name for info in model_infos()]
    assert run(capsys, "models", "--check")[0] == 0
    if names:
        assert "## Figures" in run(capsys, "models", names[0])[1]


def test_train_then_evaluate_and_predict_with_the_trained_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, out = made_up_tables(tmp_path / "data", n=150), tmp_path / "out"
    code, printed, progress = run(capsys, "train", "svc-allen41", "--data", data, "--out", out, "--quick")
    assert code == 0
    assert str(out / "svc-allen41") in printed
    assert "svc: 3/3" in progress
    code, printed, _ = run(capsys, "evaluate", out / "svc-allen41", "--data", data, "--json")
    assert code == 0
    assert json.loads(printed)["mouse"]["mean"]["accuracy"] > 0.5
    assert run(capsys, "evaluate", out / "svc-allen41", "--data", data)[0] == 0
    table = data / "ephys" / "human_features.csv"
    code, printed, _ = run(capsys, "predict", table, "--model", out / "svc-allen41", "--json")
    assert code == 0
    assert len(json.loads(printed)) == 75


def test_train_without_data_says_which_file_it_wants(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "train", "svc-allen41", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "mouse_features.csv" in err


def test_an_unknown_recipe_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "alchemy", "--data", str(tmp_path), "--out", str(tmp_path)])
    assert caught.value.code == 2
