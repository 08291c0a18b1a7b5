"""Files in and out: a path becomes a Recording or a Neuron."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "list_recordings": ".recordings",
    "read_neuron": ".neurons",
    "read_recording": ".recordings",
    "write_swc": ".swc_write",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
