"""How long a waveform model takes: ``python benchmarks/waveform_speed.py``; medians of warm calls, and the best."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

import napari_celltype as nct
from napari_celltype.samples.population import simulate_population


def seconds(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and least of so many calls, after one to warm up."""
    call()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), min(taken)


def main() -> None:
    slow, fast = (simulate_population(10, rate_hz=rate).peak_windows_mv for rate in (50e3, 200e3))
    for name in ("triple-cnn-2class", "triple-cnn-5class"):
        model = nct.load_model(name, device="cpu")
        for label, windows, repeats in (
            ("1 window, 50 kHz", slow[:1], 50),
            ("1 window, 200 kHz", fast[:1], 50),
            ("1,000 windows, 50 kHz", np.tile(slow, (100, 1)), 5),
            ("1,000 windows, 200 kHz", np.tile(fast, (100, 1)), 5),
        ):
            median, least = seconds(lambda w=windows, m=model: m.predict(w), repeats)  # type: ignore[misc]
            print(f"{name}: {label}: median {median * 1e3:.1f} ms, least {least * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
