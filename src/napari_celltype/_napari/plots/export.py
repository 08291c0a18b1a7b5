"""Save what a plot shows as a figure: drawn again at the size of a page, in light colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QRectF, QSize, QSizeF
from qtpy.QtGui import QImage, QPageSize, QPainter, QPdfWriter

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_atomically

from .theme import PlotTheme

__all__ = ["FIGURE_FILTER", "paper_theme", "save_figure"]

FIGURE_FILTER = "SVG (*.svg);;PDF (*.pdf);;PNG (*.png)"

Draw = Callable[[QPainter, float, float, PlotTheme], None]

_SCALE = 3.0


def paper_theme(theme: PlotTheme) -> PlotTheme:
    """Dark on white, whatever the window wears."""
    return PlotTheme(
        dark=False,
        background="#ffffff",
        text="#111111",
        grid="#999999",
        accent="#0050a0",
        warning="#9a5b00",
        error="#b00020",
        font_pt=theme.font_pt,
    )


def save_figure(path: Path, draw: Draw, width: float, height: float, theme: PlotTheme) -> Path:
    """Write an SVG, PDF or PNG as the suffix says; the file is whole or not there.

    Raises
    ------
    CelltypeError
        If the suffix is none of these.
    """
    makers = {".svg": _to_svg, ".pdf": _to_pdf, ".png": _to_png}
    make = makers.get(path.suffix.lower())
    if make is None:
        raise CelltypeError(f"figures are saved as .svg, .pdf or .png, not {path.suffix or 'without a suffix'}")
    return write_atomically(path, make(draw, width, height, paper_theme(theme)), overwrite=True)


def _to_svg(draw: Draw, width: float, height: float, theme: PlotTheme) -> bytes:
    from qtpy.QtSvg import QSvgGenerator

    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(round(width), round(height)))
    generator.setViewBox(QRectF(0, 0, width, height))
    _paint(generator, draw, width, height, theme)
    buffer.close()
    return bytes(data.data())


def _to_pdf(draw: Draw, width: float, height: float, theme: PlotTheme) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    # one pixel of the screen is one 96th of an inch of paper
    writer.setResolution(96)
    writer.setPageSize(QPageSize(QSizeF(width / 96, height / 96), QPageSize.Unit.Inch))
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    _paint(writer, draw, width, height, theme)
    buffer.close()
    return bytes(data.data())


def _to_png(draw: Draw, width: float, height: float, theme: PlotTheme) -> bytes:
    image = QImage(round(width * _SCALE), round(height * _SCALE), QImage.Format.Format_ARGB32)
    image.setDevicePixelRatio(_SCALE)
    _paint(image, draw, width, height, theme)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    buffer.close()
    return bytes(data.data())


def _paint(device: object, draw: Draw, width: float, height: float, theme: PlotTheme) -> None:
    painter = QPainter(device)
    try:
        draw(painter, width, height, theme)
    finally:
        painter.end()
