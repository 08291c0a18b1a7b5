"""``napari-celltype watch`` on a real folder, with real files and the bundled models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from celltype_stubs import make_firing_recording
from napari_celltype.cli import main
from napari_celltype.io.write_abf import write_abf


def test_each_recording_is_one_line_and_a_broken_one_is_among_them(tmp_path, capsys):
    write_abf(make_firing_recording(2), tmp_path / "cell.abf")
    whole = (tmp_path / "cell.abf").read_bytes()
    (tmp_path / "half.abf").write_bytes(whole[: len(whole) - 9000])
    (tmp_path / "broken.abf").write_bytes(b"XXXX" * 100)
    arguments = ["--json", "--existing", "--settle", "0", "--give-up", "0", "--every", "0.01", "--count", "3"]
    assert main(["watch", str(tmp_path), *arguments]) == 1
    out, err = capsys.readouterr()
    entries = {Path(entry["path"]).name: entry for entry in map(json.loads, out.splitlines())}
    assert set(entries["cell.abf"]) >= {"path", "kind", "model", "version", "label", "probabilities", "abstained"}
    assert "is text, although its name ends with .abf" in entries["broken.abf"]["error"]
    assert "is left out" in " ".join(entries["half.abf"]["notes"])
    assert "Watching" in err
    assert "3 recordings, 1 of them failed." in err


def test_a_file_is_no_folder(tmp_path, capsys):
    path = tmp_path / "cell.abf"
    path.write_bytes(b"")
    assert main(["watch", str(path)]) == 2
    assert "Use “predict”" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is sent otherwise there")
def test_it_waits_for_a_missing_folder_and_ends_on_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "napari_celltype", "watch", str(tmp_path / "rig"), "--every", "0.05"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert "is not there" in process.stderr.readline()
    (tmp_path / "rig").mkdir()
    assert "Watching" in process.stderr.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == "0 recordings, 0 of them failed.\n"
