"""A network that draws what it saw: the residual body, and its mirror image back to the projections."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .resnet import ResidualBlock, ResnetBody, ResnetShape

__all__ = ["MirrorAutoencoder"]


class MirrorAutoencoder(nn.Module):
    """Body and mirrored decoder: the same stages in reverse order, each doubling the image instead of halving it.

    What is learned is kept in :attr:`body`; the decoder serves only to teach it.
    """

    def __init__(self, shape: ResnetShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = ResnetBody(shape)
            self.decoder = nn.Sequential(*_mirrored(shape))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Images as the body remembers them, of the same size."""
        drawn: Tensor = self.decoder(self.body(images.contiguous(memory_format=torch.channels_last)))
        return torch.sigmoid(drawn)


def _mirrored(shape: ResnetShape) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for number in reversed(range(len(shape.blocks))):
        inside = shape.width * 2**number
        outside = inside // 2 if number else inside
        layers += [ResidualBlock(inside, inside, 1) for _ in range(shape.blocks[number] - 1)]
        # doubled after the channels are halved: the same picture for a fraction of the work
        layers += [ResidualBlock(inside, outside, 1), nn.Upsample(scale_factor=2, mode="nearest")]
    w = shape.width
    layers += [nn.Conv2d(w, w // 2, 3, 1, 1, bias=False), nn.BatchNorm2d(w // 2), nn.ReLU()]
    return [*layers, nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(w // 2, 3, 7, 1, 3)]
