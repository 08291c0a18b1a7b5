"""One page about a cell for the notebook: what is on it. :mod:`.report_page` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

import napari_celltype
from napari_celltype.recording import Recording

from .classify_text import agreement_text, band_text, headline, other_text, percent, votes_text
from .classify_values import CellCall, Verdict

__all__ = ["CellReport", "report_of"]

FloatArray = NDArray[np.float64]
_AROUND_S = 0.05


@dataclass(frozen=True, eq=False)
class CellReport:
    """Everything on the page, read and worded.

    ``trace_ms`` and ``trace_mv`` are the window with what lies 50 ms to each side of it.
    """

    title: str
    when: str
    facts: tuple[tuple[str, str], ...]
    answer: tuple[str, str]
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    verdict: Verdict
    call: CellCall
    trace_ms: FloatArray
    trace_mv: FloatArray
    window_ms: tuple[float, float] | None
    footer: str


def report_of(recording: Recording, call: CellCall, when: datetime | None = None) -> CellReport:
    """Gather a cell's page.

    Raises
    ------
    CelltypeError
        If nothing is predicted, or the recording cannot be read any more.
    """
    from napari_celltype.errors import CelltypeError

    verdict = call.verdict
    if verdict is None:
        raise CelltypeError("there is no prediction to report yet", hint="Press Predict first.")
    time_ms, voltage = _stretch(recording, call)
    said = [agreement_text(verdict, call.companion)]
    said += [other_text(other) for other in call.others]
    said += [votes_text(call.votes)] if call.votes else []
    said += [band_text(call.band)] if call.band is not None else []
    window = call.window
    return CellReport(
        title=recording.name,
        when=(when or datetime.now()).strftime("%Y-%m-%d %H:%M"),
        facts=_facts(recording, call, verdict),
        answer=headline(verdict),
        sentences=tuple(said),
        reasons=verdict.reasons,
        verdict=verdict,
        call=call,
        trace_ms=time_ms,
        trace_mv=voltage,
        window_ms=None if window is None else (window.start_s * 1e3, window.stop_s * 1e3),
        footer=f"napari-celltype {napari_celltype.__version__} · {verdict.model} {verdict.version}",
    )


def _stretch(recording: Recording, call: CellCall) -> tuple[FloatArray, FloatArray]:
    window = call.window
    if window is None:
        return np.empty(0), np.empty(0)
    sweep = recording.sweeps[window.sweep]
    start = max(0.0, window.start_s - _AROUND_S)
    stop = min(sweep.duration_s, window.stop_s + _AROUND_S)
    return sweep.time_s(start, stop) * 1e3, sweep.voltage_mv(start, stop)


def _facts(recording: Recording, call: CellCall, verdict: Verdict) -> tuple[tuple[str, str], ...]:
    window = call.window
    facts = [
        ("File", str(recording.path or recording.name)),
        ("Format", recording.format),
        ("Sweeps", f"{len(recording.sweeps)} at {recording.rate_hz / 1e3:g} kHz"),
        ("Model", f"{verdict.model} {verdict.version} ({verdict.input})"),
        ("Probability", percent(verdict.confidence)),
    ]
    if window is not None:
        number = recording.sweeps[window.sweep].number
        facts.append(("Window", f"sweep {number}, {window.start_s * 1e3:.2f} to {window.stop_s * 1e3:.2f} ms"))
    return tuple(facts)
