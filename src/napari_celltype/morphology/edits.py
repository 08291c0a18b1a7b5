"""Edits as values: propose, apply, invert, save as JSON, replay.

An :class:`Edit` says what was asked for, by name and parameters; applying it gives the new neuron and an exact
:class:`Change` to undo it with. A :class:`Record` holds the edits made to one file. It is saved as JSON, and as
comments in the repaired SWC file itself, and can be replayed on the original.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import groupby
from typing import Any

import numpy as np

from napari_celltype import __version__
from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .changes import Change, difference
from .move_runs import run_moves
from .zjumps import ZJump

__all__ = [
    "AppliedEdit",
    "Edit",
    "Record",
    "apply_edit",
    "apply_edits",
    "propose_repair",
    "record_from_comments",
    "replay",
    "source_hash",
]

SCHEMA = "napari-celltype/edits"
SCHEMA_VERSION = 1
_COMMENT_TAG = "napari-celltype-edits "

_KINDS = {
    "repair_z_jumps": ".edits:_repair",
    "zcorr": ".repair:zcorr",
    "move_node": ".hand_edits:move_node",
    "move_nodes": ".hand_edits:move_nodes",
    "move_subtree": ".hand_edits:move_subtree",
    "add_node": ".hand_edits:add_node",
    "delete_node": ".hand_edits:delete_node",
    "delete_subtree": ".hand_edits:delete_subtree",
    "reparent": ".hand_edits:reparent",
    "detach": ".hand_edits:detach",
    "insert_node": ".hand_edits:insert_node",
    "set_type": ".hand_edits:set_type",
    "set_radius": ".hand_edits:set_radius",
    "resample": ".resampling:resample",
    "smooth_z": ".smoothing:smooth_z",
    "align_diameters": ".smoothing:align_diameters",
    "remove_twigs": ".pruning:remove_twigs",
    "remove_type": ".pruning:remove_type",
    "reroot": ".reordering:reroot",
    "sort_nodes": ".reordering:sort_nodes",
    "renumber": ".reordering:renumber",
    "join_pieces": ".reordering:join_pieces",
}
"""The function behind each kind of edit: neuron and the edit's parameters to neuron."""


@dataclass(frozen=True)
class Edit:
    """One edit as it was asked for.

    Parameters
    ----------
    kind
        Name of the edit, such as ``move_node``.
    parameters
        What the function of that name takes besides the neuron; values JSON can hold.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise RepairError(f"there is no edit {self.kind!r}", hint=f"Use one of {', '.join(sorted(_KINDS))}.")
        object.__setattr__(self, "parameters", _as_json(dict(self.parameters)))

    @property
    def label(self) -> str:
        """The edit in a few words, for menus and records."""
        if self.kind == "repair_z_jumps":
            return "; ".join(_jump_label(jump) for jump in self.parameters["jumps"]) or "no z-jump"
        told = ", ".join(f"{name} {_short(value)}" for name, value in self.parameters.items())
        return f"{self.kind.replace('_', ' ')}: {told}" if told else self.kind.replace("_", " ")

    def to_json(self) -> dict[str, Any]:
        """Kind and parameters."""
        return {"kind": self.kind, "parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Edit:
        """The edit :meth:`to_json` told of; RepairError if it is none."""
        try:
            return cls(value["kind"], value["parameters"])
        except (KeyError, TypeError) as error:
            raise RepairError(f"this is no edit: {str(value)[:80]} ({error})") from None


@dataclass(frozen=True, eq=False)
class AppliedEdit:
    """An edit that was made: what was asked, and exactly what it changed."""

    edit: Edit
    change: Change

    def undo(self, neuron: Neuron) -> Neuron:
        """The neuron before the edit, bit for bit."""
        return self.change.inverse().apply(neuron)

    def redo(self, neuron: Neuron) -> Neuron:
        """The neuron after the edit, bit for bit."""
        return self.change.apply(neuron)


def propose_repair(jumps: Iterable[ZJump], mode: str | Mapping[int, str] = "align") -> Edit:
    """The edit that mends some z-jumps; see :func:`repair_z_jumps` for the modes."""
    return Edit(
        "repair_z_jumps",
        {
            "jumps": [
                {
                    "node_id": jump.node_id,
                    "dz_um": jump.dz_um,
                    "mode": mode if isinstance(mode, str) else mode.get(jump.node_id, "align"),
                }
                for jump in jumps
            ]
        },
    )


def apply_edit(neuron: Neuron, edit: Edit) -> tuple[Neuron, AppliedEdit]:
    """Make an edit; returns the new neuron and what is needed to undo it."""
    try:
        edited = _function(edit.kind)(neuron, **edit.parameters)
    except (TypeError, ValueError) as error:
        raise RepairError(f"the edit {edit.label!r} cannot be made: {error}", path=neuron.path) from error
    return edited, AppliedEdit(edit, difference(neuron, edited))


def apply_edits(neuron: Neuron, edits: Iterable[Edit]) -> tuple[Neuron, list[AppliedEdit]]:
    """Make edits one after another."""
    applied: list[AppliedEdit] = []
    for kind, group in groupby(edits, lambda edit: edit.kind):
        run = list(group)
        quick = run_moves(neuron, [edit.parameters for edit in run]) if kind == "move_nodes" and len(run) > 2 else None
        if quick is not None:
            neuron = quick[0]
            applied += [AppliedEdit(edit, change) for edit, change in zip(run, quick[1], strict=True)]
            continue
        for edit in run:
            neuron, done = apply_edit(neuron, edit)
            applied.append(done)
    return neuron, applied


@dataclass(frozen=True)
class Record:
    """The edits made to one file.

    Parameters
    ----------
    edits
        In the order they were made.
    source_name, source_sha256
        The file they were made to, and its hash.
    result_sha256
        Hash of the arrays they led to; empty if not known.
    tool
        Program and version that made them.
    """

    edits: tuple[Edit, ...]
    source_name: str
    source_sha256: str
    result_sha256: str = ""
    tool: str = f"napari-celltype {__version__}"

    @classmethod
    def of(cls, source: Neuron, edits: Iterable[Edit], result: Neuron | None = None) -> Record:
        """The record of edits made to a neuron as it was read."""
        name = source.path.name if source.path else source.name
        return cls(tuple(edits), name, source_hash(source), "" if result is None else _array_hash(result))

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self._document(), indent=1, allow_nan=False) + "\n"

    def _document(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "tool": self.tool,
            "source": {"name": self.source_name, "sha256": self.source_sha256},
            "edits": [edit.to_json() for edit in self.edits],
            "result_sha256": self.result_sha256,
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Read :meth:`to_json`'s text; RepairError if it is none, or of a later version."""
        try:
            document = json.loads(text)
            if document["schema"] != SCHEMA:
                raise KeyError("schema")
            if document["version"] > SCHEMA_VERSION:
                raise RepairError(
                    f"the record of edits is of version {document['version']}, this program knows {SCHEMA_VERSION}",
                    hint="Install a newer napari-celltype.",
                )
            source = document["source"]
            edits = tuple(Edit.from_json(edit) for edit in document["edits"])
            return cls(edits, source["name"], source["sha256"], document["result_sha256"], document["tool"])
        except (ValueError, KeyError, TypeError) as error:
            raise RepairError(f"this is no record of edits ({error})") from None

    def comments(self) -> list[str]:
        """Comment lines for the edited SWC file: one a person reads for each edit, and one a program reads."""
        told = [f"edit {number}: {line}" for number, edit in enumerate(self.edits, 1) for line in _lines(edit)]
        head = f"edited with {self.tool} from {self.source_name or 'unnamed'}, sha256 {self.source_sha256}"
        return [head, *told, _COMMENT_TAG + json.dumps(self._document(), separators=(",", ":"), allow_nan=False)]


def record_from_comments(lines: Iterable[str]) -> Record | None:
    """The newest record in the comments of an SWC file, or None."""
    found = [line.partition(_COMMENT_TAG)[2] for line in lines if line.lstrip("# ").startswith(_COMMENT_TAG)]
    return Record.from_json(found[-1]) if found else None


def replay(neuron: Neuron, record: Record) -> tuple[Neuron, list[AppliedEdit]]:
    """Make the edits of a record again on the file they were made to.

    Raises
    ------
    RepairError
        If the neuron is not that file (its hash differs), or the result is not the one recorded.
    """
    if source_hash(neuron) != record.source_sha256:
        raise RepairError(
            f"the edits were made to another file, {record.source_name or 'unnamed'}",
            path=neuron.path,
            hint=f"Open the file with SHA-256 {record.source_sha256[:12]}...",
        )
    edited, applied = apply_edits(neuron, record.edits)
    if record.result_sha256 and _array_hash(edited) != record.result_sha256:
        raise RepairError(
            f"replaying the edits of {record.tool} does not give the neuron recorded",
            path=neuron.path,
            hint="Compare the two by eye before using either.",
        )
    return edited, applied


def source_hash(neuron: Neuron) -> str:
    """SHA-256 of the file a neuron was read from, or of its arrays if it was made otherwise."""
    return hashlib.sha256(neuron.text.raw).hexdigest() if neuron.text is not None else _array_hash(neuron)


def _array_hash(neuron: Neuron) -> str:
    digest = hashlib.sha256()
    for column in (neuron.ids, neuron.types, neuron.xyz_um, neuron.radii_um, neuron.parents):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _repair(neuron: Neuron, jumps: Sequence[Mapping[str, Any]]) -> Neuron:
    from .repair import repair_z_jumps

    modes = {int(jump["node_id"]): str(jump["mode"]) for jump in jumps}
    return repair_z_jumps(neuron, list(modes), modes)


def _function(kind: str) -> Callable[..., Neuron]:
    module, _, name = _KINDS[kind].partition(":")
    function: Callable[..., Neuron] = getattr(import_module(module, __package__), name)
    return function


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    """The same values as plain JSON types, so that an edit and its saved copy are equal."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(value, default=_plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RepairError(f"an edit's parameters must be finite numbers, text or lists of them ({error})") from None
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be saved")


def _lines(edit: Edit) -> list[str]:
    if edit.kind == "repair_z_jumps":
        return [_jump_label(jump) for jump in edit.parameters["jumps"]]
    return [edit.label]


def _jump_label(jump: Mapping[str, Any]) -> str:
    return f"{jump['mode']} z-jump at node {jump['node_id']}, dz {jump['dz_um']:g} um"


def _short(value: Any) -> str:
    text = ", ".join(map(_short, value[:6])) if isinstance(value, list) else str(value)
    return f"{text}, ... ({len(value)})" if isinstance(value, list) and len(value) > 6 else text
