"""Placing a cell on the fixed map: ours and openTSNE's transform, interleaved; and drawing a million points.

``python benchmarks/map.py`` prints medians and their ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from napari_celltype.models.catalogue import load_model
from napari_celltype.models.features import FEATURE_NAMES
from napari_celltype.workbench.place import map_of, place_cell

ROUNDS = 15


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    from openTSNE import TSNE

    model = load_model("ephys-map", device="cpu")
    cell_map = map_of(model)  # type: ignore[arg-type]
    raw = model.preparation.raw(model.doubts.means[0])  # type: ignore[attr-defined]
    cell = dict(zip(FEATURE_NAMES, raw, strict=True))
    vector = cell_map.condense(cell)
    refit_start = time.perf_counter()
    theirs = TSNE(perplexity=30, n_iter=250, random_state=0, n_jobs=1, initialization="pca").fit(cell_map.vectors)
    refit_s = time.perf_counter() - refit_start
    ours_ms, theirs_ms = [], []
    for _ in range(ROUNDS):
        ours_ms.append(milliseconds(lambda: place_cell(cell_map, cell, "cell")))
        theirs_ms.append(milliseconds(lambda: theirs.transform(vector, perplexity=5)))
    ours, other = median(ours_ms), median(theirs_ms)
    print(f"place a cell: ours {ours:.1f} ms (slowest {max(ours_ms):.1f}), openTSNE transform {other:.1f} ms")
    print(f"ratio {other / ours:.1f}; a refit takes {refit_s:.1f} s, {1e3 * refit_s / ours:,.0f} times as long")
    draw_million()


def draw_million(n: int = 1_000_000) -> None:
    """Frame times while a million points are panned, and while they rest."""
    from napari.qt import get_qapp

    from napari_celltype._napari.plots.scatter import ScatterView

    app = get_qapp()
    view = ScatterView()
    view.resize(500, 500)
    view.show()
    points = np.random.default_rng(0).normal(size=(n, 2))
    view.show_points(points, np.tile(np.array([[0.2, 0.5, 0.9, 1.0]], dtype=np.float32), (n, 1)))
    app.processEvents()

    def frame() -> None:
        view.camera.pan((0.01, 0.0))
        view.canvas.native.repaint()
        app.processEvents()

    resting = median(milliseconds(frame) for _ in range(5))
    view._pressed = np.zeros(2)  # as while the mouse drags: all points wait until it lets go
    view._on_moved()
    moving = median(milliseconds(frame) for _ in range(15))
    print(f"a frame of {n:,} points: {moving:.0f} ms while moving (thinned), {resting:.0f} ms with all of them")
    view.tear_down()
    view.close()


if __name__ == "__main__":
    main()
