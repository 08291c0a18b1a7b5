"""Repairing a reconstruction, in a real napari window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_celltype as nct
from napari_celltype._napari.demo import settle
from napari_celltype._napari.repair_layers import AFTER
from napari_celltype.samples.neuron import sample_neuron_swc


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    yield viewer
    for name in list(viewer.window.dock_widgets):
        viewer.window.remove_dock_widget(viewer.window.dock_widgets[name])


def test_a_curator_opens_a_file_sees_a_jump_repairs_it_and_saves(viewer, tmp_path: Path):
    path = tmp_path / "cell.swc"
    path.write_bytes(sample_neuron_swc())
    viewer.open(str(path), plugin="napari-celltype")
    _, dock = viewer.window.add_plugin_dock_widget("napari-celltype", "Repair reconstruction")
    settle(0.2, until=lambda: dock.overlay is not None)
    dock.flight.animated = False
    dock.next_jump()
    settle(0.3)
    colour = np.round(255 * dock.overlay.layer(AFTER).edge_color[0][:3])
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    assert (np.abs(picture - colour).max(axis=-1) < 40).sum() > 20, "the moved part is to be seen where it would go"
    for _ in range(3):
        dock.accept()
    dock.save()
    assert nct.find_z_jumps(nct.read_neuron(tmp_path / "cell.repaired.swc")) == []
    assert path.read_bytes() == sample_neuron_swc()
    viewer.layers.clear()
    settle(0.1)
    assert dock.repair is None


def test_what_is_drawn_at_once_is_what_napari_draws_when_refreshed(viewer, tmp_path: Path):
    path = tmp_path / "cell.swc"
    path.write_bytes(sample_neuron_swc())
    viewer.open(str(path), plugin="napari-celltype")
    _, dock = viewer.window.add_plugin_dock_widget("napari-celltype", "Repair reconstruction")
    settle(0.2, until=lambda: dock.overlay is not None)
    dock.flight.animated = False
    dock.jumps.go_on.setChecked(False)
    dock.next_jump()
    dock.session.nodes_layer(dock.repair.item_id).visible = True
    settle(0.5)
    before = viewer.screenshot(canvas_only=True, flash=False)
    dock.accept()
    at_once = viewer.screenshot(canvas_only=True, flash=False)
    for layer in viewer.layers:
        layer.refresh()
    settle(0.3)
    refreshed = viewer.screenshot(canvas_only=True, flash=False)
    assert (before != at_once).any(axis=-1).sum() > 500
    assert (refreshed != at_once).any(axis=-1).sum() < 20


def test_lines_follow_their_layer(viewer, tmp_path: Path):
    path = tmp_path / "cell.swc"
    path.write_bytes(sample_neuron_swc())
    viewer.open(str(path), plugin="napari-celltype")
    settle(0.5)
    lines = viewer.layers["cell · segments"]
    for layer in viewer.layers:
        layer.visible = layer is lines

    def brightness() -> int:
        settle(0.1)
        return int(viewer.screenshot(canvas_only=True, flash=False)[..., :3].sum())

    full = brightness()
    assert full > 0
    lines.opacity = 0.3
    assert brightness() < 0.6 * full
    lines.opacity = 1.0
    lines.edge_width *= 3
    assert brightness() > 1.5 * full
    lines.edge_color = "white"
    white = brightness()
    lines.data = lines.data[:50]
    assert 0 < brightness() < 0.5 * white
    lines.visible = False
    assert brightness() == 0
    lines.visible = True
    viewer.dims.ndisplay = 2
    assert brightness() >= 0
