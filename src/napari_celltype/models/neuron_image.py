"""A neuron as the image networks see it: how much cable lies behind each pixel, seen along z, y and x."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import NeuronError
from napari_celltype.morphology.projection import PLANES, align_to_axes
from napari_celltype.neuron import Neuron

__all__ = ["NOTHING", "draw", "draw_as_it_lies"]

FloatArray = NDArray[np.float64]

NOTHING = 127
"""What a pixel is that no neurite crosses."""

MARGIN = 0.04
MOST_CABLE_PX = 15.0
SOMA_PX = 1.2
_AXON = 2


def draw(neuron: Neuron, size_px: int = 64) -> NDArray[np.uint8]:
    """Three images of a neuron's cable, filling the field: dendrites bright, axon dark, nothing grey.

    Parameters
    ----------
    neuron
        The reconstruction; its first root is taken for the soma.
    size_px
        Height and width of each image.

    Returns
    -------
    numpy.ndarray
        Shape (3, size_px, size_px): the neuron is turned until it spreads farthest along y, then x, then z, and seen
        along z (x across, y up), along y (x across, z up) and along x (z across, y up), at one scale. How far a pixel
        is from grey (:data:`NOTHING`) is the logarithm of the length of cable behind it, so that one neurite and a
        dense arbor both show. A bright spot of fixed size marks the soma. Radii leave no trace: what they mean differs
        from laboratory to laboratory.

    Raises
    ------
    NeuronError
        If no position can be drawn.
    """
    sound = np.isfinite(neuron.xyz_um).all(axis=1)
    if not sound.any():
        raise NeuronError("has no node with a position, so there is nothing to draw", path=neuron.path)
    return draw_as_it_lies(align_to_axes(neuron if sound.all() else neuron.take(sound)), size_px)


def draw_as_it_lies(neuron: Neuron, size_px: int = 64) -> NDArray[np.uint8]:
    """The same without turning it; all its positions must be known."""
    points, weight, is_axon, soma = _dots(neuron, size_px)
    images = np.empty((3, size_px, size_px), dtype=np.uint8)
    for image, (across, up) in zip(images, PLANES, strict=True):
        column = points[:, across] + (size_px - 1) / 2
        row = (size_px - 1) / 2 - points[:, up]
        axon, rest = (
            np.log1p(_spread(row, column, np.where(mask, weight, 0.0), size_px)) / np.log1p(MOST_CABLE_PX)
            for mask in (is_axon, ~is_axon)
        )
        spot = _spot(soma[across] + (size_px - 1) / 2, (size_px - 1) / 2 - soma[up], size_px)
        shade = np.minimum(rest, 1.0) - np.minimum(axon, 1.0)
        # the spot lies on top: beyond it the axon stays as dark as it is
        shade = shade + spot * (1.0 - shade)
        image[:] = np.clip(np.rint(NOTHING + (255 - NOTHING) * shade), 0, 255)
    return images


def _dots(neuron: Neuron, size_px: int) -> tuple[FloatArray, FloatArray, NDArray[np.bool_], FloatArray]:
    """Points along all neurites in pixels from the middle, the cable each stands for, whether it is axon; the soma."""
    xyz, parents = neuron.xyz_um, neuron.parents
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    span = float((high - low).max())
    at = (xyz - (low + high) / 2) * (size_px * (1 - 2 * MARGIN) / span if span > 0 else 1.0)
    rows = np.flatnonzero(parents >= 0)
    start, run = at[parents[rows]], at[rows] - at[parents[rows]]
    length = np.sqrt((run * run).sum(axis=1))
    dots = np.maximum(np.ceil(2 * length), 1).astype(np.int64)
    edge = np.repeat(np.arange(len(rows)), dots)
    place = (np.arange(len(edge)) - (np.cumsum(dots) - dots)[edge] + 0.5) / dots[edge]
    points = start[edge] + place[:, None] * run[edge]
    return points, (length / dots)[edge], (neuron.types[rows] == _AXON)[edge], at[neuron.roots[0]]


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
