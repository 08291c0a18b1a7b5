"""Colours that mean something, the same in every dock and layer.

All of them are told apart with red-green colour blindness (they follow the Okabe-Ito idea of differing in lightness
as well as in hue) and stand out from both the black and the white canvas; a test checks both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_celltype.workbench.classify_names import canonical

__all__ = [
    "CLASS_COLOURS",
    "DECIDES_AGAINST",
    "DECIDES_FOR",
    "DEFECT_COLOURS",
    "FORM_COLOURS",
    "NODE_TYPE_COLOURS",
    "NODE_TYPE_NAMES",
    "OTHER_CLASS_COLOUR",
    "OTHER_NODE_TYPE_COLOUR",
    "class_colour",
    "lightened",
    "node_type_name",
    "rgba",
    "sweep_colours",
    "type_rgba",
]

NODE_TYPE_NAMES = {0: "undefined", 1: "soma", 2: "axon", 3: "basal dendrite", 4: "apical dendrite"}
NODE_TYPE_COLOURS = {1: "#8fae00", 2: "#2f8fd8", 3: "#d24a12", 4: "#c05fc0"}
OTHER_NODE_TYPE_COLOUR = "#8a8a8a"
DEFECT_COLOURS = {"error": "#f0142c", "warning": "#e09a00"}

CLASS_COLOURS = {
    "exc": "#984d10",
    "inh": "#0a85cd",
    "pvalb": "#6e57fd",
    "sst": "#eb9507",
    "vip": "#26bf7a",
    "ndnf": "#f464c1",
    "htr3a": "#f464c1",
}
"""By the names of :func:`napari_celltype.workbench.classify_names.canonical`. Ndnf and Htr3a without Vip are nearly the
same cells and no model tells one from the other."""
FORM_COLOURS = {
    "pyramidal": "#984d10",
    "principal": "#984d10",
    "gabaergic": "#0a85cd",
    "interneuron": "#0a85cd",
    "basket": "#d2a500",
    "ganglion": "#b44bff",
    "purkinje": "#ff69e1",
    "granule": "#00783c",
    "medium spiny": "#ff7878",
    "microglia": "#3cc33c",
    "astrocyte": "#960f78",
    "nitrergic": "#1e4ba5",
    "parachromaffin": "#001eff",
    "sensory receptor": "#004bd2",
}
"""Classes told from a neuron's form; brown and blue are the principal cells and interneurons of recordings too."""
OTHER_CLASS_COLOUR = "#8a8a8a"

DECIDES_FOR, DECIDES_AGAINST = "#e8820c", "#3f6cf0"
"""A branch that speaks for the class a neuron was given, and one that speaks against it."""

_SWEEPS_ON_DARK = ("#56b4e9", "#e69f00", "#2fc29a", "#f0e442", "#e58abf", "#ff7f50", "#b0b0ff", "#dddddd")
_SWEEPS_ON_LIGHT = ("#0072b2", "#c25e00", "#00785a", "#222222", "#a8417c", "#8a7a00", "#5a4fcf", "#b03a2e")


def node_type_name(number: int) -> str:
    """What an SWC structure type means, in words."""
    return NODE_TYPE_NAMES.get(int(number), f"type {int(number)}")


def class_colour(name: str) -> str:
    """Colour of a cell class, however a model spells it; grey for one that is not known here."""
    found = canonical(name)
    return CLASS_COLOURS.get(found) or FORM_COLOURS.get(found, OTHER_CLASS_COLOUR)


def rgba(colour: str) -> tuple[float, float, float, float]:
    """Red, green, blue and opacity from 0 to 1 of a ``#rrggbb`` colour."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, 1.0


def lightened(colour: str, share: float = 0.5) -> str:
    """A ``#rrggbb`` colour mixed with white: the same class, for text on a dark picture."""
    mixed = [round(255 * (part + share * (1 - part))) for part in rgba(colour)[:3]]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def type_rgba(types: ArrayLike) -> NDArray[np.float32]:
    """Colour of each node by its structure type, shape (n, 4)."""
    types = np.asarray(types)
    colours = np.tile(np.array(rgba(OTHER_NODE_TYPE_COLOUR), dtype=np.float32), (len(types), 1))
    for number, colour in NODE_TYPE_COLOURS.items():
        colours[types == number] = rgba(colour)
    return colours


def sweep_colours(n_sweeps: int, *, dark: bool) -> list[str]:
    """Colours for overlaid sweeps: distinct ones up to eight, an ordered ramp (first sweep to last) beyond."""
    few = _SWEEPS_ON_DARK if dark else _SWEEPS_ON_LIGHT
    if n_sweeps <= len(few):
        return list(few[:n_sweeps])
    return [_ramp(i / (n_sweeps - 1), dark=dark) for i in range(n_sweeps)]


# anchors of a blue - green - yellow ramp of rising lightness (readable without telling red from green)
_RAMP_ON_DARK = np.array([[96, 110, 220], [40, 160, 190], [90, 200, 120], [250, 230, 60]])
_RAMP_ON_LIGHT = np.array([[60, 30, 120], [40, 90, 160], [20, 130, 120], [150, 130, 0]])


def _ramp(share: float, *, dark: bool) -> str:
    anchors = _RAMP_ON_DARK if dark else _RAMP_ON_LIGHT
    at = share * (len(anchors) - 1)
    left = min(int(at), len(anchors) - 2)
    red, green, blue = np.round(anchors[left] + (anchors[left + 1] - anchors[left]) * (at - left)).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
