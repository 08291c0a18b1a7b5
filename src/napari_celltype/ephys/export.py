"""Write tables of features as CSV or Parquet, whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pandas as pd

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_atomically

__all__ = ["TABLE_SUFFIXES", "read_table", "write_table"]

TABLE_SUFFIXES = (".csv", ".parquet")


def write_table(table: pd.DataFrame, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a table; the suffix decides between CSV and Parquet.

    Raises
    ------
    CelltypeError
        If the suffix is neither, or Parquet is asked for and pyarrow is not installed.
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    path = Path(path)
    check_table_path(path)
    if path.suffix.lower() == ".csv":
        return write_atomically(path, table.to_csv(index=False, float_format="%.10g").encode(), overwrite=overwrite)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return write_atomically(path, buffer.getvalue(), overwrite=overwrite)


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote."""
    path = Path(path)
    check_table_path(path)
    return pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)


def check_table_path(path: Path) -> None:
    """Raise early, before any work is done, if a table cannot be written there."""
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise CelltypeError(f"“{suffix}” is no kind of table", path=path, hint="Name it .csv or .parquet.")
    if not path.absolute().parent.is_dir():
        raise CelltypeError("lies in a folder that does not exist", path=path, hint="Make the folder first.")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            hint = "pip install 'napari-celltype[export]', or name the table .csv."
            raise CelltypeError("Parquet needs pyarrow, which is not installed", path=path, hint=hint) from None
