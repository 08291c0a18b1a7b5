"""The command line as a whole: usage, exit codes, and where output goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_celltype.cli import COMMANDS, main

CYCLE = "1 1 0 0 0 5 2\n2 3 1 0 0 1 1\n"


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "napari_celltype", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: napari-celltype" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["check"],
        ["check", "a.swc", "--min-dz", "much"],
        ["check", "a.swc", "--min-dz", "nan"],
        ["check", "a.swc", "--min-slope", "-1"],
        ["repair", "a.swc", "b.swc", "--min-dz", "inf"],
        ["repair", "a.swc", "b.swc", "--mode", "bend"],
        ["info", "--bogus"],
        ["sample"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_code_2_and_silent_on_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    assert "usage:" in said.err


def test_a_reader_of_our_output_may_leave_early(tmp_path: Path) -> None:
    path = tmp_path / "a.swc"
    path.write_text(CYCLE)
    command = [sys.executable, "-m", "napari_celltype", "check", *[str(path)] * 2000]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert b"Traceback" not in said


@pytest.mark.parametrize("alphabet", ["ascii", "cp1252"])
def test_any_alphabet_of_the_terminal_will_do(tmp_path: Path, alphabet: str) -> None:
    path = tmp_path / "a.swc"
    path.write_text(CYCLE)
    text, document = (run("check", path, *extra, PYTHONIOENCODING=alphabet) for extra in ([], ["--json"]))
    assert (text.returncode, document.returncode) == (0, 0)
    assert b"Nodes are their own ancestors" in text.stdout
    assert "→" in json.loads(document.stdout)["defects"][0]["message"]


def test_info_is_one_document_and_names_what_we_run_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["napari-celltype"]
    assert facts["packages"]["numpy"]
    assert facts["devices"]
    assert main(["info"]) == 0
    assert "packages:" in capsys.readouterr().out
