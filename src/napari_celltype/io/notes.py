"""Gather what a reader notices sweep by sweep into few sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["SweepLabel", "SweepNotes", "list_numbers"]

SweepLabel = tuple[str, str]
"""What notes call a sweep: its number (or name), and its electrode where there are several."""


class SweepNotes:
    """Notes on sweeps; the same remark on many sweeps becomes one sentence."""

    def __init__(self) -> None:
        self._general: list[str] = []
        self._sweeps: dict[str, list[SweepLabel]] = {}

    def say(self, *texts: str) -> None:
        """Note whole sentences that are not about single sweeps."""
        self._general += [text for text in texts if text not in self._general]

    def add(self, sweep: SweepLabel, *texts: str) -> None:
        """Note ``texts`` on one sweep."""
        for text in dict.fromkeys(texts):
            self._sweeps.setdefault(text, []).append(sweep)

    def sentences(self, sweeps: Sequence[SweepLabel]) -> tuple[str, ...]:
        """One sentence a remark, saying which of all ``sweeps`` it is about."""
        about_sweeps = [f"{_which(noted, sweeps)}: {text}" for text, noted in self._sweeps.items()]
        return (*self._general, *about_sweeps)


def _which(noted: list[SweepLabel], sweeps: Sequence[SweepLabel]) -> str:
    if len(noted) == len(sweeps) > 1:
        return "All sweeps"
    of_electrode: dict[str, list[str]] = {}
    for number, electrode in noted:
        of_electrode.setdefault(electrode, []).append(number)
    totals = {electrode: sum(1 for _, e in sweeps if e == electrode) for electrode in of_electrode}
    if "" not in of_electrode and all(len(numbers) == totals[e] for e, numbers in of_electrode.items()):
        return f"All sweeps of {' and '.join(of_electrode)}"
    parts = [
        list_numbers(numbers) + (f" ({electrode})" if electrode else "") for electrode, numbers in of_electrode.items()
    ]
    return f"Sweep{'s' if len(noted) > 1 else ''} {', '.join(parts)}"


def list_numbers(labels: Iterable[str]) -> str:
    """``"0-3, 7"`` for 0, 1, 2, 3, 7; labels that are not numbers are listed, beyond ten only counted."""
    labels = list(labels)
    if not all(label.isdecimal() for label in labels):
        more = f" and {len(labels) - 10} more" if len(labels) > 10 else ""
        return ", ".join(labels[:10]) + more
    runs: list[list[int]] = []
    for number in sorted({int(label) for label in labels}):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
