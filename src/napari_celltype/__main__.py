"""Run the command line as ``python -m napari_celltype``."""

from napari_celltype.cli import main

raise SystemExit(main())
