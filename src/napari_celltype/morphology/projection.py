"""Draw a neuron as three images, one along each axis, and turn it into a standard position."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Neuron

from .sections import SOMA, edge_lengths_um

__all__ = ["align_to_axes", "project"]

PLANES = ((0, 1), (0, 2), (2, 1))
"""Axes drawn across and up, for the views along z, y and x."""

MAX_WORK = 40_000_000

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.float32]


def project(
    neuron: Neuron,
    size_px: int = 224,
    *,
    extent_um: float | None = None,
    min_width_px: float = 1.0,
    margin: float = 0.05,
) -> NDArray[np.float32]:
    """Draw the neuron seen along z, y and x.

    Parameters
    ----------
    neuron
        The reconstruction.
    size_px
        Height and width of each image.
    extent_um
        Width of the field in micrometres, centred on the neuron. By default the field just holds the neuron in
        all three views, at one scale.
    min_width_px
        Thinner neurites are drawn this wide, so that they do not vanish in small images.
    margin
        Free border on each side, as a part of the image.

    Returns
    -------
    numpy.ndarray
        Shape (3, size_px, size_px), from 0 (empty) to 1 (covered); x across and y up, x across and z up, z across
        and y up. Each edge is a tapered stroke as wide as its ends' diameters, with edges smoothed over one pixel.

    Raises
    ------
    NeuronError
        If no position can be drawn.
    """
    if size_px < 1:
        raise ValueError("size_px must be at least 1")
    xyz, radius, parents = _drawable(neuron)
    low, high = (xyz - radius[:, None]).min(axis=0), (xyz + radius[:, None]).max(axis=0)
    span = float((high - low).max()) if extent_um is None else float(extent_um)
    scale = size_px * (1 - 2 * margin) / span if span > 0 else 1.0
    middle = (low + high) / 2
    xyz, radius, parents = _thinned(xyz, radius, parents, 1 / scale)
    images = np.zeros((3, size_px, size_px), dtype=np.float32)
    for image, (across, up) in zip(images, PLANES, strict=True):
        flat = (xyz[:, [across, up]] - middle[[across, up]]) * scale
        pixels = np.column_stack([flat[:, 0], -flat[:, 1]]) + (size_px - 1) / 2
        _draw(
            image, pixels.astype(np.float32), np.maximum(radius * scale, min_width_px / 2).astype(np.float32), parents
        )
    return images


def align_to_axes(neuron: Neuron, method: Literal["pca", "xy"] = "pca") -> Neuron:
    """Turn a neuron into a standard position, with its soma at the origin.

    Parameters
    ----------
    neuron
        The reconstruction.
    method
        ``pca`` lays the direction of greatest spread along y, the next along x and the least along z. ``xy`` turns
        about z only, so that depth stays depth.

    Notes
    -----
    Spread is weighted by neurite length, so it does not depend on how densely a neurite was traced. Axes point to
    where the neuron reaches farther, and the turn is never a mirroring.
    """
    xyz, _, _ = _drawable(neuron)
    origin = _origin(neuron)
    length = np.nan_to_num(edge_lengths_um(neuron))
    used = np.isfinite(neuron.xyz_um).all(axis=1)
    weight = length[used] if length[used].sum() > 0 else np.ones(len(xyz))
    away = xyz - np.average(xyz, axis=0, weights=weight)
    turn = _turn_about_z(away, weight) if method == "xy" else _principal_turn(away, weight)
    turn = _facing(turn, (xyz - origin), weight, upright=method == "xy")
    with np.errstate(invalid="ignore"):
        return neuron.replace(xyz_um=(neuron.xyz_um - origin) @ turn.T)


def _principal_turn(away: FloatArray, weight: FloatArray) -> FloatArray:
    _, axes = np.linalg.eigh((away * weight[:, None]).T @ away)
    return axes.T[[1, 2, 0]]


def _turn_about_z(away: FloatArray, weight: FloatArray) -> FloatArray:
    flat = away[:, :2]
    _, axes = np.linalg.eigh((flat * weight[:, None]).T @ flat)
    turn = np.eye(3)
    turn[:2, :2] = axes.T
    return turn


def _facing(turn: FloatArray, away: FloatArray, weight: FloatArray, *, upright: bool) -> FloatArray:
    """Point y, then x, to where the third moment is positive; the last axis makes the turn a rotation."""
    turned = turn.copy()
    for axis in (0, 1):
        if (weight * (away @ turned[axis]) ** 3).sum() < 0:
            turned[axis] *= -1
    if np.linalg.det(turned) < 0:
        turned[0 if upright else 2] *= -1
    return turned


def _origin(neuron: Neuron) -> FloatArray:
    sound = np.isfinite(neuron.xyz_um).all(axis=1)
    soma = sound & (neuron.types == SOMA)
    rows = np.flatnonzero(soma) if soma.any() else np.flatnonzero(sound)[:1]
    return neuron.xyz_um[rows].mean(axis=0)


def _drawable(neuron: Neuron) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Positions, radii and parents of the nodes that have a position."""
    sound = np.isfinite(neuron.xyz_um).all(axis=1)
    if not sound.any():
        raise NeuronError("has no node with a position, so there is nothing to draw", path=neuron.path)
    part = neuron if sound.all() else neuron.take(sound)
    return part.xyz_um, np.maximum(np.nan_to_num(part.radii_um, posinf=0.0), 0.0), part.parents


def _thinned(
    xyz: FloatArray, radius: FloatArray, parents: NDArray[np.int64], spacing_um: float
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Fewer nodes, where they stand closer along a neurite than a pixel is wide."""
    step = xyz - xyz[parents]
    length = np.where(parents >= 0, np.sqrt(np.einsum("ij,ij->i", step, step)), 0.0)
    stretch = np.floor(tree.root_path_sum(length, parents) / spacing_um)
    keep = (parents < 0) | (tree.child_counts(parents) != 1) | (stretch != stretch[parents])
    above = tree.nearest_ancestor(parents, keep)
    rows = np.flatnonzero(keep)
    place = np.append(np.cumsum(keep) - 1, -1)
    upper = np.where(parents[rows] >= 0, above[parents[rows]], -1)
    return xyz[rows], radius[rows], place[upper]


def _draw(image: Pixels, at: Pixels, radius: Pixels, parents: NDArray[np.int64]) -> None:
    """Cover the image with one stroke an edge and one disc a root; where strokes overlap the darker counts."""
    above = np.where(parents >= 0, parents, np.arange(len(parents)))
    # a stroke longer than a few pixels is cut up, so that the box around each piece holds little besides it
    run = np.linalg.norm(at - at[above], axis=1)
    pieces = np.clip(np.ceil(run / (4 + 2 * radius)), 1, 4 * len(image)).astype(np.int64)
    edge = np.repeat(np.arange(len(parents)), pieces)
    part = np.arange(len(edge)) - (np.cumsum(pieces) - pieces)[edge]
    begin = (part / pieces[edge]).astype(np.float32)
    end = ((part + 1) / pieces[edge]).astype(np.float32)

    def along(values: Pixels, where: Pixels) -> Pixels:
        weight = where if values.ndim == 1 else where[:, None]
        mixed: Pixels = values[above[edge]] * (1 - weight) + values[edge] * weight
        return mixed

    strokes = _Strokes(along(at, begin), along(at, end), along(radius, begin), along(radius, end))
    strokes.cover(image)


class _Strokes:
    """Tapered strokes with round ends."""

    def __init__(self, start: Pixels, stop: Pixels, r_start: Pixels, r_stop: Pixels) -> None:
        self.start, self.stop, self.r_start, self.r_stop = start, stop, r_start, r_stop

    def cover(self, image: Pixels) -> None:
        size = len(image)
        reach = np.maximum(self.r_start, self.r_stop)[:, None] + 1
        low = np.clip(np.floor(np.minimum(self.start, self.stop) - reach), 0, size).astype(np.int64)
        high = np.clip(np.ceil(np.maximum(self.start, self.stop) + reach) + 1, 0, size).astype(np.int64)
        shape = np.maximum(high - low, 0)
        work = shape[:, 0] * shape[:, 1]
        drawn = np.flatnonzero(work)
        begin = 0
        total = np.cumsum(work[drawn])
        while begin < len(drawn):
            done = total[begin - 1] if begin else 0
            end = max(int(np.searchsorted(total, done + MAX_WORK // 16, side="right")), begin + 1)
            self._cover_some(image, drawn[begin:end], low, shape, work)
            begin = end

    def _cover_some(
        self,
        image: Pixels,
        chosen: NDArray[np.int64],
        low: NDArray[np.int64],
        shape: NDArray[np.int64],
        work: NDArray[np.int64],
    ) -> None:
        stroke = np.repeat(chosen, work[chosen])
        inside = np.arange(len(stroke)) - np.repeat(np.cumsum(work[chosen]) - work[chosen], work[chosen])
        x = low[stroke, 0] + inside % shape[stroke, 0]
        y = low[stroke, 1] + inside // shape[stroke, 0]
        run = self.stop - self.start
        square = np.maximum((run * run).sum(axis=1), 1e-12)
        run_x, run_y = run[stroke, 0], run[stroke, 1]
        px = x.astype(np.float32) - self.start[stroke, 0]
        py = y.astype(np.float32) - self.start[stroke, 1]
        place = np.clip((px * run_x + py * run_y) / square[stroke], 0, 1)
        gap = np.hypot(px - place * run_x, py - place * run_y)
        width = self.r_start[stroke] + place * (self.r_stop - self.r_start)[stroke]
        coverage = np.clip(width - gap + 0.5, 0, 1)
        seen = coverage > 0
        np.maximum.at(image, (y[seen], x[seen]), coverage[seen])
