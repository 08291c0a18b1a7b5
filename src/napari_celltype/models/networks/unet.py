"""A U-Net that draws its input again, with a classifier on its narrowest layer; one of the paper's comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["UnetClassifier", "UnetShape"]


@dataclass(frozen=True)
class UnetShape:
    """Channels of the first level, levels, and classes."""

    width: int = 16
    levels: int = 4
    classes: int = 8


class UnetClassifier(nn.Module):
    """Encoder, decoder with bridges between levels of equal size, and a linear classifier on the encoder's end.

    Parameters
    ----------
    shape
        Its size; images must be divisible by two to the number of levels.
    generator
        Draws the first weights.
    """

    def __init__(self, shape: UnetShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.width * 2**level for level in range(shape.levels + 1)]
        seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.down = nn.ModuleList([_pair(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True)])
            self.rise = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in _steps_up(widths)])
            self.up = nn.ModuleList([_pair(2 * a, a) for a, _ in _steps_up(widths)])
            self.paint = nn.Conv2d(widths[0], 3, 1)
            self.head = nn.Linear(widths[-1], shape.classes)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Maps of each level, the narrowest last."""
        levels: list[Tensor] = []
        for number, pair in enumerate(self.down):
            before = images if number == 0 else nn.functional.max_pool2d(levels[-1], 2)
            levels.append(pair(before))
        return levels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes), and the images drawn again (n, 3, px, px)."""
        levels = self.encode(images)
        logits: Tensor = self.head(levels[-1].mean(dim=(2, 3)))
        x = levels[-1]
        for rise, pair, bridge in zip(self.rise, self.up, reversed(levels[:-1]), strict=True):
            x = pair(torch.cat([rise(x), bridge], dim=1))
        return logits, torch.sigmoid(self.paint(x))


def _steps_up(widths: list[int]) -> list[tuple[int, int]]:
    return list(zip(widths[-2::-1], widths[:0:-1], strict=True))


def _pair(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, 1, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, 1, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
