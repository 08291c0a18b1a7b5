"""A standardised neuron with what measures of shape need: sections, paths, persistence, pieces; plain statistics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.morphology.sections import Sections, edge_lengths_um, split_sections
from napari_celltype.neuron import Neuron

from .neuron_form import NeuronForm, Pieces, to_pieces

__all__ = [
    "PIECES_FORM",
    "Shape",
    "angles",
    "cosine",
    "log",
    "mean",
    "median",
    "norm",
    "slope",
    "spread",
    "weighted_mean",
    "weighted_quantiles",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PIECES_FORM = NeuronForm(piece_um=20.0)
"""How long the pieces are over which straightness and direction are measured."""

_AXON = 2


@dataclass(frozen=True, eq=False)
class Shape:
    """A standardised neuron with what several measures need."""

    neuron: Neuron

    @cached_property
    def sections(self) -> Sections:
        """Its unbranched stretches."""
        root = np.zeros(len(self.neuron), dtype=bool)
        root[0] = True
        return split_sections(self.neuron.parents, root)

    @cached_property
    def length(self) -> FloatArray:
        """Length of the edge above each node."""
        return edge_lengths_um(self.neuron)

    @cached_property
    def path(self) -> FloatArray:
        """Distance of each node from the soma along the neurite."""
        return tree.root_path_sum(self.length, self.neuron.parents)

    @cached_property
    def radial(self) -> FloatArray:
        """Distance of each node from the soma through the air."""
        return norm(self.neuron.xyz_um)

    @cached_property
    def section_length(self) -> FloatArray:
        """Length of each section."""
        lengths: FloatArray = self.path[self.sections.ends] - self.path[self.sections.starts]
        return lengths

    @cached_property
    def above(self) -> IntArray:
        """Section each section hangs from, -1 at the soma."""
        sections = self.sections
        return np.where(sections.starts > 0, sections.section_of_row[sections.starts], -1)

    @cached_property
    def tips_below(self) -> FloatArray:
        """Number of ends at or below each section."""
        return tree.subtree_sum((self.neuron.n_children[self.sections.ends] == 0).astype(float), self.above)

    @cached_property
    def bars(self) -> FloatArray:
        """Persistence of each end: path from the fork at which a longer branch takes over, 0 for inner sections."""
        ends, starts = self.path[self.sections.ends], self.path[self.sections.starts]
        reach, depth = ends.copy(), tree.depths(self.above)
        by_depth = np.argsort(depth, kind="stable")
        bounds = np.searchsorted(depth[by_depth], np.arange(depth.max(initial=0) + 2))
        for level in range(len(bounds) - 2, 0, -1):
            rows = by_depth[bounds[level] : bounds[level + 1]]
            np.maximum.at(reach, self.above[rows], reach[rows])
        heir = (self.above >= 0) & (reach >= reach[self.above])
        return np.where(heir, 0.0, reach - starts)

    @cached_property
    def pieces(self) -> Pieces:
        """It as pieces of 20 um."""
        return to_pieces(self.neuron, PIECES_FORM)

    def whole(self) -> dict[str, float]:
        """Measures that compare parts, or concern the radius."""
        axon = self.neuron.types == _AXON
        length = self.length
        weights = [np.where(mask, length, 0.0) for mask in (axon, ~axon)]
        share = weights[0].sum() / max(length.sum(), 1e-9)
        centres = [(w[:, None] * self.neuron.xyz_um).sum(axis=0) / max(w.sum(), 1e-9) for w in weights]
        apart = centres[0] - centres[1]
        size = float(np.sqrt((length * self.radial**2).sum() / max(length.sum(), 1e-9)))
        return {
            "axon_share": float(share),
            "axon_apart": float(norm(apart[None])[0] / max(size, 1e-9)) if share > 0 else np.nan,
            "axon_beside": cosine(centres[0], centres[1]) if share > 0 else np.nan,
            **self._stems(),
            **self._radii(),
        }

    def _stems(self) -> dict[str, float]:
        """How evenly the stems leave the soma, and whether one of them carries most."""
        stems = self.above < 0
        of_stem = tree.nearest_ancestor(self.above, stems)
        carried = np.bincount(of_stem, self.section_length, len(stems))[stems]
        towards = self.neuron.xyz_um[self.sections.ends[stems]]
        unit = towards / np.maximum(norm(towards), 1e-9)[:, None]
        share = carried / max(carried.sum(), 1e-9)
        return {
            "stem_resultant": float(norm(unit.mean(axis=0)[None])[0]),
            "stem_largest": float(share.max()),
            "stem_evenness": float(1.0 / max((share**2).sum(), 1e-9)),
        }

    def _radii(self) -> dict[str, float]:
        """How neurites thin out, in radii relative to one another; NaN where all are drawn alike."""
        radii = self.neuron.radii_um
        rows = np.flatnonzero((np.isfinite(radii) & (radii > 0)) & (np.arange(len(radii)) > 0))
        nothing = {"taper_path": np.nan, "taper_order": np.nan}
        if len(rows) < 5 or np.ptp(radii[rows]) < 1e-6:
            return nothing
        order = tree.root_path_sum((self.above >= 0).astype(np.int64), self.above)[self.sections.section_of_row[rows]]
        logs = np.log(radii[rows])
        return {
            "taper_path": slope(np.log1p(self.path[rows]), logs, self.length[rows]),
            "taper_order": slope(np.log1p(order.astype(float)), logs, self.length[rows]),
        }


def norm(vectors: NDArray[Any]) -> FloatArray:
    """Length of each row."""
    norm: FloatArray = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return norm


def log(value: float) -> float:
    """Logarithm of one more."""
    return float(np.log1p(value))


def mean(values: FloatArray) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if len(values) else np.nan


def median(values: FloatArray) -> float:
    """Median, NaN of nothing."""
    return float(np.median(values)) if len(values) else np.nan


def spread(values: FloatArray) -> float:
    """Standard deviation, NaN of fewer than two."""
    return float(values.std()) if len(values) > 1 else np.nan


def weighted_mean(values: FloatArray, weight: FloatArray) -> float:
    """Mean with weights, NaN of nothing."""
    return float((values * weight).sum() / weight.sum()) if len(values) else np.nan


def weighted_quantiles(values: FloatArray, weight: FloatArray, at: FloatArray) -> FloatArray:
    """Values below which given parts of the weight lie."""
    if not len(values) or weight.sum() <= 0:
        return np.full(len(at), np.nan)
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    found: FloatArray = np.interp(at, share, values[order])
    return found


def slope(x: FloatArray, y: FloatArray, weight: FloatArray) -> float:
    """Slope of a straight line through weighted points."""
    x, y = x - weighted_mean(x, weight), y - weighted_mean(y, weight)
    spread = float((weight * x * x).sum())
    return float((weight * x * y).sum() / spread) if spread > 1e-9 else np.nan


def cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine of the angle between two vectors."""
    return float(a @ b) / max(float(np.sqrt((a @ a) * (b @ b))), 1e-9)


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angles between rows, in degrees."""
    size: FloatArray = np.maximum(norm(a) * norm(b), 1e-12)
    return np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", a, b) / size, -1.0, 1.0)))
