"""Two kinds of expert on one window: triple-input CNNs, and a kernel machine on a bank of random kernels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .kernel_bank import BankShape, KernelExpert
from .triple_cnn import CnnShape, TripleCnn

__all__ = ["WaveformEnsemble"]


class WaveformEnsemble(nn.Module):
    """Scores are the networks' log mean probabilities plus the kernel machine's scores times a weight."""

    weight: Tensor

    def __init__(self, cnn: CnnShape, bank: BankShape) -> None:
        super().__init__()
        self.cnn = TripleCnn(cnn, torch.Generator())
        self.expert = KernelExpert(bank)
        self.register_buffer("weight", torch.tensor(0.0))

    def summarise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (items, classes) before calibration, and the networks' hidden layers side by side."""
        mean, hidden = self.cnn.summarise(x)
        return (mean + self.weight * self.expert(x)).log_softmax(dim=-1), hidden
