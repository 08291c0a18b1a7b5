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


def measure_repair(viewer: napari.Viewer) -> None:
    """Opening the dock, moving a threshold, accepting and undoing; and the same edit drawn as Shapes, in turn."""
    from napari_celltype._napari.repair_dock import RepairDock

    neuron = make_neuron()
    for layer in layers_of_neuron(neuron):
        viewer.add_layer(Layer.create(*layer))
    settle(0.5)
    compare_with_shapes(viewer, neuron)
    opening = []
    for _ in range(5):
        start = now()
        dock = RepairDock(viewer)
        dock.flight.animated = False
        area = viewer.window.add_dock_widget(dock, area="right")
        settle(0.0, until=lambda dock=dock: dock.overlay is not None and bool(dock.jumps.model.rows or dock.repair))
        QApplication.processEvents()
        opening.append(since(start))
        if len(opening) < 5:
            viewer.window.remove_dock_widget(area)
            settle(0.2)
    say(f"{N_NODES:,} nodes: repair dock to screen", opening)
    heights = iter(np.tile(np.arange(2.0, 5.0, 0.1), 10))
    dock.repair.set_thresholds(3.0, 1.0)
    settle(0.3)
    slide = [timed(lambda: dock.repair.set_thresholds(float(next(heights)), 1.0)) for _ in range(60)]
    say("move a threshold: list and rings to screen", slide)
    dock.repair.set_thresholds(2.5, 1.0)
    settle(0.5)
    dock.jumps.go_on.setChecked(False)
    accept, undo = [], []
    for _ in range(15):
        dock.next_jump()
        settle(0.1)
        accept.append(timed(dock.accept))
        settle(0.1)
    for _ in range(15):
        undo.append(timed(dock.undo))
        settle(0.1)
    say("accept a jump: edit, list, rings, preview to screen", accept)
    say("undo of that", undo)
    previews = []
    for _ in range(15):
        previews.append(timed(dock.previous_jump))
        settle(0.05)
    say("select a jump: flight and preview to screen", previews)


def compare_with_shapes(viewer: napari.Viewer, neuron: Neuron) -> None:
    """One edit our way and by rebuilding a Shapes layer of one line a segment, in turn; layer work only, no painting.

    The Shapes are made of every tenth segment and scaled up, which flatters them: their cost grows faster than that.
    """
    from napari.layers import Shapes

    from napari_celltype.workbench.repair_session import repair_of

    document = session_of(viewer).document
    repair = repair_of(document, document.neurons[-1].id)
    repair.set_thresholds(2.5, 1.0)
    jumps = repair.jumps.rows
    rows = np.flatnonzero(neuron.parents >= 0)[::10]
    lines = np.stack([neuron.xyz_um[rows], neuron.xyz_um[neuron.parents[rows]]], axis=1)
    ours, shapes = [], []
    for i in range(5):
        ours.append(timed(lambda i=i: repair.decide([jumps[i]], "accepted"), events=0))
        repair.undo()
        wall, own = timed(lambda: Shapes(list(lines), shape_type="line", edge_width=0.5), events=0)
        shapes.append((10 * wall, 10 * own))
    say("one accepted jump, our layers", ours)
    say("one rebuild as Shapes, a line a segment (a tenth x 10)", shapes)
    ratios = [b[1] / a[1] for a, b in zip(ours, shapes, strict=True)]
    print(
        f"times faster than Shapes: {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("recording", "neuron", "repair"))
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
    if only in (None, "repair"):
        measure_repair(viewer)
    viewer.close()


if __name__ == "__main__":
    main()
