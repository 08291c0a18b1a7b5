from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from conftest import shared_files
from napari_celltype import Recording, RecordingError, read_recording
from napari_celltype.io.channels import parse_unit
from napari_celltype.io.nwb_pairs import pair_series
from napari_celltype.io.nwb_series import Series

from .nwb_files import add_series, add_stimulus, membrane, write_sweeps

REAL = shared_files("recordings/**/*.nwb") + shared_files("bad_recordings/synthetic*.nwb")
# how each producer names the stimulus of a response
PARTNERS = [
    ("_AD", "_DA"),
    ("ic__", "ics__"),
    ("CurrentClamp", "CurrentClampStimulus"),
    ("voltage_clamp-response", "stimulus"),
]


def h5py_values(file: h5py.File, path: str) -> np.ndarray:
    """What h5py's own arithmetic makes of a series."""
    data = file[path]
    stored = data[()].astype(float)
    return stored * float(data.attrs.get("conversion", 1.0)) + float(data.attrs.get("offset", 0.0))


@pytest.mark.needs_data
@pytest.mark.parametrize("path", REAL, ids=lambda p: p.name)
def test_real_files_give_every_response_and_the_values_of_h5py(path: Path) -> None:
    recording = read_recording(path)
    with h5py.File(path) as file:
        folder = "acquisition/timeseries" if "timeseries" in file["acquisition"] else "acquisition"
        assert sorted(s.metadata["response"] for s in recording.sweeps) == sorted(
            f"/{folder}/{name}/data" for name in file[folder]
        )
        for sweep in recording.sweeps:
            response = sweep.metadata["response"]
            expected = h5py_values(file, response)
            signals = [sweep.voltage_v(), sweep.current_a()]
            assert any(s is not None and np.array_equal(s, expected[: len(s)]) for s in signals)
            assert sweep.n_samples == len(expected)
            assert sweep.rate_hz == file[response].parent["starting_time"].attrs["rate"]


@pytest.mark.needs_data
@pytest.mark.parametrize("path", REAL, ids=lambda p: p.name)
def test_real_files_pair_each_response_with_the_stimulus_of_the_same_sweep(path: Path) -> None:
    recording = read_recording(path)
    with h5py.File(path) as file:
        for sweep in recording.sweeps:
            name = sweep.metadata["response"].split("/")[-2]
            for ours, theirs in PARTNERS:
                name = name.replace(ours, theirs) if ours in name else name
            stimulus = f"/stimulus/presentation/{name}/data"
            assert sweep.metadata["stimulus"] == stimulus
            signals = [s for s in (sweep.voltage_v(), sweep.current_a()) if s is not None]
            if "both" not in sweep.clamp_reason:  # a stimulus of the response's own quantity is not shown
                assert any(np.array_equal(s, h5py_values(file, stimulus)) for s in signals)


@pytest.mark.needs_data
def test_two_devices_with_the_same_sweep_numbers_and_electrode_are_kept_apart(shared_data: Path) -> None:
    recording = read_recording(
        shared_data / "recordings/AllenInstitute+MIES/AB_SweepsFromMultipleDevices-compressed-V2.nwb"
    )
    assert [sweep.number for sweep in recording.sweeps] == [0, 1, 0, 1]
    assert [sweep.rate_hz for sweep in recording.sweeps] == [2e5, 2e5, 5e5, 5e5]
    assert any("data_00002_AD0, data_00003_AD0" in problem and "500000" in problem for problem in recording.problems)


@pytest.mark.needs_data
def test_series_of_the_wrong_type_are_judged_by_their_scale(shared_data: Path) -> None:
    recording = read_recording(shared_data / "recordings/xiubert+icephys_abf2nwb/2025053101.nwb")
    first = {sweep.electrode: sweep for sweep in recording.sweeps[:4]}
    assert [first[f"electrode-{k}"].clamp for k in range(4)] == ["current", "unknown", "current", "voltage"]
    assert "look like action potentials" in first["electrode-2"].clamp_reason
    assert first["electrode-2"].current_pa() is None
    assert np.median(first["electrode-0"].voltage_mv()) == pytest.approx(-80.3, abs=0.1)
    assert np.median(first["electrode-1"].current_pa()) == pytest.approx(-105.6, abs=0.1)
    assert sum("a guess" in problem for problem in recording.problems) >= 2


def test_pynwb_file_with_responses_only_opens(tmp_path: Path) -> None:
    path = write_with_pynwb(tmp_path / "only.nwb", with_stimulus=False)
    recording = read_recording(path)
    assert [sweep.clamp for sweep in recording.sweeps] == ["current"] * 4
    assert all(sweep.current_pa() is None for sweep in recording.sweeps)
    assert recording.electrodes == ["left", "right"]


def test_pynwb_tables_decide_what_belongs_together(tmp_path: Path) -> None:
    path = write_with_pynwb(tmp_path / "table.nwb", with_stimulus=True)
    recording = read_recording(path)
    assert [(s.number, s.electrode) for s in recording.sweeps] == [(0, "left"), (0, "right"), (1, "left"), (1, "right")]
    # names of the stimuli are shuffled on purpose: only the table knows
    assert [float(s.current_pa().max()) for s in recording.sweeps] == pytest.approx([10, 20, 30, 40], rel=1e-6)
    assert {s.metadata["paired_by"] for s in recording.sweeps} == {"the file's table of recordings"}
    assert recording.problems == []
    assert recording.sweeps[0].stimulus.name == "long square"


def write_with_pynwb(path: Path, *, with_stimulus: bool) -> Path:
    pynwb = pytest.importorskip("pynwb")
    icephys = pynwb.icephys
    nwb = pynwb.NWBFile("test", "id", datetime(2024, 1, 1, tzinfo=UTC))
    device = nwb.create_device(name="amplifier")
    electrodes = [nwb.create_icephys_electrode(name=n, description="d", device=device) for n in ("left", "right")]
    rows = []
    for number in range(2):
        together = []
        for k, electrode in enumerate(electrodes):
            nth = 2 * number + k
            fields: dict[str, Any] = {"rate": 20_000.0, "starting_time": 3.0 * number, "electrode": electrode}
            response = icephys.CurrentClampSeries(
                name=f"response {nth}", data=membrane(500, nth), conversion=1e-3, gain=1.0, **fields
            )
            step = np.zeros(500, "f4")
            step[100:200] = 10 * (nth + 1)
            stimulus = icephys.CurrentClampStimulusSeries(
                name=f"stimulus {3 - nth}", data=step, conversion=1e-12, gain=1.0, **fields
            )
            if not with_stimulus:
                nwb.add_acquisition(response)
                continue
            nwb.add_acquisition(response)
            nwb.add_stimulus(stimulus)
            together.append(nwb.add_intracellular_recording(electrode=electrode, stimulus=stimulus, response=response))
        if with_stimulus:
            rows.append(nwb.add_icephys_simultaneous_recording(recordings=together))
    if with_stimulus:
        nwb.add_icephys_sequential_recording(simultaneous_recordings=rows, stimulus_type="long square")
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def test_a_row_may_mean_a_part_of_a_long_series(tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    nwb = pynwb.NWBFile("test", "id", datetime(2024, 1, 1, tzinfo=UTC))
    electrode = nwb.create_icephys_electrode(name="e", description="d", device=nwb.create_device(name="a"))
    values = membrane(1000)
    response = pynwb.icephys.CurrentClampSeries(
        name="all", data=values, conversion=1e-3, gain=1.0, rate=1000.0, electrode=electrode
    )
    nwb.add_acquisition(response)
    for start in (100, 600):
        nwb.add_intracellular_recording(
            electrode=electrode, response=response, response_start_index=start, response_index_count=200
        )
    with pynwb.NWBHDF5IO(tmp_path / "parts.nwb", "w") as io:
        io.write(nwb)
    sweeps = read_recording(tmp_path / "parts.nwb").sweeps
    assert [(s.n_stored, s.start_s) for s in sweeps] == [(200, 0.1), (200, 0.6)]
    np.testing.assert_array_equal(sweeps[1].voltage_v(), values[600:800].astype(float) * 1e-3)


def test_offset_channel_conversion_and_columns_are_applied(tmp_path: Path) -> None:
    data = np.arange(40, dtype="i2").reshape(20, 2) - 700
    with h5py.File(tmp_path / "columns.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        attrs = {"offset": -0.01, "channel_conversion": [1.0, 2.0]}
        add_series(file, "acquisition/two", data, conversion=1e-4, data_attrs=attrs)
    sweeps = read_recording(tmp_path / "columns.nwb").sweeps
    assert len(sweeps) == 2
    np.testing.assert_allclose(sweeps[1].voltage_v(), data[:, 1] * 2e-4 - 0.01, rtol=1e-12)


@pytest.mark.parametrize(
    "storage", [{}, {"compression": "gzip", "chunks": (64,)}, {"compression": "gzip", "chunks": (1000,)}]
)
def test_any_window_equals_the_slice_of_the_whole(tmp_path: Path, storage: dict[str, Any]) -> None:
    recording = read_recording(write_sweeps(tmp_path / "a.nwb", **storage))
    sweep = recording.sweeps[1]
    whole = membrane(1000, 1).astype(float) * 1e-3
    for start, stop in [(0, 1), (63, 65), (64, 128), (10, 900), (999, 1000), (500, 500), (0, 1000), (30, 94)]:
        np.testing.assert_array_equal(sweep.read_voltage(start, stop), whole[start:stop])


def test_a_window_reads_only_its_own_chunks(tmp_path: Path) -> None:
    path = write_sweeps(tmp_path / "a.nwb", numbers=[0], compression="gzip", chunks=(100,))
    with h5py.File(path) as file:
        spoilt = file["acquisition/data_00000_AD0/data"].id.get_chunk_info(5)
    recording = overwrite_and_read(path, spoilt.byte_offset, b"\xff" * spoilt.size)
    sweep = recording.sweeps[0]
    assert np.isfinite(sweep.voltage_mv(0.0, 0.02)).all()
    with pytest.raises(RecordingError, match="samples 520 to 540 of /acquisition/data_00000_AD0/data"):
        sweep.voltage_mv(0.026, 0.027)


def overwrite_and_read(path: Path, offset: int, data: bytes) -> Recording:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return read_recording(path)


def test_threads_read_what_one_thread_reads(tmp_path: Path) -> None:
    recording = read_recording(write_sweeps(tmp_path / "a.nwb", compression="gzip", chunks=(128,)))
    windows = [(k % 3, start, start + 90) for k, start in enumerate(range(0, 900, 7))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda w: recording.sweeps[w[0]].read_voltage(w[1], w[2]), windows))
    for (number, start, stop), values in zip(windows, found, strict=True):
        np.testing.assert_array_equal(values, membrane(1000, number)[start:stop].astype(float) * 1e-3)


def test_an_open_recording_holds_no_handle_and_no_lock(tmp_path: Path) -> None:
    path = write_sweeps(tmp_path / "a.nwb")
    recording = read_recording(path)
    recording.sweeps[0].voltage_mv()
    gc.collect()
    if Path("/proc/self/fd").exists():
        links = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")
        ]
        assert str(path) not in links
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = "written meanwhile"


def test_another_reader_of_the_same_file_does_not_get_in_the_way(tmp_path: Path) -> None:
    path = write_sweeps(tmp_path / "a.nwb")
    with h5py.File(path, "r"):
        recording = read_recording(path)
        assert len(recording.sweeps[0].voltage_mv()) == 1000


@pytest.mark.parametrize("change", ["delete", "replace", "shorten"])
def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path, change: str) -> None:
    path = write_sweeps(tmp_path / "a.nwb")
    sweep = read_recording(path).sweeps[0]
    if change == "delete":
        path.unlink()
    elif change == "replace":
        write_sweeps(tmp_path / "b.nwb", numbers=[7, 8]).replace(path)
    else:
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(RecordingError, match=r"has changed|cannot be read"):
        sweep.voltage_mv()


def test_sweeps_come_in_order_of_acquisition(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        for k in (10, 9, 2, 1):
            add_series(file, f"acquisition/ic__step__{k}", membrane(100, k), start=5.0 * k)
            add_stimulus(file, f"ics__step__{k}", np.full(100, k, "f4"), start=5.0 * k)
    recording = read_recording(path)
    assert [sweep.number for sweep in recording.sweeps] == [1, 2, 9, 10]
    assert [sweep.current_pa()[0] for sweep in recording.sweeps] == pytest.approx([1, 2, 9, 10])
    assert [p for p in recording.problems if "paired by name (a guess)" in p]


def series(name: str, number: int | None = None, electrode: str = "") -> Series:
    return Series(name, f"/{name}/data", "", 1000.0, 10, parse_unit("V"), number=number, electrode=electrode)


@pytest.mark.parametrize(
    ("response", "stimulus", "paired"),
    [
        ("data_00003_AD6", "data_00003_DA0", False),
        ("index_007", "index_007", True),
        ("Sweep_12", "Sweep_12", True),
        ("CurrentClampSeries_01", "CurrentClampStimulusSeries_01", True),
        ("CurrentClampSeries1", "CurrentClampStimulusSeries1", True),
        ("current_clamp-response-01-ch-0", "stimulus-01-ch-0", True),
        ("ic__IDrest__4", "ics__IDrest__4", True),
        ("ic__IDrest__4", "ics__IDthresh__4", False),
        ("acquisition 5", "presentation 5", True),
        ("index_007", "index_008", False),
    ],
)
def test_names_pair_only_when_nothing_but_the_role_differs(response: str, stimulus: str, paired: bool) -> None:
    others = [series("other_90"), series("another_91")]
    pairs = pair_series([series(response), others[0]], [series(stimulus), others[1]])
    assert (pairs[0].stimulus is not None) == paired


def test_names_never_overrule_sweep_numbers() -> None:
    pairs = pair_series([series("index_1", 1), series("index_2", 2)], [series("index_1", 2), series("index_2", 1)])
    assert [pair.stimulus.name for pair in pairs if pair.stimulus] == ["index_2", "index_1"]


def test_current_longer_than_voltage_is_cut_and_shorter_reads_as_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        for number, n_stimulus in enumerate([1500, 600]):
            add_series(file, f"acquisition/v_{number}", membrane(1000), number=number)
            add_stimulus(file, f"s_{number}", np.arange(n_stimulus, dtype="f4"), number=number)
    long, short = (sweep.current_pa() for sweep in read_recording(path).sweeps)
    np.testing.assert_allclose(long, np.arange(1000), rtol=1e-6)
    np.testing.assert_allclose(short[:600], np.arange(600), rtol=1e-6)
    assert np.isnan(short[600:]).all()
    assert len(short) == 1000
    assert [p for p in read_recording(path).problems if "Sweep 1:" in p and "NaN" in p]


def test_stimulus_of_another_rate_and_start_is_put_on_the_responses_time(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        add_series(file, "acquisition/v_0", membrane(1000), number=0, rate=10_000.0, start=1.0)
        add_stimulus(file, "s_0", np.arange(80, dtype="f4"), number=0, rate=1000.0, start=1.02)
    recording = read_recording(path)
    current = recording.sweeps[0].current_pa()
    time_s = recording.sweeps[0].time_s()
    held = np.floor((time_s - 0.02) * 1000 + 1e-6)
    np.testing.assert_allclose(current, np.where(held >= 0, held, np.nan), rtol=1e-6)
    np.testing.assert_array_equal(recording.sweeps[0].current_pa(0.05, 0.07), current[500:700])
    assert [p for p in recording.problems if "1000 Hz" in p]
    assert [p for p in recording.problems if "20 ms after" in p]


def test_uneven_timestamps_are_told(tmp_path: Path) -> None:
    times = np.arange(1000) / 10_000
    with h5py.File(tmp_path / "even.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        add_series(file, "acquisition/v", membrane(1000), rate=None)["timestamps"] = times + 5
    with h5py.File(tmp_path / "gap.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        gap = times + np.where(np.arange(1000) < 500, 0, 3.0)
        add_series(file, "acquisition/v", membrane(1000), rate=None)["timestamps"] = gap
    even, uneven = read_recording(tmp_path / "even.nwb"), read_recording(tmp_path / "gap.nwb")
    assert (even.rate_hz, even.sweeps[0].start_s, even.problems) == (10_000.0, 5.0, [])
    assert uneven.rate_hz == 10_000.0
    assert [p for p in uneven.problems if "not evenly spaced" in p]


def test_values_in_mv_without_a_conversion_are_a_named_guess(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mv.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        add_series(file, "acquisition/v_0", membrane(1000), conversion=1.0, number=0)
        step = np.zeros(1000)
        step[400:600] = 150.0
        add_stimulus(file, "s_0", step, conversion=1.0, number=0)
    recording = read_recording(tmp_path / "mv.nwb")
    assert np.median(recording.sweeps[0].voltage_mv()) == pytest.approx(-70, abs=1)
    assert recording.sweeps[0].current_pa().max() == pytest.approx(150)
    assert sum("(a guess)" in problem for problem in recording.problems) == 2


def test_series_that_are_no_patch_clamp_are_left_out_and_named(tmp_path: Path) -> None:
    path = write_sweeps(tmp_path / "a.nwb", numbers=[0])
    with h5py.File(path, "r+") as file:
        add_series(file, "acquisition/running", np.ones(10), kind="TimeSeries", unit="cm/s", electrode=None)
        file["acquisition/lost"] = h5py.SoftLink("/nowhere")
    recording = read_recording(path)
    assert len(recording.sweeps) == 1
    assert [p for p in recording.problems if "running (cm/s)" in p]
    assert [p for p in recording.problems if "lost (the link leads nowhere)" in p]


def test_a_shape_that_promises_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    path = write_sweeps(tmp_path / "a.nwb", numbers=[0])
    with h5py.File(path, "r+") as file:
        for name, filled in [("empty", 0), ("partly", 500)]:
            group = add_series(file, f"acquisition/{name}", np.zeros(1))
            del group["data"]
            data = group.create_dataset("data", shape=(10**12,), chunks=(1000,), dtype="f4", compression="gzip")
            data.attrs["unit"] = "volts"
            data[:filled] = -0.07
    recording = read_recording(path)
    assert sorted(sweep.n_stored for sweep in recording.sweeps) == [1000, 1000]
    assert [p for p in recording.problems if "empty (no sample of it is in the file)" in p]
    assert [p for p in recording.problems if "promises 1000000000000 samples" in p]


def spoil(file: h5py.File, case: str) -> None:
    group = file["acquisition/data_00001_AD0"]
    data = group["data"]
    kind, _, value = case.partition(" ")
    if kind == "drop":
        owner, name = {"type": (group, "neurodata_type"), "number": (group, "sweep_number")}.get(value, (data, value))
        owner = group["starting_time"] if value == "rate" else owner
        del owner.attrs[name]
    elif kind == "remove":
        del group[value]
    elif kind in ("rate", "conversion", "unit", "offset", "type", "number"):
        owner = group["starting_time"] if kind == "rate" else group if kind in ("type", "number") else data
        name = {"type": "neurodata_type", "number": "sweep_number"}.get(kind, kind)
        owner.attrs[name] = BAD_VALUES[value]
    else:
        del group["data"]
        make_data(group, value)


BAD_VALUES: dict[str, Any] = {
    "text": "abc",
    "bytes": np.bytes_(b"\xff\xfe"),
    "nan": np.nan,
    "inf": np.inf,
    "negative": -3.0,
    "zero": 0.0,
    "array": np.arange(5.0),
    "matrix": np.ones((2, 2)),
    "empty": h5py.Empty("f8"),
    "huge": 1e308,
    "tiny": 5e-324,
    "bool": True,
    "reference": "an object reference",
}
BAD_DATA = ["scalar", "empty", "wide", "cube", "strings", "compound", "group", "complex", "bool", "nan", "link", "one"]


def make_data(group: h5py.Group, what: str) -> None:
    values: dict[str, Any] = {
        "scalar": -70.0,
        "empty": np.empty(0),
        "wide": np.zeros((1, 500)),
        "cube": np.zeros((3, 3, 3)),
        "strings": np.array([b"a", b"b"]),
        "compound": np.zeros(4, dtype=[("a", "f4")]),
        "complex": np.zeros(4, dtype=complex),
        "bool": np.zeros(9, dtype=bool),
        "nan": np.full(1000, np.nan),
        "one": np.zeros(1),
    }
    if what == "group":
        group.create_group("data")
    elif what == "link":
        group["data"] = h5py.ExternalLink("missing.nwb", "/data")
    else:
        group.create_dataset("data", data=values[what])


CASES = [
    *(f"drop {name}" for name in ("type", "number", "rate", "conversion", "unit")),
    *(f"remove {name}" for name in ("data", "starting_time", "electrode")),
    *(f"{name} {value}" for name in ("rate", "conversion", "unit", "offset", "type", "number") for value in BAD_VALUES),
    *(f"data {what}" for what in BAD_DATA),
]


@pytest.mark.parametrize("case", CASES)
def test_a_spoilt_series_costs_at_most_itself(tmp_path: Path, case: str) -> None:
    path = write_sweeps(tmp_path / "a.nwb")
    with h5py.File(path, "r+") as file:
        spoil(file, case)
    recording = read_recording(path)
    intact = [s for s in recording.sweeps if "00001" not in s.metadata["response"]]
    for sweep, number in zip(intact, (0, 2), strict=True):
        np.testing.assert_array_equal(sweep.voltage_v(), membrane(1000, number).astype(float) * 1e-3)
        assert sweep.current_pa() is not None
    assert len(recording.sweeps) == 3 or recording.problems
    for sweep in recording.sweeps:
        assert sweep.rate_hz > 0
        assert len(sweep.voltage_mv()) == sweep.n_samples == len(sweep.time_s())


def test_every_cut_of_a_file_ends_in_a_typed_error(tmp_path: Path) -> None:
    content = write_sweeps(tmp_path / "whole.nwb").read_bytes()
    path = tmp_path / "cut.nwb"
    for k in range(40):
        path.write_bytes(content[: len(content) * k // 40])
        with pytest.raises(RecordingError):
            read_recording(path)


def test_flipped_bytes_never_end_in_anything_but_a_typed_error(tmp_path: Path) -> None:
    # text of fixed length: HDF5 itself loops for ever in some damaged heaps of variable-length text
    content = write_sweeps(tmp_path / "whole.nwb", numbers=range(2), n=64, text=np.bytes_).read_bytes()
    path = tmp_path / "flipped.nwb"
    places = np.random.default_rng(3).integers(8, len(content), (200, 3))
    errors = []
    for some in places:
        spoilt = bytearray(content)
        for place in some:
            spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        try:
            recording = read_recording(path)
            for sweep in recording.sweeps[:4]:
                if sweep.read_voltage:
                    sweep.read_voltage(0, min(sweep.n_stored, 100))
        except RecordingError as error:
            errors.append(error)
    assert {error.path for error in errors} == {path}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda f: f.create_dataset("x", data=[1, 2]), "not an NWB file"),
        (lambda f: f.attrs.create("nwb_version", "2.6.0"), "without a patch-clamp recording"),
        (
            lambda f: (f.attrs.create("nwb_version", "2.6.0"), add_stimulus(f, "s", np.zeros(5))),
            "stimuli but no recorded",
        ),
    ],
)
def test_hdf5_without_a_recording_says_what_it_is(tmp_path: Path, make: Any, reason: str) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        make(file)
    with pytest.raises(RecordingError, match=reason):
        read_recording(tmp_path / "a.nwb")


@pytest.mark.needs_data
@pytest.mark.parametrize("name", ["no_acquisition.nwb", "text_as.nwb"])
def test_bad_real_files_are_refused_with_a_reason(shared_data: Path, name: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(shared_data / "bad_recordings" / name)
    assert caught.value.path is not None
    assert caught.value.path.name == name
