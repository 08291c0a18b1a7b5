"""Compare our spikes and features with ipfx's, on real and simulated recordings, for docs/validation.md.

Run in the environment of ``make validation-env`` (``.venv-validation/bin/python benchmarks/validate_ephys.py``); the
real recordings are looked for as the tests do (NAPARI_CELLTYPE_DATA, else ``../shared/data``). With ``--store`` the
values ipfx found are also written to ``tests/reference/ephys``, where the everyday tests compare with them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from napari_celltype import find_spikes, find_stimuli, measure_features, read_recording  # noqa: E402
from napari_celltype.ephys.cell import same_timing  # noqa: E402
from napari_celltype.ephys.spikes import SpikeRules  # noqa: E402
from napari_celltype.ephys.sweeps import MeasuredSweep, measure_sweeps, read_pair  # noqa: E402
from napari_celltype.ephys.trains import train_features  # noqa: E402
from napari_celltype.errors import CelltypeError  # noqa: E402
from napari_celltype.recording import Recording  # noqa: E402
from napari_celltype.samples.recording import sample_recording  # noqa: E402

DATA = Path(os.environ.get("NAPARI_CELLTYPE_DATA", ROOT.parent / "shared" / "data"))
REFERENCE = ROOT / "tests" / "reference" / "ephys"
PAGE = ROOT / "docs" / "validation.md"
BEGIN, END = "<!-- ephys table: written by benchmarks/validate_ephys.py -->", "<!-- end of ephys table -->"
SAMPLES = (("regular-spiking", 0), ("fast-spiking", 1))

POINTS = ("threshold", "peak", "trough", "fast_trough", "adp", "slow_trough")
PER_SPIKE = {
    **{f"{point}_index": f"{point}_index" for point in (*POINTS, "upstroke", "downstroke")},
    **{f"{point}_v": f"{point}_v_mv" for point in (*POINTS, "upstroke", "downstroke")},
    **{f"{point}_i": f"{point}_i_pa" for point in POINTS},
    "upstroke": "upstroke_mv_ms",
    "downstroke": "downstroke_mv_ms",
    "upstroke_downstroke_ratio": "upstroke_downstroke_ratio",
    "width": "width_s",
    "clipped": "clipped",
}
STORED = (
    *(name for name in PER_SPIKE if name.endswith(("_v", "_i")) and "stroke" not in name),
    "threshold_index",
    "upstroke",
    "downstroke",
    "upstroke_downstroke_ratio",
    "width",
)
FIRST_SPIKE = ("threshold_v", "peak_v", "trough_v", "fast_trough_v", "upstroke_downstroke_ratio", "threshold_i")


@dataclass
class Tally:
    """What one recording's comparison came to."""

    name: str
    sweeps: int = 0
    ours: int = 0
    theirs: int = 0
    same_peaks: int = 0
    worst: float = 0.0
    ties: int = 0
    remarks: list[tuple[int, int, int, str]] = field(default_factory=list)
    """Sweep, ipfx's spikes, ours, and why they differ."""


def recordings() -> Iterator[tuple[str, Recording]]:
    """Every recording that opens here, by name; the simulated ones first."""
    for kind, seed in SAMPLES:
        yield f"sample ({kind})", sample_recording(seed, kind)
    for path in sorted((DATA / "recordings").glob("*/*")):
        try:
            yield path.name, read_recording(path)
        except (CelltypeError, ImportError) as error:
            print(f"left out: {path.name}: {error}", file=sys.stderr)


# ---- ipfx --------------------------------------------------------------------------------------------------------


def extractor(rate_hz: float, **options: object) -> object:
    from ipfx.feature_extractor import SpikeFeatureExtractor

    return SpikeFeatureExtractor(filter=10.0 if rate_hz > 20_000.0 else None, **options)


def time_of(voltage: np.ndarray, rate_hz: float) -> np.ndarray:
    return np.arange(voltage.size) / rate_hz


def spikes_of_ipfx(voltage: np.ndarray, current: np.ndarray | None, rate_hz: float) -> pd.DataFrame | str:
    """Its table, or in words why it has none."""
    try:
        return extractor(rate_hz).process(time_of(voltage, rate_hz), voltage, current)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return f"{type(error).__name__}: {error}"


def cell_of_ipfx(measured: list[MeasuredSweep]) -> dict[str, float]:
    """Its cell features on the families of sweeps we found, with our onsets and offsets."""
    values: dict[str, float] = {}
    for analyse in (long_squares_of_ipfx, short_squares_of_ipfx, ramps_of_ipfx):
        try:
            values |= analyse(measured)
        except Exception as error:  # noqa: BLE001
            values[f"failed: {analyse.__name__}"] = float("nan")
            print(f"    ipfx, {analyse.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    return {name: float(value) for name, value in values.items() if value is not None}


def as_sweep(entry: MeasuredSweep) -> SimpleNamespace:
    """What ipfx takes for a sweep; a measured step is given to it as the plateau it settles at.

    ipfx reads a step's strength at its second sample, which in a measured current lies on the rising edge.
    """
    voltage, current = read_pair(entry.sweep, entry.stimulus)
    onset, offset = entry.stimulus.onset_s, entry.stimulus.offset_s
    if entry.stimulus.kind == "long_square" and current is not None:
        first, last = round(onset * entry.sweep.rate_hz), round(offset * entry.sweep.rate_hz)
        if abs(current[first + 1] - entry.amplitude_pa) > 1e-3:
            current = np.zeros_like(voltage)
            current[first:last] = entry.amplitude_pa
    return SimpleNamespace(t=time_of(voltage, entry.sweep.rate_hz), v=voltage, i=current)


def first_spike_of_ipfx(spike: dict[str, float], suffix: str) -> dict[str, float]:
    return {f"{name}_{suffix}": spike[name] for name in FIRST_SPIKE if np.isfinite(spike.get(name, np.nan))}


def long_squares_of_ipfx(measured: list[MeasuredSweep]) -> dict[str, float]:
    from ipfx.feature_extractor import SpikeTrainFeatureExtractor
    from ipfx.stimulus_protocol_analysis import LongSquareAnalysis
    from ipfx.sweep import SweepSet

    family = same_timing([entry for entry in measured if entry.values and entry.stimulus.kind == "long_square"])
    family = [entry for entry in family if entry.sweep.read_current is not None]
    # ipfx knows no step before the step, and stops where less than 100 ms lie before it
    if not family or any(entry.stimulus.prepulse for entry in family) or family[0].stimulus.onset_s < 0.1:
        return {}
    start, end = family[0].stimulus.onset_s, family[0].stimulus.offset_s
    analysis = LongSquareAnalysis(
        extractor(family[0].sweep.rate_hz, start=start, end=end),
        SpikeTrainFeatureExtractor(start, end),
        subthresh_min_amp=-100.0,
        require_subthreshold=False,
        require_suprathreshold=False,
    )
    found = analysis.analyze(SweepSet([as_sweep(entry) for entry in family]))
    values = {
        "vrest": found["v_baseline"],
        "ri": found.get("input_resistance"),
        "sag": found.get("sag"),
        "vm_for_sag": found.get("vm_for_sag"),
        "tau": found["tau"] * 1e3 if "tau" in found else None,
        "rheobase_pa": found.get("rheobase_i"),
        "f_i_curve_slope": found.get("fi_fit_slope"),
    }
    if values["vm_for_sag"] is not None and values["vm_for_sag"] > values["vrest"]:
        values["vm_for_sag"] = values["sag"] = None  # of a depolarising step: we give none
    if "hero_sweep" in found:
        hero = found["hero_sweep"]
        values |= {"latency": hero["latency"], "adaptation": hero["adapt"], "avg_isi_s": hero["mean_isi"]}
        rheobase = found["spikes_set"][found["rheobase_sweep"].name].iloc[0].to_dict()
        values |= first_spike_of_ipfx(rheobase, "long_square")
        values |= delay_of_ipfx(as_sweep(family[hero.name]), found["spikes_set"][hero.name], start)
    return values


def delay_of_ipfx(sweep: SimpleNamespace, spikes: pd.DataFrame, start: float) -> dict[str, float]:
    from ipfx.spike_features import fit_prespike_time_constant

    first = spikes["threshold_t"].iloc[0]
    tau = fit_prespike_time_constant(sweep.t, sweep.v, start, first)
    return {"delay_tau_s": tau, "delay_ratio": (first - start) / tau}


def short_squares_of_ipfx(measured: list[MeasuredSweep]) -> dict[str, float]:
    from ipfx.feature_extractor import SpikeTrainFeatureExtractor
    from ipfx.spike_features import estimate_adjusted_detection_parameters
    from ipfx.stimulus_protocol_analysis import ShortSquareAnalysis
    from ipfx.sweep import SweepSet

    family = [entry for entry in measured if entry.values and entry.stimulus.kind == "short_square"]
    if not family:
        return {}
    sweeps = SweepSet([as_sweep(entry) for entry in family])
    start = family[0].stimulus.onset_s
    cutoff, fraction = estimate_adjusted_detection_parameters(sweeps.v, sweeps.t, start, start + 0.001)
    spikes = extractor(family[0].sweep.rate_hz, dv_cutoff=cutoff, thresh_frac=max(0.1, fraction))
    train = SpikeTrainFeatureExtractor(None, None)
    analysis = ShortSquareAnalysis(spikes, train)
    train.stim_amp_fn = lambda t, i, start: i[1:].max()
    found = analysis.analyze(sweeps)
    return first_spike_of_ipfx(found["mean_spike_0"], "short_square") | {
        "threshold_i_short_square": found["stimulus_amplitude"]
    }


def ramps_of_ipfx(measured: list[MeasuredSweep]) -> dict[str, float]:
    from ipfx.feature_extractor import SpikeTrainFeatureExtractor
    from ipfx.stimulus_protocol_analysis import RampAnalysis
    from ipfx.sweep import SweepSet

    family = [entry for entry in measured if entry.values and entry.stimulus.kind == "ramp"]
    if not any(len(entry.spikes) for entry in family):
        return {}
    start = family[0].stimulus.onset_s
    analysis = RampAnalysis(extractor(family[0].sweep.rate_hz, start=start), SpikeTrainFeatureExtractor(start, None))
    return first_spike_of_ipfx(
        analysis.analyze(SweepSet([as_sweep(entry) for entry in family]))["mean_spike_0"], "ramp"
    )


# ---- comparison --------------------------------------------------------------------------------------------------


def relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Relative difference; infinite where one is defined and the other is not."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12)
    difference = np.where(ours == theirs, 0.0, difference)
    difference = np.where(np.isnan(ours) & np.isnan(theirs), 0.0, difference)
    return np.where(np.isnan(ours) ^ np.isnan(theirs), np.inf, difference)


def compare_spikes(ours: pd.DataFrame, theirs: pd.DataFrame, worst: dict[str, float]) -> tuple[float, int]:
    """Largest relative difference, ties apart, and how many values differ because two samples tie."""
    largest, ties = 0.0, 0
    for name, column in PER_SPIKE.items():
        if name not in theirs:
            continue
        difference = relative(ours[column].to_numpy(dtype=float), theirs[name].to_numpy(dtype=float))
        tied = tied_samples(ours, theirs, name)
        ties += int((difference[tied] > 0).sum())
        value = float(difference[~tied].max(initial=0.0))
        worst[name] = max(worst.get(name, 0.0), value)
        largest = max(largest, value)
    return largest, ties


def tied_samples(ours: pd.DataFrame, theirs: pd.DataFrame, name: str) -> np.ndarray:
    """Spikes whose extreme slope occurs at two samples: equal slopes at different places, or next to the 1 % level."""
    stem = name.removesuffix("_index").removesuffix("_v").removesuffix("_i")
    if stem in ("upstroke", "downstroke") and name != stem:
        return relative(ours[f"{stem}_mv_ms"], theirs[stem]) < 1e-9
    if stem == "fast_trough":
        return np.abs(ours["fast_trough_index"].to_numpy() - theirs["fast_trough_index"].to_numpy(dtype=float)) == 1
    return np.zeros(len(ours), dtype=bool)


def compare_train(ours: pd.DataFrame, theirs: pd.DataFrame, stop_s: float, trains: dict[str, list[float]]) -> None:
    """Rates, intervals, pauses and bursts of one sweep; ``trains`` collects the relative differences."""
    from ipfx import spike_train_features as peer

    values = train_features(ours, 0.0, stop_s)
    time = np.arange(round(stop_s * 1e6) + 1) / 1e6  # only its ends count
    table = theirs.assign(threshold_index=(theirs["threshold_t"] * 1e6).round())
    basic = peer.basic_spike_train_features(time, table, 0.0, stop_s)
    pairs = {
        "latency": ("latency_s", basic["latency"]),
        "adapt": ("adaptation", basic["adapt"]),
        "isi_cv": ("isi_cv", basic["isi_cv"]),
        "mean_isi": ("mean_isi_s", basic["mean_isi"]),
        "median_isi": ("median_isi_s", basic["median_isi"]),
        "first_isi": ("first_isi_s", basic["first_isi"]),
        "avg_rate": ("rate_hz", basic["avg_rate"]),
    }
    if len(theirs) > 2:  # its own pause() and burst() call functions that this release has moved
        isi, kinds = np.diff(theirs["threshold_t"].to_numpy()), theirs["isi_type"].to_numpy()[:-1]
        pauses = peer.detect_pauses(isi, kinds).astype(int)
        pairs |= {"pauses": ("n_pauses", pauses.size), "time in pauses": ("pause_fraction", isi[pauses].sum() / stop_s)}
        columns = ("fast_trough_v", "fast_trough_t", "slow_trough_v", "slow_trough_t", "threshold_v")
        try:
            bursts = np.array(peer.detect_bursts(isi, kinds, *(theirs[name].to_numpy() for name in columns)))
            index = bursts[:, 0].max() if len(bursts) else 0.0
            pairs |= {"bursts": ("n_bursts", len(bursts)), "burst index": ("burstiness", index)}
        except Exception as error:  # noqa: BLE001
            trains.setdefault(f"bursts: ipfx stops ({error})", []).append(0.0)
    for label, (column, value) in pairs.items():
        trains.setdefault(label, []).append(float(relative(np.array(values[column]), np.array(float(value)))))


def compare_recording(
    name: str,
    recording: Recording,
    worst: dict[str, float],
    trains: dict[str, list[float]],
    stored: dict[str, object],
) -> Tally | None:
    tally = Tally(name)
    for sweep in recording.sweeps:
        if sweep.clamp != "current" or sweep.n_samples < 100:
            continue
        voltage, current = sweep.voltage_mv(), sweep.current_pa()
        if not np.isfinite(voltage).all():
            continue
        if current is not None and not np.isfinite(current).all():
            current = None
        ours = find_spikes(voltage, sweep.rate_hz, current)
        theirs = spikes_of_ipfx(voltage, current, sweep.rate_hz)
        tally.sweeps += 1
        label = f"{sweep.electrode}#{sweep.number}"
        if isinstance(theirs, str):
            tally.remarks.append((sweep.number, 0, len(ours), f"ipfx stops ({theirs})"))
            continue
        tally.ours += len(ours)
        tally.theirs += len(theirs)
        stored[label] = reference_of(theirs)
        if not len(theirs) and not len(ours):
            tally.same_peaks += 1
        elif len(theirs) == len(ours) and (ours["peak_index"].to_numpy() == theirs["peak_index"].to_numpy()).all():
            tally.same_peaks += 1
            largest, ties = compare_spikes(ours, theirs, worst)
            tally.worst, tally.ties = max(tally.worst, largest), tally.ties + ties
            compare_train(ours, theirs, (voltage.size - 1) / sweep.rate_hz, trains)
        else:
            explain(tally, sweep.number, voltage, current, sweep.rate_hz, ours, theirs)
    return tally if tally.sweeps else None


def explain(
    tally: Tally,
    number: int,
    voltage: np.ndarray,
    current: np.ndarray | None,
    rate_hz: float,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
) -> None:
    """Name the rule that makes the difference, by switching ours off one after another."""
    target = set(theirs["peak_index"].astype(int)) if len(theirs) else set()
    for text, rules in (
        ("artefacts at the command's steps", SpikeRules(reject_artefacts=False)),
        ("noise of a few mV", SpikeRules(min_height_noise=0.0)),
        ("artefacts, and noise of a few mV", SpikeRules(reject_artefacts=False, min_height_noise=0.0)),
    ):
        if set(find_spikes(voltage, rate_hz, current, rules=rules)["peak_index"]) == target:
            tally.remarks.append((number, len(theirs), len(ours), text))
            return
    tally.remarks.append((number, len(theirs), len(ours), "noise of a few mV"))


def reference_of(theirs: pd.DataFrame) -> dict[str, object]:
    """What the everyday tests compare with: every peak, and the values of the first and the last spike."""
    if not len(theirs):
        return {"peaks": []}
    keys = [name for name in STORED if name in theirs]
    rows = {0: theirs.iloc[0], len(theirs) - 1: theirs.iloc[-1]}
    spikes = {
        str(k): {name: value for name in keys if (value := number(row[name])) is not None} for k, row in rows.items()
    }
    return {"peaks": [int(k) for k in theirs["peak_index"]], "spikes": spikes}


def number(value: object) -> float | None:
    value = float(value)  # type: ignore[arg-type]
    return None if np.isnan(value) else float(f"{value:.9g}")


def compare_cell(recording: Recording) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """What ipfx finds for the cell, and both values side by side."""
    cell = measure_features(recording)
    electrode = str(cell.sweeps["electrode"].iloc[0]) if len(cell.sweeps) else ""
    measured = measure_sweeps(recording, find_stimuli(recording), electrode, SpikeRules())
    theirs = cell_of_ipfx(measured)
    ours = cell.all()
    return theirs, {name: (float(ours[name]), value) for name, value in theirs.items() if name in ours.index}


# ---- report ------------------------------------------------------------------------------------------------------


def table_of_recordings(tallies: list[Tally]) -> list[str]:
    lines = [
        "| recording | sweeps | spikes: ours | ipfx | sweeps with the same peaks | largest rel. difference | ties |",
        "|---|---|---|---|---|---|---|",
    ]
    for tally in tallies:
        lines.append(
            f"| {tally.name} | {tally.sweeps} | {tally.ours} | {tally.theirs} | {tally.same_peaks} "
            f"| {tally.worst:.1e} | {tally.ties or ''} |"
        )
    lines.append(
        f"| **all** | {sum(t.sweeps for t in tallies)} | {sum(t.ours for t in tallies)} "
        f"| {sum(t.theirs for t in tallies)} | {sum(t.same_peaks for t in tallies)} "
        f"| {max(t.worst for t in tallies):.1e} | {sum(t.ties for t in tallies)} |"
    )
    remarks = [f"- {tally.name}: {summary(tally.remarks)}" for tally in tallies if tally.remarks]
    return [*lines, "", "Differences, sweep by sweep (ipfx's count against ours):", "", *remarks]


def summary(remarks: list[tuple[int, int, int, str]]) -> str:
    """One clause a cause: which sweeps, and the spikes in them."""
    clauses = []
    for cause in dict.fromkeys(remark[3] for remark in remarks):
        same = [remark for remark in remarks if remark[3] == cause]
        sweeps = ", ".join(str(remark[0]) for remark in same)
        theirs, ours = sum(remark[1] for remark in same), sum(remark[2] for remark in same)
        clauses.append(f"sweep{'s' if len(same) > 1 else ''} {sweeps}: {theirs} against {ours}, {cause}")
    return "; ".join(clauses)


def table_of_spike_features(worst: dict[str, float]) -> list[str]:
    lines = ["| per spike (ipfx's name) | largest relative difference |", "|---|---|"]
    return lines + [f"| {name} | {value:.1e} |" for name, value in worst.items()]


def table_of_trains(trains: dict[str, list[float]]) -> list[str]:
    lines = [
        "| per train (ipfx's name) | sweeps | sweeps that differ by more than 1e-6 | largest |",
        "|---|---|---|---|",
    ]
    return lines + [
        f"| {name} | {len(found)} | {sum(value > 1e-6 for value in found)} | {max(found):.1e} |"
        for name, found in trains.items()
    ]


def table_of_cells(cells: dict[str, dict[str, tuple[float, float]]]) -> list[str]:
    lines = ["| cell feature | recordings | largest relative difference | where |", "|---|---|---|---|"]
    names = list(dict.fromkeys(name for cell in cells.values() for name in cell))
    for name in names:
        found = {where: cell[name] for where, cell in cells.items() if name in cell}
        difference = {where: float(relative(np.array(a), np.array(b))) for where, (a, b) in found.items()}
        where = max(difference, key=lambda key: difference[key])
        seen = where if difference[where] > 1e-6 else ""
        lines.append(f"| {name} | {len(found)} | {difference[where]:.1e} | {seen} |")
    return lines


def write_page(sections: list[list[str]]) -> None:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"# Validation\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    body = "\n\n".join("\n".join(lines) for lines in sections)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="write ipfx's values to tests/reference/ephys")
    parser.add_argument("--no-page", action="store_true", help="print the tables instead of writing the page")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tallies: list[Tally] = []
    cells: dict[str, dict[str, tuple[float, float]]] = {}
    worst: dict[str, float] = {}
    trains: dict[str, list[float]] = {}
    for name, recording in recordings():
        stored: dict[str, object] = {}
        tally = compare_recording(name, recording, worst, trains, stored)
        if tally is None:
            continue
        tallies.append(tally)
        theirs, cells[name] = compare_cell(recording)
        if arguments.store:
            store(name, stored, theirs)
    sections = [
        table_of_recordings(tallies),
        table_of_spike_features(worst),
        table_of_trains(trains),
        table_of_cells(cells),
    ]
    if arguments.no_page:
        print("\n\n".join("\n".join(lines) for lines in sections))
    else:
        write_page(sections)
    return 0


def store(name: str, sweeps: dict[str, object], cell: dict[str, float]) -> None:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    content = {"recording": name, "by": "ipfx 2.1.2", "cell": {k: number(v) for k, v in cell.items()}, "sweeps": sweeps}
    path = REFERENCE / f"{name.replace(' ', '_').replace('(', '').replace(')', '')}.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
