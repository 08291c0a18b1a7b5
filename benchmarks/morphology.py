"""Morphometrics, z-correction and repair: ours against NeuroM, navis and the subtree loop, in turn in one process.

Run in the validation environment: ``.venv-validation/bin/python benchmarks/morphology.py [SWC]``. Without a file a
simulated basket cell of about 24,000 nodes is used. Results are compared before anything is timed; times are medians
of seven turns, and on a busy machine the ratio says more than they do.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from napari_celltype import Neuron, find_z_jumps, measure, read_neuron, repair_z_jumps, write_swc, zcorr  # noqa: E402
from napari_celltype.morphology import measure_z_steps  # noqa: E402
from napari_celltype.morphology.edits import Edit, apply_edit  # noqa: E402
from napari_celltype.morphology.projection import project  # noqa: E402
from napari_celltype.morphology.resampling import resample  # noqa: E402
from napari_celltype.morphology.simulation import simulate  # noqa: E402

TURNS = 7


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated_file()
    neuron = read_neuron(path)
    print(f"{path.name}: {len(neuron)} nodes; load average {os.getloadavg()[0]:.1f}\n")
    compare_morphometrics(path)
    compare_zcorr(neuron)
    time_ours(neuron)


def simulated_file() -> Path:
    cell = resample(simulate("basket", 1), 0.4, max_length_loss=None)
    return write_swc(cell, Path(tempfile.mkdtemp()) / "basket.swc")


def compare_morphometrics(path: Path) -> None:
    """All features from a neuron already in memory, as each program holds it."""
    import navis
    import neurom

    ours, theirs, tree = read_neuron(path), neurom.load_morphology(path), navis.read_swc(path)
    ours_values = measure(ours)
    peer = neurom_features(theirs)
    for name in ("NumberBifurcations", "NumberBranches", "MaxBranchOrder"):
        assert ours_values[name] == peer[name], (name, ours_values[name], peer[name])
    angle = "AverageBifurcationAngleRemote"
    assert abs(ours_values[angle] - peer[angle]) < 1e-3 * peer[angle], (ours_values[angle], peer[angle])
    times = in_turn(
        ours=lambda: measure(read_neuron_copy(ours)),
        neurom=lambda: neurom_features(neurom.core.Morphology(theirs.to_morphio())),
        navis=lambda: navis.ivscc_features(tree.copy()),
    )
    show("20 features / 17 of NeuroM / ivscc of navis", times)


def read_neuron_copy(neuron: Neuron) -> Neuron:
    """The same neuron without what was worked out before, so that nothing is timed as free."""
    return neuron.replace()


def neurom_features(morphology: Any) -> dict[str, float]:
    """The features of NeuroM that stand for ours."""
    from neurom import features

    def get(name: str) -> Any:
        return features.get(name, morphology)

    return {
        "TotalLength": float(get("total_length")),
        "TotalSurface": float(get("total_area")),
        "TotalVolume": float(get("total_volume")),
        "NumberBifurcations": float(get("number_of_forking_points")),
        "NumberStems": float(get("number_of_neurites")),
        "NumberBranches": float(get("number_of_sections")),
        "OverallWidth": float(get("total_width")),
        "OverallHeight": float(get("total_height")),
        "OverallDepth": float(get("total_depth")),
        "AverageDiameter": float(2 * np.mean(get("segment_radii"))),
        "AverageContraction": float(np.mean(1 / np.asarray(get("section_tortuosity")))),
        "MaxBranchOrder": float(np.max(get("section_branch_orders"))),
        "MaxPathDistance": float(np.max(get("section_path_distances"))),
        "MaxEuclideanDistance": float(np.max(get("section_radial_distances"))),
        "SomaSurface": float(get("soma_surface_area")),
        "PartitionAsymmetry": float(np.mean(get("partition_asymmetry"))),
        "AverageBifurcationAngleRemote": float(np.degrees(np.mean(get("remote_bifurcation_angles")))),
        "AverageBifurcationAngleLocal": float(np.degrees(np.mean(get("local_bifurcation_angles")))),
    }


def compare_zcorr(neuron: Neuron) -> None:
    """The TREES rule, against a loop that shifts each offender's subtree in turn."""
    rng = np.random.default_rng(0)
    z = neuron.xyz_um[:, 2] + np.where(rng.uniform(size=len(neuron)) < 0.05, rng.normal(0, 20, len(neuron)), 0)
    jumpy = neuron.replace(xyz_um=np.column_stack([neuron.xyz_um[:, :2], z]))
    np.testing.assert_allclose(zcorr(jumpy, 5).xyz_um[:, 2], subtree_loop(jumpy, 5), atol=1e-6)
    times = in_turn(ours=lambda: zcorr(read_neuron_copy(jumpy), 5), subtree_loop=lambda: subtree_loop(jumpy, 5))
    show(f"zcorr, {len(find_z_jumps(jumpy, 5, 0))} jumps", times)


def subtree_loop(neuron: Neuron, threshold: float) -> np.ndarray:
    z, parents = neuron.xyz_um[:, 2].copy(), neuron.parents
    children: list[list[int]] = [[] for _ in range(len(neuron))]
    for row, parent in enumerate(parents.tolist()):
        if parent >= 0:
            children[parent].append(row)
    rise = np.where(parents >= 0, z[parents] - z, 0.0)
    for row in np.flatnonzero(np.abs(rise) > threshold).tolist():
        found = [row]
        for node in found:
            found.extend(children[node])
        z[found] += rise[row]
    return z


def time_ours(neuron: Neuron) -> None:
    """What a slider, a key and a save wait for."""
    every = neuron.ids[neuron.parents >= 0].tolist()
    steps = measure_z_steps(neuron)
    node = int(neuron.ids[len(neuron) // 2])
    tasks: dict[str, Callable[[], Any]] = {
        "measure all steps (once a neuron)": lambda: measure_z_steps(read_neuron_copy(neuron)),
        "thresholds moved": lambda: steps.select(7.0, 2.0),
        "align every step": lambda: repair_z_jumps(neuron, every),
        "split every step": lambda: repair_z_jumps(neuron, every, "split"),
        "tilt every step": lambda: repair_z_jumps(neuron, every, "tilt"),
        "move a subtree, with its undo": lambda: apply_edit(
            neuron, Edit("move_subtree", {"node_id": node, "by_um": [0, 0, 5]})
        ),
        "delete a node, with its undo": lambda: apply_edit(neuron, Edit("delete_node", {"node_id": node})),
        "resample to 1 um": lambda: resample(neuron, 1.0),
        "three views of 224 pixels": lambda: project(neuron, 224),
    }
    for name, task in tasks.items():
        task()
        print(f"{name:42s}{1e3 * median(timed(task) for _ in range(TURNS)):9.2f} ms")


def in_turn(**tasks: Callable[[], Any]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(TURNS):
        for name, task in tasks.items():
            times[name].append(timed(task))
    return times


def timed(task: Callable[[], Any]) -> float:
    gc.collect()
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


def show(what: str, times: dict[str, list[float]]) -> None:
    print(what)
    for name, values in times.items():
        ratio = median(theirs / ours for theirs, ours in zip(values, times["ours"], strict=True))
        print(f"  {name:14s}{1e3 * median(values):10.2f} ms{ratio:10.1f} x ours")
    print()


if __name__ == "__main__":
    main()
