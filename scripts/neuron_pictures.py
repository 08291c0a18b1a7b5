"""The pictures of docs/classify-a-reconstruction.md; ``make_pictures.py`` takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_celltype._napari.celltype_dock import CellTypeDock
from napari_celltype._napari.demo import settle
from napari_celltype._napari.map_dock import MapDock
from napari_celltype._napari.neuron_type_control import neuron_control_of
from napari_celltype._napari.session import PLUGIN, session_of

__all__ = ["NEURON_PICTURES"]

_PATIENCE_S = 120.0


def show_neuron_type(viewer: Any) -> None:
    """The sample neuron, its class, and the branches that decided."""
    viewer.open_sample(PLUGIN, "neuron")
    settle(0.5)
    session = session_of(viewer)
    control = neuron_control_of(session)
    session.open_dock("Cell type")
    settle(0.5, until=lambda: not control.is_working, limit_s=_PATIENCE_S)
    dock = next(dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, CellTypeDock))
    page = dock.subject.neuron_page
    page.how.setCurrentIndex(page.how.findData("why"))
    settle(0.5, until=lambda: not control.is_explaining, limit_s=_PATIENCE_S)


def show_neuron_map(viewer: Any) -> None:
    """The sample neuron on the map of reconstructions."""
    viewer.open_sample(PLUGIN, "neuron")
    settle(0.5)
    session_of(viewer).open_dock("Map")
    settle(0.2)
    dock = next(dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, MapDock))
    settle(0.5, until=lambda: bool(dock.places), limit_s=_PATIENCE_S)


NEURON_PICTURES: dict[str, Callable[[Any], None]] = {
    "neuron-type": show_neuron_type,
    "neuron-map": show_neuron_map,
}
