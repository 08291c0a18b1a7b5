"""NeuroMorpho.Org: reconstructions of the twelve classes of Zhang et al. (2021), a folder a class and ``index.csv``.

The archive answers ``api/neuron/select`` page by page; a neuron's file is the standardised one, below
``dableFiles/<archive>/CNG version``. It states neither sizes nor checksums of these files. What arrives is read once:
a file that is no reconstruction stays out of ``index.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from napari_celltype.errors import NeuronError

from .plan import Plan, estimate_size, write_cells
from .transfer import Outcome, Remote
from .web import DownloadError, MissingError, Patience, answers_of, ask_json

__all__ = ["BASE_URL", "CLASSES", "TABLE", "class_of", "finish", "plan_neuromorpho"]

BASE_URL = "https://neuromorpho.org"
TABLE = "index.csv"
TERMS = (
    "NeuroMorpho.Org terms of use (https://neuromorpho.org/useterm.jsp): free to use; cite the archive and, for each "
    "neuron used, the paper in the columns doi and pmid."
)
CLASSES = {
    "basket": "basket",
    "nitrergic": "nitrergic",
    "medium spiny": "medium spiny",
    "Purkinje": "Purkinje",
    "granule": "granule",
    "pyramidal": "pyramidal",
    "ganglion": "ganglion",
    "parachromaffin": "parachromaffin",
    "sensory receptor": "sensory receptor",
    "microglia": "microglia",
    "astrocyte": "astrocyte",
    "GABAergic": "GABAergic",
}
"""Class and the cell type NeuroMorpho.Org lists it under. A neuron of several is of the first: what is told by form
counts before what is told by transmitter, so that a GABAergic basket cell is a basket cell."""

_PAGE = 100


def plan_neuromorpho(
    classes: Collection[str] = (),
    *,
    species: str | None = None,
    ids: Collection[str] = (),
    limit: int | None = None,
    base_url: str = BASE_URL,
    patience: Patience | None = None,
) -> Plan:
    """What fetching reconstructions from NeuroMorpho.Org would fetch.

    Parameters
    ----------
    classes
        Keys of :data:`CLASSES`; none for all twelve.
    species
        As the archive names it, ``rat`` say; None for all.
    ids
        Neuron numbers or names; none for all.
    limit
        At most so many neurons of each class, in the order of their numbers.
    """
    base, patience = base_url.rstrip("/"), patience or Patience()
    wanted = {str(name) for name in ids}
    found: dict[str, list[dict[str, Any]]] = {}
    with answers_of(base):
        for name in _known(classes):
            fitting = (neuron for neuron in _list_neurons(base, name, species, patience) if _fits(neuron, name, wanted))
            found[name] = list(islice(fitting, limit))
        rows = tuple(_row(neuron, name) for name, neurons in found.items() for neuron in neurons)
        files = tuple(_remote(row, base) for row in rows)
    if not files:
        raise DownloadError("no reconstruction fits", hint="Give other --classes, --ids or another --species.")
    size, exact = estimate_size(files, patience)
    return Plan(f"NeuroMorpho.Org, {base}", TERMS, "file", files, rows, size, exact, _notes(found), table=TABLE)


def class_of(cell_types: Sequence[str]) -> str:
    """Which of the twelve classes a neuron is of, from the cell types listed for it; empty for none."""
    listed = {str(name).strip().lower() for name in cell_types}
    return next((name for name, term in CLASSES.items() if term.lower() in listed), "")


def _known(classes: Collection[str]) -> list[str]:
    by_name = {name.lower(): name for name in CLASSES}
    odd = [name for name in classes if name.lower() not in by_name]
    if odd:
        raise DownloadError(f"{odd[0]!r} is none of the classes", hint=f"Classes: {', '.join(CLASSES)}.")
    return [name for name in CLASSES if not classes or name.lower() in {one.lower() for one in classes}]


def _list_neurons(base: str, name: str, species: str | None, patience: Patience) -> Iterator[dict[str, Any]]:
    """The neurons listed under a class's cell type, page by page."""
    query = {"q": f"cell_type:{_value(CLASSES[name])}"}
    if species is not None:
        query["fq"] = f"species:{_value(species)}"
    page, pages = 0, 1
    while page < pages:
        asked = urlencode({**query, "page": page, "size": _PAGE, "sort": "neuron_id,asc"}, quote_via=quote)
        try:
            answer = ask_json(f"{base}/api/neuron/select?{asked}", patience)
        except MissingError:  # how the archive says that nothing fits
            return
        yield from (answer.get("_embedded") or {}).get("neuronResources") or []
        pages = int(answer["page"]["totalPages"])
        page += 1


def _value(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _fits(neuron: dict[str, Any], name: str, wanted: set[str]) -> bool:
    named = {str(neuron["neuron_id"]), str(neuron["neuron_name"])}
    return class_of(neuron.get("cell_type") or ()) == name and (not wanted or bool(named & wanted))


def _row(neuron: dict[str, Any], name: str) -> dict[str, str]:
    archive, cell = str(neuron["archive"]), str(neuron["neuron_name"])
    plain = re.sub(r"[^A-Za-z0-9._()+-]", "_", f"{neuron['neuron_id']}_{cell}")
    return {
        "file": f"{name}/{plain}.CNG.swc",
        "class": name,
        "label": _joined(neuron.get("cell_type")),
        "species": _joined(neuron.get("species")),
        "source": archive,
        "cell": f"{archive}/{cell}",
        "n_nodes": "",
        "licence": "NeuroMorpho.Org, cite the archive and the paper",
        "region": _joined(neuron.get("brain_region")),
        "domain": _joined(neuron.get("domain")),
        "integrity": _joined(neuron.get("physical_Integrity")),
        "doi": _joined(neuron.get("reference_doi")),
        "pmid": _joined(neuron.get("reference_pmid")),
    }


def _joined(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return "; ".join(str(part) for part in parts if part not in (None, ""))


def _remote(row: dict[str, str], base: str) -> Remote:
    cell = row["cell"].removeprefix(f"{row['source']}/")
    folder = quote(row["source"].lower(), safe="")
    return Remote(row["file"], f"{base}/dableFiles/{folder}/CNG%20version/{quote(cell, safe='')}.CNG.swc")


def _notes(found: dict[str, list[dict[str, Any]]]) -> tuple[str, ...]:
    counts = ", ".join(f"{len(neurons):,} {name}" for name, neurons in found.items() if neurons)
    none = [name for name, neurons in found.items() if not neurons]
    return (f"{counts}.", *([f"Nothing fits for: {', '.join(none)}."] if none else []))


def finish(plan: Plan, folder: Path, outcome: Outcome) -> Path:
    """Read what has arrived and write ``index.csv`` of it; what cannot be read joins ``outcome.failed``.

    Raises
    ------
    DownloadError
        If there is a table that is not ours, or was edited since.
    """
    rows = []
    for row in plan.rows:
        name = row["file"]
        if name not in outcome.failed and (folder / name).is_file():
            try:
                rows.append({**row, "n_nodes": str(_count_nodes(folder / name))})
            except NeuronError as error:
                outcome.failed[name] = f"is no reconstruction that can be read, and is left out of {TABLE}. {error}"
                outcome.fetched = [one for one in outcome.fetched if one != name]
                outcome.kept = [one for one in outcome.kept if one != name]
    if not rows:
        return folder / TABLE
    return write_cells(replace(plan, rows=tuple(rows)), folder)


def _count_nodes(path: Path) -> int:
    from napari_celltype.io import read_neuron

    return len(read_neuron(path))
