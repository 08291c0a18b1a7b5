"""Fitting the kernel machine on the bank of random kernels: one linear system."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.networks.kernel_bank import BankShape, KernelExpert, draw_bank

__all__ = ["ExpertSettings", "fit_expert"]


@dataclass(frozen=True)
class ExpertSettings:
    """Settings of the bank and of the machine.

    Parameters
    ----------
    width
        Of the radial kernel: gamma times the number of shares.
    ridge
        How little the training labels are believed.
    balance
        Weight of a class is its rarity to this power.
    noise_mv
        Softness of the thresholds.
    """

    shape: BankShape = field(default_factory=BankShape)
    width: float = 0.3
    ridge: float = 0.03
    balance: float = 0.25
    noise_mv: float = 0.02


def fit_expert(
    windows: NDArray[np.float32], truth: NDArray[np.intp], n_classes: int, settings: ExpertSettings, seed: int
) -> KernelExpert:
    """Kernel ridge regression onto weighted classes; rows of class -1 are left out."""
    known = truth >= 0
    x, codes = torch.from_numpy(windows[known]).float(), truth[known]
    drawn = draw_bank(settings.shape, x, seed, settings.noise_mv)
    shares = drawn.standardised(x)
    expert = KernelExpert(replace(settings.shape, supports=len(codes), outputs=n_classes))
    for name in ("kernels", "thresholds", "softness", "centre", "scale"):
        getattr(expert, name).copy_(getattr(drawn, name))
    expert.gamma.fill_(settings.width / settings.shape.kernels)
    expert.supports.copy_(shares)
    counts = np.maximum(np.bincount(codes, minlength=n_classes), 1)
    targets = np.eye(n_classes)[codes] / (counts / counts.mean()) ** settings.balance
    expert.dual.copy_(_solve(expert, shares, torch.from_numpy(targets), settings.ridge))
    return expert


def _solve(expert: KernelExpert, shares: Tensor, targets: Tensor, ridge: float) -> Tensor:
    squared = torch.cdist(shares.double(), shares.double()) ** 2
    kernel = torch.exp(-expert.gamma.double() * squared)
    return torch.linalg.solve(kernel + ridge * torch.eye(len(shares), dtype=torch.float64), targets.double())
