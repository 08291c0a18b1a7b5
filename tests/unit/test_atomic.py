"""Files are written whole or not at all, and nothing but a file is ever replaced."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from napari_celltype import Neuron, NeuronError, write_swc
from napari_celltype.io import atomic
from napari_celltype.io.atomic import write_atomically

on_posix = pytest.mark.skipif(os.name == "nt", reason="pipes, links and modes of POSIX")
NEURON = Neuron.from_arrays([[0, 0, 0], [1, 0, 0]], [-1, 0])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@on_posix
def test_a_pipe_or_device_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.swc"
    os.mkfifo(pipe)
    for overwrite in (False, True):
        with pytest.raises(NeuronError, match=r"pipe\.swc"):
            write_swc(NEURON, pipe, overwrite=overwrite)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe.swc"]


@on_posix
def test_overwriting_through_a_link_replaces_the_file_and_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "real.swc"
    target.write_text("old")
    link = tmp_path / "link.swc"
    link.symlink_to(target)
    write_swc(NEURON, link, overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == link.read_bytes() != b"old"


@on_posix
def test_a_link_that_leads_in_a_circle_is_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop.swc"
    loop.symlink_to(loop)
    for overwrite in (False, True):
        with pytest.raises(NeuronError, match=r"loop\.swc"):
            write_swc(NEURON, loop, overwrite=overwrite)
    assert loop.is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_that_name_stays(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "cell.swc").mkdir()
    with pytest.raises(NeuronError, match=r"cell\.swc"):
        write_swc(NEURON, tmp_path / "cell.swc", overwrite=overwrite)
    assert names(tmp_path) == ["cell.swc"]


@on_posix
def test_every_name_the_disk_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".swc", "§ ü 細胞.swc", " blank .swc", "no suffix", ".hidden"):
        assert write_swc(NEURON, tmp_path / name).read_bytes().startswith(b"# id")


@pytest.mark.parametrize("name", ["x" * 300 + ".swc", "zero\x00byte.swc", "missing/cell.swc"])
def test_an_impossible_name_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(NeuronError, match="cannot be written"):
        write_swc(NEURON, tmp_path / name)
    assert names(tmp_path) == []


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_swc(NEURON, tmp_path / "cell.swc")
    before = path.read_bytes()
    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(NeuronError, match="No space left"):
        write_swc(NEURON.replace(xyz_um=NEURON.xyz_um + 1), path, overwrite=True)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["cell.swc"]


@on_posix
def test_overwriting_keeps_the_permissions(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "cell.swc", b"1")
    path.chmod(0o640)
    write_atomically(path, b"2", overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
