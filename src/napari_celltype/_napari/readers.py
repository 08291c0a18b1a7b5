"""napari's way in: recordings, folders of recordings, and reconstructions become layers.

Which plugin gets a file is decided by its name alone, so the functions napari calls first (``get_*_reader``) look at
the content, in milliseconds, and answer None for what is not ours. A file whose suffix is ours alone is always taken:
a damaged ``.abf`` deserves a reason and not "no reader found".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari

from napari_celltype.errors import CelltypeError

from . import opened
from .neuron_layers import LayerData, neuron_to_layers
from .notices import report_error
from .recording_layers import UNITS, recording_to_layers
from .session import Session, layer_name, session_of

__all__ = ["get_folder_reader", "get_neuron_reader", "get_recording_reader"]

Reader = Callable[[Any], list[Any]]

_NOTHING: list[Any] = [(None,)]
"""napari's sign for "read, but there is no layer to show"."""
_OUR_RECORDING_SUFFIXES = {".abf", ".atf", ".nwb", ".axgd", ".axgx", ".ibw", ".wcp"}
_OUR_NEURON_SUFFIXES = {".swc", ".eswc"}


def get_recording_reader(path: Any) -> Reader | None:
    """Reader of one recording, or None if the file is none."""
    file = _one_path(path)
    if file is None or not file.is_file():
        return None
    return read_recording_layers if file.suffix.lower() in _OUR_RECORDING_SUFFIXES or _is_recording(file) else None


def get_folder_reader(path: Any) -> Reader | None:
    """Reader of a folder with recordings in it, or None if it holds none."""
    folder = _one_path(path)
    if folder is None or not folder.is_dir():
        return None
    return read_folder_layers if any(_looks_like_recording(file) for file in _files(folder)) else None


def get_neuron_reader(path: Any) -> Reader | None:
    """Reader of one reconstruction, or None if the file is none."""
    file = _one_path(path)
    if file is None or not file.is_file():
        return None
    from napari_celltype.io.neurons import is_neuron_file

    return read_neuron_layers if _bare_suffix(file) in _OUR_NEURON_SUFFIXES or is_neuron_file(file) else None


def _one_path(path: Any) -> Path | None:
    """The path, unless napari asks to stack several files into one."""
    if isinstance(path, list | tuple):
        return Path(path[0]) if len(path) == 1 else None
    return Path(path)


def _bare_suffix(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix.lower() == ".gz" else file.suffix.lower()


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file())
    except OSError:
        return []


def _is_recording(file: Path) -> bool:
    from napari_celltype.io.registry import find_format

    try:
        return find_format(file) is not None
    except CelltypeError:
        return False


def _looks_like_recording(file: Path) -> bool:
    from napari_celltype.io.registry import FORMATS

    suffix = file.suffix.lower()
    if suffix in _OUR_RECORDING_SUFFIXES:
        return True
    return any(suffix in fmt.suffixes for fmt in FORMATS) and _is_recording(file)


def read_recording_layers(path: Any) -> list[Any]:
    """Layers of a recording: overview image and AP windows. The trace dock opens by itself."""
    from napari_celltype.io import read_recording

    return _reported(lambda file: layers_of_recording(read_recording(file)), path)


def read_neuron_layers(path: Any) -> list[Any]:
    """Layers of a reconstruction: segments, landmarks and (hidden) all nodes."""
    from napari_celltype.io import read_neuron

    return _reported(lambda file: layers_of_neuron(read_neuron(file)), path)


def read_folder_layers(path: Any) -> list[Any]:
    """List a folder's recordings in the trace dock and show the first; the others are read when chosen."""
    viewer = napari.current_viewer()
    if viewer is not None:
        session_of(viewer).open_folder(Path(path[0] if isinstance(path, list | tuple) else path))
    return _NOTHING


def layers_of_recording(recording: Any) -> list[LayerData]:
    """Layers of a recording that the viewer's session will recognise."""
    session = current_session()
    item = opened.hand_over(recording)
    return recording_to_layers(
        recording,
        item_id=item.id,
        name=layer_name(item.name),
        units=UNITS if session is None else session.recording_units,
        complete=session is None,
    )


def layers_of_neuron(neuron: Any) -> list[LayerData]:
    """Layers of a neuron that the viewer's session will recognise."""
    session = current_session()
    if session is not None:
        session.expect_neuron()
    item = opened.hand_over(neuron)
    return neuron_to_layers(neuron, item_id=item.id, name=layer_name(item.name))


def current_session() -> Session | None:
    """The session of the viewer napari is reading for, begun if need be; None in a program without a viewer."""
    viewer = napari.current_viewer()
    return None if viewer is None else session_of(viewer)


def _reported(read: Callable[[Path], list[LayerData]], path: Any) -> list[Any]:
    """Layers of each path; a file that cannot be read is reported, and does not stop the others.

    Without a viewer the error is raised: there the caller is a program.
    """
    paths = path if isinstance(path, list | tuple) else [path]
    layers: list[Any] = []
    for file in paths:
        try:
            layers += read(Path(file))
        except CelltypeError as error:
            if napari.current_viewer() is None:
                raise
            report_error(error)
    return layers or _NOTHING
