"""The tree that PatchMaster keeps in its bundles: records of fixed size per level, each with its children behind it."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from napari_celltype.errors import RecordingError

from .abf_header import CheckedFile

__all__ = ["Node", "read_tree"]

_SIGNATURES = (b"DAT1", b"DAT2")
_N_LEVELS = 5  # root, group, series, sweep, trace
_SMALLEST = (40, 40, 40, 56, 292)  # bytes of a record up to the last field we need
_MAX_TREE = 2**29


@dataclass(frozen=True, eq=False)
class Node:
    """One record of the tree; fields are read by their place in it."""

    data: memoryview
    order: str
    children: list[Node] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the record."""
        return len(self.data)

    def text(self, at: int, size: int) -> str:
        """A text field, up to its first NUL."""
        raw = bytes(self.data[at : at + size]).split(b"\x00", 1)[0]
        return raw.decode("latin-1").strip()

    def number(self, kind: str, at: int) -> float:
        """A floating-point field; NaN where the record is too short for it."""
        if at + struct.calcsize(kind) > self.size:
            return math.nan
        return float(struct.unpack_from(self.order + kind, self.data, at)[0])

    def integers(self, layout: str, at: int) -> tuple[int, ...]:
        """Integer fields that follow one another."""
        return tuple(int(value) for value in struct.unpack_from(self.order + layout, self.data, at))

    def at_depth(self, depth: int) -> Iterator[Node]:
        """All nodes ``depth`` levels below this one."""
        nodes = [self]
        for _ in range(depth):
            nodes = [child for node in nodes for child in node.children]
        yield from nodes


def read_tree(file: CheckedFile) -> tuple[Node, str, str]:
    """The acquisition tree of a bundle, the program's version, and the byte order of samples.

    Raises
    ------
    RecordingError
        If the file is no bundle or its index is not in it.
    """
    header = file.read(0, 256, "header")
    if header[:4] not in _SIGNATURES:
        raise RecordingError(
            "is a HEKA file without its index",
            path=file.path,
            hint="Older programs keep it in files beside it (.pul, .pgf); export a bundle from PatchMaster.",
        )
    order = "<" if header[52] else ">"
    start, length = _find_item(file, header, order, b".pul")
    if length > _MAX_TREE:
        raise file.damaged(f"has an index of {length} bytes")
    tree = memoryview(file.read(start, length, "index (.pul)"))
    version = header[8:40].split(b"\x00", 1)[0].decode("latin-1").strip()
    return _parse(file, tree), version, order


def _find_item(file: CheckedFile, header: bytes, order: str, extension: bytes) -> tuple[int, int]:
    (n_items,) = struct.unpack_from(order + "i", header, 48)
    for k in range(min(max(n_items, 0), 12)):
        start, length, name = struct.unpack_from(order + "ii8s", header, 64 + 16 * k)
        if name.split(b"\x00", 1)[0] == extension and start > 0 and length > 0:
            return start, length
    raise file.damaged("has a header that names no index (.pul)")


def _parse(file: CheckedFile, tree: memoryview) -> Node:
    magic = bytes(tree[:4])
    if magic not in (b"Tree", b"eerT") or len(tree) < 8:
        raise file.damaged("has an index that does not begin as one")
    order = ">" if magic == b"Tree" else "<"
    (n_levels,) = struct.unpack_from(order + "i", tree, 4)
    if n_levels != _N_LEVELS or len(tree) < 8 + 4 * n_levels:
        raise file.damaged(f"has an index of {n_levels} levels instead of {_N_LEVELS}")
    sizes = struct.unpack_from(f"{order}{n_levels}i", tree, 8)
    if any(size < least for size, least in zip(sizes, _SMALLEST, strict=True)):
        raise file.damaged("has an index whose records are too small")
    return _Parser(file, tree, order, sizes).parse(8 + 4 * n_levels)


@dataclass
class _Parser:
    file: CheckedFile
    tree: memoryview
    order: str
    sizes: tuple[int, ...]
    at: int = 0

    def parse(self, at: int) -> Node:
        """The whole tree, depth first as it is stored, without recursion."""
        self.at = at
        root, n_children = self._record(0)
        pending = [(root, n_children)]
        while pending:
            node, left = pending.pop()
            if left == 0:
                continue
            pending.append((node, left - 1))
            child, n_children = self._record(len(pending))
            node.children.append(child)
            pending.append((child, n_children))
        return root

    def _record(self, level: int) -> tuple[Node, int]:
        if level >= len(self.sizes):
            raise self.file.damaged("has an index with children below its last level")
        end = self.at + self.sizes[level]
        if end + 4 > len(self.tree):
            raise self.file.damaged("has an index that breaks off")
        (n_children,) = struct.unpack_from(self.order + "i", self.tree, end)
        if n_children < 0 or (level + 1 < len(self.sizes) and n_children * self.sizes[level + 1] > len(self.tree)):
            raise self.file.damaged(f"has an index that promises {n_children} entries under one")
        node = Node(self.tree[self.at : end], self.order)
        self.at = end + 4
        return node, n_children
