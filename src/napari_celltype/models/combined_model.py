"""Networks and features joined: what several models make of a neuron, weighed against one another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .calibration import log_softmax
from .neuron_form import NeuronForm
from .neuron_model import NeuronModel, Prepared
from .parts import load_parts

if TYPE_CHECKING:
    from .runtime import Runner

__all__ = ["CombinedModel", "as_logs"]

FloatArray = NDArray[np.float64]

_LOWEST = -12.0
_SAME = ("types", "axon", "radius", "repair", "align")


class CombinedModel(NeuronModel):
    """A network on the embeddings of its parts, weighed with what the parts themselves say.

    The embedding is that of the parts named under ``embeddings`` in the settings, side by side (512 numbers of the
    image network, 128 of the tree network); the joining network also reads the numbers of the parts under ``read``.
    Scores are the log-probabilities of the joining network and of the parts named under ``experts``, one after the
    other, which the calibration weighs.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        settings = bundle.info.settings
        self.embeddings = [str(name) for name in settings["embeddings"]]
        self.read = [str(name) for name in settings.get("read", ())]
        self.experts = [str(name) for name in settings["experts"]]
        wanted = (1 + len(self.experts)) * len(self.classes)
        if self.calibration.weight.shape[0] != wanted:
            raise ValueError(f"weights for {self.calibration.weight.shape[0]} scores, not {wanted}")

    @cached_property
    def parts(self) -> dict[str, NeuronModel]:
        """The models it is made of, by name.

        Raises
        ------
        ModelError
            If one is missing, or is not the one it was made with.
        """
        found: dict[str, Any] = load_parts(self.bundle, self.device)
        for part in found.values():
            if any(getattr(part.form, name) != getattr(self.form, name) for name in _SAME):
                raise ValueError(f"{part.name} prepares neurons otherwise than {self.name}")
        return found

    def evaluate(self, prepared: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Log-probabilities of the joining network and of the experts side by side, and the joined embedding."""
        said = {name: part.evaluate(self._for(prepared, part.form)) for name, part in self.parts.items()}
        joined = _side_by_side([said[name][1] for name in self.embeddings])
        seen = _side_by_side([joined, *(said[name][1] for name in self.read)])
        head = self._runner.run([seen])[int(self.info.settings["question"])]
        return np.concatenate([head, *(as_logs(said[name][0]) for name in self.experts)], axis=1), joined

    def _for(self, prepared: Sequence[Prepared], form: NeuronForm) -> Sequence[Prepared]:
        return prepared if form == self.form else [Prepared(one.neuron, form) for one in prepared]

    @cached_property
    def _runner(self) -> Runner:
        from .networks.combined import CombinedHead, CombinedShape
        from .runtime import Runner

        network = CombinedHead(CombinedShape.from_settings(self.info.settings["network"]))
        arrays = {name: array for name, array in self.weights.items() if name.startswith("network.")}
        runner = Runner(network, network.summarise, arrays, self.device)
        self.device_note = runner.note
        return runner


def _side_by_side(parts: Sequence[FloatArray | None]) -> FloatArray:
    return np.concatenate([part for part in parts if part is not None], axis=1)


def as_logs(scores: FloatArray) -> FloatArray:
    """Log-probabilities of scores of any scale, none so low that one expert could forbid a class to all others."""
    logs: FloatArray = np.maximum(log_softmax(scores), _LOWEST)
    return logs
