"""The network that joins two others: their embeddings side by side, and three layers on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["CombinedHead", "CombinedShape"]

_FORMS = ("last", "hidden")


@dataclass(frozen=True)
class CombinedShape:
    """How embeddings are joined.

    Parameters
    ----------
    parts
        Numbers in each embedding.
    hidden
        Units of each of the two inner layers.
    outputs
        Classes of each question.
    form
        ``last`` joins what enters the last layers of the two networks; ``hidden`` first gives each a layer of its own.
    dropout
        Share of the joined numbers and of the inner units left out while training.
    """

    parts: tuple[int, ...] = (512, 128)
    hidden: int = 128
    outputs: tuple[int, ...] = (8, 2)
    form: str = "last"
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.form not in _FORMS:
            raise ValueError(f"form must be {' or '.join(_FORMS)}, not {self.form!r}")

    def to_settings(self) -> dict[str, Any]:
        """Plain data."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> CombinedShape:
        """The reverse of :meth:`to_settings`."""
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
        return cls(**plain)


class CombinedHead(nn.Module):
    """Three layers on joined embeddings, which are brought to zero mean and unit spread first."""

    def __init__(self, shape: CombinedShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        joined = sum(shape.parts)
        seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            own = shape.form == "hidden"
            self.own = nn.ModuleList([nn.Linear(d, shape.hidden) for d in shape.parts] if own else [])
            self.first = nn.Linear(shape.hidden * len(shape.parts) if own else joined, shape.hidden)
            self.second = nn.Linear(shape.hidden, shape.hidden)
            self.heads = nn.ModuleList([nn.Linear(shape.hidden, k) for k in shape.outputs])
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(joined))
        self.register_buffer("spread", torch.ones(joined))

    def fit_scales(self, joined: Tensor) -> None:
        """Take centre and spread of each number from training cells."""
        self.centre.copy_(joined.mean(dim=0))
        self.spread.copy_(joined.std(dim=0).clamp_min(1e-3))

    def forward(self, joined: Tensor, generator: torch.Generator | None = None) -> list[Tensor]:
        """Logits of each question from (n, sum of parts); with a generator, some numbers are left out."""
        x = self._drop((joined - self.centre) / self.spread, generator)
        if self.shape.form == "hidden":
            parts: Sequence[Tensor] = x.split(list(self.shape.parts), dim=1)  # type: ignore[no-untyped-call]
            x = torch.cat([layer(part).relu() for layer, part in zip(self.own, parts, strict=True)], dim=1)
        x = self._drop(self.first(x).relu(), generator)
        x = self._drop(self.second(x).relu(), generator)
        return [head(x) for head in self.heads]

    def summarise(self, joined: Tensor) -> tuple[Tensor, ...]:
        """Log-probabilities of each question."""
        return tuple(logits.log_softmax(dim=1) for logits in self(joined))

    def _drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None or not self.shape.dropout:
            return x
        kept = torch.rand(x.shape, generator=generator) >= self.shape.dropout
        return x * kept / (1 - self.shape.dropout)
