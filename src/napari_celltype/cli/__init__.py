"""The command line: ``napari-celltype COMMAND ...``.

Each command is a module of this package with ``add_parser(commands)``, which adds its parser and sets
``run=function(arguments) -> exit code``. Results go to stdout, everything else to stderr. Exit codes: 0 done,
1 some inputs failed (the others are still reported), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from napari_celltype import __version__
from napari_celltype.errors import CelltypeError

__all__ = ["build_parser", "main"]

COMMANDS = (
    "demo",
    "predict",
    "features",
    "batch",
    "watch",
    "check",
    "repair",
    "measure",
    "resample",
    "convert",
    "simulate",
    "models",
    "download",
    "train",
    "evaluate",
    "info",
    "sample",
)
"""Modules of this package, in the order the help shows them."""


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="napari-celltype",
        description="Tell what kind of neuron a recording or a reconstruction shows.",
        epilog="'napari-celltype COMMAND --help' tells more of a command. To look around: napari-celltype demo.",
    )
    parser.add_argument("--version", action="version", version=f"napari-celltype {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f".{name}", __name__).add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _write_what_the_terminal_can()
    arguments = build_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except CelltypeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output, "head" say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{error.filename or 'A file'}: cannot be read or written ({error.strerror or error}).", file=sys.stderr)
        return 1
    return code


def _write_what_the_terminal_can() -> None:
    """Replace letters that the terminal's or the pipe's alphabet lacks; on Windows that is an arrow already."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
