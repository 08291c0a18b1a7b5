"""How a train of spikes goes on: rate, latency, adaptation, pauses, bursts and the delay before the first spike."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_celltype.recording import FloatArray

__all__ = ["TRAIN_FEATURES", "adaptation_index", "find_bursts", "find_pauses", "train_features"]

TRAIN_FEATURES = (
    "n_spikes",
    "rate_hz",
    "latency_s",
    "adaptation",
    "isi_cv",
    "mean_isi_s",
    "median_isi_s",
    "first_isi_s",
    "n_pauses",
    "pause_fraction",
    "n_bursts",
    "burstiness",
)
_PAUSE_LONGER = 3.0  # times the median direct interval
_MIDBURST_MV = 0.5
_COST_OF_BOUNDARY = 0.01
_COST_OF_LENGTH = 0.1


def train_features(spikes: pd.DataFrame, start_s: float, stop_s: float) -> dict[str, float]:
    """Measure the spike train of one sweep between two times.

    Parameters
    ----------
    spikes
        What :func:`find_spikes` found.
    start_s, stop_s
        Begin and end of the stimulus, or of the sweep.
    """
    features = dict.fromkeys(TRAIN_FEATURES, float("nan"))
    times = spikes["threshold_t_s"].to_numpy()
    duration = stop_s - start_s
    inside = (times >= start_s - 1e-9) & (times <= stop_s + 1e-9)
    features |= {"n_spikes": float(times.size), "rate_hz": float(inside.sum()) / duration if duration > 0 else np.nan}
    if not times.size:
        return features
    isi = np.diff(times)
    features |= {"latency_s": float(times[0]) - start_s, "adaptation": adaptation_index(isi)}
    if isi.size:
        features |= {
            "isi_cv": float(isi.std() / isi.mean()),
            "mean_isi_s": float(isi.mean()),
            "median_isi_s": float(np.median(isi)),
            "first_isi_s": float(isi[0]),
        }
        pauses = find_pauses(isi, spikes["reset"].to_numpy()[:-1])
        bursts = find_bursts(spikes)
        features |= {
            "n_pauses": float(pauses.size),
            "pause_fraction": float(isi[pauses].sum()) / duration if duration > 0 else np.nan,
            "n_bursts": float(len(bursts)),
            "burstiness": max((index for index, _, _ in bursts), default=0.0),
        }
    return features


def adaptation_index(isi_s: FloatArray) -> float:
    """Mean of the relative change from each interspike interval to the next; positive when firing slows down."""
    if isi_s.size < 2:
        return float("nan")
    total = isi_s[1:] + isi_s[:-1]
    known = total > 0.0
    return float(np.mean((isi_s[1:] - isi_s[:-1])[known] / total[known])) if known.any() else 0.0


def find_pauses(isi_s: FloatArray, resets: NDArray[np.object_]) -> NDArray[np.intp]:
    """Intervals that are pauses in firing.

    Candidates are intervals with a detour reset, then directly reset ones three times as long as is usual. They are
    taken in turn for as long as taking them out makes the rest more regular than it costs.
    """
    none = np.empty(0, dtype=np.intp)
    direct = resets == "direct"
    if isi_s.size < 3 or not direct.any():
        return none
    long_direct = direct & (isi_s > _PAUSE_LONGER * np.median(isi_s[direct]))
    candidates = [*np.flatnonzero(resets == "detour"), *np.flatnonzero(long_direct)]
    variation = float(isi_s.std() / isi_s.mean())
    chosen: list[int] = []
    best = 0.0
    for candidate in candidates:
        tried = [*chosen, int(candidate)]
        rest = np.delete(isi_s, tried)
        if rest.size < 2:
            break
        net = variation - float(rest.std() / rest.mean()) - _cost_of_pauses(rest, isi_s[tried])
        if 0.0 < net < best:
            break
        best = max(best, net)
        chosen = tried
    return np.sort(np.array(chosen, dtype=np.intp)) if best > 0.0 else none


def _cost_of_pauses(rest: FloatArray, pauses: FloatArray) -> float:
    apart = np.abs(float(rest.mean()) - pauses)
    spread = float(rest.std())
    if spread == 0.0:
        return 0.0
    return float("inf") if (apart == 0.0).any() else float((spread / apart).sum())


def find_bursts(spikes: pd.DataFrame) -> list[tuple[float, int, int]]:
    """Bursts as (burstiness, first interval, interval after the last).

    A burst begins with a direct reset and ends with a detour; burstiness compares the highest rate inside with the
    highest one outside, from -1 to 1.
    """
    isi = spikes["isi_s"].to_numpy()[:-1]
    resets = spikes["reset"].to_numpy()[:-1].copy()
    if isi.size < 2:
        return []
    resets[find_pauses(isi, resets)] = "pause"
    if not ((resets == "direct").any() and (resets == "detour").any()):
        return []
    shallow = spikes["threshold_v_mv"].to_numpy()[:-1] < spikes["slow_trough_v_mv"].to_numpy()[:-1] + _MIDBURST_MV
    resets[shallow & (resets == "detour")] = "inside"
    spans = _burst_spans(resets)
    if not spans:
        return []
    fall = (spikes["slow_trough_t_s"] - spikes["fast_trough_t_s"]).to_numpy()[:-1]
    spans, score = _best_spans(spans, isi, fall)
    if score < 0.0:
        return []
    return [(_burstiness(isi[a:b], _outside(spans, k, isi)), a, b) for k, (a, b) in enumerate(spans)]


def _burst_spans(resets: NDArray[np.object_]) -> list[tuple[int, int]]:
    begins = [0] if resets[0] == "direct" else []
    begins += [k + 1 for k, (one, two) in enumerate(pairwise(resets)) if one == "detour" and two == "direct"]
    spans = []
    for begin, following in pairwise([*begins, resets.size]):
        end = next((k for k in range(begin + 1, following) if resets[k] in ("detour", "pause")), None)
        if end is None:
            if begin == begins[-1]:  # the train may stop within a burst
                spans.append((begin, resets.size))
        elif resets[end] == "detour":
            spans.append((begin, end))
    return spans


def _best_spans(spans: list[tuple[int, int]], isi: FloatArray, fall: FloatArray) -> tuple[list[tuple[int, int]], float]:
    """Leave out the worst burst for as long as the mean score of the others rises."""
    scores = _scores(spans, isi, fall)
    best = float(np.mean(scores))
    while len(spans) > 1:
        fewer = [span for k, span in enumerate(spans) if k != int(np.argmin(scores))]
        scores = _scores(fewer, isi, fall)
        if not np.mean(scores) > best:
            break
        best, spans = float(np.mean(scores)), fewer
    return spans, best


def _scores(spans: list[tuple[int, int]], isi: FloatArray, fall: FloatArray) -> list[float]:
    within = np.zeros(isi.size, dtype=bool)
    for a, b in spans:
        within[a:b] = True
    if within.all():
        return [-np.inf] * len(spans)
    share = np.divide(isi, fall, out=np.zeros_like(isi), where=fall > 0.0)
    scores = []
    for a, b in spans:
        score = _burstiness(isi[a:b], isi[~within]) - _COST_OF_LENGTH * (b - a - 1)
        score -= _COST_OF_BOUNDARY * (share[b] if b < isi.size else 0.0)
        scores.append(score - _COST_OF_BOUNDARY * (share[a - 1] if a > 0 else 0.0))
    return scores


def _burstiness(inside: FloatArray, outside: FloatArray) -> float:
    inner, outer = 1.0 / inside.min(), 1.0 / outside.min()
    return float((inner - outer) / (inner + outer))


def _outside(spans: list[tuple[int, int]], k: int, isi: FloatArray) -> FloatArray:
    """The intervals a burst is compared with: those after it, or before it where the train ends with it."""
    begin, end = spans[k]
    if k + 1 < len(spans):
        return isi[end : spans[k + 1][0]]
    if end < isi.size:
        return isi[end:]
    return isi[:begin] if k == 0 else isi[spans[k - 1][1] : begin]
