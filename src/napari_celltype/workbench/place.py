"""Maps of reference cells as values, and places on them: for features now, for anything with coordinates later."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

    from napari_celltype.models.map import MapModel
    from napari_celltype.models.neuron_map import NeuronMapModel
    from napari_celltype.models.waveform_map import WaveformMapModel

__all__ = [
    "CLASS_COLUMNS",
    "LEAST_CELLS",
    "MAP_KINDS",
    "CellMap",
    "OwnCells",
    "Place",
    "Refit",
    "column_names",
    "map_of",
    "place_cell",
    "place_vector",
    "refit",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

LEAST_CELLS = 5
"""With fewer there is nothing to lay out."""

MAP_KINDS = ("map", "waveform-map", "neuron-map")
"""Kinds of models that are maps of cells."""

CLASS_COLUMNS = ("class", "label", "subclass", "type", "cell_type", "dendrite_type")
"""Columns that say what a cell is, as tables name them."""


@dataclass(frozen=True, eq=False)
class CellMap:
    """A layout of cells on which others can be placed; nothing in it depends on what the cells were measured by.

    Parameters
    ----------
    name
        What it is called where maps are chosen.
    about
        How it was made: method, perplexity, seed, number of cells.
    input
        What is placed on it: ``features``, ``waveform`` or ``neuron``.
    vectors
        (n, d) coordinates of the cells in the space the layout was made from.
    layout
        (n, 2) where they lie.
    cells
        A column for everything known of them, by which they can be coloured.
    condense
        From what is placed (features by name, a neuron) to (1, d) coordinates.
    usual_gap
        Distance within which 99 in 100 of the cells have another one.
    gate_rows
        Which reference cell of the gates each cell is, -1 where it is none; None where that is not known.
    pictures
        (n, px, px) a small picture of each cell, 0 (empty) to 255; None where there are none.
    """

    name: str
    about: str
    input: str
    vectors: FloatArray
    layout: FloatArray
    cells: pd.DataFrame
    condense: Callable[[Any], FloatArray]
    usual_gap: float = np.inf
    gate_rows: IntArray | None = None
    pictures: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.layout)

    def gate_rows_of(self, rows: IntArray) -> IntArray:
        """The same cells among those whose gates are kept; those that are not there are left out."""
        if self.gate_rows is None:
            return np.empty(0, dtype=np.intp)
        found: IntArray = self.gate_rows[rows]
        return found[found >= 0]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a cell lies, and its nearest cells with their distances, nearest first.

    ``is_far`` says that it is farther from all of them than they usually are from each other; ``known`` says by how
    many of how many measured numbers it was placed, where that is known.
    """

    name: str
    xy: FloatArray
    near: IntArray
    distances: FloatArray
    is_far: bool = False
    known: tuple[int, int] | None = None


def map_of(model: MapModel | WaveformMapModel | NeuronMapModel) -> CellMap:
    """The map a model holds."""
    settings = model.info.settings
    made = [f"{what} {settings[what]}" for what in ("perplexity", "seed") if what in settings]
    cells = model.cells.drop(columns=["x", "y"]).rename(columns={"rate_khz": "rate (kHz)"})
    if "species" not in cells:
        cells["species"] = " and ".join(model.info.species) or "unknown"
    return CellMap(
        name=f"{model.name} {model.version}",
        about=", ".join(["Fixed t-SNE", *made, f"{len(cells):,} reference cells"]),
        input=model.info.input,
        vectors=model.reference,
        layout=model.layout,
        cells=cells,
        condense=_condenser(model),
        usual_gap=usual_gap(model.reference),
        gate_rows=getattr(model, "gate_rows", np.arange(len(cells), dtype=np.intp))
        if model.info.input != "neuron"
        else None,
        pictures=getattr(model, "silhouettes", None),
    )


def _condenser(model: Any) -> Callable[[Any], FloatArray]:
    if model.info.input in ("waveform", "neuron"):
        embed: Callable[[Any], FloatArray] = model.embed
        return embed
    from napari_celltype.models.features import read_features

    def condense(x: Any) -> FloatArray:
        components: FloatArray = model.components(model.preparation.scaled(read_features(x).values))
        return components

    return condense


def place_cell(cell_map: CellMap, x: Any, name: str, n_near: int = 10) -> Place:
    """Find a cell's place among the others, which stay where they are, and the cells nearest to it."""
    return place_vector(cell_map, cell_map.condense(x), name, n_near)


def place_vector(cell_map: CellMap, vector: FloatArray, name: str, n_near: int = 10) -> Place:
    """The same from coordinates, (1, d)."""
    from napari_celltype.models.map import place

    gaps = np.linalg.norm(cell_map.vectors - vector, axis=1)
    near = np.argsort(gaps, kind="stable")[:n_near]
    xy = place(vector, cell_map.vectors, cell_map.layout)[0]
    return Place(name, xy, near, gaps[near], is_far=bool(gaps[near[0]] > cell_map.usual_gap))


def usual_gap(vectors: FloatArray) -> float:
    """Distance within which 99 in 100 cells have another one."""
    from scipy.spatial import cKDTree

    if len(vectors) < 2:
        return np.inf
    gaps = np.asarray(cKDTree(vectors).query(vectors, k=[2])[0])
    return float(np.quantile(gaps, 0.99))


def column_names(cell_map: CellMap) -> list[str]:
    """What the cells can be coloured by; the class first, their own names left out."""
    names = [str(name) for name in cell_map.cells.columns if name != "cell" and cell_map.cells[name].notna().any()]
    return sorted(names, key=lambda name: name not in CLASS_COLUMNS)


# a map of one's own cells --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class OwnCells:
    """One's own cells: features by name, one row a cell, and whatever else their table says."""

    features: pd.DataFrame
    facts: pd.DataFrame

    @classmethod
    def of(cls, table: pd.DataFrame) -> OwnCells:
        """Split a table into the features known here and the rest.

        Raises
        ------
        ModelError
            If none of its columns is a feature.
        """
        from napari_celltype.models.features import FEATURE_NAMES, read_features

        features = table[[name for name in FEATURE_NAMES if name in table.columns]]
        read_features(features)
        facts = table.drop(columns=list(features.columns))
        return cls(features, facts.loc[:, [_tells_apart(facts[name]) for name in facts.columns]])

    def __len__(self) -> int:
        return len(self.features)


def _tells_apart(column: pd.Series[Any]) -> bool:
    """Whether a column groups or ranks the cells, rather than naming each."""
    import pandas as pd

    return bool(pd.api.types.is_float_dtype(column) or column.nunique() <= max(12, len(column) // 10))


@dataclass(frozen=True)
class Refit:
    """How a map is laid out anew."""

    perplexity: float = 30.0
    seed: int = 0
    early: int = 250
    steps: int = 500

    def fitting(self, n_cells: int) -> Refit:
        """With a perplexity that so few cells allow: at most a third of them."""
        return replace(self, perplexity=max(1.0, min(self.perplexity, (n_cells - 1) // 3)))


def refit(cell_map: CellMap, own: OwnCells, how: Refit) -> Generator[float | CellMap, None, None]:
    """Lay out one's own cells by t-SNE in the space of a map; yields the share done, and the new map at last.

    The same cells, perplexity and seed give the same layout.

    Raises
    ------
    ModelError
        If there are too few cells.
    """
    if len(own) < LEAST_CELLS:
        raise ModelError(
            f"A map needs at least {LEAST_CELLS} cells; {len(own)} {'is' if len(own) == 1 else 'are'} here",
            hint="Open more recordings, or a table of features.",
        )
    from openTSNE import TSNE

    how = how.fitting(len(own))
    vectors = np.concatenate([cell_map.condense(own.features.iloc[[row]]) for row in range(len(own))])
    yield 0.02
    maker = TSNE(
        perplexity=how.perplexity,
        initialization="random" if len(own) < 3 else "pca",
        random_state=how.seed,
        n_jobs=1,
        negative_gradient_method="bh",
        exaggeration=None,
    )
    found = maker.prepare_initial(vectors)
    total = how.early + how.steps
    for done, n_steps, options in _stretches(how):
        found = found.optimize(n_iter=n_steps, inplace=False, propagate_exception=True, **options)
        yield 0.02 + 0.98 * (done + n_steps) / total
    yield _own_map(cell_map, own, how, vectors, np.asarray(found, dtype=float))


def _stretches(how: Refit, each: int = 25) -> list[tuple[int, int, dict[str, float]]]:
    """Short stretches of descent, so that it can be watched and stopped; exaggerated first."""
    plans: Sequence[tuple[int, int, dict[str, float]]] = [
        (0, how.early, {"exaggeration": 12.0, "momentum": 0.5}),
        (how.early, how.steps, {"momentum": 0.8}),
    ]
    return [
        (first + start, min(each, n - start), options) for first, n, options in plans for start in range(0, n, each)
    ]


def _own_map(cell_map: CellMap, own: OwnCells, how: Refit, vectors: FloatArray, layout: FloatArray) -> CellMap:
    cells = own.facts.reset_index(drop=True)
    cells.insert(0, "cell", [str(name) for name in own.features.index])
    return CellMap(
        name=f"Own cells, perplexity {how.perplexity:g}, seed {how.seed}",
        about=f"t-SNE of one's own cells, perplexity {how.perplexity:g}, seed {how.seed}, {len(own):,} cells",
        input=cell_map.input,
        vectors=vectors,
        layout=layout,
        cells=cells,
        condense=cell_map.condense,
        usual_gap=usual_gap(vectors),
    )


# colours by what is known ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Grouping:
    """A column as groups, largest first among equals, or as a ramp of numbers.

    Parameters
    ----------
    names
        Of the groups; empty for numbers.
    codes
        (n,) group of each cell, -1 where unknown.
    share
        (n,) position on the ramp from 0 to 1, NaN where unknown; None for groups.
    low, high
        Ends of the ramp.
    """

    names: tuple[str, ...]
    codes: IntArray
    share: FloatArray | None = None
    low: float = field(default=0.0)
    high: float = field(default=1.0)


def grouping_of(column: pd.Series[Any], most_groups: int = 24) -> Grouping:
    """How a column colours the cells."""
    import pandas as pd

    values = column.to_numpy()
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > most_groups:
        numbers = column.to_numpy(float)
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        return Grouping((), np.full(len(values), -1), (numbers - low) / max(high - low, 1e-12), float(low), float(high))
    codes, names = pd.factorize(values, sort=True)
    return Grouping(tuple(_name(name) for name in names[:most_groups]), np.where(codes < most_groups, codes, -1))


def _name(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or "unknown"
