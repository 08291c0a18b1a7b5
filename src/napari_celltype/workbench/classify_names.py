"""Names of classes: models trained on different tables name the same cells differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["Agreement", "broad_type", "canonical", "compare_labels", "form_kind", "overlap", "spoken"]

Agreement = Literal["same", "broad", "differ", "unknown"]

_SAME = {
    "exc": "exc",
    "excitatory": "exc",
    "glutamatergic": "exc",
    "spiny": "exc",
    "inh": "inh",
    "inhibitory": "inh",
    "aspiny": "inh",
    "pvalb": "pvalb",
    "pv": "pvalb",
    "sst": "sst",
    "vip": "vip",
    "ndnf": "ndnf",
    "lamp5": "ndnf",
    "htr3a": "htr3a",
}
_SPOKEN = {
    "exc": "Excitatory",
    "inh": "Inhibitory",
    "pvalb": "Pvalb",
    "sst": "Sst",
    "vip": "Vip",
    "ndnf": "Ndnf",
    "htr3a": "Htr3a (no Vip)",
}
_FORMS = {
    "pyramidal": ("Pyramidal", "principal cell"),
    "granule": ("Granule", "principal cell"),
    "ganglion": ("Ganglion", "principal cell"),
    "purkinje": ("Purkinje", "principal cell"),
    "medium spiny": ("Medium spiny", "principal cell"),
    "gabaergic": ("GABAergic", "interneuron"),
    "basket": ("Basket", "interneuron"),
    "nitrergic": ("Nitrergic", "interneuron"),
    "microglia": ("Microglia", "glia"),
    "astrocyte": ("Astrocyte", "glia"),
    "parachromaffin": ("Parachromaffin", ""),
    "sensory receptor": ("Sensory receptor", ""),
    "principal": ("Principal cell", ""),
    "interneuron": ("Interneuron", ""),
}
"""Classes told from a neuron's form: as people say them, and what kind of cell that is."""

_BROAD_FORMS = {"pyramidal": "exc", "gabaergic": "inh"}


def canonical(label: str) -> str:
    """One short name for the classes models spell differently (``Pvalb+``, ``pvalb``); others in small letters."""
    word = label.split("|")[0].strip().rstrip("+").strip().lower()
    return _SAME.get(word, word)


def spoken(label: str) -> str:
    """A class's name as people say it."""
    name = canonical(label)
    return _FORMS[name][0] if name in _FORMS else _SPOKEN.get(name, label)


def form_kind(label: str) -> str:
    """``"principal cell"``, ``"interneuron"`` or ``"glia"`` for a class told from form, else empty."""
    return _FORMS.get(canonical(label), ("", ""))[1]


def broad_type(label: str) -> str:
    """``"exc"``, ``"inh"``, or empty where the class is neither."""
    name = canonical(label)
    if name not in _SPOKEN:
        return _BROAD_FORMS.get(name, "")
    return "exc" if name == "exc" else "inh"


def compare_labels(one: str, other: str) -> Agreement:
    """How far two labels agree; a broad type agrees with each subclass of it."""
    first, second = canonical(one), canonical(other)
    if first == second:
        return "same"
    broad = broad_type(one), broad_type(other)
    if not all(broad):
        return "unknown"
    if broad[0] != broad[1]:
        return "differ"
    return "same" if "inh" in (first, second) else "broad"


def overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of the classes of two models that they have in common."""
    first, second = set(map(canonical, one)), set(map(canonical, other))
    return len(first & second) / max(len(first | second), 1)
