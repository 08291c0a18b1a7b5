"""One page about a reconstructed cell, and about its recording where there is one. The drawing is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

import napari_celltype
from napari_celltype.errors import CelltypeError
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording

from .classify_text import headline, other_text, percent
from .classify_values import CellCall, Verdict
from .neuron_joint import joint_text
from .neuron_type import NeuronCall
from .neuron_type_text import difference_text, repair_text, why_text
from .report import CellReport, report_of

__all__ = ["NeuronReport", "neuron_report_of"]


@dataclass(frozen=True, eq=False)
class NeuronReport:
    """Everything on the page, worded; ``recorded`` is the page about the recording of the same cell.

    ``segments_um`` are lines from each node to its parent, (n, 2, 3), and ``rows`` the nodes they begin at.
    """

    title: str
    when: str
    facts: tuple[tuple[str, str], ...]
    answer: tuple[str, str]
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    verdict: Verdict
    call: NeuronCall
    segments_um: NDArray[np.float64]
    rows: NDArray[np.int64]
    recorded: CellReport | None
    footer: str


def neuron_report_of(
    neuron: Neuron,
    call: NeuronCall,
    recording: Recording | None = None,
    recorded: CellCall | None = None,
    when: datetime | None = None,
) -> NeuronReport:
    """Gather a cell's page; a recording about which nothing is said yet is left out, and the page says so.

    Raises
    ------
    CelltypeError
        If nothing is predicted of the neuron, or its recording cannot be read any more.
    """
    verdict = call.verdict
    if verdict is None:
        raise CelltypeError("there is no prediction to report yet", hint="Press Predict first.")
    joint = None
    if recording is not None and recorded is not None and recorded.verdict is not None:
        joint = report_of(recording, recorded, when)
    rows = np.flatnonzero(neuron.parents >= 0)
    lines = np.stack([neuron.xyz_um[rows], neuron.xyz_um[neuron.parents[rows]]], axis=1)
    drawn = np.isfinite(lines).all(axis=(1, 2))
    return NeuronReport(
        title=neuron.name or "neuron",
        when=(when or datetime.now()).strftime("%Y-%m-%d %H:%M"),
        facts=_facts(neuron, verdict),
        answer=headline(verdict),
        sentences=_sentences(neuron, call, recording, recorded),
        reasons=verdict.reasons,
        verdict=verdict,
        call=call,
        segments_um=lines[drawn],
        rows=rows[drawn],
        recorded=joint,
        footer=f"napari-celltype {napari_celltype.__version__} · {verdict.model} {verdict.version}"
        + (f" · {joint.verdict.model} {joint.verdict.version}" if joint is not None else ""),
    )


def _sentences(
    neuron: Neuron, call: NeuronCall, recording: Recording | None, recorded: CellCall | None
) -> tuple[str, ...]:
    assert call.verdict is not None
    said = [other_text(other) for other in call.others]
    if recording is not None:
        said.append(joint_text(None if recorded is None else recorded.verdict, call.verdict))
    if call.repair is not None:
        said.append(repair_text(call.repair))
    if call.differences is not None:
        said.append(difference_text(call.differences, call.verdict.label))
    if call.why is not None:
        said.append(why_text(call.why, neuron))
    return tuple(said)


def _facts(neuron: Neuron, verdict: Verdict) -> tuple[tuple[str, str], ...]:
    wrong = sum(defect.severity != "note" for defect in neuron.defects)
    return (
        ("Reconstruction", str(neuron.path or neuron.name)),
        ("Nodes", f"{len(neuron):,}; {wrong} finding{'' if wrong == 1 else 's'}"),
        ("Model", f"{verdict.model} {verdict.version}"),
        ("Probability", percent(verdict.confidence)),
    )
