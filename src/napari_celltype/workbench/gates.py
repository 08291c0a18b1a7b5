"""The gates of a cell beside those of the classes: what is let through, how unusual it is, and what it adds.

Arithmetic only; :mod:`.gates_sheet` lays it out and the dock draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.features import FEATURES, STIMULI, read_features

if TYPE_CHECKING:
    from napari_celltype.models.lspin import LspinModel

__all__ = ["ORDERS", "CellGates", "GateReference", "Tree", "cluster", "contributions", "gates_of", "order_features"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

ORDERS = ("stimulus", "gate", "contribution", "similarity", "table")
"""Ways to sort features: by stimulus, most open first, most telling first, alike gates together, as in the table."""


@dataclass(frozen=True, eq=False)
class GateReference:
    """What an LSPIN model says of its reference cells.

    Parameters
    ----------
    classes
        Names of the ``k`` classes.
    gates, z
        (k, 41) mean gates and mean scaled features of each class.
    ranges
        (k, 3, 41) low end, middle and high end of each raw feature in each class.
    cells, truth
        (n, 41) gates and (n,) class of reference cells; None if the model keeps none.
    """

    model: str
    version: str
    classes: tuple[str, ...]
    gates: FloatArray
    z: FloatArray
    ranges: FloatArray
    cells: FloatArray | None = None
    truth: IntArray | None = None

    @classmethod
    def of(cls, model: LspinModel) -> GateReference:
        """What a loaded model keeps."""
        kept = model.reference_gates
        return cls(
            model=model.name,
            version=model.version,
            classes=tuple(model.classes),
            gates=model.class_gates.to_numpy(float),
            z=model.doubts.means,
            ranges=model.class_ranges,
            cells=None if kept is None else kept.to_numpy(float),
            truth=None if kept is None else np.array([model.classes.index(name) for name in kept.index], dtype=np.intp),
        )


@dataclass(frozen=True, eq=False)
class CellGates:
    """One cell: gates, raw features, features scaled to mean 0 and spread 1; NaN where it has no such feature.

    ``adds`` is what each feature adds to the log-odds of the label, once that is computed.
    """

    name: str
    label: str
    confidence: float
    reasons: tuple[str, ...]
    gates: FloatArray
    values: FloatArray
    z: FloatArray
    adds: FloatArray | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which features this recording gives."""
        return np.isfinite(self.values)


def gates_of(model: LspinModel, features: Any, name: str) -> CellGates:
    """Gates of one cell from its features by name."""
    table = read_features(features)
    prediction = model.predict(features)
    assert prediction.gates is not None
    values = table.values[0]
    known = np.isfinite(values)
    return CellGates(
        name=name,
        label=prediction.labels[0],
        confidence=float(prediction.confidence[0]),
        reasons=tuple(prediction.reasons[0]),
        # the network shuts the gates of what it was not given; that says nothing about the cell
        gates=np.where(known, prediction.gates[0], np.nan),
        values=values,
        z=model.preparation.scaled(table.values)[0],
    )


def contributions(model: LspinModel, features: Any, seed: int = 0) -> FloatArray:
    """What each feature adds to the log-odds of the label, against an average cell; NaN for missing features."""
    from napari_celltype.models.explain import explain

    values = explain(model, features, seed=seed).values[0]
    known = np.isfinite(read_features(features).values[0])
    return np.where(known, values, np.nan)


@dataclass(frozen=True, eq=False)
class Tree:
    """A hierarchy of rows, as lines to draw.

    Parameters
    ----------
    order
        (n,) rows in the order of the leaves, so that no lines cross.
    lines
        (n - 1, 4, 2) corners of each joint: place along the leaves (0 to n - 1) and height.
    """

    order: IntArray
    lines: FloatArray

    @property
    def height(self) -> float:
        """Height of the topmost joint."""
        return float(self.lines[..., 1].max(initial=0.0))


def cluster(rows: FloatArray) -> Tree:
    """Hierarchical clustering by average linkage of Euclidean distances, as the paper has it."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    n = len(rows)
    if n < 2:
        return Tree(np.arange(n, dtype=np.intp), np.empty((0, 4, 2)))
    joints = linkage(rows, method="average", metric="euclidean")
    order = leaves_list(joints).astype(np.intp)
    place, height = np.zeros(2 * n - 1), np.zeros(2 * n - 1)
    place[order] = np.arange(n)
    lines = np.empty((n - 1, 4, 2))
    for number, (left, right, distance, _) in enumerate(joints):
        one, other, new = int(left), int(right), n + number
        lines[number] = [
            (place[one], height[one]),
            (place[one], distance),
            (place[other], distance),
            (place[other], height[other]),
        ]
        place[new], height[new] = (place[one] + place[other]) / 2, distance
    return Tree(order, lines)


def order_features(by: str, cell: CellGates | None, reference: GateReference) -> tuple[IntArray, Tree | None]:
    """Features in the order asked for, missing ones last, and their tree where it is one of similarity.

    Without a cell, or while its contributions are still to come, the classes' gates decide.
    """
    if by == "similarity":
        tree = cluster((reference.gates if reference.cells is None else reference.cells).T)
        return tree.order, tree
    if by == "stimulus":
        rank = np.array([STIMULI.index(feature.stimulus) for feature in FEATURES])
        return np.argsort(rank, kind="stable"), None
    if by == "table":
        return np.arange(len(FEATURES)), None
    weight = reference.gates.mean(axis=0) if cell is None else cell.gates
    if by == "contribution" and cell is not None and cell.adds is not None:
        weight = np.abs(cell.adds)
    return np.argsort(-np.nan_to_num(weight, nan=-1.0), kind="stable"), None
