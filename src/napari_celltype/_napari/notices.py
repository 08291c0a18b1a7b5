"""Tell the user something went wrong, once and readably, wherever they are looking."""

from __future__ import annotations

import sys
from pathlib import Path

import napari
from napari.utils.notifications import show_error, show_warning

__all__ = ["report_error", "report_warning"]


def report_error(error: Exception | str) -> None:
    """Show an error as one notification in the window and one line on the terminal.

    A file named on napari's command line fails before anybody looks at the window, and its traceback, if any, goes to a
    terminal that may not be there: so both places are told.
    """
    sys.stderr.write(f"napari-celltype: {error}\n")
    if napari.current_viewer() is not None:
        show_error(_beginning_with_the_name(error))


def _beginning_with_the_name(error: Exception | str) -> str:
    """The message with the file's name instead of its path: a notification shows only its first words at once."""
    message = str(error)
    path = getattr(error, "path", None)
    return message.replace(str(path), path.name, 1) if isinstance(path, Path) else message


def report_warning(message: str) -> None:
    """Show something doubtful as one notification."""
    if napari.current_viewer() is not None:
        show_warning(message)
