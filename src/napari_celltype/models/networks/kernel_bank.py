"""A bank of random kernels over the slope of a window, and a kernel machine on what they answer.

Of each kernel's answer only one number is kept: the share of the window in which it exceeds a threshold, that is, for
how long the trace bends in a certain way. After ROCKET (Dempster, Petitjean and Webb, 2020), with one change: the
threshold is as soft as the noise of a good recording is wide. With hard thresholds the shares also measure the noise,
which tells a cell's sampling rate apart, and with it, in the labelled data, its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["BankShape", "KernelExpert", "draw_bank"]

_KERNEL = 9


@dataclass(frozen=True)
class BankShape:
    """Sizes.

    Parameters
    ----------
    reaches
        Distances between the samples a kernel touches.
    each
        Kernels for each reach and each of slope and bend (first and second difference).
    supports, outputs
        Blends of cells that a cell is compared with, and classes.
    """

    reaches: tuple[int, ...] = (1, 2, 3, 5, 8, 12)
    each: int = 50
    supports: int = 0
    outputs: int = 5

    @property
    def kernels(self) -> int:
        """Kernels in all."""
        return 2 * len(self.reaches) * self.each


class KernelExpert(nn.Module):
    """Shares of all kernels, standardised, compared with those of the supports by a radial kernel."""

    kernels: Tensor
    thresholds: Tensor
    softness: Tensor
    centre: Tensor
    scale: Tensor
    supports: Tensor
    dual: Tensor
    gamma: Tensor

    def __init__(self, shape: BankShape) -> None:
        super().__init__()
        self.shape = shape
        n = shape.kernels
        for name, size in {
            "kernels": (n, _KERNEL),
            "thresholds": (n,),
            "softness": (n,),
            "centre": (n,),
            "scale": (n,),
            "supports": (shape.supports, n),
            "dual": (shape.supports, shape.outputs),
            "gamma": (),
        }.items():
            self.register_buffer(name, torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (items, outputs) of windows in mV."""
        return self.compare(self.standardised(x))

    def summarise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of windows, and their standardised shares."""
        shares = self.standardised(x)
        return self.compare(shares), shares

    def compare(self, shares: Tensor) -> Tensor:
        """Scores of standardised shares."""
        # in double precision, where there is any: weights of like centres are large and cancel one another
        precise = torch.float32 if shares.device.type == "mps" else torch.float64
        x, supports = shares.to(precise), self.supports.to(precise)
        squared = (x**2).sum(dim=1, keepdim=True) - 2 * x @ supports.T + (supports**2).sum(dim=1)
        return (torch.exp(-self.gamma.to(precise) * squared.clamp_min(0)) @ self.dual.to(precise)).float()

    def standardised(self, x: Tensor) -> Tensor:
        """Shares of every kernel (items, kernels), centred and scaled."""
        return (self.shares(x) - self.centre) / self.scale

    def shares(self, x: Tensor) -> Tensor:
        """For what share of the window each kernel's answer exceeds its threshold."""
        # thresholds and softness go into the convolution: answers are then passed over once and not four times
        kernels, bias = self.kernels / self.softness[:, None], -self.thresholds / self.softness
        return torch.cat([answers.sigmoid_().mean(dim=-1) for _, answers in self._answers(x, kernels, bias)], dim=1)

    def _answers(self, x: Tensor, kernels: Tensor, bias: Tensor) -> Iterator[tuple[slice, Tensor]]:
        first = 0
        for order in (1, 2):
            source = x.diff(n=order, dim=-1)[:, None, :]
            for reach in self.shape.reaches:
                part = slice(first, first + self.shape.each)
                yield part, nn.functional.conv1d(source, kernels[part, None, :], bias[part], dilation=reach)
                first = part.stop

    @torch.no_grad()
    def learn_thresholds(self, x: Tensor, rng: np.random.Generator, noise_mv: float) -> None:
        """Draw each threshold from what its kernel answers to training windows; learn centre and scale of shares."""
        for part, answers in self._answers(x, self.kernels, torch.zeros(self.shape.kernels)):
            for kernel, row in zip(range(part.start, part.stop), answers.transpose(0, 1), strict=True):
                one = row[int(rng.integers(len(row)))]
                self.thresholds[kernel] = torch.quantile(one, float(rng.uniform(0.05, 0.95)))
        gains = [self._noise_gain(number) for number in range(self.shape.kernels)]
        self.softness.copy_(torch.tensor(gains) * noise_mv)
        shares = self.shares(x)
        self.centre.copy_(shares.mean(dim=0))
        self.scale.copy_(shares.std(dim=0) + 1e-6)

    def _noise_gain(self, number: int) -> float:
        """By how much a kernel amplifies white noise in the trace."""
        order, rest = divmod(number, len(self.shape.reaches) * self.shape.each)
        reach = self.shape.reaches[rest // self.shape.each]
        taps = np.zeros(reach * (_KERNEL - 1) + 1)
        taps[::reach] = self.kernels[number].numpy()
        for _ in range(order + 1):
            taps = np.convolve(taps, [1.0, -1.0])
        return float(np.sqrt((taps**2).sum()))


def draw_bank(shape: BankShape, windows: Tensor, seed: int, noise_mv: float = 0.02) -> KernelExpert:
    """A bank with kernels drawn at random and thresholds learnt from training windows; it has no supports yet."""
    rng = np.random.default_rng([seed, 7])
    expert = KernelExpert(shape)
    kernels = rng.normal(size=(shape.kernels, _KERNEL))
    expert.kernels.copy_(torch.from_numpy(kernels - kernels.mean(axis=1, keepdims=True)))
    expert.learn_thresholds(windows, rng, noise_mv)
    return expert
