"""Labelled reconstructions for the recipes: ``DIR/morphology/{swc.tar.xz,index.csv}``, or a folder a class."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.errors import ModelError, NeuronError
from napari_celltype.io.neurons import read_neuron
from napari_celltype.io.swc import parse_swc
from napari_celltype.models.neuron_form import NeuronForm, standardise
from napari_celltype.neuron import Neuron

__all__ = ["BROAD", "CLASSES", "NeuronSet", "read_neurons", "standard_set"]

IntArray = NDArray[np.intp]

CLASSES = ("pyramidal", "GABAergic", "microglia", "ganglion", "basket", "Purkinje", "granule", "medium spiny")
"""The classes of Zhang et al. for which there are reconstructions, most frequent first."""

BROAD = ("principal", "interneuron")
"""Microglia are neither."""

_INTERNEURONS = ("basket", "GABAergic", "nitrergic")
_NOT_NEURONS = ("microglia", "astrocyte", "parachromaffin", "sensory receptor")

_COLUMNS = {"xyz_um": np.float32, "radii_um": np.float32, "parents": np.int32, "types": np.int16, "ids": np.int32}


@dataclass(frozen=True, eq=False)
class NeuronSet:
    """Labelled reconstructions, kept as long arrays: what one neuron has lies between two places in them.

    Parameters
    ----------
    truth
        (n,) index into ``classes``.
    broad
        (n,) 0 principal cell, 1 interneuron, -1 neither.
    cells
        (n,) number of the cell: files of one cell, and files that are copies of one another, share it.
    sources, species, labels, files
        (n,) the collection a file comes from, its species as stated, the label it had there, its name.
    arrays
        ``xyz_um``, ``radii_um``, ``parents``, ``types`` and ``ids`` of all neurons one after another.
    starts
        (n + 1,) where each neuron begins in them.
    rows
        (n,) which neuron of the arrays each is.
    """

    classes: tuple[str, ...]
    truth: IntArray
    broad: IntArray
    cells: IntArray
    sources: NDArray[np.str_]
    species: NDArray[np.str_]
    labels: NDArray[np.str_]
    files: NDArray[np.str_]
    arrays: dict[str, NDArray[Any]]
    starts: IntArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.truth)

    def neuron(self, index: int) -> Neuron:
        """One of the neurons."""
        row = int(self.rows[index])
        part = slice(int(self.starts[row]), int(self.starts[row + 1]))
        columns: dict[str, Any] = {name: self.arrays[name][part] for name in _COLUMNS}
        return Neuron(**columns, name=str(self.files[index]))

    def neurons(self, indices: Iterable[int] | None = None) -> Iterator[Neuron]:
        """Some of the neurons, or all, one after another."""
        for index in range(len(self)) if indices is None else indices:
            yield self.neuron(int(index))

    def take(self, chosen: IntArray | NDArray[np.bool_] | Sequence[int]) -> NeuronSet:
        """These neurons only; the long arrays are shared."""
        picked = {name: getattr(self, name)[chosen] for name in (*_LABELS, "rows")}
        return NeuronSet(classes=self.classes, arrays=self.arrays, starts=self.starts, **picked)


_LABELS = ("truth", "broad", "cells", "sources", "species", "labels", "files")


def read_neurons(data: Path, cache: Path | None = None) -> NeuronSet:
    """Read labelled reconstructions.

    Parameters
    ----------
    data
        A folder with ``morphology/``, or that folder: ``index.csv`` (columns ``file`` and ``class``, and if known
        ``cell``, ``source``, ``species``, ``label``) with ``swc.tar.xz`` or the files themselves; or, without an index,
        one folder of reconstructions a class.
    cache
        Folder in which what was read is kept, so that the next run begins at once.

    Raises
    ------
    ModelError
        If there are none.
    """
    folder = data / "morphology" if (data / "morphology").is_dir() else data
    index = _index(folder)
    key = f"{len(index)}-{int(sum(hash_of(name) for name in index['file'])) % 10**8}"
    path = None if cache is None else cache / f"neurons-{key}"
    if path is None or not (path / "files.json").exists():
        arrays, starts, read = _read_all(folder, index)
        if path is not None:
            _save(path, arrays, starts, read)
    if path is not None:
        arrays, starts, read = _load(path)
    return _labelled(index.set_index("file").loc[read].reset_index(), arrays, starts)


def hash_of(text: str) -> int:
    """A number that stays the same from run to run."""
    import hashlib

    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def standard_set(neurons: NeuronSet, form: NeuronForm, cache: Path | None = None) -> NeuronSet:
    """The same neurons after :func:`~napari_celltype.models.neuron_form.standardise`; those that cannot be, left out.

    ``ids`` hold for each node the row it had before, -1 for none.
    """
    key = f"{len(neurons)}-{hash_of(json.dumps([form.to_settings(), _LAYOUT, *neurons.files.tolist()]))}"
    path = None if cache is None else cache / f"standard-{key}"
    if path is None or not (path / "files.json").exists():
        arrays, starts, done = _stack(_standardised(neurons, form))
        if path is not None:
            _save(path, arrays, starts, done)
    if path is not None:
        arrays, starts, done = _load(path)
    place = {name: i for i, name in enumerate(neurons.files.tolist())}
    kept = neurons.take(np.array([place[name] for name in done], dtype=np.intp))
    picked = {name: getattr(kept, name) for name in _LABELS}
    return NeuronSet(classes=kept.classes, arrays=arrays, starts=starts, rows=np.arange(len(done)), **picked)


_LAYOUT = 1
"""Count up when :func:`standardise` gives something else than before, so that no old result is taken for a new one."""


def _standardised(neurons: NeuronSet, form: NeuronForm) -> Iterator[tuple[str, Neuron]]:
    for index, neuron in enumerate(neurons.neurons()):
        try:
            found = standardise(neuron, form)
        except NeuronError:
            continue
        rows = found.source_rows if found.source_rows is not None else np.full(len(found), -1)
        yield str(neurons.files[index]), found.replace(ids=rows)


def _index(folder: Path) -> pd.DataFrame:
    path = folder / "index.csv"
    if path.is_file():
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        absent = {"file", "class"} - set(table.columns)
        if absent:
            raise ModelError(f"the table lacks columns: {', '.join(sorted(absent))}", path=path)
    else:
        files = sorted(p for p in folder.glob("*/*") if p.name.lower().endswith((".swc", ".swc.gz", ".eswc")))
        names = [p.relative_to(folder).as_posix() for p in files]
        table = pd.DataFrame({"file": names, "class": [p.parent.name.replace("_", " ") for p in files]})
    if table.empty:
        raise ModelError(
            "there are no labelled reconstructions here",
            path=folder,
            hint="Give a folder with index.csv, or one folder of SWC files a class.",
        )
    for column, usual in (
        ("cell", table["file"]),
        ("source", "one folder"),
        ("species", ""),
        ("label", table["class"]),
    ):
        if column not in table:
            table[column] = usual
    return table


def _read_all(folder: Path, index: pd.DataFrame) -> tuple[dict[str, NDArray[Any]], IntArray, list[str]]:
    archive = folder / "swc.tar.xz"
    wanted = set(index["file"])
    read = _from_archive(archive, wanted) if archive.is_file() else _from_files(folder, index["file"])
    return _stack(read)


def _from_archive(archive: Path, wanted: set[str]) -> Iterator[tuple[str, Neuron]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name in wanted else None
            if file is not None:
                try:
                    yield member.name, parse_swc(file.read(), name=member.name)
                except NeuronError:
                    continue


def _from_files(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Neuron]]:
    for name in names:
        try:
            yield name, read_neuron(folder / name)
        except NeuronError:
            continue


def _stack(read: Iterator[tuple[str, Neuron]]) -> tuple[dict[str, NDArray[Any]], IntArray, list[str]]:
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _COLUMNS}
    lengths, files = [0], []
    for name, neuron in read:
        for column, dtype in _COLUMNS.items():
            parts[column].append(getattr(neuron, column).astype(dtype))
        lengths.append(len(neuron))
        files.append(name)
    if not files:
        raise ModelError("none of the reconstructions could be read")
    arrays = {name: np.concatenate(found) for name, found in parts.items()}
    return arrays, np.cumsum(lengths).astype(np.intp), files


def _save(path: Path, arrays: dict[str, NDArray[Any]], starts: IntArray, files: list[str]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.mkdir(parents=True, exist_ok=True)
    for name, array in [*arrays.items(), ("starts", starts)]:
        np.save(part / f"{name}.npy", array)
    (part / "files.json").write_text(json.dumps(files), encoding="utf-8")
    try:
        part.rename(path)
    except OSError:  # another run was quicker
        import shutil

        shutil.rmtree(part)


def _load(path: Path) -> tuple[dict[str, NDArray[Any]], IntArray, list[str]]:
    read: Callable[[str], NDArray[Any]] = lambda name: np.load(path / f"{name}.npy", mmap_mode="r")  # noqa: E731
    arrays = {name: read(name) for name in _COLUMNS}
    return arrays, np.array(read("starts")), json.loads((path / "files.json").read_text(encoding="utf-8"))


def _labelled(index: pd.DataFrame, arrays: dict[str, NDArray[Any]], starts: IntArray) -> NeuronSet:
    present = index["class"].unique().tolist()
    extra = sorted(set(present) - set(CLASSES))
    classes = tuple([name for name in CLASSES if name in present] + extra)
    broad = [-1 if c in _NOT_NEURONS else int(c in _INTERNEURONS) for c in index["class"]]
    _, named = np.unique(index["cell"].to_numpy(str), return_inverse=True)
    prints = [_fingerprint(arrays["xyz_um"][a:b], arrays["parents"][a:b]) for a, b in pairwise(starts)]
    _, twins = np.unique(np.round(np.log(np.maximum(prints, 1e-6)) * 1000), axis=0, return_inverse=True)
    return NeuronSet(
        classes=classes,
        truth=np.array([classes.index(c) for c in index["class"]], dtype=np.intp),
        broad=np.array(broad, dtype=np.intp),
        cells=_connected(named.astype(np.intp), twins.ravel().astype(np.intp)),
        sources=index["source"].to_numpy(str),
        species=index["species"].to_numpy(str),
        labels=index["label"].to_numpy(str),
        files=index["file"].to_numpy(str),
        arrays=arrays,
        starts=starts,
        rows=np.arange(len(index)),
    )


@np.errstate(invalid="ignore")
def _fingerprint(xyz_um: NDArray[Any], parents: NDArray[Any]) -> list[float]:
    """What two copies of a tracing share wherever its origin lies and however its nodes are ordered."""
    steps = (xyz_um - xyz_um[parents])[parents >= 0].astype(np.float64)
    lengths = np.sqrt((steps**2).sum(axis=1))
    middle = np.quantile(lengths, 0.5) if len(lengths) else 0.0
    extent = np.sort(np.ptp(xyz_um, axis=0))
    return [float(np.nan_to_num(value)) for value in (lengths.sum(), *extent, middle)]


def _connected(first: IntArray, second: IntArray) -> IntArray:
    """Groups in which two rows are together if either numbering puts them together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, rows = len(first), np.arange(len(first))
    top = int(first.max()) + 1
    ends = np.concatenate([n + first, n + top + second])
    size = n + top + int(second.max()) + 1
    graph = coo_array((np.ones(2 * n, dtype=np.int8), (np.tile(rows, 2), ends)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, group = np.unique(label[:n], return_inverse=True)
    return group.astype(np.intp)
