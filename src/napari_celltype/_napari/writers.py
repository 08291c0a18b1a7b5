"""napari's way out: the Points of a neuron, as edited, become an SWC file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Neuron

from . import opened
from .neuron_from_layers import layers_to_neuron
from .neuron_layers import KEY, NODES

__all__ = ["write_neuron_layers", "write_neuron_points"]

LayerTuple = tuple[Any, dict[str, Any], str]
_COLUMNS = {"id", "type", "radius", "parent"}


def write_neuron_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save one Points layer of nodes as SWC."""
    return write_neuron_layers(path, [(data, attributes, "points")])


def write_neuron_layers(path: str, layers: list[LayerTuple]) -> list[str]:
    """Save a neuron's layers as SWC: its nodes as they stand in the Points layer now.

    The file dialog has asked before overwriting; lines of the original file that were not edited are kept as they were.
    """
    from napari_celltype.io import write_swc

    data, attributes = _nodes(path, layers)
    features = pd.DataFrame(attributes.get("features"))
    missing = sorted(_COLUMNS - set(features.columns))
    if missing:
        raise NeuronError(
            f"the Points layer lacks the features {', '.join(missing)}",
            path=path,
            hint="Save the layer of all nodes of a neuron opened with napari-celltype.",
        )
    label = attributes.get("metadata", {}).get(KEY, {})
    source = current_neuron(label.get("id", ""))
    write_swc(layers_to_neuron(data, features, source), path, overwrite=True)
    return [str(Path(path))]


def _nodes(path: str, layers: list[LayerTuple]) -> tuple[Any, dict[str, Any]]:
    points = [(data, attributes) for data, attributes, kind in layers if kind == "points"]
    ours = [entry for entry in points if entry[1].get("metadata", {}).get(KEY, {}).get("role") == NODES]
    chosen = ours or points
    if len(chosen) != 1:
        raise NeuronError(
            f"needs the nodes of exactly one neuron, and {len(chosen)} are selected",
            path=path,
            hint="Select the layer that holds all nodes of the neuron (it bears the neuron's name).",
        )
    return chosen[0]


def current_neuron(item_id: str) -> Neuron | None:
    """The neuron behind a layer, as edited so far in whichever viewer shows it."""
    from .session import sessions

    for session in sessions():
        if item_id in session.document:
            value = session.document[item_id].value
            return value if isinstance(value, Neuron) else None
    value = opened.find(item_id)
    return value if isinstance(value, Neuron) else None
