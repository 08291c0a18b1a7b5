"""The page about neurons in the dock "Cell type", what it paints on the layers, and the Map dock for neurons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QWidget

from celltype_stubs import make_firing_recording, stub_shelf
from napari_celltype._napari import map_dock as map_module
from napari_celltype._napari import neuron_type_control, neuron_type_page, opened
from napari_celltype._napari.celltype_control import control_of
from napari_celltype._napari.celltype_dock import CellTypeDock
from napari_celltype._napari.map_dock import MapDock
from napari_celltype._napari.map_steps import tree_of
from napari_celltype._napari.map_words import describe_point
from napari_celltype._napari.neuron_layers import LANDMARKS, NODES, SEGMENTS, neuron_to_layers, segment_colours
from napari_celltype._napari.neuron_type_control import neuron_control_of
from napari_celltype._napari.neuron_type_drawings import PairBars
from napari_celltype._napari.neuron_type_map import thumbnail, to_png
from napari_celltype._napari.neuron_type_paint import DECIDES, SAYS, why_colours
from napari_celltype._napari.plots.palette import class_colour, rgba
from napari_celltype._napari.session import session_of
from napari_celltype.neuron import Neuron
from napari_celltype.workbench import Item
from napari_celltype.workbench import neuron_type as judging
from napari_celltype.workbench.neuron_type import NeuronShelf
from napari_celltype.workbench.place import CellMap
from neuron_stubs import StubNeurons, make_cycle, make_neuron, neuron_shelf

JUMP = 200.0


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(autouse=True)
def said(monkeypatch) -> list[str]:
    """Warnings shown to the user; class averages come from bundled models, which these tests do without."""
    found: list[str] = []
    for module in (neuron_type_control, neuron_type_page):
        monkeypatch.setattr(module, "report_warning", found.append)
    monkeypatch.setattr(judging, "differences", lambda *_: None)
    return found


def open_dock(viewer, qtbot, *models: StubNeurons, shelf: NeuronShelf | None = None) -> CellTypeDock:
    session = session_of(viewer)
    control_of(session, stub_shelf())
    neuron_control_of(session, shelf or neuron_shelf(*models))
    dock = CellTypeDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(330, 650)
    dock.show()
    return dock


def open_neuron(viewer, neuron: Neuron) -> str:
    """As the reader does it."""
    item = opened.hand_over(neuron)
    for data, options, kind in neuron_to_layers(neuron, item_id=item.id):
        viewer.add_layer(Layer.create(data, options, kind))
    return item.id


def wait_for_all(dock: CellTypeDock, qtbot) -> None:
    control = dock.subject.neuron_page.control
    qtbot.waitUntil(lambda: not control.is_working, timeout=20_000)


def answered(dock: CellTypeDock, qtbot, neuron: Neuron | None = None) -> str:
    item = open_neuron(dock.session.viewer, neuron or make_neuron())
    wait_for_all(dock, qtbot)
    return item


def layer_of(dock: CellTypeDock, item: str, role: str) -> Layer:
    return dock.session.view(item).layer(role)


# the main path -------------------------------------------------------------------------------------------------------


def test_opening_a_neuron_shows_its_type_without_a_click(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    answered(dock, qtbot)
    assert dock.subject.shows_neuron
    assert not dock.subject.bar.isVisible()
    assert page.result.headline.text() == "Pyramidal, 75 %"
    assert page.result.detail.text() == "principal cell"
    assert page.result.others.text() == "forms-2class says Principal cell, 75 %."
    assert page.tabs.pictures.pictures.views.shape[0] == 3
    assert "no z-jump" in page.tabs.repair.words.text().lower()
    assert page.form.predict.text() == "Predict"


def test_the_type_is_on_the_layers_as_feature_colour_and_words(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    neuron = make_neuron()
    item = answered(dock, qtbot, neuron)
    for role in (NODES, SEGMENTS, LANDMARKS):
        assert set(layer_of(dock, item, role).features[SAYS]) == {"Pyramidal"}
    label = layer_of(dock, item, SAYS)
    assert label.features["says"].tolist() == ["Pyramidal 75 %"]
    lines = layer_of(dock, item, SEGMENTS)
    own = segment_colours(neuron, np.arange(1, len(neuron)))
    np.testing.assert_allclose(lines.edge_color, own)
    page.how.setCurrentIndex(page.how.findData("type"))
    np.testing.assert_allclose(lines.edge_color, np.tile(rgba(class_colour("pyramidal")), (len(own), 1)), atol=1e-6)
    page.how.setCurrentIndex(page.how.findData("structure"))
    np.testing.assert_allclose(lines.edge_color, own)


def test_what_decided_is_painted_on_the_branches(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    item = answered(dock, qtbot, make_neuron(jump_um=JUMP))
    qtbot.mouseClick(page.tabs.branches.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.neurons.call(item).why is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not page.control.is_explaining)
    assert "The branch that counts most" in page.tabs.branches.words.text()
    assert page.tabs.branches.button.text() == "Which branches decided?"
    assert page.how.currentData() == "why"
    nodes, lines = layer_of(dock, item, NODES), layer_of(dock, item, SEGMENTS)
    assert nodes.features[DECIDES].iloc[1:11].min() > 1
    assert lines.features[DECIDES].iloc[:10].min() > 1
    assert not np.allclose(lines.edge_color[0], lines.edge_color[-1])
    np.testing.assert_allclose(lines.edge_color[-1], why_colours(np.zeros(1), 1.0)[0], atol=0.01)


def test_an_edit_asks_again_and_compares_with_the_file(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    item = answered(dock, qtbot, make_neuron(jump_um=JUMP))
    assert "would change the answer" in page.tabs.repair.words.text()
    nodes = layer_of(dock, item, NODES)
    data = nodes.data.copy()
    data[6:11, 0] -= JUMP
    nodes.data = data
    nodes.events.data(value=data, action="changed", data_indices=(6,), vertex_indices=((),))
    assert page.control.is_working
    wait_for_all(dock, qtbot)
    assert page.result.headline.text() == "Pyramidal, 75 %"
    assert "Your edits (the file has 1 z-jump) change the answer" in page.tabs.repair.words.text()
    assert layer_of(dock, item, SAYS).features["says"].tolist() == ["Pyramidal 75 %"]


def test_two_neurons_are_chosen_by_layer_or_by_name(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    first = answered(dock, qtbot, make_neuron(name="a.swc"))
    second = answered(dock, qtbot, make_neuron(jump_um=JUMP, name="b.swc"))
    assert page.who.isVisible()
    assert page.result.headline.text() == "Basket, 79 %"
    viewer.layers.selection = {layer_of(dock, first, SEGMENTS)}
    assert page.control.item_id == first
    assert page.result.headline.text() == "Pyramidal, 75 %"
    page.who.setCurrentIndex(page.who.findData(second))
    page.who.activated.emit(page.who.currentIndex())
    assert page.result.headline.text() == "Basket, 79 %"


def test_with_a_recording_too_the_selected_layer_says_which_page(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    recording = Item.holding(make_firing_recording(2, name="cell 1.abf"))
    dock.document.add(recording)
    qtbot.waitUntil(lambda: not dock.control.is_busy, timeout=20_000)
    assert not dock.subject.shows_neuron
    answered(dock, qtbot, make_neuron(jump_um=JUMP))
    assert dock.subject.bar.isVisible()
    assert dock.subject.shows_neuron
    assert page.joint.text() == "Recording: Inhibitory, 90 %. Neuron: Basket, 79 %. They agree."
    page.recording.setCurrentIndex(0)
    page.recording.activated.emit(0)
    assert not page.joint.isVisible()
    dock.subject.bar.setCurrentIndex(0)
    assert not dock.subject.shows_neuron
    dock.document.close(recording.id)
    assert dock.subject.shows_neuron
    assert not dock.subject.bar.isVisible()


def test_an_accepted_neuron_is_a_row_of_the_session(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot)
    dock.subject.neuron_page.accept.click()
    assert [row.label for row in dock.cells.table.rows] == ["pyramidal"]
    assert dock.tabs.tabText(3) == "Cells (1)"


def test_either_pages_report_is_about_recording_and_neuron(viewer, qtbot, tmp_path, monkeypatch):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    dock.document.add(Item.holding(make_firing_recording(2, name="cell 1.abf")))
    qtbot.waitUntil(lambda: not dock.control.is_busy, timeout=20_000)
    answered(dock, qtbot)
    titles = []
    monkeypatch.setattr(neuron_type_page, "_save_report", lambda *args: titles.append(args) or iter([args[-1]]))
    page.save_report(tmp_path / "a.pdf")
    qtbot.waitUntil(lambda: not page._saving.is_busy, timeout=30_000)
    dock.save_report(tmp_path / "b.pdf")
    qtbot.waitUntil(lambda: not page._saving.is_busy, timeout=30_000)
    assert [(args[0].name, args[2].name, args[-1].name) for args in titles] == [
        ("cell 1.swc", "cell 1.abf", "a.pdf"),
        ("cell 1.swc", "cell 1.abf", "b.pdf"),
    ]


# sentences -----------------------------------------------------------------------------------------------------------


def test_no_neuron_a_cycle_and_a_failing_model_are_sentences(viewer, qtbot, said):
    dock = open_dock(viewer, qtbot, StubNeurons(failing=RuntimeError("out of memory")))
    page = dock.subject.neuron_page
    assert "No neuron is open" in page.result.detail.text()
    page._on_form_predict()
    page.control.ask_why()
    assert len(said) == 2
    answered(dock, qtbot, make_cycle())
    assert "runs in a circle" in page.result.detail.text()
    assert not page.report.isEnabled()
    answered(dock, qtbot)
    assert "could not judge this neuron (RuntimeError: out of memory)" in page.result.detail.text()
    assert page.form.predict.text() == "Predict"


def test_without_any_model_the_form_is_off_and_says_why(viewer, qtbot):
    dock = open_dock(viewer, qtbot, shelf=NeuronShelf(list))
    page = dock.subject.neuron_page
    answered(dock, qtbot)
    assert not page.form.isEnabled()
    assert "no model that judges reconstructions" in page.result.detail.text()


def test_layers_deleted_meanwhile_close_the_neuron_and_take_the_words_along(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    page = dock.subject.neuron_page
    page.control.ask_why()
    for role in (SEGMENTS, NODES, LANDMARKS):
        viewer.layers.remove(layer_of(dock, item, role))
    assert not len(viewer.layers)
    assert item not in dock.document
    assert not page.control.is_explaining
    assert "No neuron is open" in page.result.detail.text()


def test_a_deleted_label_or_nodes_layer_does_no_harm(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    item = answered(dock, qtbot)
    viewer.layers.remove(layer_of(dock, item, SAYS))
    viewer.layers.remove(layer_of(dock, item, NODES))
    page = dock.subject.neuron_page
    page.control.ask()
    wait_for_all(dock, qtbot)
    assert page.result.headline.text() == "Pyramidal, 75 %"


def test_not_live_it_waits_for_the_button_and_taking_branches_off_can_be_cancelled(viewer, qtbot):
    dock = open_dock(viewer, qtbot)
    page = dock.subject.neuron_page
    page.form.live.setChecked(False)
    item = open_neuron(viewer, make_neuron())
    qtbot.wait(50)
    assert page.result.detail.text() == "Press Predict."
    qtbot.mouseClick(page.form.predict, Qt.MouseButton.LeftButton)
    wait_for_all(dock, qtbot)
    assert page.result.headline.text() == "Pyramidal, 75 %"
    page.tabs.branches.button.click()
    assert page.tabs.branches.button.text() == "Cancel"
    page.tabs.branches.button.click()
    assert page.tabs.branches.button.text() == "Which branches decided?"
    assert page.neurons.call(item).why is None


def test_closed_it_gives_the_neuron_its_colours_back_and_lets_go(viewer, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    dock = open_dock(viewer, qtbot)
    dock.setParent(window)
    page = dock.subject.neuron_page
    neuron = make_neuron()
    item = answered(dock, qtbot, neuron)
    page.how.setCurrentIndex(page.how.findData("type"))
    view, listeners = dock.session.view(item), len(page.neurons.answered)
    dock.setParent(None)
    assert len(page.neurons.answered) == listeners - 1
    assert SAYS not in view.layer(NODES).features
    assert view.layer(SAYS) is None
    np.testing.assert_allclose(view.layer(SEGMENTS).edge_color, segment_colours(neuron, np.arange(1, len(neuron))))
    dock.deleteLater()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_everything_is_drawn_in_both_themes(viewer, qtbot, theme):
    viewer.theme = theme
    dock = open_dock(viewer, qtbot)
    answered(dock, qtbot, make_neuron(jump_um=JUMP))
    tabs = dock.subject.neuron_page.tabs
    for at in range(tabs.count()):
        tabs.setCurrentIndex(at)
        assert not tabs.currentWidget().grab().isNull()
    assert tabs.findChild(PairBars).effect is not None


# the map -------------------------------------------------------------------------------------------------------------


def make_map(name: str, kind: str) -> CellMap:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 2)) + 300 * (np.arange(30) % 2)[:, None]
    cells = pd.DataFrame({"class": np.array(["pyramidal", "basket"])[np.arange(30) % 2]})
    pictures = np.zeros((30, 8, 8), dtype=np.uint8)

    def condense(neuron: Neuron) -> np.ndarray:
        return np.full((1, 2), float(np.ptp(neuron.xyz_um[:, 2])))

    return CellMap(name, "t-SNE", kind, vectors, vectors, cells, condense, 1e6, None, pictures)


@pytest.fixture
def map_dock(viewer, qtbot, monkeypatch):
    def maps():
        for name, kind in (("cells", "features"), ("forms", "neuron")):
            found = make_map(name, kind)
            yield found, tree_of(found)

    monkeypatch.setattr(map_module, "maps_steps", maps)
    dock = MapDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(480, 600)
    dock.show()
    qtbot.waitUntil(lambda: len(dock.maps) == 2)
    return dock


def test_a_neuron_turns_the_dock_to_a_map_of_neurons_and_is_placed(viewer, qtbot, map_dock):
    assert map_dock.map.name == "cells"
    item = open_neuron(viewer, make_neuron(jump_um=JUMP))
    assert map_dock.map.name == "forms"
    qtbot.waitUntil(lambda: item in map_dock.places)
    assert map_dock.head.text() == "cell 1.swc: of its 10 nearest cells, 10 Basket."
    map_dock.document.add(Item.holding(make_firing_recording(1)))
    assert map_dock.map.name == "cells"
    viewer.layers.selection = {map_dock.session.view(item).layer(SEGMENTS)}
    assert map_dock.map.name == "forms"


def test_a_cyclic_neuron_has_no_place_and_says_why(viewer, map_dock):
    open_neuron(viewer, make_cycle())
    assert "runs in a circle" in map_dock.head.text()


def test_hovering_shows_the_neurons_picture():
    cell_map = make_map("forms", "neuron")
    cell_map.pictures[3, 2:4, 2:4] = 255
    said = describe_point(3, cell_map)
    assert said.startswith('<img src="data:image/png;base64,')
    assert "basket" in said
    assert thumbnail(cell_map.pictures[3]) != thumbnail(cell_map.pictures[4])


def test_the_picture_is_png_that_qt_reads():
    pixels = np.random.default_rng(0).integers(0, 256, size=(5, 7, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    image = QImage.fromData(to_png(pixels))
    assert (image.width(), image.height()) == (7, 5)
    colour = image.pixelColor(6, 4)
    assert [colour.red(), colour.green(), colour.blue()] == pixels[4, 6, :3].tolist()
