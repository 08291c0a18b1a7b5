"""What a session holds, as JSON and back: windows, models, verdicts, arrays.

Values become objects that name their kind (``"is": "window"``) and their fields, so that a person can read the file and
another program can use it. Fields a later version has added are ignored when reading, fields it has dropped keep their
defaults; a kind that is not known is an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import CelltypeError

from .classify_compare import Comparison
from .classify_values import Band, CellCall, ModelChoice, Verdict, Vote
from .history import Choose
from .session_table import CellRow

__all__ = ["decoded", "encoded"]

_KINDS: dict[str, type[Any]] = {
    "window": ApWindow,
    "model": ModelChoice,
    "verdict": Verdict,
    "vote": Vote,
    "band": Band,
    "comparison": Comparison,
    "call": CellCall,
    "choice": Choose,
    "row": CellRow,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_UNEVEN = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encoded(value: Any) -> Any:
    """The value in terms of JSON.

    Raises
    ------
    CelltypeError
        If it is of a kind that cannot be saved.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    return _encoded_object(value)


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _encoded_object(value: Any) -> Any:
    if type(value) in _NAMES:
        parts = {part.name: encoded(getattr(value, part.name)) for part in fields(value)}
        return {"is": _NAMES[type(value)], **parts}
    if isinstance(value, np.ndarray):
        kind = "b" if value.dtype == bool else "f" if value.dtype.kind == "f" else "i"
        return {"is": "array", "of": kind, "shape": list(value.shape), "values": encoded(value.ravel().tolist())}
    if isinstance(value, np.generic):
        return encoded(value.item())
    if isinstance(value, pd.Series):
        return {"is": "series", "values": {str(name): encoded(item) for name, item in value.items()}}
    if isinstance(value, Mapping):
        return {"is": "mapping", "values": {str(name): encoded(item) for name, item in value.items()}}
    raise CelltypeError(f"values of the type {type(value).__name__} cannot be kept in a session file")


def decoded(value: Any) -> Any:
    """The value back from JSON; lists come back as tuples.

    Raises
    ------
    CelltypeError
        If it is not what :func:`encoded` makes.
    """
    if isinstance(value, list):
        return tuple(decoded(item) for item in value)
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return value
    name = value.get("is")
    try:
        return _decoded_object(name, value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CelltypeError(f"holds a “{name}” that cannot be understood ({error})") from error


def _decoded_object(name: Any, value: dict[str, Any]) -> Any:
    if name == "array":
        dtype = {"b": bool, "f": float, "i": int}[value["of"]]
        numbers = [_float(item) for item in value["values"]]
        return np.array(numbers, dtype=dtype).reshape(value["shape"])
    if name == "series":
        return pd.Series({key: _float(item) for key, item in value["values"].items()}, dtype=float)
    if name == "mapping":
        return {key: decoded(item) for key, item in value["values"].items()}
    kind = _KINDS[name]
    assert is_dataclass(kind)
    known = {part.name: str(part.type) for part in fields(kind)}
    parts = {key: decoded(item) for key, item in value.items() if key in known}
    return kind(**{key: _float(item) if known[key].startswith("float") else item for key, item in parts.items()})


def _float(item: Any) -> Any:
    return _UNEVEN.get(item, item) if isinstance(item, str) else item
