"""Reading SWC with validation: ours against MorphIO, navis and ``np.loadtxt``, taken in turn in one process.

Run with ``.venv-validation/bin/python benchmarks/swc.py`` (``make validation-env`` makes that environment, with
MorphIO; the project's own environment is added to it here). Files are made by this script, seeded, and all readers'
values are compared before anything is timed. Medians of many turns; on a busy machine trust the ratios, and the
processor times more than those of the clock.
"""

from __future__ import annotations

import gc
import os
import site
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / ".venv").glob("lib/python*/site-packages"):
    site.addsitedir(str(folder))

import numpy as np  # noqa: E402

import napari_celltype as nct  # noqa: E402
from napari_celltype import tree  # noqa: E402

SEED = 20240601
TURNS = 25

Reader = Callable[[Path], np.ndarray]


def write_neuron(path: Path, n: int, seed: int) -> Path:
    """A tree of one soma and ``n - 1`` basal nodes, 40 bytes a line, every node after its parent."""
    rng = np.random.default_rng(seed)
    parents = np.where(rng.random(n) < 0.98, np.arange(n) - 1, (rng.random(n) * np.arange(n)).astype(int))
    parents[0] = -1
    xyz = tree.root_path_sum(rng.normal(size=(n, 3)), parents)
    radii = 0.5 + rng.random(n)
    with path.open("w") as file:
        file.write("# made by benchmarks/swc.py\n")
        for i in range(n):
            x, y, z = xyz[i]
            parent = parents[i] + 1 if parents[i] >= 0 else -1
            file.write(f"{i + 1} {1 if i == 0 else 3} {x:.3f} {y:.3f} {z:.3f} {radii[i]:.4f} {parent}\n")
    return path


def read_ours(path: Path) -> np.ndarray:
    neuron = nct.read_neuron(path)
    if neuron.defects:
        raise AssertionError(neuron.defects)
    return neuron.xyz_um


def read_loadtxt(path: Path) -> np.ndarray:
    return np.loadtxt(path)[:, 2:5]


def find_peers() -> dict[str, Reader]:
    """Readers that can be imported here."""
    peers: dict[str, Reader] = {"np.loadtxt (no checks)": read_loadtxt}
    try:
        import morphio

        def read_morphio(path: Path) -> np.ndarray:
            return morphio.Morphology(path).points

        peers = {"MorphIO": read_morphio, **peers}
    except ImportError:
        print("MorphIO is not here: run scripts/validation-env.sh .venv/bin/python .venv-validation")
    try:
        import navis

        def read_navis(path: Path) -> np.ndarray:
            return navis.read_swc(str(path)).nodes[["x", "y", "z"]].to_numpy()

        peers["navis"] = read_navis
    except ImportError:
        print("navis is not here")
    return peers


def compare(readers: dict[str, Reader], path: Path) -> None:
    """All readers must give the same cloud of points; MorphIO keeps the soma apart and repeats fork points."""
    ours = {tuple(p) for p in np.round(readers["ours, with all checks"](path), 3).astype(np.float32).tolist()}
    for name, read in readers.items():
        points = {tuple(p) for p in np.round(read(path), 3).astype(np.float32).tolist()}
        if not points <= ours or len(ours - points) > 1:
            raise AssertionError(f"{name} reads other points")


def race(title: str, paths: list[Path], readers: dict[str, Reader], turns: int) -> None:
    wall: dict[str, list[float]] = {name: [] for name in readers}
    busy: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(turns):
        for name, read in readers.items():
            gc.collect()
            clock, processor = time.perf_counter(), time.process_time()
            for path in paths:
                read(path)
            wall[name].append(time.perf_counter() - clock)
            busy[name].append(time.process_time() - processor)
    first = next(iter(readers))
    print(f"\n{title}")
    print(f"{'':28s}{'clock':>12s}{'processor':>12s}{'ours/peer, clock':>20s}{'processor':>12s}")
    for name in readers:
        clock_ratio = median(a / b for a, b in zip(wall[first], wall[name], strict=True))
        busy_ratio = median(a / b for a, b in zip(busy[first], busy[name], strict=True))
        print(
            f"{name:28s}{median(wall[name]) * 1e3:9.1f} ms{median(busy[name]) * 1e3:9.1f} ms"
            f"{clock_ratio:20.2f}{busy_ratio:12.2f}"
        )


def main() -> int:
    readers: dict[str, Reader] = {"ours, with all checks": read_ours, **find_peers()}
    with tempfile.TemporaryDirectory() as folder:
        big = write_neuron(Path(folder) / "big.swc", 24_294, SEED)
        many = [write_neuron(Path(folder) / f"{k}.swc", 300 + 30 * k, SEED + k) for k in range(100)]
        compare(readers, big)
        size = big.stat().st_size / 1e6
        race(f"One file of 24,294 nodes ({size:.2f} MB); goal: at most MorphIO's time", [big], readers, TURNS)
        total = sum(path.stat().st_size for path in many) / 1e6
        race(f"100 files of 300 to 3,270 nodes ({total:.1f} MB in all)", many, readers, 5)
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
