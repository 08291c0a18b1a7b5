"""Watching a folder: which recordings are new, which of them are finished, and what became of each.

Nothing here waits or runs by itself: somebody calls :meth:`FolderWatch.take` with a listing every second or so, reads
what is :meth:`~FolderWatch.due`, and says how that went. Looking again and again works on network drives, which tell
nobody of new files.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from psygnal import Signal

from napari_celltype.io.registry import FORMATS
from napari_celltype.io.stamp import FileStamp

__all__ = ["FileState", "FolderWatch", "Listing", "WatchOptions", "WatchedFile", "list_folder"]

FileState = Literal["left", "waiting", "reading", "done", "failed"]
_SUFFIXES = frozenset(suffix for known in FORMATS for suffix in known.suffixes)
_LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True)
class Listing:
    """The recordings of a folder by name, or a sentence that says why they cannot be listed."""

    stamps: Mapping[str, FileStamp] = field(default_factory=dict)
    problem: str = ""


def list_folder(folder: Path) -> Listing:
    """Recordings of a folder by their suffix, without hidden files, copies under way and subfolders."""
    try:
        names = [name for name in os.listdir(folder) if _is_candidate(name)]
    except OSError as error:
        return Listing(problem=_why_not_listed(folder, error))
    stamps = {}
    for name in names:
        try:
            # asked of the file itself: what Windows keeps in the folder lags behind while it is written
            status = os.stat(folder / name)
        except OSError:  # gone between the two calls, or a link to nothing
            continue
        if stat.S_ISREG(status.st_mode):
            stamps[name] = FileStamp.of_status(status)
    return Listing(stamps)


def _is_candidate(name: str) -> bool:
    return not name.startswith((".", "~")) and Path(name).suffix.lower() in _SUFFIXES


def _why_not_listed(folder: Path, error: OSError) -> str:
    why = {
        FileNotFoundError: "it is not there (deleted, renamed, or its drive is disconnected)",
        NotADirectoryError: "it is a file, not a folder",
        PermissionError: "you may not read it",
    }.get(type(error), error.strerror or str(error))
    return f"{folder} cannot be looked into: {why}. Watching goes on and continues when it can be read again."


@dataclass(frozen=True)
class WatchOptions:
    """How patient to be.

    Parameters
    ----------
    settle_s
        A file is finished when size and time of change have stayed the same for so long.
    give_up_s
        A file that cannot be read, or ends early, is tried again until it has been unchanged for so long.
    existing
        Whether files that are there from the beginning are read too.
    """

    settle_s: float = 3.0
    give_up_s: float = 120.0
    existing: bool = False


@dataclass(frozen=True)
class WatchedFile:
    """One file and what is known of it.

    Parameters
    ----------
    stamp
        What it looked like last.
    unchanged_since
        When that began, by the watch's clock.
    state
        ``left``: it was there before. ``waiting``: until it is finished. ``reading``. ``done``. ``failed``.
    reason
        A sentence that says why it waits or failed, or what is remarkable.
    said
        What was found out, a few words, once it is done.
    version
        1, and one more whenever another recording took its name.
    there
        Whether it was in the folder when that was looked into last.
    """

    path: Path
    stamp: FileStamp
    unchanged_since: float
    state: FileState = "waiting"
    reason: str = ""
    said: str = ""
    version: int = 1
    there: bool = True
    read_before: bool = False
    tries: int = 0
    retry_at: float = 0.0

    @property
    def name(self) -> str:
        """Name, with a number where an earlier recording had the same."""
        return self.path.name if self.version == 1 else f"{self.path.name} ({self.version})"


class FolderWatch:
    """The files of a watched folder.

    Parameters
    ----------
    folder
        Where recordings appear.
    options
        How patient to be.
    clock
        Seconds since some moment; never goes back.
    lister
        Tells what is in the folder.
    """

    changed = Signal()

    def __init__(
        self,
        folder: Path,
        options: WatchOptions = WatchOptions(),  # frozen
        *,
        clock: Callable[[], float] = time.monotonic,
        lister: Callable[[Path], Listing] = list_folder,
    ) -> None:
        self.folder = Path(folder)
        self.options = options
        self.problem = ""
        self.paused = False
        self._clock = clock
        self._lister = lister
        self._files: dict[str, WatchedFile] = {}
        self._has_looked = False

    # what is known --------------------------------------------------------------------------------------------------

    @property
    def files(self) -> list[WatchedFile]:
        """All files in the order they were noticed."""
        return list(self._files.values())

    def file(self, path: Path) -> WatchedFile | None:
        """What is known of a file."""
        return self._files.get(path.name)

    def count(self, *states: FileState) -> int:
        """How many files are in one of these states."""
        return sum(file.state in states for file in self._files.values())

    # looking --------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look into the folder now; slow on a network drive."""
        self.take(self._lister(self.folder))

    def take(self, listing: Listing) -> None:
        """Take in what somebody saw in the folder just now."""
        before = (self.problem, dict(self._files))
        self.problem = listing.problem
        if not listing.problem:
            now = self._clock()
            for name, stamp in sorted(listing.stamps.items(), key=lambda pair: (pair[1].changed_ns, pair[0])):
                self._notice(name, stamp, now)
            self._miss(set(self._files) - set(listing.stamps))
            self._has_looked = True
        if before != (self.problem, self._files):
            self.changed.emit()

    def _notice(self, name: str, stamp: FileStamp, now: float) -> None:
        old = self._files.get(name)
        if old is None:
            left = not self._has_looked and not self.options.existing
            state: FileState = "left" if left else "waiting"
            self._files[name] = WatchedFile(self.folder / name, stamp, now, state)
        elif not _same(old.stamp, stamp):
            self._files[name] = _changed(old, stamp, now)
        elif not old.there:
            self._files[name] = replace(old, there=True, reason="")

    def _miss(self, names: Iterable[str]) -> None:
        for name in names:
            file = self._files[name]
            if file.there:
                why = "It is gone: deleted or moved" + (" before it was read." if file.state == "waiting" else ".")
                self._files[name] = replace(file, there=False, reason=why)

    # reading --------------------------------------------------------------------------------------------------------

    def due(self) -> WatchedFile | None:
        """The next file to read, if one is finished and nothing else is being read."""
        if self.paused or self.problem or self.count("reading"):
            return None
        now = self._clock()
        return next((file for file in self._files.values() if self._is_due(file, now)), None)

    def _is_due(self, file: WatchedFile, now: float) -> bool:
        settled = now - file.unchanged_since >= self.options.settle_s
        return file.state == "waiting" and file.there and settled and now >= file.retry_at

    def is_last_try(self, file: WatchedFile) -> bool:
        """Whether the file has been unchanged for so long that it is taken as it is."""
        return self._clock() - file.unchanged_since >= self.options.give_up_s

    def begin(self, file: WatchedFile) -> None:
        """It is being read from now on."""
        self._put(replace(file, state="reading", reason=""))

    def finish(self, file: WatchedFile, said: str, reason: str = "") -> bool:
        """It was read, and this is what was found; False if it has changed meanwhile, so that this is of no use."""
        return self._end(file, state="done", said=said, reason=reason, read_before=True)

    def fail(self, file: WatchedFile, reason: str) -> None:
        """It cannot be judged, whatever it may still become."""
        self._end(file, state="failed", reason=reason)

    def refuse(self, file: WatchedFile, reason: str) -> None:
        """It could not be read this time; it may not be finished yet."""
        now, options = self._clock(), self.options
        if now - file.unchanged_since >= options.give_up_s:
            self.fail(file, reason)
            return
        backoff = min(max(options.settle_s, 0.5) * 2**file.tries, _LONGEST_BACKOFF_S)
        # the last try comes when patience ends, not after it
        retry_at = min(now + backoff, file.unchanged_since + options.give_up_s)
        self._end(file, state="waiting", reason=reason, tries=file.tries + 1, retry_at=retry_at)

    def release(self, file: WatchedFile) -> None:
        """Reading was broken off; it is to be read later."""
        self._end(file, state="waiting")

    def _end(self, file: WatchedFile, **parts: Any) -> bool:
        now = self._files.get(file.path.name)
        if now is None or now.state != "reading":
            # changed while it was read: what was found is of its former self, and it is waited for already
            return False
        self._put(replace(now, **parts))
        return True

    def _put(self, file: WatchedFile) -> None:
        self._files[file.path.name] = file
        self.changed.emit()

    # wishes ---------------------------------------------------------------------------------------------------------

    def include(self, paths: Iterable[Path]) -> None:
        """Read these too, as they are: files that were there before, or failed."""
        for path in paths:
            file = self._files.get(path.name)
            if file is not None and file.state in ("left", "failed"):
                self._files[path.name] = replace(
                    file, state="waiting", reason="", tries=0, retry_at=0.0, unchanged_since=-math.inf
                )
        self.changed.emit()

    def include_all(self) -> None:
        """Read all files that were there before."""
        self.include([file.path for file in self.files if file.state == "left"])

    def pause(self, paused: bool = True) -> None:
        """Read nothing until further notice; new files are noticed all the same."""
        self.paused = paused
        self.changed.emit()


def _same(one: FileStamp, other: FileStamp) -> bool:
    """Whether size and time agree; some network drives give a file another identity each time it is asked."""
    return one[:2] == other[:2]


def _changed(old: WatchedFile, stamp: FileStamp, now: float) -> WatchedFile:
    """A file that is not what it was: still being written, grown, or another one under the same name."""
    waiting = replace(
        old, stamp=stamp, unchanged_since=now, state="waiting", there=True, tries=0, retry_at=0.0, reason="", said=""
    )
    if not old.read_before:
        return waiting
    if stamp.size > old.stamp.size:
        return replace(waiting, reason="It has grown since it was read and is read again.")
    again = "Another recording has been saved under the same name; the first one's result is kept."
    return replace(waiting, reason=again, version=old.version + 1, read_before=False)
