"""Configuration of the documentation."""

from __future__ import annotations

import napari_celltype

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
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "napari-celltype"
html_static_path: list[str] = []
