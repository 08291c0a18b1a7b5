"""A reconstructed neuron in memory: parallel arrays, the defects found in its file, and the file's own text.

Lengths are micrometres. Readers in :mod:`napari_celltype.io` build these objects; :mod:`napari_celltype.morphology`
returns new ones and never changes one in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import tree
from .errors import NeuronError

__all__ = ["Defect", "Neuron", "Severity", "SwcText"]

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Defect:
    """Something unusual or wrong in a reconstruction file.

    ``severity`` is ``"error"`` where saving or predicting would be wrong until it is mended (a cycle), ``"warning"``
    where a person should look (a duplicate id, a line that could not be read), ``"note"`` where it is harmless.
    ``line`` counts from 1; None where no single line is meant.
    """

    code: str
    line: int | None
    node_ids: tuple[int, ...]
    message: str
    severity: Severity


@dataclass(frozen=True, eq=False)
class SwcText:
    """An SWC file's text and the values read from it, so that untouched lines are written back as they were.

    ``raw`` is the file on the disk, ``body`` its text (the same bytes unless the file is compressed or UTF-16).
    ``line_of_row`` gives the line (from 1) of each row read; the arrays hold what those lines said, with
    ``parent_ids`` as written in the file and ``parents`` the rows they were taken to mean.
    """

    raw: bytes = field(repr=False)
    body: bytes = field(repr=False)
    line_of_row: tree.IntArray = field(repr=False)
    ids: tree.IntArray = field(repr=False)
    types: tree.IntArray = field(repr=False)
    xyz_um: NDArray[np.float64] = field(repr=False)
    radii_um: NDArray[np.float64] = field(repr=False)
    parent_ids: tree.IntArray = field(repr=False)
    parents: tree.IntArray = field(repr=False)


@dataclass(frozen=True, eq=False, repr=False)
class Neuron:
    """A reconstruction as parallel arrays, one row a node.

    Parameters
    ----------
    ids, types
        Node numbers as in the file, and structure types (1 soma, 2 axon, 3 basal, 4 apical, others kept as they are).
    xyz_um, radii_um
        Positions, shape (n, 3), and radii in micrometres. A value that could not be read is NaN and has a defect.
    parents
        Row of each node's parent, -1 at a root. Not ids: rows.
    defects
        What is unusual or wrong in the file, worst first.
    text, source_rows
        The file's own text, and for each row the row of that text it came from (-1 for a new node). :meth:`take` and
        :meth:`append` keep them right; :meth:`replace` of values leaves them as they are, which is right too.
    """

    ids: tree.IntArray
    types: tree.IntArray
    xyz_um: NDArray[np.float64]
    radii_um: NDArray[np.float64]
    parents: tree.IntArray
    defects: list[Defect] = field(default_factory=list)
    path: Path | None = None
    name: str = ""
    text: SwcText | None = None
    source_rows: tree.IntArray | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        for what, dtype, shape in _COLUMNS:
            value: NDArray[Any] = np.asarray(getattr(self, what), dtype=dtype)
            if value.shape != (n, *shape):
                raise ValueError(f"{what} has shape {value.shape}, expected {(n, *shape)}")
            value = value.copy() if value.flags.writeable else value
            value.flags.writeable = False
            object.__setattr__(self, what, value)
        if self.source_rows is not None and len(self.source_rows) != n:
            raise ValueError(f"source_rows has length {len(self.source_rows)}, expected {n}; use take or append")
        if n and (self.parents.max() >= n or self.parents.min() < -1):
            raise ValueError("parents must be rows of this neuron, or -1 at a root")

    @classmethod
    def from_arrays(
        cls,
        xyz_um: ArrayLike,
        parents: ArrayLike,
        *,
        types: ArrayLike | None = None,
        radii_um: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        name: str = "",
    ) -> Neuron:
        """Build a neuron from arrays; ids count from 1 and nodes are basal dendrite of radius 0.5 um unless given."""
        xyz = np.asarray(xyz_um, dtype=np.float64).reshape(-1, 3)
        n = len(xyz)
        return cls(
            ids=np.arange(1, n + 1) if ids is None else np.asarray(ids),
            types=np.full(n, 3) if types is None else np.asarray(types),
            xyz_um=xyz,
            radii_um=np.full(n, 0.5) if radii_um is None else np.asarray(radii_um),
            parents=np.asarray(parents),
            name=name,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for what, _, _ in _COLUMNS:  # copies and pickles forget that arrays are read-only
            getattr(self, what).flags.writeable = False

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        n, n_roots = len(self), len(self.roots)
        counts = [(n, "node"), (n_roots, "tree"), (len(self.defects), "defect")]
        facts = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)
        return f"<Neuron {self.name!r}: {facts}>"

    def replace(self, **changes: Any) -> Neuron:
        """Return a copy with some fields changed, the others shared."""
        return replace(self, **changes)

    def take(self, rows: ArrayLike) -> Neuron:
        """Return the neuron made of the given rows, in the given order; the file's text stays attached to them.

        Parameters
        ----------
        rows
            Distinct rows, or a mask with one True or False a row.

        Notes
        -----
        A node whose parent is not among ``rows`` becomes a root: nothing is joined to a grandparent unasked.
        ``defects`` are kept, since they tell about the file and not about this selection.
        """
        chosen: NDArray[Any] = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64).reshape(-1)
        n = len(self)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= n or np.bincount(chosen).max() > 1):
            raise ValueError("rows must be distinct rows of this neuron")
        place = np.full(n + 1, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        return self.replace(
            ids=self.ids[chosen],
            types=self.types[chosen],
            xyz_um=self.xyz_um[chosen],
            radii_um=self.radii_um[chosen],
            parents=place[self.parents[chosen]],
            source_rows=None if self.source_rows is None else self.source_rows[chosen],
        )

    def append(
        self,
        xyz_um: ArrayLike,
        parents: ArrayLike,
        *,
        types: ArrayLike | None = None,
        radii_um: ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> Neuron:
        """Return the neuron with new nodes after its own; what is not given is taken from each new node's parent.

        Parameters
        ----------
        xyz_um, types, radii_um, ids
            Of the new nodes. Ids count on from the highest in use unless given; a new root without type or radius
            becomes a basal dendrite of radius 0.5 um.
        parents
            Row of each new node's parent: an old row, ``len(neuron) + k`` for the k-th new node, or -1.
        """
        new = Neuron.from_arrays(xyz_um, np.full(np.asarray(xyz_um).size // 3, -1))
        n, n_new = len(self), len(new)
        all_parents = np.concatenate([self.parents, np.asarray(parents, dtype=np.int64).reshape(-1)])
        first_id = 1 + int(self.ids.max(initial=0))
        grown = self.replace(
            ids=np.concatenate([self.ids, np.arange(first_id, first_id + n_new) if ids is None else np.asarray(ids)]),
            types=np.concatenate([self.types, new.types if types is None else np.asarray(types)]),
            xyz_um=np.concatenate([self.xyz_um, new.xyz_um]),
            radii_um=np.concatenate([self.radii_um, new.radii_um if radii_um is None else np.asarray(radii_um)]),
            parents=all_parents,
            source_rows=None if self.source_rows is None else np.append(self.source_rows, np.full(n_new, -1)),
        )
        if types is not None and radii_um is not None:
            return grown
        heir = tree.nearest_ancestor(all_parents, np.arange(n + n_new) < n)[n:]
        known = np.where(heir >= 0, heir, np.arange(n, n + n_new))
        like = np.concatenate([np.arange(n), known])
        return grown.replace(
            types=grown.types[like] if types is None else grown.types,
            radii_um=grown.radii_um[like] if radii_um is None else grown.radii_um,
        )

    @cached_property
    def order(self) -> tree.IntArray:
        """Rows with every parent before its children. Needs a neuron without cycles."""
        return tree.topological_order(self.parents)

    @cached_property
    def n_children(self) -> tree.IntArray:
        """Number of children of each node."""
        return tree.child_counts(self.parents)

    @cached_property
    def parent_ids(self) -> tree.IntArray:
        """Id of each node's parent, -1 at a root."""
        return np.where(self.parents >= 0, self.ids[self.parents], -1)

    @cached_property
    def has_cycle(self) -> bool:
        """Whether some nodes reach no root; such a neuron can be shown but not saved, measured or classified."""
        return bool(tree.on_or_under_cycle(self.parents).any())

    def require_no_cycle(self, purpose: str) -> None:
        """Raise NeuronError if there is a cycle; ``purpose`` completes "cannot be ...": "saved", "measured"."""
        if not self.has_cycle:
            return
        looped = self.ids[tree.on_cycle(self.parents)].tolist()
        names = ", ".join(str(i) for i in looped[:6]) + (", ..." if len(looped) > 6 else "")
        raise NeuronError(
            f"the neuron cannot be {purpose} because these nodes are their own ancestors: {names}",
            path=self.path,
            hint="Cut one link of the cycle first.",
        )

    @property
    def roots(self) -> tree.IntArray:
        """Rows without a parent."""
        return np.flatnonzero(self.parents < 0)

    def rows_of(self, node_ids: ArrayLike) -> tree.IntArray:
        """First row of each node id; KeyError names an id that is not there."""
        wanted = np.atleast_1d(np.asarray(node_ids, dtype=np.int64))
        by_id = np.argsort(self.ids, kind="stable")
        place = np.searchsorted(self.ids, wanted, sorter=by_id)
        found = place < len(self.ids)
        rows = by_id[np.where(found, place, 0)]
        missing = wanted[~found | (self.ids[rows] != wanted)] if len(self.ids) else wanted
        if missing.size:
            raise KeyError(f"no node has id {int(missing[0])}")
        return rows


_COLUMNS: tuple[tuple[str, type, tuple[int, ...]], ...] = (
    ("ids", np.int64, ()),
    ("types", np.int64, ()),
    ("xyz_um", np.float64, (3,)),
    ("radii_um", np.float64, ()),
    ("parents", np.int64, ()),
)
