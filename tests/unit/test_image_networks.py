"""Images of neurons and the networks on them: what is drawn, mirrored, embedded, drawn again, read as a list."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_celltype.errors import NeuronError
from napari_celltype.models.networks.autoencoder import MirrorAutoencoder
from napari_celltype.models.networks.neuron_sequence import SequenceClassifier, SequenceShape
from napari_celltype.models.networks.resnet import ResnetClassifier, ResnetShape, turned
from napari_celltype.models.networks.unet import UnetClassifier, UnetShape
from napari_celltype.models.neuron_image import NOTHING, draw, draw_as_it_lies
from napari_celltype.morphology import simulate
from napari_celltype.neuron import Neuron
from napari_celltype.training.neuron_images import draw_copies
from napari_celltype.training.resnet_fit import ImageTeaching, answer_images, fit_resnet, pretrain

TINY = ResnetShape(width=4, blocks=(1, 1, 1, 1))
MIRRORS = {
    (1, 0, 0, 0): np.diag([-1, 1, 1]),
    (0, 1, 0, 0): np.diag([1, -1, 1]),
    (0, 0, 1, 0): np.diag([1, 1, -1]),
    (0, 0, 0, 1): np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    (1, 0, 1, 1): np.array([[0, 1, 0], [-1, 0, 0], [0, 0, -1]]),
}


@pytest.fixture(scope="module")
def cell() -> Neuron:
    return simulate("basket", 3, spacing_um=20.0)


def line(kind: int) -> Neuron:
    xyz = np.column_stack([np.zeros(11), np.linspace(0, 100, 11), np.zeros(11)])
    return Neuron.from_arrays(xyz, np.arange(-1, 10), types=[1, *[kind] * 10])


# images ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", MIRRORS)
def test_turning_images_equals_drawing_the_turned_neuron(cell: Neuron, bits: tuple[int, int, int, int]) -> None:
    moved = cell.replace(xyz_um=cell.xyz_um @ MIRRORS[bits].T)
    by_pixels = turned(torch.from_numpy(draw_as_it_lies(cell, 32)[None].astype(np.int16)), bits)[0].numpy()
    assert np.abs(by_pixels - draw_as_it_lies(moved, 32)).max() <= 1


def test_each_image_of_a_batch_is_turned_as_it_is_asked(cell: Neuron) -> None:
    images = torch.from_numpy(draw_as_it_lies(cell, 32)[None].astype(np.int16)).repeat(3, 1, 1, 1)
    bits = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 1], [0, 1, 1, 0]])
    together = turned(images, bits)
    for row in range(3):
        torch.testing.assert_close(together[row], turned(images[row : row + 1], tuple(bits[row].tolist()))[0])


def test_dendrites_are_bright_and_axons_dark_on_grey() -> None:
    bright, dark = draw_as_it_lies(line(3), 32)[0], draw_as_it_lies(line(2), 32)[0]
    corner, far_from_soma = (0, 0), (8, 15)
    assert bright[corner] == dark[corner] == NOTHING
    assert bright[far_from_soma] > NOTHING > dark[far_from_soma]


def test_more_cable_behind_a_pixel_shows_more(cell: Neuron) -> None:
    once = line(3)
    twice = once.append(once.xyz_um[1:], [0, *range(11, 20)], types=once.types[1:], radii_um=once.radii_um[1:])
    assert draw_as_it_lies(twice, 32)[0, 8, 15] > draw_as_it_lies(once, 32)[0, 8, 15]


def test_the_image_does_not_tell_place_size_radii_or_density(cell: Neuron) -> None:
    from napari_celltype.morphology import resample

    plain = draw(cell, 48).astype(int)
    moved = cell.replace(xyz_um=cell.xyz_um * 3 + 500, radii_um=np.full(len(cell), 9.0))
    np.testing.assert_array_equal(draw(moved, 48), plain)
    denser = draw(resample(cell, 5.0, max_length_loss=None), 48).astype(int)
    assert np.abs(denser - plain).mean() < 2.0


def test_nothing_to_draw_is_said() -> None:
    nowhere = line(3).replace(xyz_um=np.full((11, 3), np.nan))
    with pytest.raises(NeuronError, match="no node with a position"):
        draw(nowhere)


def test_copies_follow_from_the_seed_and_differ(cell: Neuron) -> None:
    first, again, other = (draw_copies([cell], 2, 32, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0, 0], draw(cell, 32))
    assert (first[0, 1] != first[0, 2]).any()
    assert (first[0, 1] != other[0, 1]).any()


# networks -------------------------------------------------------------------------------------------------------------


def test_the_full_network_has_eighteen_layers_and_512_numbers() -> None:
    network = ResnetClassifier(ResnetShape())
    weighted = [m for m in network.body.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size != (1, 1)]
    assert len(weighted) + 1 == 18
    assert network.eval().embed(torch.rand(1, 3, 64, 64)).shape == (1, 512)


def test_mirrored_neurons_get_the_same_answer() -> None:
    network = ResnetClassifier(TINY, torch.Generator().manual_seed(1)).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        plain, mirrored = network.summarise(images), network.summarise(turned(images, (1, 0, 1, 0)))
    for one, other in zip(plain, mirrored, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain[0].exp().sum(dim=1), torch.ones(2))


def test_the_network_learns_to_tell_two_kinds_apart() -> None:
    neurons = [line(kind) for kind in (2, 3) for _ in range(12)]
    images = draw_copies(neurons, 0, 32, 0)
    truth = np.repeat([0, 1], 12)
    teaching = ImageTeaching(
        shape=ResnetShape(width=4, blocks=(1, 1, 1, 1), outputs=(2, 2)), image_px=32, epochs=8, batch=8, copies=0
    )
    network = fit_resnet(images, truth, np.full(24, -1), teaching, 0)
    said = answer_images(network, images[:, 0])
    assert (said.scores[0].argmax(axis=1) == truth).all()
    assert said.embedding.shape == (24, TINY.embedding)


def test_the_same_seed_teaches_the_same_network() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 1, 3, 32, 32)).astype(np.uint8)
    truth = np.tile([0, 1], 8)
    teaching = ImageTeaching(shape=ResnetShape(width=4, blocks=(1, 1), outputs=(2, 2)), epochs=1, batch=8)
    first, again = (fit_resnet(images, truth, truth, teaching, 5).state_dict() for _ in range(2))
    for name in first:
        torch.testing.assert_close(first[name], again[name])


def test_the_autoencoder_draws_what_it_saw_better_with_practice(cell: Neuron) -> None:
    images = draw_copies([cell], 3, 32, 0)
    little, much = (ImageTeaching(shape=TINY, image_px=32, pretrained_steps=steps) for steps in (1, 40))
    assert pretrain_error(images, much) < pretrain_error(images, little)


def test_what_the_autoencoder_learned_fits_the_classifier_and_its_pictures_their_size(cell: Neuron) -> None:
    teaching = ImageTeaching(shape=TINY, image_px=32, pretrained_steps=1)
    ResnetClassifier(TINY).body.load_state_dict(pretrain(draw_copies([cell], 1, 32, 0), teaching, 0))
    assert MirrorAutoencoder(TINY)(torch.rand(2, 3, 32, 32)).shape == (2, 3, 32, 32)


def pretrain_error(images: np.ndarray, teaching: ImageTeaching) -> float:
    """Loss of the last step."""
    from unittest.mock import patch

    from napari_celltype.training import fitting, resnet_fit

    seen: list[float] = []

    def spy(*args: object, **options: object) -> float:
        seen.append(fitting.fit(*args, **options))  # type: ignore[arg-type]
        return seen[-1]

    with patch.object(resnet_fit, "fit", spy):
        pretrain(images, teaching, 0)
    return seen[-1]


def test_the_unet_classifies_and_draws() -> None:
    network = UnetClassifier(UnetShape(width=2, levels=3, classes=5)).eval()
    logits, drawn = network(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 5)
    assert drawn.shape == (2, 3, 32, 32)
    assert 0 <= float(drawn.detach().min()) <= float(drawn.detach().max()) <= 1


def test_the_list_reader_ignores_what_lies_behind_the_end() -> None:
    network = SequenceClassifier(SequenceShape(hidden=8, classes=3)).eval()
    lengths = torch.tensor([9, 4])
    nodes = torch.rand(2, 12, 7)
    other = nodes.clone()
    other[0, 9:], other[1, 4:] = 7.0, -3.0
    logits, last = network(nodes, lengths)
    assert last.shape == (2, 8)
    torch.testing.assert_close(logits, network(other, lengths)[0])
    torch.testing.assert_close(logits[1], network(nodes[1:, :4], lengths[1:])[0][0])
