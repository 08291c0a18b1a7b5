"""The one module that knows navis: neurons of other formats in and out, and conversion to and from ``TreeNeuron``.

navis is licensed under the GPL, version 3. It is imported when a function here is called (2 s), and nowhere else.
SWC is read and written by our own modules, which keep the file's text.
"""

from __future__ import annotations

import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Defect, Neuron

from .swc import find_parent_rows
from .swc_defects import Nodes, find_node_defects, make, sort

if TYPE_CHECKING:
    from navis import TreeNeuron

__all__ = ["WRITABLE", "find_other_format", "from_treeneuron", "read_other", "to_treeneuron", "write_other"]

WRITABLE = (".json", ".precomputed")
"""Suffixes :func:`write_other` knows, besides SWC, which has a writer of its own."""

_PRECOMPUTED_SUFFIXES = ("", ".precomputed", ".skel", ".bin")


def to_treeneuron(neuron: Neuron) -> TreeNeuron:
    """Convert to a navis ``TreeNeuron`` in micrometres, with the same ids.

    Raises
    ------
    NeuronError
        If there is a cycle or an id that several nodes have: navis would silently make another tree of it.
    """
    import navis
    import pandas as pd

    neuron.require_no_cycle("handed to navis")
    if len(np.unique(neuron.ids)) < len(neuron):
        raise NeuronError("several nodes have the same id", path=neuron.path, hint="Give the nodes new ids first.")
    table = pd.DataFrame({"node_id": neuron.ids, "label": neuron.types})
    table[["x", "y", "z"]] = neuron.xyz_um
    table["radius"] = neuron.radii_um
    table["parent_id"] = neuron.parent_ids
    return navis.TreeNeuron(table, units="1 micrometer", name=neuron.name or "neuron", id=1)


def from_treeneuron(skeleton: TreeNeuron, *, path: Path | None = None, nanometres: bool = False) -> Neuron:
    """Convert a navis ``TreeNeuron``; lengths with a unit become micrometres, others are taken for micrometres.

    Parameters
    ----------
    skeleton
        The neuron. Labels that are numbers become structure types, others 0.
    path
        Where it was read from.
    nanometres
        Whether lengths without a unit are nanometres.
    """
    import pandas as pd

    nodes = skeleton.nodes
    scale, note = _micrometres_per_unit(skeleton, nanometres=nanometres)
    ids, parent_ids = (nodes[column].to_numpy().astype(np.int64) for column in ("node_id", "parent_id"))
    label = nodes["label"].astype(str) if "label" in nodes else pd.Series("0", nodes.index)
    types = pd.to_numeric(label, errors="coerce").fillna(0)
    radii = nodes["radius"].to_numpy(dtype=np.float64) if "radius" in nodes else np.zeros(len(nodes))
    neuron = Neuron(
        ids=ids,
        types=types.to_numpy().astype(np.int64),
        xyz_um=nodes[["x", "y", "z"]].to_numpy(dtype=np.float64) * scale,
        radii_um=radii * np.where(radii > 0, scale, 1.0),
        parents=find_parent_rows(ids, parent_ids),
        path=path,
        name=str(skeleton.name or (path.stem if path else "")),
    )
    found = find_node_defects(
        Nodes(neuron.ids, neuron.types, neuron.xyz_um, neuron.radii_um, parent_ids, neuron.parents)
    )
    neuron.defects.extend(sort([*note, *found]))
    return neuron


def find_other_format(path: Path, head: bytes) -> str | None:
    """Which format besides SWC a file's first bytes show, None if none; imports nothing and costs microseconds."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"{", b"[")):
        return "JSON"
    if text.startswith(b"<") and b"<things" in text:
        return "NML"
    if head.startswith(b"PK\x03\x04") and path.suffix.lower() in (".nmx", ".zip"):
        return "NMX"
    return "precomputed skeleton" if _looks_precomputed(path, head) else None


def read_other(path: str | os.PathLike[str], kind: str) -> Neuron:
    """Read a neuron in one of the formats that :func:`find_other_format` names.

    Raises
    ------
    NeuronError
        If it cannot be read.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # navis and its dependencies warn of their own matters
            skeletons, n_in_file = _READERS[kind](path)
    except NeuronError:
        raise
    except Exception as error:  # navis raises whatever its parsers raise
        reason = f"cannot be read as {kind} ({_first_line(error)})"
        raise NeuronError(reason, path=path, hint="Export it again, or as SWC.") from error
    if not skeletons or not len(skeletons[0].nodes):
        raise NeuronError(f"the {kind} file holds no neuron", path=path, hint="Choose another file.")
    neuron = from_treeneuron(skeletons[0], path=path, nanometres=kind == "precomputed skeleton")
    notes = [make("other-format", f"The file is not SWC but {kind}; it is saved as SWC.")]
    if n_in_file > 1:
        notes.append(make("several-neurons", f"The file holds {n_in_file} neurons; the first is shown."))
    neuron.defects[:] = sort([*neuron.defects, *notes])
    return neuron.replace(name=path.stem)


def write_other(neuron: Neuron, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Save a neuron in another format than SWC; the suffix, one of :data:`WRITABLE`, decides which.

    Raises
    ------
    NeuronError
        If the suffix is unknown, the neuron cannot be converted or the file exists.
    """
    import tempfile

    from .atomic import write_atomically

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        hint = f"Choose a name that ends in .swc, {' or '.join(WRITABLE)}."
        raise NeuronError(f"neurons are not written with the suffix {suffix!r}", path=path, hint=hint)
    skeleton = to_treeneuron(neuron)
    with tempfile.TemporaryDirectory() as folder:
        data = _encode(skeleton, Path(folder) / "neuron", suffix)
    try:
        return write_atomically(path, data, overwrite=overwrite)
    except FileExistsError as error:
        hint = "Choose another name, or ask for overwriting (overwrite=True)."
        raise NeuronError("exists already and was left as it is", path=path, hint=hint) from error
    except OSError as error:
        raise NeuronError(f"cannot be written ({error.strerror or error})", path=path) from error


def _encode(skeleton: TreeNeuron, scratch: Path, suffix: str) -> bytes:
    import navis

    if suffix == ".json":
        navis.write_json(skeleton, str(scratch))
    else:
        nanometres = skeleton * 1000  # what the format is understood to hold
        navis.write_precomputed(nanometres, str(scratch), write_info=False, radius=True)
    return scratch.read_bytes()


def _micrometres_per_unit(skeleton: TreeNeuron, *, nanometres: bool) -> tuple[float, list[Defect]]:
    units = skeleton.units
    if units is not None and not units.dimensionless:
        return float(np.mean(units.to("um").magnitude)), []
    unit = "nanometres, as is usual for this format" if nanometres else "micrometres"
    return (1e-3 if nanometres else 1.0), [make("no-unit", f"The file names no unit; lengths are taken for {unit}.")]


def _read_json(path: Path) -> tuple[list[Any], int]:
    import navis

    found = navis.read_json(str(path))
    return list(found), len(found)


def _read_nml(path: Path) -> tuple[list[Any], int]:
    import navis

    found = navis.read_nml(str(path), precision=64)
    return [found], max(1, path.read_bytes().count(b"<thing "))


def _read_nmx(path: Path) -> tuple[list[Any], int]:
    import navis

    if not zipfile.is_zipfile(path):
        raise NeuronError("is a damaged zip archive", path=path, hint="Copy the file again.")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".nml") and "skeleton" in name]
    if not names:
        raise NeuronError("is an archive without a skeleton (.nml) in it", path=path, hint="Choose an NMX file.")
    found = navis.read_nmx(str(path), precision=64)
    return [found], len(names)


def _read_precomputed(path: Path) -> tuple[list[Any], int]:
    """Read a skeleton; without an ``info`` file beside it, four more bytes a vertex are taken for the radius."""
    import navis

    info: bool | dict[str, Any] = (path.parent / "info").is_file()
    if not info:
        radius = {"id": "radius", "data_type": "float32", "num_components": 1}
        has_radius = _bytes_per_vertex(path) == 16
        info = {"@type": "neuroglancer_skeletons", "vertex_attributes": [radius] if has_radius else []}
    found = navis.read_precomputed(str(path), datatype="skeleton", info=info)
    return [found], 1


_READERS: dict[str, Callable[[Path], tuple[list[Any], int]]] = {
    "JSON": _read_json,
    "NML": _read_nml,
    "NMX": _read_nmx,
    "precomputed skeleton": _read_precomputed,
}


def _looks_precomputed(path: Path, head: bytes) -> bool:
    if path.suffix.lower() not in _PRECOMPUTED_SUFFIXES or len(head) < 20:
        return False
    return _bytes_per_vertex(path, head) is not None


def _bytes_per_vertex(path: Path, head: bytes | None = None) -> int | None:
    """Bytes of position and attributes a vertex, None if the counts at the start do not fit the file's size."""
    if head is None:
        with path.open("rb") as file:
            head = file.read(8)
    n_vertices, n_edges = struct.unpack("<II", head[:8])
    rest = path.stat().st_size - 8 - 8 * n_edges
    if not n_vertices or n_edges >= n_vertices or rest < 12 * n_vertices or rest % (4 * n_vertices):
        return None
    return rest // n_vertices


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
