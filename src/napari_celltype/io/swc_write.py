"""Write SWC: what was not edited keeps its bytes, what was edited changes as little text as possible.

A file read and not edited is written back byte for byte. Of an edited neuron, each node line keeps its text except
for the columns that changed; comments, blank lines and lines that could not be read stay before the node line they
stood before; new nodes get a line of their own, in the order of the neuron's rows. Numbers that changed are written
with the fewest digits that read back as the same number.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Neuron, SwcText

from .atomic import write_atomically
from .swc import find_parent_rows
from .swc_text import BOM, FIELD, unify_lines

__all__ = ["swc_bytes", "write_swc"]

_HEADER = b"# id type x y z radius parent"


def write_swc(
    neuron: Neuron,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    *,
    comments: Sequence[str] = (),
) -> Path:
    """Save a neuron as SWC, whole or not at all, with everything its file held besides.

    Parameters
    ----------
    neuron
        Read from a file, edited or made from arrays.
    path
        A new name. With a name that ends in ``.gz`` the file is compressed.
    overwrite
        Whether a file of that name may be replaced.
    comments
        Lines to put after the comments at the start of the file, such as a record of the edits; those that stand
        there already are not written twice.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    NeuronError
        If the neuron cannot be written truly (a cycle, no node, a parent that its id does not single out), if the
        file exists, or if the folder cannot be written to.
    """
    path = Path(path)
    data = _file_bytes(neuron, path, comments)
    try:
        return write_atomically(path, data, overwrite=overwrite)
    except FileExistsError as error:
        hint = "Choose another name, or ask for overwriting (overwrite=True)."
        raise NeuronError("exists already and was left as it is", path=path, hint=hint) from error
    except OSError as error:
        hint = "Check that the folder exists, that you may write there, and that the disk is not full."
        raise NeuronError(f"cannot be written ({error.strerror or error})", path=path, hint=hint) from error


def swc_bytes(neuron: Neuron, *, comments: Sequence[str] = ()) -> bytes:
    """Text of the SWC file that :func:`write_swc` would write."""
    _check_writable(neuron)
    lines = _comment_lines(comments)
    if neuron.text is None or neuron.source_rows is None:
        return _plain_text(neuron, lines)
    lines = [line for line in lines if line not in _leading_comments(neuron.text.body)]
    changed = _changed_columns(neuron, neuron.text)
    in_place = len(neuron) == len(neuron.text.ids) and bool((np.diff(neuron.source_rows) == 1).all())
    if in_place and not lines and not changed.any():
        return neuron.text.body
    return b"".join(_edited_lines(neuron, neuron.text, changed, lines))


def _file_bytes(neuron: Neuron, path: Path, comments: Sequence[str]) -> bytes:
    text = swc_bytes(neuron, comments=comments)
    source = neuron.text
    untouched = source is not None and text is source.body
    compressed = source is not None and source.raw.startswith(b"\x1f\x8b")
    wanted = path.suffix.lower() == ".gz"
    if source is not None and untouched and compressed == wanted:
        return source.raw
    return gzip.compress(text, mtime=0) if wanted else text


def _check_writable(neuron: Neuron) -> None:
    if not len(neuron):
        raise NeuronError("the neuron has no node, so there is nothing to save", path=neuron.path)
    neuron.require_no_cycle("saved")
    meant = find_parent_rows(neuron.ids, neuron.parent_ids)
    wrong = np.flatnonzero((neuron.parents >= 0) & (meant != neuron.parents))
    if wrong.size:
        row = int(wrong[0])
        parent = int(neuron.parent_ids[row])
        why = "is negative" if parent < 0 else "belongs to several nodes"
        raise NeuronError(
            f"node {neuron.ids[row]} cannot be saved under its parent, whose id {parent} {why}",
            path=neuron.path,
            hint="Give the nodes new ids first.",
        )


def _comment_lines(comments: Sequence[str]) -> list[bytes]:
    texts = [part for comment in comments for part in (comment.splitlines() or [""])]
    return [(text if text.startswith("#") else f"# {text}".rstrip()).encode() for text in texts]


def _plain_text(neuron: Neuron, comments: list[bytes]) -> bytes:
    """Text for a neuron that comes from no SWC file."""
    columns = (neuron.ids, neuron.types, *neuron.xyz_um.T, neuron.radii_um, neuron.parent_ids)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    lines = (b" ".join(_format(value) for value in row) for row in rows)
    return b"".join(line + b"\n" for line in (*comments, _HEADER, *lines))


def _format(value: float) -> bytes:
    text = repr(value)
    return text.removesuffix(".0").encode()


def _changed_columns(neuron: Neuron, text: SwcText) -> NDArray[np.bool_]:
    """Which of the seven columns of each row no longer say what the file says; new rows: none."""
    assert neuron.source_rows is not None
    old = np.flatnonzero(neuron.source_rows >= 0)
    source = neuron.source_rows[old]
    changed = np.zeros((len(neuron), 7), dtype=bool)
    changed[old, 0] = neuron.ids[old] != text.ids[source]
    changed[old, 1] = neuron.types[old] != text.types[source]
    changed[old, 2:5] = _differ(neuron.xyz_um[old], text.xyz_um[source])
    changed[old, 5] = _differ(neuron.radii_um[old], text.radii_um[source])
    changed[old, 6] = _parents_changed(neuron, text)[old]
    return changed


def _differ(now: NDArray[np.float64], then: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (now != then) & ~(np.isnan(now) & np.isnan(then))


def _parents_changed(neuron: Neuron, text: SwcText) -> NDArray[np.bool_]:
    """Whether the parent column must be written anew; a missing parent's id stays while it stays missing."""
    assert neuron.source_rows is not None
    source = neuron.source_rows
    written = text.parent_ids[source]
    has_parent = neuron.parents >= 0
    now_missing = find_parent_rows(neuron.ids, written) < 0
    meant_none = text.parents[source] < 0
    return np.where(has_parent, written != neuron.parent_ids, ~(now_missing & meant_none))


@dataclass(frozen=True)
class _SourceLines:
    """Lines of the file with their line ends; ``at`` is the index of each source row's line."""

    lines: list[bytes]
    at: list[int]
    end: bytes
    separator: bytes

    @classmethod
    def of(cls, text: SwcText) -> _SourceLines:
        body = text.body[len(BOM) :] if text.body.startswith(BOM) else text.body
        stops = np.flatnonzero(np.frombuffer(unify_lines(body), dtype=np.uint8) == 10) + 1
        bounds = [0, *stops.tolist()]
        if bounds[-1] < len(body):
            bounds.append(len(body))
        lines = [body[a:b] for a, b in pairwise(bounds)]
        at = (text.line_of_row - 1).tolist()
        fields = list(FIELD.finditer(lines[at[0]]))
        separator = lines[at[0]][fields[0].end() : fields[1].start()]
        end = next((end for end in (b"\r\n", b"\n", b"\r") if lines[0].endswith(end)), b"\n")
        return cls(lines, at, end, separator)


def _edited_lines(neuron: Neuron, text: SwcText, changed: NDArray[np.bool_], comments: list[bytes]) -> Iterator[bytes]:
    """Lines of the edited file, in the order of the neuron's rows."""
    source = _SourceLines.of(text)
    n_head = _leading_comment_count(source.lines)
    if text.body.startswith(BOM):
        yield BOM
    yield from (_ended(line, source.end) for line in source.lines[:n_head])
    yield from (line + source.end for line in comments)
    last = len(neuron) - 1
    between = _Between(source, n_head)
    columns = (neuron.ids, neuron.types, *neuron.xyz_um.T, neuron.radii_um, neuron.parent_ids)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    sources = neuron.source_rows.tolist() if neuron.source_rows is not None else []
    touched: list[bool] = np.any(changed, axis=1).tolist()
    for i, (row, s) in enumerate(zip(rows, sources, strict=True)):
        if s < 0:
            yield source.separator.join(_format(value) for value in row) + source.end
            continue
        yield from between.before(s)
        line = source.lines[source.at[s]]
        line = _rewrite(line, row, changed[i]) if touched[i] else line
        yield line if i == last and source.at[s] == len(source.lines) - 1 else _ended(line, source.end)
    yield from between.rest()


class _Between:
    """Hands out the lines that are no nodes, each once, before the node line they stand before."""

    def __init__(self, source: _SourceLines, n_head: int) -> None:
        self._source = source
        node_lines = set(source.at)
        self._waiting: dict[int, list[bytes]] = {}
        pending: list[bytes] = []
        row_at = {line: row for row, line in enumerate(source.at)}
        for k in range(n_head, len(source.lines)):
            if k in node_lines:
                if pending:
                    self._waiting[row_at[k]] = pending
                    pending = []
            else:
                pending.append(source.lines[k])
        self._tail = pending
        self._rows = sorted(self._waiting)
        self._next = 0

    def before(self, row: int) -> Iterator[bytes]:
        """Lines that stand before this row and before the rows above it that are gone or come later."""
        while self._next < len(self._rows) and self._rows[self._next] <= row:
            yield from (_ended(line, self._source.end) for line in self._waiting[self._rows[self._next]])
            self._next += 1

    def rest(self) -> Iterator[bytes]:
        """What stood after the last node."""
        for row in self._rows[self._next :]:
            yield from (_ended(line, self._source.end) for line in self._waiting[row])
        yield from self._tail


def _rewrite(line: bytes, row: tuple[float, ...], changed: NDArray[np.bool_]) -> bytes:
    """Put new values in the changed columns of a line and leave all other bytes of it alone."""
    pieces, at = [], 0
    for field, value, is_new in zip(FIELD.finditer(line), row, changed.tolist(), strict=False):
        if is_new:
            pieces += [line[at : field.start()], _format(value)]
            at = field.end()
    return b"".join([*pieces, line[at:]])


def _ended(line: bytes, end: bytes) -> bytes:
    return line if line.endswith((b"\n", b"\r")) else line + end


def _leading_comment_count(lines: list[bytes]) -> int:
    """Lines up to the last comment before the first line that is neither comment nor blank."""
    count = 0
    for k, line in enumerate(lines):
        text = line.strip()
        if text.startswith(b"#"):
            count = k + 1
        elif text:
            break
    return count


def _leading_comments(body: bytes) -> set[bytes]:
    lines = body.removeprefix(BOM).splitlines()
    return {line.strip() for line in lines[: _leading_comment_count(lines)]}
