"""``manifest.json``: what a folder of downloads holds, and which of its files are ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from napari_celltype.io.atomic import write_atomically

from .web import DownloadError

__all__ = ["Manifest", "digest_file"]

_MAKER = "napari-celltype download"
_CHUNK = 1 << 20


class Manifest:
    """The record of one folder; every change is on the disk at once.

    Raises
    ------
    DownloadError
        If there is a ``manifest.json`` that this program has not written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "manifest.json"
        self._files: dict[str, dict[str, Any]] = self._load()

    def _load(self) -> dict[str, dict[str, Any]]:
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("made_by") != _MAKER or not isinstance(found.get("files"), dict):
            raise DownloadError("was not written by this program", path=self.path, hint="Choose another folder.")
        return dict(found["files"])

    def entry(self, name: str) -> dict[str, Any]:
        """What is known of a file; empty for one that is not ours."""
        return dict(self._files.get(name, {}))

    def record(self, name: str, **facts: Any) -> None:
        """Remember facts of a file in place of those known before."""
        self._files[name] = facts
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"made_by": _MAKER, "files": self._files}, indent=1, sort_keys=True)
        write_atomically(self.path, content.encode(), overwrite=True)


def digest_file(path: Path, kind: str = "sha256") -> str:
    """Checksum of a file, in hexadecimal digits."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
