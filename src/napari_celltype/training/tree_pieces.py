"""Neurons as trees of pieces for the Tree-LSTM's training: varied copies cut once, cheap variation at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.models.neuron_form import COARSE_TYPES, NeuronForm, piece_columns, to_pieces
from napari_celltype.morphology.augmentation import add_branches, delete_branches
from napari_celltype.neuron import Neuron

from .neurons import NeuronSet

__all__ = ["Grove", "PieceVariation", "cut_copies", "resize", "vary_neuron", "vary_pieces"]

IntArray = NDArray[np.int64]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class PieceVariation:
    """How far trees are varied at every step: what may differ between tracers and slices without changing the type.

    Parameters
    ----------
    tilt_deg, scale
        Spread of the tilt (about z trees are turned by any angle and mirrored), and the largest factor of size.
    jitter
        Spread added to the steps of a piece, in parts of its length.
    prune
        Share of small branches taken off.
    without_axon, without_types, without_radius
        Share of trees that lose their axon, the names of their parts, their radii.
    """

    tilt_deg: float = 10.0
    scale: float = 1.3
    jitter: float = 0.03
    prune: float = 0.05
    without_axon: float = 0.08
    without_types: float = 0.1
    without_radius: float = 0.1

    def to_settings(self) -> dict[str, Any]:
        """Plain data: what decides the result."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Grove:
    """Trees of pieces, several copies of each neuron, in long arrays.

    Parameters
    ----------
    features, parents
        Of all pieces of all trees one after another; parents count from their own tree's first row.
    starts
        Where each tree begins, and the end; tree ``i * copies + k`` is copy k of neuron i, and copy 0 the neuron as
        it is.
    copies
        Trees a neuron.
    """

    features: Features
    parents: NDArray[np.int32]
    starts: IntArray
    copies: int

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.copies

    def trees(self, neurons: NDArray[np.intp], copies: NDArray[np.intp] | int = 0) -> tuple[Features, list[IntArray]]:
        """Features laid end to end, and the parents of each tree."""
        chosen = np.asarray(neurons) * self.copies + copies
        parts = [slice(self.starts[i], self.starts[i + 1]) for i in chosen]
        return np.concatenate([self.features[p] for p in parts]), [self.parents[p].astype(np.int64) for p in parts]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For storing."""
        return {"features": self.features.astype(np.float16), "parents": self.parents, "starts": self.starts}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], copies: int) -> Grove:
        """The inverse, as near as half precision is."""
        return cls(arrays["features"].astype(np.float32), arrays["parents"], arrays["starts"], copies)


def cut_copies(
    neurons: NeuronSet,
    form: NeuronForm,
    copies: int,
    seed: int,
    density: float = 1.5,
    progress: Callable[[int, int], None] | None = None,
) -> Grove:
    """Cut standardised neurons into pieces: each as it is, and varied copies with pieces of other lengths.

    Parameters
    ----------
    copies
        Trees a neuron, the neuron as it is included.
    density
        Largest factor by which the pieces of copies are longer or shorter.
    """
    features, parents, lengths = [], [], [0]
    for index, neuron in enumerate(neurons.neurons()):
        for copy in range(copies):
            rng = np.random.default_rng([seed, index, copy])
            shown, cut = neuron, form
            if copy:
                shown = vary_neuron(neuron, rng)
                cut = replace(form, piece_um=form.piece_um * density ** rng.uniform(-1, 1))
            pieces = to_pieces(shown, cut)
            features.append(pieces.features)
            parents.append(pieces.parents.astype(np.int32))
            lengths.append(len(pieces))
        if progress is not None:
            progress(index + 1, len(neurons))
    return Grove(np.concatenate(features), np.concatenate(parents), np.cumsum(lengths), copies)


def vary_neuron(
    neuron: Neuron, rng: np.random.Generator, branches: float = 0.15, tilt_deg: float = 15.0, stretch: float = 0.1
) -> Neuron:
    """A varied copy of a standardised neuron: branches off and on, turned, tilted, stretched mostly along z.

    Parameters
    ----------
    branches
        Largest part of the branches taken off; up to half of it is added, in some copies.
    tilt_deg, stretch
        Spread of the tilt, and of the logarithm of the stretch.
    """
    rng.uniform()  # kept, so that copies stay those the bundled models were taught with
    neuron = delete_branches(neuron, rng, rng.uniform(0, branches))
    if rng.uniform() < _ADDED:
        # adding a branch costs ten times taking one off, so only some copies have it
        neuron = add_branches(neuron, rng, min(rng.uniform(0, branches / 2), 10 / max(len(neuron) / 50, 1)))
    turned = _about("z", rng.uniform(0, 2 * np.pi, 1))[0]
    tilted = _about("x", np.radians(tilt_deg) * rng.normal(size=1))[0]
    stretched = np.diag(np.exp(rng.normal(0, stretch, 3) * [0.3, 0.3, 1.0]))
    turn = _about("z", rng.uniform(0, 2 * np.pi, 1))[0] @ tilted @ turned @ stretched
    return neuron.replace(xyz_um=(neuron.xyz_um - neuron.xyz_um[0]) @ turn.T)


_ADDED = 0.3


def vary_pieces(
    features: Features, trees: list[IntArray], how: PieceVariation, rng: np.random.Generator, points: int = 4
) -> tuple[Features, list[IntArray]]:
    """Varied trees; the same generator state gives the same ones."""
    sizes = np.array([len(parents) for parents in trees])
    number = np.repeat(np.arange(len(trees)), sizes)
    columns = {name: i for i, name in enumerate(piece_columns(points))}
    features = features.copy()
    _turn(features, number, len(trees), how, rng, points)
    resize(features, number, how.scale ** rng.uniform(-1, 1, len(trees)), columns)
    steps = slice(columns["step1_x"], columns["step1_x"] + 3 * points)
    features[:, steps] += how.jitter * rng.standard_normal((len(features), 3 * points), dtype=np.float32)
    lose_axon, lose_types, lose_radius = (
        rng.random(len(trees))[number] < share for share in (how.without_axon, how.without_types, how.without_radius)
    )
    axon = features[:, columns["axon"]] > 0
    gone = _small_branches(trees, sizes, how.prune, rng) | (axon & lose_axon)
    features[lose_radius, columns["radius"]] = 0.0
    soma = features[:, columns["soma"]] > 0
    types = slice(columns["soma"], columns["soma"] + len(COARSE_TYPES))
    features[lose_types & ~soma, types] = [float(name == "unknown") for name in COARSE_TYPES]
    return _without(features, trees, sizes, gone)


def _turn(
    features: Features, number: IntArray, n_trees: int, how: PieceVariation, rng: np.random.Generator, points: int
) -> None:
    """Turn displacement, steps and place of every tree about z, tilted and mirrored."""
    first, second = (_about("z", rng.uniform(0, 2 * np.pi, n_trees)) for _ in range(2))
    tilt = _about("x", np.radians(how.tilt_deg) * rng.normal(size=n_trees))
    mirror = np.where(rng.random(n_trees) < 0.5, -1.0, 1.0)
    turn = second @ tilt @ first
    turn[:, :, 0] *= mirror[:, None]
    names = piece_columns(points)
    course = 3 * (points + 1)
    away = names.index("away_x")
    vectors = [features[:, :course].reshape(len(features), -1, 3), features[:, None, away : away + 3]]
    turned = np.concatenate(vectors, axis=1) @ turn.transpose(0, 2, 1).astype(np.float32)[number]
    features[:, :course] = turned[:, :-1].reshape(len(features), -1)
    features[:, away : away + 3] = turned[:, -1]


def _about(axis: str, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = [c, -s, zero, s, c, zero, zero, zero, one] if axis == "z" else [one, zero, zero, zero, c, -s, zero, s, c]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def resize(features: Features, number: IntArray, factor: NDArray[np.float64], columns: dict[str, int]) -> None:
    """Make every tree larger by its factor, in place."""
    size = factor.astype(np.float32)[number]
    features[:, : columns["dz"] + 1] *= size[:, None]
    inside = features[:, columns["soma"]] == 0
    features[:, columns["log_length"]] += np.where(inside, np.log(size), 0)
    for name in ("log_path", "log_radial"):
        column = features[:, columns[name]]
        features[:, columns[name]] = np.log1p(size * np.expm1(column))


def _small_branches(
    trees: list[IntArray], sizes: IntArray, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Branches of at most a twentieth of their tree, each chosen with some probability, which differs by tree."""
    parents = _laid_end_to_end(trees, sizes)
    number = np.repeat(np.arange(len(trees)), sizes)
    small = tree.subtree_sizes(parents) <= np.maximum(sizes // 20, 1)[number]
    chance = share * rng.random(len(trees))
    chosen: NDArray[np.bool_] = small & (rng.random(len(parents)) < chance[number]) & (parents >= 0)
    return chosen


def _laid_end_to_end(trees: list[IntArray], sizes: IntArray) -> IntArray:
    starts = np.cumsum(sizes) - sizes
    parents = np.concatenate(trees)
    return np.where(parents >= 0, parents + np.repeat(starts, sizes), -1)


def _without(
    features: Features, trees: list[IntArray], sizes: IntArray, gone: NDArray[np.bool_]
) -> tuple[Features, list[IntArray]]:
    """Trees without some pieces and all beyond them; a tree of which little would be left stays whole."""
    parents = _laid_end_to_end(trees, sizes)
    number = np.repeat(np.arange(len(trees)), sizes)
    kept = tree.root_path_sum(gone.astype(np.int64), parents) == 0
    left = np.bincount(number[kept], minlength=len(trees))
    kept |= (left < np.maximum(4, 0.1 * sizes))[number]
    place = np.cumsum(kept) - 1
    sizes = np.bincount(number[kept], minlength=len(trees))
    starts = np.cumsum(sizes) - sizes
    above = parents[kept]
    above = np.where(above >= 0, place[above] - starts[number[kept]], -1)
    return features[kept], np.split(above, starts[1:])
