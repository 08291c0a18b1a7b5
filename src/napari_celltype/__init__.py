"""Tell what kind of neuron you have in front of you, from a patch-clamp recording or a reconstruction.

The names below load their modules on first use, so importing this package is quick and pulls in neither torch
nor napari nor a GUI toolkit.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_PUBLIC = {
    "CelltypeError": ".errors",
    "ModelError": ".errors",
    "NeuronError": ".errors",
    "RecordingError": ".errors",
    "RepairError": ".errors",
    "ApWindow": ".ephys.windows",
    "SpikeRules": ".ephys.spikes",
    "Stimulus": ".ephys.stimulus",
    "CellFeatures": ".ephys.features",
    "FEATURES_41": ".ephys.features",
    "extract_features": ".ephys.features",
    "measure_features": ".ephys.features",
    "find_spikes": ".ephys.spikes",
    "find_stimuli": ".ephys.stimulus",
    "suggest_windows": ".ephys.windows",
    "Prediction": ".models",
    "list_models": ".models",
    "load_model": ".models",
    "Recording": ".recording",
    "Sweep": ".recording",
    "Defect": ".neuron",
    "Neuron": ".neuron",
    "ZJump": ".morphology",
    "find_z_jumps": ".morphology",
    "measure": ".morphology",
    "repair_z_jumps": ".morphology",
    "zcorr": ".morphology",
    "read_recording": ".io",
    "read_neuron": ".io",
    "write_swc": ".io",
}

__all__ = [*sorted(_PUBLIC), "__version__"]


def __getattr__(name: str) -> Any:
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
