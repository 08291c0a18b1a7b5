"""A neuron as the image networks see it: how much cable lies behind each pixel, seen along z, y and x."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import NeuronError
from napari_celltype.morphology.projection import PLANES
from napari_celltype.neuron import Neuron

__all__ = ["draw", "draw_tree"]

FloatArray = NDArray[np.float64]

MARGIN = 0.04
MOST_CABLE_PX = 15.0
SOMA_PX = 1.2


def draw(neuron: Neuron, size_px: int = 64) -> NDArray[np.uint8]:
    """Three images of a neuron's cable, filling the field.

    Parameters
    ----------
    neuron
        The reconstruction; its first root is taken for the soma.
    size_px
        Height and width of each image.

    Returns
    -------
    numpy.ndarray
        Shape (3, size_px, size_px): x across and y up, x across and z up, z across and y up, at one scale. Brightness
        is the logarithm of the length of cable behind a pixel, so that one neurite and a dense arbor both show. A
        spot of fixed size marks the soma. Radii leave no trace: what they mean differs from laboratory to laboratory.

    Raises
    ------
    NeuronError
        If no position can be drawn.
    """
    sound = np.isfinite(neuron.xyz_um).all(axis=1)
    if not sound.any():
        raise NeuronError("has no node with a position, so there is nothing to draw", path=neuron.path)
    part = neuron if sound.all() else neuron.take(sound)
    return draw_tree(part.xyz_um, part.parents, size_px)


def draw_tree(xyz: FloatArray, parents: NDArray[np.int64], size_px: int = 64) -> NDArray[np.uint8]:
    """The same from positions and parent rows."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    span = float((high - low).max())
    at = (xyz - (low + high) / 2) * (size_px * (1 - 2 * MARGIN) / span if span > 0 else 1.0)
    rows = np.flatnonzero(parents >= 0)
    start, run = at[parents[rows]], at[rows] - at[parents[rows]]
    length = np.sqrt((run * run).sum(axis=1))
    dots = np.maximum(np.ceil(2 * length), 1).astype(np.int64)
    edge = np.repeat(np.arange(len(rows)), dots)
    place = (np.arange(len(edge)) - (np.cumsum(dots) - dots)[edge] + 0.5) / dots[edge]
    points, weight = start[edge] + place[:, None] * run[edge], (length / dots)[edge]
    soma = at[np.flatnonzero(parents < 0)[0]]
    images = np.empty((3, size_px, size_px), dtype=np.uint8)
    for image, (across, up) in zip(images, PLANES, strict=True):
        column = points[:, across] + (size_px - 1) / 2
        row = (size_px - 1) / 2 - points[:, up]
        shade = np.log1p(_spread(row, column, weight, size_px)) / np.log1p(MOST_CABLE_PX)
        spot = _spot(soma[across] + (size_px - 1) / 2, (size_px - 1) / 2 - soma[up], size_px)
        image[:] = np.rint(255 * np.minimum(np.maximum(shade, spot), 1.0))
    return images


def _spread(row: FloatArray, column: FloatArray, weight: FloatArray, size: int) -> FloatArray:
    """Weights laid on the four pixels around each point."""
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    below, right = row - top, column - left
    total = np.zeros(size * size)
    for r, share_r in ((top, 1 - below), (top + 1, below)):
        for c, share_c in ((left, 1 - right), (left + 1, right)):
            cell = np.clip(r, 0, size - 1) * size + np.clip(c, 0, size - 1)
            total += np.bincount(cell, weight * share_r * share_c, minlength=size * size)
    return total.reshape(size, size)


def _spot(column: float, row: float, size: int) -> FloatArray:
    away = (np.arange(size) - column) ** 2 + ((np.arange(size) - row) ** 2)[:, None]
    shade: FloatArray = np.exp(-away / (2 * SOMA_PX**2))
    return shade
