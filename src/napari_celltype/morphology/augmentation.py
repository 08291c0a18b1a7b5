"""Make varied copies of a neuron for training, and neurons with z-jumps whose truth is known for testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .pruning import remove_type
from .reordering import renumber, sort_nodes
from .repair import rows_of_unique
from .resampling import resample
from .sections import SOMA, split_sections

__all__ = [
    "Augmentation",
    "add_branches",
    "augment",
    "delete_branches",
    "inject_z_jumps",
    "jitter",
    "rotate",
    "scale",
    "z_jump_sites",
]

FloatArray = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Augmentation:
    """How much :func:`augment` varies a neuron. Zero, None or False leaves that aspect alone.

    Parameters
    ----------
    branches
        Part of the branches to delete, and part to add again elsewhere.
    jitter_um
        Standard deviation of the displacement along the neurites.
    rotate
        ``"z"`` turns about z by any angle, ``"any"`` in all directions, None not at all.
    scale
        Sizes are multiplied by a factor between ``1 / (1 + scale)`` and ``1 + scale``.
    spacing_um
        Range from which a new spacing of nodes is drawn.
    remove_axon
        Probability of taking the axon off.
    """

    branches: float = 0.1
    jitter_um: float = 0.5
    rotate: str | None = "z"
    scale: float = 0.1
    spacing_um: tuple[float, float] | None = None
    remove_axon: float = 0.0


def augment(neuron: Neuron, rng: Rng, how: Augmentation | None = None) -> Neuron:
    """A varied copy of a neuron; the same generator state gives the same copy."""
    how = how or Augmentation()
    if how.remove_axon and rng.uniform() < how.remove_axon and (neuron.types != 2).any():
        neuron = remove_type(neuron, 2)
    if how.branches:
        neuron = add_branches(delete_branches(neuron, rng, how.branches), rng, how.branches)
    if how.spacing_um is not None:
        neuron = resample(neuron, rng.uniform(*how.spacing_um))
    if how.jitter_um:
        neuron = jitter(neuron, rng, how.jitter_um)
    if how.scale:
        neuron = scale(neuron, (1 + how.scale) ** rng.uniform(-1, 1))
    return neuron if how.rotate is None else rotate(neuron, rng, axis=how.rotate)


def delete_branches(neuron: Neuron, rng: Rng, part: float = 0.1) -> Neuron:
    """Take off randomly chosen branches with all beyond them, until about ``part`` of all branches are gone."""
    sections = split_sections(neuron.parents, neuron.types == SOMA)
    above = sections.section_of_row[sections.starts]
    side = np.flatnonzero(above >= 0)
    size = tree.subtree_sizes(above)
    budget = round(part * len(sections))
    gone = np.zeros(len(sections), dtype=bool)
    for branch in rng.permutation(side):
        if size[branch] <= budget and not gone[branch]:
            family = tree.root_path_sum((np.arange(len(sections)) == branch).astype(np.int64), above) > 0
            budget -= int((family & ~gone).sum())
            gone |= family
    rows = sections.section_of_row
    return neuron.take(~((rows >= 0) & gone[rows])) if gone.any() else neuron


def add_branches(neuron: Neuron, rng: Rng, part: float = 0.1) -> Neuron:
    """Copy randomly chosen end branches to other places of the same type, turned about their root."""
    sections = split_sections(neuron.parents, neuron.types == SOMA)
    leaves = np.flatnonzero((neuron.n_children[sections.ends] == 0) & (sections.section_of_row[sections.starts] >= 0))
    count = min(round(part * len(sections)), len(leaves))
    for branch in rng.choice(leaves, count, replace=False) if count else ():
        rows = _rows_down(neuron, int(sections.heads[branch]), int(sections.ends[branch]))
        hosts = np.flatnonzero((neuron.types == neuron.types[rows[0]]) & (neuron.parents >= 0))
        host = int(rng.choice(hosts))
        course = neuron.xyz_um[rows] - neuron.xyz_um[sections.starts[branch]]
        place = neuron.xyz_um[host] + course @ _random_rotation(rng, "any").T
        links = [host, *range(len(neuron), len(neuron) + len(rows) - 1)]
        neuron = neuron.append(place, links, types=neuron.types[rows], radii_um=neuron.radii_um[rows])
    return renumber(sort_nodes(neuron)) if count else neuron


def jitter(neuron: Neuron, rng: Rng, amount_um: float = 0.5) -> Neuron:
    """Displace the nodes a little, neighbours alike, so that neurites bend instead of fraying; somata stay."""
    smooth_over = 10
    kicks = rng.normal(0, 1, (len(neuron), 3))
    kicks[(neuron.types == SOMA) | (neuron.parents < 0)] = 0.0
    total, above, weight = kicks.copy(), neuron.parents.copy(), 1.0
    for _ in range(smooth_over):
        inside = above >= 0
        total[inside] += kicks[above[inside]]
        above = np.where(inside, neuron.parents[above], -1)
        weight += 1.0
    total[(neuron.types == SOMA) | (neuron.parents < 0)] = 0.0
    return neuron.replace(xyz_um=neuron.xyz_um + amount_um * total / np.sqrt(weight))


def rotate(neuron: Neuron, rng: Rng, axis: str = "z") -> Neuron:
    """Turn the neuron about its first root by a random angle about z, or in ``any`` direction."""
    if axis not in ("z", "any"):
        raise RepairError(f"a neuron is turned about z or in any direction, not about {axis!r}")
    origin = neuron.xyz_um[neuron.roots[0]]
    return neuron.replace(xyz_um=(neuron.xyz_um - origin) @ _random_rotation(rng, axis).T + origin)


def scale(neuron: Neuron, factor: float) -> Neuron:
    """Multiply all lengths, diameters included, about the first root."""
    origin = neuron.xyz_um[neuron.roots[0]]
    return neuron.replace(xyz_um=(neuron.xyz_um - origin) * factor + origin, radii_um=neuron.radii_um * factor)


def inject_z_jumps(neuron: Neuron, node_ids: Sequence[int], heights_um: Sequence[float]) -> Neuron:
    """Shift the subtree of each node in z by a given height, as a lost focal plane does.

    The truth to compare a repair with is the neuron given.
    """
    neuron.require_no_cycle("given z-jumps")
    shift = np.zeros(len(neuron))
    shift[rows_of_unique(neuron, node_ids)] = heights_um
    moved = neuron.xyz_um.copy()
    moved[:, 2] += tree.root_path_sum(shift, neuron.parents)
    return neuron.replace(xyz_um=moved)


def z_jump_sites(
    neuron: Neuron, rng: Rng, count: int, where: str = "anywhere", max_dxy_um: float = np.inf
) -> list[int]:
    """Choose nodes to inject z-jumps at: ``anywhere``, at ``forks``, in ``runs`` of neighbours, or near the ``soma``.

    Steps that touch the soma are never chosen, since no z-jump is looked for there; nor are steps longer than
    ``max_dxy_um`` in the plane.
    """
    above = neuron.parents
    soma = neuron.types == SOMA
    step = neuron.xyz_um - neuron.xyz_um[above]
    open_ = (above >= 0) & ~soma & ~soma[above] & (np.hypot(step[:, 0], step[:, 1]) <= max_dxy_um)
    if where == "forks":
        open_ &= neuron.n_children > 1
    elif where == "soma":
        open_ &= tree.depths(above) <= tree.depths(above)[open_].min(initial=0) + 5
    elif where not in ("anywhere", "runs"):
        raise RepairError(f"z-jumps cannot be placed {where!r}", hint="Use anywhere, forks, runs or soma.")
    rows = np.flatnonzero(open_)
    chosen = rng.permutation(rows)[:count]
    if where == "runs" and len(chosen):
        chain = [int(chosen[0])]
        while len(chain) < count and above[chain[-1]] >= 0 and open_[above[chain[-1]]]:
            chain.append(int(above[chain[-1]]))
        chosen = np.array(chain)
    return neuron.ids[chosen].tolist()


def _rows_down(neuron: Neuron, head: int, end: int) -> list[int]:
    rows = [end]
    while rows[-1] != head:
        rows.append(int(neuron.parents[rows[-1]]))
    return rows[::-1]


def _random_rotation(rng: Rng, axis: str) -> FloatArray:
    if axis == "z":
        angle = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    w, x, y, z = (q := rng.normal(0, 1, 4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
