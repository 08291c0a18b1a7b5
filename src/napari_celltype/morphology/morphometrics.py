"""Measure a neuron: the twenty features of Zhang et al. (2021), by L-Measure's definitions.

The definitions, and where other programs differ, are in ``docs/measure.md``. Lengths are micrometres, angles degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .sections import SOMA, Sections, edge_lengths_um, split_sections

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "TYPE_NAMES", "measure", "measure_by_type", "sholl"]

FEATURES = (
    "TotalLength",
    "TotalSurface",
    "TotalVolume",
    "TotalFragmentation",
    "OverallDepth",
    "OverallHeight",
    "OverallWidth",
    "NumberBifurcations",
    "NumberStems",
    "NumberBranches",
    "FractalDimension",
    "AverageDiameter",
    "AverageContraction",
    "MaxBranchOrder",
    "MaxPathDistance",
    "MaxEuclideanDistance",
    "SomaSurface",
    "PartitionAsymmetry",
    "AverageBifurcationAngleRemote",
    "AverageBifurcationAngleLocal",
)
"""Names as in Table 1 of Zhang et al., down its two columns."""

TYPE_NAMES = {2: "axon", 3: "basal", 4: "apical"}

FloatArray = NDArray[np.float64]


def measure(neuron: Neuron) -> pd.Series[float]:
    """Measure a neuron: the twenty features of Zhang et al., Table 1.

    Returns
    -------
    pandas.Series
        One value a feature, indexed by :data:`FEATURES`. NaN where a mean has nothing to run over (a neuron without
        forks has no bifurcation angle) or a coordinate it needs could not be read.

    Raises
    ------
    NeuronError
        If the neuron has no node, or a cycle of parents.

    Notes
    -----
    Soma points (type 1) bound branches but do not belong to any. In a neuron without a soma its roots stand in for
    it. Radii below zero count as zero.
    """
    import pandas as pd

    return pd.Series(_features(_Whole(neuron), neuron.types != SOMA), index=list(FEATURES), name=neuron.name or None)


def measure_by_type(neuron: Neuron) -> pd.DataFrame:
    """Measure the whole neuron and its axon, basal and apical dendrite each by itself.

    Returns
    -------
    pandas.DataFrame
        A row for ``all`` and for each type the neuron has (``axon``, ``basal``, ``apical``, otherwise ``type N``),
        and a column for each of :data:`FEATURES`. A stem of a type is where that type begins; distances count from
        the soma throughout.
    """
    import pandas as pd

    whole = _Whole(neuron)
    rows = {"all": _features(whole, neuron.types != SOMA)}
    for kind in np.unique(neuron.types[neuron.types != SOMA]):
        rows[TYPE_NAMES.get(int(kind), f"type {kind}")] = _features(whole, neuron.types == kind)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(FEATURES))


def sholl(neuron: Neuron, step_um: float = 10.0, kind: int | None = None) -> pd.Series[int]:
    """Count how often the neurites cross spheres around the soma.

    Parameters
    ----------
    neuron
        The reconstruction.
    step_um
        Distance between spheres; the first has this radius.
    kind
        Count only one structure type (2 axon, 3 basal, 4 apical); all by default.

    Returns
    -------
    pandas.Series
        Number of crossings, indexed by radius in micrometres, out to the farthest node.
    """
    import pandas as pd

    if not step_um > 0:
        raise ValueError("step_um must be above zero")
    whole = _Whole(neuron)
    distance = whole.distance_um
    rows = np.flatnonzero((neuron.parents >= 0) & (neuron.types != SOMA if kind is None else neuron.types == kind))
    ends = np.sort(np.column_stack([distance[rows], distance[neuron.parents[rows]]]), axis=1)
    ends = ends[np.isfinite(ends).all(axis=1)]
    shells = int(np.floor(ends.max() / step_um)) if len(ends) else 0
    first = np.ceil(ends[:, 0] / step_um).astype(np.int64)
    beyond = np.ceil(ends[:, 1] / step_um).astype(np.int64)
    change = np.bincount(first, minlength=shells + 2) - np.bincount(beyond, minlength=shells + 2)
    radii = pd.Index(step_um * np.arange(1, shells + 1), name="radius_um")
    return pd.Series(np.cumsum(change)[1 : shells + 1].tolist(), index=radii, name="crossings", dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Whole:
    """What every part of a neuron is measured against; refuses a neuron that has no such thing."""

    neuron: Neuron

    def __post_init__(self) -> None:
        if not len(self.neuron):
            raise NeuronError("has no node to measure", path=self.neuron.path)
        if self.neuron.has_cycle:
            raise NeuronError(
                "some nodes are their own ancestors (a cycle of parents), so lengths along the tree have no meaning",
                path=self.neuron.path,
                hint="Cut the cycle first.",
            )

    @cached_property
    def length_um(self) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return edge_lengths_um(self.neuron)

    @cached_property
    def path_um(self) -> FloatArray:
        return tree.root_path_sum(self.length_um, self.neuron.parents)

    @cached_property
    def origin(self) -> int:
        """Row distances are measured from: the first soma root, else the first root."""
        roots = self.neuron.roots
        somatic = roots[self.neuron.types[roots] == SOMA]
        return int((somatic if somatic.size else roots)[0])

    @cached_property
    def distance_um(self) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return _norm(self.neuron.xyz_um - self.neuron.xyz_um[self.origin])

    @cached_property
    def soma(self) -> NDArray[np.bool_]:
        return self.neuron.types == SOMA

    @cached_property
    def radii_um(self) -> FloatArray:
        return np.maximum(self.neuron.radii_um, 0.0)


@np.errstate(invalid="ignore", over="ignore")
def _features(whole: _Whole, part: NDArray[np.bool_]) -> list[float]:
    """The features of the rows of ``part``, in the order of FEATURES."""
    neuron = whole.neuron
    parents = np.where(part, neuron.parents, -1)
    sections = split_sections(parents, ~part)
    edges = np.flatnonzero(parents >= 0)
    length, radius = whole.length_um[edges], whole.radii_um[edges]
    forks = np.unique(sections.starts[part[sections.starts] & (parents[sections.starts] >= 0)])
    extent = _extents(neuron, part | whole.soma)
    remote, local = _bifurcation_angles(neuron, sections, forks)
    return [
        float(length.sum()),
        float((2 * np.pi * radius * length).sum()),
        float((np.pi * radius**2 * length).sum()),
        float(len(edges)),
        *(float(extent[axis]) for axis in (2, 1, 0)),
        float(len(forks)),
        float(_count_stems(whole, part, sections)),
        float(len(sections)),
        _mean(_fractal_dimensions(whole, sections)),
        _mean(2 * whole.radii_um[part]),
        _mean(_contractions(whole, sections)),
        float(_branch_orders(sections, forks).max(initial=0)),
        float(whole.path_um[part].max(initial=0.0)),
        float(whole.distance_um[part].max(initial=0.0)),
        _soma_surface(whole),
        _mean(_partition_asymmetries(sections, forks)),
        _mean(remote),
        _mean(local),
    ]


def _extents(neuron: Neuron, rows: NDArray[np.bool_]) -> FloatArray:
    xyz = neuron.xyz_um[rows]
    return np.ptp(xyz, axis=0) if len(xyz) else np.zeros(3)


def _count_stems(whole: _Whole, part: NDArray[np.bool_], sections: Sections) -> int:
    from_elsewhere = ~part[sections.starts]
    if whole.soma.any():
        return int(from_elsewhere.sum())
    return int((from_elsewhere | (whole.neuron.parents[sections.starts] < 0)).sum())


def _contractions(whole: _Whole, sections: Sections) -> FloatArray:
    xyz = whole.neuron.xyz_um
    straight = _norm(xyz[sections.ends] - xyz[sections.starts])
    along = whole.path_um[sections.ends] - whole.path_um[sections.starts]
    return straight[along != 0] / along[along != 0]


def _fractal_dimensions(whole: _Whole, sections: Sections) -> FloatArray:
    """Slope of log path length over log straight distance, both from the branch's beginning, a fit a branch."""
    rows = np.flatnonzero(sections.section_of_row >= 0)
    rows = rows[sections.n_edges[sections.section_of_row[rows]] > 3]
    number = sections.section_of_row[rows]
    start = sections.starts[number]
    straight = _norm(whole.neuron.xyz_um[rows] - whole.neuron.xyz_um[start])
    along = whole.path_um[rows] - whole.path_um[start]
    used = ~((straight <= 0) | (along <= 0))
    number, x, y = number[used], np.log(straight[used]), np.log(along[used])
    count, sum_x, sum_y = (np.bincount(number, w, minlength=len(sections)) for w in (None, x, y))
    mean_x, mean_y = (s / np.maximum(count, 1) for s in (sum_x, sum_y))
    dx, dy = x - mean_x[number], y - mean_y[number]
    spread = np.bincount(number, dx * dx, minlength=len(sections))
    joint = np.bincount(number, dx * dy, minlength=len(sections))
    fits = (count > 1) & ~(spread <= 1e-12)
    return joint[fits] / spread[fits]


def _branch_orders(sections: Sections, forks: IntArray) -> IntArray:
    """Number of forks between the stem and each section."""
    begins_at_fork = np.isin(sections.starts, forks).astype(np.int64)
    return tree.root_path_sum(begins_at_fork, sections.section_of_row[sections.starts])


def _partition_asymmetries(sections: Sections, forks: IntArray) -> FloatArray:
    """Difference of the two daughters' tips over the most it could be, at each fork with two daughters."""
    above = sections.section_of_row[sections.starts]
    is_last = tree.child_counts(above) == 0
    tips = tree.subtree_sum(is_last.astype(np.float64), above)
    left, right = _daughters(sections, forks)
    unequal = np.abs(tips[left] - tips[right])
    return unequal / np.maximum(tips[left] + tips[right] - 2, 1)


def _bifurcation_angles(neuron: Neuron, sections: Sections, forks: IntArray) -> tuple[FloatArray, FloatArray]:
    """Angles between the two daughters' ends, and between their first compartments, in degrees."""
    left, right = _daughters(sections, forks)
    at = neuron.xyz_um[sections.starts[left]]
    return tuple(
        _angles_deg(neuron.xyz_um[rows[left]] - at, neuron.xyz_um[rows[right]] - at)
        for rows in (sections.ends, sections.heads)
    )  # type: ignore[return-value]


def _daughters(sections: Sections, forks: IntArray) -> tuple[IntArray, IntArray]:
    """The two sections at each fork that has exactly two."""
    by_start = np.argsort(sections.starts, kind="stable")
    first = np.searchsorted(sections.starts[by_start], forks)
    beyond = np.searchsorted(sections.starts[by_start], forks, side="right")
    first = first[beyond - first == 2]
    return by_start[first], by_start[first + 1]


def _angles_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    norm = _norm(a) * _norm(b)
    has_angle = norm != 0
    cosine = np.einsum("ij,ij->i", a, b)[has_angle] / norm[has_angle]
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _soma_surface(whole: _Whole) -> float:
    """A sphere for a soma of one point; otherwise the cylinders between its points, as wide as their inner end."""
    neuron, soma = whole.neuron, np.flatnonzero(whole.soma)
    if len(soma) == 1:
        return float(4 * np.pi * whole.radii_um[soma[0]] ** 2)
    inner = neuron.parents[soma]
    joined = (inner >= 0) & whole.soma[inner]
    return float((2 * np.pi * whole.radii_um[inner[joined]] * whole.length_um[soma[joined]]).sum())


def _norm(vectors: FloatArray) -> FloatArray:
    norm: FloatArray = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return norm


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else float("nan")
