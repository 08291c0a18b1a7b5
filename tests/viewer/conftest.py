"""Tests with a real window: few, on the display there is (the Makefile gives them a virtual one)."""

from __future__ import annotations

import sys

import pytest

from napari_celltype.cli.demo import has_display


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them open a window."""
    for item in items:
        if "tests/viewer" in item.path.as_posix():
            item.add_marker(pytest.mark.viewer)


@pytest.fixture(autouse=True)
def _a_display_is_there() -> None:
    import os

    if not has_display(sys.platform, os.environ):
        pytest.fail("there is no display: run `make test`, or put `scripts/with-display.sh` before the command")
