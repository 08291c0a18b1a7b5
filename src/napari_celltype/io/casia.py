"""Read the bracketed format in which the CASIA group publishes its neurons (files also named ``.swc``).

A line is ``id [x, y, z] type parent width branch_level path_length degree``; a comment before them names the columns
in a list, so another order of the columns is understood too. Ids count from 0. ``width`` is the radius: a soma of
width 7.64 has its two border nodes 7.63 from the centre. Only forks and tips are given, and tips have width 0.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Defect, Neuron

from .swc import find_parent_rows
from .swc_defects import Nodes, find_node_defects, make, sort

__all__ = ["is_bracketed", "parse_bracketed"]

_FIRST_NODE = re.compile(rb"^[ \t]*-?\d+[ \t]*[ \t,][ \t]*\[[^\]\n]*,[^\]\n]*\]", re.MULTILINE)
_COLUMNS = re.compile(r"\[\s*'id'[^\]]*\]")
_WORD = re.compile(r"\[[^\]]*\]|[^\s\[\],]+")
_DEFAULT = ("id", "P", "type", "parent", "width")


def is_bracketed(head: bytes) -> bool:
    """Whether a file starts with nodes whose position stands in brackets."""
    return _FIRST_NODE.search(head) is not None


def parse_bracketed(data: bytes, *, path: Path | None = None, name: str = "") -> Neuron:
    """Make a neuron of a bracketed file; lines that cannot be read become defects.

    Raises
    ------
    NeuronError
        If no line can be read as a node.
    """
    columns: tuple[str, ...] = _DEFAULT
    rows, lines, defects = [], [], []
    for number, text in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
        if text.lstrip("\ufeff \t").startswith("#"):
            columns = _named_columns(text) or columns
        elif text.strip():
            row = _read_line(text, columns)
            if row is None:
                defects.append(_unreadable(number))
            else:
                rows.append(row)
                lines.append(number)
    if not rows:
        raise NeuronError(
            "no line can be read as a node", path=path, hint="A line should be: id [x, y, z] type parent width."
        )
    return _assemble(np.array(rows), np.array(lines), defects, path=path, name=name)


def _named_columns(comment: str) -> tuple[str, ...] | None:
    found = _COLUMNS.search(comment)
    names = tuple(re.findall(r"'([^']*)'", found[0])) if found else ()
    return names if set(_DEFAULT) <= set(names) else None


def _read_line(text: str, columns: tuple[str, ...]) -> list[float] | None:
    words = dict(zip(columns, _WORD.findall(text), strict=False))
    if not set(_DEFAULT) <= set(words):
        return None
    try:
        xyz = [float(part) for part in words["P"].strip("[]").replace(",", " ").split()]
        whole = [int(words[column]) for column in ("id", "type", "parent")]
        width = float(words["width"])
    except ValueError:
        return None
    return [*whole, *xyz, width] if len(xyz) == 3 else None


def _unreadable(line: int) -> Defect:
    text = f"Line {line} is not of the form: id [x, y, z] type parent width. It is not shown."
    return make("short-line", text, line=line)


def _assemble(
    table: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    lines: np.ndarray[tuple[int], np.dtype[np.int64]],
    defects: list[Defect],
    *,
    path: Path | None,
    name: str,
) -> Neuron:
    ids, types, parent_ids = table[:, :3].astype(np.int64).T
    parents = find_parent_rows(ids, parent_ids)
    neuron = Neuron(ids, types, table[:, 3:6], table[:, 6], parents, path=path, name=name)
    nodes = Nodes(
        neuron.ids, neuron.types, neuron.xyz_um, neuron.radii_um, parent_ids, neuron.parents, lines
    )  # fmt: skip
    note = make("bracketed", "The file is in the bracketed format of the CASIA data; it is saved as ordinary SWC.")
    neuron.defects.extend(sort([note, *defects, *find_node_defects(nodes)]))
    return neuron
