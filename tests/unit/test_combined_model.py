"""Models made of other models: the joined one answers, and refuses parts that are missing or others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_celltype.errors import ModelError
from napari_celltype.models.bundle import Arrays, ModelInfo, read_info
from napari_celltype.models.calibration import softmax
from napari_celltype.models.catalogue import load_model
from napari_celltype.models.combined_model import CombinedModel, as_logs
from napari_celltype.models.networks.combined import CombinedHead, CombinedShape
from napari_celltype.models.networks.resnet import ResnetClassifier, ResnetShape
from napari_celltype.models.networks.tree_lstm import TreeLstm, TreeShape
from napari_celltype.models.neuron_doubts import NeuronDoubts, fit_neuron_doubts
from napari_celltype.models.neuron_features import wide_features
from napari_celltype.models.neuron_form import NeuronForm, piece_columns, standardise
from napari_celltype.models.parts import Part
from napari_celltype.morphology import simulate
from napari_celltype.neuron import Neuron
from napari_celltype.training.combined_fit import JoinTeaching, fit_head, fit_mixing, head_answers
from napari_celltype.training.neuron_packing import pack_neuron_model

CLASSES = ("pyramidal", "granule")
TREE_FORM = NeuronForm(piece_um=100.0)
IMAGE_FORM = NeuronForm(image_px=32)


@pytest.fixture(scope="module")
def neurons() -> list[Neuron]:
    return [simulate(kind, seed, spacing_um=25.0) for kind in CLASSES for seed in range(6)]


@pytest.fixture(scope="module")
def doubts(neurons: list[Neuron]) -> NeuronDoubts:
    wide = wide_features([standardise(neuron) for neuron in neurons]).to_numpy(float)
    return fit_neuron_doubts(wide, np.repeat([0, 1], 6), np.tile([0, 1], 6), CLASSES, min_confidence=0.0)


def even(n_experts: int) -> Arrays:
    """Every expert counts alike."""
    scores = [np.zeros((4, 2))] * n_experts
    return fit_mixing(scores, np.array([0, 1, 0, 1]), 2)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def out(neurons: list[Neuron], doubts: NeuronDoubts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny image model, a two-question sibling that refers to it, a tiny tree model, and the three joined."""
    import torch

    out = tmp_path_factory.mktemp("models")
    generator = torch.Generator().manual_seed(0)
    image = ResnetClassifier(ResnetShape(4, (1, 1), (2, 2)), generator)
    tree = TreeLstm(TreeShape(len(piece_columns()), 8, 8, (2, 2)), generator)

    def pack(info: ModelInfo, weights: Arrays, form: NeuronForm, n_experts: int = 1) -> Part:
        calibration = even(n_experts)
        return Part.of(
            pack_neuron_model(out, info, weights, calibration=calibration, doubts=doubts, form=form, card="")  # type: ignore[arg-type]
        )

    def info(name: str, kind: str, **settings: object) -> ModelInfo:
        return ModelInfo(name, "1.0.0", "", "neuron", kind, CLASSES, settings=settings)

    def tensors(network: torch.nn.Module) -> Arrays:
        return {f"network.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}

    shape = image.shape.to_settings()
    image_part = pack(info("resnet18", "resnet", network=shape, question=0), tensors(image), IMAGE_FORM)
    sibling = info("resnet18-2class", "resnet", network=shape, question=1, parts=[image_part.to_settings()])
    pack(sibling, {}, IMAGE_FORM)
    tree_settings = {"network": {**tree.shape.to_settings(), "heads": [2, 2]}, "outputs": [0, 2]}
    tree_part = pack(info("tree-lstm", "tree-lstm", **tree_settings), tensors(tree), TREE_FORM)
    head = CombinedHead(CombinedShape((8, 8), 8, (2, 2)), generator)
    names = ["resnet18", "tree-lstm"]
    joined = info(
        "resnet18-tree-lstm",
        "resnet-tree",
        network=head.shape.to_settings(),
        question=0,
        experts=names,
        embeddings=names,
        parts=[image_part.to_settings(), tree_part.to_settings()],
    )
    pack(joined, tensors(head), NeuronForm(), n_experts=3)
    return out


def test_the_joined_embedding_is_that_of_the_parts_side_by_side(out: Path, neurons: list[Neuron]) -> None:
    joined = load_model(out / "resnet18-tree-lstm").predict(neurons[:3])
    parts = [load_model(out / name).predict(neurons[:3]).embedding for name in ("resnet18", "tree-lstm")]
    assert joined.embedding is not None
    np.testing.assert_allclose(joined.embedding, np.concatenate([p for p in parts if p is not None], axis=1), atol=1e-5)
    np.testing.assert_allclose(joined.probabilities.sum(axis=1), 1.0)


def test_scores_are_the_parts_logs_weighed(out: Path, neurons: list[Neuron]) -> None:
    model = load_model(out / "resnet18-tree-lstm")
    assert isinstance(model, CombinedModel)
    prepared = [model.prepare(neuron) for neuron in neurons[:3]]
    scores, _ = model.evaluate(prepared)
    assert scores.shape == (3, 6)
    image = load_model(out / "resnet18")
    own = as_logs(image.evaluate([image.prepare(neuron) for neuron in neurons[:3]])[0])  # type: ignore[attr-defined]
    np.testing.assert_allclose(scores[:, 2:4], own, atol=1e-5)
    thirds = softmax(scores.reshape(3, 3, 2).mean(axis=1))
    np.testing.assert_allclose(model.predict(neurons[:3]).probabilities, thirds, atol=1e-5)


def test_all_models_pass_their_own_test(out: Path) -> None:
    for name in ("resnet18", "resnet18-2class", "tree-lstm", "resnet18-tree-lstm"):
        assert load_model(out / name).self_test() < 1e-5


def test_the_sibling_stores_no_network_of_its_own(out: Path, neurons: list[Neuron]) -> None:
    sibling = load_model(out / "resnet18-2class")
    assert not any(name.startswith("network.") for name in sibling.weights)
    said, own = sibling.predict(neurons[:2]), load_model(out / "resnet18").predict(neurons[:2])
    np.testing.assert_allclose(said.embedding, own.embedding)  # type: ignore[arg-type]


def test_a_missing_part_is_named(out: Path, neurons: list[Neuron], tmp_path: Path) -> None:
    shutil.copytree(out / "resnet18-tree-lstm", tmp_path / "elsewhere" / "resnet18-tree-lstm")
    shutil.copytree(out / "resnet18", tmp_path / "elsewhere" / "resnet18")
    model = load_model(tmp_path / "elsewhere" / "resnet18-tree-lstm")
    with pytest.raises(ModelError, match=r"tree-lstm 1\.0\.0"):
        model.predict(neurons[0])


def test_a_part_with_other_weights_is_refused(out: Path, neurons: list[Neuron], tmp_path: Path) -> None:
    from dataclasses import replace

    from napari_celltype.models.bundle import read_bundle, write_bundle

    shutil.copytree(out, tmp_path / "models")
    folder = tmp_path / "models" / "resnet18"
    bundle = read_bundle(folder)
    changed = {**bundle.weights, "network.heads.0.bias": bundle.weights["network.heads.0.bias"] + 1}
    write_bundle(folder, replace(read_info(folder), files={}), changed, bundle.check_tensors(), "")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(tmp_path / "models" / "resnet18-tree-lstm").predict(neurons[0])
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(tmp_path / "models" / "resnet18-2class").predict(neurons[0])


def test_weights_do_not_fit_another_number_of_experts(out: Path, tmp_path: Path) -> None:
    from napari_celltype.models.bundle import read_bundle, write_bundle

    folder = tmp_path / "resnet18-tree-lstm"
    shutil.copytree(out / "resnet18-tree-lstm", folder)
    bundle = read_bundle(folder)
    fewer = {**bundle.weights, "calibration.weight": bundle.weights["calibration.weight"][:4]}
    write_bundle(folder, bundle.info, fewer, bundle.check_tensors(), "")
    with pytest.raises(ModelError, match="4 scores, not 6"):
        load_model(folder)


# fitting --------------------------------------------------------------------------------------------------------------


def test_weights_go_to_the_expert_that_knows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    noise = rng.normal(size=(400, 3))
    knows = as_logs(3 * np.eye(3)[truth] + noise)
    guesses = as_logs(3 * rng.normal(size=(400, 3)))
    found = fit_mixing([knows, guesses], truth, 3)
    assert found.weight[0, 0] > 10 * found.weight[3, 0]
    assert found.weight.min() >= 0
    shares = found(np.concatenate([knows, guesses], axis=1))
    assert -np.log(shares[np.arange(400), truth]).mean() < -np.log(softmax(knows)[np.arange(400), truth]).mean() + 0.01


@pytest.mark.parametrize("form", ["last", "hidden"])
def test_the_joining_network_uses_both_embeddings(form: str) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (300, 2))
    # which of four classes it is, neither half tells alone
    joined = np.concatenate([np.repeat(bits[:, :1], 6, axis=1), np.repeat(bits[:, 1:], 4, axis=1)], axis=1).astype(
        float
    )
    joined += 0.1 * rng.normal(size=joined.shape)
    truth = bits @ [2, 1]
    teaching = JoinTeaching(form=form, epochs=40, learning_rate=3e-3)
    head = fit_head([joined[:200]], (6, 4), truth[:200], np.full(200, -1), 4, teaching, 0)
    said = head_answers(head, joined[200:])
    assert (said[0].argmax(axis=1) == truth[200:]).mean() > 0.95
    np.testing.assert_allclose(np.exp(said[0]).sum(axis=1), 1.0, rtol=1e-5)


def test_an_unknown_form_of_joining_is_refused() -> None:
    with pytest.raises(ValueError, match="last or hidden"):
        CombinedShape(form="middle")
