"""Images of neurons varied in many ways, drawn once and kept, so that teaching waits for no drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.neuron_image import draw, draw_as_it_lies
from napari_celltype.morphology.augmentation import add_branches, delete_branches
from napari_celltype.morphology.projection import align_to_axes
from napari_celltype.morphology.pruning import remove_type
from napari_celltype.neuron import Neuron

__all__ = ["ImageVariation", "draw_copies", "vary_neuron"]

FloatArray = NDArray[np.float64]
Images = NDArray[np.uint8]
_AXON = 2


@dataclass(frozen=True)
class ImageVariation:
    """How far neurons are varied: what may differ between slices and tracers without changing the type.

    Parameters
    ----------
    branches
        Largest part of the branches taken off, and largest part added again elsewhere.
    tilt_deg
        Spread of a turn in any direction, after the neuron was laid along its principal axes.
    stretch
        Spread of the logarithm of how far each axis is stretched before: tissue shrinks, mostly along z.
    without_axon
        Share of copies without their axon.
    untyped
        Share of copies in which axon and dendrites are not told apart.
    """

    branches: float = 0.2
    tilt_deg: float = 8.0
    stretch: float = 0.15
    without_axon: float = 0.1
    untyped: float = 0.05


def vary_neuron(neuron: Neuron, rng: np.random.Generator, how: ImageVariation) -> Neuron:
    """A varied copy of a standardised neuron; the same generator state gives the same copy."""
    axon = neuron.types == _AXON
    if rng.uniform() < how.without_axon and axon.any() and (neuron.types[~axon] != 1).any():
        shorn = remove_type(neuron, _AXON)
        neuron = shorn if len(shorn) > 1 else neuron
    neuron = delete_branches(neuron, rng, rng.uniform(0, how.branches))
    if rng.uniform() < 0.3:
        # adding a branch costs ten times taking one off, so only some copies have it
        neuron = add_branches(neuron, rng, min(rng.uniform(0, how.branches / 2), 10 / max(len(neuron) / 50, 1)))
    if rng.uniform() < how.untyped:
        neuron = neuron.replace(types=np.where(neuron.types == _AXON, 0, neuron.types))
    stretched = (neuron.xyz_um - neuron.xyz_um[0]) * np.exp(rng.normal(0, how.stretch, 3) * [0.3, 0.3, 1.0])
    upright = align_to_axes(neuron.replace(xyz_um=stretched))
    return upright.replace(xyz_um=upright.xyz_um @ _small_turn(rng, np.radians(how.tilt_deg)).T)


def _small_turn(rng: np.random.Generator, spread: float) -> FloatArray:
    """A rotation about a random axis by a small random angle, in Rodrigues' form."""
    x, y, z = (axis := rng.normal(size=3)) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = spread * rng.normal()
    turn: FloatArray = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn


def draw_copies(
    neurons: Sequence[Neuron],
    count: int,
    size_px: int,
    seed: int,
    how: ImageVariation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """Every neuron laid along its principal axes, then ``count`` varied copies of it: (n, 1 + count, 3, px, px)."""
    how = how or ImageVariation()
    images = np.empty((len(neurons), 1 + count, 3, size_px, size_px), dtype=np.uint8)
    for row, neuron in enumerate(neurons):
        images[row, 0] = draw(neuron, size_px)
        for copy in range(count):
            varied = vary_neuron(neuron, np.random.default_rng([seed, row, copy]), how)
            images[row, 1 + copy] = draw_as_it_lies(varied, size_px)
        if progress is not None:
            progress(row + 1, len(neurons))
    return images
