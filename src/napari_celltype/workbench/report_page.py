"""Draw a cell's page with matplotlib, which is imported only here and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_file_atomically

from .classify_names import spoken
from .classify_values import Verdict
from .report import CellReport

__all__ = ["draw_bars", "draw_shape", "draw_trace", "finish", "save_page", "save_report", "say", "tail"]

_A4 = (8.27, 11.69)
_MOST_LINES = 8


def save_report(report: CellReport, path: Path, colour_of: Callable[[str], str]) -> Path:
    """Save the page as PDF or PNG, as the suffix says; an older file of that name is replaced.

    Parameters
    ----------
    colour_of
        Gives the colour of a class.

    Raises
    ------
    CelltypeError
        If the suffix is neither, or matplotlib is not installed.
    """
    return save_page(lambda figure: _draw(figure, report, colour_of), path)


def save_page(draw: Callable[[Any], None], path: Path) -> Path:
    """Let a page be drawn on an empty figure, and save it; as :func:`save_report`."""
    if path.suffix.lower() not in (".pdf", ".png"):
        raise CelltypeError(f"reports are saved as .pdf or .png, not {path.suffix or 'without a suffix'}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CelltypeError(
            "reports need the package matplotlib", hint="pip install 'napari-celltype[export]'."
        ) from error
    figure = Figure(figsize=_A4, dpi=150)
    draw(figure)
    return write_file_atomically(path, lambda target: figure.savefig(target), overwrite=True)


def _draw(figure: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    figure.text(0.08, 0.955, report.title, fontsize=15, weight="bold")
    figure.text(0.92, 0.955, report.when, fontsize=9, ha="right", color="#555555")
    _draw_answer(figure, report, colour_of)
    grid = figure.add_gridspec(4, 2, left=0.13, right=0.94, top=0.645, bottom=0.07, hspace=0.62, wspace=0.28)
    draw_bars(figure.add_subplot(grid[0, 0]), report.verdict, colour_of)
    _draw_votes(figure.add_subplot(grid[0, 1]), report, colour_of)
    draw_trace(figure.add_subplot(grid[1, :]), report)
    _draw_band(figure.add_subplot(grid[2, :]), report, colour_of)
    draw_shape(figure.add_subplot(grid[3, 0]), report, colour_of)
    _draw_spectrum(figure.add_subplot(grid[3, 1]), report, colour_of)
    figure.text(0.08, 0.022, report.footer, fontsize=7, color="#555555")


def _draw_answer(figure: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    answer, detail = report.answer
    colour = "#333333" if report.verdict.abstained else colour_of(report.verdict.label)
    figure.text(0.08, 0.915, answer, fontsize=20, weight="bold", color=colour)
    figure.text(0.08, 0.893, detail, fontsize=11, color="#333333")
    lines = [fill(text, 88) for text in (*(f"Why: {reason}" for reason in report.reasons), *report.sentences)]
    figure.text(0.08, 0.88, "\n".join(lines), fontsize=8, va="top", linespacing=1.35)
    facts = "\n".join(f"{name}: {tail(value)}" for name, value in report.facts)
    figure.text(0.08, 0.79, facts, fontsize=8, va="top", color="#444444", linespacing=1.35)


def tail(text: str, most: int = 100) -> str:
    """The end of a long text."""
    return text if len(text) <= most else f"…{text[-most:]}"


def finish(axes: Any, title: str, x: str = "", y: str = "") -> None:
    """Title, labels and small print alike on every plot."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def draw_bars(axes: Any, verdict: Verdict, colour_of: Callable[[str], str]) -> None:
    """One bar a class."""
    names = [spoken(name) for name in verdict.classes]
    axes.barh(names, verdict.probabilities, color=[colour_of(name) for name in verdict.classes])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    finish(axes, f"{verdict.model} {verdict.version}", "calibrated probability")


def _draw_votes(axes: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    votes = report.call.votes or ()
    if not votes:
        say(axes, "Sweeps", "No sweep was asked.")
        return
    for place, vote in enumerate(votes):
        faint = 0.3 if vote.verdict.abstained else 1.0
        axes.bar(place, vote.verdict.confidence, color=colour_of(vote.verdict.label), alpha=faint)
    step = max(1, len(votes) // 12)
    axes.set_xticks(range(0, len(votes), step), [str(vote.number) for vote in votes[::step]])
    axes.set_ylim(0, 1)
    finish(axes, "Each sweep by itself (pale: abstained)", "sweep", "probability")


def draw_trace(axes: Any, report: CellReport) -> None:
    """The window and what lies around it."""
    if report.window_ms is None:
        say(axes, "Window", "No window was chosen.")
        return
    axes.plot(report.trace_ms, report.trace_mv, color="#222222", linewidth=0.7)
    axes.axvspan(*report.window_ms, color="#0072b2", alpha=0.2, linewidth=0)
    finish(axes, "The window and what lies around it", "time (ms)", "mV")


def _draw_band(axes: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    band = report.call.band
    if band is None:
        say(axes, "Shifting the window", "No waveform model was asked.")
        return
    for name, shares in zip(band.classes, band.probabilities.T, strict=True):
        axes.plot(band.shifts_ms, shares, color=colour_of(name), label=spoken(name), linewidth=1.2)
    for shift in band.shifts_ms[band.abstained]:
        axes.axvspan(shift - 0.05, shift + 0.05, color="#999999", alpha=0.2, linewidth=0)
    axes.set_ylim(0, 1)
    axes.legend(fontsize=7, frameon=False, ncols=len(band.classes), loc="lower right", bbox_to_anchor=(1.0, 1.0))
    finish(axes, "Shifting the window (grey: abstains)", "shift (ms)", "probability")


def draw_shape(axes: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    """The spike over the averages of the classes."""
    found = report.call.comparison
    if found is None:
        say(axes, "Waveform", "No class averages to compare with.")
        return
    for name, mean, spread in zip(found.classes, found.mean_mv, found.spread_mv, strict=True):
        axes.fill_between(found.time_ms, mean - spread, mean + spread, color=colour_of(name), alpha=0.15, linewidth=0)
        axes.plot(found.time_ms, mean, color=colour_of(name), linewidth=0.8)
    axes.plot(found.time_ms, found.cell_mv, color="black", linewidth=1.5)
    finish(axes, "Waveform (black) and class averages", "time (ms)", "mV")


def _draw_spectrum(axes: Any, report: CellReport, colour_of: Callable[[str], str]) -> None:
    found = report.call.comparison
    if found is None:
        say(axes, "Spectrum", "No class spectra to compare with.")
        return
    for name, level in zip(found.classes, found.class_db, strict=True):
        axes.plot(found.frequency_khz, level, color=colour_of(name), linewidth=0.8)
    axes.plot(found.frequency_khz, found.cell_db, color="black", linewidth=1.5)
    finish(axes, "Spectrum (black) and class spectra", "kHz", "dB")


def say(axes: Any, title: str, text: str) -> None:
    """A sentence in the place of a plot."""
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, loc="left")
    axes.text(0.0, 0.8, text, fontsize=8, color="#555555", transform=axes.transAxes)
