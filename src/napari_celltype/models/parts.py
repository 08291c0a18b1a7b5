"""Models made of other models: what a bundle needs of another is stored once, in that other's own bundle.

A bundle names its parts under ``parts`` in its settings, each with name, version and the SHA-256 of its tensor file.
Nothing else will do in their place: a joined model with one part exchanged would give wrong answers without a sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_celltype.errors import ModelError

from .bundle import DESCRIPTION, WEIGHTS, Bundle, ModelInfo, read_bundle, read_info

if TYPE_CHECKING:
    from .base import Model

__all__ = ["Part", "load_parts", "read_part"]


@dataclass(frozen=True)
class Part:
    """A model another one is made of."""

    name: str
    version: str
    sha256: str

    @classmethod
    def of(cls, info: ModelInfo) -> Part:
        """A model as a part of others."""
        return cls(info.name, info.version, info.files[WEIGHTS])

    def to_settings(self) -> dict[str, str]:
        """For the settings of the model made of it."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def load_parts(bundle: Bundle, device: str = "auto") -> dict[str, Model]:
    """The models a bundle is made of, by name, ready to answer.

    Raises
    ------
    ModelError
        If one is missing, is damaged, or is not the one the bundle was made with.
    """
    from .kinds import build_model

    stated = [Part(**part) for part in bundle.info.settings.get("parts", ())]
    return {part.name: build_model(read_part(bundle.info, part), device) for part in stated}


def read_part(whole: ModelInfo, part: Part) -> Bundle:
    """One part of a model, found beside it or among the bundled models, and found intact."""
    found = [read_info(folder) for folder in _places(whole, part) if (folder / DESCRIPTION).is_file()]
    same = [info for info in found if (info.name, info.version) == (part.name, part.version)]
    if not same:
        raise ModelError(
            f"{whole.name} {whole.version} is made of {part.name} {part.version}, which is not here",
            path=whole.folder,
            hint=f"Put {part.name} beside it, or reinstall napari-celltype.",
        )
    for info in same:
        if info.files.get(WEIGHTS) == part.sha256:
            return read_bundle(info.folder)
    raise ModelError(
        f"{whole.name} {whole.version} was made with another {part.name} {part.version}: its SHA-256 differs",
        path=same[0].folder,
        hint=f"Train {whole.name} again, or reinstall napari-celltype.",
    )


def _places(whole: ModelInfo, part: Part) -> Iterator[Path]:
    """``<name>/<version>`` as bundled, ``<name>`` as trained, and the bundled models."""
    from .catalogue import weights_folder

    for root in (*whole.folder.parents[:2], weights_folder()):
        yield root / part.name / part.version
        yield root / part.name
