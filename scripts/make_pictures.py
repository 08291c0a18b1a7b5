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
from neuron_pictures import NEURON_PICTURES

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
    settle(0.5, until=lambda: _spikes_are_counted(viewer), limit_s=60.0)


def _spikes_are_counted(viewer: Any) -> bool:
    from napari_celltype._napari.recording_dock import RecordingDock

    docks = [dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, RecordingDock)]
    return bool(docks) and all(facts.peak_s is not None for facts in docks[0]._facts.values()) and bool(docks[0]._facts)


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
    dock.scatter.drawn.emit(np.array([(x - 20, y - 14), (x + 20, y - 14), (x + 20, y + 14), (x - 20, y + 14)]))
    settle(1.0)


def show_map_waveform(viewer: Any) -> None:
    """The sample cell among the reference cells by its action potential."""
    dock = open_side_dock(viewer, "Map")
    settle(1.0, until=lambda: len(dock.maps) > 1 and bool(dock.places), limit_s=60.0)
    chooser = dock.bar.chooser
    chooser.setCurrentIndex(next(i for i, (found, _) in enumerate(dock.maps) if found.input == "waveform"))
    settle(1.0, until=lambda: bool(dock.places), limit_s=60.0)


def open_cell_type(viewer: Any, tab: int) -> Any:
    """The sample recording judged, zoomed to the window, with one of the tabs in front."""
    from napari_celltype._napari.celltype_dock import CellTypeDock
    from napari_celltype._napari.demo import predict_current
    from napari_celltype._napari.recording_dock import RecordingDock

    viewer.open_sample(PLUGIN, "recording")
    settle(0.5, until=lambda: traces_are_drawn(viewer))
    predict_current(viewer)
    docks = list(viewer.window.dock_widgets.values())
    next(dock for dock in docks if isinstance(dock, RecordingDock)).window_line._on_key_zoom()
    found = next(dock for dock in docks if isinstance(dock, CellTypeDock))
    found.tabs.setCurrentIndex(tab)
    settle(1.0, until=lambda: traces_are_drawn(viewer))
    return found


def show_cell_type(viewer: Any) -> None:
    """The whole workbench at the rig: what each sweep says."""
    open_cell_type(viewer, 0)


def show_sensitivity(viewer: Any) -> None:
    """How the verdict moves with the window and from sweep to sweep."""
    open_cell_type(viewer, 1)


def show_shape(viewer: Any) -> None:
    """The spike beside the classes' averages, after the cell was accepted."""
    open_cell_type(viewer, 2).accept.click()


def show_watch(viewer: Any) -> None:
    """The sample recording looked at while others arrive in the watched folder."""
    from napari_celltype._napari.watch_control import watch_control_of
    from napari_celltype.io.write_abf import write_abf
    from napari_celltype.samples import sample_recording
    from napari_celltype.workbench.watch import WatchOptions

    show_recording(viewer)
    folder = Path(tempfile.mkdtemp()) / "2026-11-20"
    folder.mkdir()
    whole = write_abf(sample_recording(kind="fast-spiking"), folder / "20n20001.abf").read_bytes()
    (folder / "settings.dat").write_bytes(b"gain=20 filter=10kHz " * 40)
    control = watch_control_of(session_of(viewer))
    control.options = WatchOptions(settle_s=0.5, give_up_s=1000.0)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Watch folder")
    control.choose_folder(folder)
    settle(0.5, until=lambda: control.watch is not None and len(control.watch.files) == 2)
    assert control.watch is not None
    control.watch.include([folder / "settings.dat"])
    write_abf(sample_recording(), folder / "20n20002.abf")
    (folder / "20n20003.abf").write_bytes(whole)
    settle(0.5, until=lambda: control.watch.count("done", "failed") == 3, limit_s=120.0)
    (folder / "20n20004.abf").write_bytes(whole[: len(whole) // 2])
    settle(0.5, until=lambda: bool(control.watch.files[-1].reason), limit_s=60.0)


def show_session(viewer: Any) -> None:
    """A recording with a note, three choices of which one is taken back, and a saved session."""
    from napari_celltype._napari.celltype_control import control_of
    from napari_celltype._napari.demo import predict_current
    from napari_celltype._napari.session_keeper import keeper_of
    from napari_celltype.io.write_abf import write_abf
    from napari_celltype.samples import sample_recording
    from napari_celltype.workbench.session_state import NOTE

    path = write_abf(sample_recording(), Path(tempfile.mkdtemp()) / "20n20002.abf")
    viewer.open(str(path), plugin=PLUGIN)
    settle(0.5, until=lambda: _recording_docks(viewer))
    session = session_of(viewer)
    predict_current(viewer)
    control, keeper = control_of(session), keeper_of(session)
    item = control.item_id
    assert item is not None
    control.cells.step_suggested(item, 1)
    window = control.cells.window(item)
    assert window is not None
    control.cells.choose_window(item, window.moved(0.0002), "Drag the window")
    control.cells.choose_window(item, window.moved(0.0004), "Drag the window")
    session.document.history.undo(item)
    session.document.choose(item, NOTE, "Layer 5, 120 µm from the pia; access 14 MΩ.")
    settle(0.5, until=lambda: not control.is_working, limit_s=60.0)
    control.cells.accept(item)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Session")
    keeper.save(item)
    settle(0.5, until=lambda: not keeper.is_saving)


def show_keys(viewer: Any) -> None:
    """Every key, beside the sample recording."""
    show_recording(viewer)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Keys")


PICTURES: dict[str, Callable[[Any], None]] = {
    "workbench": show_workbench,
    "recording": show_recording,
    "neuron": show_neuron,
    "gates": show_gates,
    "gates-all": show_gates_all,
    "map": show_map,
    "map-waveform": show_map_waveform,
    "cell-type": show_cell_type,
    "sensitivity": show_sensitivity,
    "shape": show_shape,
    "watch": show_watch,
    "session": show_session,
    "keys": show_keys,
    "repair": show_repair,
    "repair-done": show_repair_done,
    "repair-nodes": show_repair_nodes,
    "repair-defects": show_repair_defects,
    **NEURON_PICTURES,
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
