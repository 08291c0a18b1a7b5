"""HDF5 as the recording readers need it: quick look-ups, windows read on demand, and errors a person can act on.

Notes
-----
A file is opened for each read and closed again (0.13 ms, against 0.4 ms for the window itself): no handle is left
that could lock the file, be leaked by a batch of a thousand recordings, or go on reading a file that was replaced.
What an open handle would have kept, the last decompressed blocks, is kept here instead.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5s, h5t
from numpy.typing import NDArray

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray

from .stamp import FileStamp

__all__ = [
    "HDF5_ERRORS",
    "Hdf5Samples",
    "Hdf5Source",
    "open_if_there",
    "read_attribute",
    "read_number",
    "read_scalars",
    "read_text",
    "read_value",
    "stored_length",
    "to_number",
    "to_text",
    "value_of",
]

HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
"""What h5py raises on damaged or unexpected content."""

_CACHE_BYTES = 32 * 2**20
_SMALL = 4096
_SMALL_TEXT = 16
_HOUSEKEEPING = {"namespace", "object_id", "neurodata_type", "help", "ancestry", "comments", "comment"}
# HDF5 itself crashes on a damaged variable-length type, and nothing we look for has one (text counts as STRING)
_PLAIN_CLASSES = frozenset({h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM})
_ONE_TEXT = 16  # bytes a single variable-length text takes in its attribute
_TEXT = h5py.string_dtype()
_GZIP_LIMIT = 1032  # deflate cannot shrink anything by more than this factor


class Hdf5Source:
    """One HDF5 file: opened for each read, refused once it is no longer the file it was.

    Parameters
    ----------
    path
        The file. Its size, time and identity are remembered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = FileStamp.of(path)
        self.chunk_lengths: dict[str, int] = {}
        self._blocks: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_blocks": OrderedDict(), "_lock": None}  # what another process need not have

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock())

    @property
    def n_bytes(self) -> int:
        """Size of the file."""
        return self._stamp.size

    @contextmanager
    def open(self) -> Iterator[h5py.File]:
        """The open file, for a short while.

        Raises
        ------
        RecordingError
            If it cannot be opened or is no longer the same file.
        """
        self.check()
        try:
            file = _open_unlocked(self.path)
        except HDF5_ERRORS as error:
            raise RecordingError(_why_not_opened(error), path=self.path, hint=_what_to_do(error)) from error
        with file:
            yield file

    def check(self) -> None:
        """Raise RecordingError if the file is gone or no longer the same."""
        self._stamp.require(FileStamp.of(self.path), self.path)

    def cached(self, key: tuple[Any, ...]) -> NDArray[Any] | None:
        """A block read earlier."""
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
            return self._blocks.get(key)

    def keep(self, key: tuple[Any, ...], block: NDArray[Any]) -> None:
        """Remember a block, forgetting the least used ones beyond 32 MB."""
        with self._lock:
            self._blocks[key] = block
            while len(self._blocks) > 1 and sum(kept.nbytes for kept in self._blocks.values()) > _CACHE_BYTES:
                self._blocks.popitem(last=False)


def _open_unlocked(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False)
    except OSError:
        # HDF5 wants one locking mode for all handles of a file in a process; somebody else may hold another
        return h5py.File(path, "r")


def _why_not_opened(error: BaseException) -> str:
    text = str(error).lower()
    if "truncated" in text or "addr overflow" in text or "eof" in text:
        return "is an incomplete HDF5 file: its end is missing"
    if "lock" in text or "already open" in text:
        return "is open for writing in another program"
    return f"cannot be opened as HDF5 ({error})"


def _what_to_do(error: BaseException) -> str:
    if "open for writing" in _why_not_opened(error):
        return "Close it there and try again."
    return "Copy it again from where it was recorded; the download or copy was probably interrupted."


@dataclass(frozen=True, eq=False)
class Hdf5Samples:
    """Reads a window of one dataset as float64, scaled; callable as a sweep's sample reader.

    ``first`` is the sample the sweep begins with, ``take`` the index on the other axis of a two-dimensional dataset
    whose time runs along ``time_axis``.
    """

    source: Hdf5Source
    path: str
    scale: float = 1.0
    offset: float = 0.0
    first: int = 0
    take: int | None = None
    time_axis: int = 0

    def __call__(self, start: int, stop: int) -> FloatArray:
        """Samples ``start`` to ``stop`` in SI units."""
        if stop <= start:
            return np.empty(0)
        with np.errstate(over="ignore", invalid="ignore"):  # damaged samples may hold any number
            values = self.raw(start, stop).astype(np.float64)
            if self.scale != 1.0:
                values *= self.scale
            if self.offset != 0.0:
                values += self.offset
        return values

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """The stored numbers; of a compressed dataset, short reads keep whole chunks for the next one."""
        self.source.check()
        kept = self._from_blocks(start + self.first, stop + self.first)
        if kept is not None:
            return kept
        with self.source.open() as file:
            try:
                return self._from_dataset(file[self.path], start + self.first, stop + self.first)
            except HDF5_ERRORS as error:
                reason = f"samples {start} to {stop} of {self.path} cannot be read ({error})"
                raise RecordingError(reason, path=self.source.path, hint="The file is damaged there.") from error

    def _from_blocks(self, start: int, stop: int) -> NDArray[Any] | None:
        chunk = self.source.chunk_lengths.get(self.path, 0)
        if not chunk or stop - start > chunk:
            return None
        numbers = range(start // chunk, (stop - 1) // chunk + 1)
        blocks = [block for k in numbers if (block := self.source.cached((self.path, self.take, k))) is not None]
        base = numbers[0] * chunk
        return np.concatenate(blocks)[start - base : stop - base] if len(blocks) == len(numbers) else None

    def _from_dataset(self, dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
        chunk = dataset.chunks[self.time_axis] if dataset.chunks else 0
        self.source.chunk_lengths[self.path] = chunk
        if not chunk or stop - start > chunk:
            return self._slice(dataset, start, stop)
        base, end = start // chunk * chunk, -(-stop // chunk) * chunk
        values = self._slice(dataset, base, end)
        for at in range(base, end, chunk):
            self.source.keep((self.path, self.take, at // chunk), values[at - base : at - base + chunk])
        return values[start - base : stop - base]

    def _slice(self, dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
        index: Any = slice(start, stop)
        if self.take is not None:
            index = (index, self.take) if self.time_axis == 0 else (self.take, index)
        values: NDArray[Any] = dataset[index]
        return values


def stored_length(dataset: h5d.DatasetID, shape: tuple[int, ...], item_bytes: int, n_bytes: int) -> int:
    """Samples along the first axis that a dataset can really hold in a file of ``n_bytes``, whatever its shape says.

    HDF5 lets a chunked dataset promise any length without storing a sample; the rest reads as zeros.
    """
    if math.prod(shape) * item_bytes <= _GZIP_LIMIT * n_bytes:
        return int(shape[0])
    if dataset.get_create_plist().get_layout() != h5d.CHUNKED:
        return 0
    n_chunks = dataset.get_num_chunks()
    chunk = dataset.get_create_plist().get_chunk()
    ends = (dataset.get_chunk_info(i).chunk_offset[0] + chunk[0] for i in range(n_chunks))
    return min(max(ends, default=0), int(shape[0]))


def open_if_there(group: h5g.GroupID, name: bytes) -> h5d.DatasetID | None:
    """A dataset of a group, or None if there is none of that name."""
    try:
        return h5d.open(group, name)
    except HDF5_ERRORS:
        if name in group:
            raise
        return None


def read_attribute(node: Any, name: str) -> Any:
    """An attribute's value as an array, or None if there is none or it cannot be read.

    ``node`` is a low-level identifier (``group.id``), which saves most of the time ``group.attrs`` takes.
    """
    encoded = name.encode()
    try:
        if not h5a.exists(node, encoded):
            return None
        attribute = h5a.open(node, encoded)
        kind = attribute.get_type()
        if kind.get_class() not in _PLAIN_CLASSES:
            return None
        if attribute.get_storage_size() == _ONE_TEXT and kind.get_class() == h5t.STRING and kind.is_variable_str():
            value = np.empty((), dtype=_TEXT)  # the usual case, without asking for shape and type
        else:
            value = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(value)
    except HDF5_ERRORS:
        return None
    return value


def read_number(node: Any, name: str) -> float | None:
    """A numeric attribute, or None; four times quicker than :func:`read_attribute`."""
    encoded = name.encode()
    try:
        if not h5a.exists(node, encoded):
            return None
        attribute = h5a.open(node, encoded)
        if attribute.get_storage_size() <= 8:  # at most eight elements, which the buffer can take
            buffer = np.zeros(8)
            attribute.read(buffer, mtype=h5t.NATIVE_DOUBLE)
            return float(buffer[0]) if np.isfinite(buffer[0]) else None
    except HDF5_ERRORS:
        pass  # text where a number belongs: the slow way may still make one of it
    return to_number(read_attribute(node, name))


def read_text(node: Any, name: str) -> str:
    """A text attribute; empty if there is none."""
    return to_text(read_attribute(node, name))


def read_value(group: h5g.GroupID, name: str) -> Any:
    """A small dataset's value, or None if there is none, it is large, or it cannot be read."""
    encoded = name.encode()
    try:
        return value_of(h5d.open(group, encoded)) if group.links.exists(encoded) else None
    except HDF5_ERRORS:
        return None


def value_of(dataset: h5d.DatasetID) -> Any:
    """All of a small dataset, or None if it is large or cannot be read."""
    try:
        n_values, kind = math.prod(dataset.shape), dataset.get_type().get_class()
        if n_values > _SMALL or kind not in _PLAIN_CLASSES:
            return None
        if n_values == 1 and kind == h5t.FLOAT:
            number = np.zeros(1)
            dataset.read(h5s.ALL, h5s.ALL, number, mtype=h5t.NATIVE_DOUBLE)
            return number
        value = np.empty(dataset.shape, dtype=dataset.dtype)
        dataset.read(h5s.ALL, h5s.ALL, value)
    except HDF5_ERRORS:
        return None
    return value


def read_scalars(group: h5g.GroupID) -> dict[str, Any]:
    """All attributes and one-element datasets of a group: numbers and texts, for display."""
    found: dict[str, Any] = {}
    try:
        names = [h5a.open(group, index=i).name.decode() for i in range(h5a.get_num_attrs(group))]
        found = {name: _plain(read_attribute(group, name)) for name in names if name not in _HOUSEKEEPING}
        for member in list(group):
            name = member.decode("utf-8", "replace")
            if h5g.get_objinfo(group, member).type == h5g.DATASET:
                found[name] = _plain(read_value(group, name))
    except HDF5_ERRORS:
        pass
    return {name: value for name, value in found.items() if value not in (None, "")}


def _plain(value: Any) -> float | str | None:
    if getattr(value, "dtype", np.dtype(object)).kind in "iuf":
        return to_number(value)
    return to_text(value) if np.size(value) <= _SMALL_TEXT else None


def to_number(value: Any) -> float | None:
    """A finite number out of whatever shape a file stores it in, or None."""
    try:
        flat = np.asarray(value).ravel()
        number = float(flat[0]) if flat.size == 1 and flat.dtype.kind in "iufSO" else None
    except (TypeError, ValueError):
        return None
    return number if number is not None and np.isfinite(number) else None


def to_text(value: Any) -> str:
    """Text out of bytes, a string, or an array holding one; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return to_text(value.item())
        return ", ".join(filter(None, (to_text(item) for item in value.ravel()[:64].tolist())))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\x00 ")
    return str(value) if isinstance(value, (str, int, float)) else ""
