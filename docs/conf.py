"""Configuration of the documentation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import napari_celltype

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import formats_table

project = "napari-celltype"
author = "napari-celltype developers"
copyright = "2026, napari-celltype developers"  # noqa: A001 - the name Sphinx asks for
version = release = napari_celltype.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
exclude_patterns = ["_build", "_generated"]

html_theme = "furo"
html_title = "napari-celltype"
html_static_path: list[str] = []


def setup(app: Any) -> None:
    """Make the parts of pages that come from the program itself."""
    app.connect("builder-inited", formats_table.write)
