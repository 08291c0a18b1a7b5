"""From recordings sampled at 200 kHz to such at 50 kHz: does a network that knows the first need fewer of the second?

The paper keeps "the input size constant", which can be read in two ways. Both are here: windows of the same duration,
brought to one rate; and windows of as many samples, so that at 200 kHz a spike is drawn out to four times its length.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.models.networks.triple_cnn import STREAMS
from napari_celltype.models.windows import PEAK_FORMAT, WindowFormat

from .job import Job
from .spikes import SpikeSet, read_spikes
from .splits import split_donors
from .waveform_paper_fit import PaperPlan, fit_paper, five_class, paper_shape, tested

__all__ = ["compare_rates"]

CURVE = (25, 50, 100, 200, 300)
FAST_KHZ = 200

STRETCHED = WindowFormat(
    rate_hz=FAST_KHZ * 1e3,
    before_s=PEAK_FORMAT.before_s * PEAK_FORMAT.rate_hz / (FAST_KHZ * 1e3),
    after_s=PEAK_FORMAT.after_s * PEAK_FORMAT.rate_hz / (FAST_KHZ * 1e3),
)
"""As many samples as the usual window, at 200 kHz: a quarter of its duration."""

_READINGS = {"same duration": PEAK_FORMAT, "same number of samples": STRETCHED}


def compare_rates(job: Job, spikes: SpikeSet, plan: PaperPlan, seeds: list[int]) -> dict[str, Any]:
    """Accuracy on cells recorded at 50 kHz against their number in training, by reading, transferred and not."""
    five = five_class(spikes)
    slow = five.take(five.rates_khz != FAST_KHZ)
    sizes = [n for n in CURVE if n < 0.6 * len(slow)]
    found: dict[str, Any] = {}
    for seed in seeds:
        key = seed, sizes, len(five)
        alone = tested(job, "50 kHz alone", plan, partial(_curve, None, slow, sizes, plan, seed), *key)
        _add(found, "from scratch", sizes, alone)
        for reading, form in _READINGS.items():
            fast = _fast_cells(job, form)
            compute = partial(_curve, fast, slow, sizes, plan, seed)
            curve = tested(job, f"200 to 50 kHz {reading}", plan, compute, *key)
            _add(found, f"transferred, {reading}", sizes, curve)
    return found


def _add(found: dict[str, Any], name: str, sizes: list[int], curve: dict[str, NDArray[Any]]) -> None:
    for size, accuracy in zip(sizes, curve["accuracy"], strict=True):
        found.setdefault(name, {}).setdefault(str(size), []).append(float(accuracy))


def _fast_cells(job: Job, form: WindowFormat) -> SpikeSet:
    spikes = read_spikes(job.data, form)
    return five_class(spikes.take((spikes.species == 0) & (spikes.rates_khz == FAST_KHZ)))


def _curve(
    fast: SpikeSet | None, slow: SpikeSet, sizes: list[int], plan: PaperPlan, seed: int
) -> dict[str, NDArray[Any]]:
    shape = paper_shape(STREAMS, 5, slow.windows.shape[1])
    start = None
    if fast is not None:
        at_fast = split_donors(fast.broad, fast.donors, validation=0.2, test=0.0, seed=seed)
        start = fit_paper(fast.windows, fast.subclass, at_fast, shape, plan, seed).network
    whole = split_donors(slow.subclass, slow.donors, validation=0.15, test=0.25, seed=seed)
    order = np.random.default_rng(seed).permutation(whole.train)
    found = []
    for size in sizes:
        split = replace(whole, train=np.sort(order[:size]))
        said = fit_paper(slow.windows, slow.subclass, split, shape, plan, seed + 1, start).test
        found.append(float((said.argmax(axis=1) == slow.subclass[split.test]).mean()))
    return {"accuracy": np.array(found)}
