"""The triple-input CNN: one encoder for the trace, one each for the real and imaginary parts of its spectrum.

After Wang, Han, Gajowa and Liu: six convolutions an encoder, each followed by ReLU and then batch normalisation;
the encoders' outputs side by side go through dense layers. The papers leave widths, kernels, strides and the dense
sizes to a figure; the values here are ours. Members of an ensemble run as one grouped network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .stacked import StackedLinear

__all__ = ["STREAMS", "CnnShape", "TripleCnn"]

STREAMS = ("time", "real", "imaginary")


@dataclass(frozen=True)
class CnnShape:
    """Sizes and variants.

    Parameters
    ----------
    samples, outputs
        Length of a window, and how many numbers come out.
    members
        Networks in the ensemble.
    streams
        Which of time, real and imaginary part are looked at: one, two or all three.
    slopes
        How many derivatives of the trace its encoder sees beside it: they show what a small bend in the trace hides.
    spectrum
        ``"half"``: the coefficients of frequencies from zero up; ``"full"``: the mirrored ones too, as a plain
        FFT gives them.
    coefficients
        How many of them are kept, from zero up; 0 for all.
    scale_each
        Whether each coefficient is scaled by its own spread, or all by one (the papers scale none, so that the
        constant part, some -70 mV, drowns the rest).
    widths, kernels, strides
        Of the six convolutions.
    bank
        Kernels of a bank beside the encoders: how large a share of the window each answers to, wherever it is. 0 for
        none, as in the papers.
    hidden, dropout
        Size of the dense layer, and the share of its inputs dropped while training.
    """

    samples: int = 150
    outputs: int = 5
    members: int = 1
    streams: tuple[str, ...] = STREAMS
    slopes: int = 0
    spectrum: str = "half"
    coefficients: int = 0
    scale_each: bool = False
    widths: tuple[int, ...] = (16, 16, 32, 32, 48, 48)
    kernels: tuple[int, ...] = (7, 3, 3, 3, 3, 3)
    strides: tuple[int, ...] = (2, 1, 2, 1, 2, 1)
    bank: int = 0
    hidden: int = 64
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.streams or not set(self.streams) <= set(STREAMS):
            raise ValueError(f"streams are some of {', '.join(STREAMS)}, not {self.streams}")
        if not len(self.widths) == len(self.kernels) == len(self.strides):
            raise ValueError("widths, kernels and strides are of different lengths")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> CnnShape:
        """As written in a model's description."""
        stated: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
        return cls(**stated)

    def to_settings(self) -> dict[str, Any]:
        """For a model's description."""
        return asdict(self)

    @property
    def n_coefficients(self) -> int:
        """Coefficients an encoder of the spectrum sees."""
        found = self.samples if self.spectrum == "full" else self.samples // 2 + 1
        return min(found, self.coefficients) if self.coefficients else found

    def length_of(self, stream: str) -> int:
        """Length of an encoder's output."""
        length = self.samples if stream == "time" else self.n_coefficients
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            length = (length + 2 * (kernel // 2) - kernel) // stride + 1
        return length


class TripleCnn(nn.Module):
    """Encoders and head; give it windows in mV."""

    centre: Tensor
    spread: Tensor
    slope_spread: Tensor
    coefficient_centre: Tensor
    coefficient_spread: Tensor

    def __init__(self, shape: CnnShape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.encoders = nn.ModuleDict({stream: _encoder(shape, stream) for stream in shape.streams})
        features = sum(shape.length_of(stream) * shape.widths[-1] for stream in shape.streams) + shape.bank
        self.bank = _Bank(shape, generator) if shape.bank else None
        self.dense = StackedLinear(shape.members, features, shape.hidden, generator, (2 / features) ** 0.5)
        self.output = StackedLinear(shape.members, shape.hidden, shape.outputs, generator, shape.hidden**-0.5)
        self.register_buffer("centre", torch.tensor(-50.0))
        self.register_buffer("spread", torch.tensor(30.0))
        self.register_buffer("slope_spread", torch.ones(shape.slopes))
        self.register_buffer("coefficient_centre", torch.zeros(2, shape.n_coefficients))
        self.register_buffer("coefficient_spread", torch.ones(2, shape.n_coefficients))
        _initialise(self.encoders, generator)

    def fit_scales(self, windows: Tensor) -> None:
        """Learn centre and spread of trace, slope and spectrum from training windows, (n, samples)."""
        self.centre.copy_(windows.mean())
        self.spread.copy_(windows.std())
        for order in range(self.shape.slopes):
            self.slope_spread[order] = windows.diff(n=order + 1, dim=-1).std()
        parts = torch.stack([part.reshape(-1, self.shape.n_coefficients) for part in self._spectrum(windows)])
        if self.shape.scale_each:
            self.coefficient_centre.copy_(parts.mean(dim=1))
            self.coefficient_spread.copy_(parts.std(dim=1).clamp_min(1e-3))
        else:
            self.coefficient_spread.fill_(float(parts.square().mean().sqrt()))

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Logits (members, items, outputs) and the hidden layer (members, items, hidden).

        Parameters
        ----------
        x
            Windows in mV: (items, samples) for all members alike, or (members, items, samples).
        generator
            Draws the dropout; without it nothing is dropped.
        """
        members = self.shape.members
        x = x.expand(members, *x.shape) if x.dim() == 2 else x
        found = []
        spectrum = self._spectrum(x) if {"real", "imaginary"} & set(self.shape.streams) else None
        for stream, encoder in self.encoders.items():
            coded = encoder(self._input(stream, x, spectrum))
            found.append(coded.unflatten(1, (members, -1)).flatten(2))
        if self.bank is not None:
            found.append(self.bank(self._input("time", x)))
        features = torch.cat(found, dim=-1).transpose(0, 1)
        hidden = torch.relu(self.dense(self._dropped(features, generator)))
        logits: Tensor = self.output(self._dropped(hidden, generator))
        return logits, hidden

    def summarise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the ensemble, for (items, samples): log of the members' mean probabilities, hidden layers side by side."""
        logits, hidden = self.forward(x)
        mean = logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(self.shape.members)
        return mean, hidden.permute(1, 0, 2).flatten(1)

    def _input(self, stream: str, x: Tensor, spectrum: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(items, members * channels, length)."""
        if stream == "time":
            channels = [(x - self.centre) / self.spread]
            for order in range(self.shape.slopes):
                slope = x.diff(n=order + 1, dim=-1) / self.slope_spread[order]
                channels.append(torch.nn.functional.pad(slope, ((order + 1) // 2, order + 1 - (order + 1) // 2)))
            return torch.stack(channels, dim=2).permute(1, 0, 2, 3).flatten(1, 2)
        which = 0 if stream == "real" else 1
        part = (self._spectrum(x) if spectrum is None else spectrum)[which]
        return ((part - self.coefficient_centre[which]) / self.coefficient_spread[which]).transpose(0, 1)

    def _spectrum(self, x: Tensor) -> tuple[Tensor, Tensor]:
        transform = torch.fft.fft if self.shape.spectrum == "full" else torch.fft.rfft
        found = transform(x, norm="ortho")[..., : self.shape.n_coefficients]
        return found.real, found.imag

    def _dropped(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None or not self.shape.dropout:
            return x
        keep = 1 - self.shape.dropout
        return x * (torch.rand(x.shape, generator=generator).to(x.device) < keep) / keep


_DILATIONS = (1, 2, 4, 8)
_BANK_KERNEL = 9
_STEEPNESS = 3.0


class _Bank(nn.Module):
    """Kernels of several reaches; of each, the share of the window in which its answer exceeds a threshold.

    After Dempster, Petitjean and Webb (ROCKET, 2020), whose kernels stay as drawn; these go on learning.
    """

    def __init__(self, shape: CnnShape, generator: torch.Generator) -> None:
        super().__init__()
        members, each = shape.members, shape.bank // len(_DILATIONS)
        if each * len(_DILATIONS) != shape.bank:
            raise ValueError(f"a bank of {shape.bank} kernels is no multiple of {len(_DILATIONS)}")
        self.members = members
        channels = (1 + shape.slopes) * members
        self.kernels = nn.ModuleList(
            nn.Conv1d(channels, each * members, _BANK_KERNEL, dilation=reach, groups=members, bias=False)
            for reach in _DILATIONS
        )
        self.thresholds = nn.ModuleList(nn.BatchNorm1d(each * members) for _ in _DILATIONS)
        self.scale = nn.BatchNorm1d(shape.bank * members)
        _initialise(self.kernels, generator)
        for norm in self.thresholds.parameters():
            if norm.eq(0).all():  # the shifts; the scales begin at one
                nn.init.uniform_(norm, -1.5, 1.5, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(items, members, kernels)."""
        shares = [
            torch.sigmoid(_STEEPNESS * norm(kernel(x))).mean(dim=-1).reshape(len(x), self.members, -1)
            for kernel, norm in zip(self.kernels, self.thresholds, strict=True)
        ]
        found: Tensor = self.scale(torch.cat(shares, dim=-1).flatten(1))
        return found.reshape(len(x), self.members, -1)


def _encoder(shape: CnnShape, stream: str) -> nn.Sequential:
    channels = 1 + shape.slopes if stream == "time" else 1
    layers: list[nn.Module] = []
    for width, kernel, stride in zip(shape.widths, shape.kernels, shape.strides, strict=True):
        groups = shape.members
        layers += [
            nn.Conv1d(channels * groups, width * groups, kernel, stride, kernel // 2, groups=groups),
            nn.ReLU(),
            nn.BatchNorm1d(width * groups),
        ]
        channels = width
    return nn.Sequential(*layers)


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the first weights from our generator, not from torch's global one."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d):
            fan_in = layer.weight.shape[1] * layer.weight.shape[2]
            nn.init.normal_(layer.weight, std=(2 / fan_in) ** 0.5, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
