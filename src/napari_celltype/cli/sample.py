"""``napari-celltype sample``: write the sample recording or the sample neuron to a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from napari_celltype.errors import CelltypeError

__all__ = ["add_parser"]

_RECORDING_SUFFIXES = (".nwb", ".abf")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    from napari_celltype.samples.cells import AMBIGUOUS_SEED, CELL_KINDS, PLAIN_SEED

    parser = commands.add_parser(
        "sample",
        help="write simulated data to practise with",
        description="Write a simulated recording or a simulated neuron to a new file.",
    )
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    recording = what.add_parser("recording", help="a current-clamp recording, as NWB or ABF")
    recording.add_argument("path", type=_recording_path, metavar="OUT.nwb|OUT.abf", help="new file; its suffix decides")
    recording.add_argument(
        "--seed",
        type=_seed,
        default=PLAIN_SEED,
        help=f"another number makes another cell (default {PLAIN_SEED}; {AMBIGUOUS_SEED} is hard to tell)",
    )
    recording.add_argument("--kind", choices=CELL_KINDS, default=CELL_KINDS[0], help="how the cell fires")
    recording.set_defaults(run=_write_recording)
    neuron = what.add_parser("neuron", help="a reconstruction with three z-jumps and two other defects, as SWC")
    neuron.add_argument("path", type=_neuron_path, metavar="OUT.swc", help="new file")
    neuron.add_argument("--seed", type=_seed, default=0, help="another number grows another neuron (default 0)")
    neuron.add_argument("--clean", action="store_true", help="without the z-jumps and defects")
    neuron.set_defaults(run=_write_neuron)


def _recording_path(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _RECORDING_SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text}: a sample recording is written as .nwb or .abf")
    return path


def _neuron_path(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".swc":
        raise argparse.ArgumentTypeError(f"{text}: a sample neuron is written as .swc")
    return path


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _write_recording(arguments: argparse.Namespace) -> int:
    from napari_celltype.io.write_abf import write_abf
    from napari_celltype.io.write_nwb import write_nwb
    from napari_celltype.samples.recording import sample_recording

    if arguments.path.exists():  # before simulating anything
        raise CelltypeError("exists already", path=arguments.path, hint="Choose another name.")
    write = write_abf if arguments.path.suffix.lower() == ".abf" else write_nwb
    return _write(arguments.path, lambda: write(sample_recording(arguments.seed, arguments.kind), arguments.path))


def _write_neuron(arguments: argparse.Namespace) -> int:
    from napari_celltype.io.atomic import write_atomically
    from napari_celltype.samples.neuron import sample_neuron_swc

    content = sample_neuron_swc(arguments.seed, damaged=not arguments.clean)
    return _write(arguments.path, lambda: write_atomically(arguments.path, content))


def _write(path: Path, write: Callable[[], Path]) -> int:
    try:
        write()
    except OSError as error:
        reason = "exists already" if isinstance(error, FileExistsError) else f"cannot be written ({error.strerror})"
        raise CelltypeError(reason, path=path, hint="Choose another name or folder.") from error
    print(f"Wrote {path}", file=sys.stderr)
    return 0
