"""Take the documentation's pictures of the window: dark and light, on the samples the package makes itself.

``make docs-pictures`` runs this on a display or a virtual one. Look at every picture before committing it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QDockWidget

from napari_celltype._napari.demo import new_viewer, open_demo, settle, traces_are_drawn
from napari_celltype._napari.session import PLUGIN, RECORDING_DOCK, session_of

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIZE = (1280, 720)


def show_workbench(viewer: Any) -> None:
    """Recording in the dock, neuron on the canvas."""
    open_demo(viewer)


def show_recording(viewer: Any) -> None:
    """The recording alone: overview and one sweep, zoomed to its spikes."""
    viewer.open_sample(PLUGIN, "recording")
    settle(0.5)
    document = session_of(viewer).document
    document.select_sweeps(document.recordings[0].id, [19])


def show_neuron(viewer: Any) -> None:
    """The neuron alone, turned a little, with its nodes shown for editing."""
    viewer.open_sample(PLUGIN, "neuron")
    settle(0.5)
    viewer.layers["sample neuron"].visible = True


def open_repair(viewer: Any) -> Any:
    """The repair dock on the sample neuron."""
    viewer.open_sample(PLUGIN, "neuron")
    settle(0.5)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Repair reconstruction")
    settle(0.7)
    dock.flight.animated = False
    return dock


def show_repair(viewer: Any) -> None:
    """The first jump of the sample neuron, before and after."""
    open_repair(viewer).next_jump()
    settle(1.0)


def show_repair_done(viewer: Any) -> None:
    """One jump accepted, the next about to be tilted."""
    dock = open_repair(viewer)
    dock.next_jump()
    dock.accept()
    dock.mode_tilt()
    settle(1.0)


def show_repair_nodes(viewer: Any) -> None:
    """A node selected for editing by hand."""
    dock = open_repair(viewer)
    dock.next_jump()
    dock.tabs.setCurrentIndex(1)
    dock.nodes.edit_button.setChecked(True)
    dock.nodes.select([384])
    settle(1.0)


def show_repair_defects(viewer: Any) -> None:
    """The defects, with what is proposed for the first."""
    dock = open_repair(viewer)
    dock.tabs.setCurrentIndex(2)
    dock.defects.list.setCurrentRow(0)
    dock.defects.go_to()
    settle(1.0)


def open_side_dock(viewer: Any, name: str) -> Any:
    """One of the docks of features on the sample recording, with the height of the window to itself."""
    viewer.open_sample(PLUGIN, "recording")
    settle(0.5, until=lambda: _recording_docks(viewer))
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    for other in _recording_docks(viewer):
        other.hide()
    return dock


def _recording_docks(viewer: Any) -> list[QDockWidget]:
    docks = viewer.window._qt_window.findChildren(QDockWidget)
    return [dock for dock in docks if dock.objectName().startswith(RECORDING_DOCK)]


def show_gates(viewer: Any) -> None:
    """The sample cell's gates beside the class averages, the most telling features first."""
    dock = open_side_dock(viewer, "Feature gates")
    dock.order.setCurrentIndex(dock.order.findData("contribution"))
    settle(1.0, until=lambda: dock.cell is not None and dock.cell.adds is not None and len(dock.sheet.panels) == 3)


def show_gates_all(viewer: Any) -> None:
    """All reference cells, clustered, features clustered too."""
    dock = open_side_dock(viewer, "Feature gates")
    dock.order.setCurrentIndex(dock.order.findData("similarity"))
    dock.shown.setCurrentIndex(dock.shown.findData("all"))
    settle(2.0, until=lambda: dock.cell is not None and dock.sheet is not None and dock.sheet.tree is not None)


def show_map(viewer: Any) -> None:
    """The sample cell among the reference cells, some of which are selected."""
    dock = open_side_dock(viewer, "Map")
    settle(1.0, until=lambda: bool(dock.places))
    x, y = next(iter(dock.places.values())).xy
    dock.scatter.drawn.emit(np.array([(x - 60, y - 8), (x - 12, y - 8), (x - 12, y + 12), (x - 60, y + 12)]))
    settle(1.0)


PICTURES: dict[str, Callable[[Any], None]] = {
    "workbench": show_workbench,
    "recording": show_recording,
    "neuron": show_neuron,
    "gates": show_gates,
    "gates-all": show_gates_all,
    "map": show_map,
    "repair": show_repair,
    "repair-done": show_repair_done,
    "repair-nodes": show_repair_nodes,
    "repair-defects": show_repair_defects,
}


def take(name: str, theme: str, folder: Path) -> Path:
    # no picture shall show what was done for another, nor the journals of whoever takes it
    os.environ["NAPARI_CELLTYPE_STATE"] = tempfile.mkdtemp()
    viewer = new_viewer(theme=theme, size=SIZE)
    PICTURES[name](viewer)
    settle(1.0, until=lambda: traces_are_drawn(viewer))
    path = folder / f"{name}-{theme}.png"
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()
    settle(0.2)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="pictures to take (default: all)")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        for theme in ("dark", "light"):
            print(take(name, theme, arguments.folder), flush=True)


if __name__ == "__main__":
    main()
