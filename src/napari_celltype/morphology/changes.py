"""What an edit did to a neuron's arrays, exactly: stored as old and new values, never as differences.

Adding a shift and taking it away again need not give back the same number; putting the old number back does. A
change refuses to be applied to a neuron that does not hold the values it expects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

__all__ = ["Change", "changed_values", "difference"]

Columns = dict[str, NDArray[Any]]

_PLAIN = ("ids", "types", "radii_um", "parents", "source_rows")


@dataclass(frozen=True, eq=False)
class _Values:
    """Other values in some rows of one column."""

    column: str
    rows: IntArray
    before: NDArray[Any]
    after: NDArray[Any]

    def apply(self, columns: Columns) -> Columns:
        now = columns[self.column]
        if len(self.rows) and (self.rows[-1] >= len(now) or _bits(now[self.rows]) != _bits(self.before)):
            raise _misfit()
        changed = now.copy()
        changed[self.rows] = self.after
        return {**columns, self.column: changed}

    def inverse(self) -> _Values:
        return _Values(self.column, self.rows, self.after, self.before)


@dataclass(frozen=True, eq=False)
class _Removal:
    """Rows that go; no row that stays may hang on one of them."""

    rows: IntArray
    columns: Columns

    def apply(self, columns: Columns) -> Columns:
        n = len(columns["ids"])
        keep = np.ones(n, dtype=bool)
        keep[self.rows] = False
        if any(_bits(columns[name][self.rows]) != _bits(part) for name, part in self.columns.items()):
            raise _misfit()
        place = np.append(np.cumsum(keep) - 1, -1)
        kept = {name: column[keep] for name, column in columns.items()}
        kept["parents"] = place[kept["parents"]]
        return kept

    def inverse(self) -> _Insertion:
        return _Insertion(self.rows, self.columns)


@dataclass(frozen=True, eq=False)
class _Insertion:
    """Rows that come, at the places they are to have."""

    rows: IntArray
    columns: Columns

    def apply(self, columns: Columns) -> Columns:
        n = len(columns["ids"]) + len(self.rows)
        old = np.ones(n, dtype=bool)
        old[self.rows] = False
        place = np.append(np.flatnonzero(old), -1)
        grown = {}
        for name, column in columns.items():
            grown[name] = np.empty(n, dtype=column.dtype)
            grown[name][old] = place[column] if name == "parents" else column
            grown[name][self.rows] = self.columns[name]
        return grown

    def inverse(self) -> _Removal:
        return _Removal(self.rows, self.columns)


@dataclass(frozen=True, eq=False)
class _Exchange:
    """All columns at once, where rows were reordered or made anew."""

    before: Columns
    after: Columns

    def apply(self, columns: Columns) -> Columns:
        if any(_bits(columns[name]) != _bits(column) for name, column in self.before.items()):
            raise _misfit()
        return self.after

    def inverse(self) -> _Exchange:
        return _Exchange(self.after, self.before)


_Step = _Values | _Removal | _Insertion | _Exchange


@dataclass(frozen=True, eq=False)
class Change:
    """An exact change of a neuron's arrays that can be applied and taken back any number of times."""

    steps: tuple[_Step, ...] = ()

    def apply(self, neuron: Neuron) -> Neuron:
        """Make the change; RepairError if the neuron is not the one the change was taken from."""
        if not self.steps:
            return neuron
        columns = _columns_of(neuron)
        for step in self.steps:
            columns = step.apply(columns)
        return _with_columns(neuron, columns)

    def inverse(self) -> Change:
        """The change that takes this one back, bit for bit."""
        return Change(tuple(step.inverse() for step in reversed(self.steps)))

    @property
    def n_values(self) -> int:
        """Number of stored values, a measure of the memory an undo step costs."""
        return sum(_size(step) for step in self.steps)


def difference(before: Neuron, after: Neuron) -> Change:
    """The change that turns one neuron into another."""
    old, new = _columns_of(before), _columns_of(after)
    if old.keys() != new.keys():
        raise ValueError("the two neurons do not come from the same file")
    if len(before) < len(after):
        return difference(after, before).inverse()
    steps = tuple(_changed_values(old, new)) if len(before) == len(after) else _shrinking(old, new)
    return Change(steps if sum(map(_size, steps)) < 2 * len(before) * len(old) else (_Exchange(old, new),))


def _shrinking(old: Columns, new: Columns) -> tuple[_Step, ...]:
    """Steps from more rows to fewer, if those left are some of the old rows in their old order."""
    kept = np.isin(old["ids"], new["ids"])
    if kept.sum() != len(new["ids"]) or not np.array_equal(old["ids"][kept], new["ids"]):
        return (_Exchange(old, new),)
    place = np.append(np.flatnonzero(kept), -1)
    target = {name: column.copy() for name, column in old.items()}
    for name, column in new.items():
        target[name][kept] = place[column] if name == "parents" else column
    gone = np.flatnonzero(~kept)
    return (*_changed_values(old, target), _Removal(gone, {name: column[gone] for name, column in target.items()}))


def _changed_values(old: Columns, new: Columns) -> Iterator[_Step]:
    for name, before in old.items():
        after = new[name]
        if before is after:
            continue
        rows = np.flatnonzero(before.view(np.int64) != after.view(np.int64))
        if len(rows):
            yield _Values(name, rows, before[rows], after[rows])


def changed_values(
    column: str, rows: IntArray, before: NDArray[np.float64], after: NDArray[np.float64]
) -> Iterator[_Step]:
    """The step, if there is one, that gives some rows of a column of numbers other values."""
    by_row = np.argsort(rows)
    other = by_row[before.view(np.int64)[by_row] != after.view(np.int64)[by_row]]
    if len(other):
        yield _Values(column, rows[other], before[other], after[other])


def _columns_of(neuron: Neuron) -> Columns:
    columns: Columns = {name: getattr(neuron, name) for name in _PLAIN if getattr(neuron, name) is not None}
    for axis, name in enumerate("xyz"):
        columns[name] = np.ascontiguousarray(neuron.xyz_um[:, axis])
    return columns


def _with_columns(neuron: Neuron, columns: Columns) -> Neuron:
    xyz = np.column_stack([columns[name] for name in "xyz"])
    return neuron.replace(xyz_um=xyz, **{name: columns[name] for name in _PLAIN if name in columns})


def _size(step: _Step) -> int:
    if isinstance(step, _Values):
        return 3 * len(step.rows)
    if isinstance(step, _Exchange):
        return sum(map(len, step.before.values())) + sum(map(len, step.after.values()))
    return len(step.rows) * (1 + len(step.columns))


def _bits(values: NDArray[Any]) -> bytes:
    return values.tobytes()


def _misfit() -> RepairError:
    return RepairError(
        "an edit does not fit this neuron, which has changed since",
        hint="Undo the later edits first, or make the edit again.",
    )
