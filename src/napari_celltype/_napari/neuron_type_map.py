"""Maps of reconstructions in the Map dock: thumbnails of their cells, and the map that fits what is selected."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .neuron_layers import KEY
from .plots.palette import OTHER_CLASS_COLOUR, rgba

if TYPE_CHECKING:
    from .map_dock import MapDock

__all__ = ["MapFollower", "thumbnail", "to_png"]

_SCALE = 4


def thumbnail(picture: NDArray[np.uint8], colour: str = OTHER_CLASS_COLOUR) -> str:
    """A small picture for rich text, four times as large, in one colour on whatever ground the text has."""
    from scipy.ndimage import zoom

    large = np.clip(zoom(picture.astype(float), _SCALE, order=1), 0, 255).astype(np.uint8)
    pixels = np.empty((*large.shape, 4), dtype=np.uint8)
    pixels[..., :3] = [round(255 * part) for part in rgba(colour)[:3]]
    pixels[..., 3] = large
    coded = base64.b64encode(to_png(pixels)).decode("ascii")
    return f'<img src="data:image/png;base64,{coded}" width="{large.shape[1]}" height="{large.shape[0]}">'


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture of red, green, blue and opacity as PNG."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    )
    coded = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)


class MapFollower:
    """Turns a Map dock to a map of neurons when one is opened or selected, and to one of recordings when they are.

    A map the user has chosen stays as long as it takes what is selected.
    """

    def __init__(self, dock: MapDock) -> None:
        self._dock = dock
        self._wants_neuron = False
        document = dock.document
        document.current_neuron_changed.connect(self._on_current_neuron_changed)
        document.current_recording_changed.connect(self._on_current_recording_changed)
        dock.session.viewer.layers.selection.events.active.connect(self._on_selection_changed)
        self._wants_neuron = document.current_neuron is not None and document.current_recording is None
        self._on_selection_changed()

    def tear_down(self) -> None:
        """Let go of document and viewer."""
        document = self._dock.document
        document.current_neuron_changed.disconnect(self._on_current_neuron_changed)
        document.current_recording_changed.disconnect(self._on_current_recording_changed)
        if self._dock.session.has_viewer:
            self._dock.session.viewer.layers.selection.events.active.disconnect(self._on_selection_changed)

    def _on_current_neuron_changed(self, item_id: str | None) -> None:
        self._want(neuron=item_id is not None)

    def _on_current_recording_changed(self, item_id: str | None) -> None:
        if item_id is not None:
            self._want(neuron=False)

    def _on_selection_changed(self, _: Any = None) -> None:
        layer, document = self._dock.session.viewer.layers.selection.active, self._dock.document
        label = layer.metadata.get(KEY) if layer is not None and isinstance(layer.metadata, dict) else None
        item_id = label.get("id", "") if isinstance(label, dict) else ""
        if item_id in document:
            self._want(neuron=document[item_id].kind == "neuron")

    def _want(self, *, neuron: bool) -> None:
        self._wants_neuron = neuron
        self.turn()

    def turn(self) -> None:
        """Show a map that takes what is wanted, if the one shown does not and there is one."""
        dock = self._dock
        if dock.map is None or (dock.map.input == "neuron") == self._wants_neuron:
            return
        fitting = [at for at, (found, _) in enumerate(dock.maps) if (found.input == "neuron") == self._wants_neuron]
        if fitting:
            dock.bar.chooser.setCurrentIndex(fitting[0])
