"""Colours of the repair dock, the same in the list, in 3D and in the side view; readable on black and on white."""

from __future__ import annotations

__all__ = ["BEFORE_COLOUR", "STATE_COLOURS", "STATE_WORDS", "after_colour"]

STATE_COLOURS = {"proposed": "#e09a00", "accepted": "#009e73", "refused": "#8a8a8a"}
STATE_WORDS = {"proposed": "open", "accepted": "accepted", "refused": "refused"}
BEFORE_COLOUR = "#a0a0a0"


def after_colour(*, dark: bool) -> str:
    """Colour of the moved part where it goes: far in lightness from the structure types' colours on either ground."""
    return "#40fff0" if dark else "#00504a"
