"""DANDI archive: the NWB files of one dandiset, with a table of cells made from their metadata.

DANDI states of each file its size, the checksum of its upload and, once it has been computed, its SHA-256; all that is
stated is compared. Its metadata name the subject and often
its genotype, not a driver line: check the column ``cre_line`` of ``cells.csv`` before training on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from .plan import SPECIES, Plan
from .transfer import Remote
from .web import DownloadError, Patience, answers_of, ask_json

__all__ = ["BASE_URL", "plan_dandi"]

BASE_URL = "https://api.dandiarchive.org/api"
_PAGE = 100
_INT64_DIGITS = 18


def plan_dandi(
    dandiset: str,
    *,
    version: str | None = None,
    species: str | None = None,
    ids: Collection[str] = (),
    limit: int | None = None,
    base_url: str = BASE_URL,
    patience: Patience | None = None,
) -> Plan:
    """What fetching the NWB files of a dandiset would fetch.

    Parameters
    ----------
    dandiset
        Its number, six digits.
    version
        None for the newest published one, or the draft if none was published.
    species
        ``"mouse"``, ``"human"``, or None for all.
    ids
        Subjects, sessions or other numbers in the files' names; none for all files.
    limit
        At most so many files, in the order of their names.
    """
    base, patience = base_url.rstrip("/"), patience or Patience()
    dandiset = dandiset.zfill(6)
    if not re.fullmatch(r"\d{6}", dandiset):
        raise DownloadError(f"{dandiset!r} is not the number of a dandiset", hint="It has six digits, as in 000020.")
    with answers_of(base):
        version = version or _newest(base, dandiset, patience)
        address = f"{base}/dandisets/{dandiset}/versions/{quote(version, safe='')}/"
        about = ask_json(address, patience)
        chosen = list(islice(_choose(base, address, species, ids, patience), limit))
        if not chosen:
            raise DownloadError(
                f"no NWB file of dandiset {dandiset} fits", hint="Give other --ids or another --species."
            )
        files = tuple(_remote(asset, meta, base) for asset, meta in chosen)
        rows = tuple(_row(asset["path"], meta) for asset, meta in chosen)
        source = f"DANDI:{dandiset}/{version}, {about.get('name', '')}".rstrip(", ")
        terms = _terms(about)
    return Plan(source, terms, "file", files, rows, sum(file.size or 0 for file in files), True, _notes(rows))


def _choose(
    base: str, address: str, species: str | None, ids: Collection[str], patience: Patience
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Files that fit, each with its metadata, which are asked for one by one."""
    for asset in _list_assets(address, ids, patience):
        meta = ask_json(f"{base}/assets/{asset['asset_id']}/", patience)
        if species is None or _species(meta).lower().startswith(SPECIES[species]):
            yield asset, meta


def _newest(base: str, dandiset: str, patience: Patience) -> str:
    answer = ask_json(f"{base}/dandisets/{dandiset}/", patience)
    return str((answer.get("most_recent_published_version") or {}).get("version") or "draft")


def _list_assets(address: str, ids: Collection[str], patience: Patience) -> Iterator[dict[str, Any]]:
    """The NWB files of a version whose name holds one of the numbers, page by page."""
    url: str | None = f"{address}assets/?order=path&page_size={_PAGE}"
    seen = set()
    while url and url not in seen:
        seen.add(url)
        page = ask_json(url, patience)
        for asset in page["results"]:
            path = str(asset["path"])
            named = not ids or any(re.search(rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])", path) for one in ids)
            if path.lower().endswith(".nwb") and asset.get("zarr") is None and named:
                yield asset
        url = page.get("next")


def _remote(asset: dict[str, Any], meta: dict[str, Any], base: str) -> Remote:
    stated = {name: str(value or "").lower() for name, value in (meta.get("digest") or {}).items()}
    return Remote(
        asset["path"],
        f"{base}/assets/{asset['asset_id']}/download/",
        int(asset["size"]),
        stated.get("dandi:sha2-256", ""),
        stated.get("dandi:dandi-etag", ""),
    )


def _subject(meta: dict[str, Any]) -> dict[str, Any]:
    found = meta.get("wasAttributedTo") or [{}]
    return dict(found[0])


def _species(meta: dict[str, Any]) -> str:
    return str((_subject(meta).get("species") or {}).get("name") or "")


def _row(path: str, meta: dict[str, Any]) -> dict[str, str]:
    subject = str(_subject(meta).get("identifier") or _part(path, "sub"))
    session = _part(path, "ses")
    return {
        "specimen_id": _number(session or path),
        "donor_id": _number(subject),
        "cre_line": str(_subject(meta).get("genotype") or ""),
        "species": _species(meta).partition(" - ")[0],
        "dendrite_type": "",
        "file": path,
        "subject": subject,
        "session": session,
    }


def _part(path: str, key: str) -> str:
    found = re.search(rf"(?:^|[/_]){key}-([^_/.]+)", path)
    return found.group(1) if found else ""


def _number(name: str) -> str:
    """The number a name is, else one made from it, always the same."""
    if name.isascii() and name.isdigit() and len(name) <= _INT64_DIGITS:
        return str(int(name))
    return str(int(hashlib.sha256(name.encode()).hexdigest()[:14], 16))


def _terms(about: dict[str, Any]) -> str:
    licences = ", ".join(str(name).removeprefix("spdx:") for name in about.get("license") or []) or "none stated"
    cite = f" Cite: {about['citation']}" if about.get("citation") else ""
    return f"Licence of this dandiset: {licences}.{cite}"


def _notes(rows: tuple[dict[str, str], ...]) -> tuple[str, ...]:
    unnamed = sum(not row["cre_line"] for row in rows)
    if not unnamed:
        return ()
    return (f"{unnamed} of {len(rows)} files state no genotype: fill in the column cre_line of cells.csv to train.",)
