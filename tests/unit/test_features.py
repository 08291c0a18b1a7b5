from __future__ import annotations

import csv
import json
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephys_traces import recording_of, spike_train, sweep_of
from napari_celltype import FEATURES_41, extract_features, find_spikes, measure_features, read_recording
from napari_celltype.ephys.passive import (
    Square,
    baseline_mv,
    deflection,
    input_resistance_mohm,
    sag,
    time_constant_s,
)
from napari_celltype.ephys.pulses_vc import pulse_resistance_mohm
from napari_celltype.ephys.spikes import SpikeRules
from napari_celltype.ephys.trains import adaptation_index, train_features
from napari_celltype.samples.recording import sample_recording, sample_truth

RATE = 20_000.0
REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "ephys"


def passive_square(resistance_mohm, tau_s, level_pa, *, rest=-70.0, sag_part=0.0, noise=0.0, seed=0):
    time = np.arange(round(2.0 * RATE)) / RATE
    driven = np.clip(time - 0.5, 0.0, None)
    full = resistance_mohm * level_pa * 1e-3
    course = full * (1 - np.exp(-driven / tau_s)) - sag_part * full * (1 - np.exp(-driven / 0.25))
    back = np.clip(time - 1.5, 0.0, None)
    voltage = rest + np.where(time < 1.5, course, course[round(1.5 * RATE)] * np.exp(-back / tau_s))
    return Square(voltage + np.random.default_rng(seed).normal(0, noise, time.size), level_pa, RATE, 0.5, 1.5)


@settings(max_examples=25)
@given(st.floats(50, 500), st.floats(0.005, 0.04), st.floats(-90, -10), st.floats(-85, -55))
def test_resistance_and_time_constant_of_a_passive_cell_are_found(resistance, tau, level, rest):
    squares = [passive_square(resistance, tau, level * k, rest=rest) for k in (0.5, 1.0)]
    assert baseline_mv(squares[0]) == pytest.approx(rest)
    assert input_resistance_mohm(squares) == pytest.approx(resistance, rel=1e-3)
    assert input_resistance_mohm(squares[:1]) == pytest.approx(resistance, rel=1e-3)
    assert time_constant_s(squares[1]) == pytest.approx(tau, rel=1e-3)
    assert sag(squares[1]) == pytest.approx(0.0, abs=0.02)  # its mean around the lowest point takes in the recovery


def test_sag_is_the_part_that_comes_back():
    square = passive_square(200.0, 0.01, -100.0, sag_part=0.3)
    low, where = deflection(square)
    assert square.voltage_mv.min() == low
    expected = (low - square.voltage_mv[round(1.485 * RATE)]) / (low + 70.0)
    assert sag(square) == pytest.approx(expected, rel=0.01)
    assert 0.5 < where / RATE < 0.7


def test_a_time_constant_is_not_made_up_from_noise():
    assert np.isnan(time_constant_s(passive_square(100.0, 0.02, -5.0, noise=0.5)))
    flat = Square(np.full(40_000, -70.0), -50.0, RATE, 0.5, 1.5)
    assert np.isnan(time_constant_s(flat))


@given(st.lists(st.floats(0.002, 1.0), min_size=2, max_size=30), st.floats(0.1, 10))
def test_adaptation_is_free_of_scale_and_turns_its_sign_with_time(isi, factor):
    isi = np.array(isi)
    value = adaptation_index(isi)
    assert adaptation_index(factor * isi) == pytest.approx(value, abs=1e-12)
    assert adaptation_index(isi[::-1]) == pytest.approx(-value, abs=1e-12)
    literal = np.mean([(b - a) / (b + a) for a, b in pairwise(isi)])
    assert value == pytest.approx(literal, abs=1e-12)


def test_a_train_is_measured_by_its_threshold_times():
    voltage, _ = spike_train(50_000.0, [0.1, 0.15, 0.22, 0.31], 0.4)
    spikes = find_spikes(voltage, 50_000.0)
    values = train_features(spikes, 0.05, 0.35)
    times = spikes["threshold_t_s"].to_numpy()
    assert values["n_spikes"] == 4
    assert values["rate_hz"] == pytest.approx(4 / 0.3)
    assert values["latency_s"] == pytest.approx(times[0] - 0.05)
    assert values["first_isi_s"] == pytest.approx(times[1] - times[0])
    assert values["isi_cv"] == pytest.approx(np.diff(times).std() / np.diff(times).mean())


def test_a_resistance_in_voltage_clamp_is_found_after_the_test_pulse():
    time = np.arange(10_000) / 50_000.0
    command = np.where((time > 0.01) & (time < 0.02), 10.0, 0.0)
    for onset in (0.05, 0.1, 0.15):
        command = command + np.where((time > onset) & (time < onset + 0.02), 5.0, 0.0)
    current = np.where(command == 10.0, 9999.0, command / 250.0 * 1e3)
    assert pulse_resistance_mohm(command, current, 50_000.0) == pytest.approx(250.0)
    assert np.isnan(pulse_resistance_mohm(np.zeros(100), np.zeros(100), 50_000.0))


@pytest.fixture(scope="module")
def sample_cell():
    return measure_features(sample_recording(0))


def test_the_columns_are_those_of_the_allen_table(shared_data):
    header = pd.read_csv(shared_data / "ephys" / "mouse_features.csv", nrows=0).columns.tolist()
    first = header.index("threshold_v")
    assert tuple(header[first : first + 41]) == FEATURES_41


def test_the_values_lie_within_the_ranges_of_the_allen_table(shared_data, sample_cell):
    table = pd.read_csv(shared_data / "ephys" / "mouse_features.csv")
    known = sample_cell.allen41.dropna()
    low, high = table[known.index].min(), table[known.index].max()
    outside = known[(known < low) | (known > high)]
    assert outside.empty, f"unit slips show as values no cell has: {outside}"


def test_all_but_the_voltage_clamp_features_come_from_the_sample(sample_cell):
    assert set(sample_cell.missing) == {"seal_gohm", "input_resistance_mohm"}
    assert "EXTPBREAKN" in sample_cell.missing["input_resistance_mohm"]
    coverage = sample_cell.coverage.set_index("feature")
    assert coverage.loc["threshold_v", "sweeps"] == "25"
    assert "mean of" in coverage.loc["threshold_v", "note"]


def test_passive_values_are_near_the_truth_of_the_simulated_cell(sample_cell):
    truth = sample_truth(0)
    values = sample_cell.allen41
    assert values["vrest"] == pytest.approx(truth.rest_mv, abs=2.0)
    # sag and rectification bend the real cell away from its linear truth
    assert values["ri"] == pytest.approx(truth.input_resistance_mohm, rel=0.35)
    assert values["tau"] == pytest.approx(truth.tau_ms, rel=0.5)


def test_every_spike_of_the_simulated_cells_is_found_at_its_sample():
    for seed, kind in ((0, "regular-spiking"), (1, "fast-spiking")):
        recording, truth = sample_recording(seed, kind), sample_truth(seed, kind)
        for sweep, expected in zip(recording.sweeps, truth.sweeps, strict=True):
            found = find_spikes(sweep.voltage_mv(), sweep.rate_hz, sweep.current_pa())
            assert len(found) == len(expected.peaks), f"{kind}, sweep {sweep.number}"
            assert np.abs(found["peak_index"].to_numpy() - expected.peaks).max(initial=0) <= 4


@pytest.mark.parametrize("noise_mv", [0.0, 0.5, 1.0])
def test_every_spike_is_found_through_an_electrode_of_any_noise(noise_mv):
    from napari_celltype.samples.cells import draw_cell
    from napari_celltype.samples.electrode import Electrode
    from napari_celltype.samples.protocols import Stimulus
    from napari_celltype.samples.recording import record

    rng = np.random.default_rng(5)
    cell = draw_cell("regular-spiking", rng)
    level = 1.6 * cell.rheobase_pa()
    protocol = (Stimulus("Long Square", "long square", 0.1, 0.4, level, 0.6),)
    quiet = Electrode(noise_mv=noise_mv, membrane_noise_mv=0.0, hum_mv=0.0, drift_mv_per_min=0.0)
    recording, truth = record(cell, protocol, rng, electrode=quiet)
    sweep = recording.sweeps[0]
    found = find_spikes(sweep.voltage_mv(), sweep.rate_hz, sweep.current_pa())
    assert len(found) == len(truth.sweeps[0].peaks) > 3
    slack = 0 if noise_mv == 0.0 else 8
    assert np.abs(found["peak_index"].to_numpy() - truth.sweeps[0].peaks).max() <= slack


def test_an_aborted_sweep_counts_for_no_rate(sample_cell):
    aborted = sample_cell.sweeps.set_index("number").loc[22]
    assert "before its stimulus does" in aborted["problem"]
    assert "22" not in sample_cell.coverage.set_index("feature").loc["f_i_curve_slope", "sweeps"].split(", ")


def test_the_users_word_on_a_stimulus_changes_what_is_measured():
    recording = sample_recording(0)
    short = dict.fromkeys(range(8), "unknown")
    changed = extract_features(recording, short)
    assert np.isnan(changed["threshold_v_short_square"])
    assert "short (3 ms)" in changed.attrs["missing"]["threshold_v_short_square"]
    assert changed["vrest"] == extract_features(recording)["vrest"]


def test_two_electrodes_are_told_apart():
    voltage, _ = spike_train(RATE, [0.6, 0.7, 0.8], 2.0, noise_mv=0.05)
    command = np.where((np.arange(voltage.size) >= 10_000) & (np.arange(voltage.size) < 30_000), 100.0, 0.0)
    quiet = sweep_of(np.full(voltage.size, -60.0) + voltage * 1e-3, RATE, command, electrode="left")
    firing = sweep_of(voltage, RATE, command, index=1, electrode="right")
    cell = measure_features(recording_of(quiet, firing))
    assert "“right”" in cell.notes[0]
    assert cell.wider["rheobase_pa"] == 100.0
    assert np.isnan(measure_features(recording_of(quiet, firing), electrode="left").wider["rheobase_pa"])
    with pytest.raises(ValueError, match="no electrode 'top'"):
        extract_features(recording_of(quiet, firing), electrode="top")


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (sweep_of(np.full(1000, -70.0), RATE, clamp="voltage"), "No sweep was recorded in current clamp"),
        (sweep_of(np.full(1000, -70.0), RATE), "constant at -70 mV"),
        (sweep_of(np.full(1000, np.nan), RATE), "all NaN"),
        (sweep_of(np.array([-70.0]), RATE), "1 sample"),
        (sweep_of(-0.07 + 0.001 * np.random.default_rng(0).normal(size=1000), RATE), "looks like volts"),
        (sweep_of(-70 + np.random.default_rng(0).normal(size=1000), RATE), "No spike was found"),
    ],
)
def test_what_cannot_be_measured_is_said_and_nothing_warns(sweep, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cell = measure_features(recording_of(sweep))
        series = extract_features(recording_of(sweep))
    assert series.isna().all()
    assert len(series) == 41
    assert any(words in note for note in cell.notes)
    assert set(series.attrs["missing"]) == set(FEATURES_41)


def test_a_recording_without_sweeps_is_no_error():
    assert extract_features(recording_of()).isna().all()


# ---- against the stored values of ipfx ---------------------------------------------------------------------------


def stored(path):
    return json.loads(path.read_text(encoding="utf-8"))


def recording_for(name, shared_data_folder):
    if name.startswith("sample"):
        kind = name.split("(")[1].rstrip(")")
        return sample_recording(0 if kind == "regular-spiking" else 1, kind)
    return read_recording(next(shared_data_folder.glob(f"recordings/*/{name}")))


FILES = sorted(REFERENCE.glob("*.json"))
SPIKE_COLUMNS_OF_IPFX = {
    "upstroke": "upstroke_mv_ms",
    "downstroke": "downstroke_mv_ms",
    "upstroke_downstroke_ratio": "upstroke_downstroke_ratio",
    "width": "width_s",
    **{f"{p}_v": f"{p}_v_mv" for p in ("threshold", "peak", "trough", "fast_trough", "adp", "slow_trough")},
    **{f"{p}_i": f"{p}_i_pa" for p in ("threshold", "peak", "trough")},
    "threshold_index": "threshold_index",
}
KNOWN_FALSE = {"97509008.abf", "99111002.nwb"}
"""Recordings where ipfx takes artefacts or noise for spikes (docs/validation.md)."""


def test_reference_values_are_there():
    assert len(FILES) >= 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_spikes_equal_the_stored_values_of_ipfx(path, request):
    content = stored(path)
    name = content["recording"]
    folder = None if name.startswith("sample") else request.getfixturevalue("shared_data")
    recording = recording_for(name, folder)
    rules = SpikeRules(reject_artefacts=False, min_height_noise=0.0) if name == "97509008.abf" else SpikeRules()
    by_label = {f"{sweep.electrode}#{sweep.number}": sweep for sweep in recording.sweeps}
    for label, expected in content["sweeps"].items():
        sweep = by_label[label]
        found = find_spikes(sweep.voltage_mv(), sweep.rate_hz, sweep.current_pa(), rules=rules)
        if name == "99111002.nwb":
            assert len(found) <= 0.2 * len(expected["peaks"]) + 1
            continue
        assert found["peak_index"].tolist() == expected["peaks"], label
        for row, values in expected.get("spikes", {}).items():
            for theirs, ours in SPIKE_COLUMNS_OF_IPFX.items():
                if theirs.startswith("fast_trough"):
                    continue  # the 1 % level is met or just missed at a sample that ties
                value = values.get(theirs)
                got = found[ours].iloc[int(row)]
                assert (value is None and np.isnan(got)) or got == pytest.approx(value, rel=1e-6, nan_ok=True), theirs


WITH_CELL = [path for path in FILES if stored(path)["cell"] and stored(path)["recording"] not in KNOWN_FALSE]


@pytest.mark.parametrize("path", WITH_CELL, ids=lambda path: path.stem)
def test_cell_features_equal_the_stored_values_of_ipfx(path, request):
    content = stored(path)
    folder = None if content["recording"].startswith("sample") else request.getfixturevalue("shared_data")
    found = measure_features(recording_for(content["recording"], folder)).all()
    for name, value in content["cell"].items():
        if value is not None and name in found.index and not name.startswith("delay"):
            assert found[name] == pytest.approx(value, rel=2e-6), name


# ---- command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    from napari_celltype.io.write_nwb import write_nwb

    folder = tmp_path / "recordings"
    folder.mkdir()
    write_nwb(sample_recording(0), folder / "cell.nwb")
    (folder / "broken.abf").write_bytes(b"ABF2 and no more")
    (folder / "notes.txt").write_text("not a recording")
    return folder


def run(*arguments):
    from napari_celltype.cli import main

    return main([str(argument) for argument in arguments])


def test_features_prints_one_json_document_with_null_for_what_is_missing(files, capsys):
    assert run("features", files / "cell.nwb", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert tuple(found) == FEATURES_41
    assert found["seal_gohm"] is None
    assert found["vrest"] == pytest.approx(measure_features(sample_recording(0)).allen41["vrest"], abs=1e-3)


def test_features_prints_csv_and_coverage(files, capsys):
    assert run("features", files / "cell.nwb", "--csv", "--wider") == 0
    names, values = csv.reader(capsys.readouterr().out.splitlines())
    assert names[:41] == list(FEATURES_41)
    assert len(values) == len(names)
    assert run("features", files / "cell.nwb", "--coverage") == 0
    text = capsys.readouterr().out
    assert "seal_gohm: missing; needs a voltage-clamp sweep" in text
    assert "vrest: -7" in text


def test_wrong_usage_ends_with_2_and_a_bad_file_with_1(files, capsys):
    assert run("features", files / "cell.nwb", "--stimulus", "3=sine") == 2
    assert "the kind is one of" in capsys.readouterr().err
    assert run("features", files / "cell.nwb", "--stimulus", "999=ramp") == 2
    assert run("features", files / "cell.nwb", "--electrode", "top") == 2
    assert run("features", files / "broken.abf") == 1
    assert run("batch", files / "cell.nwb") == 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_batch_writes_a_row_for_every_file_and_says_why_one_failed(files, tmp_path, suffix, capsys):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"table{suffix}"
    assert run("batch", files, "--out", out, "--quiet") == 1
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    rows = table.set_index("file")
    assert set(rows.index) == {"broken.abf", "cell.nwb"}
    assert rows.loc["broken.abf", "status"] == "failed"
    assert rows.loc["broken.abf", "reason"]
    assert rows.loc["cell.nwb", "status"] == "done"
    assert rows.loc["cell.nwb", "spikes"] > 100
    assert not list(tmp_path.glob(".*journal*"))


def test_a_stopped_batch_goes_on_where_it_was(files, tmp_path, monkeypatch):
    from napari_celltype.cli import batch

    out = tmp_path / "table.csv"
    measured = []
    real = batch.measure_file

    def stop_at_second(path):
        if measured:
            raise KeyboardInterrupt
        measured.append(path.name)
        return real(path)

    monkeypatch.setattr(batch, "measure_file", stop_at_second)
    assert run("batch", files, "--out", out, "--quiet") == 130
    assert not out.exists()
    again = []
    monkeypatch.setattr(batch, "measure_file", lambda path: again.append(path.name) or real(path))
    run("batch", files, "--out", out, "--quiet")
    assert sorted(measured + again) == ["broken.abf", "cell.nwb"]
    run("batch", files, "--out", out, "--quiet")
    assert len(again) == 1
    run("batch", files, "--out", out, "--quiet", "--again")
    assert len(again) == 3


def test_a_table_that_cannot_be_written_is_refused_before_any_work(files, tmp_path, capsys):
    assert run("batch", files, "--out", tmp_path / "table.xlsx") == 1
    assert "Name it .csv or .parquet" in capsys.readouterr().err
    assert run("batch", files, "--out", tmp_path / "missing" / "table.csv") == 1
