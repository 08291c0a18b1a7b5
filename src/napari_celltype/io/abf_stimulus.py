"""What an ABF file's waveform table says of a sweep's stimulus, in words and, where it is one step, in numbers."""

from __future__ import annotations

from napari_celltype.recording import StimulusNote

from .abf_command import Command, Segment
from .channels import Unit

__all__ = ["describe_stimulus"]


def describe_stimulus(name: str, command: Command, sweep: int, rate_hz: float, unit: Unit) -> StimulusNote:
    """The protocol's name and the parts of this sweep that leave the holding level.

    Onset, duration and amplitude are given where a single step does; what else there is stands in the description.
    """
    parts = [part for part in command.segments(sweep) if _leaves_holding(part, command.holding)]
    description = "; ".join(_describe(part, rate_hz, unit) for part in parts)
    if len(parts) != 1 or parts[0].shape != "step":
        return StimulusNote(name, description)
    step = parts[0]
    amplitude = (step.level - command.holding) * unit.to_si if unit.quantity == "current" else None
    return StimulusNote(name, description, step.start / rate_hz, (step.stop - step.start) / rate_hz, amplitude)


def _leaves_holding(part: Segment, holding: float) -> bool:
    flat = part.shape == "step" and part.level == holding
    return part.stop > part.start and not flat and not part.before == part.level == holding


def _describe(part: Segment, rate_hz: float, unit: Unit) -> str:
    when = f"{part.start / rate_hz:.4g} to {part.stop / rate_hz:.4g} s"
    if part.shape == "step":
        return f"step of {part.level:g} {unit}, {when}"
    if part.shape == "ramp":
        return f"ramp from {part.before:g} to {part.level:g} {unit}, {when}"
    every = f", one each {part.period / rate_hz * 1e3:.4g} ms" if part.period > 0 else ""
    return f"{part.shape} train to {part.level:g} {unit}{every}, {when}"
