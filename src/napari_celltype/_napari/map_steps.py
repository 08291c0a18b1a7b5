"""What the Map dock lets a worker do: load the maps, search a lasso, lay out anew, read a table."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.workbench.place import MAP_KINDS, CellMap, OwnCells, Refit, map_of, refit
from napari_celltype.workbench.selection import inside

__all__ = ["lasso_steps", "maps_steps", "read_own_cells", "refit_steps", "tree_of"]


def maps_steps() -> Generator[tuple[CellMap, Any], None, None]:
    """Every installed map with what finds its cells near a place.

    Raises
    ------
    ModelError
        If there is none.
    """
    from napari_celltype.models.catalogue import load_model, model_infos

    infos = [info for info in model_infos() if info.kind in MAP_KINDS]
    if not infos:
        raise ModelError("No map is installed", hint="Reinstall napari-celltype.")
    for info in infos:
        found = map_of(load_model(info.name, info.version, device="cpu"))  # type: ignore[arg-type]
        yield found, tree_of(found)


def tree_of(cell_map: CellMap) -> Any:
    """What finds the cells near a place."""
    from scipy.spatial import cKDTree

    return cKDTree(cell_map.layout)


def lasso_steps(
    corners: NDArray[np.float64], layout: NDArray[np.float64], marks: dict[str, NDArray[np.float64]]
) -> Generator[tuple[NDArray[np.intp], list[str]], None, None]:
    """Rows of a map and items of the session that were drawn around."""
    rows = np.flatnonzero(inside(corners, layout))
    items = [item for item, xy in marks.items() if inside(corners, xy[None])[0]]
    yield rows, items


def refit_steps(cell_map: CellMap, own: OwnCells, how: Refit) -> Generator[float | tuple[CellMap, Any], None, None]:
    """Share done, and the new map at last."""
    for step in refit(cell_map, own, how):
        yield (step, tree_of(step)) if isinstance(step, CellMap) else step


def read_own_cells(path: Path) -> Generator[OwnCells, None, None]:
    """A table of features, one row a cell, as CSV, TSV or Parquet.

    Raises
    ------
    ModelError
        If it cannot be read or holds no features.
    """
    import pandas as pd

    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep=None, engine="python")
    except (ValueError, ImportError, UnicodeDecodeError) as error:
        raise ModelError(
            f"the table cannot be read ({error})", path=path, hint="Save it as CSV with a line of column names."
        ) from error
    yield OwnCells.of(table)
