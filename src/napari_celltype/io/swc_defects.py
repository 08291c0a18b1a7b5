"""Every defect an SWC file can have: the catalogue, and the checks on the nodes.

Each check looks at the whole neuron at once and costs about nothing on a clean one. What is wrong with the text
rather than with the nodes is found in :mod:`napari_celltype.io.swc_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from napari_celltype import tree
from napari_celltype.neuron import Defect, Neuron, Severity

__all__ = ["CATALOGUE", "DefectKind", "Nodes", "catalogue_table", "find_defects", "find_node_defects", "make", "sort"]


@dataclass(frozen=True)
class DefectKind:
    """A kind of defect: what it is, and what is done with it."""

    code: str
    severity: Severity
    meaning: str
    handling: str


_LEFT_OUT = "The line is left out of the neuron and listed; saving keeps the line."
_SHOWN = "Shown as it is."

CATALOGUE: dict[str, DefectKind] = {
    kind.code: kind
    for kind in (
        DefectKind("cycle", "error", "Nodes are their own ancestors.", "All nodes are shown. Saving, measuring and "
                   "classifying wait until one link of the cycle is cut."),
        DefectKind("self-parent", "error", "A node is its own parent.", "As for a cycle."),
        DefectKind("nan", "error", "A position or radius is not a number.", "The node is kept with NaN and not drawn."),
        DefectKind("inf", "error", "A position or radius is infinite.", "The node is kept and not drawn."),
        DefectKind("decimal-comma", "warning", "A number is written with a comma (12,5).", _LEFT_OUT),
        DefectKind("text-token", "warning", "A word stands where a number belongs.", _LEFT_OUT),
        DefectKind("fractional-id", "warning", "An id, type or parent is not a whole number.", _LEFT_OUT),
        DefectKind("short-line", "warning", "A line has fewer than seven columns.", _LEFT_OUT),
        DefectKind("truncated-last-line", "warning", "The file stops in the middle of a line.", _LEFT_OUT),
        DefectKind("damaged-gzip", "warning", "The compressed data break off or are damaged.", "What can be unpacked "
                   "is read."),
        DefectKind("control-bytes", "warning", "The file holds bytes that are no text, as after a crash.", "They are "
                   "read as blanks."),
        DefectKind("missing-parent", "warning", "A parent is not in the file.", "The node is an extra root; saving "
                   "keeps the parent's number."),
        DefectKind("duplicate-id", "warning", "Several nodes have one id.", "All are kept; children belong to the "
                   "first."),
        DefectKind("negative-id", "warning", "An id is negative.", "Kept; as a parent it can only mean a root."),
        DefectKind("several-neurons", "warning", "The file holds several neurons.", "The first is shown."),
        DefectKind("comma-separated", "warning", "Columns are separated by commas.", "Read as columns."),
        DefectKind("several-somata", "warning", "There are several separate somata.", _SHOWN),
        DefectKind("soma-under-neurite", "warning", "A soma node hangs on a neurite.", _SHOWN),
        DefectKind("negative-radius", "warning", "A radius is negative.", _SHOWN),
        DefectKind("several-roots", "note", "There are several separate trees.", _SHOWN),
        DefectKind("no-soma", "note", "No node has type 1.", _SHOWN),
        DefectKind("root-sign", "note", "A root has a parent below -1.", "Read as a root."),
        DefectKind("unknown-type", "note", "A type outside 0 to 7.", "Kept; shown as unknown."),
        DefectKind("zero-radius", "note", "A radius is 0.", _SHOWN),
        DefectKind("zero-length-segment", "note", "A node lies exactly on its parent.", _SHOWN),
        DefectKind("duplicate-point", "note", "Unconnected nodes lie on one point.", _SHOWN),
        DefectKind("child-before-parent", "note", "A node is listed before its parent.", "Order is kept."),
        DefectKind("float-ids", "note", "Ids, types or parents are written like 1.0.", "Read as whole numbers."),
        DefectKind("extra-columns", "note", "Lines have more than seven columns.", "Ignored, and kept on saving."),
        DefectKind("tab-separated", "note", "Columns are separated by tabs.", "Kept on saving."),
        DefectKind("bracketed", "note", "The bracketed format of the CASIA data.", "Read; saved as ordinary SWC."),
        DefectKind("other-format", "note", "Not SWC but another neuron format.", "Read; saved as SWC."),
        DefectKind("no-unit", "note", "No unit of length is given.", "Micrometres are assumed, nanometres for "
                   "precomputed skeletons."),
        DefectKind("gzip", "note", "The file is compressed.", "Unpacked; compressed again if saved as .gz."),
        DefectKind("utf-16", "note", "The text is UTF-16.", "Read; saved as UTF-8 once edited."),
        DefectKind("bom", "note", "A byte-order mark stands before the text.", "Kept on saving."),
        DefectKind("crlf", "note", "Windows line ends.", "Kept on saving."),
        DefectKind("cr", "note", "Line ends of the classic Mac OS.", "Kept on saving."),
        DefectKind("non-utf-8", "note", "Some bytes are not UTF-8 text.", "Kept on saving."),
    )
}  # fmt: skip
"""Kinds of defect by code, worst first."""

EACH = 50
"""Defects of one kind listed singly before the rest is put into one."""

_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_PLACE = {code: place for place, code in enumerate(CATALOGUE)}


def make(code: str, message: str, *, line: int | None = None, node_ids: Iterable[int] = ()) -> Defect:
    """Make a defect of a kind in the catalogue."""
    return Defect(code, line, tuple(int(i) for i in node_ids), message, CATALOGUE[code].severity)


def sort(defects: Iterable[Defect]) -> list[Defect]:
    """Put the worst first, then by kind and line; of a kind with very many, gather the last ones into one."""
    ordered = sorted(defects, key=lambda d: (_SEVERITIES.index(d.severity), _PLACE[d.code], d.line or 0))
    shortened: list[Defect] = []
    for code, group in groupby(ordered, key=attrgetter("code")):
        same = list(group)
        shortened += same[:EACH]
        if rest := same[EACH:]:
            ids = [i for d in rest for i in d.node_ids]
            text = f"{len(rest)} more of the same kind. {CATALOGUE[code].meaning}"
            shortened.append(make(code, text, line=rest[0].line, node_ids=ids))
    return shortened


def catalogue_table() -> str:
    """The catalogue as a Markdown table, for the documentation."""
    rows = [f"| `{k.code}` | {k.severity} | {k.meaning} | {k.handling} |" for k in CATALOGUE.values()]
    return "\n".join(["| code | severity | what it is | what is done |", "|---|---|---|---|", *rows])


@dataclass(frozen=True, eq=False)
class Nodes:
    """What the checks look at. ``lines`` is None for a neuron that is not from an SWC file.

    ``unread`` tells the line of each id that stands on a line which could not be read.
    """

    ids: tree.IntArray
    types: tree.IntArray
    xyz_um: NDArray[np.float64]
    radii_um: NDArray[np.float64]
    parent_ids: tree.IntArray
    parents: tree.IntArray
    lines: tree.IntArray | None = None
    unread: dict[int, int] | None = None

    def line(self, row: int) -> int | None:
        """Line of a row."""
        return None if self.lines is None else int(self.lines[row])

    def one(self, code: str, row: int, message: str) -> Defect:
        """Defect of a single node."""
        return make(code, message, line=self.line(row), node_ids=[self.ids[row]])

    def group(self, code: str, rows: NDArray[np.int64], message: str) -> list[Defect]:
        """One defect for several nodes, none for no node; its line is the first one's."""
        if not len(rows):
            return []
        return [make(code, message, line=self.line(int(rows[0])), node_ids=self.ids[rows].tolist())]

    def name(self, rows: NDArray[np.int64]) -> str:
        """Describe nodes in a sentence: ``Node 5``, ``Nodes 5 and 7``, ``12 nodes (5, 7, 9, ...)``."""
        ids = [str(i) for i in self.ids[rows[:4]].tolist()]
        if len(rows) > 3:
            return f"{len(rows)} nodes ({', '.join(ids[:3])}, ...)"
        return f"Node {ids[0]}" if len(rows) == 1 else f"Nodes {', '.join(ids[:-1])} and {ids[-1]}"


def find_defects(neuron: Neuron) -> list[Defect]:
    """Check the nodes of a neuron as it is now, worst first; what is wrong with its file's text is not repeated."""
    nodes = Nodes(
        neuron.ids, neuron.types, neuron.xyz_um, neuron.radii_um, neuron.parent_ids, neuron.parents
    )  # fmt: skip
    return sort(find_node_defects(nodes))


def find_node_defects(nodes: Nodes) -> list[Defect]:
    """Run every check on the nodes."""
    return [defect for check in _CHECKS for defect in check(nodes)]


def _check_cycles(nodes: Nodes) -> list[Defect]:
    parents = nodes.parents
    if bool((parents < np.arange(len(parents))).all()):
        return []
    looped = np.flatnonzero(tree.on_cycle(parents))
    found, seen = [], set[int]()
    for start in looped.tolist():
        if start in seen:
            continue
        loop = [start]
        while (above := int(parents[loop[-1]])) != start:
            loop.append(above)
        seen.update(loop)
        found.append(_describe_cycle(nodes, np.array(loop)))
    return found


def _describe_cycle(nodes: Nodes, loop: NDArray[np.int64]) -> Defect:
    ids = nodes.ids[loop].tolist()
    if len(loop) == 1:
        return nodes.one("self-parent", int(loop[0]), f"Node {ids[0]} is its own parent. Give it another parent or -1.")
    path = " → ".join(str(i) for i in [*ids[:8], *(["..."] if len(ids) > 8 else []), ids[0]])
    text = f"Nodes are their own ancestors: {path}. Cut one of these links."
    return make("cycle", text, line=nodes.line(int(loop.min())), node_ids=ids)


def _check_finite(nodes: Nodes) -> list[Defect]:
    if bool(np.isfinite(nodes.xyz_um).all() and np.isfinite(nodes.radii_um).all()):
        return []
    values = np.column_stack([nodes.xyz_um, nodes.radii_um])
    found = []
    for code, bad, what in (("nan", np.isnan(values), "not a number"), ("inf", np.isinf(values), "infinite")):
        rows = np.flatnonzero(bad.any(axis=1))
        for row, flags in zip(rows.tolist(), bad[rows].tolist(), strict=True):
            names = [name for name, is_bad in zip(("x", "y", "z", "radius"), flags, strict=True) if is_bad]
            verb = "are" if len(names) > 1 else "is"
            found.append(nodes.one(code, row, f"Node {nodes.ids[row]}: {' and '.join(names)} {verb} {what}."))
    return found


def _check_parents(nodes: Nodes) -> list[Defect]:
    found = []
    for row in np.flatnonzero((nodes.parents < 0) & (nodes.parent_ids >= 0)).tolist():
        wanted = int(nodes.parent_ids[row])
        line = (nodes.unread or {}).get(wanted)
        why = "is not in the file" if line is None else f"stands on line {line}, which could not be read"
        text = f"Node {nodes.ids[row]}: its parent {wanted} {why}; it is shown as an extra root."
        found.append(nodes.one("missing-parent", row, text))
    odd = np.flatnonzero(nodes.parent_ids < -1)
    name = nodes.name(odd) if len(odd) else ""
    return found + nodes.group("root-sign", odd, f"{name}: a parent below -1 is read as a root.")


def _check_ids(nodes: Nodes) -> list[Defect]:
    found = []
    if bool((np.diff(nodes.ids) <= 0).any()):
        by_id = np.argsort(nodes.ids, kind="stable")
        repeats = np.flatnonzero(np.diff(nodes.ids[by_id]) == 0) + 1
        for same in np.split(by_id, np.flatnonzero(np.diff(nodes.ids[by_id])) + 1) if repeats.size else []:
            if len(same) > 1:
                found.append(_describe_duplicates(nodes, same))
    negative = np.flatnonzero(nodes.ids < 0)
    if negative.size:
        found += nodes.group("negative-id", negative, f"{nodes.name(negative)}: an id should be positive.")
    return found


def _describe_duplicates(nodes: Nodes, same: NDArray[np.int64]) -> Defect:
    where = "" if nodes.lines is None else f" (lines {', '.join(str(nodes.lines[r]) for r in same[:6])})"
    text = f"{len(same)} nodes have the id {nodes.ids[same[0]]}{where}. Children belong to the first of them."
    return make("duplicate-id", text, line=nodes.line(int(same[1])), node_ids=[nodes.ids[same[0]]])


def _check_somata(nodes: Nodes) -> list[Defect]:
    soma = np.flatnonzero(nodes.types == 1)
    if not soma.size:
        return [make("no-soma", "No node is marked as soma (type 1).")]
    above = nodes.parents[soma]
    top = soma[(above < 0) | (nodes.types[above] != 1)]
    below = top[nodes.parents[top] >= 0]
    found = []
    if len(top) > 1:
        found += nodes.group("several-somata", top, f"There are {len(top)} separate somata, at {_low(nodes, top)}.")
    if below.size:
        found += nodes.group("soma-under-neurite", below, f"{nodes.name(below)}: soma, but the parent is a neurite.")
    return found


def _check_roots(nodes: Nodes) -> list[Defect]:
    roots = np.flatnonzero((nodes.parents < 0) & (nodes.parent_ids < 0))
    if len(roots) < 2:
        return []
    text = f"There are {len(roots)} separate trees, with roots at {_low(nodes, roots)}."
    return nodes.group("several-roots", roots, text)


def _check_types(nodes: Nodes) -> list[Defect]:
    odd = np.flatnonzero((nodes.types < 0) | (nodes.types > 7))
    found = []
    for value in np.unique(nodes.types[odd]).tolist():
        rows = odd[nodes.types[odd] == value]
        found += nodes.group("unknown-type", rows, f"{nodes.name(rows)}: type {value} has no agreed meaning.")
    return found


def _check_radii(nodes: Nodes) -> list[Defect]:
    zero, negative = np.flatnonzero(nodes.radii_um == 0), np.flatnonzero(nodes.radii_um < 0)
    found = []
    if zero.size:
        found += nodes.group("zero-radius", zero, f"{nodes.name(zero)}: the radius is 0.")
    if negative.size:
        found += nodes.group("negative-radius", negative, f"{nodes.name(negative)}: the radius is negative.")
    return found


def _check_order(nodes: Nodes) -> list[Defect]:
    early = np.flatnonzero(nodes.parents > np.arange(len(nodes.parents)))
    if not early.size:
        return []
    return nodes.group("child-before-parent", early, f"{nodes.name(early)}: listed before the parent.")


def _check_points(nodes: Nodes) -> list[Defect]:
    x = nodes.xyz_um[:, 0]
    flat = np.flatnonzero((x.take(nodes.parents, mode="wrap") == x) & (nodes.parents >= 0))
    flat = flat[(nodes.xyz_um[flat] == nodes.xyz_um[nodes.parents[flat]]).all(axis=1)]
    found = []
    if flat.size:
        found += nodes.group("zero-length-segment", flat, f"{nodes.name(flat)}: exactly where the parent is.")
    twins = _repeated_points(nodes.xyz_um)
    if twins.size and (twins := np.setdiff1d(twins, flat)).size:
        found += nodes.group("duplicate-point", twins, f"{nodes.name(twins)}: exactly where another node is.")
    return found


def _repeated_points(xyz: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that lie where an earlier row lies; one sort of a hash tells that there are none, as is usual."""
    bits = (xyz + 0.0).view(np.uint64)  # + 0.0 makes -0 equal to 0
    key = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    key += bits[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
    key ^= key >> np.uint64(32)  # numbers with few decimals differ in the high bits only
    key += bits[:, 2] * np.uint64(0x27D4EB2F165667C5)
    ordered = np.sort(key)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not repeated.size:
        return np.empty(0, dtype=np.int64)
    rows = np.flatnonzero(np.isin(key, repeated) & ~np.isnan(xyz).any(axis=1))
    _, first, label = np.unique(xyz[rows] + 0.0, axis=0, return_index=True, return_inverse=True)
    return rows[first[label.reshape(-1)] != np.arange(len(rows))]


def _low(nodes: Nodes, rows: NDArray[np.int64]) -> str:
    name = nodes.name(rows)
    return name[0].lower() + name[1:]


_CHECKS: tuple[Callable[[Nodes], list[Defect]], ...] = (
    _check_cycles,
    _check_finite,
    _check_parents,
    _check_ids,
    _check_somata,
    _check_roots,
    _check_types,
    _check_radii,
    _check_order,
    _check_points,
)
