"""Open any reconstruction: find out what it is from its content and hand it to the module that reads it."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Defect, Neuron

from .casia import is_bracketed, parse_bracketed
from .navis_bridge import find_other_format, read_other
from .paths import require_file
from .registry import FORMATS
from .swc import parse_swc
from .swc_defects import make, sort

__all__ = ["is_neuron_file", "read_neuron"]

MAX_UNPACKED = 1 << 30
"""Bytes a compressed file may unpack to."""

_GZIP = b"\x1f\x8b"
_HEAD = 4096
_CHUNK = 1 << 20
_SWC_SUFFIXES = (".swc", ".eswc", ".swc.gz", ".eswc.gz")


def read_neuron(path: str | os.PathLike[str]) -> Neuron:
    """Open a reconstruction and list everything unusual in it.

    Parameters
    ----------
    path
        An SWC file, also compressed or in the bracketed CASIA format, or a NeuroML-like NMX, JSON or
        precomputed skeleton. The content decides, not the suffix.

    Returns
    -------
    Neuron
        With every node that could be read; ``neuron.defects`` tells what is odd, worst first.

    Raises
    ------
    NeuronError
        If no node can be read: with the path, the reason and what to do next.
    """
    path = require_file(path, NeuronError, what="reconstruction")
    raw = _read_bytes(path)
    if kind := find_other_format(path, raw[:_HEAD]):
        return read_other(path, kind)
    body, notes = _unpack(raw, path) if raw.startswith(_GZIP) else (raw, [])
    name = _plain_name(path)
    if is_bracketed(body[:_HEAD]):
        neuron = parse_bracketed(body, path=path, name=name)
        return neuron.replace(defects=sort([*neuron.defects, *notes]))
    _refuse_others(body[:_HEAD], path)
    return parse_swc(raw, path=path, name=name, body=body, notes=notes)


def is_neuron_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like a reconstruction, from its first bytes; costs milliseconds and raises nothing."""
    path = Path(path)
    if path.name.lower().endswith(_SWC_SUFFIXES):
        return path.is_file()
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return is_bracketed(head) or _starts_with_nodes(head) or _is_other_neuron(path, head)


def _starts_with_nodes(head: bytes) -> bool:
    lines = [line.split() for line in head.splitlines()[:-1] or [head] if line.strip() and not line.startswith(b"#")]
    try:
        return bool(lines) and all(len([float(word) for word in line[:7]]) == 7 for line in lines)
    except ValueError:
        return False


def _is_other_neuron(path: Path, head: bytes) -> bool:
    """Whether it is another neuron format and not, say, any other JSON file."""
    kind = find_other_format(path, head)
    return kind is not None and (kind != "JSON" or b"node_id" in head)


def _refuse_others(head: bytes, path: Path) -> None:
    """Refuse a recording, and a file of whose first bytes many are no text. A few zero bytes are damage."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    if recording := next((known for known in FORMATS if known.claims(path, head)), None):
        hint = "Open it with read_recording."
        raise NeuronError(f"is a recording ({recording.name}), not a reconstruction", path=path, hint=hint)
    odd = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if odd > len(head) // 10:
        hint = "Choose an SWC file or another neuron format."
        raise NeuronError("is a binary file, not a reconstruction", path=path, hint=hint)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not head.startswith(_GZIP) and find_other_format(path, head) is None:
                _refuse_others(head, path)  # before a recording of gigabytes is read
            return head + file.read()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise NeuronError(reason, path=path, hint="Check that the file exists and that you may read it.") from error


def _unpack(raw: bytes, path: Path) -> tuple[bytes, list[Defect]]:
    """Content of a gzip file, at most :data:`MAX_UNPACKED` bytes, as far as it is intact."""
    notes = [make("gzip", "The file is compressed (gzip); it is compressed again if saved with a name in .gz.")]
    body, rest = bytearray(), raw
    try:
        while rest.startswith(_GZIP):  # a file may be several compressed pieces on end
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while rest and not unpacker.eof and len(body) <= MAX_UNPACKED:
                body += unpacker.decompress(rest, _CHUNK)
                rest = unpacker.unconsumed_tail
            if not unpacker.eof:
                break
            rest = unpacker.unused_data
        damage = "" if unpacker.eof else "they break off"
    except zlib.error as error:
        damage = str(error).rpartition(": ")[2]
    if len(body) > MAX_UNPACKED:
        raise NeuronError("unpacks to more than 1 GB, which is no reconstruction", path=path)
    if damage and not body:
        raise NeuronError(f"is compressed, and the data are damaged ({damage})", path=path, hint="Copy the file again.")
    if damage:
        text = f"The compressed data are damaged ({damage}); what could be unpacked is read."
        notes.append(make("damaged-gzip", text))
    return bytes(body), notes


def _plain_name(path: Path) -> str:
    lower = path.name.lower()
    suffix = next((s for s in sorted(_SWC_SUFFIXES, key=len, reverse=True) if lower.endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)] or path.name
