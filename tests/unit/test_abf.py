"""ABF of both versions: values, sweeps, electrodes and the command, against files made here and against pyabf."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from abf_files import GAIN, MadeAbf, MadeDac, abf1_bytes, abf2_bytes
from conftest import shared_files
from napari_celltype import Recording, Sweep, read_recording
from napari_celltype.io.channels import parse_unit

RATE_HZ = 20_000.0
STEP, RAMP, PULSE, TRIANGLE, COSINE, BIPHASIC = 1, 2, 3, 4, 5, 7
VERSIONS = pytest.mark.parametrize("make", [abf1_bytes, abf2_bytes], ids=["ABF 1", "ABF 2"])


def counts(n_channels: int, n_samples: int, seed: int = 0) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-2000, 2000, (n_channels, n_samples), dtype=np.int16)


def opened(tmp_path: Path, data: bytes) -> Recording:
    path = tmp_path / "made.abf"
    path.write_bytes(data)
    return read_recording(path)


# ---- samples and sweeps -------------------------------------------------------------------------------------------


@VERSIONS
def test_samples_are_the_counts_times_gain(tmp_path: Path, make) -> None:
    raw = counts(1, 3 * 1000)
    recording = opened(tmp_path, make(MadeAbf(raw, lengths=[1000] * 3)))
    assert [sweep.number for sweep in recording.sweeps] == [0, 1, 2]
    assert recording.rate_hz == RATE_HZ
    for sweep in recording.sweeps:
        expected = raw[0, sweep.number * 1000 : (sweep.number + 1) * 1000] * GAIN
        np.testing.assert_allclose(sweep.voltage_mv(), expected, rtol=1e-6)


@VERSIONS
def test_sixteen_channels_keep_apart(tmp_path: Path, make) -> None:
    raw = counts(16, 500)
    channels = [(f"IN {k}", "pA") for k in range(16)]
    recording = opened(tmp_path, make(MadeAbf(raw, channels=channels, lengths=[250] * 2, dacs=())))
    assert len(recording.sweeps) == 32
    for sweep in recording.sweeps:
        row = raw[int(sweep.electrode.split()[1]), sweep.number * 250 : (sweep.number + 1) * 250]
        np.testing.assert_allclose(sweep.current_pa(), row * GAIN, rtol=1e-6)


@VERSIONS
def test_event_driven_sweeps_keep_their_own_lengths(tmp_path: Path, make) -> None:
    lengths = [700, 50, 1250]
    raw = counts(2, sum(lengths))
    made = MadeAbf(raw, channels=[("Vm", "mV"), ("Im", "pA")], lengths=lengths, mode=1, starts=[10, 5000, 9000])
    recording = opened(tmp_path, make(made))
    assert [sweep.n_stored for sweep in recording.sweeps] == lengths
    assert [sweep.start_s for sweep in recording.sweeps] == pytest.approx([0.0005, 0.25, 0.45])
    for sweep, stop in zip(recording.sweeps, np.cumsum(lengths), strict=True):
        np.testing.assert_allclose(sweep.voltage_mv(), raw[0, stop - sweep.n_stored : stop] * GAIN, rtol=1e-6)


@VERSIONS
def test_gap_free_is_one_sweep(tmp_path: Path, make) -> None:
    recording = opened(tmp_path, make(MadeAbf(counts(1, 5000), mode=3)))
    assert [sweep.n_stored for sweep in recording.sweeps] == [5000]
    assert any("holding level" in note and "guess" in note for note in recording.problems)


@VERSIONS
def test_floating_point_samples_are_not_scaled(tmp_path: Path, make) -> None:
    raw = np.random.default_rng(3).normal(-65, 5, (1, 800)).astype(np.float32)
    sweep = opened(tmp_path, make(MadeAbf(raw, lengths=[400, 400]))).sweeps[1]
    np.testing.assert_allclose(sweep.voltage_mv(), raw[0, 400:], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(window=st.tuples(st.integers(0, 4000), st.integers(0, 4000)), sweep=st.integers(0, 1), current=st.booleans())
def test_a_window_is_that_part_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, window: tuple[int, int], sweep: int, current: bool
) -> None:
    chosen = _two_sweeps_of_every_shape(tmp_path_factory).sweeps[sweep]
    read = chosen.current_pa if current else chosen.voltage_mv
    start, stop = min(window), max(window)
    np.testing.assert_array_equal(read(start / RATE_HZ, stop / RATE_HZ), read()[start:stop])


_MADE: dict[str, Recording] = {}


def _two_sweeps_of_every_shape(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if "shapes" not in _MADE:
        shapes = [STEP, RAMP, PULSE, COSINE, BIPHASIC, TRIANGLE]
        epochs = [(0, k, shape, 50.0 - 20 * k, 5.0, 500, 0, 125, 40) for k, shape in enumerate(shapes)]
        made = MadeAbf(counts(1, 8000), lengths=[4000] * 2, epochs=epochs)
        _MADE["shapes"] = opened(tmp_path_factory.mktemp("shapes"), abf2_bytes(made))
    return _MADE["shapes"]


# ---- command ------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_step_begins_after_the_first_64th_and_grows_from_sweep_to_sweep(tmp_path: Path, make) -> None:
    epochs = [(0, 0, STEP, 0.0, 0.0, 100, 0, 0, 0), (0, 1, STEP, -50.0, 25.0, 300, 10, 0, 0)]
    recording = opened(tmp_path, make(MadeAbf(counts(1, 3 * 640), lengths=[640] * 3, epochs=epochs)))
    for sweep in recording.sweeps:
        expected = np.zeros(640)
        expected[110 : 110 + 300 + 10 * sweep.number] = -50 + 25 * sweep.number
        np.testing.assert_allclose(sweep.current_pa(), expected, atol=1e-9)
    note = recording.sweeps[0].stimulus
    assert (note.onset_s, note.duration_s) == (110 / RATE_HZ, 300 / RATE_HZ)
    assert note.amplitude_a == pytest.approx(-50e-12)
    assert "step of -50 pA" in note.description


def test_the_protocol_is_named(tmp_path: Path) -> None:
    recording = opened(tmp_path, abf2_bytes(MadeAbf(counts(1, 640))))
    assert recording.sweeps[0].stimulus.name == "long steps"
    assert recording.metadata["session_start"] == "2024-01-31T12:34:56.789000"


@VERSIONS
def test_an_output_that_keeps_its_last_level_starts_the_next_sweep_there(tmp_path: Path, make) -> None:
    dac = MadeDac(holding=5.0, keeps_last_level=True)
    made = MadeAbf(counts(1, 1280), lengths=[640] * 2, dacs=[dac], epochs=[(0, 0, STEP, 40.0, 1.0, 100, 0, 0, 0)])
    first, second = (sweep.current_pa() for sweep in opened(tmp_path, make(made)).sweeps)
    assert (first[0], first[-1]) == (pytest.approx(5), pytest.approx(40))
    assert (second[0], second[-1]) == (pytest.approx(40), pytest.approx(41))


@pytest.mark.parametrize("shape", [STEP, RAMP, PULSE, COSINE, BIPHASIC])
def test_each_shape_of_epoch_is_drawn_as_pyabf_draws_it(tmp_path: Path, shape: int) -> None:
    epochs = [
        (0, 0, STEP, -20.0, 0.0, 300, 0, 0, 0),
        (0, 1, shape, 80.0, -15.0, 1000, 7, 125, 40),
        (0, 2, RAMP, 10.0, 0.0, 200, 0, 0, 0),
    ]
    recording = opened(tmp_path, abf2_bytes(MadeAbf(counts(1, 6000), lengths=[2000] * 3, epochs=epochs)))
    peer = pyabf_of(recording.path)
    for sweep in recording.sweeps:
        peer.setSweep(sweep.number)
        np.testing.assert_allclose(sweep.current_pa(), peer.sweepC, atol=1e-6)


@pytest.mark.parametrize(("room", "level_parameter", "length_parameter"), [(10, 22, 32), (50, 62, 112)])
def test_a_user_list_replaces_level_or_length_of_its_epoch(
    tmp_path: Path, room: int, level_parameter: int, length_parameter: int
) -> None:
    """Older files number the parameters with room for 10 epochs, newer ones for 50."""
    epochs = [(0, 0, STEP, 0.0, 0.0, 100, 0, 0, 0), (0, 1, STEP, 33.0, 0.0, 200, 0, 0, 0)]
    base = MadeAbf(counts(1, 3 * 640), lengths=[640] * 3, epochs=epochs)
    by_level = MadeAbf(base.counts, lengths=base.lengths, epochs=epochs, user_list=(level_parameter, "-10,20"))
    levels = [sweep.current_pa()[150] for sweep in opened(tmp_path, abf2_bytes(by_level)).sweeps]
    assert levels == pytest.approx([-10, 20, 20])
    by_length = MadeAbf(base.counts, lengths=base.lengths, epochs=epochs, user_list=(length_parameter, "50,100,150"))
    lengths = [np.count_nonzero(sweep.current_pa()) for sweep in opened(tmp_path, abf2_bytes(by_length)).sweeps]
    assert lengths == [50, 100, 150]


@pytest.mark.parametrize(
    ("made", "because"),
    [
        (MadeAbf(counts(1, 640), dacs=[MadeDac(source=0)]), "neither a waveform table nor a file"),
        (MadeAbf(counts(1, 640), dacs=[MadeDac(source=2)]), "noise.atf"),
        (MadeAbf(counts(1, 640), dacs=[MadeDac(holding=float("nan"))]), "holding level"),
        (MadeAbf(counts(1, 640), epochs=[(0, 0, STEP, 5.0, 0.0, 10_000, 0, 0, 0)]), "longer than the sweep"),
        (MadeAbf(counts(1, 640), epochs=[(0, 0, STEP, float("inf"), 0.0, 10, 0, 0, 0)]), "damaged"),
        (MadeAbf(counts(1, 640), user_list=(9, "1,2"), epochs=[(0, 0, STEP, 5.0, 0, 9, 0, 0, 0)]), "parameter 9"),
        (MadeAbf(counts(1, 640), dacs=[]), "no output"),
    ],
)
def test_a_command_that_cannot_be_known_is_none_with_the_reason(tmp_path: Path, made: MadeAbf, because: str) -> None:
    recording = opened(tmp_path, abf2_bytes(made))
    assert recording.sweeps[0].current_pa() is None
    assert any("command is unknown" in note and because in note for note in recording.problems)


def test_in_voltage_clamp_the_rebuilt_command_is_the_voltage(tmp_path: Path) -> None:
    made = MadeAbf(
        counts(1, 640),
        channels=[("IN 0", "pA")],
        dacs=[MadeDac("mV", -70.0)],
        epochs=[(0, 0, STEP, -80.0, 0.0, 100, 0, 0, 0)],
    )
    sweep = opened(tmp_path, abf2_bytes(made)).sweeps[0]
    assert sweep.clamp == "voltage"
    assert set(np.round(sweep.voltage_mv(), 6)) == {-70.0, -80.0}
    np.testing.assert_allclose(sweep.current_pa(), made.counts[0] * GAIN, rtol=1e-6)


# ---- channels and electrodes --------------------------------------------------------------------------------------


def test_voltage_and_current_channels_are_paired_in_order_and_temperature_is_no_electrode(tmp_path: Path) -> None:
    raw = counts(5, 400)
    channels = [("A", "mV"), ("Temp", "C"), ("B", "mV"), ("IA", "pA"), ("IB", "nA")]
    recording = opened(tmp_path, abf2_bytes(MadeAbf(raw, channels=channels)))
    assert len(recording.sweeps) == 2
    np.testing.assert_allclose(recording.sweeps[1].voltage_mv(), raw[2] * GAIN, rtol=1e-6)
    np.testing.assert_allclose(recording.sweeps[1].current_pa(), raw[4] * GAIN * 1e3, rtol=1e-6)
    assert recording.metadata["other_channels"] == ["Temp (C)"]


def test_two_cells_in_different_modes_are_two_electrodes(tmp_path: Path) -> None:
    made = MadeAbf(counts(2, 400), channels=[("A", "mV"), ("B", "pA")], dacs=[MadeDac("pA"), MadeDac("mV", -70.0)])
    recording = opened(tmp_path, abf2_bytes(made))
    assert [(sweep.electrode, sweep.clamp) for sweep in recording.sweeps] == [("A", "current"), ("B", "voltage")]


def test_the_amplifier_is_believed_about_a_recording_labelled_pa(tmp_path: Path) -> None:
    made = MadeAbf(counts(1, 400), channels=[("IN 0", "pA")], telegraph=(1, 24, 1))
    recording = opened(tmp_path, abf2_bytes(made))
    assert recording.sweeps[0].clamp == "current"
    np.testing.assert_allclose(recording.sweeps[0].voltage_mv(), made.counts[0] * GAIN, rtol=1e-6)
    assert any("labelled pA" in note for note in recording.problems)


def test_odd_unit_spellings_are_read_in_si(tmp_path: Path) -> None:
    made = MadeAbf(counts(1, 400), channels=[("IN 0", "µV")])
    sweep = opened(tmp_path, abf2_bytes(made)).sweeps[0]
    np.testing.assert_allclose(sweep.voltage_mv(), made.counts[0] * GAIN * 1e-3, rtol=1e-6)


# ---- real recordings against pyabf --------------------------------------------------------------------------------


def pyabf_of(path: Path):
    pyabf = pytest.importorskip("pyabf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pyabf.ABF(str(path))


def peer_channels(peer, sweep: Sweep) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Quantity and SI values of each recorded channel of a sweep, by pyabf's arithmetic on its whole data."""
    lengths = np.array(getattr(getattr(peer, "_synchArraySection", None), "lLength", []), int) // peer.channelCount
    if len(set(lengths)) < 2:
        lengths = np.full(peer.sweepCount, peer.sweepPointCount)
    stop = int(lengths[: sweep.number + 1].sum())
    for channel in range(peer.channelCount):
        unit = parse_unit(peer.adcUnits[channel])
        values = peer.data[channel, stop - int(lengths[sweep.number]) : stop].astype(float)
        yield unit.quantity, values * unit.to_si


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("recordings/*/*.abf"), ids=lambda path: path.stem)
def test_recorded_signals_equal_pyabf(path: Path) -> None:
    recording, peer = read_recording(path), pyabf_of(path)
    assert {sweep.number for sweep in recording.sweeps} == set(range(peer.sweepCount))
    assert recording.rate_hz == pytest.approx(peer.dataRate, abs=1)
    for sweep in recording.sweeps[:: max(1, len(recording.sweeps) // 12)]:
        ours = sweep.voltage_v() if sweep.clamp == "current" else sweep.current_a()
        # badUnits: labelled pA, read as mV
        scale = 1e-9 if "badUnits" in path.stem else 1.0
        candidates = [values for _, values in peer_channels(peer, sweep) if len(values) == len(ours)]
        assert any(np.allclose(ours * scale, v, rtol=3e-6, atol=3e-6 * np.abs(v).max()) for v in candidates)


@pytest.mark.needs_data
@pytest.mark.parametrize(
    "name",
    [
        "17o05028_ic_steps",
        "171116sh_0016",
        "2019_07_24_0055_fsi",
        "File_axon_5",
        "19926019",
        "20303005",
        "model_vc_step",
        "2018_12_15_0000",
        "180329_ts_0005-badUnits",
    ],
)
def test_rebuilt_commands_equal_pyabf(shared_data: Path, name: str) -> None:
    (path,) = shared_data.glob(f"recordings/*/{name}.abf")
    recording, peer = read_recording(path), pyabf_of(path)
    n_electrodes = len(recording.electrodes)
    for sweep in recording.sweeps:
        peer.setSweep(sweep.number, sweep.index % n_electrodes)
        command = sweep.current_pa() if sweep.clamp == "current" else sweep.voltage_mv()
        np.testing.assert_allclose(command, peer.sweepC, atol=1e-4)


@pytest.mark.needs_data
@pytest.mark.parametrize("name", ["user-list-durations", "2020_03_02_0000"])
def test_user_lists_give_the_command_that_was_recorded(shared_data: Path, name: str) -> None:
    """These files recorded their command as a channel too, which tells whether the list is understood."""
    from napari_celltype.io.abf import read_abf_header
    from napari_celltype.io.abf_command import rebuild_command

    (path,) = shared_data.glob(f"recordings/*/{name}.abf")
    recording, (header, _) = read_recording(path), read_abf_header(path)
    command = rebuild_command(header.dacs[0], header, recording.sweeps[0].n_stored, len(recording.sweeps))
    for sweep in recording.sweeps:
        recorded = sweep.current_pa() if sweep.clamp == "current" else sweep.voltage_mv()
        drawn = command.reader(sweep.number, 1.0)(0, sweep.n_stored)
        assert np.median(np.abs(recorded - drawn)) < 5
        # samples around an edge apart, both go together
        assert np.mean(np.abs(recorded - drawn) > 30) < 0.01


HARD = {
    "2020_07_29_0062": (1, "current", "holding level", False),
    "2020_06_16_0001": (2, "voltage", "holding level", True),
    "user-list-durations": (3, "voltage", "", False),
    "test_0001": (4, "current", "I1 is labelled mV", True),
    "19709021-p": (12, "current", "command is unknown", True),
    "180329_ts_0005-badUnits": (7, "current", "labelled pA", True),
    "test-example-parameter-estimation-2": (20, "voltage", "command is unknown", True),
    "invalidDate-abf1": (50, "voltage", "command is unknown", True),
    "130618-1-12": (3, "voltage", "command is unknown", True),
    "PYR2": (13, "current", "the command is in mV", True),
}


@pytest.mark.needs_data
@pytest.mark.parametrize("name", HARD)
def test_hard_recordings_are_understood_and_their_doubts_told(shared_data: Path, name: str) -> None:
    n_sweeps, clamp, words, told = HARD[name]
    (path,) = shared_data.glob(f"recordings/*/{name}.abf")
    recording = read_recording(path)
    assert len(recording.sweeps) == n_sweeps
    assert {sweep.clamp for sweep in recording.sweeps} == {clamp}
    assert any(words in note for note in recording.problems) == told
    for sweep in recording.sweeps[:3]:
        assert sweep.n_samples == sweep.n_stored


@pytest.mark.needs_data
def test_the_same_recording_as_nwb_has_the_same_values(shared_data: Path) -> None:
    folder = shared_data / "recordings" / "smestern+ipfx"
    abf, nwb = read_recording(folder / "19926019.abf"), read_recording(folder / "19926019.nwb")
    assert len(abf.sweeps) == len(nwb.sweeps)
    for ours, theirs in zip(abf.sweeps, nwb.sweeps, strict=True):
        np.testing.assert_allclose(ours.voltage_mv(), theirs.voltage_mv(), atol=1e-3)
        np.testing.assert_allclose(ours.current_pa(), theirs.current_pa(), atol=1e-3)
