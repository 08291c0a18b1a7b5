"""Whatever a path names, the readers answer at once: with an object, or with a sentence that tells what is there."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import napari_celltype as nct
from abf_files import MadeAbf, abf1_bytes, abf2_bytes
from conftest import shared_files

SWC = b"# a comment\n1 1 0 0 0 5 -1\n2 3 1 0 0 1 1\n3 3 2 0 0 1 2\n"
ABF = MadeAbf(np.random.default_rng(1).integers(-2000, 2000, (1, 4 * 640), dtype=np.int16), lengths=[640] * 4)
READERS = [(nct.read_recording, nct.RecordingError), (nct.read_neuron, nct.NeuronError)]
Reader = Callable[[Path], object]

both_readers = pytest.mark.parametrize(("read", "error"), READERS, ids=["recording", "neuron"])
on_posix = pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")


def message(read: Reader, error: type[nct.CelltypeError], path: str | Path) -> str:
    with pytest.raises(error) as caught:
        read(path)  # type: ignore[arg-type]
    assert caught.value.hint
    return str(caught.value)


@both_readers
@on_posix
def test_pipes_and_devices_are_refused_and_not_waited_for(
    tmp_path: Path, read: Reader, error: type[nct.CelltypeError]
) -> None:
    os.mkfifo(tmp_path / "pipe.swc")
    for path in (tmp_path / "pipe.swc", Path("/dev/zero")):
        assert "device or a pipe" in message(read, error, path)


@both_readers
@on_posix
def test_links_are_followed_and_broken_ones_named(tmp_path: Path, read: Reader, error: type[nct.CelltypeError]) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "symbolic links" in message(read, error, tmp_path / "loop")
    (tmp_path / "dangling.abf").symlink_to("gone.abf")
    assert "is a link to gone.abf, which does not exist" in message(read, error, tmp_path / "dangling.abf")


@both_readers
def test_impossible_names_are_errors_of_ours(tmp_path: Path, read: Reader, error: type[nct.CelltypeError]) -> None:
    for name in ("x" * 3000, "zero\x00byte.abf", "missing/file.swc", "absent.abf"):
        assert name in message(read, error, tmp_path / name)


@both_readers
def test_a_near_miss_is_suggested(tmp_path: Path, read: Reader, error: type[nct.CelltypeError]) -> None:
    (tmp_path / "cell_07.swc").write_bytes(SWC)
    assert "Is cell_07.swc meant?" in message(read, error, tmp_path / "cell-07.swc")


@both_readers
def test_a_folder_named_like_a_file_is_called_a_folder(
    tmp_path: Path, read: Reader, error: type[nct.CelltypeError]
) -> None:
    (tmp_path / "x.abf").mkdir()
    assert "is a folder" in message(read, error, tmp_path / "x.abf")


@pytest.mark.parametrize("name", ["x.abf", "X.ABF", "x.nwb", "no suffix", "ä 細胞 § .abf", "x.swc", ".hidden"])
def test_a_recording_opens_under_any_name_given_as_text_or_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(abf2_bytes(ABF))
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, str(tmp_path / name), name, Path(".") / name, f"../{tmp_path.name}/{name}"):
        recording = nct.read_recording(path)
        assert recording.format == "ABF 2"
        assert recording.path == Path(path)
        assert len(recording.sweeps[3].voltage_mv()) == 640


@pytest.mark.parametrize("name", ["x.swc", "X.SWC", "x.txt", "no suffix", "ä 細胞 § .swc"])
def test_a_neuron_opens_under_any_name_given_as_text_or_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(SWC)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, str(tmp_path / name), name):
        assert len(nct.read_neuron(path)) == 3


def test_each_reader_names_the_other_one(tmp_path: Path) -> None:
    for name, content in (("a.abf", abf2_bytes(ABF)), ("b.swc", abf1_bytes(ABF))):
        (tmp_path / name).write_bytes(content)
        said = message(nct.read_neuron, nct.NeuronError, tmp_path / name)
        assert "is a recording (ABF" in said
        assert "read_recording" in said
    for name in ("c.swc", "d.abf", "e.txt"):
        (tmp_path / name).write_bytes(SWC)
        said = message(nct.read_recording, nct.RecordingError, tmp_path / name)
        assert "is text" in said
        assert "read_neuron" in said


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("recordings/**/*.*"), ids=lambda path: path.name)
def test_no_real_recording_is_taken_for_a_neuron(path: Path) -> None:
    assert "is a recording (" in message(nct.read_neuron, nct.NeuronError, path)


def test_objects_survive_pickling_and_copying(tmp_path: Path) -> None:
    (tmp_path / "x.swc").write_bytes(SWC)
    neuron = nct.read_neuron(tmp_path / "x.swc")
    for other in (pickle.loads(pickle.dumps(neuron)), copy.deepcopy(neuron)):
        np.testing.assert_array_equal(other.xyz_um, neuron.xyz_um)
        assert not other.xyz_um.flags.writeable
        assert nct.write_swc(other, tmp_path / "y.swc", overwrite=True).read_bytes() == SWC
    assert repr(neuron) == "<Neuron 'x': 3 nodes, 1 tree, 0 defects>"


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("recordings/**/*.*"), ids=lambda path: path.name)
def test_a_recording_can_be_sent_to_another_process_and_read_by_several_threads(path: Path) -> None:
    recording = nct.read_recording(path)
    sweep = recording.sweeps[-1]
    voltage, current = sweep.voltage_mv(), sweep.current_pa()
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(lambda _: sweep.voltage_mv(), range(4)):
            np.testing.assert_array_equal(again, voltage)
    for other in (pickle.loads(pickle.dumps(recording)), copy.deepcopy(recording)):
        np.testing.assert_array_equal(other.sweeps[-1].voltage_mv(), voltage)
        there = other.sweeps[-1].current_pa()
        assert (there is None) == (current is None)
        if current is not None:
            np.testing.assert_array_equal(there, current)
        assert other.problems == recording.problems
