"""One tree from whatever a reconstruction file holds: one root, at the soma, and no two nodes in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import NeuronError
from napari_celltype.morphology.reordering import join_pieces, reroot, sort_nodes
from napari_celltype.morphology.sections import SOMA, edge_lengths_um, roots_of
from napari_celltype.neuron import Defect, Neuron

__all__ = ["one_tree"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_FARTHEST_UM = 1e6
_SOMA_REACH_UM = 60.0
_MAX_GAP_UM = 50.0
_MAX_JOINED = 100
_SHORTEST_UM = 1e-3
_SERIOUS = 0.05


def one_tree(neuron: Neuron) -> Neuron:
    """The neuron as one tree with the soma as a single point in row 0, and notes on what was done as defects.

    Raises
    ------
    NeuronError
        If there is a cycle, or nothing besides a soma.
    """
    if not len(neuron):
        raise NeuronError("has no node to classify", path=neuron.path)
    neuron.require_no_cycle("classified")
    part = _placed(neuron.replace(source_rows=np.arange(len(neuron)), text=None, defects=[]))
    part = _with_soma(part.replace(types=_coarse(part)))
    part = _joined(part)
    part = _without_short_steps(part)
    if len(part) < 2:
        raise NeuronError(
            "has no neurite besides the soma, so there is nothing to classify",
            path=neuron.path,
            hint="Check that the file was exported whole.",
        )
    return sort_nodes(part)


def _placed(neuron: Neuron) -> Neuron:
    """Without nodes whose position is unknown or absurd; what hangs on one is hung on the node above."""
    with np.errstate(invalid="ignore"):
        sound: NDArray[np.bool_] = np.all(np.abs(neuron.xyz_um) < _FARTHEST_UM, axis=1)
    if not sound.any():
        raise NeuronError("has no node with a position, so there is nothing to classify", path=neuron.path)
    return neuron if sound.all() else _keep(neuron, sound)


def _keep(neuron: Neuron, keep: NDArray[np.bool_]) -> Neuron:
    """Only these rows, each hung on its nearest ancestor among them."""
    above = tree.nearest_ancestor(neuron.parents, keep)
    hung = np.where(neuron.parents >= 0, above[neuron.parents], -1)
    return neuron.replace(parents=np.where(keep, hung, neuron.parents)).take(np.flatnonzero(keep))


def _coarse(neuron: Neuron) -> IntArray:
    """Soma, axon, dendrite or unknown; fork and end points and custom types are what the neurite above is."""
    simple = np.where(neuron.types == 4, 3, neuron.types)
    known = np.isin(simple, (1, 2, 3))
    marks = np.isin(simple, (5, 6))
    heir = tree.nearest_ancestor(neuron.parents, ~marks)
    types = np.where(known, simple, 0)
    inherited = np.where(heir >= 0, types[heir], 0)
    return np.where(marks & (inherited != SOMA), inherited, types)


def _with_soma(neuron: Neuron) -> Neuron:
    """With one soma point in row 0: the file's soma drawn together, or the root of the greatest piece."""
    core, centre, radius = _soma_of(neuron)
    if core is None:
        return _with_root_as_soma(neuron)
    neuron = _rooted_at_soma(neuron, core)
    types = np.where((neuron.types == SOMA) & ~core, 0, neuron.types)
    parents = neuron.parents.copy()
    first = int(np.flatnonzero(core)[0])
    parents[core] = -1
    onto_core = (neuron.parents >= 0) & core[neuron.parents] & ~core
    parents[onto_core] = first
    xyz, radii = neuron.xyz_um.copy(), neuron.radii_um.copy()
    xyz[first], radii[first] = centre, radius
    keep = ~core
    keep[first] = True
    rows = np.concatenate([[first], np.flatnonzero(keep & (np.arange(len(neuron)) != first))])
    return neuron.replace(parents=parents, types=types, xyz_um=xyz, radii_um=radii).take(rows)


def _soma_of(neuron: Neuron) -> tuple[NDArray[np.bool_] | None, FloatArray, float]:
    """Rows that make up the soma, its middle, and its radius; no rows where none is believable."""
    soma = neuron.types == SOMA
    nothing = (None, np.zeros(3), 0.0)
    if not soma.any():
        return nothing
    top = soma & (neuron.parents < 0)
    seed = neuron.xyz_um[np.flatnonzero(top if top.any() else soma)[0]]
    above = tree.nearest_ancestor(neuron.parents, ~soma)
    core = soma & ((above < 0) if top.any() else True)
    core &= np.linalg.norm(neuron.xyz_um - seed, axis=1) <= _SOMA_REACH_UM
    if core.sum() > 10 and core.sum() > 0.5 * len(neuron):
        return nothing
    centre = neuron.xyz_um[core].mean(axis=0)
    reach = np.linalg.norm(neuron.xyz_um[core] - centre, axis=1)
    drawn = np.nan_to_num(neuron.radii_um[core], nan=0.0, posinf=0.0)
    return core, centre, float(max(reach.mean(), np.maximum(drawn, 0.0).max()))


def _rooted_at_soma(neuron: Neuron, core: NDArray[np.bool_]) -> Neuron:
    """The piece that holds the soma turned round, where its root is elsewhere."""
    if (core & (neuron.parents < 0)).any():
        return neuron
    row = int(np.flatnonzero(core)[0])
    numbered = neuron.replace(ids=np.arange(1, len(neuron) + 1))
    return reroot(numbered, row + 1)


def _with_root_as_soma(neuron: Neuron) -> Neuron:
    """No soma is drawn: the root of the piece with most nodes stands in for it."""
    root = int(np.bincount(roots_of(neuron.parents)).argmax())
    types = np.where(neuron.types == SOMA, 0, neuron.types)
    types[root] = SOMA
    rows = np.concatenate([[root], np.flatnonzero(np.arange(len(neuron)) != root)])
    return _noted(neuron.replace(types=types).take(rows), "no-soma", "No soma is drawn; the root stands in for it.")


def _joined(neuron: Neuron) -> Neuron:
    """The soma's piece with every other that can be told to belong to it; the rest is left off, with a note."""
    neuron = _stems_hung_on_soma(neuron)
    if len(neuron.roots) == 1:
        return neuron
    linked = join_pieces(neuron.take(_greatest_pieces(neuron)), _MAX_GAP_UM)
    one = linked.take(roots_of(linked.parents) == 0)
    used = np.isin(_origins(neuron), _origins(one))
    n_joined = int((used & (neuron.parents < 0)).sum()) - 1
    if n_joined:
        one = _noted(one, "joined", f"{_pieces(n_joined)} joined by the shortest gap.")
    n_lost = len(neuron.roots) - 1 - n_joined
    if n_lost:
        length = edge_lengths_um(neuron)
        lost = float(length[~used].sum() / max(length.sum(), 1e-9))
        text = f"{_pieces(n_lost)} left off: {lost:.0%} of the length."
        one = _noted(one, "left-off", text, serious=lost > _SERIOUS)
    return one


def _origins(neuron: Neuron) -> IntArray:
    return np.empty(0, dtype=np.int64) if neuron.source_rows is None else neuron.source_rows


def _stems_hung_on_soma(neuron: Neuron) -> Neuron:
    """Other roots on the soma's surface are stems that some programs write without a link."""
    roots = neuron.roots
    away = np.linalg.norm(neuron.xyz_um[roots] - neuron.xyz_um[0], axis=1)
    near = roots[(away <= max(float(neuron.radii_um[0]), 0.0) + 10.0) & (roots != 0)]
    parents = neuron.parents.copy()
    parents[near] = 0
    return neuron.replace(parents=parents)


def _greatest_pieces(neuron: Neuron) -> IntArray:
    """Rows of the soma's piece and of the greatest others, few enough to be joined in reasonable time."""
    piece = roots_of(neuron.parents)
    sizes = np.bincount(piece, minlength=len(neuron))
    sizes[0] = len(neuron) + 1
    chosen = np.argsort(-sizes, kind="stable")[: _MAX_JOINED + 1]
    return np.flatnonzero(np.isin(piece, chosen))


def _without_short_steps(neuron: Neuron) -> Neuron:
    """Nodes in the same place as their parent are left out."""
    keep = (neuron.parents < 0) | (edge_lengths_um(neuron) > _SHORTEST_UM)
    return neuron if keep.all() else _keep(neuron, keep)


def _noted(neuron: Neuron, code: str, message: str, *, serious: bool = False) -> Neuron:
    note = Defect(code, None, (), message, "warning" if serious else "note")
    return neuron.replace(defects=[*neuron.defects, note])


def _pieces(count: int) -> str:
    return "1 loose piece was" if count == 1 else f"{count} loose pieces were"
