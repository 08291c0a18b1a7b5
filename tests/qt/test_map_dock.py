"""The dock "Map" without a napari window: places, neighbours, selections and a map of one's own."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_celltype._napari import map_dock as module
from napari_celltype._napari import map_subjects
from napari_celltype._napari.map_dock import MapDock
from napari_celltype._napari.map_steps import tree_of
from napari_celltype._napari.map_words import describe_place, describe_selection
from napari_celltype._napari.plots.scatter import FEW
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import ModelError, RecordingError
from napari_celltype.workbench import Item
from napari_celltype.workbench.place import CellMap, OwnCells, Place
from qt.recordings import make_recording

N = 60


def make_map() -> CellMap:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N, 3)) + 8 * np.eye(3)[np.arange(N) % 3]
    cells = pd.DataFrame({"class": np.array(["Pvalb+", "Sst+", "Vip+"])[np.arange(N) % 3], "depth": rng.random(N)})
    layout = vectors[:, :2] * 3
    return CellMap(
        "test map",
        "t-SNE, perplexity 5, seed 0",
        "features",
        vectors,
        layout,
        cells,
        lambda x: np.atleast_2d(np.asarray(x, dtype=float)[..., :3]),
        gate_rows=np.where(np.arange(N) % 2, -1, np.arange(N)),
    )


def fake_maps():
    found = make_map()
    yield found, tree_of(found)


def fake_measure(recording):
    return pd.Series([8.0, 0.0, 0.0])


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, qtbot, monkeypatch):
    monkeypatch.setattr(module, "maps_steps", fake_maps)
    monkeypatch.setattr(map_subjects, "measure_features", fake_measure)
    dock = MapDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(480, 600)
    dock.show()
    qtbot.waitUntil(lambda: dock.map is not None)
    return dock


def show(dock, **options) -> Item:
    item = Item.holding(make_recording(2, **options))
    dock.document.add(item)
    dock.document.make_current(item.id)
    return item


def near_texts(dock) -> list[str]:
    return [dock.near.item(row, 1).text() for row in range(dock.near.rowCount())]


def test_without_a_recording_the_map_is_shown_with_its_perplexity_and_seed(dock):
    assert "reference cells alone" in dock.head.text()
    assert dock.about.text() == "t-SNE, perplexity 5, seed 0"
    assert len(dock.scatter.points) == N
    assert "Pvalb" in dock.legend.text()


def test_a_cell_is_placed_and_its_nearest_cells_listed(dock, qtbot):
    item = show(dock)
    qtbot.waitUntil(lambda: item.id in dock.places)
    assert near_texts(dock) == ["Pvalb"] * 10
    assert dock.head.text() == "cell.abf: of its 10 nearest cells, 10 Pvalb."
    assert [name for name, _ in dock.scatter._marked] == ["cell.abf"]
    dock.document.close(item.id)
    qtbot.waitUntil(lambda: not dock.places)
    assert dock.near.rowCount() == 0


def test_voltage_clamp_is_a_sentence(dock):
    show(dock, clamp="voltage")
    assert "voltage clamp" in dock.head.text()


def test_a_lasso_selects_cells_of_the_map_and_of_the_session(dock, qtbot):
    item = show(dock)
    qtbot.waitUntil(lambda: item.id in dock.places)
    heard = []
    dock.selection.changed.connect(heard.append)
    x, y = dock.places[item.id].xy
    dock.scatter.drawn.emit(np.array([(x - 9, y - 9), (x + 9, y - 9), (x + 9, y + 9), (x - 9, y + 9)]))
    qtbot.waitUntil(lambda: bool(heard))
    assert set(make_map().cells["class"].iloc[heard[0].rows]) == {"Pvalb+"}
    assert heard[0].items == (item.id,)
    assert heard[0].source == "test map"
    assert "of this session: " in dock.about.text()
    dock._on_key_clear()
    assert dock.about.text() == "t-SNE, perplexity 5, seed 0"


def test_selected_cells_are_told_apart_by_whose_gates_are_kept(dock):
    dock._on_near_chosen([2, 3, 8])
    assert dock.selection.value.rows.tolist() == [2, 3, 8]
    assert dock.selection.value.gates.tolist() == [2, 8]


def test_a_cell_of_the_session_selected_elsewhere_is_ringed(dock, qtbot):
    item = show(dock)
    qtbot.waitUntil(lambda: item.id in dock.places)
    assert dock.scatter._ringed == [False]
    dock.selection.select_items([item.id])
    assert dock.scatter._ringed == [True]


def test_a_cell_that_cannot_be_placed_is_a_sentence(dock, qtbot, monkeypatch):
    def refuse(recording):
        raise RecordingError("None of the 41 features could be measured in cell.abf.")

    monkeypatch.setattr(map_subjects, "measure_features", refuse)
    show(dock)
    qtbot.waitUntil(lambda: "None of the 41 features" in dock.head.text())
    assert not dock.places
    qtbot.waitUntil(lambda: not dock.progress.isVisible())


def test_on_a_map_of_spikes_the_place_follows_the_window(dock, qtbot):
    by_spike = replace(
        make_map(),
        name="spikes",
        input="waveform",
        condense=lambda cut: np.array([[8.0 if np.max(cut.voltage_mv) > 0 else np.nan, 0.0, 0.0]]),
    )
    dock.add_map(by_spike, tree_of(by_spike))
    item = show(dock)
    dock.document.choose(item.id, "window", ApWindow.around_peak(0, 0.1))
    qtbot.waitUntil(lambda: item.id in dock.places)
    assert near_texts(dock) == ["Pvalb"] * 10
    dock.document.choose(item.id, "window", ApWindow.around_peak(0, 0.02))
    qtbot.waitUntil(lambda: "No action potential was found in cell.abf" in dock.head.text())
    assert item.id not in dock.places


def test_a_selection_made_elsewhere_stands_out_here(dock):
    dock.selection.select("test map", [3, 6])
    assert dock.scatter._selected.tolist() == [3, 6]
    dock.selection.select("another map", [1])
    assert not len(dock.scatter._selected)


def test_choosing_a_near_cell_selects_it(dock, qtbot):
    item = show(dock)
    qtbot.waitUntil(lambda: item.id in dock.places)
    dock.near.selectRow(2)
    assert dock.selection.value.rows.tolist() == [dock.places[item.id].near[2]]


def test_colours_follow_the_column_chosen(dock):
    dock.bar.colour.setCurrentText("depth")
    assert "■" in dock.legend.text()
    dock.bar.colour.setCurrentText("class")
    assert "●" in dock.legend.text()


def test_the_mouse_finds_the_point_it_is_on_and_says_what_is_known(dock):
    point = dock.scatter.points[5]
    pixel = dock.scatter.view.scene.transform.map([*point, 0, 1])
    assert dock.scatter.index_at(pixel[:2] / pixel[3]) in range(N)
    dock._on_point_hovered(5)
    assert "Vip+" in dock.scatter.toolTip()


def test_the_mouse_draws_a_lasso_only_while_it_is_on(dock, qtbot):
    drawn = []
    dock.scatter.drawn.connect(drawn.append)
    pixels = [(50, 50), (200, 50), (200, 200), (50, 200)]
    for on in (False, True):
        dock.bar.lasso.setChecked(on)
        dock.scatter._on_mouse_press(SimpleNamespace(pos=pixels[0], button=1))
        for pixel in pixels[1:]:
            dock.scatter._on_mouse_move(SimpleNamespace(pos=pixel, button=1))
        dock.scatter._on_mouse_release(SimpleNamespace(pos=pixels[-1], button=1))
        assert len(drawn) == on
    assert drawn[0].shape == (4, 2)
    assert dock.scatter.camera.lends_mouse


def test_a_million_points_are_thinned_while_they_move(dock, qtbot):
    points = np.random.default_rng(0).normal(size=(FEW + 10, 2))
    dock.scatter.show_points(points, np.ones((len(points), 4), dtype=np.float32))
    dock.scatter._on_moved()
    assert dock.scatter._few.visible
    assert not dock.scatter._all.visible
    qtbot.waitUntil(lambda: dock.scatter._all.visible)


def test_a_map_of_own_cells_is_laid_out_beside_the_fixed_one(dock, qtbot):
    own = OwnCells(pd.DataFrame(np.random.default_rng(0).normal(size=(12, 3))), pd.DataFrame(index=range(12)))
    dock.own.take(own)
    assert dock.own.bar.isVisible()
    dock.own.bar.go.click()
    assert dock.own.bar.cancel.isVisible()
    qtbot.waitUntil(lambda: len(dock.maps) == 2, timeout=60_000)
    assert dock.map.name == "Own cells, perplexity 3, seed 0"
    assert len(dock.scatter.points) == 12
    qtbot.waitUntil(lambda: dock.own.bar.go.isVisible())


def test_laying_out_can_be_cancelled_and_leaves_the_form_as_it_was(dock, qtbot):
    own = OwnCells(pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3))), pd.DataFrame(index=range(200)))
    dock.own.take(own)
    dock.own.bar.go.click()
    dock.own.bar.cancel.click()
    assert dock.own.bar.go.isVisible()
    assert len(dock.maps) == 1


def test_too_few_own_cells_are_a_sentence(dock, qtbot):
    dock.own.take_session()
    assert "No cell of this session" in dock.head.text()
    dock.own.take(OwnCells(pd.DataFrame(np.zeros((2, 3))), pd.DataFrame(index=range(2))))
    dock.own.bar.go.click()
    qtbot.waitUntil(lambda: "at least 5 cells" in dock.head.text())


def test_a_table_that_is_none_is_a_sentence(dock, qtbot, tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("a,b\n1,2\n")
    dock.own.open_table(path)
    qtbot.waitUntil(lambda: "none of the table's columns" in dock.head.text())


def test_without_a_map_it_says_so(viewer, qtbot, monkeypatch):
    def nothing():
        raise ModelError("No map is installed", hint="Reinstall napari-celltype.")
        yield

    monkeypatch.setattr(module, "maps_steps", nothing)
    dock = MapDock(viewer)
    qtbot.addWidget(dock)
    qtbot.waitUntil(lambda: "No map is installed" in dock.message.text())
    show(dock)


def test_both_themes_paint_the_ground_they_have(dock, viewer):
    grounds = set()
    for theme in ("light", "dark"):
        viewer.theme = theme
        grounds.add(dock.scatter.canvas.bgcolor.hex)
    assert len(grounds) == 2


def test_a_new_drawing_context_gets_a_new_canvas_with_the_same_view(dock, qtbot):
    old = dock.scatter.canvas
    dock.scatter.camera.rect = (1, 2, 3, 4)
    dock.scatter._is_drawn_on = True
    dock.scatter._on_initialized()  # as when the dock is torn off the window
    qtbot.waitUntil(lambda: dock.scatter.canvas is not old)
    assert dock.scatter._fine.visible
    assert (dock.scatter.camera.rect.width, dock.scatter.camera.rect.height) == (3, 4)


def test_closed_and_opened_again_five_times(viewer, qtbot, monkeypatch):
    monkeypatch.setattr(module, "maps_steps", fake_maps)
    for _ in range(5):
        dock = MapDock(viewer)
        qtbot.addWidget(dock)
        dock.close()
        assert not any(job.is_busy for job in dock.jobs)


def test_what_is_selected_is_counted_by_class():
    assert describe_selection(np.array([0, 3, 1]), 0, make_map()) == "3 selected: 2 Pvalb, 1 Sst"
    assert describe_selection(np.array([], dtype=int), 0, make_map()) == ""


def test_a_place_found_by_few_features_or_far_from_all_says_so():
    place = Place("c", np.zeros(2), np.array([0, 3, 1]), np.ones(3), is_far=True, known=(6, 41))
    text = describe_place(place, make_map())
    assert "of its 3 nearest cells, 2 Pvalb, 1 Sst" in text
    assert "Only 6 of 41 features" in text
    assert "unlike all of them" in text
