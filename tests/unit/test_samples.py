"""The simulated cell, recording, neuron and population: plausible, repeatable, and true to what they claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from napari_celltype import cli, tree
from napari_celltype.recording import Recording
from napari_celltype.samples import (
    SampleTruth,
    sample_neuron,
    sample_neuron_swc,
    sample_neuron_truth,
    sample_recording,
    sample_truth,
    simulate_population,
)
from napari_celltype.samples.cells import CELL_KINDS, CLASS_OF_KIND, PRESETS, draw_cell
from napari_celltype.samples.conductance import REVERSAL_MV, CellParameters, integrate, passive_properties
from napari_celltype.samples.protocols import command_pa, pink_noise, short_square_threshold_pa, standard_protocol
from napari_celltype.samples.spikes import find_peaks

RATE_HZ = 50_000.0


@pytest.fixture(scope="module")
def recording() -> Recording:
    return sample_recording()


@pytest.fixture(scope="module")
def truth() -> SampleTruth:
    return sample_truth()


def right_hand_side(cell: CellParameters, current_pa: float, onset_ms: float, offset_ms: float):
    """The model's equations written out, for a general solver."""
    names = ("na_m", "na_h", "kdr_n", "kv3_n", "kd_a", "kd_b", "m_slow", "ahp", "h_current")

    def open_fractions(x: dict[str, float]) -> dict[str, float]:
        return {
            "na": x["na_m"] ** 3 * x["na_h"],
            "kdr": x["kdr_n"] ** 4,
            "kv3": x["kv3_n"] ** 2,
            "kd": x["kd_a"] * x["kd_b"],
            "m_slow": x["m_slow"],
            "ahp": x["ahp"],
            "h_current": x["h_current"],
        }

    def channels(v: float, x: dict[str, float]) -> float:
        return sum(getattr(cell, f"{k}_ns") * p * (v - REVERSAL_MV[k]) for k, p in open_fractions(x).items())

    steady = {name: float(getattr(cell, name).steady(cell.rest_mv)) for name in names}
    at_rest = channels(cell.rest_mv, steady)

    def slope(t: float, y: np.ndarray) -> list[float]:
        x = dict(zip(names, y[1:], strict=True))
        stimulus = current_pa if onset_ms <= t < offset_ms else 0.0
        leak = cell.leak_ns * (y[0] - cell.rest_mv) - at_rest
        dv = (stimulus - leak - channels(y[0], x)) / cell.capacitance_pf
        gates = [float((getattr(cell, n).steady(y[0]) - x[n]) / getattr(cell, n).time_constant_ms(y[0])) for n in names]
        return [dv, *gates]

    return slope, [cell.rest_mv, *steady.values()]


@pytest.mark.parametrize("kind", ["regular-spiking", "fast-spiking"])
def test_integration_agrees_with_an_adaptive_solver(kind: str) -> None:
    cell = PRESETS[kind]  # type: ignore[index]
    amplitude = 1.7 * short_square_threshold_pa(cell)
    command = np.zeros((800, 1))
    command[100:250] = amplitude
    ours = integrate([cell], [0], command, RATE_HZ)[:, 0]
    slope, start = right_hand_side(cell, amplitude, 2.0, 5.0)
    wanted = solve_ivp(slope, (0, 16), start, t_eval=np.arange(800) / 50, rtol=1e-6, atol=1e-8, max_step=0.05).y[0]
    assert abs(int(np.argmax(ours)) - int(np.argmax(wanted))) <= 2
    assert ours.max() == pytest.approx(wanted.max(), abs=2.5)
    assert np.sqrt(np.mean((ours - wanted) ** 2)) < 2.0


def test_passive_properties_are_what_a_small_step_shows() -> None:
    cells = [PRESETS[kind] for kind in CELL_KINDS]
    command = np.full((75_000, len(cells)), -1.0)
    responses = integrate(cells, np.arange(len(cells)), command, RATE_HZ, resolution_mv=0.01).T.astype(float)
    for cell, response in zip(cells, responses, strict=True):
        passive = passive_properties(cell)
        assert response[0] == pytest.approx(cell.rest_mv)
        assert cell.rest_mv - response[-1] == pytest.approx(passive.input_resistance_mohm * 1e-3, rel=0.05)
        # before any gate answers, the membrane charges as a capacitor does
        assert (response[1] - response[0]) * RATE_HZ * 1e-3 == pytest.approx(-1.0 / cell.capacitance_pf, rel=0.02)
        assert 5 < passive.tau_ms < 25
        assert 90 < passive.input_resistance_mohm < 300


def test_a_cell_left_alone_stays_at_rest() -> None:
    cells = [PRESETS[kind] for kind in CELL_KINDS]
    potential = integrate(cells, np.arange(len(cells)), np.zeros((20_000, len(cells))), RATE_HZ)
    np.testing.assert_allclose(potential, np.broadcast_to(potential[0], potential.shape), atol=1e-3)


def test_lanes_do_not_disturb_each_other_and_short_ones_stop_early() -> None:
    cells = [PRESETS["regular-spiking"], PRESETS["fast-spiking"]]
    command = np.zeros((1500, 3))
    command[50:200] = [1500.0, 900.0, 400.0]
    together = integrate(cells, [0, 1, 0], command, RATE_HZ, n_samples=[1500, 1000, 700])
    for lane, (cell, n) in enumerate([(0, 1500), (1, 1000), (0, 700)]):
        alone = integrate([cells[cell]], [0], command[:n, [lane]], RATE_HZ)[:, 0]
        np.testing.assert_array_equal(together[:n, lane], alone)
        assert np.isnan(together[n:, lane]).all()


def test_a_stimulus_that_leaves_the_model_is_an_error_not_a_wrong_trace() -> None:
    with pytest.raises(ValueError, match="use a weaker one"):
        integrate([PRESETS["regular-spiking"]], [0], np.full((5000, 1), -5000.0), RATE_HZ)
    with pytest.raises(ValueError, match="longest first"):
        integrate([PRESETS["regular-spiking"]], [0, 0], np.zeros((20, 2)), RATE_HZ, n_samples=[10, 20])


def spike_shape(cell: CellParameters) -> tuple[float, float, float, float]:
    """Threshold (5 % of the steepest rise) and peak in mV, steepest rise in mV/ms, width at half height in ms."""
    strengths = np.array([1.0, 1.15, 1.3, 1.5, 1.8, 2.2])
    command = np.zeros((1500, len(strengths)))
    command[50:200] = short_square_threshold_pa(cell) * strengths
    potential = integrate([cell], np.zeros(len(strengths)), command, RATE_HZ)
    trace = next(lane for lane in potential.T if len(find_peaks(lane)) == 1).astype(float)
    peak = int(find_peaks(trace)[0])
    slope = np.gradient(trace) * 50
    steepest = int(np.argmax(slope[: peak + 1]))
    threshold = float(trace[np.flatnonzero(slope[:steepest] < 0.05 * slope[steepest])[-1]])
    above = trace > (threshold + trace[peak]) / 2
    return threshold, float(trace[peak]), float(slope[steepest]), float(above.sum() / 50)


@pytest.mark.parametrize("kind", CELL_KINDS)
def test_action_potentials_have_the_size_and_speed_of_cortical_ones(kind: str) -> None:
    threshold, peak, rise, width = spike_shape(PRESETS[kind])  # type: ignore[index]
    assert -50 < threshold < -32
    assert 10 < peak < 52
    assert 150 < rise < 500
    assert 0.25 < width < 1.1


def test_fast_spiking_cells_have_the_narrowest_and_regular_ones_the_widest_spikes() -> None:
    widths = {kind: spike_shape(PRESETS[kind])[3] for kind in CELL_KINDS}
    assert min(widths, key=widths.__getitem__) == "fast-spiking"
    assert max(widths, key=widths.__getitem__) == "regular-spiking"
    assert widths["regular-spiking"] > 1.7 * widths["fast-spiking"]


def test_drawn_cells_differ_but_keep_their_kind() -> None:
    rng = np.random.default_rng(0)
    cells = [draw_cell("fast-spiking", rng) for _ in range(20)]
    assert {cell.kind for cell in cells} == {"fast-spiking"}
    resistance = np.array([passive_properties(cell).input_resistance_mohm for cell in cells])
    assert resistance.std() > 5
    assert 60 < resistance.min() < resistance.max() < 200
    again = np.random.default_rng(0)
    assert draw_cell("fast-spiking", again) == cells[0]


def test_the_protocol_has_every_kind_of_stimulus_from_below_to_above_threshold(truth: SampleTruth) -> None:
    count = {}
    for sweep in truth.sweeps:
        count.setdefault(sweep.stimulus.kind, []).append(len(sweep.peaks))
    assert set(count) == {"short square", "long square", "ramp", "noise", "square pulse train"}
    assert min(count["short square"]) == 0
    assert max(count["short square"]) == 1
    assert count["square pulse train"] == [3]
    assert min(count["long square"]) == 0
    assert max(count["long square"]) > 20
    assert min(count["noise"]) > 10
    assert min(count["ramp"]) > 2
    amplitudes = [sweep.stimulus.amplitude_pa for sweep in truth.sweeps if sweep.stimulus.kind == "long square"]
    assert min(amplitudes) < 0 < max(amplitudes)


def test_strong_steps_adapt_and_negative_ones_sag(truth: SampleTruth) -> None:
    steps = [sweep for sweep in truth.sweeps if sweep.stimulus.kind == "long square"]
    lowest = min(steps, key=lambda sweep: sweep.stimulus.amplitude_pa)
    during = lowest.potential_mv[round(0.3 * RATE_HZ) : round(1.3 * RATE_HZ)]
    assert during[-1] - during.min() > 2
    firing = [sweep for sweep in steps if 5 <= len(sweep.peaks) <= 20]
    for sweep in firing:
        intervals = np.diff(sweep.peaks)
        assert intervals[-1] > 1.3 * intervals[0]


@pytest.mark.parametrize("seed", range(3))
def test_every_seed_brackets_the_threshold_of_its_cell(seed: int) -> None:
    cell = draw_cell("regular-spiking", np.random.default_rng(seed))
    stimuli = [s for s in standard_protocol(cell, seed) if s.name == "Short Square"]
    command = np.stack([command_pa(s, RATE_HZ)[8_000:12_000] for s in stimuli], axis=1)
    potential = integrate([cell], np.zeros(len(stimuli)), command, RATE_HZ)
    fired = [find_peaks(lane).size for lane in potential.T]
    assert fired[0] == 0
    assert fired[-1] == 1


def test_true_peaks_are_the_peaks_of_what_was_recorded(recording: Recording, truth: SampleTruth) -> None:
    checked = 0
    for sweep, true in zip(recording.sweeps, truth.sweeps, strict=True):
        voltage, current = sweep.voltage_mv(), sweep.current_pa()
        assert current is not None
        for peak in true.peaks:
            checked += 1
            window = voltage[peak - 25 : peak + 26]
            assert abs(int(np.argmax(window)) - 25) <= 2
            bridge = truth.electrode.bridge_residue_mohm * 1e-3 * current[peak]
            assert voltage[peak] - bridge == pytest.approx(true.potential_mv[peak], abs=2)
    assert checked > 150


def test_what_is_recorded_is_the_potential_plus_what_the_electrode_adds(
    recording: Recording, truth: SampleTruth
) -> None:
    sweep, true = recording.sweeps[9], truth.sweeps[9]
    added = sweep.voltage_mv() - true.potential_mv
    quiet = added[round(0.1 * RATE_HZ) : round(0.25 * RATE_HZ)]
    assert 0.03 < quiet.std() < 0.3
    during = added[round(0.7 * RATE_HZ) : round(1.2 * RATE_HZ)].mean() - quiet.mean()
    expected = true.stimulus.amplitude_pa * truth.electrode.bridge_residue_mohm * 1e-3
    assert during == pytest.approx(expected, abs=0.25)
    edge = round(true.stimulus.onset_s * RATE_HZ)
    assert np.abs(added[edge : edge + 15] - quiet.mean()).max() > 1.5 * abs(expected)
    last, first = recording.sweeps[-1], recording.sweeps[0]
    drift = last.voltage_mv(0.1, 0.25).mean() - first.voltage_mv(0.1, 0.18).mean()
    assert drift == pytest.approx(truth.electrode.drift_mv_per_min * last.start_s / 60, abs=0.3)


def test_commands_carry_the_test_pulse_and_the_stated_stimulus(recording: Recording, truth: SampleTruth) -> None:
    for sweep, true in zip(recording.sweeps, truth.sweeps, strict=True):
        current, stimulus = sweep.current_pa(), true.stimulus
        assert current is not None
        pulse = stimulus.test_pulse
        assert current[round((pulse.onset_s + 0.01) * RATE_HZ)] == pytest.approx(pulse.amplitude_pa)
        changes = np.flatnonzero(np.diff(current)) + 1
        onset = round(stimulus.onset_s * RATE_HZ)
        if stimulus.kind not in ("noise", "ramp"):
            assert onset in changes
            assert current[onset] == pytest.approx(stimulus.amplitude_pa)
        assert sweep.stimulus.name == stimulus.name
        assert sweep.stimulus.onset_s == stimulus.onset_s


def test_the_aborted_sweep_is_reported_and_no_true_peak_lies_in_its_tail(
    recording: Recording, truth: SampleTruth
) -> None:
    aborted = [i for i, true in enumerate(truth.sweeps) if true.stimulus.recorded_s is not None]
    assert len(aborted) == 1
    sweep, true = recording.sweeps[aborted[0]], truth.sweeps[aborted[0]]
    assert sweep.n_samples == true.n_recorded < sweep.n_stored
    assert true.peaks.max() < true.n_recorded
    assert len(recording.problems) == 1
    assert f"Sweep {sweep.number}" in recording.problems[0]


def test_windows_are_read_alone_and_the_sample_is_made_once(recording: Recording) -> None:
    sweep = recording.sweeps[9]
    np.testing.assert_array_equal(sweep.voltage_mv(0.3, 0.31), sweep.voltage_mv()[15_000:15_500])
    assert sample_recording() is recording


def test_the_sample_survives_both_file_formats_bit_for_bit(recording: Recording, tmp_path: Path) -> None:
    from napari_celltype.io import read_recording
    from napari_celltype.io.write_abf import write_abf
    from napari_celltype.io.write_nwb import write_nwb

    for write, name in ((write_nwb, "sample.nwb"), (write_abf, "sample.abf")):
        again = read_recording(write(recording, tmp_path / name))
        assert len(again.problems) == 1
        for old, new in zip(recording.sweeps, again.sweeps, strict=True):
            assert new.clamp == "current"
            np.testing.assert_array_equal(new.voltage_v(), old.voltage_v())
            np.testing.assert_array_equal(new.current_a(), old.current_a())


def test_pink_noise_has_the_power_it_says() -> None:
    noise = pink_noise(100_000, 10_000.0, np.random.default_rng(0), lowest_hz=1.0, highest_hz=200.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1e-4)
    band = [power[(frequency >= low) & (frequency < 2 * low)].sum() for low in (2, 8, 32, 80)]
    assert max(band) < 2.5 * min(band)  # equal power per octave
    assert power[frequency > 220].sum() < 0.01 * power.sum()


def test_seeds_make_different_neurons_and_the_same_seed_the_same_file() -> None:
    assert sample_neuron_swc(3) == sample_neuron_swc(3)
    assert sample_neuron_swc(3) != sample_neuron_swc(4)
    assert sample_neuron_swc(3) != sample_neuron_swc(3, damaged=False)


@pytest.mark.parametrize("seed", range(6))
def test_the_neuron_is_one_pyramidal_tree_and_exactly_three_jumps_are_in_the_damaged_one(seed: int) -> None:
    truth, damaged = sample_neuron_truth(seed), sample_neuron(seed)
    clean = truth.clean
    assert 1500 <= len(clean) <= 3500
    assert set(clean.types) == {1, 2, 3, 4}
    assert list(clean.roots) == [0]
    steps = np.abs(clean.xyz_um[1:, 2] - clean.xyz_um[clean.parents[1:], 2])
    assert steps[clean.parents[1:] != 0].max() < 9
    row = clean.rows_of(damaged.ids)
    shift = damaged.xyz_um[:, 2] - clean.xyz_um[row, 2]
    expected = np.zeros(len(clean))
    for jump in truth.jumps:
        start = int(clean.rows_of(jump.node_id)[0])
        below = np.zeros(len(clean), dtype=np.int64)
        below[start] = 1
        expected += jump.dz_um * tree.root_path_sum(below, clean.parents)
        assert clean.parent_ids[start] == jump.parent_id
        assert (clean.n_children[start] >= 2) == jump.at_fork
    np.testing.assert_allclose(shift, expected[row], atol=1e-9)
    assert sum(jump.at_fork for jump in truth.jumps) == 1
    assert len({abs(jump.dz_um) for jump in truth.jumps}) == 3


@pytest.mark.parametrize("seed", range(6))
def test_the_jump_finder_finds_the_three_and_nothing_in_the_clean_neuron(seed: int) -> None:
    from napari_celltype.morphology.zjumps import find_z_jumps

    truth = sample_neuron_truth(seed)
    found = {jump.node_id for jump in find_z_jumps(sample_neuron(seed))}
    assert found == {jump.node_id for jump in truth.jumps}
    assert find_z_jumps(truth.clean) == []


def test_the_reader_reports_the_missing_parent_and_the_zero_radius_and_nothing_else() -> None:
    truth = sample_neuron_truth()
    found = {defect.code: defect.node_ids for defect in sample_neuron().defects}
    assert found == {"missing-parent": (truth.orphan_id,), "zero-radius": (truth.zero_radius_id,)}
    assert str(truth.missing_id) in next(d.message for d in sample_neuron().defects if d.code == "missing-parent")
    assert sample_neuron(damaged=False).defects == []


def test_a_population_is_labelled_aligned_and_told_apart_by_spike_width() -> None:
    population = simulate_population(20, seed=1, windows_per_cell=2)
    assert population.peak_windows_mv.shape == (len(population), 150)
    assert population.onset_windows_mv.shape == (len(population), 2500)
    assert set(population.cell_ids) == set(range(20))
    assert set(population.classes) == set(CLASS_OF_KIND.values())
    assert np.bincount(population.cell_ids).max() == 2
    assert np.abs(population.peak_windows_mv.argmax(axis=1) - 50).max() <= 2
    for i, peak in enumerate(population.peaks):
        np.testing.assert_array_equal(
            population.peak_windows_mv[i], population.onset_windows_mv[i, peak - 50 : peak + 100]
        )
        assert population.kinds[i] == population.cells[population.cell_ids[i]].kind
    before = population.onset_windows_mv[:, 1000:1240]
    assert before.max() < -50
    width = (population.peak_windows_mv > -10).sum(axis=1)
    fast = population.classes == "Pvalb"
    assert width[fast].max() < width[population.broad == "Exc"].min()
    again = simulate_population(20, seed=1, windows_per_cell=2)
    np.testing.assert_array_equal(again.onset_windows_mv, population.onset_windows_mv)


def test_a_population_at_200_khz_has_the_same_duration_in_more_samples() -> None:
    population = simulate_population(2, seed=2, rate_hz=200_000.0)
    assert population.peak_windows_mv.shape == (2, 600)
    assert population.onset_windows_mv.shape == (2, 10_000)
    assert np.abs(population.peak_windows_mv.argmax(axis=1) - 200).max() <= 8


def test_the_command_writes_a_neuron_once_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cell.swc"
    assert cli.main(["sample", "neuron", str(path), "--seed", "2"]) == 0
    assert path.read_bytes() == sample_neuron_swc(2)
    assert cli.main(["sample", "neuron", str(path), "--seed", "3"]) == 1
    assert path.read_bytes() == sample_neuron_swc(2)
    assert "exists already" in capsys.readouterr().err
    assert cli.main(["sample", "neuron", str(tmp_path / "no" / "folder.swc")]) == 1


def test_the_command_writes_recordings_of_either_format(tmp_path: Path) -> None:
    from napari_celltype.io import read_recording

    for name, kind in (("a.nwb", "NWB"), ("a.abf", "ABF")):
        assert cli.main(["sample", "recording", str(tmp_path / name)]) == 0
        assert read_recording(tmp_path / name).format.startswith(kind)
    before = (tmp_path / "a.nwb").read_bytes()
    assert cli.main(["sample", "recording", str(tmp_path / "a.nwb")]) == 1
    assert (tmp_path / "a.nwb").read_bytes() == before


@pytest.mark.parametrize("arguments", [["recording", "x.dat"], ["neuron", "x.nwb"], ["neuron", "x.swc", "--seed=-1"]])
def test_wrong_usage_of_the_command_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["sample", *arguments])
    assert stop.value.code == 2


def test_the_cell_shown_first_is_one_the_default_models_recognise() -> None:
    import napari_celltype as nct
    from napari_celltype.workbench.classify_names import broad_type

    recording = sample_recording()
    for name in ("lspin", "triple-cnn-2class"):
        said = nct.load_model(name, device="cpu").predict(recording)
        assert broad_type(said.labels[0]) == "exc", name
        assert not said.abstained[0], said.reasons
