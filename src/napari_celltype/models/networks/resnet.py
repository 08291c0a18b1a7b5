"""A residual network of 18 layers on three projections of a neuron, after He et al. 2016, in half its usual words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["NOTHING", "ResnetBody", "ResnetClassifier", "ResnetShape", "turned"]


NOTHING = 127 / 255
"""What a pixel is that no neurite crosses; see :func:`napari_celltype.models.neuron_image.draw`."""


@dataclass(frozen=True)
class ResnetShape:
    """How large the network is.

    Parameters
    ----------
    width
        Channels of the first stage; each of the following stages has twice as many.
    blocks
        Residual blocks of each stage; two in each of four make 18 layers with stem and head.
    outputs
        Classes of each question it answers.
    dropout
        Share of the embedding left out while training.
    """

    width: int = 64
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    outputs: tuple[int, ...] = (8, 2)
    dropout: float = 0.2

    @property
    def embedding(self) -> int:
        """Numbers in the embedding."""
        return self.width * 2 ** (len(self.blocks) - 1)

    def to_settings(self) -> dict[str, Any]:
        """Plain data."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ResnetShape:
        """The reverse of :meth:`to_settings`."""
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
        return cls(**plain)


class ResidualBlock(nn.Module):
    """Two convolutions, and a way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.around: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.around = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.around(x) + self.second_norm(self.second(inner)))


class ResnetBody(nn.Module):
    """From images (n, 3, px, px) between 0 and 1 to maps (n, embedding, px / 32, px / 32)."""

    def __init__(self, shape: ResnetShape) -> None:
        super().__init__()
        w = shape.width
        self.stem = nn.Sequential(nn.Conv2d(3, w, 7, 2, 3, bias=False), nn.BatchNorm2d(w), nn.ReLU())
        self.shrink = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.Sequential(*(_stage(w, number, count) for number, count in enumerate(shape.blocks)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Maps of images."""
        # nothing is at half: the border of zeros that convolutions add is then as empty as the image around a neuron
        maps: Tensor = self.stages(self.shrink(self.stem((images - NOTHING) * 6)))
        return maps


def _stage(width: int, number: int, count: int) -> nn.Sequential:
    after = width * 2**number
    before = after if number == 0 else after // 2
    blocks = [ResidualBlock(before, after, 1 if number == 0 else 2)]
    return nn.Sequential(*blocks, *(ResidualBlock(after, after, 1) for _ in range(count - 1)))


class ResnetClassifier(nn.Module):
    """The body, averaged over the image, and one linear layer for each question.

    Parameters
    ----------
    shape
        Its size.
    generator
        Draws the first weights; the same state gives the same network.
    """

    def __init__(self, shape: ResnetShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = ResnetBody(shape)
            self.heads = nn.ModuleList([nn.Linear(shape.embedding, k) for k in shape.outputs])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def embed(self, images: Tensor) -> Tensor:
        """(n, embedding) of each image."""
        return self.body(images.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3)).float()

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[list[Tensor], Tensor]:
        """Logits of each question, and the embedding; with a generator, a part of the embedding is left out."""
        embedding = self.embed(images)
        seen = embedding
        if generator is not None and self.shape.dropout:
            kept = torch.rand(seen.shape, generator=generator) >= self.shape.dropout
            seen = seen * kept / (1 - self.shape.dropout)
        return [head(seen) for head in self.heads], embedding

    def summarise(self, images: Tensor, views: int = 4) -> tuple[Tensor, ...]:
        """Log-probabilities of each question and the embedding, averaged over the neuron and its mirror images."""
        found = [self(turned(images, bits)) for bits in _TURNS[:views]]
        shares = [
            torch.stack([logits[q].softmax(dim=1) for logits, _ in found]).mean(dim=0).clamp_min(1e-9).log()
            for q in range(len(self.heads))
        ]
        return (*shares, torch.stack([embedding for _, embedding in found]).mean(dim=0))


_TURNS = ((0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0))
"""Which axes are mirrored in each view: x and z, since y points to where the neuron reaches farther."""


def turned(images: Tensor, bits: tuple[int, int, int, int] | Tensor) -> Tensor:
    """Projections of the neuron mirrored in x, in y, in z, and with x and y exchanged, as asked.

    Nothing has to be drawn anew: the three views along z, y and x change places and are flipped.

    Parameters
    ----------
    images
        (n, 3, px, px) as :func:`napari_celltype.models.neuron_image.draw` makes them.
    bits
        What to do, for all images, or (n, 4) for each.
    """
    wanted = torch.as_tensor(bits).reshape(-1, 4, 1, 1, 1).expand(len(images), 4, 1, 1, 1).bool()
    along_z, along_y, along_x = images[:, 0], images[:, 1], images[:, 2]
    across, down = -1, -2
    mirrored_x = torch.stack([along_z.flip(across), along_y.flip(across), along_x], dim=1)
    images = torch.where(wanted[:, 0], mirrored_x, images)
    mirrored_y = torch.stack([images[:, 0].flip(down), images[:, 1], images[:, 2].flip(down)], dim=1)
    images = torch.where(wanted[:, 1], mirrored_y, images)
    mirrored_z = torch.stack([images[:, 0], images[:, 1].flip(down), images[:, 2].flip(across)], dim=1)
    images = torch.where(wanted[:, 2], mirrored_z, images)
    exchanged = images[:, [0, 2, 1]].transpose(-1, -2).flip((-1, -2))
    return torch.where(wanted[:, 3], exchanged, images)
