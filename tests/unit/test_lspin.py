"""LSPIN: gates and logits against an independent computation, its penalties against numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import multivariate_t, norm

from napari_celltype.models.density import Clouds, SoftenedClouds
from napari_celltype.models.networks.lspin import Lspin, LspinShape, gate_similarity, open_probability
from napari_celltype.models.networks.stacked import StackedNorm


def by_hand(network: Lspin, member: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One member's logits and gates in plain numpy, as the paper's formulas and its code's details have them."""
    state = {name: tensor.numpy()[member].astype(float) for name, tensor in network.state_dict().items()}

    def dense(part: str, h: np.ndarray, n: int) -> np.ndarray:
        for i in range(n):
            mean, variance = state[f"{part}.norms.{i}.running_mean"], state[f"{part}.norms.{i}.running_var"]
            h = (h - mean) / np.sqrt(variance + 1e-3) * state[f"{part}.norms.{i}.scale"] + state[
                f"{part}.norms.{i}.shift"
            ]
            h = np.tanh(h @ state[f"{part}.layers.{i}.weight"] + state[f"{part}.layers.{i}.bias"])
        return h

    gates = np.clip(dense("gating", x, 4) + 0.5, 0, 1)
    return dense("prediction", x * gates, 3), gates


def trained(shape: LspinShape, steps: int = 30) -> tuple[Lspin, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    network = Lspin(shape, generator)
    x = torch.randn(shape.members, 200, shape.features, generator=generator)
    truth = (x[..., 0] > 0).long()
    optimiser = torch.optim.SGD(network.parameters(), 0.5)
    for _ in range(steps):
        noise = shape.sigma * torch.randn(x.shape, generator=generator)
        logits, _, centres = network(x, torch.ones_like(x), noise=noise)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), truth.flatten())
        optimiser.zero_grad()
        (loss + 0.5 * open_probability(centres, shape.sigma).mean()).backward()
        optimiser.step()
    return network.eval().requires_grad_(False), x


def test_the_published_sizes_are_the_defaults() -> None:
    network = Lspin(LspinShape(), torch.Generator())
    shapes = {n: tuple(p.shape[1:]) for n, p in network.named_parameters() if n.endswith("weight")}
    assert [s for n, s in shapes.items() if n.startswith("gating")] == [(41, 50), (50, 50), (50, 50), (50, 41)]
    assert [s for n, s in shapes.items() if n.startswith("prediction")] == [(41, 40), (40, 20), (20, 5)]


def test_logits_and_gates_of_every_member_are_the_formulas() -> None:
    network, x = trained(LspinShape(members=3, classes=2))
    logits, gates, _ = network(x, torch.ones_like(x))
    for member in range(3):
        expected, opened = by_hand(network, member, x[member].numpy().astype(float))
        assert logits[member].numpy() == pytest.approx(expected, abs=1e-5)
        assert gates[member].numpy() == pytest.approx(opened, abs=1e-5)


def test_training_keeps_the_telling_feature_open_and_shuts_others() -> None:
    network, x = trained(LspinShape(members=2, features=12, classes=2, gating=(20,), hidden=(16,)), steps=400)
    _, gates, _ = network(x, torch.ones_like(x))
    usual = gates.mean(dim=(0, 1))
    assert usual[0] > 0.8
    assert usual[1:].mean() < 0.3


def test_the_gate_of_an_unmeasured_feature_is_shut_and_its_value_does_not_matter() -> None:
    network, x = trained(LspinShape(members=2, classes=2, sees_gaps=True, normalise=False, bounded=False))
    known = torch.ones_like(x)
    known[..., 5:9] = 0
    logits, gates, _ = network(x, known)
    assert (gates[..., 5:9] == 0).all()
    alone = network.prediction(torch.where(known.bool(), x, 99.0) * gates)
    assert torch.allclose(alone, logits, atol=1e-5)


def test_open_probability_is_the_chance_that_noise_leaves_a_gate_above_zero() -> None:
    centres = torch.linspace(-1.5, 1.5, 13)
    assert open_probability(centres, 0.5).numpy() == pytest.approx(norm.sf(0, loc=centres.numpy() + 0.5, scale=0.5))


def test_similarity_penalises_different_gates_of_like_cells_only() -> None:
    x = torch.tensor([[[0.0, 0.0], [0.0, 0.1], [50.0, 50.0]]])
    like = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    unlike = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    assert gate_similarity(like, x).item() == pytest.approx(0, abs=1e-6)
    kernel = np.exp(-0.01 / (2 * 25))
    assert gate_similarity(unlike, x).item() == pytest.approx(2 * kernel * 2 / 9, rel=1e-4)


def test_normalisation_with_weights_equals_leaving_the_padding_out() -> None:
    x = torch.randn(1, 50, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(1, 50, 1)
    weight[:, 40:] = 0
    padded, cut = StackedNorm(1, 4), StackedNorm(1, 4)
    assert torch.allclose(padded(x, weight)[:, :40], cut(x[:, :40]), atol=1e-6)
    assert torch.allclose(padded.running_var, cut.running_var, atol=1e-7)


def test_the_ensemble_says_the_mean_of_its_members_probabilities() -> None:
    network, x = trained(LspinShape(members=3, classes=2))
    cells = x[0, :7]
    logs, gates, hidden = network.summarise(cells, torch.ones_like(cells))
    logits, opened, _ = network(cells.expand(3, -1, -1), torch.ones(3, 7, 41))
    assert torch.allclose(logs.exp(), logits.softmax(-1).mean(0), atol=1e-6)
    assert torch.allclose(gates, opened.mean(0))
    assert hidden.shape == (7, 60)


def clouds() -> tuple[Clouds, np.ndarray]:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 5, 5)) / 4 + np.eye(5)
    found = Clouds(
        rng.normal(size=(4, 5)), root @ root.transpose(0, 2, 1), np.log([5.0, 1, 2, 2]), np.array([0, 0, 1, 2]), 8
    )
    return found, rng.normal(size=(30, 5))


def test_a_cloud_is_scipys_multivariate_t_and_hidden_features_are_integrated_out() -> None:
    density, x = clouds()
    for columns in (np.arange(5), np.array([0, 3])):
        fits = np.stack(
            [
                multivariate_t.logpdf(x[:, columns], mean[columns], spread[np.ix_(columns, columns)], df=8) + share
                for mean, spread, share in zip(density.means, density.spreads, density.log_shares, strict=True)
            ],
            axis=1,
        )
        shares = softmax(fits, axis=1)
        expected = np.stack([shares[:, :2].sum(1), shares[:, 2], shares[:, 3]], axis=1)
        assert np.exp(density.log_probabilities(x, columns)) == pytest.approx(expected)


def test_gaps_are_judged_by_what_is_known_and_nothing_known_gives_the_usual_shares() -> None:
    density, x = clouds()
    soft = SoftenedClouds(density, np.array([2.0, 5.0]), np.array([1.0, 1.0]))
    x[0, [1, 2]], x[1] = np.nan, np.nan
    found = np.exp(soft.log_probabilities(x, np.array([True] * 4 + [False])))
    alone = np.exp(density.log_probabilities(np.nan_to_num(x[:1]), np.array([0, 3])))
    assert found[0] == pytest.approx(alone[0])
    assert found[1] == pytest.approx([0.6, 0.2, 0.2])
    assert found.sum(axis=1) == pytest.approx(1)


def test_softening_follows_the_number_of_known_features_and_survives_storing() -> None:
    density, x = clouds()
    soft = SoftenedClouds(density, np.array([1.0, 5.0]), np.array([1.0, 0.2]))
    again = SoftenedClouds.from_arrays(soft.to_arrays())
    everything = np.ones(5, dtype=bool)
    logs = density.log_probabilities(x)
    assert np.exp(soft.log_probabilities(x, everything)) == pytest.approx(softmax(0.2 * logs, axis=1))
    assert again.log_probabilities(x, everything) == pytest.approx(soft.log_probabilities(x, everything), abs=1e-4)
