"""Fixtures of tests with widgets: every one of them must be gone, and every worker done, when a test ends.

So must whatever a dock has left with what outlives it: listeners and key bindings.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication
from superqt.utils import WorkerBase as AnyWorker

from leaks import leaks_of
from napari_celltype._napari.dock import Dock


@pytest.fixture(autouse=True)
def _nothing_leaks(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {id(widget) for widget in QApplication.topLevelWidgets()}
    docks: list[Dock] = []
    made = Dock.__init__

    def remember(dock: Dock, viewer: object) -> None:
        made(dock, viewer)
        docks.append(dock)

    monkeypatch.setattr(Dock, "__init__", remember)
    yield
    open_still = [type(dock).__name__ for dock in docks if not dock._torn_down]
    # held until here, so that weak connections could not hide what was left connected
    left_behind = leaks_of({id(dock) for dock in docks})
    docks.clear()
    _wait_for_widgets_and_workers(qapp, before)
    assert not open_still, f"docks never torn down: {open_still}"
    assert not left_behind, f"still listening after their docks are gone: {left_behind}"


def _wait_for_widgets_and_workers(qapp: QApplication, before: set[int]) -> None:
    AnyWorker.await_workers(10_000)
    for attempt in range(4):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        qapp.processEvents()
        left = [widget for widget in QApplication.topLevelWidgets() if id(widget) not in before]
        if not left and not AnyWorker._worker_set:
            return
        if attempt:
            gc.collect()  # slow, and rarely needed
    raise AssertionError(f"left behind: widgets {left}, workers {AnyWorker._worker_set}")
