"""Fetch files into a folder: resumable, checksummed, and never over a file that is not ours."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from .etag import dandi_etag
from .manifest import Manifest, digest_file
from .web import DownloadError, PassingError, Patience, open_url, persist

__all__ = ["Outcome", "Remote", "check_space", "fetch_all", "fetch_file", "missing_bytes"]

_CHUNK = 1 << 18
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}

Progress = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name below the folder, its address, and what its source states of it."""

    name: str
    url: str
    size: int | None = None
    sha256: str = ""
    etag: str = ""


@dataclass
class Outcome:
    """What became of each file."""

    fetched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def fetch_all(
    remotes: Iterable[Remote], folder: Path, patience: Patience | None = None, progress: Progress | None = None
) -> Outcome:
    """Fetch files one after another; one that fails does not keep the others from being fetched.

    Raises
    ------
    DownloadError
        If nothing further can be fetched: no network, the disk is full.
    """
    manifest, outcome = Manifest(folder), Outcome()
    for remote in remotes:
        try:
            new = fetch_file(remote, folder, manifest, patience or Patience(), progress)
            (outcome.fetched if new else outcome.kept).append(remote.name)
        except DownloadError as error:
            if error.ends_all:
                raise
            outcome.failed[remote.name] = str(error)
    return outcome


def fetch_file(
    remote: Remote, folder: Path, manifest: Manifest, patience: Patience, progress: Progress | None = None
) -> bool:
    """Fetch one file. False if it was there already, whole.

    Raises
    ------
    DownloadError
        If it cannot be fetched, arrives damaged every time, or a file that is not ours is in its place.
    """
    target = _place(folder, remote.name)
    if target.exists():
        _confirm(remote, target, manifest)
        return False
    part = target.with_name(target.name + ".part")
    if part.exists() and manifest.entry(remote.name).get("url") != remote.url:
        raise DownloadError("is in the way and not of this download", path=part, hint="Move it, then try again.")
    target.parent.mkdir(parents=True, exist_ok=True)

    def attempt() -> str:
        if not _is_whole(part, remote.size):
            _continue(remote, part, manifest, patience, progress)
        return _check(remote, part, manifest)

    found = persist(patience, attempt)
    size = part.stat().st_size
    part.replace(target)
    manifest.record(remote.name, url=remote.url, state="complete", size=size, sha256=found)
    return True


def missing_bytes(remotes: Sequence[Remote], folder: Path) -> int:
    """How much of files of known size is still to be fetched."""
    total = 0
    for remote in remotes:
        target = _place(folder, remote.name)
        part = target.with_name(target.name + ".part")
        if remote.size and not target.exists():
            total += max(0, remote.size - (part.stat().st_size if part.exists() else 0))
    return total


def check_space(needed: int, folder: Path) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises
    ------
    DownloadError
        If there is less room than needed.
    """
    existing = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DownloadError(
            f"has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are to be fetched",
            path=folder,
            hint="Choose another disk, or fewer cells (--limit, --ids).",
            ends_all=True,
        )


def _place(folder: Path, name: str) -> Path:
    """Where a file goes; a server's name for it must not lead out of the folder."""
    parts = PurePosixPath(name).parts
    odd = [part for part in parts if part in ("..", "/") or set(part) & set('\\:\x00*?"<>|')]
    if odd or not parts:
        raise DownloadError(f"the source names a file {name!r}, which is not a safe name")
    return folder.joinpath(*parts)


def _confirm(remote: Remote, target: Path, manifest: Manifest) -> None:
    """That a file is the one to be fetched, by its checksum."""
    entry = manifest.entry(remote.name)
    ours = entry.get("state") == "complete" and entry.get("url") == remote.url
    found = digest_file(target)
    expected = remote.sha256 or (entry.get("sha256", "") if ours else "")
    if not expected and remote.etag and dandi_etag(target) == remote.etag:
        expected = found
    if not expected:
        raise DownloadError("exists and is not of this download", path=target, hint="Move it or choose another folder.")
    if found != expected:
        what = "has changed since it was fetched" if ours else "exists and is another file than the source's"
        raise DownloadError(what, path=target, hint="Move or delete it, then give the same command again.")
    if not ours:
        manifest.record(remote.name, url=remote.url, state="complete", size=target.stat().st_size, sha256=found)


def _is_whole(part: Path, size: int | None) -> bool:
    return size is not None and part.exists() and part.stat().st_size == size


def _continue(remote: Remote, part: Path, manifest: Manifest, patience: Patience, progress: Progress | None) -> None:
    """Fetch what is lacking, into the .part file; from the start if the server or the file has changed."""
    start = part.stat().st_size if part.exists() else 0
    if remote.size is not None and start > remote.size:
        part.unlink()
        start = 0
    known = manifest.entry(remote.name)
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and known.get("version"):
        headers["If-Range"] = known["version"]  # another version is then sent whole, never joined to this one
    try:
        answer = open_url(remote.url, patience, headers)
    except PassingError as trouble:
        if "(416)" in str(trouble):
            part.unlink(missing_ok=True)
        raise
    with answer:
        begin, total = _extent(answer)
        if begin and (begin != start or known.get("size") not in (None, total)):
            part.unlink(missing_ok=True)
            raise PassingError("the server sent another part than asked for", wait_s=0.0)
        if None not in (total, remote.size) and total != remote.size:
            raise DownloadError(f"the server's file has {total} bytes, not the {remote.size} its source states")
        facts = {key: known.get(key, "") for key in ("version", "md5")} if begin else _stated(answer)
        manifest.record(remote.name, url=remote.url, state="partial", size=total, **facts)
        with part.open("ab" if begin else "wb") as file:
            _pour(answer, file, begin, total, lambda done: progress and progress(remote.name, done, total))


def _extent(answer: HTTPResponse) -> tuple[int, int | None]:
    """Where the answer begins in the file, and the whole file's size; a server may ignore the range and send all."""
    if answer.status != 206:
        stated = answer.headers.get("Content-Length", "")
        return 0, int(stated) if stated.isdigit() else None
    where, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    begin = where.partition("-")[0]
    return int(begin) if begin.isdigit() else -1, int(total) if total.isdigit() else None


def _pour(answer: HTTPResponse, file: BinaryIO, done: int, total: int | None, tell: Callable[[int], object]) -> None:
    """Write what arrives; what has arrived stays when the connection breaks."""
    while chunk := _receive(answer):
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            hint = "Make room, then give the same command again: it goes on where it stopped."
            raise DownloadError("the disk is full", path=file.name, hint=hint, ends_all=True) from error
        done += len(chunk)
        tell(done)
    if total is not None and done < total:
        raise PassingError(f"the connection broke off after {done} of {total} bytes", offline=True)


def _receive(answer: HTTPResponse) -> bytes:
    try:
        return answer.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise PassingError(f"the connection broke off ({error})", offline=True) from error


def _check(remote: Remote, part: Path, manifest: Manifest) -> str:
    """SHA-256 of a fetched file, after comparing with all that is stated of it; a damaged one is removed."""
    entry = manifest.entry(remote.name)
    size = remote.size if remote.size is not None else entry.get("size")
    found = digest_file(part)
    wrong = size is not None and part.stat().st_size != size
    wrong = wrong or (bool(remote.sha256) and found != remote.sha256)
    wrong = wrong or (bool(remote.etag) and dandi_etag(part) != remote.etag)
    wrong = wrong or (bool(entry.get("md5")) and digest_file(part, "md5") != entry["md5"])
    if wrong:
        part.unlink()
        raise PassingError(f"{remote.name} arrived damaged: its checksum or size is not the one stated")
    return found


def _stated(answer: HTTPResponse) -> dict[str, Any]:
    """The version, for resuming, and the checksum, where the server states them."""
    etag = answer.headers.get("ETag", "")
    version = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
    facts: dict[str, Any] = {"version": version}
    if answer.status == 200 and answer.headers.get("Content-MD5"):
        with contextlib.suppress(binascii.Error):  # what is no checksum is as good as none
            facts["md5"] = base64.b64decode(answer.headers["Content-MD5"], validate=True).hex()
    return facts
