"""How quick the GUI is: pauses of the GUI thread while a long trace is panned, and a large neuron on the screen.

Run it on a display (``scripts/with-display.sh python benchmarks/gui.py``). A pause is the time the event loop is busy
with one step, measured around every step and by a timer that should tick every 5 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_celltype._napari.demo import new_viewer, settle, traces_are_drawn
from napari_celltype._napari.neuron_layers import NODES
from napari_celltype._napari.readers import layers_of_neuron, layers_of_recording
from napari_celltype._napari.recording_dock import RecordingDock
from napari_celltype._napari.session import session_of
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording, Sweep

N_SAMPLES = 10_000_000
N_NODES = 25_000


Moment = tuple[float, float]


def now() -> Moment:
    """Wall clock and time the GUI thread has worked."""
    return time.perf_counter(), time.thread_time()


def since(then: Moment) -> tuple[float, float]:
    """Milliseconds of both since then."""
    wall, own = now()
    return (wall - then[0]) * 1e3, (own - then[1]) * 1e3


class Probe:
    """Gaps between ticks of a timer: what a user would feel as a pause."""

    def __init__(self, every_ms: int = 5) -> None:
        self._timer = QTimer()
        self._timer.setInterval(every_ms)
        self._timer.timeout.connect(self._on_tick)
        self._last = now()
        self.gaps: list[tuple[float, float]] = []

    def _on_tick(self) -> None:
        self.gaps.append(since(self._last))
        self._last = now()

    def __enter__(self) -> Probe:
        self._last = now()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()


def say(what: str, times: list[tuple[float, float]]) -> None:
    """Print the wall time a user feels, and the GUI thread's own time, which a busy machine stretches less."""
    parts = []
    for name, values in zip(("wall", "own"), zip(*times, strict=True), strict=True):
        median, p99, most = statistics.median(values), np.percentile(values, 99), max(values)
        parts.append(f"{name} {median:6.1f} / {p99:6.1f} / {most:6.1f}")
    print(f"{what:<52} {'   '.join(parts)}  ms (median / p99 / max of {len(times)})", flush=True)


def make_recording(n_samples: int = N_SAMPLES) -> Recording:
    """A gap-free recording with noise and a spike every half second."""
    rng = np.random.default_rng(0)
    volts = (-0.07 + 5e-4 * rng.standard_normal(n_samples, dtype=np.float32)).astype(np.float64)
    volts[:: n_samples // 400] = 0.04
    amps = 1e-11 * rng.standard_normal(n_samples, dtype=np.float32).astype(np.float64)
    sweep = Sweep(
        0, 0, 50_000.0, n_samples, lambda a, b: volts[a:b], lambda a, b: amps[a:b], clamp="current"
    )  # fmt: skip
    return Recording(Path("long.abf"), "made up", [sweep])


def make_neuron(n_nodes: int = N_NODES) -> Neuron:
    """A random tree with branches of some fifty nodes."""
    rng = np.random.default_rng(0)
    parents = np.arange(n_nodes) - 1
    forks = rng.choice(np.arange(10, n_nodes), n_nodes // 50, replace=False)
    parents[forks] = (forks * rng.random(len(forks))).astype(int)
    xyz = np.zeros((n_nodes, 3))
    steps = rng.normal(scale=1.0, size=(n_nodes, 3))
    for row in range(1, n_nodes):
        xyz[row] = xyz[parents[row]] + steps[row]
    return Neuron.from_arrays(xyz, parents, types=np.r_[1, rng.choice([2, 3, 4], n_nodes - 1)], name="large")


def timed(step: Callable[[], object], events: int = 2) -> tuple[float, float]:
    start = now()
    step()
    for _ in range(events):
        QApplication.processEvents()
    return since(start)


def measure_recording(viewer: napari.Viewer) -> None:
    recording = make_recording()
    with Probe() as probe:
        start = time.perf_counter()
        for layer in layers_of_recording(recording):
            viewer.add_layer(Layer.create(*layer))
        settle(0.05, until=lambda: any(isinstance(d, RecordingDock) for d in viewer.window.dock_widgets.values()))
        print(f"layers of 10^7 samples and the dock: {(time.perf_counter() - start) * 1e3:.0f} ms", flush=True)
        settle(0.05, until=lambda: traces_are_drawn(viewer))
        print(f"... and the trace drawn: {(time.perf_counter() - start) * 1e3:.0f} ms", flush=True)
    say("ticks while opening (window, dock and imports included)", probe.gaps)
    settle(2.0)
    dock = next(d for d in viewer.window.dock_widgets.values() if isinstance(d, RecordingDock))
    # the whole cannot be panned: there is nothing beyond it
    for share, name in ((0.5, "100 s"), (0.1, "20 s"), (0.01, "2 s"), (0.001, "0.2 s")):
        dock.traces.home()
        dock.traces.zoom(share)
        settle(0.3)
        dock.traces.voltage.vb.translateBy(x=-dock.traces.duration_s / 4)
        with Probe() as probe:
            steps = [timed(lambda by=by: dock.traces.pan(by)) for by in [0.01] * 75 + [-0.01] * 75]
        say(f"pan 10^7 samples, showing {name}: step to screen", steps)
        say("    ticks meanwhile", probe.gaps)
    dock.traces.home()
    zooms = [timed(lambda: dock.traces.zoom(0.93)) for _ in range(120)]
    say("zoom from whole to 50 ms: step to screen", zooms)


def measure_neuron(viewer: napari.Viewer) -> None:
    neuron = make_neuron()
    times = []
    for _ in range(5):
        viewer.layers.clear()
        settle(0.3)

        def show() -> None:
            for layer in layers_of_neuron(neuron):
                viewer.add_layer(Layer.create(*layer))

        times.append(timed(show, events=4))
    say(f"{N_NODES:,} nodes: reader's layers to screen", times)
    settle(0.5)
    camera = viewer.scene.camera
    angles = iter(np.linspace(0, 180, 60))

    def turn() -> None:
        camera.angles = (0, next(angles), 20)

    say("turn in 3D: step to screen", [timed(turn) for _ in range(60)])
    session = session_of(viewer)
    nodes = session.nodes_layer(session.document.neurons[-1].id)
    assert nodes is not None
    nodes.visible = True
    settle(0.3)
    rng = np.random.default_rng(1)

    def move() -> None:
        data = nodes.data.copy()
        data[rng.integers(len(data))] += 5.0
        nodes.data = data

    say(f"move one node ({NODES} shown): edit to screen", [timed(move) for _ in range(15)])
    say("undo of that", [timed(session.undo) for _ in range(15)])


def measure_rig(viewer: napari.Viewer) -> None:
    """The rig's loop on the sample recording: open, predict, drag, place on the map, lay out own cells."""
    from napari_celltype._napari.celltype_control import control_of
    from napari_celltype._napari.celltype_dock import CellTypeDock
    from napari_celltype._napari.map_dock import MapDock
    from napari_celltype._napari.session import PLUGIN
    from napari_celltype.samples.recording import sample_recording

    sample_recording()  # simulated once, which is not the window's work
    session = session_of(viewer)
    with Probe() as probe:
        viewer.open_sample(PLUGIN, "recording")
        settle(0.05, until=lambda: traces_are_drawn(viewer))
    say("ticks while opening the sample", probe.gaps)
    start = now()
    session.open_dock("Cell type")
    say("open the Cell type dock", [since(start)])
    control = control_of(session)
    with Probe() as probe:
        settle(0.1, until=lambda: not control.is_working, limit_s=120)
    say("ticks while predicting for the first time (torch is imported)", probe.gaps)
    dock = next(d for d in viewer.window.dock_widgets.values() if isinstance(d, RecordingDock))
    assert any(isinstance(d, CellTypeDock) for d in viewer.window.dock_widgets.values())
    measure_opening_warm(viewer, control)
    measure_clicks(control)
    measure_drag(dock, control)
    start = now()
    _, cell_map = viewer.window.add_plugin_dock_widget(PLUGIN, "Map")
    say("open the Map dock", [since(start)])
    assert isinstance(cell_map, MapDock)
    with Probe() as probe:
        settle(0.2, until=lambda: bool(cell_map.places) and len(cell_map.maps) > 1, limit_s=60)
    say("ticks while the maps are loaded and the cell placed", probe.gaps)
    measure_places(cell_map)
    measure_refit(cell_map)
    # a worker must not outlive the window it tells
    settle(0.5, until=lambda: not any(job.is_busy for job in cell_map.jobs), limit_s=60)


def measure_opening_warm(viewer: napari.Viewer, control: Any) -> None:
    """From a recording becoming current to its first verdict on the screen, models loaded."""
    from napari_celltype.samples.recording import sample_recording
    from napari_celltype.workbench import Item

    times, gaps = [], []
    for seed in (1, 3, 4):
        recording = sample_recording(seed)
        session = session_of(viewer)
        with Probe() as probe:
            start = now()
            item = Item.holding(recording)
            session.document.add(item)
            session.document.make_current(item.id)
            settle(0.0, until=lambda item=item: control.cells.call(item.id).verdict is not None, limit_s=60)
            QApplication.processEvents()
            times.append(since(start))
            settle(0.1, until=lambda: not control.is_working, limit_s=60)
        gaps += probe.gaps
    say("a recording becomes current, models warm: to its verdict", times)
    say("    ticks meanwhile, until everything is answered", gaps)


def measure_clicks(control: Any) -> None:
    """From a window chosen by a click to the verdict on it, in region and rectangle."""
    times = []
    item_id = control.item_id
    with Probe() as probe:
        for _ in range(8):
            start = now()
            control.attempt(control.cells.step_suggested, 1)
            settle(0.0, until=lambda: _is_judged(control, item_id), limit_s=30)
            QApplication.processEvents()
            times.append(since(start))
            settle(0.0, until=lambda: not control.is_working, limit_s=30)
    say("a suggested window is taken: to its verdict (target 300)", times)
    say("    ticks meanwhile, until everything is answered", probe.gaps)


def _is_judged(control: Any, item_id: str) -> bool:
    verdict = control.cells.call(item_id).verdict
    return verdict is not None and verdict.window == control.cells.window(item_id)


def measure_drag(dock: RecordingDock, control: Any) -> None:
    """Drag the region for two seconds, as a mouse would, at 60 places a second; then let go."""
    item_id = control.item_id
    region = dock.window_line.region
    answers: list[float] = []

    def note(_: str) -> None:
        answers.append(time.perf_counter())

    control.cells.answered.connect(note)
    window = control.cells.window(item_id)
    steps = []
    with Probe() as probe:
        began = time.perf_counter()
        number = 0
        while time.perf_counter() - began < 2.0:
            shift = 5e-4 * np.sin(number / 12)
            steps.append(timed(lambda shift=shift: _drag_to(region, window, shift)))
            number += 1
            time.sleep(max(0.0, began + number / 60 - time.perf_counter()))
        took = time.perf_counter() - began
        n_answers = len(answers)
        start = now()
        region.item.sigRegionChangeFinished.emit(region.item)
        settle(0.0, until=lambda: _is_judged(control, item_id), limit_s=30)
        QApplication.processEvents()
        dropped = since(start)
    control.cells.answered.disconnect(note)
    settle(0.0, until=lambda: not control.is_working, limit_s=30)
    say("drag the window: step to screen", steps)
    say("    ticks meanwhile", probe.gaps)
    print(f"    verdicts while dragging: {n_answers / took:.1f} a second (target 15)", flush=True)
    say("let go: to the verdict (target 300)", [dropped])


def _drag_to(region: Any, window: Any, shift_s: float) -> None:
    for line, end_s in zip(region.item.lines, (window.start_s, window.stop_s), strict=True):
        line.setPos(end_s + shift_s)


def measure_places(dock: Any) -> None:
    """Placing a cell on each map from what is measured of it; the worker's arithmetic alone."""
    from napari_celltype._napari.map_subjects import subject_of

    for cell_map, _ in dock.maps:
        subject = subject_of(cell_map, dock.document)
        if subject.current is None or subject.value(subject.current) is None:
            continue
        list(subject.steps(cell_map, [subject.current]))
        times = [timed(lambda s=subject, m=cell_map: list(s.steps(m, [s.current])), events=0) for _ in range(9)]
        say(f"place a cell on {cell_map.name} (target 50)", times)


def measure_refit(dock: Any) -> None:
    """Lay out 600 made-up cells while the window is watched."""
    import pandas as pd

    from napari_celltype.models.catalogue import load_model
    from napari_celltype.models.features import FEATURE_NAMES
    from napari_celltype.workbench.place import OwnCells

    model: Any = load_model("ephys-map", device="cpu")
    rng = np.random.default_rng(0)
    scaled = model.doubts.means[rng.integers(5, size=600)] + 0.4 * rng.normal(size=(600, len(FEATURE_NAMES)))
    table = pd.DataFrame(model.preparation.raw(scaled), columns=list(FEATURE_NAMES))
    dock.own.take(OwnCells.of(table))
    known = len(dock.maps)
    with Probe() as probe:
        start = now()
        dock.own.bar.go.click()
        settle(0.0, until=lambda: len(dock.maps) > known, limit_s=120)
        QApplication.processEvents()
    say("lay out 600 own cells", [since(start)])
    say("    ticks meanwhile", probe.gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("recording", "neuron", "rig"))
    only = parser.parse_args().only
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; wall, and the GUI thread's own time", flush=True)
    viewer = new_viewer(size=(1280, 720))
    settle(0.5)
    if only in (None, "recording"):
        measure_recording(viewer)
        viewer.layers.clear()
        settle(0.3)
    if only in (None, "neuron"):
        measure_neuron(viewer)
        viewer.layers.clear()
        settle(0.3)
    if only in (None, "rig"):
        measure_rig(viewer)
        viewer.layers.clear()
        settle(0.3)
    viewer.close()


if __name__ == "__main__":
    main()
