"""Models: the catalogue, what runs them, and what they say."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Prediction": ".prediction",
    "list_models": ".catalogue",
    "load_model": ".catalogue",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
