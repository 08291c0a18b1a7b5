"""What the canvas shows of a session: neurons or a recording, never both, for time and space share no axis."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from napari.layers import Layer

from napari_celltype.workbench import Document

from .camera import camera_state, fit_view, point_up
from .neuron_layers import KEY
from .neuron_view import NeuronView
from .recording_layers import UNITS
from .recording_view import RecordingView

if TYPE_CHECKING:
    import napari

__all__ = ["CanvasAxes", "label_of"]

_SETTLING_S = 1.5
"""How long the window may take to find its layout after something was opened."""


class CanvasAxes:
    """Hides what does not share the axes of what is shown, and fits the camera as long as nobody has moved it.

    Parameters
    ----------
    viewer
        Whose canvas; held weakly.
    document
        What is open.
    views
        The layers of each item, kept by the session.
    on_turned
        Called when the camera was turned to a neuron.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        document: Document,
        views: dict[str, NeuronView | RecordingView],
        on_turned: Callable[[], None],
    ) -> None:
        self._held = weakref.ref(viewer)
        self._document = document
        self._views = views
        self._on_turned = weakref.WeakMethod(on_turned)
        self._hiding = False
        self._fitted: tuple[str, object] = ("", None)
        self._settled_at = 0.0
        if hasattr(viewer, "canvas"):  # napari 0.9
            viewer.canvas.events.size.connect(self.on_canvas_resized)

    @property
    def _viewer(self) -> napari.Viewer:
        viewer = self._held()
        assert viewer is not None
        return viewer

    def _layers_of(self, item_id: str) -> list[Layer]:
        view = self._views.get(item_id)
        return view.layers if view is not None else []

    # the camera ---------------------------------------------------------------------------------------------------

    def wait_for_layout(self) -> None:
        """Something was opened: what the window does to the camera in the next moments is not the user's doing."""
        self._settled_at = time.monotonic() + _SETTLING_S

    def _fit(self, item_id: str) -> None:
        """Fit an item to the canvas, now and whenever the canvas changes, until the user moves the camera."""
        fit_view(self._viewer, self._layers_of(item_id))
        self._fitted = item_id, camera_state(self._viewer)

    def on_canvas_resized(self) -> None:
        """Fit again what was fitted."""
        item_id, state = self._fitted
        # in 2D napari changes the zoom itself when the canvas changes, so for a moment after opening it proves nothing
        untouched = state == camera_state(self._viewer) or time.monotonic() < self._settled_at
        if item_id in self._views and untouched and self._is_alone():
            self._fit(item_id)

    def _is_alone(self) -> bool:
        """Whether all layers are ours: otherwise camera and dimensions are the user's business."""
        return all(label_of(layer)[0] for layer in self._viewer.layers)

    # time and space share no axis ---------------------------------------------------------------------------------

    def show_neuron(self, item_id: str) -> None:
        """Show a neuron and hide recordings."""
        self._hide_recordings()
        viewer = self._viewer
        if self._is_alone():
            # a tree of lines has no slices worth seeing
            viewer.dims.ndisplay = 3
            point_up(viewer, up=True)
            self._fit(item_id)
        viewer.layers.selection = set(self._layers_of(item_id)[-1:])
        on_turned = self._on_turned()
        if on_turned is not None:
            on_turned()

    def show_recording(self, item_id: str) -> None:
        """Show a recording and hide the others; beside a visible neuron it stays hidden."""
        viewer = self._viewer
        if self.neuron_is_visible:
            self._set_visible(self._layers_of(item_id), visible=False)
            return
        self._hide_recordings(but=item_id)
        self._set_visible(self._layers_of(item_id), visible=True)
        viewer.layers.selection = set(self._layers_of(item_id)[:1])
        if self._is_alone():
            viewer.dims.ndisplay = 2
            point_up(viewer, up=False)
            self._fit(item_id)

    def expect_neuron(self) -> None:
        """A neuron is about to come: agree on units before napari compares them, and turn to 3D before it slices.

        Turning an empty canvas costs nothing; turning one with 25,000 segments on it takes as long as adding them.
        """
        self._set_units(("um", "um"))
        if self._is_alone():
            self._hide_recordings()
            self._viewer.dims.ndisplay = 3

    # units --------------------------------------------------------------------------------------------------------

    def agree_on_units(self) -> None:
        """Let recordings state the neurons' unit while there are neurons, and milliseconds else.

        napari ignores the units of all layers (an image stack in nm over a neuron in um, say) as soon as one layer
        has a unit of another kind, and warns at every layer added. A hidden recording must not cause that.
        """
        self._set_units(self.recording_units)

    @property
    def recording_units(self) -> tuple[str, str]:
        """Units recordings state now; see :meth:`agree_on_units`."""
        return ("um", "um") if any(isinstance(view, NeuronView) for view in self._views.values()) else UNITS

    def _set_units(self, units: tuple[str, str]) -> None:
        for layer in self._recording_layers():
            if _kinds(layer.units) != _kinds(units):
                layer.units = units

    # who is visible -----------------------------------------------------------------------------------------------

    @property
    def neuron_is_visible(self) -> bool:
        """Whether any neuron is shown."""
        views = [view for view in self._views.values() if isinstance(view, NeuronView)]
        return any(layer.visible for view in views for layer in view.layers)

    def on_layer_visible(self, event: Any) -> None:
        """Showing a recording hides neurons and other recordings; showing a neuron hides recordings."""
        layer = cast("Layer", event.source)
        if self._hiding or not layer.visible:
            return
        item_id, _ = label_of(layer)
        view = self._views.get(item_id)
        if isinstance(view, RecordingView):
            self._hide_neurons()
            self.show_recording(item_id)
            self._document.make_current(item_id)
        elif view is not None and any(other.visible for other in self._recording_layers()):
            self.show_neuron(item_id)

    def _recording_layers(self) -> list[Layer]:
        views = [view for view in self._views.values() if isinstance(view, RecordingView)]
        return [layer for view in views for layer in view.layers]

    def _hide_recordings(self, but: str = "") -> None:
        for item_id, view in self._views.items():
            if isinstance(view, RecordingView) and item_id != but:
                self._set_visible(view.layers, visible=False)

    def _hide_neurons(self) -> None:
        for view in self._views.values():
            if isinstance(view, NeuronView):
                self._set_visible(view.layers, visible=False)

    def _set_visible(self, layers: list[Layer], *, visible: bool) -> None:
        was, self._hiding = self._hiding, True
        try:
            for layer in layers:
                layer.visible = visible
        finally:
            self._hiding = was


def label_of(layer: Layer) -> tuple[str, str]:
    """Item id and role of one of our layers; empty for others."""
    label = layer.metadata.get(KEY) if isinstance(layer.metadata, dict) else None
    return (label.get("id", ""), label.get("role", "")) if isinstance(label, dict) else ("", "")


def _kinds(units: Any) -> list[str]:
    """Units by their short names, whether given as text or as pint units."""
    return [{"micrometer": "um", "millisecond": "ms"}.get(str(unit), str(unit)) for unit in units]
