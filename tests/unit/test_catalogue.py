"""Models on disk: found by name, refused when anything about them is not as published."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_celltype.errors import ModelError
from napari_celltype.models.base import check_arrays
from napari_celltype.models.bundle import ModelInfo, read_bundle, read_info, write_bundle
from napari_celltype.models.catalogue import list_models, load_model, model_infos, weights_folder
from napari_celltype.models.features import FEATURE_NAMES

N = len(FEATURE_NAMES)


def linear_model(folder: Path, name: str = "small", version: str = "1.0.0") -> Path:
    """A model whose class 'b' grows likelier with the first feature."""
    coefficients = np.zeros((N, 2))
    coefficients[0] = [-1, 1]
    weights = {
        "linear.coefficients": coefficients,
        "linear.intercept": np.zeros(2),
        "prepare.sign": np.zeros(N),
        "prepare.shift": np.zeros(N),
        "prepare.centre": np.zeros(N),
        "prepare.scale": np.ones(N),
        "prepare.covariance": np.eye(N),
        "doubts.means": np.zeros((2, N)),
        "doubts.covariance": np.eye(N),
        "doubts.low": np.full(N, -5.0),
        "doubts.high": np.full(N, 5.0),
    }
    x = np.linspace(-1, 1, 3 * N).reshape(3, N)
    p = 1 / (1 + np.exp(-2 * x[:, 0]))
    info = ModelInfo(
        name,
        version,
        task="two made-up classes",
        input="features",
        kind="linear",
        classes=("a", "b"),
        settings={"abstain": {"farthest": 6.0, "min_confidence": 0.6, "min_features": 5}},
    )
    check = check_arrays({"features": x}, {"probabilities": np.stack([1 - p, p], axis=1)})
    write_bundle(folder / name / version, info, weights, check, "# Small\n")
    return folder / name / version


def test_a_model_is_found_by_name_and_its_self_test_agrees(tmp_path: Path) -> None:
    linear_model(tmp_path)
    model = load_model("small", folder=tmp_path)
    assert model.classes == ["a", "b"]
    assert model.card == "# Small\n"
    assert model.self_test() < 1e-12


def test_the_newest_version_is_taken_by_number_not_by_spelling(tmp_path: Path) -> None:
    linear_model(tmp_path, version="1.9.0")
    linear_model(tmp_path, version="1.10.0")
    assert load_model("small", folder=tmp_path).version == "1.10.0"
    assert load_model("small", "1.9.0", folder=tmp_path).version == "1.9.0"
    with pytest.raises(ModelError, match=r"no version '2.0.0'.*1\.9\.0, 1\.10\.0"):
        load_model("small", "2.0.0", folder=tmp_path)


def test_a_trained_folder_loads_by_its_path(tmp_path: Path) -> None:
    assert load_model(linear_model(tmp_path)).name == "small"


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    linear_model(tmp_path)
    with pytest.raises(ModelError, match=r"no model named 'lpsin'.*Models here: small"):
        load_model("lpsin", folder=tmp_path)


@pytest.mark.parametrize("name", ["weights.safetensors", "check.safetensors", "CARD.md"])
def test_one_changed_bit_in_any_file_is_refused(tmp_path: Path, name: str) -> None:
    path = linear_model(tmp_path) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="SHA-256 differs") as caught:
        load_model("small", folder=tmp_path)
    assert caught.value.path == path


@pytest.mark.parametrize("keep", [0, 1, 8, 100, -1])
def test_a_truncated_weight_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = linear_model(tmp_path) / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="cut short"):
        load_model("small", folder=tmp_path)


def test_a_missing_weight_file_is_refused(tmp_path: Path) -> None:
    folder = linear_model(tmp_path)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="missing"):
        load_model("small", folder=tmp_path)


class Bomb:
    """Unpickling one touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("sum_too", [False, True], ids=["sum as published", "sum forged too"])
def test_a_pickle_in_a_weight_files_clothes_does_nothing(tmp_path: Path, sum_too: bool) -> None:
    folder = linear_model(tmp_path)
    path, mark = folder / "weights.safetensors", tmp_path / "exploded"
    before = read_info(folder).files["weights.safetensors"]
    path.write_bytes(pickle.dumps(Bomb(mark)))
    if sum_too:
        import hashlib

        text = (folder / "model.toml").read_text()
        (folder / "model.toml").write_text(text.replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(ModelError):
        load_model("small", folder=tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "small"', "name = "),
        ('kind = "linear"', 'kind = "oracle"'),
        ('classes = ["a", "b"]', 'classes = "ab'),
        ('classes = ["a", "b"]', 'classes = ["a", "b", "c"]'),
        ("[files]", "[elsewhere]"),
        ('"CARD.md" =', '"../CARD.md" ='),
    ],
)
def test_a_broken_description_is_a_model_error(tmp_path: Path, old: str, new: str) -> None:
    path = linear_model(tmp_path) / "model.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ModelError):
        load_model(path.parent).predict(np.zeros((1, N)))


def test_description_survives_writing_and_reading(tmp_path: Path) -> None:
    info = ModelInfo(
        "odd",
        "0.1.0",
        task='says "yes"\n or no',
        input="features",
        kind="linear",
        classes=("Htr3a+|Vip-", "é\\"),
        default=True,
        species=("mouse",),
        settings={"one": 1, "half": 0.5, "tiny": 1e-30, "names": ["a", "b"], "inner": {"deep": [1.5, 2.5], "on": True}},
    )
    write_bundle(tmp_path / "m", info, {"w": np.zeros(3)}, {"in.x": np.zeros(1)}, "card")
    again = read_info(tmp_path / "m")
    assert replace(again, files={}, folder=Path()) == info


def test_equal_models_are_equal_bytes(tmp_path: Path) -> None:
    first, second = linear_model(tmp_path / "1"), linear_model(tmp_path / "2")
    assert all(path.read_bytes() == (second / path.name).read_bytes() for path in first.iterdir())


def test_list_models_says_what_is_there(tmp_path: Path) -> None:
    linear_model(tmp_path)
    table = list_models(tmp_path)
    assert list(table.columns) == ["name", "version", "task", "input", "classes", "default"]
    assert table.iloc[0].to_dict() == {
        "name": "small",
        "version": "1.0.0",
        "task": "two made-up classes",
        "input": "features",
        "classes": ["a", "b"],
        "default": False,
    }
    assert isinstance(list_models(tmp_path / "empty"), pd.DataFrame)


def test_listing_and_loading_import_no_torch() -> None:
    code = (
        "import sys, napari_celltype as nct; t = nct.list_models(); [nct.load_model(n) for n in t['name']];"
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'napari')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


BUNDLED = [info.folder for info in model_infos()]


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_bundled_models_are_intact_and_compute_what_they_did_when_published(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert (folder.parent.name, folder.name) == (bundle.info.name, bundle.info.version)
    assert load_model(folder, device="cpu").self_test() < 1e-4
    assert {path.name for path in folder.iterdir()} == {*bundle.info.files, "model.toml"}


def test_no_bundled_file_is_a_pickle() -> None:
    for path in weights_folder().rglob("*"):
        assert not path.is_file() or path.suffix in {".toml", ".md", ".safetensors"}, path


@pytest.mark.parametrize("name", sorted({folder.parent.name for folder in BUNDLED}))
def test_the_documentation_shows_the_card_of_the_newest_version(name: str) -> None:
    cards = Path(__file__).resolve().parents[2] / "docs" / "cards"
    if not cards.is_dir():
        pytest.skip("the documentation is not beside these tests")
    newest = load_model(name)
    assert f"weights/{name}/{newest.version}/CARD.md" in (cards / f"{name}.md").read_text()


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: folder.parent.name)
def test_every_bundled_card_says_what_a_careful_reader_asks(folder: Path) -> None:
    card = read_bundle(folder).card
    for section in (
        "Data and terms",
        "How it was split",
        "Figures",
        "Known failures",
        "What it needs",
        "Licence",
        "Citation",
    ):
        assert f"## {section}" in card, section
    assert "nan" not in card
    assert "(0." in card or "has no accuracy to state" in card, "no interval"
