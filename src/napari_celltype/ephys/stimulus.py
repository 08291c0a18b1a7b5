"""What each sweep was stimulated with: from its name, from the shape of the command, or from the response.

Every answer carries how sure it is and why, in words; what the user says wins and is recorded as such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from napari_celltype.recording import FloatArray, Recording, Sweep

from .command import CommandShape, Pulse, describe_command
from .response import onset_from_responses

__all__ = ["STIMULUS_KINDS", "Stimulus", "StimulusKind", "find_stimuli", "find_stimulus"]

StimulusKind = Literal[
    "short_square", "long_square", "ramp", "noise", "pulse_train", "chirp", "test_pulse", "gap_free", "unknown"
]
STIMULUS_KINDS: tuple[StimulusKind, ...] = get_args(StimulusKind)
StimulusSource = Literal["user", "name", "command", "response", "none"]


@dataclass(frozen=True)
class Stimulus:
    """What a sweep was stimulated with, when, how strongly, and why we think so.

    Parameters
    ----------
    kind
        One of :data:`STIMULUS_KINDS`.
    onset_s, offset_s
        Begin and end of the stimulus (the test pulse before it not counted); None where unknown.
    amplitude_pa
        Largest deviation from the holding current, signed; None where there is no command.
    confidence
        From 0 to 1.
    reason
        Why, in words.
    source
        What the kind was taken from.
    test_pulse_s
        Begin and end of a test pulse before the stimulus.
    baseline_pa
        Holding current.
    prepulse
        Another step that ends where this one begins: its onset (s), its end (s) and its size (pA).
    """

    kind: StimulusKind
    onset_s: float | None = None
    offset_s: float | None = None
    amplitude_pa: float | None = None
    confidence: float = 0.0
    reason: str = ""
    source: StimulusSource = "none"
    test_pulse_s: tuple[float, float] | None = None
    baseline_pa: float | None = None
    prepulse: tuple[float, float, float] | None = None

    @property
    def duration_s(self) -> float | None:
        """How long it lasted, or None."""
        return None if self.onset_s is None or self.offset_s is None else self.offset_s - self.onset_s


# Names and codes of the Allen Institute, MIES and ipfx protocols, then words any laboratory uses. First match wins.
_NAMES: tuple[tuple[str, StimulusKind, float], ...] = (
    (r"\bshort square ?- ?triple\b|\bc2sstriple|pulse ?train", "pulse_train", 0.95),
    (r"\bshort square\b|\bc[12]ss[a-z0-9]|\bx?\d?sp_rheo|shortsquare|short pulse", "short_square", 0.95),
    (r"0\.5 ?ms subthreshold|\bc1sqcapchk|\bextp[a-z]|^test$|test ?pulse|rundowntest", "test_pulse", 0.9),
    (r"ramp to rheobase|\bc2nsrmp", "unknown", 0.9),
    (r"\bnoise\b|\bc[12]nss|\bc[12]nsd|newnoise|\bgwn\b|\bnoise[ _-]?\d", "noise", 0.95),
    (r"\blong square\b|\bc[12]ls[a-z0-9]|\b[xy]?\d?ps_s|\b[xy]?\d?lp_rheo|longsquare|long pulse", "long_square", 0.95),
    (r"\bc2sqrhelng|square - 2s suprathreshold|\bsubthreshold(_|$)", "long_square", 0.9),
    (r"\bidrest|\bidthres|\biv\b|\bstep-and-hold|current ?steps?\b|\bic[ _]steps?\b|^steps?$", "long_square", 0.6),
    (r"\bchirp|\bc[12][a-z]*chrp|\bc2chirp|\bzap\b", "chirp", 0.9),
    (r"\bramps?\b|\bx?7?ramp|\bc1rp25|_ramp\b", "ramp", 0.9),
    (r"gap[- ]?free|spontaneous", "gap_free", 0.7),
)


_ADJACENT_S = 0.05


def find_stimulus(sweep: Sweep) -> Stimulus:
    """Say what one sweep was stimulated with, from its name and its command.

    :func:`find_stimuli` does this for a whole recording and can also compare the responses of its sweeps.
    """
    return _judge(sweep, _command_of(sweep))


def find_stimuli(recording: Recording, chosen: Mapping[int, StimulusKind | Stimulus] | None = None) -> list[Stimulus]:
    """Say what each sweep of a recording was stimulated with.

    Parameters
    ----------
    recording
        Sweeps without a command are judged together by how their responses differ.
    chosen
        What the user knows better, by index of the sweep: a kind, or a whole :class:`Stimulus`. It wins, and the
        answer says that it was chosen and what would have been found.
    """
    shapes = [_command_of(sweep) for sweep in recording.sweeps]
    found = [_judge(sweep, shape) for sweep, shape in zip(recording.sweeps, shapes, strict=True)]
    found = _pick_varied_steps(recording, shapes, found)
    found = _add_responses(recording, found)
    for index, choice in (chosen or {}).items():
        found[index] = _override(found[index], choice)
    return found


def _command_of(sweep: Sweep) -> CommandShape | None:
    if sweep.clamp == "voltage" or sweep.read_current is None or sweep.n_samples < 3:
        return None
    current = sweep.current_pa()
    return None if current is None else describe_command(current, sweep.rate_hz)


def _judge(sweep: Sweep, shape: CommandShape | None) -> Stimulus:
    if sweep.clamp == "voltage":
        return Stimulus("unknown", confidence=1.0, reason="the sweep was recorded in voltage clamp")
    named = _from_name(sweep)
    drawn = _from_note(sweep) or (None if shape is None else _from_shape(sweep, shape))
    if drawn is None:
        return named or _without_command(sweep)
    if named is None:
        return drawn
    if named.kind == drawn.kind:
        reason = f"{named.reason}, and {drawn.reason}"
        return replace(drawn, confidence=max(named.confidence, drawn.confidence), reason=reason, source="name")
    if named.kind == "gap_free":
        return named
    if drawn.onset_s is None:
        return replace(drawn, reason=f"{named.reason}, but {drawn.reason}")
    # general words ("steps") say less than a clear shape; protocol names say more than any shape
    if named.confidence < drawn.confidence or named.kind == "unknown":
        return replace(drawn, reason=f"{drawn.reason} ({named.reason})")
    return replace(drawn, kind=named.kind, confidence=named.confidence, reason=named.reason, source="name")


def _from_name(sweep: Sweep) -> Stimulus | None:
    for text in (sweep.stimulus.name, sweep.stimulus.description):
        for pattern, kind, confidence in _NAMES:
            if text and re.search(pattern, text.strip().lower()):
                reason = f"the file calls the stimulus “{text.strip()}”"
                return Stimulus(kind, confidence=confidence, reason=reason, source="name")
    return None


def _from_note(sweep: Sweep) -> Stimulus | None:
    """One step the file states in words: surer than a measured current, which may be noisy."""
    note = sweep.stimulus
    if note.onset_s is None or note.duration_s is None:
        return None
    offset = note.onset_s + note.duration_s
    amplitude = _measured_step(sweep, note.onset_s, offset) if note.amplitude_a is None else note.amplitude_a * 1e12
    kind, confidence, _ = _kind_of_square(note.duration_s)
    strength = "" if amplitude is None else f" of {amplitude:.4g} pA"
    reason = f"the file states a step{strength} for {note.duration_s * 1e3:.4g} ms"
    return Stimulus(
        kind,
        note.onset_s,
        offset,
        amplitude,
        confidence,
        reason,
        "command",
    )


def _measured_step(sweep: Sweep, onset_s: float, offset_s: float) -> float | None:
    """Size of a step in a measured current, from the medians before and during it."""
    before, during = sweep.current_pa(onset_s - 0.05, onset_s), sweep.current_pa(onset_s, offset_s)
    if before is None or during is None or not before.size or not during.size:
        return None
    size = float(np.median(during) - np.median(before))
    return round(size, 2) if np.isfinite(size) else None


def _without_command(sweep: Sweep) -> Stimulus:
    if sweep.stored_duration_s > 20.0:
        reason = "the file stores no command and the sweep is long"
        return Stimulus("gap_free", confidence=0.4, reason=reason, source="response")
    return Stimulus("unknown", reason="the file stores neither a command nor a name for the stimulus")


def _from_shape(sweep: Sweep, shape: CommandShape) -> Stimulus:
    kind, confidence, reason = _kind_of(sweep, shape)
    return Stimulus(
        kind,
        shape.onset_s,
        shape.offset_s,
        shape.amplitude_pa,
        confidence,
        reason,
        "command",
        shape.test_pulse_s,
        shape.baseline_pa,
    )


def _kind_of(sweep: Sweep, shape: CommandShape) -> tuple[StimulusKind, float, str]:
    if shape.form == "flat":
        return _kind_of_flat(sweep, shape)
    lasts = f"{shape.duration_s * 1e3:.4g} ms"
    if shape.form == "square":
        return _kind_of_square(shape.duration_s)
    if shape.form == "squares":
        return "pulse_train", 0.85, f"the command is {len(shape.pulses)} equal squares"
    if shape.form == "steps":
        return "unknown", 0.5, f"the command is {len(shape.pulses)} unequal steps"
    if shape.form == "ramp":
        return "ramp", 0.9, f"the command rises or falls steadily for {lasts}"
    if shape.form == "noise" and abs(shape.amplitude_pa) < 10.0:
        return "unknown", 0.3, "the current only fluctuates by a few pA"
    if shape.form == "noise":
        return "noise", 0.8, f"the command changes direction all the time for {lasts}"
    if shape.form == "sweep":
        return "chirp", 0.6, f"the command oscillates faster and faster for {lasts}"
    return "unknown", 0.6, "the command has a shape of no kind known here"


def _kind_of_square(duration_s: float) -> tuple[StimulusKind, float, str]:
    lasts = f"{duration_s * 1e3:.4g} ms"
    if duration_s <= 0.010:
        return "short_square", 0.9, f"the command is one square of {lasts}"
    if duration_s >= 0.2:
        return "long_square", 0.9, f"the command is one square of {lasts}"
    nearer: StimulusKind = "short_square" if duration_s < 0.03 else "long_square"
    return nearer, 0.5, f"the command is one square of {lasts}, between short (3 ms) and long (1 s)"


def _kind_of_flat(sweep: Sweep, shape: CommandShape) -> tuple[StimulusKind, float, str]:
    if shape.test_pulse_s is not None:
        return "test_pulse", 0.7, "the command holds nothing but a test pulse"
    if sweep.stored_duration_s > 20.0:
        return "gap_free", 0.6, "the command is constant and the sweep is long"
    return "unknown", 0.5, "the command is constant: nothing was injected"


def _override(found: Stimulus, choice: StimulusKind | Stimulus) -> Stimulus:
    if isinstance(choice, Stimulus):
        return replace(
            choice, confidence=1.0, source="user", reason=f"chosen by the user (was {found.kind}: {found.reason})"
        )
    if choice not in STIMULUS_KINDS:
        raise ValueError(f"{choice!r} is no stimulus kind; choose one of {', '.join(STIMULUS_KINDS)}")
    reason = f"chosen by the user (was {found.kind}: {found.reason})"
    return replace(found, kind=choice, confidence=1.0, source="user", reason=reason)


def _pick_varied_steps(
    recording: Recording, shapes: list[CommandShape | None], found: list[Stimulus]
) -> list[Stimulus]:
    """Judge the sweeps of a family of steps together: by the step that changes, also where it happens to be zero."""
    family = [k for k, shape in enumerate(shapes) if shape is not None and shape.form in ("steps", "square", "flat")]
    varied = _first_varied_step([shapes[k] for k in family])
    if varied is None:
        return found
    for k in family:
        shape = shapes[k]
        assert shape is not None
        if shape.form == "square" and _is_at(shape.pulses[0], varied):
            continue
        # a lone step elsewhere is a stimulus of its own unless the family has further steps
        if shape.form == "square" and not any(s is not None and s.form == "steps" for s in shapes):
            continue
        found[k] = _as_step(found[k], varied, shape)
    return found


def _is_at(pulse: Pulse, times: tuple[float, float]) -> bool:
    return abs(pulse.start_s - times[0]) < 1e-3 and abs(pulse.stop_s - times[1]) < 1e-3


def _first_varied_step(shapes: Sequence[CommandShape | None]) -> tuple[float, float] | None:
    levels: dict[tuple[float, float], list[float]] = {}
    for shape in shapes:
        for pulse in shape.pulses if shape is not None else ():
            if pulse.duration_s >= 0.001:
                key = next((known for known in levels if _is_at(pulse, known)), (pulse.start_s, pulse.stop_s))
                levels.setdefault(key, []).append(pulse.level_pa)
    varied = [times for times, found in levels.items() if len(found) > 1 and max(found) - min(found) > 1.0]
    return min(varied, default=None)


def _as_step(found: Stimulus, times: tuple[float, float], shape: CommandShape) -> Stimulus:
    kind, confidence, _ = _kind_of_square(times[1] - times[0])
    middle = (times[0] + times[1]) / 2.0
    own = next((pulse for pulse in shape.pulses if pulse.start_s <= middle < pulse.stop_s), None)
    before = next((pulse for pulse in shape.pulses if abs(pulse.stop_s - times[0]) < _ADJACENT_S), None)
    n_others = len(shape.pulses) - (own is not None)
    reason = f"the step from {times[0]:.4g} to {times[1]:.4g} s changes between sweeps"
    if own is None:
        reason += " and is zero in this one"
    if n_others:
        reason += f"; {n_others} other step{'s' if n_others > 1 else ''} left aside"
    return replace(
        found,
        kind=kind,
        onset_s=times[0],
        offset_s=times[1],
        amplitude_pa=0.0 if own is None else own.level_pa,
        confidence=round(0.8 * confidence, 2),
        reason=reason,
        source="command",
        baseline_pa=shape.baseline_pa,
        prepulse=None if before is None else (before.start_s, before.stop_s, before.level_pa),
    )


def _add_responses(recording: Recording, found: list[Stimulus]) -> list[Stimulus]:
    """Fill in onsets of sweeps without a command from where their responses part."""
    blind = [k for k, stimulus in enumerate(found) if stimulus.onset_s is None and _lacks_command(recording.sweeps[k])]
    groups: dict[tuple[str, float, int], list[int]] = {}
    for k in blind:
        sweep = recording.sweeps[k]
        groups.setdefault((sweep.electrode, sweep.rate_hz, sweep.n_stored), []).append(k)
    for members in groups.values():
        voltages: list[FloatArray] = [recording.sweeps[k].voltage_mv() for k in members]
        times = onset_from_responses(voltages, recording.sweeps[members[0]].rate_hz)
        for k in members if times else ():
            found[k] = _from_response(found[k], times, len(members))
    return found


def _lacks_command(sweep: Sweep) -> bool:
    return sweep.clamp != "voltage" and sweep.read_current is None and sweep.read_voltage is not None


def _from_response(found: Stimulus, times: tuple[float, float] | None, n_sweeps: int) -> Stimulus:
    assert times is not None
    onset, offset = times
    reason = (
        f"no command is stored; the responses of {n_sweeps} sweeps part from {onset:.4g} s to {offset:.4g} s"
        if n_sweeps > 1
        else f"no command is stored; the response deviates from {onset:.4g} s to {offset:.4g} s"
    )
    if found.source == "name":
        return replace(found, onset_s=onset, offset_s=offset, reason=f"{found.reason}; {reason}")
    kind: StimulusKind = "long_square" if offset - onset >= 0.1 else "unknown"
    return replace(found, kind=kind, onset_s=onset, offset_s=offset, confidence=0.4, reason=reason, source="response")
