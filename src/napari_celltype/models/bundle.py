"""A model on disk: a folder with a description, tensors and a card; written and checked here, never unpickled.

``model.toml`` describes the model and holds the SHA-256 of every other file; ``weights.safetensors`` and
``check.safetensors`` hold named arrays only (a JSON header and raw numbers), ``CARD.md`` is for people.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError

__all__ = ["Bundle", "ModelInfo", "read_bundle", "read_info", "write_bundle"]

Arrays = dict[str, NDArray[Any]]

DESCRIPTION = "model.toml"
WEIGHTS = "weights.safetensors"
CHECK = "check.safetensors"
CARD = "CARD.md"

_REINSTALL = "Reinstall napari-celltype, or train the model again."


@dataclass(frozen=True)
class ModelInfo:
    """What ``model.toml`` says of a model.

    Parameters
    ----------
    name, version
        Its name in the catalogue and its version, ``1.0.0``.
    task, summary
        What it decides, in a few words and in a sentence.
    input
        What it takes: ``features``, ``waveform``, ``neuron`` or ``image``.
    kind
        The code that runs it, a key of :data:`napari_celltype.models.kinds.KINDS`.
    classes
        Its classes, in the order of the probabilities.
    default
        Whether it is offered first for its input.
    settings
        What that code needs to know beyond the tensors: plain numbers, texts, lists and tables.
    species, licence, citation
        For whom it was trained and under what terms it may be used.
    """

    name: str
    version: str
    task: str
    input: str
    kind: str
    classes: tuple[str, ...]
    default: bool = False
    summary: str = ""
    species: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model read whole and found intact."""

    info: ModelInfo
    weights: Arrays

    @property
    def card(self) -> str:
        """The card, as written for people."""
        return (self.info.folder / CARD).read_text(encoding="utf-8")

    def check_tensors(self) -> Arrays:
        """Stored inputs and the outputs they must give, for the self-test."""
        return _read_tensors(self.info, CHECK)


def read_info(folder: Path) -> ModelInfo:
    """Read a model's description only; nothing is verified and no tensor is touched."""
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"no model here ({error.strerror or error})", path=path, hint=_REINSTALL) from error
    except UnicodeDecodeError as error:
        raise ModelError("the description is not text", path=path, hint=_REINSTALL) from error
    try:
        stated = tomllib.loads(text)
        return _to_info(stated, folder)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ModelError(f"the description cannot be understood ({error})", path=path, hint=_REINSTALL) from error


def _to_info(stated: dict[str, Any], folder: Path) -> ModelInfo:
    return ModelInfo(
        name=stated["name"],
        version=stated["version"],
        task=stated["task"],
        input=stated["input"],
        kind=stated["kind"],
        classes=tuple(stated["classes"]),
        default=bool(stated.get("default", False)),
        summary=stated.get("summary", ""),
        species=tuple(stated.get("species", ())),
        licence=stated.get("licence", ""),
        citation=stated.get("citation", ""),
        settings=stated.get("settings", {}),
        files=dict(stated["files"]),
        folder=folder,
    )


def read_bundle(folder: Path) -> Bundle:
    """Read a model and check every file of it against the SHA-256 in its description.

    Raises
    ------
    ModelError
        If a file is missing, changed or cut short, or is no tensor file.
    """
    info = read_info(folder)
    if WEIGHTS not in info.files:
        raise ModelError(f"the description names no {WEIGHTS}", path=folder / DESCRIPTION, hint=_REINSTALL)
    for name in info.files:
        _verified_bytes(info, name)
    return Bundle(info, _read_tensors(info, WEIGHTS))


def _verified_bytes(info: ModelInfo, name: str) -> bytes:
    path = info.folder / name
    if path.parent != info.folder:
        raise ModelError(f"names a file outside its folder ({name})", path=info.folder / DESCRIPTION, hint=_REINSTALL)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"a file of the model is missing ({error.strerror or error})", path=path, hint=_REINSTALL
        ) from error
    if hashlib.sha256(data).hexdigest() != info.files.get(name):
        raise ModelError(
            f"is not the file model {info.name} {info.version} was published with: its SHA-256 differs, "
            "so it was changed, cut short or damaged",
            path=path,
            hint=_REINSTALL,
        )
    return data


def _read_tensors(info: ModelInfo, name: str) -> Arrays:
    # the bytes that were hashed are the bytes that are used: a file swapped in between cannot slip through
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = _verified_bytes(info, name)
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"is no tensor file ({error})", path=info.folder / name, hint=_REINSTALL) from error


def write_bundle(folder: Path, info: ModelInfo, weights: Arrays, check: Arrays, card: str) -> ModelInfo:
    """Write a model's folder; equal contents give equal bytes.

    Parameters
    ----------
    folder
        Made if it is missing; files of an older model in it are replaced.
    weights, check
        Tensors the model runs on, and stored inputs with the outputs they must give.
    """
    contents = {WEIGHTS: _tensor_bytes(weights), CHECK: _tensor_bytes(check), CARD: card.encode()}
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    for name, data in contents.items():
        _replace(folder / name, data)
    _replace(folder / DESCRIPTION, _to_toml(info, files).encode())
    return read_info(folder)


def _tensor_bytes(arrays: Arrays) -> bytes:
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)


def _to_toml(info: ModelInfo, files: Mapping[str, str]) -> str:
    top = {
        "name": info.name,
        "version": info.version,
        "task": info.task,
        "input": info.input,
        "kind": info.kind,
        "classes": list(info.classes),
        "default": info.default,
        "summary": info.summary,
        "species": list(info.species),
        "licence": info.licence,
        "citation": info.citation,
    }
    lines = [f"{key} = {_toml_value(value)}" for key, value in top.items()]
    lines += ["", "[settings]", *(f"{key} = {_toml_value(value)}" for key, value in info.settings.items())]
    lines += ["", "[files]", *(f"{_toml_value(name)} = {_toml_value(digest)}" for name, digest in files.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    """Render plain data as TOML; JSON agrees with TOML on texts, integers and booleans."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    raise TypeError(f"{type(value).__name__} has no place in a model's description")
