"""Spikes, features and windows: ours against ipfx and eFEL, taken in turn in one process, results compared first.

Run in the validation environment: ``.venv-validation/bin/python benchmarks/ephys.py``. The trace is a simulated cell at
200 kHz with the sample electrode's noise, 600,000 samples, from a fixed seed. Times are processor
seconds of one thread, medians of seven turns; a busy machine stretches them all alike, so the ratio says more.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from napari_celltype import ApWindow, find_spikes, measure_features  # noqa: E402
from napari_celltype.recording import Recording, Sweep  # noqa: E402
from napari_celltype.samples.cells import draw_cell  # noqa: E402
from napari_celltype.samples.protocols import Stimulus  # noqa: E402
from napari_celltype.samples.recording import record, sample_recording  # noqa: E402

TURNS = 7
RATE_HZ = 200_000.0


@dataclass(frozen=True)
class Trace:
    """A sweep as plain arrays."""

    voltage: np.ndarray
    current: np.ndarray
    rate_hz: float

    @property
    def time(self) -> np.ndarray:
        """Seconds."""
        return np.arange(self.voltage.size) / self.rate_hz


@lru_cache
def simulated(kind: str, times_rheobase: float) -> Trace:
    """Three seconds at 200 kHz with a long square."""
    rng = np.random.default_rng(7)
    cell = draw_cell(kind, rng)
    square = Stimulus("Long Square", "long square", 0.3, 2.4, times_rheobase * cell.rheobase_pa(), 3.0)
    recording, _ = record(cell, (square,), rng, rate_hz=RATE_HZ)
    sweep = recording.sweeps[0]
    return Trace(sweep.voltage_mv(), sweep.current_pa(), RATE_HZ)


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def in_turn(works: list[Callable[[], object]]) -> list[list[float]]:
    """Processor seconds of each work, turn by turn, after a first run of all."""
    for work in works:
        work()
    turns = [[seconds(work) for work in works] for _ in range(TURNS)]
    return [list(column) for column in zip(*turns, strict=True)]


# ---- a sweep ----------------------------------------------------------------------------------------------------


def ipfx_spikes(trace: Trace) -> object:
    from ipfx.feature_extractor import SpikeFeatureExtractor

    return SpikeFeatureExtractor().process(trace.time, trace.voltage, trace.current)


EFEL_FEATURES = (
    "AP_begin_indices",
    "AP_begin_voltage",
    "peak_indices",
    "peak_voltage",
    "peak_time",
    "min_AHP_indices",
    "AHP_depth_abs",
    "fast_AHP",
    "ADP_peak_indices",
    "AP_peak_upstroke",
    "AP_peak_downstroke",
    "AP_duration_half_width",
    "AP_rise_time",
    "ISI_values",
)


def efel_spikes(trace: Trace) -> object:
    import efel

    efel.reset()
    efel.set_setting("DerivativeThreshold", 20.0)
    efel.set_setting("Threshold", -30.0)
    given = {"T": trace.time * 1e3, "V": trace.voltage, "stim_start": [300.0], "stim_end": [2700.0]}
    return efel.get_feature_values([given], list(EFEL_FEATURES), raise_warnings=False)[0]


def sweep_rows() -> list[str]:
    rows = []
    for label, kind, strength in (
        ("regular-spiking", "regular-spiking", 1.6),
        ("fast-spiking", "fast-spiking", 1.2),
        ("fast-spiking, harder", "fast-spiking", 1.6),
        ("silent", "regular-spiking", 0.5),
    ):
        trace = simulated(kind, strength)
        ours = find_spikes(trace.voltage, trace.rate_hz, trace.current)
        theirs = ipfx_spikes(trace)
        efel = efel_spikes(trace)
        if len(ours):
            np.testing.assert_array_equal(ours["peak_index"], theirs["peak_index"])
            for name, column in (
                ("upstroke", "upstroke_mv_ms"),
                ("width", "width_s"),
                ("fast_trough_v", "fast_trough_v_mv"),
            ):
                np.testing.assert_allclose(ours[column], theirs[name], rtol=1e-6, err_msg=name)
        columns = in_turn(
            [
                lambda trace=trace: find_spikes(trace.voltage, trace.rate_hz, trace.current),
                lambda trace=trace: ipfx_spikes(trace),
                lambda trace=trace: efel_spikes(trace),
            ]
        )
        ms = [median(column) * 1e3 for column in columns]
        ratios = [median(b / a for a, b in zip(columns[0], column, strict=True)) for column in columns[1:]]
        peaks = efel["peak_indices"]
        counts = f"{len(ours)} / {len(theirs)} / {0 if peaks is None else len(peaks)}"
        rows.append(
            f"| {label} | {counts} | {ms[0]:.1f} ms | {ms[1]:.1f} ms | {ratios[0]:.1f} "
            f"| {ms[2]:.1f} ms | {ratios[1]:.1f} |"
        )
    return rows


# ---- windows and whole recordings --------------------------------------------------------------------------------


def window_rows() -> list[str]:
    trace = simulated("regular-spiking", 1.6)
    sweep = Sweep(
        0, 0, trace.rate_hz, trace.voltage.size, read_voltage=lambda a, b: trace.voltage[a:b] * 1e-3, clamp="current"
    )
    peak = float(find_spikes(trace.voltage, trace.rate_hz)["peak_t_s"].iloc[1])
    rows = []
    for label, window, rate, count in (
        ("3 ms around a peak, 200 to 50 kHz", ApWindow.around_peak(0, peak), 50_000.0, 150),
        ("50 ms around an onset, 200 to 50 kHz", ApWindow.around_onset(0, 0.3), 50_000.0, 2_500),
        ("50 ms around an onset, kept at 200 kHz", ApWindow.around_onset(0, 0.3), 200_000.0, 10_000),
    ):

        def step(window: ApWindow = window, rate: float = rate, count: int = count) -> object:
            cut = window.moved(0.00137).cut(sweep, rate_hz=rate, n_samples=count)
            return np.fft.rfft(cut.voltage_mv)

        (times,) = in_turn([step])
        rows.append(f"| {label}: move, cut, resample, transform | {median(times) * 1e3:.2f} ms | at most 2 ms |")
    return rows


def hundred_sweeps() -> Recording:
    """The sample recording's sweeps over and over, 100 of 100,000 samples."""
    sample = sample_recording(0)
    sweeps = []
    for index in range(100):
        source = sample.sweeps[index % 23 if index % 23 != 22 else 9]
        voltage = np.resize(source.voltage_v(), 100_000)
        current = np.resize(source.current_a(), 100_000)
        current[source.n_samples :] = 0.0
        voltage[source.n_samples :] = voltage[0]
        sweeps.append(
            replace(
                source,
                index=index,
                number=index,
                n_stored=100_000,
                read_voltage=lambda a, b, voltage=voltage: voltage[a:b],
                read_current=lambda a, b, current=current: current[a:b],
            )
        )
    return Recording(Path("hundred sweeps"), "simulated", tuple(sweeps))


def recording_rows() -> list[str]:
    recording = hundred_sweeps()
    n_spikes = len(measure_features(recording).spikes)
    (times,) = in_turn([lambda: measure_features(recording)])
    return [
        f"| all features of 100 sweeps, 10 million samples, {n_spikes} spikes | {median(times):.2f} s | at most 1 s |"
    ]


def main() -> None:
    warnings.simplefilter("ignore")
    load = os.getloadavg()
    print(
        f"Load average {load[0]:.1f} {load[1]:.1f} {load[2]:.1f} on {os.cpu_count()} cores; median of {TURNS} turns.\n"
    )
    print("A sweep of 600,000 samples at 200 kHz, all values of each spike. Targets: 3 times ipfx, 5 times eFEL.\n")
    print("| cell | spikes: ours / ipfx / eFEL | ours | ipfx | ratio | eFEL | ratio |\n|---|---|---|---|---|---|---|")
    print("\n".join(sweep_rows()), flush=True)
    print("\n| what | ours | target |\n|---|---|---|")
    print("\n".join([*window_rows(), *recording_rows()]))


if __name__ == "__main__":
    main()
