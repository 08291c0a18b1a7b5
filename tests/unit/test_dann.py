"""DANN: what gradient reversal does to gradients, its schedule, and that the adversary hides the species."""

from __future__ import annotations

import pytest
import torch

from napari_celltype.models.networks.dann import Dann, DannShape, reversal_at, reverse_gradient


def test_reversal_leaves_values_and_turns_gradients_round() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    y = reverse_gradient(x, 0.7)
    assert torch.equal(y, x)
    (y * torch.arange(12.0).view(4, 3)).sum().backward()
    assert torch.allclose(x.grad, -0.7 * torch.arange(12.0).view(4, 3))


def test_the_schedule_has_the_published_values() -> None:
    assert [reversal_at(p) for p in (0, 0.1, 0.5, 1)] == pytest.approx([0, 0.46211716, 0.98661430, 0.99990920])
    assert reversal_at(1, most=0.3) == pytest.approx(0.29997276)


def test_only_the_shared_layers_feel_the_reversal() -> None:
    torch.manual_seed(0)
    x, origin = torch.randn(1, 20, 41), torch.randint(2, (20,))

    def gradients(strength: float) -> tuple[torch.Tensor, torch.Tensor]:
        network = Dann(DannShape(), torch.Generator().manual_seed(1))
        torch.nn.functional.cross_entropy(network(x, strength)[1][0], origin).backward()
        return network.shared.layers[0].weight.grad, network.species.layers[0].weight.grad

    shared_1, species_1 = gradients(1.0)
    shared_half, species_half = gradients(0.5)
    assert torch.allclose(shared_half, 0.5 * shared_1, atol=1e-7)
    assert torch.allclose(species_half, species_1)
    assert shared_1.abs().max() > 0


def trained(most: float) -> tuple[float, float]:
    """Shares of labels and of species that a network finds after training with this much reversal."""
    generator = torch.Generator().manual_seed(0)
    species = torch.arange(400) % 2
    truth = torch.randint(2, (400,), generator=generator)
    x = torch.randn(400, 6, generator=generator)
    x[:, 0] += 3.0 * species
    x[:, 1] += 4.0 * truth
    network = Dann(DannShape(features=6, shared=(16, 8)), generator)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(400):
        said, origin = network(x[None], reversal_at(step / 400, most))
        loss = torch.nn.functional.cross_entropy(said[0], truth) + torch.nn.functional.cross_entropy(origin[0], species)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        said, origin = network(x[None])
    return tuple(
        float((found[0].argmax(-1) == true).float().mean()) for found, true in ((said, truth), (origin, species))
    )


def test_the_adversary_hides_the_species_and_keeps_the_label() -> None:
    (label_without, species_without), (label_with, species_with) = trained(0.0), trained(1.0)
    assert min(label_without, label_with) > 0.93
    assert species_without > 0.8
    assert species_with < 0.7
