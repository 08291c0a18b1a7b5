"""A recording with drawn spikes and models with simple rules, so that answers are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_celltype.errors import ModelError
from napari_celltype.models.prediction import Prediction
from napari_celltype.models.windows import PEAK_FORMAT, WindowFormat
from napari_celltype.recording import Recording, StimulusNote, Sweep
from napari_celltype.workbench.classify_models import Shelf

RATE_HZ = 50_000.0
ONSET_S = 0.05


def spike_mv(time_s, peak_s: float, height_mv: float = 110.0):
    """A smooth spike with an afterhyperpolarisation, above rest."""
    after = np.clip(time_s - peak_s, 0.0, None)
    return height_mv * np.exp(-(((time_s - peak_s) / 0.0004) ** 2)) - 6000.0 * after * np.exp(-after / 0.002)


def make_firing_sweep(index: int, peaks_s: Sequence[float] = (0.06,), *, clamp="current", n: int = 8000) -> Sweep:
    """3 ms of current from 50 ms on, and a spike at each time."""
    time_s = np.arange(n) / RATE_HZ
    volts = (-70.0 + sum((spike_mv(time_s, peak) for peak in peaks_s), np.zeros(n))) * 1e-3
    amps = np.where((time_s >= ONSET_S) & (time_s < ONSET_S + 0.003), 500e-12, 0.0)
    return Sweep(
        index,
        index + 1,
        RATE_HZ,
        n,
        lambda start, stop: volts[start:stop].copy(),
        lambda start, stop: amps[start:stop].copy(),
        clamp=clamp,
        clamp_reason="Said by the file.",
        stimulus=StimulusNote(name="Short Square"),
    )


def make_firing_recording(n_sweeps: int = 3, *, name: str = "cell.abf", **sweep: Any) -> Recording:
    """A recording whose sweeps fire once each, a little later in each."""
    peaks = sweep.pop("peaks_s", None)
    sweeps = [
        make_firing_sweep(i, peaks if peaks is not None else (0.06 + 0.002 * i,), **sweep) for i in range(n_sweeps)
    ]
    return Recording(Path("/data") / name, "made up", sweeps)


@dataclass
class StubInfo:
    """What a model's description says."""

    name: str
    input: str
    classes: tuple[str, ...]
    version: str = "1.0.0"
    kind: str = "stub"
    default: bool = True
    task: str = "what tests need"
    summary: str = "Made for tests."
    species: tuple[str, ...] = ("mouse",)
    folder: Path = Path("/nowhere")


@dataclass(frozen=True)
class StubRates:
    """Sampling rates a model bears."""

    low_hz: float
    high_hz: float

    def doubt(self, rate_hz: float) -> list[str]:
        """A reason to abstain."""
        return [] if self.low_hz <= rate_hz <= self.high_hz else [f"Sampled at {rate_hz / 1e3:g} kHz."]


ANY_RATE = StubRates(1_000.0, 1_000_000.0)


@dataclass
class StubWaveform:
    """Inhibitory below 0 mV at the window's peak place, surer the nearer the peak is to its place."""

    info: StubInfo
    form: WindowFormat = PEAK_FORMAT
    rates: StubRates = ANY_RATE
    device: str = "auto"
    device_note: str = ""
    weights: dict[str, Any] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    failing: Exception | None = None

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def version(self) -> str:
        return self.info.version

    @property
    def classes(self) -> list[str]:
        return list(self.info.classes)

    @property
    def card(self) -> str:
        return f"# {self.name}\n\nA card | with a table.\n"

    def predict(self, x: Any) -> Prediction:
        """One row a cut."""
        if self.failing is not None:
            raise self.failing
        self.asked.append(len(x))
        late_ms = [int(np.argmax(cut.voltage_mv)) / cut.rate_hz * 1e3 - 1.0 for cut in x]
        share = [0.9 - 0.4 * min(abs(late), 1.0) for late in late_ms]
        return Prediction(
            self.name,
            self.version,
            self.classes,
            np.array([[1 - p, p] for p in share]),
            [["Wrong window: the peak is elsewhere."] if abs(late) > 0.35 else [] for late in late_ms],
        )


@dataclass
class StubFeatures(StubWaveform):
    """Always 80 % its last class."""

    def predict(self, x: Any) -> Prediction:
        """One row."""
        if self.failing is not None:
            raise self.failing
        k = len(self.classes)
        row = np.full(k, 0.2 / (k - 1))
        row[-1] = 0.8
        return Prediction(self.name, self.version, self.classes, row[None], [[]], gates=np.zeros((1, 41)))


WAVEFORM = StubInfo("wave", "waveform", ("Exc", "Inh"))
FEATURES = StubInfo("feat", "features", ("excitatory", "inhibitory"))
OTHER = StubInfo("subclasses", "features", ("Glutamatergic", "Pvalb+"), default=False)


def stub_shelf(*models: StubWaveform) -> Shelf:
    """A shelf that holds these models."""
    known = {model.name: model for model in models or (StubWaveform(WAVEFORM), StubFeatures(FEATURES))}

    def load(name: str, version: str | None, device: str = "auto") -> StubWaveform:
        if name not in known:
            raise ModelError(f"there is no model named {name!r}", hint="Models here: none.")
        return known[name]

    return Shelf(lambda: [model.info for model in known.values()], load)
