"""Images of neurons varied in many ways, drawn once and kept, so that teaching waits for no drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.neuron_image import draw_tree
from napari_celltype.morphology.augmentation import add_branches, delete_branches
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
        Spread of the tilt of the slice; about z a neuron is turned by any angle.
    stretch
        Spread of the logarithm of how far each axis is stretched: tissue shrinks, mostly along z.
    without_axon
        Share of copies without their axon.
    """

    branches: float = 0.2
    tilt_deg: float = 15.0
    stretch: float = 0.15
    without_axon: float = 0.1


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
    return neuron.replace(xyz_um=(neuron.xyz_um - neuron.xyz_um[0]) @ _turn(rng, how).T)


def _turn(rng: np.random.Generator, how: ImageVariation) -> FloatArray:
    """About z by any angle, tilted about a line in the plane, and stretched."""
    turned = _about_z(rng.uniform(0, 2 * np.pi))
    c, s = np.cos(tilt := np.radians(how.tilt_deg) * rng.normal()), np.sin(tilt)
    tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    stretched = np.diag(np.exp(rng.normal(0, how.stretch, 3) * [0.3, 0.3, 1.0]))
    turn: FloatArray = _about_z(rng.uniform(0, 2 * np.pi)) @ tilted @ turned @ stretched
    return turn


def _about_z(angle: float) -> FloatArray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def draw_copies(
    neurons: Sequence[Neuron],
    count: int,
    size_px: int,
    seed: int,
    how: ImageVariation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """Every neuron as it is, then ``count`` varied copies of it: (n, 1 + count, 3, px, px)."""
    how = how or ImageVariation()
    images = np.empty((len(neurons), 1 + count, 3, size_px, size_px), dtype=np.uint8)
    for row, neuron in enumerate(neurons):
        images[row, 0] = draw_tree(neuron.xyz_um, neuron.parents, size_px)
        for copy in range(count):
            varied = vary_neuron(neuron, np.random.default_rng([seed, row, copy]), how)
            images[row, 1 + copy] = draw_tree(varied.xyz_um, varied.parents, size_px)
        if progress is not None:
            progress(row + 1, len(neurons))
    return images
