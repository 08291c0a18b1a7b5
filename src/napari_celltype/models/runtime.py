"""Running torch networks: device, threads and batches in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.errors import ModelError

__all__ = ["DEVICES", "Runner", "available_devices", "inference", "load_parameters", "pick_device", "run_in_batches"]

DEVICES = ("auto", "cpu", "cuda", "mps")

_MANY = 64
"""From this many items on, several threads pay; below, waking them costs more than the work."""


def available_devices() -> list[str]:
    """Devices torch can use here, the CPU last."""
    found = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def pick_device(wanted: str = "auto") -> tuple[torch.device, str]:
    """The device to use, and a sentence where it is not the one asked for (else empty).

    Raises
    ------
    ModelError
        If ``wanted`` is no device at all.
    """
    kind = wanted.split(":")[0]
    if kind not in DEVICES:
        raise ModelError(f"there is no device {wanted!r}", hint=f"Use one of {', '.join(DEVICES)}.")
    present = available_devices()
    if kind == "auto":
        return torch.device(present[0]), ""
    if kind in present:
        return torch.device(wanted), ""
    return torch.device("cpu"), f"{wanted} is not available here; the CPU is used."


@contextmanager
def inference(n_items: int, device: torch.device | None = None) -> Iterator[None]:
    """Run without gradients; few items on one thread, and the thread count restored after.

    With another core busy, two threads spin-wait on each other: 500 ms were measured for work of 2 ms.
    """
    before = torch.get_num_threads()
    alone = n_items < _MANY and (device is None or device.type == "cpu")
    if alone and before != 1:
        torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def run_in_batches(
    network: Callable[..., Sequence[torch.Tensor]],
    inputs: Sequence[NDArray[Any]],
    device: torch.device,
    batch_size: int = 256,
) -> list[NDArray[np.float64]]:
    """Outputs of a network for arrays of ``n`` items each, batch by batch, as float64 arrays."""
    n = len(inputs[0])
    parts: list[list[NDArray[np.float64]]] = []
    with inference(n, device):
        for start in range(0, max(n, 1), batch_size):
            batch = [
                torch.as_tensor(array[start : start + batch_size], dtype=torch.float32, device=device)
                for array in inputs
            ]
            parts.append([output.cpu().numpy().astype(float) for output in network(*batch)])
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def load_parameters(
    network: torch.nn.Module, arrays: dict[str, NDArray[Any]], prefix: str, device: torch.device
) -> None:
    """Put the arrays stored under ``prefix`` into a network and move it, ready for inference."""
    state = {
        name[len(prefix) :]: torch.from_numpy(array.copy()) for name, array in arrays.items() if name.startswith(prefix)
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    network.to(device).eval().requires_grad_(False)


class Runner:
    """A network ready to answer: on its device, with its stored parameters.

    Parameters
    ----------
    network
        Made with the right shape; its parameters are replaced by the arrays stored under ``network.``.
    answer
        What is run on a batch, a method of the network that returns a tuple of tensors (items first).
    device
        Wanted; see :func:`pick_device`.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        answer: Callable[..., Sequence[torch.Tensor]],
        arrays: dict[str, NDArray[Any]],
        device: str = "auto",
    ) -> None:
        self.device, self.note = pick_device(device)
        load_parameters(network, arrays, "network.", self.device)
        self.network, self.answer = network, answer

    def run(self, inputs: Sequence[NDArray[Any]], batch_size: int = 256) -> list[NDArray[np.float64]]:
        """Answers for arrays of n items each."""
        return run_in_batches(self.answer, inputs, self.device, batch_size)
