"""Where neurites lie around the soma: near or far, to one side or all, and along the longest dendrite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree

from .neuron_shape import Shape, cosine, log, norm

__all__ = ["layout_measures"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_AXON = 2
_RADII_UM = (15, 30, 50, 75, 100, 150, 200, 300, 400, 600, 900)
_SHELLS_UM = (50, 100, 200, 400)
_FEWEST = 5


def layout_measures(shape: Shape) -> dict[str, float]:
    """Measures of a standardised neuron by name; NaN where a part is absent."""
    axon = shape.neuron.types == _AXON
    found: dict[str, float] = {}
    for part, mask in (("axon", axon), ("dendrite", ~axon)):
        values = _around(shape, mask) | _directions(shape, mask)
        found |= {f"{part}_{name}": value for name, value in values.items()}
    return found | _stems(shape, axon) | _main_dendrite(shape, axon)


def _around(shape: Shape, mask: Mask) -> dict[str, float]:
    """Crossings of spheres, and the share of length and number of forks inside them, by radius in um."""
    parents = shape.neuron.parents
    rows = np.flatnonzero(mask & (parents >= 0))
    ends = np.sort(np.stack([shape.radial[rows], shape.radial[parents[rows]]]), axis=0)
    crossings = np.searchsorted(np.sort(ends[0]), _RADII_UM) - np.searchsorted(np.sort(ends[1]), _RADII_UM)
    middle = _middles(shape, rows)
    weight = shape.length[rows]
    total = max(float(weight.sum()), 1e-9)
    forks = shape.radial[mask & (shape.neuron.n_children > 1)]
    found = {f"crossings_{radius}": log(float(n)) for radius, n in zip(_RADII_UM, crossings, strict=True)}
    for radius in _SHELLS_UM:
        found[f"within_{radius}"] = float(weight[norm(middle) < radius].sum() / total)
        found[f"forks_within_{radius}"] = log(float((forks < radius).sum()))
    return found


def _middles(shape: Shape, rows: IntArray) -> FloatArray:
    """Middle of each row's edge."""
    xyz = shape.neuron.xyz_um
    middles: FloatArray = (xyz[rows] + xyz[shape.neuron.parents[rows]]) / 2
    return middles


def _directions(shape: Shape, mask: Mask) -> dict[str, float]:
    """How one-sided the part is as seen from the soma, as a whole and in its farthest fifth."""
    rows = np.flatnonzero(mask & (shape.neuron.parents >= 0))
    names = ("one_sided", "sheet", "column", "far_one_sided", "far_sheet", "far_column")
    if len(rows) <= _FEWEST:
        return dict.fromkeys(names, np.nan)
    middle, weight = _middles(shape, rows), shape.length[rows]
    away = norm(middle)
    unit = middle / np.maximum(away, 1e-9)[:, None]
    far = away > np.quantile(away, 0.8)
    values = [*_moments(unit, weight), *_moments(unit[far], weight[far])]
    return dict(zip(names, values, strict=True))


def _moments(unit: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Length of the mean direction, and the two greater spreads of directions."""
    total = max(float(weight.sum()), 1e-9)
    spreads = np.linalg.eigvalsh((unit * weight[:, None]).T @ unit / total)
    resultant = norm(((unit * weight[:, None]).sum(axis=0) / total)[None])[0]
    return float(resultant), float(spreads[1]), float(spreads[2])


def _stems(shape: Shape, axon: Mask) -> dict[str, float]:
    """Number of dendrites, how far the longest stands out, and where the axon begins."""
    ends = shape.sections.ends
    stems, dendritic = shape.above < 0, ~axon[ends]
    of_stem = tree.nearest_ancestor(shape.above, stems)
    length = np.bincount(of_stem[dendritic], shape.section_length[dendritic], len(stems))[stems & dendritic]
    reach = np.zeros(len(stems))
    np.maximum.at(reach, of_stem[dendritic], shape.radial[ends][dendritic])
    reach = np.sort(reach[stems & dendritic])[::-1] + 1.0
    parents = shape.neuron.parents
    begins = np.flatnonzero(axon & (parents >= 0) & ~axon[parents])
    several = len(reach) > 1
    return {
        "dendrites": log(float(len(reach))),
        "dendrite_largest": float(length.max() / max(length.sum(), 1e-9)) if len(length) else np.nan,
        "dendrite_over_second": float(np.log(reach[0] / reach[1])) if several else np.nan,
        "dendrite_over_median": float(np.log(reach[0] / np.median(reach))) if several else np.nan,
        "axon_begins": log(float(shape.path[begins].min())) if len(begins) else np.nan,
    }


def _main_dendrite(shape: Shape, axon: Mask) -> dict[str, float]:
    """What lies along the direction of the farthest dendritic end, and how that dendrite gets there."""
    ends = shape.sections.ends
    tips = ends[~axon[ends] & (shape.neuron.n_children[ends] == 0)]
    names = ("main_share", "main_mean", "main_spread", "main_axon", "main_forks", "main_longest", "main_longest_um")
    if not len(tips):
        return dict.fromkeys(names, np.nan)
    xyz = shape.neuron.xyz_um
    farthest = tips[np.argmax(shape.radial[tips])]
    main = xyz[farthest] / max(float(shape.radial[farthest]), 1e-9)
    beside = (xyz[tips] @ main) / np.maximum(shape.radial[tips], 1e-9)
    weight = np.where(axon, shape.length, 0.0)
    centre = (weight[:, None] * xyz).sum(axis=0)
    on_way = _sections_to(shape, int(shape.sections.section_of_row[farthest]))
    lengths = shape.section_length[on_way]
    values = (
        float((beside > 0.8).mean()),
        float(beside.mean()),
        float(beside.std()),
        cosine(centre, main) if weight.sum() > 0 else np.nan,
        log(float(len(lengths))),
        float(lengths.max() / max(lengths.sum(), 1e-9)),
        log(float(lengths.max())),
    )
    return dict(zip(names, values, strict=True))


def _sections_to(shape: Shape, section: int) -> IntArray:
    """The sections from the soma to one of them."""
    found = []
    while section >= 0:
        found.append(section)
        section = int(shape.above[section])
    return np.array(found)
