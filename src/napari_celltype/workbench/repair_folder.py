"""Repairing a folder of reconstructions: which files are done, which is next. Kept from one run to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from napari_celltype.errors import CelltypeError, NeuronError
from napari_celltype.io import read_neuron
from napari_celltype.io.atomic import write_atomically
from napari_celltype.morphology.zjumps import measure_z_steps

from .journal import state_folder

__all__ = ["FileCount", "FileEntry", "RepairFolder", "count_jumps", "list_reconstructions"]

FileState = Literal["new", "seen", "saved", "failed"]
_SUFFIXES = (".swc", ".eswc", ".swc.gz", ".eswc.gz")


@dataclass(frozen=True)
class FileEntry:
    """How far one file has got: not opened, looked at (nothing to save), saved, or not readable."""

    state: FileState = "new"
    saved_as: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FileCount:
    """What a look through the folder found in one file; ``reason`` if it cannot be read."""

    name: str
    n_jumps: int = 0
    reason: str = ""


def list_reconstructions(folder: Path) -> list[Path]:
    """Reconstructions of a folder by name, without those that repairs have made."""
    try:
        names = sorted(path for path in folder.iterdir() if path.name.lower().endswith(_SUFFIXES))
    except OSError as error:
        raise NeuronError(f"cannot be listed ({error.strerror or error})", path=folder) from error
    return [path for path in names if ".repaired." not in path.name and path.is_file()]


class RepairFolder:
    """The files of a folder and how far each has got.

    Parameters
    ----------
    folder
        Where the reconstructions are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.files = list_reconstructions(self.folder)
        self.counts: dict[str, FileCount] = {}
        self._entries = self._read()

    def entry(self, path: Path) -> FileEntry:
        """How far a file has got."""
        return self._entries.get(path.name, FileEntry())

    def mark(self, path: Path, state: FileState, *, saved_as: str = "", reason: str = "") -> None:
        """Note how far a file has got; a saved file stays saved when it is only looked at again."""
        if path.parent.resolve() != self.folder:
            return
        old = self.entry(path)
        new = replace(old, state=state, saved_as=saved_as or old.saved_as, reason=reason)
        if old == new or (state == "seen" and old.state == "saved"):
            return
        self._entries[path.name] = new
        self._write()

    @property
    def n_done(self) -> int:
        """Files that need no further look."""
        return sum(self.entry(path).state != "new" for path in self.files)

    @property
    def progress(self) -> str:
        """How far the folder has got, in a few words."""
        text = f"{self.n_done} of {len(self.files)} files done"
        if len(self.counts) < len(self.files):
            return text
        left = sum(1 for path in self.files if self._has_jumps(path) and self.entry(path).state == "new")
        return f"{text}, {left} with jumps to go"

    def _has_jumps(self, path: Path) -> bool:
        count = self.counts.get(path.name)
        return count is None or count.n_jumps > 0

    def next_after(self, path: Path | None, *, only_with_jumps: bool = False) -> Path | None:
        """The next file that is not done, going round once; None if there is none."""
        start = self.files.index(path) + 1 if path in self.files else 0
        around = [*self.files[start:], *self.files[:start]]
        for candidate in around:
            if candidate == path or self.entry(candidate).state != "new":
                continue
            if not only_with_jumps or self._has_jumps(candidate):
                return candidate
        return None

    # kept on the disk --------------------------------------------------------------------------------------------

    @property
    def _store(self) -> Path:
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:32]
        return state_folder() / "folders" / f"{name}.json"

    def _read(self) -> dict[str, FileEntry]:
        try:
            document = json.loads(self._store.read_bytes())
            return {str(name): FileEntry(**entry) for name, entry in document["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        document = {
            "schema": "napari-celltype/repair-folder",
            "folder": str(self.folder),
            "files": {name: asdict(entry) for name, entry in self._entries.items()},
        }
        try:
            self._store.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._store, json.dumps(document, indent=1).encode(), overwrite=True)
        except OSError:
            return  # a list that can be made again; the repairs themselves are in files and journals


def count_jumps(paths: Iterable[Path], min_dz_um: float, min_slope: float) -> Generator[FileCount, None, None]:
    """Count the jumps of each file; for a worker."""
    for path in paths:
        try:
            steps = measure_z_steps(read_neuron(path))
        except CelltypeError as error:
            yield FileCount(path.name, reason=str(error))
            continue
        yield FileCount(path.name, len(steps.select(min_dz_um, min_slope)))
