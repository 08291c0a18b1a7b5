"""Numbers that describe a reconstruction's shape: the twenty of Zhang et al., and many more.

The wide ones are measured on the standardised neuron and its pieces, so they do not change with the origin, the order
or density of nodes, the direction the cell was mounted in, or the convention for radii.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import NeuronError
from napari_celltype.morphology.morphometrics import FEATURES, measure
from napari_celltype.neuron import Neuron

from .neuron_form import piece_columns
from .neuron_layout import layout_measures
from .neuron_shape import PIECES_FORM, Shape, angles, log, mean, median, norm, spread, weighted_mean, weighted_quantiles

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["hand_features", "wide_features", "wide_names"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_COLUMN = {name: place for place, name in enumerate(piece_columns(PIECES_FORM.points))}
_SHELLS = np.array([0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0])
_AXON = 2
_PARTS = ("all", "axon", "dendrite")


def hand_features(neurons: Iterable[Neuron]) -> pd.DataFrame:
    """The twenty features of :func:`napari_celltype.measure`, one row a neuron; NaN where one cannot be measured."""
    import pandas as pd

    rows = []
    for neuron in neurons:
        try:
            rows.append(measure(neuron).to_numpy(float))
        except NeuronError:
            rows.append(np.full(len(FEATURES), np.nan))
    return pd.DataFrame(np.reshape(rows, (-1, len(FEATURES))), columns=list(FEATURES))


def wide_features(neurons: Iterable[Neuron]) -> pd.DataFrame:
    """Many measures of shape of standardised neurons, one row each; NaN where a part is absent."""
    import pandas as pd

    rows = [_measure(neuron) for neuron in neurons]
    return pd.DataFrame(rows, columns=list(wide_names()))


def wide_names() -> tuple[str, ...]:
    """Names of the wide features, in order."""
    return tuple(_measure(_EXAMPLE))


_EXAMPLE = Neuron.from_arrays([[0, 0, 0], [10, 0, 0], [20, 5, 0], [20, -5, 3]], [-1, 0, 1, 1], types=[1, 3, 3, 3])


def _measure(neuron: Neuron) -> dict[str, float]:
    shape = Shape(neuron)
    axon = neuron.types[shape.sections.ends] == _AXON
    masks = {"all": np.ones_like(axon), "axon": axon, "dendrite": ~axon}
    found: dict[str, float] = {}
    for part in _PARTS:
        of_part = _Part(shape, masks[part], part)
        found |= {f"{part}_{name}": value for name, value in of_part.measures().items()}
    return found | shape.whole() | layout_measures(shape)


@dataclass(frozen=True, eq=False)
class _Part:
    """The sections of one part of a neuron."""

    shape: Shape
    chosen: Mask
    name: str

    def measures(self) -> dict[str, float]:
        """Every measure of this part by name."""
        return {
            **self._sizes(),
            **self._reach(),
            **self._sections(),
            **self._forks(),
            **self._extent(),
            **self._course(),
            **self._shells(),
            **self._persistence(),
        }

    @cached_property
    def rows(self) -> IntArray:
        """Rows of the part's nodes."""
        number = self.shape.sections.section_of_row
        return np.flatnonzero((number >= 0) & self.chosen[number])

    @cached_property
    def weight(self) -> FloatArray:
        """Length of the edge above each of them."""
        return self.shape.length[self.rows]

    @cached_property
    def _ends(self) -> Mask:
        """Which sections of the part end in a tip."""
        return self.chosen & (self.shape.neuron.n_children[self.shape.sections.ends] == 0)

    def _sizes(self) -> dict[str, float]:
        above = self.shape.above
        begins = self.chosen & ((above < 0) | ~self.chosen[above])
        tips, total = float(self._ends.sum()), float(self.weight.sum())
        return {
            "length": log(total / 100),
            "tips": log(tips),
            "stems": log(float(begins.sum())),
            "tips_per_mm": log(1000 * tips / total) if total > 0 else np.nan,
        }

    def _reach(self) -> dict[str, float]:
        names = ("reach_10", "reach_25", "reach_50", "reach_75", "reach_90")
        radial = self.shape.radial[self.rows]
        values = weighted_quantiles(radial, self.weight, np.array([0.1, 0.25, 0.5, 0.75, 0.9]))
        most = float(radial.max(initial=0.0))
        found = {name: log(value / 10) for name, value in zip(names, values, strict=True)}
        ends = self.shape.sections.ends[self._ends]
        detour = self.shape.path[ends] / np.maximum(self.shape.radial[ends], 1.0)
        return found | {
            "reach_most": log(most / 10),
            "reach_shape": float(values[2] / most) if most > 0 else np.nan,
            "detour": mean(np.minimum(detour, 10.0)),
        }

    def _sections(self) -> dict[str, float]:
        tips = np.log(np.maximum(self.shape.section_length[self._ends], 0.1))
        inner = np.log(np.maximum(self.shape.section_length[self.chosen & ~self._ends], 0.1))
        order = tree.root_path_sum((self.shape.above >= 0).astype(np.int64), self.shape.above)[self.chosen]
        return {
            "tip_length": median(tips),
            "tip_spread": spread(tips),
            "inner_length": median(inner),
            "inner_spread": spread(inner),
            "order_mean": mean(np.log1p(order)),
            "order_most": log(float(order.max())) if len(order) else np.nan,
        }

    def _forks(self) -> dict[str, float]:
        """Angles 10 um beyond forks and at the daughters' ends, and how unequal the daughters are."""
        sections, xyz = self.shape.sections, self.shape.neuron.xyz_um
        left, right = self._daughters
        at = xyz[sections.starts[left]]
        near = self._near_points
        a, b = self.shape.tips_below[left], self.shape.tips_below[right]
        remote = angles(xyz[sections.ends[left]] - at, xyz[sections.ends[right]] - at)
        local = angles(near[left] - at, near[right] - at)
        return {
            "angle_remote": mean(remote),
            "angle_remote_spread": spread(remote),
            "angle_local": mean(local),
            "angle_local_spread": spread(local),
            "asymmetry": mean(np.abs(a - b) / np.maximum(a + b - 2, 1)),
            "turn_at_forks": mean(np.minimum(self._turns(left), self._turns(right))),
        }

    @cached_property
    def _daughters(self) -> tuple[IntArray, IntArray]:
        """The two sections at each fork that has exactly two of this part."""
        starts = self.shape.sections.starts
        rows = np.flatnonzero(self.chosen & (self.shape.above >= 0))
        rows = rows[np.argsort(starts[rows], kind="stable")]
        _, first, count = np.unique(starts[rows], return_index=True, return_counts=True)
        pairs = first[count == 2]
        return rows[pairs], rows[pairs + 1]

    def _turns(self, sections: IntArray) -> FloatArray:
        shape = self.shape
        at = shape.neuron.xyz_um[shape.sections.starts[sections]]
        before = at - shape.neuron.xyz_um[shape.sections.starts[shape.above[sections]]]
        return angles(before, self._near_points[sections] - at)

    @cached_property
    def _near_points(self) -> FloatArray:
        """Where each section is 10 um beyond its start, or its end if that is nearer."""
        shape, sections = self.shape, self.shape.sections
        along = shape.path - shape.path[sections.starts][sections.section_of_row]
        beyond = (sections.section_of_row >= 0) & (along >= 10.0)
        found = shape.neuron.xyz_um[sections.ends].copy()
        rows = np.flatnonzero(beyond & ((sections.cut_parents < 0) | ~beyond[sections.cut_parents]))
        above = shape.neuron.parents[rows]
        step = np.maximum(shape.length[rows], 1e-9)
        part = np.clip((10.0 - (along[rows] - step)) / step, 0, 1)[:, None]
        xyz = shape.neuron.xyz_um
        found[sections.section_of_row[rows]] = xyz[above] + part * (xyz[rows] - xyz[above])
        return found

    def _extent(self) -> dict[str, float]:
        """Spread along the principal directions, and where the middle lies as seen from the soma."""
        names = ("spread", "flatness", "slimness", "off_centre", "crowding")
        total = self.weight.sum()
        if total <= 0 or len(self.rows) < 3:
            return dict.fromkeys(names, np.nan)
        xyz = self.shape.neuron.xyz_um[self.rows]
        centre = (self.weight[:, None] * xyz).sum(axis=0) / total
        away = xyz - centre
        values = np.linalg.eigvalsh((away * self.weight[:, None]).T @ away / total)
        third, second, first = np.sqrt(np.maximum(values, 1e-6))
        rms = np.sqrt((self.weight * (xyz**2).sum(axis=1)).sum() / total)
        return {
            "spread": float(np.log(first)),
            "flatness": float(third / first),
            "slimness": float(second / first),
            "off_centre": float(norm(centre[None])[0] / max(rms, 1e-9)),
            "crowding": float(np.log(total / (first * second))),
        }

    def _course(self) -> dict[str, float]:
        """How straight, outward and winding the neurites run, over pieces of 20 um."""
        features = self.shape.pieces.features[1:].astype(float)
        axon = features[:, _COLUMN["axon"]] > 0
        mine = features[{"all": np.ones_like(axon), "axon": axon, "dendrite": ~axon}[self.name]]
        weight = np.exp(mine[:, _COLUMN["log_length"]])
        steps = mine[:, _COLUMN["step1_x"] : _COLUMN["log_length"]].reshape(len(mine), PIECES_FORM.points, 3)
        unit = steps / np.maximum(np.linalg.norm(steps, axis=2, keepdims=True), 1e-9)
        winding = 1 - (unit[:, 1:] * unit[:, :-1]).sum(axis=2).mean(axis=1) if len(mine) else np.zeros(0)
        straight, outward = mine[:, _COLUMN["straightness"]], mine[:, _COLUMN["outward"]]
        return {
            "straight": weighted_mean(straight, weight),
            "winding": weighted_mean(winding, weight),
            "outward": weighted_mean(outward, weight),
            "outward_spread": np.sqrt(weighted_mean((outward - weighted_mean(outward, weight)) ** 2, weight)),
            "inward_share": weighted_mean((outward < -0.3).astype(float), weight),
        }

    def _shells(self) -> dict[str, float]:
        """How often spheres around the soma are crossed, at parts of the farthest reach."""
        names = [f"shell_{round(100 * part)}" for part in _SHELLS[:-1]]
        most = self.shape.radial[self.rows].max(initial=0.0)
        if most <= 0:
            return dict.fromkeys([*names, "shell_peak", "shell_peak_at"], np.nan)
        ends = np.sort(
            np.stack([self.shape.radial[self.rows], self.shape.radial[self.shape.neuron.parents[self.rows]]]), axis=0
        )
        radii = most * (np.arange(40) + 0.5) / 40
        inside, beyond = np.sort(ends[0]), np.sort(ends[1])
        crossings = np.searchsorted(inside, radii) - np.searchsorted(beyond, radii)
        logs = np.log1p(crossings.astype(float))
        found = {name: float(np.interp(part * most, radii, logs)) for name, part in zip(names, _SHELLS, strict=False)}
        return found | {"shell_peak": float(logs.max()), "shell_peak_at": float(radii[logs.argmax()] / most)}

    def _persistence(self) -> dict[str, float]:
        bars = self.shape.bars[self.chosen]
        bars = np.sort(bars[bars > 0])[::-1]
        if len(bars) < 2:
            return dict.fromkeys(("bar_median", "bar_tenth", "bar_second", "bar_evenness"), np.nan)
        share = bars / bars.sum()
        return {
            "bar_median": log(float(np.median(bars))),
            "bar_tenth": log(float(bars[len(bars) // 10])),
            "bar_second": float(bars[1] / bars[0]),
            "bar_evenness": float(-(share * np.log(share)).sum() / np.log(len(bars))),
        }
