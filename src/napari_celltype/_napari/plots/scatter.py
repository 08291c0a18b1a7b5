"""Points by the million that pan and zoom fluidly, can be drawn around, and show who is near the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy import API_NAME
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget
from vispy import scene
from vispy.app import use_app

from .dots import Dots
from .palette import rgba
from .theme import PlotTheme

__all__ = ["ScatterView"]

FloatArray = NDArray[np.float64]

FEW = 100_000
"""Of more points than this, so many are drawn while the view moves, and all of them when it rests."""
_REST_MS = 140
_NEAR_PX = 8
_FADED = 0.16


class _Camera(scene.PanZoomCamera):
    """Leaves the mouse to the lasso while that is on."""

    def __init__(self) -> None:
        super().__init__(aspect=1)
        self.lends_mouse = False

    def viewbox_mouse_event(self, event: Any) -> None:
        if self.lends_mouse and event.type != "mouse_wheel":
            return
        super().viewbox_mouse_event(event)


class ScatterView(QWidget):
    """Reference points in colours, marked points above them.

    Attributes
    ----------
    drawn
        Emits the corners of a lasso in the points' coordinates.
    picked
        Emits the index of the point clicked on, or -1.
    pointed
        Emits the index of the point under the mouse, or -1.
    """

    drawn = Signal(object)
    picked = Signal(int)
    pointed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.points: FloatArray = np.empty((0, 2))
        self._tree: Any = None
        self._rgba = np.empty((0, 4), dtype=np.float32)
        self._order = np.empty(0, dtype=np.intp)
        self._selected = np.empty(0, dtype=np.intp)
        self._corners: list[FloatArray] = []
        self._pressed: FloatArray | None = None
        self._marked: list[tuple[str, FloatArray]] = []
        self._has_first = True
        self._ringed: list[bool] = []
        self._theme: PlotTheme | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._make_canvas()
        self.setMinimumSize(180, 150)
        self._resting = _timer(self, _REST_MS, self._on_rest)
        self._renewing = _timer(self, 0, self._renew_canvas)

    def _make_canvas(self) -> None:
        self.canvas = scene.SceneCanvas(keys=None, app=use_app(_APPS[API_NAME.lower()]), show=False)
        self.view = self.canvas.central_widget.add_view()
        self.camera = _Camera()
        self.view.camera = self.camera
        self._is_drawn_on = False
        self._build_visuals()
        self.layout().addWidget(self.canvas.native)
        for event, slot in self._slots:
            getattr(self.canvas.events, event).connect(slot)

    @property
    def _slots(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("initialize", self._on_initialized),
            ("mouse_press", self._on_mouse_press),
            ("mouse_move", self._on_mouse_move),
            ("mouse_release", self._on_mouse_release),
            ("mouse_wheel", self._on_moved),
        )

    def _drop_canvas(self) -> None:
        for event, slot in self._slots:
            getattr(self.canvas.events, event).disconnect(slot)
        self.canvas.close()

    def _on_initialized(self, _: Any = None) -> None:
        """Notice a second drawing context: a dock torn off its window gets one, and what the first held is lost."""
        if self._is_drawn_on:
            self.view.visible = False
            self._renewing.start()
        self._is_drawn_on = True

    def _renew_canvas(self) -> None:
        old, seen, lent = self.canvas.native, self.camera.rect, self.lassoing
        self._drop_canvas()
        self.layout().removeWidget(old)
        old.deleteLater()
        self._make_canvas()
        self.lassoing = lent
        self._draw_points()
        if self._theme is not None:
            self.apply_theme(self._theme)
        self.camera.rect = seen

    def _build_visuals(self) -> None:
        root = self.view.scene
        self._fine, self._marks = (scene.visuals.Markers(parent=root) for _ in range(2))
        self._all, self._few = (Dots(parent=root) for _ in range(2))
        for order, visual in enumerate((self._all, self._few, self._fine, self._marks)):
            visual.order = order
            visual.set_gl_state("translucent", depth_test=False)
            visual.visible = False
        self._lasso = scene.visuals.Line(parent=root, width=1.5, antialias=True)
        self._lasso.order = 5
        self._lasso.visible = False
        self._names = scene.visuals.Text(parent=root, font_size=9, anchor_x="left", anchor_y="bottom")
        self._names.order = 6
        self._names.visible = False

    def tear_down(self) -> None:
        """Stop drawing; the canvas goes with the widget."""
        self._resting.stop()
        self._renewing.stop()
        self._drop_canvas()

    # what is shown -----------------------------------------------------------------------------------------------

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of napari's theme."""
        self._theme = theme
        self.canvas.bgcolor = theme.background
        self._draw_marks()
        self.canvas.update()

    @property
    def lassoing(self) -> bool:
        """Whether dragging draws around points instead of moving the view."""
        return self.camera.lends_mouse

    @lassoing.setter
    def lassoing(self, on: bool) -> None:
        self.camera.lends_mouse = on

    def show_points(self, points: FloatArray, colours: NDArray[np.float32], tree: Any = None) -> None:
        """Show these; ``tree`` finds the point near the mouse (a cKDTree of them)."""
        fit = len(points) != len(self.points) or not np.array_equal(points, self.points)
        self.points, self._tree, self._rgba = points, tree, colours
        # last drawn is on top: a shuffle keeps one class from hiding the others
        self._order = np.random.default_rng(0).permutation(len(points))
        if fit:
            self._selected = np.empty(0, dtype=np.intp)
        self._draw_points()
        if fit:
            self.home()

    def show_selected(self, rows: NDArray[np.intp]) -> None:
        """Let these points stand out: the others fade."""
        if not np.array_equal(rows, self._selected):
            self._selected = rows
            self._draw_points()

    def _draw_points(self) -> None:
        many = len(self.points) > FEW
        self._all.visible, self._few.visible = many, False
        self._fine.visible = bool(len(self.points)) and not many
        if len(self.points):
            colours = self._rgba[self._order].copy()
            if len(self._selected):
                chosen = np.zeros(len(self.points), dtype=bool)
                chosen[self._selected] = True
                colours[~chosen[self._order], 3] *= _FADED
            shown, size = self.points[self._order].astype(np.float32), _size(len(self.points))
            if many:
                self._all.set_data(shown, colours, size)
                self._few.set_data(shown[:FEW], colours[:FEW], size)
            else:
                self._fine.set_data(shown, face_color=colours, edge_width=0, size=size, symbol="disc")
        self.canvas.update()

    def show_marks(
        self, marks: list[tuple[str, FloatArray]], has_first: bool = True, ringed: Sequence[bool] = ()
    ) -> None:
        """Show named places above the points; the first as the one that counts, selected ones ringed."""
        self._marked, self._has_first = marks, has_first
        self._ringed = list(ringed) or [False] * len(marks)
        self._draw_marks()
        self.canvas.update()

    def _draw_marks(self) -> None:
        self._marks.visible = self._names.visible = bool(self._marked)
        if not self._marked or self._theme is None:
            return
        places = np.array([xy for _, xy in self._marked], dtype=np.float32)
        ground, text = rgba(self._theme.background), rgba(self._theme.text)
        first = (np.arange(len(places)) == 0) & self._has_first
        ringed = np.array(self._ringed, dtype=bool)
        accent = rgba(self._theme.warning)
        self._marks.set_data(
            places[::-1],
            face_color=np.where(first[::-1, None], text, (*text[:3], 0.55)).astype(np.float32),
            edge_color=np.where(ringed[::-1, None], accent, ground).astype(np.float32),
            edge_width=np.where(ringed[::-1], 3.0, 1.5).astype(np.float32),
            size=np.where(first[::-1], 22.0, 12.0),
            symbol="star",
        )
        self._names.text = [f"   {name}" for name, _ in self._marked]
        self._names.pos = places
        self._names.color = self._theme.text
        self._names.font_size = max(8, self._theme.font_pt - 1)

    def home(self) -> None:
        """Show all points."""
        everything = np.concatenate([self.points, *(xy[None] for _, xy in self._marked)])
        if not len(everything):
            return
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = 0.05 * max(float((high - low).max()), 1e-6)
        # with z given too, vispy does not ask visuals that hold nothing yet for their bounds
        self.camera.set_range(
            x=(low[0] - margin, high[0] + margin), y=(low[1] - margin, high[1] + margin), z=(0, 1), margin=0.0
        )

    def resizeEvent(self, event: Any) -> None:
        """Keep all in view while nobody has moved it."""
        super().resizeEvent(event)
        self.canvas.update()

    # mouse -------------------------------------------------------------------------------------------------------

    def _to_points(self, pixel: Any) -> FloatArray:
        place = self.view.scene.transform.imap([pixel[0], pixel[1], 0, 1])
        return np.asarray(place[:2] / place[3], dtype=float)

    def index_at(self, pixel: Any) -> int:
        """Index of the point under a pixel, or -1."""
        if self._tree is None or not len(self.points):
            return -1
        here, beside = self._to_points(pixel), self._to_points((pixel[0] + _NEAR_PX, pixel[1]))
        gap, index = self._tree.query(here)
        return int(index) if gap <= np.linalg.norm(beside - here) else -1

    def _on_mouse_press(self, event: Any) -> None:
        self._pressed = np.asarray(event.pos, dtype=float)
        self._corners = [self._to_points(event.pos)] if self.lassoing and event.button == 1 else []

    def _on_mouse_move(self, event: Any) -> None:
        if event.button is None and self._pressed is None:
            self.pointed.emit(self.index_at(event.pos))
        elif self._corners:
            self._corners.append(self._to_points(event.pos))
            self._draw_lasso()
        else:
            self._on_moved()

    def _on_mouse_release(self, event: Any) -> None:
        moved = self._pressed is not None and np.abs(np.asarray(event.pos) - self._pressed).max() > 3
        corners, self._corners, self._pressed = self._corners, [], None
        self._lasso.visible = False
        if moved and len(corners) > 2:
            self.drawn.emit(np.array(corners))
        elif not moved and event.button == 1:
            self.picked.emit(self.index_at(event.pos))
        self.canvas.update()

    def _draw_lasso(self) -> None:
        colour = rgba(self._theme.text if self._theme is not None else "#ffffff")
        self._lasso.set_data(pos=np.array([*self._corners, self._corners[0]], dtype=np.float32), color=colour)
        self._lasso.visible = True
        self.canvas.update()

    # motion ------------------------------------------------------------------------------------------------------

    def _on_moved(self, _: Any = None) -> None:
        if len(self.points) <= FEW:
            return
        self._all.visible, self._few.visible = False, True
        self._resting.start()

    def _on_rest(self) -> None:
        if self._pressed is not None:
            self._resting.start()
            return
        self._all.visible, self._few.visible = True, False
        self.canvas.update()


def _timer(parent: QWidget, wait_ms: int, slot: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(wait_ms)
    timer.timeout.connect(slot)
    return timer


_APPS = {"pyqt5": "pyqt5", "pyqt6": "pyqt6", "pyside2": "pyside2", "pyside6": "pyside6"}


def _size(n_points: int) -> float:
    """Pixels: large for few, small for many."""
    return float(np.clip(9.0 - 2.2 * np.log10(max(n_points, 1) / 100), 2.0, 9.0))
