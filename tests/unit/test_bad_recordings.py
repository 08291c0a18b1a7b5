"""Damaged, lying, disguised and missing recordings end in a message that helps, or in what is intact of them."""

from __future__ import annotations

import math
import os
import struct
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abf_files import MadeAbf, MadeDac, abf1_bytes, abf2_bytes
from conftest import shared_files
from napari_celltype import Recording, RecordingError, read_recording
from napari_celltype.io import list_recordings, registry

COUNTS = np.random.default_rng(5).integers(-2000, 2000, (2, 4 * 640), dtype=np.int16)
EPISODIC = MadeAbf(
    COUNTS,
    channels=[("Vm", "mV"), ("TTL", "V")],
    lengths=[640] * 4,
    epochs=[(0, 0, 1, 0.0, 0.0, 100, 0, 0, 0), (0, 1, 2, -50.0, 25.0, 300, 10, 0, 0)],
    user_list=(62, "10,20,30"),
)
EVENTS = MadeAbf(COUNTS, channels=[("Im", "pA"), ("Vm", "mV")], lengths=[640, 320, 1600], mode=1, dacs=[MadeDac("mV")])
GAP_FREE = MadeAbf(COUNTS[:1], mode=3)
FILES = {
    f"{name} {version}": make(made)
    for name, made in (("episodic", EPISODIC), ("events", EVENTS), ("gap-free", GAP_FREE))
    for version, make in (("ABF 1", abf1_bytes), ("ABF 2", abf2_bytes))
}


def outcome(path: Path, data: bytes) -> str:
    """Open and read; "sane" or the error's text. Anything else that happens is a failure of the test."""
    path.write_bytes(data)
    error = error_of(path)
    if error is None:
        return "sane"
    assert str(path) in str(error)
    assert error.hint
    return str(error)


def error_of(path: Path) -> RecordingError | None:
    """Open and read the first sweeps and the last; what was read must be possible for a file of this size."""
    try:
        recording = read_recording(path)
        assert recording.sweeps
        assert 0 < recording.rate_hz < 1e8
        # no less than two bytes a sample, but HDF5 may have packed them
        if recording.format.startswith("ABF"):
            assert sum(sweep.n_stored for sweep in recording.sweeps) * 2 <= path.stat().st_size
        assert all(isinstance(note, str) and note for note in recording.problems)
        for sweep in (*recording.sweeps[:2], recording.sweeps[-1]):
            current = sweep.current_pa()
            assert len(sweep.voltage_mv()) == sweep.n_samples
            assert current is None or len(current) == sweep.n_samples
            assert np.isfinite(sweep.start_s)
    except RecordingError as error:
        return error
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_keeps_intact_sweeps_or_says_why_not(tmp_path: Path, name: str) -> None:
    whole = FILES[name]
    path = tmp_path / "cut.abf"
    path.write_bytes(whole)
    intact = [sweep.voltage_mv() for sweep in read_recording(path).sweeps]
    for part in range(64):
        cut = whole[: len(whole) * part // 64]
        if outcome(path, cut) != "sane":
            continue
        recording = read_recording(path)
        assert recording.problems
        for sweep, expected in zip(recording.sweeps, intact, strict=False):
            np.testing.assert_array_equal(sweep.voltage_mv(), expected[: sweep.n_stored])
        assert all(sweep.n_stored == len(intact[sweep.number]) for sweep in recording.sweeps[1:])


def test_three_of_four_sweeps_are_shown_when_the_fourth_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.abf"
    whole = abf2_bytes(MadeAbf(COUNTS[:1], lengths=[640] * 4))
    (block,) = struct.unpack_from("<I", whole, 236)
    path.write_bytes(whole[: block * 512 + 2 * (3 * 640 + 100)])
    recording = read_recording(path)
    assert len(recording.sweeps) == 3
    assert any("of 4 sweeps" in note and "3 are whole" in note for note in recording.problems)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.integers(4, 6143), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_flipped_header_bytes_never_crash(tmp_path: Path, name: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[name])
    for offset, value in flips:
        data[offset % len(data)] = value
    outcome(tmp_path / "flipped.abf", bytes(data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(FILES)),
    field=st.sampled_from(
        [10, 12, 16, 40, 44, 48, 76, 80, 84, 92, 96, 100, 120, 156, 172, 220, 236, 240, 244, 316, 324]
    ),
    value=st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31), 2**16, 12345]),
)
def test_counts_and_pointers_that_lie_never_crash(tmp_path: Path, name: str, field: int, value: int) -> None:
    data = bytearray(FILES[name])
    struct.pack_into("<i", data, field, value)
    outcome(tmp_path / "lying.abf", bytes(data))


@pytest.mark.parametrize("version", ["ABF 1", "ABF 2"])
def test_memory_is_not_taken_on_a_headers_word(tmp_path: Path, version: str) -> None:
    data = bytearray(FILES[f"gap-free {version}"])
    if version == "ABF 1":
        struct.pack_into("<i", data, 10, 2**31 - 1)
    else:
        struct.pack_into("<q", data, 244, 2**40)
    path = tmp_path / "lying.abf"
    path.write_bytes(data)
    tracemalloc.start()
    recording = read_recording(path)
    n_read = recording.sweeps[0].voltage_mv().size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_read * 2 <= len(data)
    assert peak < 5_000_000
    assert any("ends early" in note for note in recording.problems)


def test_a_window_costs_its_own_size_and_no_more(tmp_path: Path) -> None:
    n_samples = 2_000_000
    path = tmp_path / "long.abf"
    path.write_bytes(
        abf2_bytes(MadeAbf(np.ones((2, n_samples), np.int16), channels=[("Vm", "mV"), ("Im", "pA")], mode=3))
    )
    sweep = read_recording(path).sweeps[0]
    assert sweep.n_samples == n_samples
    tracemalloc.start()
    sweep.voltage_mv(0, 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * 50 * 20_000 * 8


def test_a_file_that_shrinks_or_goes_while_open_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.abf"
    path.write_bytes(FILES["gap-free ABF 2"])
    sweep = read_recording(path).sweeps[0]
    sweep.voltage_mv(0, 0.01)
    os.truncate(path, 4096)
    with pytest.raises(RecordingError, match="has changed"):
        sweep.voltage_mv()
    path.unlink()
    with pytest.raises(RecordingError, match="cannot be read any more"):
        sweep.voltage_mv()


def test_a_channel_with_a_damaged_scale_is_left_out(tmp_path: Path) -> None:
    data = bytearray(abf1_bytes(MadeAbf(COUNTS, channels=[("A", "mV"), ("B", "mV")])))
    struct.pack_into("<f", data, 922, 0.0)
    path = tmp_path / "scale.abf"
    path.write_bytes(data)
    recording = read_recording(path)
    assert len(recording.sweeps) == 1
    assert any("Channel A" in note and "scale" in note for note in recording.problems)


# ---- what is no recording -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.abf", b"", "is empty"),
        ("zeros.abf", bytes(9000), "zero bytes"),
        ("magic.abf", b"XXXX" + bytes(range(256)) * 20, "does not begin as a .abf file"),
        ("text.nwb", b"time voltage\n0 1\n", "is text, although its name ends with .nwb"),
        ("cell.abf", b"# neuron\n1 1 0 0 0 5 -1\n2 3 0 0 9 1 1\n", "read_neuron"),
        ("page.abf", b"\n<!DOCTYPE html><html>", "web page"),
        ("packed.abf", b"PK\x03\x04" + bytes(50), "ZIP"),
        ("pointer.nwb", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("array.dat", b"\x93NUMPY\x01\x00" + bytes(90), "NumPy"),
        ("noise.bin", bytes(range(256)), "no recording format"),
        ("short.abf", b"AB", "is text"),
        ("head.abf", b"ABF2" + bytes(200), "header"),
        ("head1.abf", b"ABF " + bytes(200), "header"),
        ("hollow.abf", b"ABF2" + bytes(5000), "section"),
        ("hollow1.abf", b"ABF " + bytes(9000), "channels"),
        ("text.atf", b"ATF 1.0\nno counts here\n", "two counts"),
    ],
)
def test_what_is_no_recording_is_named_with_a_next_step(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    assert words in outcome(tmp_path / name, content)


def test_plain_hdf5_is_named_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = np.arange(3)
    with pytest.raises(RecordingError, match=r"neither NWB nor WaveSurfer \(it holds frames\)"):
        read_recording(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(RecordingError, match="cannot be opened"):
        read_recording(path)


def test_a_missing_file_suggests_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "cell_0012.abf").write_bytes(b"ABF2")
    with pytest.raises(RecordingError, match=r"does not exist. Is cell_0012\.abf meant\?"):
        read_recording(str(tmp_path / "cell_012.abf"))
    with pytest.raises(RecordingError, match=r"folder .* does not exist"):
        read_recording(tmp_path / "nowhere" / "cell.abf")


def test_a_folder_is_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"is a folder.*list_recordings"):
        read_recording(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.abf")
    with pytest.raises(RecordingError, match="pipe"):
        read_recording(tmp_path / "pipe.abf")


def test_a_file_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.abf"
    path.write_bytes(FILES["episodic ABF 2"])

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RecordingError, match=r"cannot be read \(Permission denied\).*right to read"):
        read_recording(path)


def test_a_missing_extra_says_how_to_install_it(tmp_path: Path) -> None:
    made_up = registry.RecordingFormat("Made-up", (".mdp",), "not_installed_anywhere", lambda *_: True, "", "formats")
    with pytest.raises(RecordingError, match=r'not_installed_anywhere.*pip install "napari-celltype\[formats\]"'):
        made_up.read(tmp_path / "cell.mdp")


def test_a_folder_lists_its_recordings_by_content(tmp_path: Path) -> None:
    whole = FILES["episodic ABF 2"]
    for name in ("b.abf", "a.bin", ".hidden.abf", "c.abf.part", "d.tmp"):
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "notes.abf").write_text("just text")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "e.abf").write_bytes(whole)
    assert [path.name for path in list_recordings(tmp_path)] == ["a.bin", "b.abf"]
    assert list_recordings(tmp_path / "deeper") == [tmp_path / "deeper" / "e.abf"]
    with pytest.raises(RecordingError, match="cannot be listed"):
        list_recordings(tmp_path / "nowhere")


def with_values(data: bytes, place: int, layout: str, *values: float) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<" + layout, changed, place, *values)
    return bytes(changed)


def protocol_place(data: bytes) -> int:
    (block,) = struct.unpack_from("<I", data, 76)
    return int(block) * 512


def opened(path: Path, data: bytes) -> Recording:
    path.write_bytes(data)
    return read_recording(path)


@pytest.mark.parametrize("version", [math.nan, 0.0, 9.9, -1.0])
def test_a_damaged_version_number_leaves_the_formats_name(tmp_path: Path, version: float) -> None:
    recording = opened(tmp_path / "a.abf", with_values(FILES["episodic ABF 1"], 4, "f", version))
    assert recording.format == "ABF 1"


def test_a_claim_of_more_samples_than_all_sweeps_have_keeps_the_sweeps_apart(tmp_path: Path) -> None:
    whole = opened(tmp_path / "whole.abf", FILES["episodic ABF 1"])
    data = with_values(FILES["episodic ABF 1"], 10, "i", 2**31 - 1)  # samples
    data = with_values(data, 92, "ii", 0, 0)  # and no list of sweeps
    recording = opened(tmp_path / "lie.abf", data)
    assert len(recording.sweeps) == len(whole.sweeps) == 4
    for sweep, expected in zip(recording.sweeps, whole.sweeps, strict=True):
        np.testing.assert_array_equal(sweep.voltage_mv(), expected.voltage_mv())
    assert any("the sweeps are used" in note for note in recording.problems)


@pytest.mark.parametrize("unit", [math.inf, math.nan, -1.0])
def test_an_impossible_time_unit_is_replaced_by_the_sampling_interval(tmp_path: Path, unit: float) -> None:
    data = FILES["episodic ABF 2"]
    recording = opened(tmp_path / "a.abf", with_values(data, protocol_place(data) + 14, "f", unit))
    starts = [sweep.start_s for sweep in recording.sweeps]
    assert all(math.isfinite(start) for start in starts)
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("place", "layout", "value"), [(110, "f", 0.0), (110, "f", -10.0), (118, "i", 0), (118, "i", -1)]
)
def test_a_scale_that_cannot_be_is_named_and_not_applied(tmp_path: Path, place: int, layout: str, value: float) -> None:
    data = FILES["episodic ABF 2"]
    (tmp_path / "a.abf").write_bytes(with_values(data, protocol_place(data) + place, layout, value))
    with pytest.raises(RecordingError, match=r"no channel that can be read.*its scale is damaged"):
        read_recording(tmp_path / "a.abf")


@pytest.mark.parametrize("content", [b"", b"hello\n" * 100_000], ids=["emptied", "rewritten"])
@pytest.mark.parametrize("name", ["a.abf", "a.atf"])
def test_a_file_rewritten_while_open_is_never_read_as_the_old_one(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    atf = 'ATF\t1.0\n0\t2\n"Time (s)"\t"Trace (mV)"\n' + "".join(f"{i / 1e4}\t{-70 - i}\n" for i in range(50))
    path.write_bytes(FILES["gap-free ABF 2"] if name == "a.abf" else atf.encode())
    recording = read_recording(path)
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="has changed since it was opened"):
        recording.sweeps[0].voltage_mv()
    with pytest.raises(RecordingError, match="has changed since it was opened"):
        _ = recording.problems


def test_two_files_joined_show_the_first_whole(tmp_path: Path) -> None:
    first, second = FILES["episodic ABF 2"], FILES["events ABF 2"]
    joined = opened(tmp_path / "joined.abf", first + second)
    alone = opened(tmp_path / "alone.abf", first)
    assert len(joined.sweeps) == len(alone.sweeps)
    np.testing.assert_array_equal(joined.sweeps[-1].voltage_mv(), alone.sweeps[-1].voltage_mv())


# ---- the collected bad files --------------------------------------------------------------------------------------


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("bad_recordings/*"), ids=lambda path: path.name)
def test_every_collected_bad_file_is_answered_for(path: Path) -> None:
    error = error_of(path)
    if error is not None:
        assert path.name in str(error)
        assert len(error.hint) > 10
    else:
        recording = read_recording(path)
        assert recording.problems or path.name.startswith("synthetic_allen")
        assert all(np.isfinite(sweep.voltage_mv()).any() for sweep in recording.sweeps[:2])


@pytest.mark.needs_data
def test_a_halved_recording_shows_the_sweeps_that_are_whole(shared_data: Path) -> None:
    cut = read_recording(shared_data / "bad_recordings" / "trunc_half.abf")
    whole = read_recording(shared_data / "recordings" / "swharden+pyABF" / "171116sh_0016.abf")
    assert 0 < len(cut.sweeps) < len(whole.sweeps)
    for sweep in cut.sweeps:
        np.testing.assert_array_equal(sweep.voltage_mv(), whole.sweeps[sweep.index].voltage_mv())
    assert any("ends early" in note for note in cut.problems)
