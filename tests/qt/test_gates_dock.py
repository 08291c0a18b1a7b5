"""The dock "Feature gates" without a window: every state is a sentence or a picture, and files hold what is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QBuffer, QIODevice, QPointF
from qtpy.QtGui import QImage, QPainter

from napari_celltype._napari import gates_dock as module
from napari_celltype._napari.gates_dock import GatesDock
from napari_celltype._napari.plots.heatmap import HeatmapView, Place
from napari_celltype.errors import CelltypeError, ModelError
from napari_celltype.models.features import FEATURE_NAMES, FEATURES
from napari_celltype.workbench import Item
from napari_celltype.workbench.gates import CellGates
from napari_celltype.workbench.gates_sheet import build_sheet
from napari_celltype.workbench.measured import MeasuredCell
from qt.recordings import make_recording
from unit.test_gates import make_cell, make_reference


def fake_reference(folder):
    yield object(), make_reference()


def fake_cell(model, cell):
    yield make_cell(adds=False)
    yield make_cell()


def fake_measure(item_id, name, recording):
    yield MeasuredCell(item_id, name, recording, pd.Series(1.0, index=list(FEATURE_NAMES)))


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, qtbot, monkeypatch):
    monkeypatch.setattr(module, "reference_steps", fake_reference)
    monkeypatch.setattr(module, "cell_steps", fake_cell)
    monkeypatch.setattr(module, "measure_steps", fake_measure)
    dock = GatesDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(560, 640)
    dock.show()
    qtbot.waitUntil(lambda: dock.sheet is not None)
    return dock


def show(dock, qtbot, **options):
    item = Item.holding(make_recording(2, **options))
    dock.document.add(item)
    dock.document.make_current(item.id)
    return item


def columns_of(dock):
    return [panel.labels[:1] for panel in dock.sheet.panels]


def test_without_a_recording_the_class_averages_are_shown_and_it_says_what_to_do(dock):
    assert "No recording is open" in dock.head.text()
    assert [len(panel.classes) for panel in dock.sheet.panels] == [3, 3]


def test_a_recording_is_measured_judged_and_explained(dock, qtbot):
    show(dock, qtbot)
    qtbot.waitUntil(lambda: len(dock.sheet.panels) == 3)
    qtbot.waitUntil(lambda: not dock.progress.isVisible())
    assert dock.sheet.panels[0].labels[0] == "This cell"
    assert dock.head.text() == "cell.abf: Pvalb 83% · 40 of 41 features measured · 20 gates over half open"


def test_voltage_clamp_is_a_sentence_and_the_averages_stay(dock, qtbot):
    show(dock, qtbot, clamp="voltage")
    qtbot.waitUntil(lambda: "voltage clamp" in dock.head.text())
    assert [len(panel.classes) for panel in dock.sheet.panels] == [3, 3]


def test_closing_the_recording_takes_its_column_away(dock, qtbot):
    item = show(dock, qtbot)
    qtbot.waitUntil(lambda: len(dock.sheet.panels) == 3)
    dock.document.close(item.id)
    qtbot.waitUntil(lambda: len(dock.sheet.panels) == 2)
    assert dock.cell is None


def test_a_selection_on_the_map_is_shown_cell_by_cell(dock, qtbot):
    dock.selection.select("a map", [2, 5, 9], gates=[1, 4, 8])
    qtbot.waitUntil(lambda: dock.sheet.panels[-1].rows is not None)
    assert sorted(dock.sheet.panels[-1].rows) == [1, 4, 8]
    assert dock.shown.currentData() == "selected"
    dock.selection.clear()
    qtbot.waitUntil(lambda: dock.sheet.panels[-1].rows is None)


def test_a_model_that_cannot_be_loaded_is_a_sentence(viewer, qtbot, monkeypatch):
    def missing(folder):
        raise ModelError("The model lspin is not installed", hint="Reinstall napari-celltype.")
        yield

    monkeypatch.setattr(module, "reference_steps", missing)
    dock = GatesDock(viewer)
    qtbot.addWidget(dock)
    qtbot.waitUntil(lambda: "not installed" in dock.message.text())
    assert not dock.export.isEnabled()
    show(dock, qtbot)
    assert dock.sheet is None


def test_hovering_a_missing_feature_says_so(dock, qtbot):
    show(dock, qtbot)
    qtbot.waitUntil(lambda: len(dock.sheet.panels) == 3)
    assert "not measured" in dock.describe(Place(3, 0, 0))
    text = dock.describe(Place(0, 0, 0))
    assert FEATURES[0].label in text
    assert "Pvalb" in text


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")])
def test_figures_are_saved_in_three_formats(dock, tmp_path, suffix, start):
    path = tmp_path / f"gates{suffix}"
    dock.save_figure(path)
    assert path.read_bytes().startswith(start)
    assert path.stat().st_size > 2000


def test_another_suffix_is_refused_and_nothing_written(dock, tmp_path):
    with pytest.raises(CelltypeError, match="svg"):
        dock.save_figure(tmp_path / "gates.gif")
    assert not list(tmp_path.iterdir())


def test_the_table_saved_has_a_row_for_every_feature(dock, tmp_path):
    dock.save_table(tmp_path / "gates.csv")
    assert len(pd.read_csv(tmp_path / "gates.csv")) == len(FEATURES)


def test_both_themes_and_the_papers_colours_draw(dock, viewer):
    pictures = set()
    for theme in ("light", "dark"):
        viewer.theme = theme
        for grey in (False, True):
            dock.grey.setChecked(grey)
            pictures.add(_fingerprint(dock.heatmap))
    assert len(pictures) == 4


def _fingerprint(widget) -> bytes:
    data = QBuffer()
    data.open(QIODevice.OpenModeFlag.WriteOnly)
    widget.grab().save(data, "PNG")
    return bytes(data.data())


def test_closed_while_working_it_leaves_nothing_behind(viewer, qtbot, monkeypatch):
    for _ in range(3):
        dock = GatesDock(viewer)
        qtbot.addWidget(dock)
        dock.close()
        assert not dock._loading.is_busy


# the heatmap itself --------------------------------------------------------------------------------------------------


@pytest.fixture
def heatmap(dock, qtbot):
    view = HeatmapView()
    qtbot.addWidget(view)
    view.apply_theme(dock.theme)
    view.resize(600, 700)
    return view


def centre(view, feature_row: int, panel: int, column: int) -> QPointF:
    frame = view._frame(view._room, view.height(), view.bar.value())
    edge, wide = frame.panels[panel]
    n = len(view.sheet.panels[panel].classes)
    return QPointF(frame.left + edge + (column + 0.5) * wide / n, frame.top + (feature_row + 0.5) * frame.row)


def test_the_mouse_finds_feature_panel_and_column(heatmap):
    heatmap.show_sheet(build_sheet(make_reference(), make_cell(), by="gate"))
    for row, panel, column in ((0, 0, 0), (40, 0, 3), (17, 1, 2)):
        place = heatmap.place_at(centre(heatmap, row, panel, column))
        assert place == Place(int(heatmap.sheet.order[row]), panel, column)
    assert heatmap.place_at(QPointF(300, 2)) is None


def test_zooming_into_reference_cells_keeps_the_one_under_the_mouse(heatmap):
    heatmap.show_sheet(build_sheet(make_reference(), None, shown="all"))
    before = heatmap._column(heatmap.sheet.panels[-1], 0.5)
    heatmap.zoom(0.5, 0.5)
    assert heatmap.stretch == (0.25, 0.75)
    assert heatmap._column(heatmap.sheet.panels[-1], 0.5) == before
    heatmap.zoom(100.0, 0.5)
    assert heatmap.stretch == (0.0, 1.0)


def test_what_does_not_fit_can_be_scrolled_to(heatmap):
    heatmap.show_sheet(build_sheet(make_reference(), None))
    heatmap.resize(600, 300)
    heatmap._limit_scroll()
    assert heatmap.bar.maximum() > 0
    heatmap.bar.setValue(heatmap.bar.maximum())
    assert heatmap.place_at(centre(heatmap, 40, 0, 0)).feature == int(heatmap.sheet.order[40])


def test_open_gates_are_white_and_muted_ones_black_as_in_the_paper(heatmap, dock):
    cell = make_cell(())
    gates = np.zeros(len(FEATURES))
    gates[0] = 1.0
    cell = CellGates("c", "Pvalb+", 0.9, (), gates, cell.values, cell.z, None)
    heatmap.show_sheet(build_sheet(make_reference(), cell, by="table"), grey=True)
    image = QImage(600, 700, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    heatmap.draw(painter, 600, 700, dock.theme)
    painter.end()
    heatmap.bar.setValue(0)
    for row, wanted in ((0, 255), (1, 0)):
        point = centre(heatmap, row, 0, 0)
        assert image.pixelColor(round(point.x()), round(point.y())).red() == wanted
