"""Models at hand: which fit a recording, and each loaded only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from napari_celltype.errors import ModelError

from .classify_names import overlap
from .classify_values import ModelChoice

__all__ = ["INPUTS", "Shelf", "companion_of", "default_choice", "fitting_models"]

INPUTS = ("waveform", "features")
"""What models of a recording look at."""

_NO_VERDICT = {"map", "waveform-map"}
"""Kinds that place a cell rather than judge it; they have a dock of their own."""


class Shelf:
    """Loads each model once and keeps it; safe to use from several workers.

    Parameters
    ----------
    infos, load
        Where models are listed and loaded; by default among the bundled ones.
    """

    def __init__(
        self,
        infos: Callable[[], Sequence[Any]] | None = None,
        load: Callable[..., Any] | None = None,
    ) -> None:
        self._infos = infos
        self._load = load
        self._listed: list[Any] | None = None
        self._loaded: dict[ModelChoice, Any] = {}
        self._lock = Lock()

    def infos(self) -> list[Any]:
        """Descriptions of the models that judge recordings, waveform models and defaults first."""
        if self._infos is not None:
            return fitting_models(self._infos())
        if self._listed is None:
            from napari_celltype.models.catalogue import model_infos

            # read once: they are asked for at every move of a window
            self._listed = fitting_models(model_infos())
        return list(self._listed)

    def get(self, choice: ModelChoice) -> Any:
        """The model, loaded now if it was not yet."""
        with self._lock:
            if choice not in self._loaded:
                self._loaded[choice] = self._loader()(choice.name, choice.version, device=choice.device)
            return self._loaded[choice]

    def _loader(self) -> Callable[..., Any]:
        if self._load is not None:
            return self._load
        from napari_celltype.models.catalogue import load_model

        return load_model


def fitting_models(infos: Sequence[Any]) -> list[Any]:
    """Those that judge a recording: waveforms first, then features; defaults first among them."""
    fitting = [info for info in infos if info.input in INPUTS and info.kind not in _NO_VERDICT]
    return sorted(fitting, key=lambda info: (INPUTS.index(info.input), not info.default, info.name))


def default_choice(infos: Sequence[Any]) -> ModelChoice:
    """The model to begin with.

    Raises
    ------
    ModelError
        If there is none.
    """
    if not infos:
        raise ModelError("no model that judges recordings is installed", hint="Reinstall napari-celltype.")
    first = next((info for info in infos if info.default), infos[0])
    return ModelChoice(first.name)


def companion_of(name: str, infos: Sequence[Any]) -> Any | None:
    """Description of the model of the other input whose classes are most like this one's, or None."""
    own = next((info for info in infos if info.name == name), None)
    if own is None:
        return None
    others = [info for info in infos if info.input != own.input]
    return max(others, key=lambda info: (overlap(own.classes, info.classes), info.default), default=None)
