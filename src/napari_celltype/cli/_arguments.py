"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse
import math

__all__ = ["size"]


def size(text: str) -> float:
    """A length or ratio: a number from 0 on."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 0 on")
    return value
