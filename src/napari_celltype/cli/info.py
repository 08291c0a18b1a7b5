"""``napari-celltype info``: what a bug report needs."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_celltype import __version__

PACKAGES = (
    "napari",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "pyabf",
    "pynwb",
    "navis",
    "torch",
    "scikit-learn",
    "pyqtgraph",
    "vispy",
    "qtpy",
    "PyQt6",
    "PySide6-Essentials",
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "info",
        help="versions, devices and models: what a bug report needs",
        description="Print versions of this program and of what it runs on, the devices models can use and the models "
        "there are. Paste it into a bug report.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is installed."""
    facts = collect_info()
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        print(_as_text(facts))
    return 0


def collect_info() -> dict[str, Any]:
    """Versions of what we run on, devices torch can use, and models there are."""
    return {
        "napari-celltype": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": _devices(),
        "models": _models(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    try:
        import torch
    except (ImportError, OSError) as error:
        return [f"none: torch cannot be imported ({error})"]
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def _models() -> list[dict[str, Any]]:
    from napari_celltype.models import list_models

    table: list[dict[str, Any]] = list_models().to_dict("records")
    return table


def _as_text(facts: dict[str, Any]) -> str:
    lines = [f"{key}: {facts[key]}" for key in ("napari-celltype", "python", "platform", "executable")]
    lines += ["packages:", *(f"  {name} {found or 'not installed'}" for name, found in facts["packages"].items())]
    lines += ["devices:", *(f"  {device}" for device in facts["devices"])]
    lines += ["models:", *(f"  {row['name']} {row['version']}: {row['task']}" for row in facts["models"])]
    return "\n".join(lines if facts["models"] else [*lines, "  none bundled"])
