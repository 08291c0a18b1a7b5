from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephys_traces import recording_of, sweep_of
from napari_celltype import find_stimuli
from napari_celltype.ephys.command import describe_command
from napari_celltype.ephys.stimulus import STIMULUS_KINDS, Stimulus, find_stimulus

RATE = 20_000.0
TIME = np.arange(round(2.5 * RATE)) / RATE
REST = np.full(TIME.size, -70.0)


def square(onset, duration, level):
    return np.where((onset - 1e-9 <= TIME) & (onset + duration - 1e-9 > TIME), float(level), 0.0)


def pink(seed=0):
    return 40.0 * np.convolve(np.random.default_rng(seed).normal(size=TIME.size), np.ones(40) / 6.0, "same")


COMMANDS = {
    "short_square": square(0.5, 0.003, 600.0),
    "long_square": square(0.5, 1.0, -50.0),
    "ramp": np.clip((TIME - 0.5) * 50.0, 0.0, None) * (TIME < 2.0),
    "noise": pink() * (TIME > 0.5) * (TIME < 2.0),
    "pulse_train": sum(square(0.5 + k * 0.05, 0.003, 700.0) for k in range(5)),
    "chirp": 30.0 * np.sin(2 * np.pi * 8.0 * (TIME - 0.5) ** 2) * (TIME > 0.5) * (TIME < 2.4),
}
PULSE = square(0.02, 0.03, -20.0)


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("with_test_pulse", [False, True])
@pytest.mark.parametrize("noise_pa", [0.0, 0.3])
def test_a_command_is_known_by_its_shape(kind, with_test_pulse, noise_pa):
    command = COMMANDS[kind] + (PULSE if with_test_pulse else 0.0)
    command = command + noise_pa * np.random.default_rng(1).normal(size=command.size)
    found = find_stimulus(sweep_of(REST, RATE, command))
    assert found.kind == kind
    assert found.source == "command"
    assert found.onset_s == pytest.approx(0.5, abs=0.1 if kind in ("ramp", "noise", "chirp") else 2e-4)
    assert (found.test_pulse_s is not None) == with_test_pulse
    assert 0.5 <= found.confidence <= 1.0
    assert "the command" in found.reason


def test_onset_and_end_of_a_digital_square_are_exact():
    found = find_stimulus(sweep_of(REST, RATE, PULSE + square(0.5, 1.0, 90.0) + 12.0))
    assert found.onset_s == 10_000 / RATE
    assert found.offset_s == 30_000 / RATE
    assert found.amplitude_pa == pytest.approx(90.0)
    assert found.baseline_pa == pytest.approx(12.0)
    assert found.test_pulse_s == (400 / RATE, 1000 / RATE)


@given(st.floats(0.2, 1.0), st.floats(0.25, 1.2), st.floats(5.0, 500.0), st.booleans(), st.floats(-50, 50))
def test_scaling_and_shifting_a_square_changes_nothing_but_its_numbers(onset, duration, level, negative, holding):
    level = -level if negative else level
    shape = describe_command(square(onset, duration, level) + holding, RATE)
    assert shape.form == "square"
    assert shape.amplitude_pa == pytest.approx(level, rel=1e-6)
    assert shape.baseline_pa == pytest.approx(holding, abs=1e-9)
    assert shape.onset_s == pytest.approx(onset, abs=1.1 / RATE)
    assert shape.duration_s == pytest.approx(duration, abs=2.1 / RATE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Short Square", "short_square"),
        ("C1SSFINEST150112", "short_square"),
        ("X6SP_Rheo_DA_0", "short_square"),
        ("Short Square - Triple", "pulse_train"),
        ("Long Square", "long_square"),
        ("C1LSCOARSE150216", "long_square"),
        ("X4PS_SupraThresh_DA_0", "long_square"),
        ("Ramp", "ramp"),
        ("X7Ramp_DA_0", "ramp"),
        ("Noise 1", "noise"),
        ("C1NSSEED_2150112", "noise"),
        ("C2CHIRP180503", "chirp"),
        ("EXTPSMOKET141203", "test_pulse"),
        ("IDRest", "long_square"),
    ],
)
def test_protocol_names_of_known_laboratories_are_understood(name, kind):
    found = find_stimulus(sweep_of(REST, RATE, None, name=name))
    assert found.kind == kind
    assert found.source == "name"
    assert name in found.reason


def test_a_general_word_gives_way_to_a_clear_shape_but_a_protocol_name_does_not():
    assert find_stimulus(sweep_of(REST, RATE, COMMANDS["ramp"], name="steps")).kind == "ramp"
    assert find_stimulus(sweep_of(REST, RATE, square(0.5, 0.05, 100.0), name="Short Square")).kind == "short_square"


def test_the_step_that_changes_between_sweeps_is_the_stimulus():
    sweeps = [
        sweep_of(REST, RATE, square(0.3, 0.3, -20.0) + square(0.6, 0.7, level), index=k)
        for k, level in enumerate([-20.0, 0.0, 40.0, 80.0])
    ]
    found = find_stimuli(recording_of(*sweeps))
    assert [s.kind for s in found] == ["long_square"] * 4
    assert [s.amplitude_pa for s in found] == [-20.0, 0.0, 40.0, 80.0]
    assert all(s.onset_s == pytest.approx(0.6) for s in found)
    assert found[2].prepulse == pytest.approx((0.3, 0.6, -20.0))


def test_without_a_command_the_responses_tell_when_the_step_was():
    def response(level):
        driven = (TIME > 0.4) & (TIME < 1.4)
        return -70.0 + level * np.where(
            driven, 1 - np.exp(-(TIME - 0.4) / 0.02), np.exp(-(np.clip(TIME - 1.4, 0, 9)) / 0.02)
        )

    quiet = [np.where(TIME < 0.4, -70.0, response(level)) for level in (-20.0, -5.0, 10.0)]
    found = find_stimuli(recording_of(*(sweep_of(v, RATE, index=k) for k, v in enumerate(quiet))))
    assert {s.kind for s in found} == {"long_square"}
    assert found[0].onset_s == pytest.approx(0.4, abs=0.01)
    assert found[0].offset_s == pytest.approx(1.4, abs=0.07)
    assert found[0].source == "response"
    assert found[0].confidence < 0.5


def test_what_the_user_says_wins_and_is_recorded():
    recording = recording_of(sweep_of(REST, RATE, COMMANDS["ramp"]), sweep_of(REST, RATE, COMMANDS["noise"], index=1))
    found = find_stimuli(recording, {0: "noise", 1: Stimulus("ramp", 0.5, 2.0)})
    assert [s.kind for s in found] == ["noise", "ramp"]
    assert all(s.source == "user" and s.confidence == 1.0 for s in found)
    assert "was ramp" in found[0].reason
    with pytest.raises(ValueError, match="no stimulus kind"):
        find_stimuli(recording, {0: "sine"})


@pytest.mark.parametrize(
    ("current", "words"),
    [
        (np.zeros(TIME.size), "nothing was injected"),
        (np.full(TIME.size, np.nan), "nothing was injected"),
        (5.0 * np.random.default_rng(0).normal(size=TIME.size), "constant"),
        (None, "neither a command nor a name"),
    ],
)
def test_no_stimulus_is_said_in_words(current, words):
    found = find_stimulus(sweep_of(REST, RATE, current))
    assert found.kind == "unknown"
    assert found.onset_s is None
    assert words in found.reason


def test_voltage_clamp_is_no_stimulus():
    found = find_stimulus(sweep_of(REST, RATE, COMMANDS["long_square"], clamp="voltage", name="Long Square"))
    assert found.kind == "unknown"
    assert "voltage clamp" in found.reason


def test_a_long_quiet_sweep_is_gap_free():
    long = np.full(25 * 1000, -65.0)
    assert find_stimulus(sweep_of(long, 1000.0, np.zeros(long.size))).kind == "gap_free"


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-1e4, 1e4)), min_size=0, max_size=200))
def test_any_current_is_judged_without_an_exception(values):
    shape = describe_command(np.array(values, dtype=float), 1000.0)
    assert shape.duration_s >= 0.0


def test_every_sample_stimulus_is_recognised_with_its_times():
    from napari_celltype.samples.recording import sample_recording, sample_truth

    recording, truth = sample_recording(0), sample_truth(0)
    for found, expected in zip(find_stimuli(recording), truth.sweeps, strict=True):
        kind = expected.stimulus.kind.replace(" ", "_").replace("square_pulse_train", "pulse_train")
        assert found.kind == kind
        assert found.onset_s == pytest.approx(expected.stimulus.onset_s, abs=0.01)
        if "square" in kind:
            assert found.amplitude_pa == pytest.approx(expected.stimulus.amplitude_pa, abs=0.2)


def test_all_kinds_have_a_command_or_a_name_in_these_tests():
    assert set(STIMULUS_KINDS) - set(COMMANDS) == {"test_pulse", "gap_free", "unknown"}
