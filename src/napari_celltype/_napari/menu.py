"""What our entries in napari's menus do: open a folder, show the nodes for editing, save, undo and redo."""

from __future__ import annotations

from pathlib import Path

import napari
from napari.layers import Points
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_celltype.errors import CelltypeError
from napari_celltype.neuron import Neuron
from napari_celltype.workbench import Item

from .notices import report_error
from .session import Session, session_of

__all__ = ["open_folder", "redo", "save_neuron", "save_session", "show_nodes", "undo", "watch_folder"]


def open_folder() -> None:
    """File: ask for a folder and list its recordings in the Recording dock."""
    session = _session()
    if session is None:
        return
    folder = QFileDialog.getExistingDirectory(QApplication.activeWindow(), "Open a folder of recordings", "")
    if folder:
        session.open_folder(Path(folder))


def watch_folder() -> None:
    """File: ask for a folder and watch it for new recordings."""
    session = _session()
    if session is None:
        return
    folder = QFileDialog.getExistingDirectory(QApplication.activeWindow(), "Watch a folder for new recordings", "")
    if folder:
        from .watch_control import watch_control_of

        session.open_dock("Watch folder")
        watch_control_of(session).choose_folder(Path(folder))


def save_session() -> None:
    """File: save what was done with the current recording beside it."""
    session = _session()
    if session is not None:
        from .rig_actions import actions_of

        actions_of(session).save()


def save_neuron() -> None:
    """File: save the current neuron, as edited, as SWC under a name asked for."""
    session, item = _current_neuron()
    if session is None or item is None or not isinstance(item.value, Neuron):
        return
    suggestion = "" if item.path is None else str(item.path.with_name(f"{_stem(item.path)}-edited.swc"))
    path, _ = QFileDialog.getSaveFileName(
        QApplication.activeWindow(), "Save the neuron as SWC", suggestion, "SWC (*.swc)"
    )
    if path:
        _save(item.value, path if Path(path).suffix else f"{path}.swc")


def show_nodes() -> None:
    """Layers: show all nodes of the current neuron and select their layer, or hide them again."""
    session, item = _current_neuron()
    nodes = session.nodes_layer(item.id) if session is not None and item is not None else None
    if session is None or not isinstance(nodes, Points):
        return
    nodes.visible = not nodes.visible
    if nodes.visible:
        session.viewer.layers.selection = {nodes}


def undo() -> None:
    """Layers: take back the newest edit."""
    session = _session()
    if session is not None:
        session.undo()


def redo() -> None:
    """Layers: make the edit taken back last again."""
    session = _session()
    if session is not None:
        session.redo()


def _session() -> Session | None:
    viewer = napari.current_viewer()
    return None if viewer is None else session_of(viewer)


def _current_neuron() -> tuple[Session | None, Item | None]:
    session = _session()
    item = session.document.current_neuron if session is not None else None
    if session is not None and item is None:
        report_error("No neuron is open. Open an SWC file first.")
    return session, item


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def _save(neuron: Neuron, path: str) -> None:
    from napari_celltype.io import write_swc

    try:
        write_swc(neuron, path, overwrite=True)  # the dialog has asked
    except (CelltypeError, OSError) as error:
        report_error(error)
    else:
        napari.utils.notifications.show_info(f"Saved {Path(path).name}.")
