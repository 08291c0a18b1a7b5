"""Allen Cell Types Database: the table of cells and each cell's recording as NWB.

The table is the RMA model ``ApiCellTypesSpecimenDetail``; its column ``erwkf__id`` is the number of the well-known file
``NWBDownload`` of the cell's recording. The database states no checksums of these files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote

from .plan import SPECIES, Plan, estimate_size
from .transfer import Remote
from .web import DownloadError, Patience, answers_of, ask_json

__all__ = ["BASE_URL", "plan_allen"]

BASE_URL = "https://api.brain-map.org"
TERMS = (
    "Allen Institute terms of use (https://alleninstitute.org/terms-of-use/): research and education, not for sale, "
    "with citation (https://alleninstitute.org/citation-policy/)."
)
_PAGE = 500
_FIRST = ("specimen__id", "donor__id", "line_name", "donor__species", "tag__dendrite_type", "file")


def plan_allen(
    *,
    species: str | None = None,
    ids: Collection[str] = (),
    limit: int | None = None,
    base_url: str = BASE_URL,
    patience: Patience | None = None,
) -> Plan:
    """What fetching cells of the Allen Cell Types Database would fetch.

    Parameters
    ----------
    species
        ``"mouse"``, ``"human"``, or None for both.
    ids
        Specimen numbers; none for all.
    limit
        At most so many cells, in the order of their numbers.
    """
    base, patience = base_url.rstrip("/"), patience or Patience()
    wanted = {str(name) for name in ids}
    with answers_of(base):
        cells = [cell for cell in _list_cells(base, patience) if _fits(cell, species, wanted)]
        lacking = sorted(wanted - {str(cell["specimen__id"]) for cell in cells})
    chosen = cells[:limit]
    if not chosen:
        raise DownloadError("no cell with a recording fits", hint="Give other --ids or another --species.")
    with answers_of(base):
        files = tuple(_remote(cell, base) for cell in chosen)
    size, exact = estimate_size(files, patience)
    notes = (f"Not found, or without a recording: {', '.join(lacking)}.",) if lacking else ()
    rows = tuple(_row(cell, file.name) for cell, file in zip(chosen, files, strict=True))
    return Plan(f"Allen Cell Types Database, {base}", TERMS, "specimen__id", files, rows, size, exact, notes)


def _list_cells(base: str, patience: Patience) -> Iterator[dict[str, Any]]:
    """Every row of the table of cells, page by page."""
    start = 0
    while True:
        options = f"rma::options[num_rows$eq{_PAGE}][start_row$eq{start}][order$eq'specimen__id']"
        criteria = quote(f"model::ApiCellTypesSpecimenDetail,{options}", safe=":,$[]'")
        answer = ask_json(f"{base}/api/v2/data/query.json?criteria={criteria}", patience)
        if not isinstance(answer, dict) or answer.get("success") is not True or not isinstance(answer["msg"], list):
            said = answer.get("msg", "") if isinstance(answer, dict) else ""
            raise DownloadError(f"{base} did not answer with a table of cells ({str(said)[:200]})")
        yield from answer["msg"]
        start += len(answer["msg"])
        if not answer["msg"] or start >= int(answer.get("total_rows", 0)):
            return


def _fits(cell: dict[str, Any], species: str | None, wanted: set[str]) -> bool:
    named = str(cell.get("donor__species") or "").lower()
    return (
        bool(cell.get("erwkf__id"))
        and (species is None or named.startswith(SPECIES[species]))
        and (not wanted or str(cell["specimen__id"]) in wanted)
    )


def _remote(cell: dict[str, Any], base: str) -> Remote:
    url = f"{base}/api/v2/well_known_file_download/{int(cell['erwkf__id'])}"
    return Remote(f"{int(cell['specimen__id'])}_ephys.nwb", url)


def _row(cell: dict[str, Any], file: str) -> dict[str, str]:
    plain = {name: "" if value is None else str(value) for name, value in {**cell, "file": file}.items()}
    return {name: plain.pop(name, "") for name in _FIRST} | dict(sorted(plain.items()))
