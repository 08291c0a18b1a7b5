"""A model of both the 41 features and the action potential: each says what it implies, and the two are added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import ModelError
from napari_celltype.recording import Recording

from .base import Model
from .bundle import Arrays, Bundle
from .calibration import log_softmax
from .density import SoftenedClouds
from .doubts import FeatureDoubts, missing_notes
from .features import FEATURES, FeatureTable, read_features
from .prediction import Prediction, join_predictions
from .preparation import Preparation
from .waveform_doubts import WaveformDoubts
from .waveform_input import Rates, WindowTable, read_windows
from .windows import WindowFormat

if TYPE_CHECKING:
    from .runtime import Runner

__all__ = ["SPIKE", "JointModel"]

FloatArray = NDArray[np.float64]

SPIKE = "spike."
"""What the stored limits of windows are named with; those of features are named ``doubts.``."""

_OF_THE_CELL = np.array([feature.stimulus != "quality" for feature in FEATURES])
_HINT = "Give a Recording, a list of them, or a pair (table of features, array of windows), one row a cell in each."


class JointModel(Model):
    """Log-probabilities of a density of the features, plus the scores of a kernel machine on the spike."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        settings, arrays = bundle.info.settings, bundle.weights
        self.form = WindowFormat.from_settings(settings["window"])
        self.rates = Rates(*map(float, settings["rates_hz"]))
        self.weight = float(settings["weight"])
        self.preparation = Preparation.from_arrays(arrays)
        self.density = SoftenedClouds.from_arrays(arrays)
        self.doubts = FeatureDoubts.from_arrays(arrays, settings)
        self.spike_doubts = WaveformDoubts.from_arrays(_unnamed(arrays, SPIKE), {"abstain": settings["abstain_spike"]})

    def predict(self, x: Any, rate_hz: float | None = None) -> Prediction:
        """Say what cells are.

        Parameters
        ----------
        x
            A Recording or list of them, one cell each; or a pair (features, windows): a table of the features and
            voltages in mV (cells, samples), row by row of the same cells.
        rate_hz
            Sampling rate of an array of windows; by default its rows are as long as the model's window.
        """
        if isinstance(x, list) and x and all(isinstance(one, Recording) for one in x):
            return join_predictions([self.predict(one) for one in x])
        features, windows = self._read(x, rate_hz)
        spikes, places = self._see(windows.windows)
        reasons = self.spike_doubts.window_reasons(windows.windows, places, self.form)
        doubts = [known or more for known, more in zip(windows.doubts, reasons, strict=True)]
        cells = [_Spikes.of(cell, windows, doubts) for cell in range(len(features.items))]
        mean = np.array([spikes[own.used].mean(axis=0) if own.used else np.zeros(len(self.classes)) for own in cells])
        scaled = self.preparation.scaled(features.values)
        probabilities = self.calibration(self.scores(scaled, mean))
        unlike = self.doubts.reasons(features.values, scaled, probabilities)
        missing = missing_notes(features.values)
        return Prediction(
            model=self.name,
            version=self.version,
            classes=self.classes,
            probabilities=probabilities,
            reasons=[
                known + self.foreign(species) + own.reasons + more
                for known, species, own, more in zip(features.doubts, features.species, cells, unlike, strict=True)
            ],
            notes=[known + more + own.notes for known, more, own in zip(features.notes, missing, cells, strict=True)],
            items=features.items,
        )

    def scores(self, scaled: FloatArray, spikes: FloatArray) -> FloatArray:
        """Log-probabilities before calibration, from scaled features with gaps and mean scores of the spikes."""
        return log_softmax(self.density.log_probabilities(scaled, _OF_THE_CELL) + self.weight * spikes)

    def replay(self, inputs: Arrays) -> Arrays:
        """Probabilities for stored raw features and prepared windows."""
        spikes, _ = self._see(inputs["windows"].astype(float))
        scaled = self.preparation.scaled(inputs["features"].astype(float))
        return {"probabilities": self.calibration(self.scores(scaled, spikes))}

    def _read(self, x: Any, rate_hz: float | None) -> tuple[FeatureTable, WindowTable]:
        if isinstance(x, Recording):
            windows = read_windows(x, None, self.form, self.rates)
            if len(windows.items) > 1:
                windows.doubts = [
                    [f"{len(windows.items)} electrodes hold spikes, and this model takes one cell."]
                ] * len(windows.windows)
            windows.cells = np.zeros_like(windows.cells)
            return read_features(x), windows
        if not isinstance(x, tuple) or len(x) != 2:
            raise ModelError(f"cannot judge {type(x).__name__}", hint=_HINT)
        features, windows = read_features(x[0]), read_windows(x[1], rate_hz, self.form, self.rates)
        if len(features.items) != len(windows.items):
            raise ModelError(f"{len(features.items)} rows of features and {len(windows.items)} windows", hint=_HINT)
        return features, windows

    def _see(self, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores of prepared windows, and where they lie among the training spikes; NaN for windows with gaps."""
        from .runtime import inference

        scores = np.full((len(windows), len(self.classes)), np.nan)
        places = np.full((len(windows), self.weights["embedding.projection"].shape[1]), np.nan)
        sound = np.isfinite(windows).all(axis=1)
        if sound.any():
            with inference(1, self._runner.device):
                scores[sound], shares = self._runner.run([windows[sound]])
            places[sound] = (shares - self.weights["embedding.centre"]) @ self.weights["embedding.projection"]
        return scores, places

    @cached_property
    def _runner(self) -> Runner:
        from .networks.kernel_bank import BankShape, KernelExpert
        from .runtime import Runner

        bank: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in self.info.settings["bank"].items()
        }
        network = KernelExpert(BankShape(**bank))
        arrays = {name: a.astype(np.float32) for name, a in self.weights.items() if name.startswith("network.")}
        runner = Runner(network, network.summarise, arrays, self.device)
        self.device_note = runner.note
        return runner


@dataclass(frozen=True)
class _Spikes:
    """Windows of one cell that may be believed, and what is to be said of the others."""

    used: list[int]
    reasons: list[str]
    notes: list[str]

    @classmethod
    def of(cls, cell: int, windows: WindowTable, doubts: list[list[str]]) -> _Spikes:
        own = np.flatnonzero(windows.cells == cell).tolist()
        used = [row for row in own if not doubts[row] and np.isfinite(windows.windows[row]).all()]
        if not own:
            return cls([], [], ["No spike was found: judged by its features alone.", *windows.cell_notes[cell]])
        reasons = [] if used else [" ".join(doubts[own[0]])]
        return cls(used, reasons, [f"{len(used)} of {len(own)} windows judged.", *windows.cell_notes[cell]])


def _unnamed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    """Arrays stored under a prefix, as if they were stored under ``doubts.``."""
    return {f"doubts.{name[len(prefix) :]}": array for name, array in arrays.items() if name.startswith(prefix)}
