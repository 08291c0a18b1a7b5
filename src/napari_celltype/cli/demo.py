"""``napari-celltype demo``: napari with the sample recording and the sample neuron."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_celltype.errors import CelltypeError

__all__ = ["add_parser", "has_display"]

FOLDER = Path("demo-output")


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="open napari on a sample recording and a sample neuron",
        description="Open napari on the sample recording and the sample neuron. Without a display, a screenshot is "
        "saved instead.",
    )
    parser.add_argument(
        "--screenshot", action="store_true", help="save a screenshot and finish instead of leaving the window open"
    )
    parser.add_argument(
        "--output", type=Path, default=FOLDER, metavar="FOLDER", help="where the screenshot goes (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the window, or save its picture."""
    if not has_display(sys.platform, os.environ):
        return _run_on_virtual_display(arguments)
    from napari_celltype._napari.demo import save_demo, show_demo

    if arguments.screenshot:
        for line in save_demo(arguments.output):
            print(line)
    else:
        show_demo()
    return 0


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window can be opened; macOS and Windows always have a screen."""
    return platform != "linux" or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _run_on_virtual_display(arguments: argparse.Namespace) -> int:
    """Start this command anew under Xvfb: a display cannot be added to a process that has begun without one."""
    command = shutil.which("xvfb-run")
    if command is None:
        raise CelltypeError(
            "there is no display to open napari on",
            hint="Run it where there is one, or install xvfb (Debian, Ubuntu: apt-get install xvfb xauth) to get a "
            "screenshot.",
        )
    again = [sys.executable, "-m", "napari_celltype", "demo", "--screenshot", "--output", str(arguments.output)]
    print("There is no display: taking a screenshot on a virtual one.", file=sys.stderr)
    sys.stderr.flush()
    os.execv(command, [command, "-a", "-s", "-screen 0 1600x1200x24", *again])  # does not return
