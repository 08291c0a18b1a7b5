"""Fixtures of tests with widgets: every one of them must be gone, and every worker done, when a test ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication
from superqt.utils import WorkerBase as AnyWorker


@pytest.fixture(autouse=True)
def _nothing_leaks(qapp: QApplication) -> Iterator[None]:
    before = {id(widget) for widget in QApplication.topLevelWidgets()}
    yield
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
