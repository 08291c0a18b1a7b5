"""Take the documentation's pictures of the window: dark and light, on the samples the package makes itself.

``make docs-pictures`` runs this on a display or a virtual one. Look at every picture before committing it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_celltype._napari.demo import new_viewer, open_demo, settle, traces_are_drawn
from napari_celltype._napari.session import PLUGIN, session_of

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIZE = (1280, 720)


def show_workbench(viewer: Any) -> None:
    """Recording in the dock, neuron on the canvas."""
    open_demo(viewer)


def show_recording(viewer: Any) -> None:
    """The recording alone: overview and one sweep, zoomed to its spikes."""
    viewer.open_sample(PLUGIN, "recording")
    settle(0.5)
    document = session_of(viewer).document
    document.select_sweeps(document.recordings[0].id, [19])


def show_neuron(viewer: Any) -> None:
    """The neuron alone, turned a little, with its nodes shown for editing."""
    viewer.open_sample(PLUGIN, "neuron")
    settle(0.5)
    viewer.layers["sample neuron"].visible = True


PICTURES: dict[str, Callable[[Any], None]] = {
    "workbench": show_workbench,
    "recording": show_recording,
    "neuron": show_neuron,
}


def take(name: str, theme: str, folder: Path) -> Path:
    viewer = new_viewer(theme=theme, size=SIZE)
    PICTURES[name](viewer)
    settle(1.0, until=lambda: traces_are_drawn(viewer))
    path = folder / f"{name}-{theme}.png"
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()
    settle(0.2)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="pictures to take (default: all)")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        for theme in ("dark", "light"):
            print(take(name, theme, arguments.folder), flush=True)


if __name__ == "__main__":
    main()
