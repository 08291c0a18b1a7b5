from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_celltype import Recording, RecordingError, read_recording

from .nwb_files import add_series, membrane


def write_allen(path: Path, *, version: str | None, stored_si: bool) -> Path:
    """A file as the Allen Institute's pipeline lays it out; values in V and A, or in mV and pA."""
    plain: dict[str, Any] = {"kind": "TimeSeries", "electrode": None}
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.5"
        if version is not None:
            file["general/generated_by"] = np.array([b"pipeline", b"hippo", b"version", version.encode()])
        file["general/intracellular_ephys/Electrode 1/initial_access_resistance"] = "12 MOhm"
        for number in range(3):
            step = np.zeros(1000, "f4")
            step[300:600] = 50 * number
            values = {"v": membrane(1000, number).astype("f8"), "i": step.astype("f8")}
            if stored_si:
                values = {"v": values["v"] * 1e-3, "i": values["i"] * 1e-12}
            name = f"acquisition/timeseries/Sweep_{number}"
            sweep = add_series(file, name, values["v"].astype("f4"), unit="Volts", conversion=1e-3, **plain)
            sweep["aibs_stimulus_name"] = np.bytes_("Long Square")
            sweep["aibs_stimulus_description"] = np.bytes_("C1LSCOARSE150216")
            sweep["aibs_stimulus_amplitude_pa"] = 50.0 * number
            name = f"stimulus/presentation/Sweep_{number}"
            add_series(file, name, values["i"].astype("f4"), unit="Amps", conversion=1e-12, **plain)
            file[f"epochs/Experiment_{number}/start_time"] = 0.0
    return path


def check_values(recording: Recording) -> None:
    for number, sweep in enumerate(recording.sweeps):
        np.testing.assert_allclose(sweep.voltage_mv(), membrane(1000, number), rtol=1e-6)
        current = sweep.current_pa()
        assert current is not None
        assert float(current.max()) == pytest.approx(50 * number, rel=1e-6)


@pytest.mark.parametrize(
    ("version", "stored_si", "said"),
    [
        ("1.0", True, "not applied: its pipeline version is 1.0"),
        ("1.1", False, None),
        ("2.0", False, None),
        ("1.0", False, "was applied, because the values fit nothing else, although its pipeline version is 1.0"),
        ("1.1", True, "was not applied, because the values fit nothing else, although its pipeline version is 1.1"),
        (None, True, "not applied: its pipeline version is missing"),
        (None, False, "was applied, because the values fit nothing else, although its pipeline version is missing"),
    ],
)
def test_both_conversion_conventions_give_the_same_millivolts(
    tmp_path: Path, version: str | None, stored_si: bool, said: str | None
) -> None:
    recording = read_recording(write_allen(tmp_path / "a.nwb", version=version, stored_si=stored_si))
    check_values(recording)
    assert [sweep.clamp for sweep in recording.sweeps] == ["current"] * 3
    if said is None:
        assert recording.problems == []
    else:
        assert len([p for p in recording.problems if said in p]) == 1


def test_stimulus_facts_of_the_allen_institute_are_kept(tmp_path: Path) -> None:
    recording = read_recording(write_allen(tmp_path / "a.nwb", version="1.1", stored_si=False))
    note = recording.sweeps[2].stimulus
    assert (note.name, note.description, note.amplitude_a) == ("Long Square", "C1LSCOARSE150216", pytest.approx(1e-10))
    assert [sweep.number for sweep in recording.sweeps] == [0, 1, 2]
    assert recording.format == "NWB 1.0.5"
    assert recording.metadata["electrodes"]["Electrode 1"]["initial_access_resistance"] == "12 MOhm"
    assert recording.sweeps[1].metadata["aibs_stimulus_amplitude_pa"] == 50.0


@pytest.mark.needs_data
def test_allen_file_made_from_a_recording_equals_that_recording(shared_data: Path) -> None:
    ours = read_recording(shared_data / "bad_recordings/synthetic_allen_nwb1_v1.1.nwb")
    original = read_recording(shared_data / "recordings/smestern+ipfx/19926019.nwb")
    assert len(ours.sweeps) == len(original.sweeps) == 13
    for mine, theirs in zip(ours.sweeps, original.sweeps, strict=True):
        np.testing.assert_allclose(mine.voltage_mv(), theirs.voltage_mv(), rtol=1e-9)
        np.testing.assert_allclose(mine.current_pa(), theirs.current_pa(), rtol=1e-9)


@pytest.mark.needs_data
def test_mies_version_1_equals_its_version_2(shared_data: Path) -> None:
    folder = shared_data / "recordings/AllenInstitute+MIES"
    old = read_recording(folder / "AB_SweepsFromMultipleDevices-compressed-V1.nwb")
    new = read_recording(folder / "AB_SweepsFromMultipleDevices-compressed-V2.nwb")
    assert [s.clamp for s in old.sweeps] == [s.clamp for s in new.sweeps] == ["voltage"] * 4
    for mine, theirs in zip(old.sweeps, new.sweeps, strict=True):
        np.testing.assert_array_equal(mine.current_pa(), theirs.current_pa())
        np.testing.assert_array_equal(mine.voltage_mv(), theirs.voltage_mv())


def test_a_first_generation_file_without_series_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file.create_group("acquisition/timeseries")
    with pytest.raises(RecordingError, match="without a patch-clamp recording"):
        read_recording(tmp_path / "a.nwb")
