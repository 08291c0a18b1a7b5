"""Which branches decided, and what is unusual about a neuron for its class.

Occlusion works with every model of reconstructions: a branch is taken off with all beyond it, and the class is asked
for again. Integrated gradients work with the tree networks, and share out exactly what separates the neuron from an
average one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import ModelError, NeuronError
from napari_celltype.morphology.morphometrics import FEATURES, measure
from napari_celltype.morphology.sections import SOMA, Sections, edge_lengths_um, split_sections
from napari_celltype.neuron import Neuron

from .base import Model
from .catalogue import load_model
from .neuron_form import Pieces
from .neuron_model import NeuronModel
from .tree_model import TreeLstmModel

__all__ = [
    "BranchShares",
    "HandReference",
    "hand_reference",
    "integrate_gradients",
    "occlude_branches",
    "unlike_class",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Progress = Callable[[int, int], None]

_AT_ONCE = 12
_WHOLE = 0.9
_ALIKE = 0.95


@dataclass(frozen=True, eq=False)
class BranchShares:
    """How much each node of a neuron speaks for a class.

    Parameters
    ----------
    values
        (n,) one number a node of the neuron as it was given, in log-odds of the class; above zero where the branch
        speaks for it, NaN where the model did not see the node.
    explained
        The class.
    log_odds
        Of that class for the whole neuron, calibrated.
    branches
        One row a branch tested: the id of its first node, its length in um, and its value. Empty for gradients.
    """

    values: FloatArray
    explained: str
    log_odds: float
    branches: pd.DataFrame


def occlude_branches(
    model: NeuronModel,
    neuron: Neuron,
    *,
    of: str | None = None,
    max_branches: int = 48,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> BranchShares:
    """Take branches off one at a time, each with all beyond it, and see how the answer changes.

    Parameters
    ----------
    model
        Any model of reconstructions.
    of
        The class to speak of; by default the neuron's label.
    max_branches
        How many are tested, the longest first; a node shows the smallest of them that holds it.
    progress
        Called with how many are done, and of how many.
    cancelled
        Asked between batches; once it says True, what is known so far is returned.

    Raises
    ------
    NeuronError
        If the neuron cannot be judged.
    """
    base, k = _judged(model, neuron, of)
    sections = split_sections(neuron.parents, neuron.types == SOMA)
    chosen, members = _branches_to_test(neuron, sections, max_branches)
    drops = np.full(len(chosen), np.nan)
    for start in range(0, len(chosen), _AT_ONCE):
        if cancelled is not None and cancelled():
            break
        stop = min(start + _AT_ONCE, len(chosen))
        for place, value in enumerate(_without_each(model, neuron, members[start:stop], k), start):
            drops[place] = base - value
        if progress is not None:
            progress(stop, len(chosen))
    values = np.zeros(len(neuron))
    for place in np.flatnonzero(np.isfinite(drops)).tolist():  # longest first, so that the smallest has the last word
        values[members[place]] = drops[place]
    length = edge_lengths_um(neuron)
    branches = pd.DataFrame(
        {
            "node_id": neuron.ids[sections.heads[chosen]],
            "length_um": [float(np.nansum(length[rows])) for rows in members],
            "value": drops,
        }
    )
    branches = branches.dropna().sort_values("value", ascending=False, ignore_index=True)
    return BranchShares(values, model.classes[k], base, branches)


def _judged(model: NeuronModel, neuron: Neuron, of: str | None) -> tuple[float, int]:
    """Log-odds of the class to be explained, and its place among the classes."""
    probabilities = model.calibration(model.evaluate([model.prepare(neuron)])[0])
    if of is not None and of not in model.classes:
        raise ModelError(f"the model knows no class {of!r}", hint=f"Its classes: {', '.join(model.classes)}.")
    k = int(probabilities[0].argmax()) if of is None else model.classes.index(of)
    return float(_log_odds(probabilities, k)[0]), k


def _log_odds(probabilities: FloatArray, k: int) -> FloatArray:
    p = np.clip(probabilities[:, k], 1e-9, 1 - 1e-9)
    odds: FloatArray = np.log(p) - np.log1p(-p)
    return odds


def _branches_to_test(neuron: Neuron, sections: Sections, most: int) -> tuple[IntArray, list[IntArray]]:
    """Sections to take off with all beyond them, longest first, and the rows of each; none that is nearly another."""
    if not len(sections):
        return np.empty(0, dtype=np.intp), []
    above = np.where(sections.starts >= 0, sections.section_of_row[sections.starts], -1)
    with np.errstate(invalid="ignore"):
        length = tree.subtree_sum(sections.total(np.nan_to_num(edge_lengths_um(neuron))), above)
    total = length[above < 0].sum()
    # where a branch is nearly all of the one it springs from, testing both says the same twice
    longest_below = np.zeros(len(above))
    inner = above >= 0
    np.maximum.at(longest_below, above[inner], length[inner])
    worth = (length > 0) & (length < _WHOLE * total) & (longest_below < _ALIKE * length)
    ranked = np.flatnonzero(worth)[np.argsort(-length[worth], kind="stable")][:most]
    order = tree.preorder(above)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    stop = place + tree.subtree_sizes(above, order)
    of_row = np.where(sections.section_of_row >= 0, place[sections.section_of_row], -1)
    return ranked, [np.flatnonzero((of_row >= place[s]) & (of_row < stop[s])) for s in ranked]


def _without_each(model: NeuronModel, neuron: Neuron, members: Sequence[IntArray], k: int) -> FloatArray:
    """Log-odds without each branch; NaN where too little is left to be judged."""
    values = np.full(len(members), np.nan)
    prepared, rows = [], []
    for row, gone in enumerate(members):
        keep = np.ones(len(neuron), dtype=bool)
        keep[gone] = False
        try:
            prepared.append(model.prepare(neuron.take(keep)))
            rows.append(row)
        except NeuronError:
            continue
    if prepared:
        values[rows] = _log_odds(model.calibration(model.evaluate(prepared)[0]), k)
    return values


def integrate_gradients(
    model: TreeLstmModel, neuron: Neuron, *, of: str | None = None, steps: int = 24
) -> BranchShares:
    """Share out the score of a class among the pieces of a neuron, by integrated gradients.

    The way leads from a tree of the same branching whose pieces are all average to the neuron itself. Shares add up to
    the difference between their two calibrated log-odds, but for the steps of the sum.

    Parameters
    ----------
    of
        The class to speak of; by default the neuron's label.
    steps
        Places along the way at which the gradient is taken.

    Raises
    ------
    NeuronError
        If the neuron cannot be judged.
    """
    prepared = model.prepare(neuron)
    base, k = _judged(model, neuron, of)
    shares = _piece_shares(model, prepared.pieces, k, steps)
    values = np.full(len(neuron), np.nan)
    rows = prepared.neuron.source_rows
    known = np.zeros(0, dtype=bool) if rows is None else rows >= 0
    if rows is not None:
        values[rows[known]] = shares[prepared.pieces.node_rows[known]]
    return BranchShares(values, model.classes[k], base, pd.DataFrame(columns=["node_id", "length_um", "value"]))


def _piece_shares(model: TreeLstmModel, pieces: Pieces, k: int, steps: int) -> FloatArray:
    import torch

    from .networks.forest import plant

    network = model.network
    device = network.centre.device
    forest = plant([pieces.parents] * steps).to(device)
    x = torch.from_numpy(pieces.features).to(device)
    start = network.centre.expand_as(x)
    # midpoints: the error falls with the square of the number of steps
    along = ((torch.arange(steps, device=device) + 0.5) / steps).repeat_interleave(len(x))[:, None]
    way = (start.repeat(steps, 1) + along * (x - start).repeat(steps, 1)).requires_grad_()
    weight, bias = (torch.as_tensor(a, device=device) for a in (model.calibration.weight, model.calibration.bias))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        logits, _ = network(way, forest)
        scores = logits[:, model.head].log_softmax(dim=1).double() @ weight + bias
        others = torch.cat([scores[:, :k], scores[:, k + 1 :]], dim=1)
        odds = (scores[:, k] - others.logsumexp(dim=1)).sum()
        (slope,) = torch.autograd.grad(odds, way)
    finally:
        torch.set_num_threads(before)
    mean = slope.reshape(steps, *x.shape).mean(dim=0)
    shares: FloatArray = (mean * (x - start)).sum(dim=1).cpu().numpy().astype(float)
    return shares


@dataclass(frozen=True, eq=False)
class HandReference:
    """The hand-designed features of the training neurons of each class, as logarithms of one plus the value.

    Parameters
    ----------
    classes
        Names, a row each.
    means, spreads
        (k, 20) mean and standard deviation.
    """

    classes: tuple[str, ...]
    means: FloatArray
    spreads: FloatArray

    @classmethod
    def fit(cls, values: FloatArray, truth: IntArray, classes: Sequence[str]) -> HandReference:
        """Of neurons' features (n, 20) and classes."""
        logs = _bent(values)
        parts = [logs[truth == k] for k in range(len(classes))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a class without a value has NaN, and says nothing
            means = np.stack([np.nanmean(part, axis=0) for part in parts])
            spreads = np.stack([np.nanstd(part, axis=0) for part in parts])
            floor = 0.1 * np.nanstd(logs, axis=0)  # a class of a dozen cells may agree by chance
        return cls(tuple(classes), means, np.maximum(spreads, np.maximum(floor, 1e-9)))

    @classmethod
    def of(cls, model: Model) -> HandReference | None:
        """What a model stores under ``hand.*``, if anything."""
        if "hand.means" not in model.weights:
            return None
        means, spreads = (model.weights[f"hand.{name}"].astype(float) for name in ("means", "spreads"))
        return cls(tuple(model.classes), means, spreads)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """For storing with a model."""
        return {"hand.means": self.means.astype(np.float32), "hand.spreads": self.spreads.astype(np.float32)}


def hand_reference(model: Model) -> HandReference | None:
    """The model's own, or that of the bundled Tree-LSTM of the same classes."""
    found = HandReference.of(model)
    if found is not None:
        return found
    for name in ("tree-lstm", "tree-lstm-2class"):
        try:
            other = load_model(name)
        except ModelError:
            continue
        if other.classes == model.classes:
            return HandReference.of(other)
    return None


def _bent(values: FloatArray) -> FloatArray:
    """Lengths and counts spread over decades: logarithms make a standard deviation mean the same at both ends."""
    bent: FloatArray = np.sign(values) * np.log1p(np.abs(values))
    return bent


def _straightened(values: FloatArray) -> FloatArray:
    straight: FloatArray = np.sign(values) * np.expm1(np.abs(values))
    return straight


def unlike_class(neuron: Neuron, label: str, reference: HandReference) -> pd.DataFrame:
    """How the twenty hand-designed features of a neuron differ from those of a class, the most unusual first.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``value``, ``usual`` (what the class has in the middle), ``low`` and ``high`` (one standard
        deviation around it) and ``z``, by how many standard deviations the neuron differs. Features that cannot be
        measured are left out.
    """
    if label not in reference.classes:
        raise ModelError(f"there is no class {label!r}", hint=f"Classes: {', '.join(reference.classes)}.")
    k = reference.classes.index(label)
    value: FloatArray = np.asarray(measure(neuron), dtype=np.float64)
    mean, spread = reference.means[k], reference.spreads[k]
    table = pd.DataFrame(
        {
            "feature": list(FEATURES),
            "value": value,
            "usual": _straightened(mean),
            "low": _straightened(mean - spread),
            "high": _straightened(mean + spread),
            "z": (_bent(value) - mean) / spread,
        }
    ).dropna()
    return table.sort_values("z", key=np.abs, ascending=False, ignore_index=True)
