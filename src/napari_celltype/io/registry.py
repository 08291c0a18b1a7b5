"""The recording formats we read: how each is recognised from its first bytes, and the module that reads it.

A format module has one function, ``read(path: Path) -> Recording``, and is imported when a file of its kind is
opened. The table of supported formats in the documentation is made from :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

__all__ = ["FORMATS", "HEAD_BYTES", "RecordingFormat", "find_format", "read_head"]

HEAD_BYTES = 4096


@dataclass(frozen=True)
class RecordingFormat:
    """One kind of recording file.

    ``claims`` looks at the first bytes (and the path, where bytes cannot decide) and must answer in milliseconds.
    ``module`` is imported on first use; ``extra`` names the optional dependency group it needs.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    claims: Callable[[Path, bytes], bool]
    about: str
    extra: str = ""

    def read(self, path: Path) -> Recording:
        """Open a file of this kind, lazily."""
        try:
            recording: Recording = import_module(self.module, __package__).read(path)
        except ImportError as error:
            if not self.extra or (error.name or "").startswith("napari_celltype"):
                raise
            raise RecordingError(
                f"is a {self.name} file, and what reads those is not installed ({error.name or error} is missing)",
                path=path,
                hint=f'Install it with: pip install "napari-celltype[{self.extra}]"',
            ) from error
        return recording


def _starts_with(*magic: bytes) -> Callable[[Path, bytes], bool]:
    return lambda path, head: head.startswith(magic)


def _hdf5_holding(*names: str) -> Callable[[Path, bytes], bool]:
    """Recognise an HDF5 file by the objects or attributes at its root.

    A file called .nwb is claimed whatever it holds, and damaged too, so that its reader can say what is wrong.
    """

    def claims(path: Path, head: bytes) -> bool:
        if not head.startswith(b"\x89HDF\r\n\x1a\n"):
            return False
        if path.suffix.lower() == ".nwb":
            return "nwb_version" in names
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return any(name in file or name in file.attrs for name in names)
        except (OSError, RuntimeError):
            return False

    return claims


def _is_igor_wave(path: Path, head: bytes) -> bool:
    versions = {b"\x02\x00", b"\x05\x00", b"\x00\x02", b"\x00\x05"}
    return path.suffix.lower() in {".ibw", ".bwav"} and head[:2] in versions


FORMATS: tuple[RecordingFormat, ...] = (
    RecordingFormat("ABF 2", (".abf",), ".abf", _starts_with(b"ABF2"), "Axon Binary Format 2, pCLAMP 10 and later"),
    RecordingFormat("ABF 1", (".abf",), ".abf", _starts_with(b"ABF "), "Axon Binary Format 1, pCLAMP 6 to 9"),
    RecordingFormat("ATF", (".atf",), ".atf", _starts_with(b"ATF\t", b"ATF "), "Axon Text Format"),
    RecordingFormat(
        "NWB",
        (".nwb",),
        ".nwb",
        _hdf5_holding("nwb_version", "acquisition"),
        "Neurodata Without Borders 2 from any producer, and 1 from the Allen Institute and MIES",
    ),
    RecordingFormat(
        "WaveSurfer", (".h5",), ".wavesurfer", _hdf5_holding("header"), "WaveSurfer data files, all channels recorded"
    ),
    RecordingFormat(
        "HEKA PatchMaster",
        (".dat",),
        ".heka",
        _starts_with(b"DAT1\x00", b"DAT2\x00", b"DATA\x00"),
        "PatchMaster bundles (one file with its index); the command only where it was recorded",
    ),
    RecordingFormat(
        "AxoGraph", (".axgd", ".axgx"), ".axograph", _starts_with(b"axgx", b"AxGr"), "AxoGraph X, and AxoGraph 4"
    ),
    RecordingFormat(
        "Igor binary wave",
        (".ibw",),
        ".igor",
        _is_igor_wave,
        "Igor Pro waves, versions 2 and 5; the other channel of the same sweep is found beside it",
    ),
    RecordingFormat("WinWCP", (".wcp",), ".winwcp", _starts_with(b"VER="), "WinWCP data files, version 9"),
)


def read_head(path: Path) -> bytes:
    """First bytes of a file; RecordingError where there are none."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror or error})", path=path, hint=_hint_for(error)) from error


def _hint_for(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Ask for the right to read it, or close the program that has it open."
    return "Check that the file exists and its drive is connected."


def find_format(path: Path) -> RecordingFormat | None:
    """The format a file's content says it is, or None. Costs milliseconds."""
    head = read_head(path)
    return next((fmt for fmt in FORMATS if fmt.claims(path, head)), None)
