"""One cell that was both recorded and reconstructed: which recording goes with a neuron, and whether both agree."""

from __future__ import annotations

import re
from datetime import datetime

from napari_celltype.errors import CelltypeError
from napari_celltype.neuron import Neuron

from .classify_names import broad_type, canonical, spoken
from .classify_text import percent
from .classify_values import Verdict
from .document import Document
from .neuron_type import NeuronCall
from .session_table import CellRow

__all__ = ["NO_RECORDING", "RECORDING", "agreement", "choose_partner", "joint_text", "neuron_row", "partner_of"]

RECORDING = "recording of the cell"
NO_RECORDING = ""
"""Chosen where the user says that no open recording is of this cell."""

_EXCITATORY = {"exc", "pyramidal", "granule", "ganglion", "principal"}
_INHIBITORY = {"inh", "gabaergic", "basket", "interneuron", "purkinje", "medium spiny"}
_SILENT = {"microglia", "astrocyte"}


def partner_of(document: Document, neuron_id: str) -> str | None:
    """The recording of a neuron's cell: the one the user chose, else the one file whose name begins alike."""
    chosen = document.choice(neuron_id, RECORDING)
    if chosen is not None:
        return chosen if chosen in document else None
    own = _stem(document[neuron_id].name)
    alike = [item.id for item in document.recordings if own and _stem(item.name) == own]
    return alike[0] if len(alike) == 1 else None


def choose_partner(document: Document, neuron_id: str, recording_id: str | None) -> None:
    """Say which recording is of the neuron's cell; None for none of them."""
    document.choose(neuron_id, RECORDING, recording_id or NO_RECORDING)


def _stem(name: str) -> str:
    """What remains of a file's name without endings and marks: ``Cell 12.CNG.swc`` and ``cell_12.abf`` are alike."""
    word = name.lower().removesuffix(".gz").rsplit(".", 1)[0].removesuffix(".cng")
    return re.sub(r"[^a-z0-9]+", "", word)


def agreement(recorded: str, traced: str) -> str:
    """``"agree"``, ``"differ"``, ``"silent"`` (such cells fire no action potentials) or empty where nothing follows."""
    form, kind = canonical(traced), broad_type(recorded)
    if form in _SILENT and kind:
        return "silent"
    if form in _EXCITATORY and kind:
        return "agree" if kind == "exc" else "differ"
    if form in _INHIBITORY and kind:
        return "agree" if kind == "inh" else "differ"
    return ""


def joint_text(recorded: Verdict | None, traced: Verdict | None) -> str:
    """Whether recording and reconstruction tell the same of the cell."""
    if recorded is None or traced is None:
        return "Both the recording and the neuron have to be predicted before they can be compared."
    said = f"Recording: {_said(recorded)}. Neuron: {_said(traced)}."
    if recorded.abstained or traced.abstained:
        return f"{said} They cannot be compared: a model abstains."
    words = {
        "agree": "They agree.",
        "differ": "They disagree: one of them is wrong, or the files are of two cells.",
        "silent": f"{spoken(traced.label)} fires no spikes: the files are of two cells, or a model is wrong.",
    }
    return f"{said} {words.get(agreement(recorded.label, traced.label), '')}".strip()


def _said(verdict: Verdict) -> str:
    name = f"{spoken(verdict.label)}, {percent(verdict.confidence)}"
    return f"unknown (best guess {name})" if verdict.abstained else name


def neuron_row(name: str, neuron: Neuron, call: NeuronCall, when: datetime | None = None) -> CellRow:
    """The session table's row for a neuron.

    Raises
    ------
    CelltypeError
        If nothing was predicted yet.
    """
    verdict = call.verdict
    if verdict is None:
        raise CelltypeError(f"nothing is predicted for {name} yet", hint="Wait for the prediction, or press Predict.")
    return CellRow(
        cell=name,
        path=str(neuron.path or ""),
        label=verdict.label,
        confidence=round(verdict.confidence, 4),
        abstained=verdict.abstained,
        model=verdict.model,
        version=verdict.version,
        reasons=" ".join(verdict.reasons),
        accepted=(when or datetime.now()).isoformat(timespec="seconds"),
        probabilities="; ".join(
            f"{one} {share:.4f}" for one, share in zip(verdict.classes, verdict.probabilities, strict=True)
        ),
    )
