"""The windows of a recording as rectangles over its overview image: the chosen one, and one for each sweep's vote.

A rectangle dragged, resized or drawn on the canvas becomes the chosen window; a window chosen elsewhere moves its
rectangle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.workbench.classify_names import spoken
from napari_celltype.workbench.classify_session import ClassifySession
from napari_celltype.workbench.classify_text import percent
from napari_celltype.workbench.classify_values import CellCall, Verdict
from napari_celltype.workbench.classify_windows import WINDOW, drawn

from .plots.palette import OTHER_CLASS_COLOUR, class_colour, lightened, rgba
from .recording_layers import WINDOWS

if TYPE_CHECKING:
    from .session import Session

__all__ = ["WindowMirrors", "rectangle_of", "window_features", "window_of"]

FloatArray = NDArray[np.float64]

_EDGE_ROWS = 0.05
_COLLECT_MS = 30


def rectangle_of(window: ApWindow, column_ms: float) -> FloatArray:
    """Corners in the pixels of the overview: a row a sweep, columns from the centre of the first one on."""
    left, right = (time_s * 1e3 / column_ms - 0.5 for time_s in (window.start_s, window.stop_s))
    top, bottom = window.sweep - 0.5, window.sweep + 0.5
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])


def window_of(corners: FloatArray, column_ms: float, n_sweeps: int, before: ApWindow | None = None) -> ApWindow:
    """The window a rectangle means: the sweep under its middle, the times at its sides."""
    corners = np.asarray(corners, dtype=float)
    sweep = int(np.clip(round(float(corners[:, 0].mean())), 0, max(n_sweeps - 1, 0)))
    start_s, stop_s = ((end + 0.5) * column_ms * 1e-3 for end in (corners[:, 1].min(), corners[:, 1].max()))
    return drawn(sweep, float(start_s), float(stop_s), before)


Shown = list[tuple[ApWindow, Verdict | None, str]]


def _shown(call: CellCall, chosen: ApWindow | None, before: Shown) -> Shown:
    """Windows to draw with what is said of them: the chosen one first, then those of the other sweeps.

    While a question is being asked again, what was drawn before stays until its answer comes.
    """
    asking = call.votes is None and not call.refusal
    wave = next((v for v in (call.verdict, call.companion) if v is not None and v.window == chosen), None)
    # a verdict on another window is one on a place the window is being dragged over
    dragging = call.verdict is not None and call.verdict.window not in (None, chosen)
    if wave is None and (asking or dragging):
        wave = next((verdict for window, verdict, _ in before if window == chosen), None)
    found: Shown = [] if chosen is None else [(chosen, wave, "chosen")]
    if asking:
        return found + [(window, verdict, "sweep") for window, verdict, _ in before[1:] if window != chosen]
    for vote in call.votes or ():
        window = vote.verdict.window
        if window is not None and window != chosen:
            found.append((window, vote.verdict, "sweep"))
    return found


def _key(shown: Shown) -> tuple[object, ...]:
    """Equal where the same would be drawn."""
    return tuple(
        (window, role, verdict and (verdict.label, verdict.model, verdict.abstained, round(verdict.confidence, 3)))
        for window, verdict, role in shown
    )


def window_features(shown: Shown) -> dict[str, list[Any]]:
    """What is said of each window, as the features of the Shapes layer."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("role", "sweep", "start_ms", "stop_ms", "label", "probability", "abstained", "model", "text")
    }
    for window, verdict, role in shown:
        said = "" if verdict is None else spoken(verdict.label)
        values = {
            "role": role,
            "sweep": window.sweep,
            "start_ms": window.start_s * 1e3,
            "stop_ms": window.stop_s * 1e3,
            "label": "" if verdict is None else verdict.label,
            "probability": float("nan") if verdict is None else verdict.confidence,
            "abstained": verdict is not None and verdict.abstained,
            "model": "" if verdict is None else f"{verdict.model} {verdict.version}",
            # beside each other a dozen words could not be read: dots tell, and the features
            "text": f"● {_text(verdict, said)}" if role == "chosen" else "●",
        }
        for name, value in values.items():
            columns[name].append(value)
    return columns


def _text(verdict: Verdict | None, said: str) -> str:
    if verdict is None:
        return ""
    return f"{said}?" if verdict.abstained else f"{said} {percent(verdict.confidence)}"


class WindowMirrors:
    """Keeps the Shapes layers of all recordings of a session in step with the windows chosen and judged."""

    def __init__(self, session: Session, cells: ClassifySession) -> None:
        self._session = session
        self._cells = cells
        self._writing = False
        self._watched: dict[str, Any] = {}
        self._waiting: set[str] = set()
        self._drawn: dict[str, Shown] = {}
        self._stale: set[str] = set()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_COLLECT_MS)
        self._timer.timeout.connect(self._draw_stale)
        session.viewer.dims.events.ndisplay.connect(self._on_ndisplay)
        cells.answered.connect(self.refresh)
        session.document.chosen.connect(self._on_chosen)
        session.document.closed.connect(self._on_closed)

    @property
    def is_waiting(self) -> bool:
        """Whether something is about to be drawn."""
        return bool(self._timer.isActive())

    def _on_chosen(self, item_id: str, what: str) -> None:
        if what == WINDOW:
            self.refresh(item_id)

    def _on_ndisplay(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for item_id in waiting:
            self.refresh(item_id)

    def _on_closed(self, item_id: str) -> None:
        self._watched.pop(item_id, None)
        self._drawn.pop(item_id, None)
        self._stale.discard(item_id)

    def _layer(self, item_id: str) -> Any | None:
        view = self._session.view(item_id)
        layer: Any = view.layer(WINDOWS) if view is not None else None
        if layer is not None and self._watched.get(item_id) is not layer:
            self._watched[item_id] = layer
            self._drawn.pop(item_id, None)
            layer.events.data.connect(self._on_layer_data)
        return layer

    def refresh(self, item_id: str) -> None:
        """Draw the windows of a recording as they are, in a moment: an answer comes in many parts, drawing is slow."""
        if self._layer(item_id) is not None and not self._writing:
            self._stale.add(item_id)
            if not self._timer.isActive():
                self._timer.start()

    def _draw_stale(self) -> None:
        stale, self._stale = self._stale, set()
        if self._session.has_viewer:
            for item_id in stale:
                self._draw(item_id)

    def _draw(self, item_id: str) -> None:
        layer = self._layer(item_id)
        if layer is None:
            return
        if self._session.viewer.dims.ndisplay != 2:
            # napari cannot add shapes to an empty layer in 3D, where recordings are hidden anyway
            self._waiting.add(item_id)
            return
        before = self._drawn.get(item_id)
        shown = _shown(self._cells.call(item_id), self._cells.window(item_id), before or [])
        if before is not None and _key(shown) == _key(before):
            return
        recording = self._cells.recording(item_id)
        sweeps = recording.sweeps if recording is not None else ()
        self._drawn[item_id] = shown
        self._writing = True
        try:
            _write(layer, shown, max((sweep.stored_duration_s for sweep in sweeps), default=0.0))
        finally:
            self._writing = False

    def _on_layer_data(self, event: Any) -> None:
        """The user has changed rectangles: the one changed last is the chosen window."""
        if self._writing or str(getattr(event, "action", "")).split(".")[-1].lower() not in (
            "added",
            "changed",
            "removed",
        ):
            return
        layer = event.source
        item_id = next((key for key, watched in self._watched.items() if watched is layer), None)
        if item_id is None:
            return
        changed = [int(i) for i in getattr(event, "data_indices", ()) or () if not isinstance(i, tuple)]
        action = str(event.action).split(".")[-1].lower()
        if action == "removed" or not changed:
            self._take_removal(item_id, layer)
            return
        self._take(item_id, layer, changed[0])

    def _take(self, item_id: str, layer: Any, index: int) -> None:
        recording = self._cells.recording(item_id)
        if recording is None or not len(layer.data):
            return
        index = index if -len(layer.data) <= index < len(layer.data) else len(layer.data) - 1
        drawn_before = self._drawn.pop(item_id, [])
        before = drawn_before[index][0] if index < len(drawn_before) else None
        window = window_of(layer.data[index], _column_ms(layer), len(recording.sweeps), before)
        self._cells.choose_window(item_id, window, "Move the window on the canvas")
        self.refresh(item_id)

    def _take_removal(self, item_id: str, layer: Any) -> None:
        self._drawn.pop(item_id, None)
        roles = list(layer.features["role"]) if "role" in layer.features else []
        if "chosen" not in roles:
            self._cells.choose_window(item_id, None, "Delete the window")
        self.refresh(item_id)


def _column_ms(layer: Any) -> float:
    return float(layer.scale[-1])


def _write(layer: Any, shown: Shown, longest_s: float) -> None:
    """A window is a pixel wide beside a whole sweep: it is filled, and a dot beside it tells its class as well.

    Each assignment would make napari draw anew: they are made in silence, and told once.
    """
    import pandas as pd

    with layer.events.blocker_all():
        layer.data = []
        if shown:
            _add(layer, shown)
            layer.features = pd.DataFrame(window_features(shown))
    # on the dark of the overview the colours themselves are too dark to read
    texts = np.array([rgba(lightened(_colour(verdict), 0.65)) for _, verdict, _ in shown])
    if shown:
        late = shown[0][0].start_s > 0.6 * longest_s
        with layer.events.blocker_all():
            layer.text = {
                "string": "{text}",
                "size": 9,
                "color": {"array": texts},
                "anchor": "upper_right" if late else "upper_left",
            }
    layer.refresh()
    layer.events.features()


def _add(layer: Any, shown: Shown) -> None:
    colours = [_colour(verdict) for _, verdict, _ in shown]
    faces = np.array([rgba(colour) for colour in colours])
    faces[:, 3] = [0.55 if role == "chosen" else 0.8 for *_, role in shown]
    layer.add_rectangles(
        [rectangle_of(window, _column_ms(layer)) for window, _, _ in shown],
        edge_color=colours,
        edge_width=_EDGE_ROWS,
        face_color=faces,
    )


def _colour(verdict: Verdict | None) -> str:
    return OTHER_CLASS_COLOUR if verdict is None else class_colour(verdict.label)
