"""Written NWB files, read back with h5py, pynwb and our reader."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_celltype.errors import RecordingError
from napari_celltype.io.write_nwb import write_nwb
from napari_celltype.recording import Recording, StimulusNote, Sweep


def make_recording(
    voltages: list[np.ndarray],
    currents: list[np.ndarray | None],
    *,
    clamp: str = "current",
    rate_hz: float = 20_000.0,
    electrodes: list[str] | None = None,
    **metadata: object,
) -> Recording:
    def reader(values: np.ndarray | None):
        return None if values is None else lambda start, stop: values[start:stop].astype(float)

    names = electrodes or ["electrode 0"] * len(voltages)
    sweeps = [
        Sweep(
            index=i,
            number=i + 10,
            rate_hz=rate_hz,
            n_stored=len(voltage),
            read_voltage=reader(voltage),
            read_current=reader(current),
            clamp=clamp,  # type: ignore[arg-type]
            start_s=3.0 * i,
            electrode=name,
            stimulus=StimulusNote(f"Stimulus {i}"),
        )
        for i, (voltage, current, name) in enumerate(zip(voltages, currents, names, strict=True))
    ]
    return Recording(Path("made.abf"), "test", sweeps, metadata=metadata)


@pytest.fixture
def two_sweeps() -> Recording:
    rng = np.random.default_rng(1)
    return make_recording(
        [rng.normal(-0.07, 0.01, 500), rng.normal(-0.07, 0.01, 700)],
        [rng.normal(0, 1e-10, 500), rng.normal(0, 1e-10, 700)],
        session_start="2020-03-04T05:06:07+01:00",
    )


def si_values(series: h5py.Group) -> np.ndarray:
    data = series["data"]
    return data[()].astype(np.float64) * data.attrs["conversion"] + data.attrs["offset"]


def test_every_sample_name_and_time_is_in_the_file_as_h5py_sees_it(two_sweeps: Recording, tmp_path: Path) -> None:
    path = write_nwb(two_sweeps, tmp_path / "two.nwb")
    with h5py.File(path) as file:
        responses = [file["acquisition"][name] for name in sorted(file["acquisition"])]
        stimuli = [file["stimulus/presentation"][name] for name in sorted(file["stimulus/presentation"])]
        assert file["session_start_time"][()].decode() == "2020-03-04T05:06:07+01:00"
        for sweep, response, stimulus in zip(two_sweeps.sweeps, responses, stimuli, strict=True):
            np.testing.assert_array_equal(si_values(response), sweep.voltage_v())
            np.testing.assert_array_equal(si_values(stimulus), sweep.current_a())
            assert response.attrs["neurodata_type"] == "CurrentClampSeries"
            assert stimulus.attrs["neurodata_type"] == "CurrentClampStimulusSeries"
            assert response.attrs["sweep_number"] == stimulus.attrs["sweep_number"] == sweep.number
            assert response.attrs["stimulus_description"] == sweep.stimulus.name
            assert response["starting_time"][()] == sweep.start_s
            assert response["starting_time"].attrs["rate"] == sweep.rate_hz
            assert response["data"].compression == "gzip"
            assert (response["data"].attrs["unit"], stimulus["data"].attrs["unit"]) == ("volts", "amperes")


def test_pynwb_validates_and_opens_the_file(two_sweeps: Recording, tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO, validate

    path = write_nwb(two_sweeps, tmp_path / "two.nwb")
    assert validate(path=str(path)) == []
    with NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        assert len(file.intracellular_recordings) == 2
        assert {series.electrode.name for series in file.acquisition.values()} == {"electrode 0"}


def test_our_reader_gives_back_the_same_recording(two_sweeps: Recording, tmp_path: Path) -> None:
    from napari_celltype.io import read_recording

    again = read_recording(write_nwb(two_sweeps, tmp_path / "two.nwb"))
    assert again.problems == []
    for old, new in zip(two_sweeps.sweeps, again.sweeps, strict=True):
        np.testing.assert_array_equal(new.voltage_v(), old.voltage_v())
        np.testing.assert_array_equal(new.current_a(), old.current_a())
        assert (new.number, new.clamp, new.rate_hz, new.start_s) == (old.number, "current", old.rate_hz, old.start_s)
        assert new.stimulus.name == old.stimulus.name


def test_values_that_fit_millivolts_in_32_bits_take_half_the_room_and_stay_equal(tmp_path: Path) -> None:
    counts = np.random.default_rng(2).integers(-3000, 1000, 300)
    recording = make_recording([counts * 2.0**-5 * 1e-3], [None])
    with h5py.File(write_nwb(recording, tmp_path / "counts.nwb")) as file:
        series = file["acquisition"]["data_00000_AD0"]
        assert series["data"].dtype == np.float32
        np.testing.assert_array_equal(si_values(series), recording.sweeps[0].voltage_v())
        assert "presentation" not in file["stimulus"] or len(file["stimulus/presentation"]) == 0


@settings(max_examples=8, deadline=None)
@given(
    values=st.lists(st.floats(-0.2, 0.2) | st.just(float("nan")), min_size=1, max_size=30),
    step=st.sampled_from([None, 2.0**-5 * 1e-3]),
)
def test_any_voltages_come_back_to_the_last_bit(
    values: list[float], step: float | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    volts = np.array(values) if step is None else np.round(np.array(values) / step) * step
    path = write_nwb(make_recording([volts], [None]), tmp_path_factory.mktemp("nwb") / "any.nwb")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(si_values(file["acquisition"]["data_00000_AD0"]), volts)


def test_two_electrodes_and_voltage_clamp_are_written_as_what_they_are(tmp_path: Path) -> None:
    one = np.full(50, -0.07)
    recording = make_recording([one, one], [one * 1e-9, one * 2e-9], clamp="voltage", electrodes=["left", "right"])
    with h5py.File(write_nwb(recording, tmp_path / "vc.nwb")) as file:
        assert set(file["general/intracellular_ephys"]) >= {"left", "right"}
        response = file["acquisition"]["data_00001_AD1"]
        assert response.attrs["neurodata_type"] == "VoltageClampSeries"
        np.testing.assert_array_equal(si_values(response), one * 2e-9)


def test_a_sweep_of_unknown_mode_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    recording = make_recording([np.zeros(5)], [None], clamp="unknown")
    with pytest.raises(RecordingError, match="sweep 10 cannot be written: its clamp mode is unknown"):
        write_nwb(recording, tmp_path / "no.nwb")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_left_alone_unless_asked(two_sweeps: Recording, tmp_path: Path) -> None:
    path = tmp_path / "there.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_nwb(two_sweeps, path)
    assert path.read_bytes() == b"mine"
    write_nwb(two_sweeps, path, overwrite=True)
    assert h5py.is_hdf5(path)
    assert [item.name for item in tmp_path.iterdir()] == ["there.nwb"]


def test_a_write_that_fails_half_way_leaves_nothing_behind(
    two_sweeps: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pynwb import NWBHDF5IO

    def full(self: object, *args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NWBHDF5IO, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_nwb(two_sweeps, tmp_path / "full.nwb")
    assert list(tmp_path.iterdir()) == []
