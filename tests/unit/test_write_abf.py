"""Written ABF 2 files, read back with pyabf and our reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyabf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_celltype.errors import RecordingError
from napari_celltype.io.write_abf import quantisation_step, write_abf
from napari_celltype.recording import Recording, StimulusNote, Sweep


def make_recording(
    millivolts: list[np.ndarray], picoamperes: list[np.ndarray] | None, *, rate_hz: float = 20_000.0, **changes: object
) -> Recording:
    def reader(values: np.ndarray, unit: float):
        return lambda start, stop: values[start:stop] * unit

    common: dict = {"clamp": "current", "electrode": "e", **changes}
    sweeps = [
        Sweep(
            index=i,
            number=i,
            rate_hz=rate_hz,
            n_stored=len(values),
            read_voltage=reader(values, 1e-3),
            read_current=None if picoamperes is None else reader(picoamperes[i], 1e-12),
            start_s=2.0 * i,
            stimulus=StimulusNote(f"Stimulus {i}"),
            **common,
        )
        for i, values in enumerate(millivolts)
    ]
    return Recording(Path("made.nwb"), "test", sweeps, metadata={"session_start": "2020-03-04T05:06:07.250"})


def signals(lengths: list[int], seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-60, 20, n) for n in lengths], [rng.normal(100, 200, n) for n in lengths]


@pytest.mark.parametrize(("lengths", "mode"), [([400, 400, 400], 5), ([400, 250, 700], 1)])
def test_pyabf_reads_voltage_and_command_within_half_a_step(lengths: list[int], mode: int, tmp_path: Path) -> None:
    millivolts, picoamperes = signals(lengths)
    abf = pyabf.ABF(str(write_abf(make_recording(millivolts, picoamperes), tmp_path / "made.abf")))
    assert (abf.sweepCount, abf.channelCount, abf.dataRate, abf.nOperationMode) == (3, 2, 20_000, mode)
    assert (abf.adcUnits, abf.dacUnits[0]) == (["mV", "pA"], "pA")
    assert abf.abfDateTimeString == "2020-03-04T05:06:07.250"
    assert [tag.strip() for tag in abf.tagComments] == ["Stimulus 0", "Stimulus 1", "Stimulus 2"]
    np.testing.assert_allclose(abf.tagTimesSec, [0.0, 2.0, 4.0])
    for i in abf.sweepList:
        for channel, wanted in enumerate((millivolts[i], picoamperes[i])):
            abf.setSweep(i, channel)
            largest = max(np.abs(values).max() for values in (millivolts, picoamperes)[channel])
            np.testing.assert_allclose(abf.sweepY, wanted, atol=quantisation_step(largest) / 2 * 1.0001, rtol=0)


@pytest.mark.parametrize("lengths", [[400, 400], [400, 250]])
def test_our_reader_gives_back_what_pyabf_reads(lengths: list[int], tmp_path: Path) -> None:
    from napari_celltype.io import read_recording

    path = write_abf(make_recording(*signals(lengths)), tmp_path / "made.abf")
    abf, ours = pyabf.ABF(str(path)), read_recording(path)
    assert ours.problems == []
    for i, sweep in enumerate(ours.sweeps):
        assert (sweep.clamp, sweep.start_s) == ("current", 2.0 * i)
        for channel, values in enumerate((sweep.voltage_mv(), sweep.current_pa())):
            abf.setSweep(i, channel)
            np.testing.assert_allclose(values, abf.sweepY, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@example(counts=[32767], power=-3)
@example(counts=[-32767, 1], power=-8)
@given(counts=st.lists(st.integers(-32767, 32767), min_size=1, max_size=40), power=st.integers(-8, 2))
def test_counts_of_a_power_of_two_come_back_exactly(
    counts: list[int], power: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = np.array(counts) * 2.0**power
    path = write_abf(make_recording([wanted], None), tmp_path_factory.mktemp("abf") / "exact.abf")
    abf = pyabf.ABF(str(path))
    assert abf.channelCount == 1
    np.testing.assert_array_equal(abf.sweepY, wanted.astype(np.float32))


@given(st.floats(1e-6, 1e6))
def test_the_step_is_the_smallest_power_of_two_that_reaches(largest: float) -> None:
    step = quantisation_step(largest)
    assert np.log2(step) == round(np.log2(step))
    assert round(largest / step) <= 32767
    assert largest / (step / 2) > 32767 * (1 - 1e-8)


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (make_recording([np.zeros(3)], None, clamp="voltage"), "sweep 0 is not a current-clamp recording"),
        (make_recording([], None), "it has no sweeps"),
        (make_recording([np.array([1.0, np.nan])], None), "samples that are not numbers"),
        (
            Recording(
                Path("x"),
                "test",
                [
                    *make_recording([np.zeros(3)], None).sweeps,
                    *make_recording([np.zeros(3)], None, rate_hz=1e4).sweeps,
                ],
            ),
            "different sampling rates",
        ),
        (
            Recording(
                Path("x"),
                "test",
                [*make_recording([np.zeros(3)], None).sweeps, *make_recording([np.zeros(3)], [np.zeros(3)]).sweeps],
            ),
            "some of its sweeps have a command and others have none",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason_and_no_file(
    recording: Recording, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordingError, match=reason):
        write_abf(recording, tmp_path / "no.abf")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "there.abf"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_abf(make_recording([np.zeros(3)], None), path)
    assert path.read_bytes() == b"mine"


def test_without_a_command_the_file_claims_none(tmp_path: Path) -> None:
    from napari_celltype.io import read_recording

    path = write_abf(make_recording(signals([300, 300])[0], None), tmp_path / "voltage.abf")
    assert pyabf.ABF(str(path)).dacUnits == []
    sweep = read_recording(path).sweeps[1]
    assert sweep.clamp == "current"
    assert sweep.current_pa() is None
