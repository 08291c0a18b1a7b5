"""Models of the action potential's waveform: windows in, calibrated classes out, windows of a cell pooled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .base import Model
from .bundle import Arrays, Bundle
from .prediction import Prediction
from .waveform_doubts import UNLIKE, WaveformDoubts
from .waveform_input import Rates, WindowTable, read_windows
from .windows import WindowFormat

if TYPE_CHECKING:
    from .runtime import Runner

__all__ = ["ClassReference", "TripleCnnModel", "WaveformModel", "pool_windows"]

FloatArray = NDArray[np.float64]

_AGREEMENT = 2 / 3
"""Below this share of windows saying the same, a cell's windows disagree."""

_ODD = 0.1
"""Above this share of windows unlike the training cells (one in 200 is by chance) the cell itself is unlike them."""


@dataclass(frozen=True, eq=False)
class ClassReference:
    """What the training spikes of each class look like: averages and counts, no single cell.

    Parameters
    ----------
    time_ms, frequency_hz
        Of the samples and of the spectrum's coefficients.
    mean_mv, spread_mv
        Average and standard deviation of the traces, (k, samples).
    amplitude_mv, amplitude_spread_mv
        The same of the amplitude spectrum, (k, frequencies).
    trace_counts, trace_edges_mv
        Histogram of voltages at each sample, (k, bins, samples), shares of the class's cells.
    spectrum_counts, spectrum_edges_db
        Histogram of amplitudes at each frequency, (k, bins, frequencies), in dB of a millivolt.
    """

    classes: tuple[str, ...]
    time_ms: FloatArray
    frequency_hz: FloatArray
    mean_mv: FloatArray
    spread_mv: FloatArray
    amplitude_mv: FloatArray
    amplitude_spread_mv: FloatArray
    trace_counts: FloatArray
    trace_edges_mv: FloatArray
    spectrum_counts: FloatArray
    spectrum_edges_db: FloatArray


class WaveformModel(Model):
    """A model of windows around an action potential; its card states which."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        super().__init__(bundle, device)
        settings = bundle.info.settings
        self.form = WindowFormat.from_settings(settings["window"])
        self.rates = Rates(*map(float, settings["rates_hz"]))
        self.doubts = WaveformDoubts.from_arrays(bundle.weights, settings)

    def predict(self, x: Any, rate_hz: float | None = None) -> Prediction:
        """Say what cells are.

        Parameters
        ----------
        x
            Voltages in mV: an array (windows, samples), or a list of traces, one row a cell; window cuts; or a
            Recording or list of them, whose windows are found, judged one by one (``parts``) and pooled to the cell.
        rate_hz
            Sampling rate of an array. By default its rows are taken to be as long as the model's window: 150 samples
            are then 50 kHz, 600 are 200 kHz.
        """
        table = read_windows(x, rate_hz, self.form, self.rates)
        probabilities, embedding = self._judge(table.windows)
        for known, more in zip(
            table.doubts, self.doubts.window_reasons(table.windows, embedding, self.form), strict=True
        ):
            known.extend(more if not known else [])
        if table.parts is None:
            return self._prediction(table, probabilities, embedding, table.doubts, table.notes)
        return self._pooled(table, probabilities, embedding)

    def _judge(self, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Probabilities and embedding of each window; even odds and no place for those with gaps."""
        k = len(self.classes)
        probabilities = np.full((len(windows), k), 1.0 / k)
        embedding = np.full((len(windows), self.weights["embedding.projection"].shape[1]), np.nan)
        sound = np.isfinite(windows).all(axis=1)
        if sound.any():
            scores, hidden = self.evaluate(windows[sound])
            probabilities[sound] = self.calibration(scores)
            embedding[sound] = self._embed(hidden)
        return probabilities, embedding

    def _embed(self, hidden: FloatArray) -> FloatArray:
        placed: FloatArray = (hidden - self.weights["embedding.centre"]) @ self.weights["embedding.projection"]
        return placed

    def _prediction(
        self,
        table: WindowTable,
        probabilities: FloatArray,
        embedding: FloatArray,
        reasons: list[list[str]],
        notes: list[list[str]],
        parts: pd.DataFrame | None = None,
    ) -> Prediction:
        unsure = [
            [] if known else self.doubts.unsure(float(p.max())) for known, p in zip(reasons, probabilities, strict=True)
        ]
        return Prediction(
            model=self.name,
            version=self.version,
            classes=self.classes,
            probabilities=probabilities,
            reasons=[known + more for known, more in zip(reasons, unsure, strict=True)],
            notes=notes,
            items=table.items,
            embedding=embedding,
            parts=parts,
        )

    def _pooled(self, table: WindowTable, probabilities: FloatArray, embedding: FloatArray) -> Prediction:
        cells = [
            pool_windows(probabilities[rows], embedding[rows], [table.doubts[i] for i in rows], self.classes)
            for rows in (np.flatnonzero(table.cells == cell) for cell in range(len(table.items)))
        ]
        return self._prediction(
            table,
            np.stack([cell.probabilities for cell in cells]),
            np.stack([cell.embedding for cell in cells]),
            [
                known + self.foreign(species) + cell.reasons
                for known, species, cell in zip(table.cell_doubts, table.species, cells, strict=True)
            ],
            [known + cell.notes for known, cell in zip(table.cell_notes, cells, strict=True)],
            self._parts(table, probabilities),
        )

    def _parts(self, table: WindowTable, probabilities: FloatArray) -> pd.DataFrame:
        parts = table.parts.copy() if table.parts is not None else pd.DataFrame()
        parts["label"] = [self.classes[i] for i in probabilities.argmax(axis=1)]
        parts["confidence"] = probabilities.max(axis=1)
        for column, name in enumerate(self.classes):
            parts[f"p({name})"] = probabilities[:, column]
        parts["reasons"] = [" ".join(texts) for texts in table.doubts]
        return parts

    def evaluate(self, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores (n, k) and hidden layer (n, h) of prepared windows."""
        raise NotImplementedError

    def replay(self, inputs: Arrays) -> Arrays:
        """Probabilities and embedding of stored prepared windows."""
        probabilities, embedding = self._judge(inputs["windows"].astype(float))
        return {"probabilities": probabilities, "embedding": embedding}

    @cached_property
    def reference(self) -> ClassReference:
        """Averages and histograms of the training spikes of each class, for showing a cell beside them."""
        stored = {
            name[10:]: array.astype(float) for name, array in self.weights.items() if name.startswith("reference.")
        }
        step_hz = self.form.rate_hz / self.form.n_samples
        frequency = np.arange(stored["amplitude_mv"].shape[1], dtype=np.float64) * step_hz
        return ClassReference(tuple(self.classes), self.form.time_ms, frequency, **stored)


@dataclass(frozen=True, eq=False)
class _Pooled:
    probabilities: FloatArray
    embedding: FloatArray
    reasons: list[str]
    notes: list[str]


def pool_windows(
    probabilities: FloatArray, embedding: FloatArray, doubts: list[list[str]], classes: list[str]
) -> _Pooled:
    """One verdict on a cell from its windows: the mean over those without a doubt, and how far they agree.

    Probabilities are averaged, not multiplied: windows of one cell err together.
    """
    k = len(classes)
    if not len(probabilities):
        return _Pooled(np.full(k, 1.0 / k), np.full(embedding.shape[1], np.nan), [], [])
    sound = [i for i, texts in enumerate(doubts) if not texts]
    used = sound or list(range(len(doubts)))
    mean = probabilities[used].mean(axis=0)
    best = int(mean.argmax())
    agree = int((probabilities[used].argmax(axis=1) == best).sum())
    return _Pooled(
        probabilities=mean,
        embedding=_mean_place(embedding[used]),
        reasons=_pooled_reasons(bool(sound), doubts, agree, len(used), classes[best]),
        notes=[_spread_note(probabilities[used][:, best], agree, len(doubts), classes[best])],
    )


def _mean_place(embedding: FloatArray) -> FloatArray:
    known = np.isfinite(embedding).all(axis=1)
    placed: FloatArray = embedding[known].mean(axis=0) if known.any() else np.full(embedding.shape[1], np.nan)
    return placed


def _pooled_reasons(any_sound: bool, doubts: list[list[str]], agree: int, n: int, label: str) -> list[str]:
    if not any_sound:
        first = " ".join(doubts[0])
        return [first if len(doubts) == 1 else f"None of the {len(doubts)} windows can be judged; the first: {first}"]
    total, odd = len(doubts), sum(texts[0].startswith(UNLIKE) for texts in doubts if texts)
    if odd > max(1, _ODD * total):
        return [f"{UNLIKE}: {odd} of its {total} windows are."]
    if 2 * n < total:
        return [f"Only {n} of {total} windows can be judged."]
    if n > 1 and agree < _AGREEMENT * n:
        return [f"The windows disagree: {agree} of {n} say {label}."]
    return []


def _spread_note(shares: FloatArray, agree: int, n: int, label: str) -> str:
    used = len(shares)
    if n == 1:
        return "One window."
    left_out = f" ({n - used} more were left out)" if n > used else ""
    return f"{used} windows{left_out}: {agree} say {label}, its probability {shares.min():.2f} to {shares.max():.2f}."


class TripleCnnModel(WaveformModel):
    """An ensemble of triple-input CNNs, joined with a kernel machine on random kernels."""

    def evaluate(self, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log-probabilities before calibration, and the networks' hidden layers side by side."""
        from .runtime import inference

        # on one thread: the operations are short, and threads that wait for one another took ten times as long
        with inference(1, self._runner.device):
            scores, hidden = self._runner.run([windows])
        return scores, hidden

    @cached_property
    def _runner(self) -> Runner:
        from .networks.kernel_bank import BankShape
        from .networks.triple_cnn import CnnShape
        from .networks.waveform_ensemble import WaveformEnsemble
        from .runtime import Runner

        settings = self.info.settings
        bank: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings["bank"].items()}
        network = WaveformEnsemble(CnnShape.from_settings(settings["network"]), BankShape(**bank))
        arrays = {name: _plain(array) for name, array in self.weights.items() if name.startswith("network.")}
        runner = Runner(network, network.summarise, arrays, self.device)
        self.device_note = runner.note
        return runner


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Stored half precision as single precision: what networks compute in."""
    return array.astype(np.float32) if array.dtype == np.float16 else array
