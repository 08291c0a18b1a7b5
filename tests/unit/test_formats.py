from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_celltype import RecordingError, read_recording

HEKA = "recordings/ZeitgeberH+patchview/test_singleFP.dat"
AXOGRAPH = "recordings/catalystneuro+neuroconv/episodic.axgd"
WINWCP = "recordings/myokit+myokit/wcp-file.wcp"
WAVESURFER = "recordings/JaneliaSciComp+Wavesurfer/test2.h5"
IGOR = "recordings/BlueBrain+BluePyEfe/B6_Ch3_IDRest_181.ibw"
EVERY = [HEKA, AXOGRAPH, WINWCP, WAVESURFER, IGOR]
FEW_BYTES = [b"", b"DAT2\x00", b"axgx", b"AxGr\x00\x02", b"VER=9\r\n", b"\x05\x00" * 40, b"hello world\n" * 9]
pytestmark = pytest.mark.needs_data


def neo_signal(path: Path, reader: str) -> list[np.ndarray]:
    """Episodes of all channels in their own units, by neo."""
    rawio: Any = pytest.importorskip("neo.rawio")
    reading = getattr(rawio, reader)(filename=str(path))
    reading.parse_header()
    n = reading.header["nb_segment"][0]
    raws = [reading.get_analogsignal_chunk(0, k, 0, reading.get_signal_size(0, k, 0), 0) for k in range(n)]
    return [reading.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0) for raw in raws]


def test_winwcp_equals_neo(shared_data: Path) -> None:
    recording = read_recording(shared_data / WINWCP)
    expected = neo_signal(shared_data / WINWCP, "WinWcpRawIO")
    assert len(recording.sweeps) == len(expected) == 11
    for sweep, values in zip(recording.sweeps, expected, strict=True):
        np.testing.assert_allclose(sweep.current_pa(), values[: sweep.n_samples, 0], rtol=1e-5)
        np.testing.assert_allclose(sweep.voltage_mv(), values[: sweep.n_samples, 1], rtol=1e-5)
    assert recording.rate_hz == pytest.approx(1000, rel=1e-6)


def test_axograph_equals_neo(shared_data: Path) -> None:
    recording = read_recording(shared_data / AXOGRAPH)
    expected = neo_signal(shared_data / AXOGRAPH, "AxographRawIO")
    assert recording.electrodes == ["CAP", "STIM"]
    assert len(recording.sweeps) == 2 * len(expected) == 60
    for k, values in enumerate(expected):
        np.testing.assert_allclose(recording.sweeps[2 * k].voltage_v(), values[:, 0], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(recording.sweeps[2 * k + 1].voltage_v(), values[:, 1], rtol=1e-6, atol=1e-12)
    assert (recording.rate_hz, recording.sweeps[0].start_s) == (5000.0, 0.0002)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_heka_equals_myokit(shared_data: Path) -> None:
    heka: Any = pytest.importorskip("myokit.formats.heka")
    recording = read_recording(shared_data / HEKA)
    with heka.PatchMasterFile(str(shared_data / HEKA)) as file:
        traces = [sweep[0] for group in file for series in group for sweep in series]
        assert len(recording.sweeps) == len(traces) == 50
        for sweep, trace in zip(recording.sweeps, traces, strict=True):
            np.testing.assert_allclose(sweep.voltage_v(), trace.values(), rtol=1e-12)
    assert {sweep.clamp for sweep in recording.sweeps} == {"current"}
    assert recording.sweeps[0].stimulus.name == "cell 2 fp"


def test_igor_equals_igor2_and_brings_its_current_along(shared_data: Path) -> None:
    binarywave: Any = pytest.importorskip("igor2.binarywave")
    recording = read_recording(shared_data / IGOR)
    voltage, current = (
        binarywave.load(str(shared_data / IGOR.replace("Ch3", channel)))["wave"]["wData"] for channel in ("Ch3", "Ch0")
    )
    sweep = recording.sweeps[0]
    np.testing.assert_allclose(sweep.voltage_mv(), voltage.astype(float), rtol=1e-12)
    np.testing.assert_allclose(sweep.current_pa(), current.astype(float), rtol=1e-12)
    assert (sweep.clamp, sweep.number, sweep.rate_hz) == ("current", 181, 4000.0)
    assert [p for p in recording.problems if "B6_Ch0_IDRest_181.ibw" in p]


def test_an_igor_wave_alone_or_beside_another_sweep_has_no_current(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / IGOR, tmp_path / "B6_Ch3_IDRest_181.ibw")
    current = bytearray((shared_data / IGOR.replace("Ch3", "Ch0")).read_bytes())
    at = current.index(b"TIME:6/5/2000 15.59.33")
    current[at : at + 22] = b"TIME:6/5/2000 16.00.33"
    (tmp_path / "B6_Ch0_IDRest_181.ibw").write_bytes(current)
    recording = read_recording(tmp_path / "B6_Ch3_IDRest_181.ibw")
    assert recording.sweeps[0].current_pa() is None


def test_wavesurfer_applies_the_boards_polynomial(shared_data: Path) -> None:
    recording = read_recording(shared_data / WAVESURFER)
    assert (len(recording.sweeps), recording.rate_hz, recording.electrodes) == (6, 20_000.0, ["AI0", "AI2"])
    with h5py.File(shared_data / WAVESURFER) as file:
        a, b, c, d = file["header/AIScalingCoefficients"][1]
        counts = file["sweep_0002/analogScans"][1].astype(float)
    expected = a + b * counts + c * counts**2 + d * counts**3
    np.testing.assert_allclose(recording.sweeps[3].voltage_v(), expected, rtol=1e-9, atol=1e-12)
    window = recording.sweeps[3].voltage_v(0.5, 0.6)
    np.testing.assert_array_equal(window, recording.sweeps[3].voltage_v()[10_000:12_000])
    # 5 V is no membrane's: say so instead of calling it current clamp
    assert {sweep.clamp for sweep in recording.sweeps} == {"unknown"}
    assert [p for p in recording.problems if "no membrane does" in p]


@pytest.mark.parametrize("name", EVERY)
def test_windows_equal_slices_of_the_whole(shared_data: Path, name: str) -> None:
    sweep = read_recording(shared_data / name).sweeps[-1]
    read = sweep.read_voltage
    assert read is not None
    whole = read(0, sweep.n_stored)
    for start, stop in [(0, 1), (7, 7), (5, 90), (sweep.n_stored - 3, sweep.n_stored)]:
        np.testing.assert_array_equal(read(start, stop), whole[start:stop])


@pytest.mark.parametrize("name", EVERY)
def test_a_cut_file_gives_intact_sweeps_or_a_typed_error(shared_data: Path, tmp_path: Path, name: str) -> None:
    content = (shared_data / name).read_bytes()
    n_sweeps = len(read_recording(shared_data / name).sweeps)
    path = tmp_path / Path(name).name
    for k in range(24):
        path.write_bytes(content[: len(content) * k // 24])
        try:
            recording = read_recording(path)
        except RecordingError:
            continue
        assert len(recording.sweeps) < n_sweeps or path.suffix in (".ibw", ".axgd", ".wcp")
        assert recording.problems or len(recording.sweeps) == n_sweeps
        for sweep in recording.sweeps:
            assert len(sweep.voltage_mv()) == sweep.n_samples


@pytest.mark.parametrize("name", [HEKA, AXOGRAPH, WINWCP, IGOR])
def test_spoilt_headers_end_in_a_typed_error_or_a_recording(shared_data: Path, tmp_path: Path, name: str) -> None:
    content = (shared_data / name).read_bytes()
    # HEKA's index lies at the end, the others' facts at the beginning
    span = range(len(content) - 40_000, len(content)) if name == HEKA else range(4, 1400)
    path = tmp_path / Path(name).name
    random = np.random.default_rng(5)
    errors = []
    for _ in range(60):
        spoilt = bytearray(content)
        for place in random.choice(span, 4):
            spoilt[place] = int(random.integers(256))
        path.write_bytes(spoilt)
        try:
            recording = read_recording(path)
            for sweep in recording.sweeps[:3]:
                for read in (sweep.read_voltage, sweep.read_current):
                    assert read is None or len(read(0, min(sweep.n_stored, 50))) == min(sweep.n_stored, 50)
        except RecordingError as error:
            errors.append(error)
    assert {error.path for error in errors} <= {path}


@pytest.mark.parametrize("name", ["trunc.ibw", "trunc.wcp", "trunc_half.dat"])
def test_bad_real_files_are_refused_with_a_reason_and_a_next_step(shared_data: Path, name: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(shared_data / "bad_recordings" / name)
    assert caught.value.path is not None
    assert caught.value.hint


def test_records_missing_at_the_end_of_a_winwcp_file_are_told(shared_data: Path, tmp_path: Path) -> None:
    content = (shared_data / WINWCP).read_bytes()
    (tmp_path / "a.wcp").write_bytes(content[: len(content) - 5000])
    recording = read_recording(tmp_path / "a.wcp")
    assert 0 < len(recording.sweeps) < 11
    assert [p for p in recording.problems if "promises 11 records" in p]


def test_an_older_axograph_file_is_read(tmp_path: Path) -> None:
    values = (np.arange(100) - 70).astype(">i2")
    title = b"\x06Vm (V)".ljust(80, b"\x00")
    time = b"\x08Time (s)".ljust(80, b"\x00")
    content = b"AxGr" + struct.pack(">hh", 2, 2) + struct.pack(">i", 100) + time + struct.pack(">ff", 0.0, 1e-4)
    content += struct.pack(">i", 100) + title + struct.pack(">f", 1e-3) + values.tobytes()
    (tmp_path / "old.axgd").write_bytes(content)
    sweep = read_recording(tmp_path / "old.axgd").sweeps[0]
    np.testing.assert_allclose(sweep.voltage_mv(), values.astype(float), rtol=1e-6)
    assert sweep.rate_hz == 10_000.0


@pytest.mark.parametrize("name", ["a.dat", "a.axgd", "a.ibw", "a.wcp", "a.h5"])
@pytest.mark.parametrize("content", FEW_BYTES)
def test_files_of_a_few_bytes_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError):
        read_recording(tmp_path / name)
