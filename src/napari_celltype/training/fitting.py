"""Gradient descent that survives an interruption: the same seed gives the same weights, stopped or not.

Nothing random is carried from step to step: what a step draws, it draws from a generator made of seed and step
number (:func:`step_generator`), so that starting again at step 700 draws what step 700 would have drawn.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

__all__ = ["Plan", "Progress", "fit", "step_generator"]

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Plan:
    """How to descend.

    Parameters
    ----------
    steps, learning_rate
        Updates, and their size (the peak of it with a schedule).
    optimiser
        ``"sgd"``, ``"adam"`` (weight decay as L2) or ``"adamw"``.
    schedule
        ``"constant"``, or ``"one-cycle"``: up over the first tenth, then down a cosine to nothing.
    save_every
        Steps between saved states.
    slower
        Pairs of how a parameter's name begins and by what its learning rate is multiplied.
    fused
        Whether one pass updates everything (Adam only): six times faster for millions of parameters.
    """

    steps: int
    learning_rate: float
    optimiser: str = "adamw"
    weight_decay: float = 0.0
    schedule: str = "constant"
    save_every: int = 200
    slower: tuple[tuple[str, float], ...] = ()
    fused: bool = False


def step_generator(seed: int, step: int) -> torch.Generator:
    """Randomness of one step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (2**63))


def fit(
    network: nn.Module,
    loss_at: Callable[[int], Tensor],
    plan: Plan,
    *,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Descend, picking up from ``checkpoint`` if there is one; the loss of the last step.

    Parameters
    ----------
    loss_at
        Loss of a step, given its number; it runs the network in training mode.
    progress
        Called with (steps done, steps, seconds left).
    """
    optimiser = _optimiser(network, plan)
    first = _restore(network, optimiser, checkpoint) if checkpoint is not None and checkpoint.exists() else 0
    started, loss = time.monotonic(), float("nan")
    network.train()
    for step in range(first, plan.steps):
        _set_rate(optimiser, plan, step)
        value = loss_at(step)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        loss = float(value.detach())
        done = step + 1
        if checkpoint is not None and (done % plan.save_every == 0 or done == plan.steps):
            _save(network, optimiser, done, checkpoint)
        if progress is not None and (done % 20 == 0 or done == plan.steps):
            progress(done, plan.steps, (time.monotonic() - started) / (done - first) * (plan.steps - done))
    network.eval()
    return loss


def rate_at(plan: Plan, step: int) -> float:
    """Learning rate of a step."""
    if plan.schedule == "constant":
        return plan.learning_rate
    warm = max(1, plan.steps // 10)
    if step < warm:
        return plan.learning_rate * (step + 1) / warm
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, plan.steps - warm)))


def _set_rate(optimiser: torch.optim.Optimizer, plan: Plan, step: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate_at(plan, step) * group["part"]


def _optimiser(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        part = next((part for start, part in plan.slower if name.startswith(start)), 1.0)
        groups.setdefault(part, []).append(parameter)
    parameters = [{"params": members, "part": part} for part, members in groups.items()]
    makers: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    options: dict[str, Any] = {"fused": True} if plan.fused else {}
    made: torch.optim.Optimizer = makers[plan.optimiser](
        parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay, **options
    )
    return made


def _save(network: nn.Module, optimiser: torch.optim.Optimizer, done: int, path: Path) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(
        save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {"done": str(done)})
    )
    os.replace(part, path)


def _restore(network: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> int:
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        done = int(file.metadata()["done"])
    network.load_state_dict({name[8:]: t for name, t in tensors.items() if name.startswith("network.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return done
