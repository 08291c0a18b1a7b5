"""What ``napari-celltype demo`` opens: the sample recording and the sample neuron, each with its cell type."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

from napari_celltype.workbench.classify_text import describe_call
from napari_celltype.workbench.neuron_type_text import describe_neuron_call

from .session import PLUGIN, session_of

__all__ = ["open_demo", "save_demo", "show_demo"]

SIZE = (1280, 800)
SWEEPS_SHOWN = 3


def open_demo(viewer: Any) -> list[str]:
    """Open the samples in a viewer and tell what is to be seen."""
    viewer.open_sample(PLUGIN, "recording")
    viewer.open_sample(PLUGIN, "neuron")
    settle()
    document = session_of(viewer).document
    recording, neuron = document.current_recording, document.current_neuron
    assert recording is not None
    assert neuron is not None
    said = predict_current(viewer)
    # the sweep of the window judged stays among those shown
    judged = document.selected_sweeps(recording.id)
    document.select_sweeps(recording.id, [*judged, *_sweeps_with_spikes(recording.value)][: SWEEPS_SHOWN + 1])
    traced = predict_neuron(viewer)
    return [_describe_recording(recording.value), *said, _describe_neuron(neuron.value), *traced]


def predict_current(viewer: Any, *, limit_s: float = 120.0) -> list[str]:
    """Open the Cell type dock, wait for its answer on the current recording, and put it into words."""
    from .celltype_control import control_of

    session = session_of(viewer)
    session.open_dock("Cell type")
    control = control_of(session)
    settle(0.2, until=lambda: not control.is_working, limit_s=limit_s)
    return describe_call(control.cells.call(control.item_id))


def predict_neuron(viewer: Any, *, limit_s: float = 120.0) -> list[str]:
    """Wait for the Cell type dock's answer on the current neuron, and put it into words."""
    from .neuron_type_control import neuron_control_of

    control = neuron_control_of(session_of(viewer))
    settle(0.2, until=lambda: not control.is_working, limit_s=limit_s)
    return describe_neuron_call(control.neurons.call(control.item_id))


def _sweeps_with_spikes(recording: Any) -> list[int]:
    """A few long sweeps in which the cell fires: more to look at than the first sweep."""
    longest = sorted(recording.sweeps, key=lambda sweep: sweep.n_stored)[len(recording.sweeps) // 2].n_stored
    found = []
    for sweep in recording.sweeps:
        if sweep.n_stored == longest and sweep.voltage_mv().max() > 0:
            found.append(sweep.index)
    return found[:SWEEPS_SHOWN] or [0]


def _describe_recording(recording: Any) -> str:
    names = list(dict.fromkeys(sweep.stimulus.name for sweep in recording.sweeps if sweep.stimulus.name))
    return (
        f"Recording: {len(recording.sweeps)} sweeps at {recording.rate_hz / 1e3:g} kHz ({', '.join(names)}); the dock "
        "below shows voltage over current."
    )


def _describe_neuron(neuron: Any) -> str:
    wrong = sum(defect.severity != "note" for defect in neuron.defects)
    findings = f"{wrong} finding{'s' if wrong != 1 else ''}"
    return f"Neuron: {len(neuron):,} nodes; rings mark what is doubtful about it ({findings})."


def settle(seconds: float = 0.3, *, until: Any = None, limit_s: float = 20.0) -> None:
    """Let the window work for a while, or until something is so."""
    start = time.monotonic()
    while True:
        QApplication.processEvents()
        waited = time.monotonic() - start
        if waited > limit_s or (waited >= seconds and (until is None or until())):
            return
        time.sleep(0.01)


def new_viewer(*, theme: str = "dark", size: tuple[int, int] = SIZE) -> Any:
    """A viewer with a window of this size."""
    viewer = napari.Viewer(title="napari-celltype")
    viewer.theme = theme
    viewer.window.resize(*size)
    settle()
    return viewer


def show_demo() -> None:
    """Open the window and leave it to the user."""
    viewer = new_viewer()
    for line in open_demo(viewer):
        napari.utils.notifications.show_info(line)
    napari.run()


def save_demo(folder: Path) -> list[str]:
    """Save a picture of the window; returns what it shows and where it is, one line each."""
    viewer = new_viewer()
    lines = open_demo(viewer)
    settle(1.0, until=lambda: traces_are_drawn(viewer))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "demo.png"
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()
    return [*lines, f"Screenshot: {path}"]


def traces_are_drawn(viewer: Any) -> bool:
    """Whether the Recording dock, which comes a moment after a recording, shows all the sweeps selected in it."""
    from .recording_dock import RecordingDock

    docks = [dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, RecordingDock)]
    if not docks and session_of(viewer).document.recordings:
        return False
    return all(len(dock.traces.traces) == len(dock.selected) for dock in docks)
