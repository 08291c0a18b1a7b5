"""``napari-celltype demo`` where there is no display."""

from __future__ import annotations

import pytest

from napari_celltype.cli import demo, main


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_display_is_noticed(platform, environment, expected):
    assert demo.has_display(platform, environment) is expected


def without_display(monkeypatch, xvfb: str | None) -> None:
    monkeypatch.setattr(demo, "has_display", lambda platform, environment: False)
    monkeypatch.setattr(demo.shutil, "which", lambda name: xvfb)


def test_without_display_and_xvfb_it_says_what_to_install(monkeypatch, capsys):
    without_display(monkeypatch, None)
    assert main(["demo"]) == 1
    error = capsys.readouterr().err
    assert "there is no display" in error
    assert "apt-get install xvfb" in error


def test_without_display_it_starts_itself_anew_on_a_virtual_one(monkeypatch, tmp_path, capsys):
    without_display(monkeypatch, "/usr/bin/xvfb-run")
    started: list[list[str]] = []
    monkeypatch.setattr(demo.os, "execv", lambda command, arguments: started.append(arguments))
    demo._run_on_virtual_display(demo.argparse.Namespace(output=tmp_path))
    assert started[0][0] == "/usr/bin/xvfb-run"
    assert started[0][-4:] == ["demo", "--screenshot", "--output", str(tmp_path)]
    assert "virtual" in capsys.readouterr().err
