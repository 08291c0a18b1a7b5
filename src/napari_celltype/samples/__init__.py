"""Sample data made by code: a simulated patch-clamp recording, a grown neuron, and the truth about both."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "SampleTruth": ".recording",
    "sample_recording": ".recording",
    "sample_truth": ".recording",
    "NeuronTruth": ".neuron",
    "sample_neuron": ".neuron",
    "sample_neuron_swc": ".neuron",
    "sample_neuron_truth": ".neuron",
    "Population": ".population",
    "simulate_population": ".population",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
