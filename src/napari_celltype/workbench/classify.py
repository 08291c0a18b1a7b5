"""Judge a recording's cell step by step: the chosen window first, then everything that says how far to trust it.

:func:`classify` is a generator, so that whoever runs it (a worker, a script) shows each part as it comes and can stop
between parts. It knows models by their contract only, and no toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from napari_celltype.ephys.stimulus import find_stimuli
from napari_celltype.ephys.windows import ApWindow, WindowCut, suggest_windows
from napari_celltype.errors import CelltypeError, ModelError, RecordingError
from napari_celltype.recording import Recording

from .classify_compare import Comparison, compare_with_classes
from .classify_facts import Facts
from .classify_models import Shelf, companion_of
from .classify_values import Band, ModelChoice, Verdict, Vote, verdict_of
from .measured import extracted_features

__all__ = ["Facts", "Found", "Progress", "Request", "Suggested", "classify", "preview", "why_not_judged"]

SHIFTS_MS = np.round(np.arange(-1.0, 1.0001, 0.1), 6)
MOST_VOTES = 32
_FAILURES = (ImportError, MemoryError, RuntimeError, ValueError)
"""How models fail while predicting: torch is missing, memory is full, a device is lost, numbers do not fit. Anything
else, and anything elsewhere, is a bug and must look like one."""


@dataclass(frozen=True)
class Request:
    """What to judge and with which model; ``window`` None takes the best suggested one."""

    model: ModelChoice
    window: ApWindow | None = None


@dataclass(frozen=True)
class Progress:
    """How far it is, 0 to 1, and what is being done."""

    share: float
    doing: str


@dataclass(frozen=True)
class Suggested:
    """Windows worth looking at, best first; ``window`` is the one judged from now on."""

    windows: tuple[ApWindow, ...]
    window: ApWindow | None


@dataclass(frozen=True, eq=False)
class Found:
    """Parts of a :class:`CellCall` by name."""

    parts: dict[str, Any]


Step = Progress | Suggested | Found


def classify(request: Request, facts: Facts, shelf: Shelf) -> Iterator[Step]:
    """Judge a cell, the answer to the question asked first and the rest after it.

    Raises
    ------
    CelltypeError
        In the user's words, whatever fails.
    """
    return _Judging(request, facts, shelf).steps()


def preview(request: Request, facts: Facts, shelf: Shelf) -> Iterator[Step]:
    """Only the verdict on the window, while it is being dragged."""
    model = shelf.get(request.model)
    if request.window is not None and _input_of(model) == "waveform":
        yield Found({"verdict": judge_windows(model, facts.recording, [request.window])[0]})


def _predict(model: Any, x: Any) -> Any:
    """What a model says; a machine that fails at it is a sentence."""
    try:
        return model.predict(x)
    except CelltypeError:
        raise
    except _FAILURES as error:
        raise ModelError(
            f"{model.name} could not judge this recording ({type(error).__name__}: {error})",
            hint="Choose another window or model; `napari-celltype info` says what a report of this needs.",
        ) from error


def why_not_judged(recording: Recording) -> str:
    """A sentence where no model can say anything of this recording, else empty."""
    if not recording.sweeps:
        return f"{recording.name} holds no sweeps."
    if all(sweep.clamp == "voltage" for sweep in recording.sweeps):
        return "All sweeps are voltage clamp. Cell types are told from current clamp: open such a recording."
    if all(sweep.read_voltage is None for sweep in recording.sweeps):
        return "No sweep holds a membrane potential, which is what cell types are told from."
    return ""


def _input_of(model: Any) -> str:
    return str(model.info.input)


class _Judging:
    """One run of :func:`classify`."""

    def __init__(self, request: Request, facts: Facts, shelf: Shelf) -> None:
        self.request, self.facts, self.shelf = request, facts, shelf
        self.recording = facts.recording
        self.window = request.window
        self.remarks: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        refusal = why_not_judged(self.recording)
        if refusal:
            yield Found({"refusal": refusal})
            return
        yield Progress(0.0, f"Loading {self.request.model.name}")
        model = self.shelf.get(self.request.model)
        note = getattr(model, "device_note", "")
        self.remarks = (note,) if note else ()
        yield Found({"remarks": self.remarks})
        if _input_of(model) == "waveform":
            yield from self._waveform_first(model)
        else:
            yield from self._features_first(model)
        yield from self._ask_others()
        yield Progress(1.0, "")

    def _waveform_first(self, model: Any) -> Iterator[Step]:
        if self.window is not None:
            yield from self._judge_window(model, "verdict")
        yield from self._suggest(model)
        if self.window is None:
            yield Found({"refusal": _no_spikes(self.recording)})
            return
        if self.request.window is None:
            yield from self._judge_window(model, "verdict")
        yield from self._vote(model)
        yield from self._judge_features_with_companion()

    def _features_first(self, model: Any) -> Iterator[Step]:
        yield from self._judge_features(model, "verdict")
        other = self._companion()
        yield from self._suggest(other)
        if other is None or self.window is None:
            yield Found({"votes": ()})
            return
        yield from self._judge_window(other, "companion")
        yield from self._vote(other)

    def _judge_window(self, model: Any, role: str) -> Iterator[Step]:
        assert self.window is not None
        yield Found({role: judge_windows(model, self.recording, [self.window])[0], "window": self.window})
        yield Found({"comparison": _comparison(model, self.recording, self.window)})
        yield Found({"band": sensitivity(model, self.recording, self.window)})

    def _suggest(self, model: Any | None) -> Iterator[Step]:
        facts = self.facts
        if facts.suggested is None:
            for share in facts.look():
                yield Progress(0.2 + 0.3 * share, "Looking for action potentials")
            facts.suggested = tuple(suggest_windows(self.recording, facts.stimuli, facts.spikes))
        if self.window is None:
            fitting = _windows_for(model, facts.suggested) if model is not None else []
            self.window = next(iter(fitting or facts.suggested), None)
        yield Suggested(facts.suggested, self.window)

    def _vote(self, model: Any) -> Iterator[Step]:
        """Each sweep by its own window of the kind the model takes; at least of the kind there is."""
        windows = _windows_for(model, self.facts.suggested or ())[:MOST_VOTES]
        if not windows:
            yield Found({"votes": ()})
            return
        yield Progress(0.6, "Asking every sweep")
        verdicts = judge_windows(model, self.recording, windows)
        stimuli = self.facts.stimuli or find_stimuli(self.recording)
        sweeps = self.recording.sweeps
        votes = tuple(
            Vote(window.sweep, sweeps[window.sweep].number, stimuli[window.sweep].kind.replace("_", " "), verdict)
            for window, verdict in zip(windows, verdicts, strict=True)
        )
        yield Found({"votes": tuple(sorted(votes, key=lambda vote: vote.sweep))})

    def _judge_features_with_companion(self) -> Iterator[Step]:
        other = self._companion()
        if other is not None:
            yield from self._judge_features(other, "companion")

    def _ask_others(self) -> Iterator[Step]:
        """The other default models: cheap, now that everything is measured."""
        infos = self.shelf.infos()
        companion = companion_of(self.request.model.name, infos)
        asked = {self.request.model.name, companion.name if companion is not None else ""}
        others: list[Verdict] = []
        for info in infos:
            if not info.default or info.name in asked:
                continue
            model = self.shelf.get(ModelChoice(info.name, device=self.request.model.device))
            if info.input == "features" and self.facts.features is not None:
                others.append(verdict_of(_predict(model, _feature_table(self.facts)), 0, "features"))
            elif info.input == "waveform" and self.window is not None:
                others += judge_windows(model, self.recording, [self.window])
            yield Found({"others": tuple(others)})

    def _companion(self) -> Any | None:
        info = companion_of(self.request.model.name, self.shelf.infos())
        return None if info is None else self.shelf.get(ModelChoice(info.name, device=self.request.model.device))

    def _judge_features(self, model: Any, role: str) -> Iterator[Step]:
        yield Progress(0.7, "Measuring the 41 features")
        try:
            self.facts.features = extracted_features(self.recording)
        except RecordingError as error:
            # beside a verdict on a spike it is only a remark that there is no second opinion
            self.remarks = (*self.remarks, str(error))
            yield Found({"refusal": str(error)} if role == "verdict" else {"remarks": self.remarks})
            return
        verdict = verdict_of(_predict(model, _feature_table(self.facts)), 0, "features")
        yield Found({role: verdict, "features": self.facts.features})


def _feature_table(facts: Facts) -> pd.DataFrame:
    """The measured features as a table of one cell, with its species, of which a model may have a say."""
    subject = facts.recording.metadata.get("subject")
    species = subject.get("species") if isinstance(subject, Mapping) else facts.recording.metadata.get("species")
    return pd.DataFrame([dict(facts.features)], index=[facts.recording.name]).assign(species=species)


def judge_windows(model: Any, recording: Recording, windows: Sequence[ApWindow]) -> list[Verdict]:
    """Verdicts of a waveform model on windows, all at once; a window that cannot be read is one with a reason."""
    cuts = [_cut(model, recording, window) for window in windows]
    readable = [cut for cut, _ in cuts if cut is not None]
    prediction = _predict(model, readable) if readable else None
    found, row = [], 0
    for window, (cut, reasons) in zip(windows, cuts, strict=True):
        if cut is None or prediction is None:
            found.append(_unreadable(model, window, reasons))
            continue
        verdict = verdict_of(prediction, row, "waveform", window)
        new = tuple(reason for reason in reasons if reason not in verdict.reasons)
        found.append(replace(verdict, reasons=new + verdict.reasons))
        row += 1
    return found


def _cut(model: Any, recording: Recording, window: ApWindow) -> tuple[WindowCut | None, tuple[str, ...]]:
    """The window as the model wants it, and reasons to doubt it; None where it cannot be read."""
    sweep = recording.sweeps[window.sweep]
    if sweep.clamp == "voltage":
        return None, (f"Sweep {sweep.number} is voltage clamp; choose one in current clamp.",)
    form = model.form
    fits = abs(window.duration_s - form.duration_s) < 0.05 * form.duration_s
    try:
        # a window of the model's own length is read with what lies around it, so that filtering has no edges
        if fits:
            cut = window.cut(recording, rate_hz=form.rate_hz, n_samples=form.n_samples, missing="hold")
        else:
            cut = window.cut(recording, missing="hold")
    except CelltypeError as error:
        return None, (str(error),)
    return cut, tuple(model.rates.doubt(sweep.rate_hz)) if fits else ()


def _unreadable(model: Any, window: ApWindow, reasons: tuple[str, ...]) -> Verdict:
    classes = tuple(model.classes)
    even = np.full(len(classes), 1.0 / len(classes))
    return Verdict(model.name, model.version, "waveform", classes, even, reasons, window=window)


def sensitivity(model: Any, recording: Recording, window: ApWindow) -> Band:
    """The verdict as the window is shifted by up to 1 ms to either side."""
    verdicts = judge_windows(model, recording, [window.moved(shift * 1e-3) for shift in SHIFTS_MS])
    return Band(
        classes=tuple(model.classes),
        shifts_ms=SHIFTS_MS,
        probabilities=np.stack([verdict.probabilities for verdict in verdicts]),
        abstained=np.array([verdict.abstained for verdict in verdicts]),
    )


def _comparison(model: Any, recording: Recording, window: ApWindow) -> Comparison | None:
    cut, _ = _cut(model, recording, window)
    return None if cut is None else compare_with_classes(model, cut.voltage_mv, cut.rate_hz)


def _windows_for(model: Any, suggested: Sequence[ApWindow]) -> list[ApWindow]:
    """The best window of each sweep of the kind the model takes."""
    chosen: dict[int, ApWindow] = {}
    for window in suggested:
        if window.kind == model.form.anchor:
            chosen.setdefault(window.sweep, window)
    return list(chosen.values())


def _no_spikes(recording: Recording) -> str:
    usable = sum(sweep.clamp != "voltage" for sweep in recording.sweeps)
    where = "its only sweep" if usable == 1 else f"its {usable} sweeps in current clamp"
    return f"No action potential was found in {where}. Draw a window by hand, or choose a feature model."
