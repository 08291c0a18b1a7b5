"""The models this package brings: what there is, and loading one by name."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from napari_celltype.errors import ModelError

from .bundle import DESCRIPTION, ModelInfo, read_bundle, read_info

if TYPE_CHECKING:
    import pandas as pd

    from .base import Model

__all__ = ["find_model", "list_models", "load_model", "model_infos", "weights_folder"]


def weights_folder() -> Path:
    """Where the bundled models lie: ``<name>/<version>/model.toml``."""
    return Path(str(files("napari_celltype"))) / "weights"


def model_infos(folder: Path | None = None) -> list[ModelInfo]:
    """Descriptions of all models in a folder, defaults first, then by name and version."""
    root = weights_folder() if folder is None else folder
    infos = [read_info(path.parent) for path in root.glob(f"*/*/{DESCRIPTION}")]
    return sorted(infos, key=lambda info: (not info.default, info.name, version_key(info.version)))


def list_models(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """The models that are here: name, version, task, input, classes, and whether each is the default of its input.

    Parameters
    ----------
    folder
        Where to look, laid out as ``<name>/<version>/model.toml``; by default the bundled models.
    """
    import pandas as pd

    columns = ["name", "version", "task", "input", "classes", "default"]
    infos = model_infos(None if folder is None else Path(folder))
    rows = [(info.name, info.version, info.task, info.input, list(info.classes), info.default) for info in infos]
    return pd.DataFrame(rows, columns=columns)


def load_model(
    name: str | os.PathLike[str], version: str | None = None, *, device: str = "auto", folder: Path | None = None
) -> Model:
    """Load a model, checking every file of it against its SHA-256.

    Parameters
    ----------
    name
        A name in :func:`list_models`, or the folder of a model that ``napari-celltype train`` wrote.
    version
        By default the newest.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``; where the one asked for is absent the CPU is used, and
        ``model.device_note`` says so.
    folder
        Where to look instead of among the bundled models.

    Raises
    ------
    ModelError
        If there is no such model, or a file of it is missing, changed or damaged.
    """
    from .kinds import build_model

    return build_model(read_bundle(find_model(name, version, folder)), device)


def find_model(name: str | os.PathLike[str], version: str | None = None, folder: Path | None = None) -> Path:
    """Folder of a model by name and version, or of a model given as a folder."""
    if (Path(name) / DESCRIPTION).is_file():
        return Path(name)
    infos = model_infos(folder)
    same = [info for info in infos if info.name == str(name)]
    if not same:
        known = ", ".join(sorted({info.name for info in infos})) or "none"
        raise ModelError(f"there is no model named {str(name)!r}", hint=f"Models here: {known}.")
    fitting = [info for info in same if version in (None, info.version)]
    if not fitting:
        versions = ", ".join(info.version for info in same)
        raise ModelError(f"model {name} has no version {version!r}", hint=f"Versions here: {versions}.")
    return max(fitting, key=lambda info: version_key(info.version)).folder


def version_key(version: str) -> tuple[int, ...]:
    """Sort key under which 1.10.0 is newer than 1.9.0."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
