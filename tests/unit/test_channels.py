"""Units in any spelling, and the clamp mode they and everything else point to."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_celltype.io.channels import (
    NO_UNIT,
    Unit,
    judge_clamp,
    judge_pair,
    looks_like_action_potentials,
    looks_like_membrane_potential,
    parse_unit,
)
from napari_celltype.recording import Clamp, FloatArray

RATE_HZ = 20_000.0
MV, PA = parse_unit("mV"), parse_unit("pA")


@pytest.mark.parametrize(
    ("text", "quantity", "to_si"),
    [
        ("mV", "voltage", 1e-3),
        ("MV", "voltage", 1e-3),
        (" mV ", "voltage", 1e-3),
        ("[mV]", "voltage", 1e-3),
        ("\u00b5V", "voltage", 1e-6),
        ("\u03bcV", "voltage", 1e-6),
        ("uV", "voltage", 1e-6),
        ("\u00c2\u00b5V", "voltage", 1e-6),
        ("\ufffdV", "voltage", 1e-6),
        (b"\xb5V\x00\x00", "voltage", 1e-6),
        ("V", "voltage", 1.0),
        ("volts", "voltage", 1.0),
        ("millivolt", "voltage", 1e-3),
        ("pA", "current", 1e-12),
        ("PA", "current", 1e-12),
        (b"pA      ", "current", 1e-12),
        ("nA", "current", 1e-9),
        ("A", "current", 1.0),
        ("amperes", "current", 1.0),
        ("picoAmps", "current", 1e-12),
        ("C", "other", 1.0),
        ("Pa s", "other", 1.0),
        ("vv", "other", 1.0),
        ("", "unknown", 1.0),
        ("?", "unknown", 1.0),
        ("\x00\x00\x00", "unknown", 1.0),
        (None, "unknown", 1.0),
    ],
)
def test_a_unit_is_understood_whatever_its_spelling(text: str | bytes | None, quantity: str, to_si: float) -> None:
    unit = parse_unit(text)
    assert (unit.quantity, unit.to_si) == (quantity, pytest.approx(to_si))


@given(st.one_of(st.text(max_size=12), st.binary(max_size=12)))
def test_any_text_gives_a_unit_that_can_be_shown(text: str | bytes) -> None:
    unit = parse_unit(text)
    assert str(unit).isprintable()
    assert unit.is_electrical or unit.to_si == 1.0


@pytest.mark.parametrize(
    ("response", "command", "mode", "clamp"),
    [
        (MV, PA, "unknown", "current"),
        (PA, MV, "unknown", "voltage"),
        (MV, NO_UNIT, "unknown", "current"),
        (PA, NO_UNIT, "unknown", "voltage"),
        (NO_UNIT, PA, "unknown", "current"),
        (NO_UNIT, NO_UNIT, "voltage", "voltage"),
    ],
)
def test_agreeing_evidence_decides_without_a_note_of_doubt(
    response: Unit, command: Unit, mode: Clamp, clamp: Clamp
) -> None:
    verdict = judge_clamp(response, command, mode)
    assert verdict.clamp == clamp
    assert not any("Taken as" in note for note in verdict.notes)


def test_a_single_label_is_called_a_guess() -> None:
    assert "guess" in judge_clamp(MV).reason
    assert "guess" not in judge_clamp(MV, PA).reason


def test_an_output_labelled_mv_in_current_clamp_is_read_as_current_and_told() -> None:
    verdict = judge_clamp(MV, MV)
    assert verdict.clamp == "current"
    assert verdict.command.quantity == "current"
    assert any("guess" in note for note in verdict.notes)
    assert any("labelled mV" in note and "pA" in note for note in verdict.notes)


def test_a_recording_labelled_pa_is_current_clamp_if_amplifier_and_command_say_so() -> None:
    verdict = judge_clamp(PA, PA, "current", mode_source="the amplifier")
    assert verdict.clamp == "current"
    assert (verdict.response.quantity, verdict.response.to_si) == ("voltage", 1e-3)
    assert "the amplifier says current clamp" in verdict.reason


def test_action_potentials_overrule_labels_that_agree_on_voltage_clamp() -> None:
    verdict = judge_clamp(PA, MV, probes=lambda: [spike_train()], rate_hz=RATE_HZ)
    assert verdict.clamp == "current"
    assert any("action potentials" in note for note in verdict.notes)


def test_a_gain_that_cannot_be_right_is_told_with_the_factor_that_would_fit() -> None:
    verdict = judge_clamp(PA, PA, "current", probes=lambda: [20 * spike_train()], rate_hz=RATE_HZ)
    assert any("gain" in note and "20" in note for note in verdict.notes)


def test_values_are_not_looked_at_where_a_response_in_mv_and_all_labels_agree() -> None:
    def probes() -> list[FloatArray]:
        raise AssertionError("no need to read samples")

    assert judge_clamp(MV, PA, "current", probes=probes, rate_hz=RATE_HZ).clamp == "current"


def test_temperature_is_no_electrode() -> None:
    assert judge_clamp(parse_unit("C"), PA, "current").clamp == "unknown"


def test_nothing_known_stays_unknown() -> None:
    verdict = judge_clamp(NO_UNIT)
    assert verdict.clamp == "unknown"
    assert "unknown" in verdict.reason


@given(
    st.sampled_from([MV, PA, parse_unit("V"), parse_unit("nA"), NO_UNIT]),
    st.sampled_from([MV, PA, parse_unit("V"), parse_unit("nA"), NO_UNIT]),
    st.sampled_from(get_args(Clamp)),
)
def test_the_units_to_use_always_fit_the_mode_decided(response: Unit, command: Unit, mode: Clamp) -> None:
    verdict = judge_clamp(response, command, mode)
    if verdict.clamp == "unknown":
        assert not response.is_electrical
        assert not command.is_electrical
        return
    fits = ("voltage", "current") if verdict.clamp == "current" else ("current", "voltage")
    assert (verdict.response.quantity, verdict.command.quantity) == fits
    contradicted = (response.is_electrical and verdict.response != response) or (
        command.is_electrical and verdict.command != command
    )
    assert not contradicted or verdict.notes


def test_a_pair_is_current_clamp_if_its_current_channel_is_named_after_an_output() -> None:
    assert judge_pair(voltage_name="Vm", current_name="AO #0").clamp == "current"
    assert judge_pair(MV, voltage_name="Cmd 0", current_name="Im").clamp == "voltage"
    assert judge_pair(current_name="I_Com").clamp == "current"
    assert judge_pair(voltage_name="Vm", current_name="Imemb").clamp == "unknown"


def test_spikes_in_the_voltage_of_a_pair_overrule_an_output_labelled_mv() -> None:
    verdict = judge_pair(MV, voltage_probes=lambda: [spike_train()], rate_hz=RATE_HZ)
    assert verdict.clamp == "current"
    assert verdict.notes


def spike_train() -> FloatArray:
    """One second at -65 mV with four 1 ms wide spikes to +30 mV, and a little noise."""
    time_ms = np.arange(20_000) / 20
    values = np.random.default_rng(1).normal(-65, 0.05, time_ms.size)
    for at_ms in (200, 400, 600, 800):
        values += 95 * np.exp(-(((time_ms - at_ms) / 0.6) ** 2))
    return values


def test_spikes_are_seen_and_their_absence_too() -> None:
    rng = np.random.default_rng(2)
    assert looks_like_action_potentials(spike_train(), RATE_HZ)
    assert not looks_like_action_potentials(rng.normal(-65, 0.1, 20_000), RATE_HZ)


@pytest.mark.parametrize("seed", range(5))
def test_a_voltage_clamp_current_is_not_taken_for_spikes(seed: int) -> None:
    """Holding current of -60 pA with capacitive transients at both edges of a step, and 4 pA noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal(-60, 4, 20_000)
    decay = np.exp(-np.arange(400) / 20.0)
    values[5_000:5_400] -= 120 * decay
    values[15_000:15_400] += 100 * decay
    assert not looks_like_action_potentials(values, RATE_HZ)
    assert not looks_like_membrane_potential(values)


@pytest.mark.parametrize("values", [np.array([]), np.full(100, np.nan), np.zeros(5), np.zeros(1000)])
def test_values_that_say_nothing_are_taken_for_nothing(values: FloatArray) -> None:
    assert not looks_like_action_potentials(values, RATE_HZ)
    assert not looks_like_membrane_potential(values)


def test_a_voltage_stepping_between_flat_levels_is_a_guessed_command() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 400)
    steps = np.r_[np.full(200, -80.0), np.full(200, -20.0)] + noise
    verdict = judge_pair(voltage_probes=lambda: [steps, steps], rate_hz=RATE_HZ)
    assert verdict.clamp == "voltage"
    assert "flat levels" in verdict.reason
    assert "guess" in verdict.notes[0]


def test_a_charging_membrane_is_no_command() -> None:
    seconds = np.arange(2000) / RATE_HZ
    charging = -70 + 20 * (1 - np.exp(-seconds / 0.02)) + np.random.default_rng(0).normal(0, 0.05, 2000)
    verdict = judge_pair(voltage_probes=lambda: [charging], rate_hz=RATE_HZ)
    assert verdict.clamp != "voltage"
