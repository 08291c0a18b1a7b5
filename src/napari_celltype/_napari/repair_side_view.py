"""The neurite around a jump from the side, before and after: z against x, y or the way along the neurite."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_celltype import tree
from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray
from napari_celltype.workbench.repair_preview import Preview

from .plots.theme import PlotTheme, style_plot
from .repair_colours import BEFORE_COLOUR, after_colour

__all__ = ["SideView", "better_axis"]

_LATER_MS = 100
_LEAST_PX = 90  # a question above must not make the window higher than a small screen
Across = Literal["auto", "x", "y", "along"]
_CHOICES: tuple[tuple[str, Across], ...] = (
    ("From the side (x or y)", "auto"),
    ("x – z", "x"),
    ("y – z", "y"),
    ("Along the neurite", "along"),
)


def better_axis(neuron: Neuron, row: int, reach_um: float) -> str:
    """The axis, x or y, along which the neurite around a node extends more."""
    near = _near(neuron, row, reach_um)
    extent = np.ptp(neuron.xyz_um[near, :2], axis=0) if len(near) else np.zeros(2)
    return "x" if extent[0] >= extent[1] else "y"


def reach_of(preview: Preview) -> float:
    """How far around a jump is worth showing."""
    return max(3.0 * abs(preview.row.jump.dz_um), 40.0)


class SideView(QWidget):
    """A plot of depth with the neurite before (grey) and after (in a strong colour) a repair."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preview: Preview | None = None
        # drawn when the canvas has been: that is where the eye is
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER_MS)
        self._later.timeout.connect(self._draw)
        self.plot_widget = pg.PlotWidget(viewBox=pg.ViewBox(enableMenu=False), enableMenu=False)
        self.plot_widget.setMinimumHeight(_LEAST_PX)
        plot = self.plot_widget.getPlotItem()
        plot.hideButtons()
        plot.setAspectLocked(True)
        plot.layout.setContentsMargins(0, 2, 8, 2)
        self.plot = plot
        self.choice = QComboBox()
        for text, value in _CHOICES:
            self.choice.addItem(text, value)
        self.choice.setToolTip("What runs across the side view; z runs upwards")
        self.choice.currentIndexChanged.connect(self._on_choice_changed)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.hint = QLabel("Select a jump to see it from the side, before and after.")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        self.hint.setMinimumHeight(_LEAST_PX)
        bar = QHBoxLayout()
        bar.addWidget(self.choice)
        bar.addStretch(1)
        bar.addWidget(self.legend)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(bar)
        column.addWidget(self.plot_widget, 1)
        column.addWidget(self.hint, 1)
        self.plot_widget.hide()
        # (lines of the rest, before, after), made once
        self._curves = [pg.PlotCurveItem(connect="pairs") for _ in range(3)]
        self._mark = pg.ScatterPlotItem(symbol="o", size=9, brush=None)
        for item in (*self._curves, self._mark):
            plot.addItem(item)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the theme's colours."""
        self.plot_widget.setBackground(theme.background)
        style_plot(self.plot, theme)
        self.plot.getAxis("left").setWidth(48)
        rest, before, after = self._curves
        rest.setPen(pg.mkPen(theme.text, width=1, style=Qt.PenStyle.DotLine))
        before.setPen(pg.mkPen(BEFORE_COLOUR, width=2, style=Qt.PenStyle.DashLine))
        colour = after_colour(dark=theme.dark)
        after.setPen(pg.mkPen(colour, width=2))
        self._mark.setPen(pg.mkPen(theme.warning, width=2))
        self.legend.setText(
            f'<span style="color:{BEFORE_COLOUR}">╍ before</span>&nbsp; <span style="color:{colour}">━ after</span>'
        )

    def show_preview(self, preview: Preview | None) -> None:
        """Draw this jump, or nothing."""
        self._preview = preview
        self._later.start()

    @property
    def across(self) -> str:
        """What runs across: x, y or along."""
        wanted = str(self.choice.currentData())
        if wanted != "auto" or self._preview is None:
            return "x" if wanted == "auto" else wanted
        row = int(self._preview.before.rows_of(self._preview.row.jump.node_id)[0])
        return better_axis(self._preview.before, row, reach_of(self._preview))

    def _on_choice_changed(self) -> None:
        self._draw()

    def _draw(self) -> None:
        preview = self._preview
        self.hint.setVisible(preview is None)
        self.plot_widget.setVisible(preview is not None)
        if preview is None:
            for item in (*self._curves, self._mark):
                item.setData([], [])
            return
        across, reach = self.across, reach_of(preview)
        row = int(preview.before.rows_of(preview.row.jump.node_id)[0])
        if across == "along":
            rows = _kin(preview.before, row)
            places = _way_along(preview.before, row)
            near = rows[np.abs(places[rows]) < reach]
        else:
            places = None
            near = np.union1d(_near(preview.before, row, reach), _near(preview.after, row, reach))
        moved = np.isin(near, preview.moved)
        axis = "xy".index(across) if across in "xy" else 0
        for curve, neuron, chosen in zip(
            self._curves,
            (preview.after, preview.before, preview.after),
            (near[~moved], near[moved], near[moved]),
            strict=True,
        ):
            curve.setData(*_lines(neuron, chosen, neuron.xyz_um[:, axis] if places is None else places))
        for neuron, item in ((preview.before, self._mark),):
            at = neuron.xyz_um[row, axis] if places is None else places[row]
            item.setData([at], [neuron.xyz_um[row, 2]])
        label = "along the neurite" if across == "along" else across
        self.plot.getAxis("bottom").setLabel(f"{label} (µm)")
        self.plot.getAxis("left").setLabel("z (µm)")
        self._fit(near[moved], axis, places)

    def _fit(self, rows: IntArray, axis: int, places: NDArray[np.float64] | None) -> None:
        """Show what moves, before and after, with some of what is around it."""
        preview = self._preview
        assert preview is not None
        rows = rows[preview.before.parents[rows] >= 0]
        rows = np.union1d(rows, preview.before.parents[rows])
        across = [
            neuron.xyz_um[rows, axis] if places is None else places[rows] for neuron in (preview.before, preview.after)
        ]
        depth = [neuron.xyz_um[rows, 2] for neuron in (preview.before, preview.after)]
        corners = np.array([np.concatenate(across), np.concatenate(depth)])
        corners = corners[:, np.isfinite(corners).all(axis=0)]
        if not corners.size:
            self.plot.autoRange(padding=0.08)
            return
        (left, bottom), (right, top) = corners.min(axis=1), corners.max(axis=1)
        self.plot.vb.setRange(xRange=(left, right), yRange=(bottom, top), padding=0.15)

    def tear_down(self) -> None:
        """Let go of the neurons drawn, and of the menu pyqtgraph makes without a parent to die with."""
        self._later.stop()
        self.plot.ctrlMenu.deleteLater()
        self._preview = None
        self._draw()


def _near(neuron: Neuron, row: int, reach_um: float) -> IntArray:
    """Rows whose line lies within reach of a node, the node's own first."""
    with np.errstate(invalid="ignore"):
        away = np.abs(neuron.xyz_um - neuron.xyz_um[row]).max(axis=1)
    return np.flatnonzero(away < reach_um)


def _kin(neuron: Neuron, row: int) -> IntArray:
    """A node's ancestors and descendants, itself included."""
    above = [row]
    while (up := int(neuron.parents[above[-1]])) >= 0 and len(above) < 2000:
        above.append(up)
    is_row = np.zeros(len(neuron), dtype=bool)
    is_row[row] = True
    below = np.flatnonzero(tree.nearest_ancestor(neuron.parents, is_row) >= 0)
    return np.union1d(below, np.array(above))


def _way_along(neuron: Neuron, row: int) -> NDArray[np.float64]:
    """Length in the plane from a node to every other along the neurite: below it counted up, above it down."""
    step = neuron.xyz_um[:, :2] - neuron.xyz_um[neuron.parents, :2]
    length = np.nan_to_num(np.hypot(step[:, 0], step[:, 1]))
    length[neuron.parents < 0] = 0.0
    way = tree.root_path_sum(length, neuron.parents)
    return way - way[row]


def _lines(neuron: Neuron, rows: IntArray, places: NDArray[np.float64]) -> tuple[Any, Any]:
    """Pairs of points: each node and its parent."""
    rows = rows[neuron.parents[rows] >= 0]
    both = np.stack([rows, neuron.parents[rows]], axis=1)
    drawn = np.isfinite(neuron.xyz_um[both]).all(axis=(1, 2))
    both = both[drawn].ravel()
    return places[both], neuron.xyz_um[both, 2]
