"""Read SWC text: all plain lines at once, the odd ones singly, and every defect with its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Defect, Neuron, SwcText

from .numbers import cut_pieces, pad, scan_numbers
from .swc_defects import Nodes, find_node_defects, make, sort
from .swc_text import BOM, LineReading, blank_comments, decode, describe_text, read_odd_line, unify_lines

__all__ = ["find_parent_rows", "parse_swc"]


_BLANKS = bytes(range(33))
_WHOLE = (0, 1, 6)
"""Columns that hold whole numbers."""


class _Rows(NamedTuple):
    """Node rows: line (from 1), shape (n,); id, type, parent, shape (3, n); x, y, z, radius, shape (n, 4)."""

    lines: NDArray[np.int64]
    whole: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass
class _Findings:
    """What is noticed while lines are read."""

    defects: list[Defect] = field(default_factory=list)
    unread: dict[int, int] = field(default_factory=dict)
    extra: dict[int, int] = field(default_factory=dict)
    float_ids: list[int] = field(default_factory=list)
    commas: list[int] = field(default_factory=list)


def parse_swc(
    raw: bytes,
    *,
    path: Path | None = None,
    name: str = "",
    body: bytes | None = None,
    notes: list[Defect] | None = None,
) -> Neuron:
    """Make a neuron from the bytes of an SWC file.

    Parameters
    ----------
    raw
        The file as it is on the disk, kept so that it can be written back unchanged.
    path, name
        For the neuron, and for messages.
    body
        The text, where ``raw`` is compressed.
    notes
        Defects found already.

    Raises
    ------
    NeuronError
        If no line can be read as a node.
    """
    body, defects = decode(raw if body is None else body)
    defects += notes or []
    padded = pad(unify_lines(body))
    blank_comments(padded)
    findings = _Findings()
    rows = _read_lines(padded, findings, ends_open=not body.endswith((b"\n", b"\r")))
    if not len(rows.lines):
        _refuse(body, padded, findings, path)
    neuron = _assemble(rows, raw, body, path=path, name=name)
    defects += describe_text(body, padded) + findings.defects + _summarise(findings)
    defects += find_node_defects(_nodes(neuron, findings))
    neuron.defects.extend(sort(defects))
    return neuron


def find_parent_rows(ids: tree.IntArray, parent_ids: tree.IntArray) -> tree.IntArray:
    """Row of each parent id: the first row with that id, -1 for a negative id or one that is not there."""
    n = len(ids)
    low, high = int(ids.min(initial=0)), int(ids.max(initial=0))
    if high - low <= 4 * n + 1000:
        table = np.full(high - low + 2, -1, dtype=np.int64)  # the last entry stands for all ids out of range
        table[ids[::-1] - low] = np.arange(n)[::-1]
        known = (parent_ids >= max(low, 0)) & (parent_ids <= high)
        return table.take(np.where(known, parent_ids - low, -1))
    by_id = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[by_id], parent_ids), n - 1)
    rows = by_id[place]
    return np.where((ids[rows] == parent_ids) & (parent_ids >= 0), rows, -1)


def _read_lines(padded: bytearray, findings: _Findings, *, ends_open: bool) -> _Rows:
    pieces, line = [], 1
    for begin, end in cut_pieces(padded):
        piece, n_lines = _read_piece(padded, begin, end, line, findings, ends_open=ends_open and end == len(padded))
        pieces.append(piece)
        line += n_lines
    lines, whole, values = zip(*pieces, strict=True)
    return _Rows(np.concatenate(lines), np.concatenate(whole, axis=1), np.concatenate(values))


def _read_piece(
    padded: bytearray, begin: int, end: int, first_line: int, findings: _Findings, *, ends_open: bool
) -> tuple[_Rows, int]:
    """Read the lines between two offsets; the tokens are forgotten here, so that little memory is touched."""
    words = scan_numbers(padded, begin, end)
    line_ends = np.flatnonzero(np.frombuffer(padded, dtype=np.uint8)[begin:end] == 10) + begin
    n_lines = len(line_ends)
    last_words = np.searchsorted(words.starts, line_ends)
    counts = np.diff(last_words, prepend=0)
    enough = np.flatnonzero(counts >= 7)
    if len(enough) * 7 == len(words.starts):
        table: slice | NDArray[np.int64] = slice(None)
    else:
        table = (last_words[enough] - counts[enough])[:, None] + np.arange(7)
    good = words.plain[table].reshape(-1, 7).all(axis=1)
    good &= ~words.pointed[table].reshape(-1, 7)[:, _WHOLE].any(axis=1)
    read = slice(None) if good.all() else good
    whole = words.whole[table].reshape(-1, 7)[read]
    rows = _Rows(
        enough[read] + first_line,
        np.stack([whole[:, column] for column in _WHOLE]),
        words.values[table].reshape(-1, 7)[read, 2:6],
    )
    if len(rows.lines) == n_lines == len(words.starts) // 7:
        return rows, n_lines
    for k in enough[counts[enough] > 7].tolist():
        findings.extra[first_line + k] = int(counts[k])
    odd = counts > 0
    odd[enough[good]] = False
    readings: dict[int, LineReading] = {}
    for k in np.flatnonzero(odd).tolist():
        text = bytes(padded[line_ends[k - 1] + 1 if k else begin : line_ends[k]])
        cut_off = ends_open and k == n_lines - 1
        readings[first_line + k] = read_odd_line(text, first_line + k, cut_off=cut_off)
    return _merge(rows, readings, findings), n_lines


def _merge(rows: _Rows, readings: dict[int, LineReading], findings: _Findings) -> _Rows:
    """Add the odd lines that are nodes after all, and note the others."""
    added = {}
    for line, reading in readings.items():
        if reading.defect is not None:
            findings.defects.append(reading.defect)
            findings.extra.pop(line, None)
            if reading.claimed_id is not None:
                findings.unread.setdefault(reading.claimed_id, line)
            continue
        added[line] = reading
        if reading.comma_separated:
            findings.commas.append(line)
        if reading.float_ids:
            findings.float_ids.append(line)
    if not added:
        return rows
    lines = np.concatenate([rows.lines, np.array(list(added), dtype=np.int64)])
    whole = np.concatenate([rows.whole, np.array([r.whole for r in added.values()], dtype=np.int64).T], axis=1)
    values = np.concatenate([rows.values, np.array([r.values for r in added.values()], dtype=np.float64)])
    order = np.argsort(lines, kind="stable")
    return _Rows(lines[order], whole[:, order], values[order])


def _assemble(rows: _Rows, raw: bytes, body: bytes, *, path: Path | None, name: str) -> Neuron:
    ids, types, parent_ids = rows.whole
    xyz = np.ascontiguousarray(rows.values[:, :3])
    radii = np.ascontiguousarray(rows.values[:, 3])
    parents = find_parent_rows(ids, parent_ids)
    for array in (ids, types, parent_ids, xyz, radii, parents, rows.lines):
        array.flags.writeable = False  # so that the neuron need not copy them
    text = SwcText(raw, body, rows.lines, ids, types, xyz, radii, parent_ids, parents)
    return Neuron(
        ids, types, xyz, radii, parents, path=path, name=name, text=text, source_rows=np.arange(len(ids))
    )  # fmt: skip


def _nodes(neuron: Neuron, findings: _Findings) -> Nodes:
    assert neuron.text is not None
    return Nodes(
        neuron.ids,
        neuron.types,
        neuron.xyz_um,
        neuron.radii_um,
        neuron.text.parent_ids,
        neuron.parents,
        neuron.text.line_of_row,
        findings.unread,
    )


def _summarise(findings: _Findings) -> list[Defect]:
    found = []
    for code, lines, what in (
        ("comma-separated", findings.commas, "columns are separated by commas or semicolons"),
        ("float-ids", findings.float_ids, "the id, type or parent is written with a decimal point"),
    ):
        if lines:
            found.append(make(code, f"{_lines(lines)}: {what}.", line=lines[0]))
    if findings.extra:
        lines = sorted(findings.extra)
        most = max(findings.extra.values())
        text = f"{_lines(lines)}: up to {most} columns instead of 7. Those after the seventh are ignored, and kept."
        found.append(make("extra-columns", text, line=lines[0]))
    return found


def _lines(lines: list[int]) -> str:
    return f"Line {lines[0]}" if len(lines) == 1 else f"{len(lines)} lines, the first of them {lines[0]}"


def _refuse(body: bytes, padded: bytearray, findings: _Findings, path: Path | None) -> None:
    """Say why there is no node at all."""
    if not body.removeprefix(BOM).strip(_BLANKS):
        raise NeuronError("the file is empty", path=path, hint="Choose another file, or export it again.")
    if not padded.strip(_BLANKS):
        raise NeuronError(
            "the file holds only comments, no node", path=path, hint="Choose another file, or export it again."
        )
    first = min(findings.defects, key=lambda d: d.line or 0)
    more = len(findings.defects) - 1
    reason = f"no line can be read as a node. {first.message.removesuffix(' The line is not shown.')}"
    hint = "A node line holds seven numbers: id type x y z radius parent."
    others = f" {more} other line{'s' if more > 1 else ''} cannot be read either." if more else ""
    raise NeuronError(reason + others, path=path, hint=hint)
