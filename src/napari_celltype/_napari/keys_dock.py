"""The dock "Keys": every key there is, read from where keys are defined."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtWidgets import QTextBrowser, QVBoxLayout

from .plots.theme import PlotTheme
from .rig_dock import RigDock
from .rig_keys import key_groups

__all__ = ["KeysDock", "keys_html"]


class KeysDock(RigDock):
    """Lists the keys; F1 or ? opens and closes it.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.
    """

    title = "Keys"
    first_area = "right"
    first_size = 170
    takes_height = True

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.setMinimumWidth(260)
        self.text = QTextBrowser()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.text)
        self.apply_theme(self.theme)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.text.setHtml(keys_html(theme.warning))


def keys_html(key_colour: str) -> str:
    """All keys as a table; headings name where they work."""
    rows = []
    for heading, keys in key_groups():
        rows.append(
            f'<tr><td colspan="2" style="padding-top: 9px; padding-bottom: 2px"><b>{escape(heading)}</b></td></tr>'
        )
        rows += [
            f'<tr><td width="36%" style="color: {key_colour}; padding-right: 8px">{escape(key)}</td>'
            f'<td width="64%">{escape(what)}</td></tr>'
            for key, what in keys
        ]
    return f'<table cellspacing="0" cellpadding="1" width="100%">{"".join(rows)}</table>'
