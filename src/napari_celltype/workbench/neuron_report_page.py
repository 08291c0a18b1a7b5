"""Draw the page about a reconstructed cell with matplotlib, which is imported only when a page is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classify_names import spoken
from .neuron_report import NeuronReport
from .neuron_type_text import pair_heads, pair_lines
from .report_page import draw_bars, draw_shape, draw_trace, finish, save_page, say, tail

__all__ = ["save_neuron_report"]

ColourOf = Callable[[str], str]
WhyColours = Callable[[NDArray[np.float64], float], NDArray[np.float32]]

_MOST_MEASURES = 10


def save_neuron_report(report: NeuronReport, path: Path, colour_of: ColourOf, why_colours: WhyColours) -> Path:
    """Save the page as PDF or PNG, as the suffix says; an older file of that name is replaced.

    Parameters
    ----------
    colour_of, why_colours
        Give the colour of a class, and the colours of what decided.

    Raises
    ------
    CelltypeError
        If the suffix is neither, or matplotlib is not installed.
    """
    return save_page(lambda figure: _draw(figure, report, colour_of, why_colours), path)


def _draw(figure: Any, report: NeuronReport, colour_of: ColourOf, why_colours: WhyColours) -> None:
    figure.text(0.08, 0.955, report.title, fontsize=15, weight="bold")
    figure.text(0.92, 0.955, report.when, fontsize=9, ha="right", color="#555555")
    _draw_answers(figure, report, colour_of)
    joint = report.recorded
    rows = 4 if joint is not None else 3
    grid = figure.add_gridspec(rows, 6, left=0.12, right=0.94, top=0.74, bottom=0.15, hspace=0.5, wspace=1.3)
    draw_bars(figure.add_subplot(grid[0, :3]), report.verdict, colour_of)
    if joint is None:
        _draw_repair(figure.add_subplot(grid[0, 3:]), report, colour_of)
    else:
        draw_bars(figure.add_subplot(grid[0, 3:]), joint.verdict, colour_of)
        draw_trace(figure.add_subplot(grid[3, :3]), joint)
        draw_shape(figure.add_subplot(grid[3, 3:]), joint, colour_of)
    _draw_pictures(figure, grid, report)
    _draw_why(figure.add_subplot(grid[2, :3]), report, why_colours)
    _draw_measures(figure.add_subplot(grid[2, 3:]), report)
    for at, facts in enumerate((report.facts, joint.facts if joint is not None else ())):
        text = "\n".join(f"{name}: {tail(value, 60)}" for name, value in facts)
        figure.text(0.08 + 0.44 * at, 0.11, text, fontsize=7, va="top", color="#444444", linespacing=1.3)
    figure.text(0.08, 0.022, report.footer, fontsize=7, color="#555555")


def _draw_answers(figure: Any, report: NeuronReport, colour_of: ColourOf) -> None:
    pairs = [("Neuron", report.answer, report.verdict)]
    if report.recorded is not None:
        pairs.append(("Recording", report.recorded.answer, report.recorded.verdict))
    for at, (what, (answer, detail), verdict) in enumerate(pairs):
        colour = "#333333" if verdict.abstained else colour_of(verdict.label)
        left = 0.08 + 0.44 * at
        figure.text(left, 0.915, answer, fontsize=18, weight="bold", color=colour)
        figure.text(left, 0.895, f"{what}: {detail}" if detail else what, fontsize=10, color="#333333")
    reasons = [f"Why: {reason}" for reason in report.reasons]
    if report.recorded is not None:
        reasons += [f"Why (recording): {reason}" for reason in report.recorded.reasons]
    lines = [fill(text, 110) for text in (*reasons, *report.sentences)]
    figure.text(0.08, 0.885, "\n".join(lines), fontsize=8, va="top", linespacing=1.35)


def _draw_pictures(figure: Any, grid: Any, report: NeuronReport) -> None:
    from napari_celltype.models.neuron_image import NOTHING

    views = report.call.pictures
    for at, name in enumerate(("As networks see it, along z", "along y (axon blue)", "along x")):
        axes = figure.add_subplot(grid[1, 2 * at : 2 * at + 2])
        if views is None:
            say(axes, name, "Not drawn.")
            continue
        axes.imshow(views[at], cmap="RdBu_r", vmin=0, vmax=2 * NOTHING)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(name, fontsize=9, loc="left")


def _draw_why(axes: Any, report: NeuronReport, why_colours: WhyColours) -> None:
    from matplotlib.collections import LineCollection

    why, lines = report.call.why, report.segments_um[:, :, :2]
    if not len(lines):
        say(axes, "Branches", "There is nothing to draw.")
        return
    colours: Any = "#444444" if why is None else why_colours(why.values[report.rows], why.limit)
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.7))
    axes.autoscale_view()
    axes.set_aspect("equal", anchor="W")
    finish(axes, "The neuron along z" if why is None else "What decided", "um", "um")
    if why is not None:
        text = f"orange: for {spoken(why.label)}\nblue: against\ngrey: neither"
        axes.text(1.06, 1.0, text, fontsize=7, va="top", color="#444444", transform=axes.transAxes)


def _draw_measures(axes: Any, report: NeuronReport) -> None:
    found = (report.call.differences or ())[:_MOST_MEASURES]
    title = f"Unlike {spoken(report.verdict.label)} cells, in standard deviations"
    if not found:
        say(axes, title, "No averages of the classes are here to compare with.")
        return
    axes.barh([one.name for one in found], [one.z for one in found], color="#777777")
    axes.axvline(0.0, color="#222222", linewidth=0.6)
    axes.invert_yaxis()
    finish(axes, title)
    axes.tick_params(axis="y", labelsize=6)


def _draw_repair(axes: Any, report: NeuronReport, colour_of: ColourOf) -> None:
    effect = report.call.repair
    if effect is None:
        say(axes, "Repair", "No z-jump was found.")
        return
    lines = pair_lines(effect)
    places = np.arange(len(lines))
    colours = [colour_of(line.label) for line in lines]
    axes.barh(places - 0.2, [line.before for line in lines], 0.38, color=colours, alpha=0.5)
    axes.barh(places + 0.2, [line.after for line in lines], 0.38, color=colours)
    axes.set_yticks(places, [spoken(line.label) for line in lines])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    finish(axes, "Repair: pale {}, full {}".format(*pair_heads(effect)), "calibrated probability")
