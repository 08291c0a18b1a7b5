"""Plots in the colours of napari's theme, live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtGui import QFont, QFontMetrics

__all__ = ["PlotTheme", "line_height", "style_plot", "theme_of"]


@dataclass(frozen=True)
class PlotTheme:
    """What a plot needs to know of a theme; colours as ``#rrggbb``."""

    dark: bool
    background: str
    text: str
    grid: str
    accent: str
    warning: str
    error: str
    font_pt: int


def theme_of(viewer: Any) -> PlotTheme:
    """The plot colours that go with the viewer's theme."""
    theme = get_theme(viewer.theme)
    dark = theme.type == "dark"
    return PlotTheme(
        dark=dark,
        background=theme.background.as_hex("long"),
        text=theme.text.as_hex("long"),
        grid=theme.primary.as_hex("long"),
        accent=theme.current.as_hex("long"),
        # napari's warning yellow is unreadable on its light background
        warning="#e3b617" if dark else "#9a5b00",
        error="#ff6b6b" if dark else "#b00020",
        font_pt=int(str(theme.font_size).removesuffix("pt")),
    )


def _font(theme: PlotTheme) -> QFont:
    font = QFont()
    font.setPointSize(theme.font_pt)
    return font


def line_height(theme: PlotTheme) -> int:
    """Pixels a line of text takes in a plot."""
    return QFontMetrics(_font(theme)).height()


def style_plot(plot: pg.PlotItem, theme: PlotTheme) -> None:
    """Give a plot's axes, labels and grid the theme's colours and font size."""
    font = _font(theme)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(theme.text))
        axis.setTextPen(pg.mkPen(theme.text))
        axis.setTickFont(font)
        axis.setLabel(axis.labelText, units=axis.labelUnits, color=theme.text, **{"font-size": f"{theme.font_pt}pt"})
    plot.getAxis("left").setWidth(round(2.6 * line_height(theme)) + 14)
    plot.showGrid(x=True, y=True, alpha=0.15 if theme.dark else 0.2)
