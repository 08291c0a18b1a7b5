"""Draw the sample recording, the simulated cell kinds and the sample neuron for the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from napari_celltype.neuron import Neuron
from napari_celltype.samples import sample_neuron, sample_neuron_truth, sample_recording, simulate_population
from napari_celltype.samples.cells import CELL_KINDS, CLASS_OF_KIND

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
TYPE_COLOURS = {2: "tab:blue", 3: "tab:green", 4: "tab:red"}


def draw_recording() -> None:
    recording = sample_recording()
    figure, axes = plt.subplots(2, 4, figsize=(12, 4.5), sharex="col", height_ratios=[3, 1])
    for column, indices in enumerate([(1, 2, 4), (9, 13, 18), (23,), (25,)]):
        for index in indices:
            sweep = recording.sweeps[index]
            axes[0, column].plot(sweep.time_s(), sweep.voltage_mv(), lw=0.6)
            axes[1, column].plot(sweep.time_s(), sweep.current_pa(), lw=0.6)
        axes[0, column].set_title(recording.sweeps[indices[0]].stimulus.name)
        axes[1, column].set_xlabel("s")
    axes[0, 0].set_xlim(0.18, 0.25)
    axes[0, 0].set_ylabel("mV")
    axes[1, 0].set_ylabel("pA")
    save(figure, "sample-recording.png")


def draw_kinds() -> None:
    population = simulate_population(40)
    figure, axes = plt.subplots(1, len(CELL_KINDS), figsize=(12, 2.6), sharey=True)
    time_ms = np.arange(population.peak_windows_mv.shape[1]) / population.rate_hz * 1e3 - 1.0
    for kind, panel in zip(CELL_KINDS, axes, strict=True):
        panel.plot(time_ms, population.peak_windows_mv[population.kinds == kind].T, lw=0.7)
        panel.set_title(f"{kind} ({CLASS_OF_KIND[kind]})", fontsize=9)
        panel.set_xlabel("ms from peak")
    axes[0].set_ylabel("mV")
    save(figure, "sample-kinds.png")


def draw_neuron() -> None:
    figure, axes = plt.subplots(1, 4, figsize=(12, 5.5), width_ratios=[1, 1, 1.4, 1.4])
    jumps = {jump.node_id for jump in sample_neuron_truth().jumps}
    pairs = [(sample_neuron(damaged=False), "clean"), (sample_neuron(), "with defects")]
    for i, (plane, name) in enumerate([((0, 1), "XY"), ((0, 2), "XZ")]):
        for j, (neuron, what) in enumerate(pairs):
            panel = axes[2 * i + j]
            draw_tree(panel, neuron, plane)
            panel.set_title(f"{name}, {what}")
            if j == 1:
                rows = neuron.rows_of(sorted(jumps))
                panel.plot(*neuron.xyz_um[rows][:, list(plane)].T, "o", mfc="none", mec="black", ms=9)
    save(figure, "sample-neuron.png")


def draw_tree(panel: Axes, neuron: Neuron, plane: tuple[int, int]) -> None:
    for swc_type, colour in TYPE_COLOURS.items():
        rows = np.flatnonzero((neuron.parents >= 0) & (neuron.types == swc_type))
        ends = np.stack([neuron.xyz_um[rows], neuron.xyz_um[neuron.parents[rows]]])
        panel.plot(ends[..., plane[0]], ends[..., plane[1]], color=colour, lw=0.7)
    panel.plot(0, 0, "ko")
    panel.set_aspect("equal")


def save(figure: plt.Figure, name: str) -> None:
    figure.tight_layout()
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / name, dpi=90)
    plt.close(figure)
    sys.stderr.write(f"{PICTURES / name}\n")


if __name__ == "__main__":
    draw_recording()
    draw_kinds()
    draw_neuron()
