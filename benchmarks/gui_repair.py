"""How soon an edit of a large neuron is on the screen: repair dock, hand edits, thresholds; and against Shapes.

Run it on a display (``scripts/with-display.sh python benchmarks/gui_repair.py``). A time begins with the call a key
press makes and ends when the first frame after it has been shown (Qt's ``frameSwapped``). Beside it stands the same
frame drawn again with nothing changed, taken in turn: what drawing alone costs on this machine, all of it on the
processor where there is no graphics card. The rest is ours and napari's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Layer, Shapes
from qtpy.QtWidgets import QApplication

from gui import N_NODES, Moment, make_neuron, now, since
from napari_celltype._napari.demo import new_viewer, settle
from napari_celltype._napari.neuron_layers import NODES
from napari_celltype._napari.readers import layers_of_neuron
from napari_celltype._napari.repair_dock import RepairDock
from napari_celltype._napari.session import session_of
from napari_celltype.morphology.edits import Edit
from napari_celltype.neuron import Neuron
from napari_celltype.workbench.repair_session import repair_of

Cost = tuple[float, float]


class Screen:
    """Waits for frames of a viewer's canvas."""

    def __init__(self, viewer: Any) -> None:
        self._native = viewer.window._qt_viewer.canvas.native
        self._native.frameSwapped.connect(self._on_swapped)
        self._since: Moment | None = None
        self._cost: Cost | None = None

    def _on_swapped(self) -> None:
        if self._since is not None and self._cost is None:
            self._cost = since(self._since)

    def time(self, step: Callable[[], object]) -> Cost:
        """Wall clock and GUI thread from a step's beginning to the end of the first frame after it."""
        settle(0.4)
        self._cost, self._since = None, now()
        step()
        while self._cost is None:
            QApplication.processEvents()
        self._since = None
        return self._cost

    def bare(self) -> Cost:
        """The same for a frame in which nothing is new."""
        return self.time(self._native.update)


class Accept:
    """Accepts one jump; choosing it is not part of the step."""

    def __init__(self, dock: RepairDock, row: int) -> None:
        self._dock = dock
        self._row = row

    def prepare(self) -> None:
        """Choose the jump."""
        self._dock.jumps.select(self._dock.jumps.model.rows[self._row].key)

    def __call__(self) -> None:
        """Accept it."""
        self._dock.accept()


def measure(screen: Screen, what: str, steps: Sequence[Callable[[], object]]) -> None:
    """Print the cost of some steps, of bare frames taken in turn with them, and of what is not drawing."""
    ours, bare = [], []
    for step in steps:
        if isinstance(step, Accept):
            step.prepare()
        ours.append(screen.time(step))
        bare.append(screen.bare())
    work = [tuple(np.subtract(a, b)) for a, b in zip(ours, bare, strict=True)]
    parts = [f"{name} {told(times)}" for name, times in (("to screen", ours), ("bare frame", bare), ("rest", work))]
    print(f"{what:<46} {'   '.join(parts)}  n={len(steps)}", flush=True)


def told(times: Sequence[Cost]) -> str:
    wall, own = zip(*times, strict=True)
    return (
        f"wall {statistics.median(wall):5.1f} /{np.percentile(wall, 99):6.1f}, "
        f"own {statistics.median(own):5.1f} /{np.percentile(own, 99):6.1f}"
    )


def open_neuron(viewer: Any, neuron: Neuron) -> None:
    for layer in layers_of_neuron(neuron):
        viewer.add_layer(Layer.create(*layer))


def measure_opening(viewer: Any, screen: Screen, neuron: Neuron) -> None:
    def open_all() -> None:
        open_neuron(viewer, neuron)

    times = []
    for _ in range(5):
        viewer.layers.clear()
        times.append(screen.time(open_all))
    print(f"{f'{len(neuron):,} nodes: reader to screen':<46} to screen {told(times)}  n=5", flush=True)
    times = []
    for _ in range(5):
        opened: list[RepairDock] = []

        def open_dock(opened: list[RepairDock] = opened) -> None:
            opened.append(RepairDock(viewer))
            viewer.window.add_dock_widget(opened[0], area="right")
            settle(0.0, until=lambda: opened[0].overlay is not None)

        times.append(screen.time(open_dock))
        viewer.window.remove_dock_widget(opened[0])
    print(f"{'repair dock: opened and drawn':<46} to screen {told(times)}  n=5", flush=True)


def open_repair(viewer: Any) -> RepairDock:
    dock = RepairDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    settle(0.3, until=lambda: dock.overlay is not None)
    dock.repair.set_thresholds(2.5, 1.0)
    settle(0.3)
    return dock


def measure_jumps(screen: Screen, dock: RepairDock, n: int) -> None:
    heights = np.tile(np.arange(2.0, 4.0, 0.1), 10)[:n]
    measure(screen, "move a threshold", [lambda h=h: dock.repair.set_thresholds(float(h), 1.0) for h in heights])
    dock.repair.set_thresholds(2.5, 1.0)
    dock.jumps.select(dock.jumps.model.rows[0].key)
    measure(screen, "select a jump (and the camera sets off)", [dock.next_jump] * n)
    dock.jumps.select(dock.jumps.model.rows[0].key)
    dock.jumps.go_on.setChecked(False)
    measure(screen, "accept a jump", [Accept(dock, i) for i in range(n)])
    measure(screen, "undo", [dock.undo] * n)
    dock.jumps.go_on.setChecked(True)
    dock.jumps.select(dock.jumps.model.rows[0].key)
    measure(screen, "accept and go on to the next", [dock.accept] * n)


def measure_hand(screen: Screen, dock: RepairDock, n: int) -> None:
    rng = np.random.default_rng(1)
    neuron = dock.repair.neuron
    ids = rng.choice(neuron.ids, n).tolist()

    def move(node_id: int) -> None:
        dock.repair.amend([Edit("move_nodes", {"node_ids": [node_id], "by_um": [0.0, 5.0, 0.0], "downstream": True})])

    measure(screen, "move a subtree by hand", [lambda i=i: move(i) for i in ids])
    nodes = dock.session.nodes_layer(dock.repair.item_id)
    nodes.visible = True
    measure(screen, f"the same, {NODES} shown", [lambda i=i: move(i) for i in ids])
    measure(screen, f"undo, {NODES} shown", [dock.undo] * n)

    def drag() -> None:
        data = nodes.data.copy()
        data[rng.integers(len(data))] += 5.0
        nodes.data = data

    measure(screen, f"set the layer's data, {NODES} shown", [drag] * n)
    nodes.visible = False
    print(f"edits by hand in effect: {len(dock.repair.state.hand)}", flush=True)
    measure(screen, "accept a jump after these", [Accept(dock, i) for i in range(40, 40 + n)])


def compare_with_shapes(viewer: Any, neuron: Neuron) -> None:
    """One edit our way and by rebuilding a Shapes layer of one line a segment, in turn; layer work only, no painting.

    The Shapes are made of every tenth segment and scaled up, which flatters them: their cost grows faster than that.
    """
    document = session_of(viewer).document
    repair = repair_of(document, document.neurons[-1].id)
    repair.set_thresholds(2.5, 1.0)
    jumps = repair.jumps.rows
    rows = np.flatnonzero(neuron.parents >= 0)[::10]
    lines = np.stack([neuron.xyz_um[rows], neuron.xyz_um[neuron.parents[rows]]], axis=1)
    ours, shapes = [], []
    for i in range(5):
        start = now()
        repair.decide([jumps[i]], "accepted")
        ours.append(since(start))
        repair.undo()
        start = now()
        Shapes(list(lines), shape_type="line", edge_width=0.5)
        wall, own = since(start)
        shapes.append((10 * wall, 10 * own))
    print(f"{'one accepted jump, our layers':<46} {told(ours)}", flush=True)
    print(f"{'one rebuild as Shapes (a tenth x 10)':<46} {told(shapes)}", flush=True)
    ratios = [b[1] / a[1] for a, b in zip(ours, shapes, strict=True)]
    print(f"times faster than Shapes: {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=30, help="steps of each kind")
    parser.add_argument("--no-shapes", action="store_true")
    arguments = parser.parse_args()
    os.environ["NAPARI_CELLTYPE_STATE"] = tempfile.mkdtemp()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ms, median / p99; wall and GUI thread", flush=True)
    viewer = new_viewer(size=(1280, 720))
    settle(0.5)
    screen = Screen(viewer)
    neuron = make_neuron(N_NODES)
    measure_opening(viewer, screen, neuron)
    if not arguments.no_shapes:
        compare_with_shapes(viewer, neuron)
    dock = open_repair(viewer)
    measure_jumps(screen, dock, arguments.n)
    measure_hand(screen, dock, min(arguments.n, 15))
    viewer.close()


if __name__ == "__main__":
    main()
