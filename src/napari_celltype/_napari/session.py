"""One session for each viewer: it owns the document, recognises our layers as they come and go, and opens the dock.

Docks and layers talk to the document; this is the only place that moves things between the document and the viewer.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari.layers import Layer
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import QTimer

from napari_celltype.errors import RecordingError
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording
from napari_celltype.workbench import Document, Item

from . import opened
from .camera import camera_of
from .jobs import LatestJob
from .neuron_layers import NODES
from .neuron_view import NeuronView
from .recording_layers import recording_to_layers
from .recording_view import RecordingView
from .session_axes import CanvasAxes, label_of

if TYPE_CHECKING:
    import napari

__all__ = ["PLUGIN", "RECORDING_DOCK", "Session", "layer_name", "session_of", "sessions"]

PLUGIN = "napari-celltype"
RECORDING_DOCK = "Recording"

_sessions: dict[int, Session] = {}


def session_of(viewer: napari.Viewer) -> Session:
    """The session of a viewer; begun on first use, over when the viewer is gone."""
    real: Any = getattr(viewer, "__wrapped__", viewer)  # docks get a proxy, readers the viewer itself
    key = id(real)
    if key not in _sessions:
        _sessions[key] = Session(real)
        weakref.finalize(real, _sessions.pop, key, None)
    return _sessions[key]


def sessions() -> list[Session]:
    """All sessions going on."""
    return list(_sessions.values())


class Session:
    """The document of one viewer and its way to the screen."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self.document = Document()
        self._views: dict[str, NeuronView | RecordingView] = {}
        self._reading = LatestJob(self._on_recording_read, on_failed=self._on_recording_failed)
        self._listing = LatestJob(self._on_folder_listed)
        self._preparing = LatestJob(self._on_dock_imported)
        self._wanted: str | None = None
        self._arriving: set[str] = set()
        self._axes = CanvasAxes(viewer, self.document, self._views, self._on_camera_zoom)
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        camera_of(viewer).events.zoom.connect(self._on_camera_zoom)
        self.document.changed.connect(self._on_item_changed)
        self.document.current_recording_changed.connect(self._on_current_recording_changed)
        for layer in viewer.layers:
            self._adopt(layer)
        self._bind_keys()

    def _bind_keys(self) -> None:
        """Undo and redo while the canvas has the focus, so that text fields keep theirs; whoever bound them first wins.

        They go with the viewer, whose keymap holds them.
        """
        for key, slot in (("Control-Z", self._on_key_undo), ("Control-Shift-Z", self._on_key_redo)):
            if coerce_keybinding(key) not in self.viewer.keymap:
                self.viewer.bind_key(key, slot)

    def _on_key_undo(self, _: Any) -> None:
        self.undo()

    def _on_key_redo(self, _: Any) -> None:
        self.redo()

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer; a session does not outlive it."""
        viewer = self._viewer()
        assert viewer is not None
        return viewer

    @property
    def has_viewer(self) -> bool:
        """Whether the viewer is still there."""
        return self._viewer() is not None

    def view(self, item_id: str) -> NeuronView | RecordingView | None:
        """The layers of an item, if it has any."""
        return self._views.get(item_id)

    def layers_of(self, item_id: str) -> list[Layer]:
        """The layers of an item, bottom to top; empty if it has none."""
        view = self._views.get(item_id)
        return view.layers if view is not None else []

    def open_folder(self, folder: Path) -> None:
        """List the recordings of a folder in the dock; each is read when it becomes current."""
        self.open_dock(RECORDING_DOCK)
        self._listing.start(_list, folder)

    def _on_folder_listed(self, paths: list[Path]) -> None:
        known = {item.path: item.id for item in self.document.recordings}
        new = [Item.listing(path) for path in paths if path not in known]
        for item in new:
            self.document.add(item)
        if new:
            self.document.make_current(new[0].id)

    def undo(self) -> None:
        """Take back the newest edit, and say which it was."""
        edit = self.document.history.undo()
        self.viewer.status = "Nothing to undo." if edit is None else f"Undone: {edit.label}."

    def redo(self) -> None:
        """Make the edit taken back last again, and say which it was."""
        edit = self.document.history.redo()
        self.viewer.status = "Nothing to redo." if edit is None else f"Done again: {edit.label}."

    # layers come and go ------------------------------------------------------------------------------------------

    def _on_layer_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Layer) -> None:
        item_id, role = label_of(layer)
        if not item_id:
            return
        value = self.document[item_id].value if item_id in self.document else opened.take(item_id)
        if value is None:
            return
        first = item_id not in self._views
        if first:
            self._views[item_id] = (
                RecordingView(value)
                if isinstance(value, Recording)
                else NeuronView(self.document, item_id, self.viewer)
            )
        self._views[item_id].take(layer, role)
        self._axes.agree_on_units()
        layer.events.visible.connect(self._axes.on_layer_visible)
        if first:
            self._arriving.add(item_id)
            self.document.add(Item.holding(value, item_id))
            self.document.make_current(item_id)
            # the other layers of this item are still to come, and the window should not wait for the dock
            QTimer.singleShot(0, _Call(self, "_arrange", item_id))

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        item_id, _ = label_of(layer)
        view = self._views.get(item_id)
        if view is None or layer not in view.layers:
            return
        layer.events.visible.disconnect(self._axes.on_layer_visible)
        if view.drop(layer):
            del self._views[item_id]
            self.document.close(item_id)
        self._axes.agree_on_units()

    def _arrange(self, item_id: str) -> None:
        """Once all layers of a new item are there: show it, and nothing that does not share its axes."""
        self._arriving.discard(item_id)
        self._axes.wait_for_layout()
        if item_id not in self._views:
            return
        if isinstance(self._views[item_id], NeuronView):
            self._axes.show_neuron(item_id)
        else:
            self._axes.show_recording(item_id)
            self._show_traces()

    def _show_traces(self) -> None:
        """Open the dock once a worker has imported what it needs; until then the window shows the overview."""
        if hasattr(self.viewer, "window"):
            self._preparing.start(_import_dock)

    def _on_dock_imported(self, _: None) -> None:
        if self.has_viewer and self.document.recordings:
            self.open_dock(RECORDING_DOCK)

    def open_dock(self, name: str) -> None:
        """Open one of our docks, or bring it to the front if it is open."""
        window = getattr(self.viewer, "window", None)
        if window is None:  # a viewer model without a window
            return
        dock, _ = window.add_plugin_dock_widget(PLUGIN, name)
        dock.show()
        dock.raise_()

    @property
    def recording_units(self) -> tuple[str, str]:
        """Units recordings state now."""
        return self._axes.recording_units

    def expect_neuron(self) -> None:
        """A neuron is about to come."""
        self._axes.expect_neuron()

    # the document changes ----------------------------------------------------------------------------------------

    def _on_item_changed(self, item_id: str) -> None:
        view = self._views.get(item_id)
        if isinstance(view, NeuronView):
            view.refresh()

    def _on_current_recording_changed(self, item_id: str | None) -> None:
        if item_id is None:
            return
        item = self.document[item_id]
        if item.value is None and item.path is not None and not item.error:
            self._wanted = item_id
            self._reading.start(_read, item.path)
        elif isinstance(item.value, Recording):
            self._reading.stop()
            self._show_recording(item)

    def _show_recording(self, item: Item) -> None:
        if item.id in self._views:
            if item.id not in self._arriving and not self._axes.neuron_is_visible:
                self._axes.show_recording(item.id)
            return
        for data, options, kind in recording_to_layers(
            cast("Recording", item.value), item_id=item.id, name=layer_name(item.name), units=self.recording_units
        ):
            self.viewer.add_layer(Layer.create(data, options, kind))

    def _on_recording_read(self, recording: Recording) -> None:
        item_id, self._wanted = self._wanted, None
        if item_id is not None and item_id in self.document and self.has_viewer:
            self.document.replace_value(item_id, recording)
            self._show_recording(self.document[item_id])

    def _on_recording_failed(self, reason: str) -> None:
        item_id, self._wanted = self._wanted, None
        if item_id is not None and item_id in self.document:
            self.document.fail(item_id, reason)

    def _on_camera_zoom(self) -> None:
        zoom = camera_of(self.viewer).zoom
        for item_id, view in self._views.items():
            if isinstance(view, NeuronView) and zoom > 0 and item_id not in self._arriving:
                view.follow_zoom(1.0 / zoom)

    def nodes_layer(self, item_id: str) -> Layer | None:
        """The editable Points of a neuron."""
        view = self._views.get(item_id)
        return view.layer(NODES) if isinstance(view, NeuronView) else None

    def neuron_of(self, layer: Layer) -> Neuron | None:
        """The neuron a layer shows, as edited so far."""
        item_id, _ = label_of(layer)
        value = self.document[item_id].value if item_id in self.document else None
        return value if isinstance(value, Neuron) else None


def layer_name(item_name: str) -> str:
    """Name of an item's layers: the file's name without what everybody knows about it."""
    for suffix in (".gz", ".swc", ".abf", ".nwb"):
        item_name = item_name.removesuffix(suffix)
    return item_name


class _Call:
    """A call to be made later, if the session and its viewer are still there by then."""

    def __init__(self, session: Session, method: str, item_id: str) -> None:
        self._session = weakref.ref(session)
        self._method = method
        self._item_id = item_id

    def __call__(self) -> None:
        session = self._session()
        if session is not None and session.has_viewer:
            getattr(session, self._method)(self._item_id)


def _import_dock() -> Generator[None, None, None]:
    """Import what the dock needs: a third of a second the first time."""
    from . import recording_dock  # noqa: F401

    yield None


def _list(folder: Path) -> Generator[list[Path], None, None]:
    from napari_celltype.io import list_recordings

    paths = list_recordings(folder)
    if not paths:
        raise RecordingError("holds no recordings", path=folder, hint="Choose the folder the recordings are in.")
    yield paths


def _read(path: Path) -> Generator[Recording, None, None]:
    from napari_celltype.io import read_recording

    yield read_recording(path)
