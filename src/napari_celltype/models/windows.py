"""Windows as waveform models want them: one rate, one length, the spike's peak at one place, one low-pass filter.

Training and prediction both go through :func:`prepare_windows`, so a cell recorded at 200 kHz and one recorded at
50 kHz reach a network in the same form. Without the common filter they do not: what lies above 10 kHz tells the rate
apart, and the rate tells the class apart in the labelled data (its Vip cells were nearly all recorded at 50 kHz).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_celltype.ephys.resampling import sample_at

__all__ = ["ONSET_FORMAT", "PEAK_FORMAT", "WindowFormat", "low_pass", "prepare_windows"]

FloatArray = NDArray[np.float64]

_PEAK_TOLERANCE_S = 0.0003
"""A peak this far from its place is moved there; farther away it is another window, and doubted."""


@dataclass(frozen=True)
class WindowFormat:
    """The window a model takes.

    Parameters
    ----------
    rate_hz
        Samples a second.
    before_s, after_s
        Reach before and after the anchor.
    anchor
        ``"peak"`` of the action potential, or ``"onset"`` of the stimulus.
    low_pass_hz
        Corner of the filter every window passes, forwards and backwards; 0 for none.
    """

    rate_hz: float = 50_000.0
    before_s: float = 0.001
    after_s: float = 0.002
    anchor: Literal["peak", "onset"] = "peak"
    low_pass_hz: float = 10_000.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> WindowFormat:
        """As written in a model's description."""
        return cls(**settings)

    def to_settings(self) -> dict[str, Any]:
        """For a model's description."""
        return asdict(self)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.before_s + self.after_s

    @property
    def n_samples(self) -> int:
        """Length in samples."""
        return round(self.duration_s * self.rate_hz)

    @property
    def anchor_sample(self) -> int:
        """Where the anchor lies."""
        return round(self.before_s * self.rate_hz)

    @property
    def time_ms(self) -> FloatArray:
        """Time of each sample from the anchor on."""
        return (np.arange(self.n_samples, dtype=np.float64) - self.anchor_sample) * (1e3 / self.rate_hz)


PEAK_FORMAT = WindowFormat()
"""1 ms before to 2 ms after the peak, 150 samples: what labelled data exist for."""

ONSET_FORMAT = WindowFormat(before_s=0.025, after_s=0.025, anchor="onset")
"""25 ms to each side of the stimulus onset, 2,500 samples: the papers' window."""


def prepare_windows(voltage_mv: NDArray[Any], rate_hz: float, form: WindowFormat = PEAK_FORMAT) -> FloatArray:
    """Windows in the form a model takes.

    Parameters
    ----------
    voltage_mv
        (n, samples) at ``rate_hz``. Rows about as long as the window are taken as windows whose anchor is in its
        place, give or take 0.3 ms; longer rows as stretches of a recording, cut around their highest point.
    form
        What is wanted.

    Returns
    -------
    ndarray
        (n, ``form.n_samples``) in mV. Where a row ends early its last value is held.
    """
    rows = np.atleast_2d(np.asarray(voltage_mv, dtype=float))
    whole = rows.shape[1] / rate_hz <= form.duration_s * 1.05
    prepared = np.stack([_prepared(row, rate_hz, form, whole) for row in rows]) if len(rows) else rows[:, :0]
    if not len(rows):
        return np.zeros((0, form.n_samples))
    return low_pass(prepared, form)


def _prepared(row: FloatArray, rate_hz: float, form: WindowFormat, whole: bool) -> FloatArray:
    ratio = form.rate_hz / rate_hz
    if form.anchor == "onset":
        middle = max(0.0, (row.size / rate_hz - form.duration_s) / 2.0) * rate_hz
        return sample_at(row, middle, ratio, form.n_samples)
    if whole:
        first, slack = 0.0, round(_PEAK_TOLERANCE_S * form.rate_hz)
    else:
        reach = round(form.before_s * rate_hz), row.size - round(form.after_s * rate_hz)
        inside = row[reach[0] : max(reach[1], reach[0] + 1)]
        first, slack = float(np.argmax(np.nan_to_num(inside, nan=-np.inf))), round(1.5 * max(1.0, ratio))
    return _anchored(sample_at(row, first, ratio, form.n_samples), row, first, ratio, slack, form)


def _anchored(
    cut: FloatArray, row: FloatArray, first: float, ratio: float, slack: int, form: WindowFormat
) -> FloatArray:
    """The cut again, moved by whole samples so that the highest one near the anchor's place lies on it."""
    place = form.anchor_sample
    near = cut[place - slack : place + slack + 1]
    if not np.isfinite(near).all():
        return cut
    shift = int(np.argmax(near)) - slack
    if shift == 0 or abs(shift) == slack:
        return cut
    return sample_at(row, first + shift / ratio, ratio, form.n_samples)


def low_pass(windows: FloatArray, form: WindowFormat) -> FloatArray:
    """The filter every window passes: four-pole Bessel, forwards and backwards, so that nothing is shifted."""
    if not form.low_pass_hz or form.low_pass_hz >= form.rate_hz / 2:
        return windows
    from scipy.signal import filtfilt

    b, a = _bessel(form.low_pass_hz / (form.rate_hz / 2))
    filtered: FloatArray = np.asarray(filtfilt(b, a, windows, axis=-1), dtype=float)
    return filtered


@lru_cache(maxsize=8)
def _bessel(corner: float) -> tuple[FloatArray, FloatArray]:
    from scipy.signal import bessel

    b, a = bessel(4, corner)
    return np.asarray(b), np.asarray(a)
