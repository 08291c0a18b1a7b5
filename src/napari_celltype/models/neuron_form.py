"""What is done to a reconstruction before a model sees it: one tree from any file, its pieces, its three pictures.

Classes are traced by different laboratories, so everything a laboratory decides and a neuron does not is taken off
here: where the origin lies, in what order and how densely nodes were put, how the soma is drawn, what radius a thin
neurite was given, how dendrites were called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.morphology.projection import align_to_axes
from napari_celltype.morphology.pruning import remove_type
from napari_celltype.morphology.repair import repair_z_jumps
from napari_celltype.morphology.sections import Sections, edge_lengths_um, split_sections
from napari_celltype.neuron import Neuron

from .neuron_image import draw
from .neuron_tree import one_tree

__all__ = [
    "COARSE_TYPES",
    "PIECE_COLUMNS",
    "NeuronForm",
    "Pieces",
    "piece_columns",
    "standardise",
    "to_image",
    "to_pieces",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COARSE_TYPES = {"soma": 1, "axon": 2, "dendrite": 3, "unknown": 0}
"""Structure types a model may see. Apical is none of them: a tracer writes it who knows that the cell is pyramidal."""

_AXON, _DENDRITE = 2, 3
_FAR = 6.0


@dataclass(frozen=True)
class NeuronForm:
    """How reconstructions are prepared; stored with each model.

    Parameters
    ----------
    types
        ``coarse`` tells soma, axon and dendrite apart, ``hidden`` only the soma.
    axon
        ``keep``, or ``drop`` what is traced of it.
    radius
        ``relative`` to the neuron's own median, or ``none``.
    repair
        Whether z-jumps are mended first.
    align
        ``none``, or ``principal``: the direction of greatest spread upright.
    image_px
        Height and width of the pictures.
    piece_um
        Length of the pieces long sections are cut into.
    points
        Steps in which the course of a piece is described.
    """

    types: str = "coarse"
    axon: str = "keep"
    radius: str = "relative"
    repair: bool = False
    align: str = "none"
    image_px: int = 96
    piece_um: float = 40.0
    points: int = 4

    def __post_init__(self) -> None:
        for what, allowed in _CHOICES.items():
            if getattr(self, what) not in allowed:
                raise ValueError(f"{what} must be {' or '.join(allowed)}, not {getattr(self, what)!r}")
        if not (self.image_px > 0 and self.piece_um > 0 and self.points > 0):
            raise ValueError("image_px, piece_um and points must be above zero")

    def to_settings(self) -> dict[str, Any]:
        """For a model's settings."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> NeuronForm:
        """What a model's settings say."""
        return cls(**settings)


_CHOICES = {
    "types": ("coarse", "hidden"),
    "axon": ("keep", "drop"),
    "radius": ("relative", "none"),
    "align": ("none", "principal"),
}


def standardise(neuron: Neuron, form: NeuronForm | None = None) -> Neuron:
    """Bring a reconstruction into the form models are trained on.

    Returns
    -------
    Neuron
        One tree, parents before children, the soma a single point in row 0 and at the origin, no step of length
        zero. ``source_rows`` are rows of the neuron given (-1 for none); ``defects`` say what had to be done:
        ``no-soma``, ``joined``, ``left-off``, ``axon-dropped``, ``repaired``.

    Raises
    ------
    NeuronError
        If there is a cycle, or nothing besides a soma.
    """
    form = form or NeuronForm()
    found = one_tree(neuron)
    if form.repair:
        found = repair_z_jumps(found)
    if form.axon == "drop":
        found = _without_axon(found)
    if form.types == "hidden":
        found = found.replace(types=np.where(found.types == 1, 1, 0))
    if form.align == "principal":
        found = align_to_axes(found)
    return found.replace(xyz_um=found.xyz_um - found.xyz_um[0])


def _without_axon(neuron: Neuron) -> Neuron:
    """Without its axon, unless nothing but the soma would be left."""
    axon = neuron.types == _AXON
    if not axon.any() or not (neuron.types[~axon] != 1).any():
        return neuron
    rest = remove_type(neuron, _AXON)
    return rest if len(rest) > 1 else neuron


@dataclass(frozen=True, eq=False)
class Pieces:
    """A neuron as a tree of pieces: row 0 is the soma, parents stand before their children.

    Parameters
    ----------
    features
        (n, d), in the order of :func:`piece_columns`.
    parents
        (n,), -1 at the root.
    node_rows
        For each row of the standardised neuron, its piece.
    """

    features: NDArray[np.float32]
    parents: IntArray
    node_rows: IntArray

    def __len__(self) -> int:
        return len(self.parents)


@cache
def piece_columns(points: int = 4) -> tuple[str, ...]:
    """Names of what is known of a piece.

    Displacement in 50 um; its course as steps, in parts of its length; logarithm of its length; how straight it is;
    logarithms of the distances of its end to the soma along the neurite and through the air; how far it leads outward;
    where it lies as seen from the soma; branch order; radius; whether it is an end or leads to a fork; type.
    """
    return (
        *("dx", "dy", "dz"),
        *(f"step{k}_{axis}" for k in range(1, points + 1) for axis in "xyz"),
        *("log_length", "straightness", "log_path", "log_radial", "outward", "away_x", "away_y", "away_z"),
        *("order", "radius", "is_tip", "is_fork", *COARSE_TYPES),
    )


PIECE_COLUMNS = piece_columns()
"""Names of what is known of a piece described in four steps."""


def to_pieces(neuron: Neuron, form: NeuronForm | None = None) -> Pieces:
    """Cut a standardised neuron into pieces of about ``form.piece_um`` that do not depend on where its nodes are.

    A piece is a section between forks, or an even part of one.
    """
    form = form or NeuronForm()
    root = np.zeros(len(neuron), dtype=bool)
    root[0] = True
    sections = split_sections(neuron.parents, root)
    along = tree.root_path_sum(edge_lengths_um(neuron), sections.cut_parents)
    total = along[sections.ends]
    count = np.maximum(np.round(total / form.piece_um), 1).astype(np.int64)
    first = np.cumsum(count) - count + 1
    number = np.repeat(np.arange(len(sections)), count)
    place = np.arange(len(number)) - (first - 1)[number]
    last_above = np.where(sections.starts > 0, (first + count - 1)[sections.section_of_row[sections.starts]], 0)
    parents = np.concatenate([[-1], np.where(place == 0, last_above[number], np.arange(len(number)))])
    spots = _Spots(neuron, sections, along, number, place, count, form)
    order = tree.topological_order(parents)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    node_rows = rank[_pieces_of_nodes(sections, along, total, count, first)]
    above = np.append(rank, -1)[parents[order]]
    features = np.zeros((len(order), len(piece_columns(form.points))), dtype=np.float32)
    features[1:] = spots.features(parents)[order[1:] - 1]
    features[0, -len(COARSE_TYPES)] = 1.0
    return Pieces(features, above, node_rows)


def _pieces_of_nodes(
    sections: Sections, along: FloatArray, total: FloatArray, count: IntArray, first: IntArray
) -> IntArray:
    number = sections.section_of_row
    share = np.ceil(along * (count / np.maximum(total, 1e-12))[number] - 1e-9).astype(np.int64) - 1
    return np.where(number < 0, 0, first[number] + np.clip(share, 0, count[number] - 1))


class _Spots:
    """The ends and inner points of all pieces, found on their sections by length."""

    def __init__(
        self,
        neuron: Neuron,
        sections: Sections,
        along: FloatArray,
        number: IntArray,
        place: IntArray,
        count: IntArray,
        form: NeuronForm,
    ) -> None:
        self.neuron, self.sections, self.form = neuron, sections, form
        self.number, self.is_last = number, place == count[number] - 1
        self.length = (along[sections.ends] / count)[number]
        inside = place[:, None] + np.arange(form.points + 1) / form.points
        self.line, self.rows, offset = _one_line(sections, along)
        self.wanted = offset[number, None] + inside * self.length[:, None]
        self.start_path = tree.root_path_sum(edge_lengths_um(neuron), neuron.parents)[sections.starts[number]]
        self.end_path = self.start_path + (place + 1) * self.length

    def at(self, values: FloatArray) -> FloatArray:
        """A value along the neurites, at the points wanted."""
        return np.interp(self.wanted, self.line, values[self.rows])

    def features(self, parents: IntArray) -> FloatArray:
        """What is known of each piece, the root's row left off."""
        neuron = self.neuron
        xyz = np.stack([self.at(neuron.xyz_um[:, axis]) for axis in range(3)], axis=-1)
        steps = np.diff(xyz, axis=1) / self.length[:, None, None]
        shift = xyz[:, -1] - xyz[:, 0]
        chord, radial = np.linalg.norm(shift, axis=1), np.linalg.norm(xyz[:, -1], axis=1)
        away = xyz[:, -1] / np.maximum(radial, 1e-9)[:, None]
        outward = (shift * away).sum(axis=1) / np.maximum(chord, 1e-9)
        tip = neuron.n_children[self.sections.ends] == 0
        return np.column_stack(
            [
                np.clip(shift / 50.0, -_FAR, _FAR),
                steps.reshape(len(steps), -1),
                np.log(np.maximum(self.length, 1e-2) / 10.0),
                chord / self.length,
                np.log1p(self.end_path / 10.0),
                np.log1p(radial / 10.0),
                outward,
                away,
                np.log1p(self._orders()),
                self._radii(),
                self.is_last & tip[self.number],
                self.is_last & ~tip[self.number],
                self._types(),
            ]
        )

    def _orders(self) -> FloatArray:
        at_fork = (self.sections.starts > 0).astype(np.int64)
        above = np.where(at_fork, self.sections.section_of_row[self.sections.starts], -1)
        return tree.root_path_sum(at_fork, above)[self.number].astype(float)

    def _radii(self) -> FloatArray:
        radii = self.neuron.radii_um
        known = np.isfinite(radii) & (radii > 0)
        known[0] = False
        if self.form.radius == "none" or not known.any():
            return np.zeros(len(self.number))
        middle = float(np.median(radii[known]))
        logs = np.where(known, np.log(np.where(known, radii, middle) / middle), 0.0)
        return np.clip(self.at(logs).mean(axis=1), -2.0, 2.0)

    def _types(self) -> FloatArray:
        """One column a coarse type: that of the neurite at the middle of the piece."""
        middle = self.wanted[:, [0, -1]].mean(axis=1)
        rows = self.rows[np.clip(np.searchsorted(self.line, middle), 0, len(self.rows) - 1)]
        return (self.neuron.types[rows][:, None] == list(COARSE_TYPES.values())).astype(float)


def _one_line(sections: Sections, along: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """All sections laid end to end, each with its start: places on the line, their rows, where each section begins."""
    rows = np.flatnonzero(sections.section_of_row >= 0)
    number = np.concatenate([sections.section_of_row[rows], np.arange(len(sections))])
    distance = np.concatenate([along[rows], np.zeros(len(sections))])
    rows = np.concatenate([rows, sections.starts])
    offset = np.concatenate([[0.0], np.cumsum(along[sections.ends] + 1.0)])[:-1]
    line = offset[number] + distance
    by_place = np.argsort(line, kind="stable")
    return line[by_place], rows[by_place], offset


def to_image(neuron: Neuron, form: NeuronForm | None = None) -> NDArray[np.uint8]:
    """Draw a standardised neuron as image networks see it, (3, px, px): along its main axes, filling the field.

    Radii are left out because whole collections share one; size comes to models as a number.
    """
    return draw(neuron, (form or NeuronForm()).image_px)
