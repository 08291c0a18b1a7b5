"""File > Open Sample: a recording and a neuron made by code, each with something to find in it."""

from __future__ import annotations

from dataclasses import replace

from .neuron_layers import LayerData
from .readers import layers_of_neuron, layers_of_recording

__all__ = ["open_ambiguous_recording", "open_sample_neuron", "open_sample_recording"]


def open_sample_recording() -> list[LayerData]:
    """A current-clamp recording of a simulated cell: short square, long squares, ramp and noise."""
    from napari_celltype.samples.recording import sample_recording

    return layers_of_recording(sample_recording())


def open_ambiguous_recording() -> list[LayerData]:
    """The same of a cell the models are of different minds about."""
    from napari_celltype.samples.recording import AMBIGUOUS_SEED, sample_recording

    recording = sample_recording(AMBIGUOUS_SEED)
    return layers_of_recording(replace(recording, path=recording.path.with_name("ambiguous recording")))


def open_sample_neuron() -> list[LayerData]:
    """A reconstruction with three z-jumps and two other defects."""
    from napari_celltype.samples.neuron import sample_neuron

    return layers_of_neuron(sample_neuron())
