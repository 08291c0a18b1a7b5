"""What a file that is no recording seems to be instead, so that the message can say what to do about it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["describe_unknown"]

_SUPPORTED = "napari-celltype reads ABF, ATF, NWB, HEKA, WaveSurfer, AxoGraph, Igor and WinWCP."

# first bytes: what it is, and what to do
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "is a NumPy array", "An array has no units and no rate: save the recording as NWB or ABF."),
    (b"MATLAB 5.0", "is a MATLAB file", "Save the recording as NWB or ABF."),
    (b"CLPX", "is a recording of an Axon program older than ABF", "Convert it with Clampfit to ABF 2."),
    (b"FTCX", "is a Fetchex recording, older than ABF", "Convert it with Clampfit to ABF 2."),
    (b"CEDFILE", "is a CED Signal recording (CFS)", "Export it from Signal as ABF or text."),
    (b"TDSm", "is a LabVIEW recording (TDMS)", "Convert it to NWB, for example with neuroconv."),
    (b"\xc1\x02\x69\xc6", "is an Intan recording", "Convert it to NWB, for example with neuroconv."),
    (b"PK\x03\x04", "is a ZIP archive", "Unpack it and open the recordings in it."),
    (b"\x1f\x8b", "is compressed with gzip", "Unpack it and open the recording in it."),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", "Unpack it and open the recordings in it."),
    (b"Rar!", "is a RAR archive", "Unpack it and open the recordings in it."),
    (b"%PDF", "is a PDF document", _SUPPORTED),
    (b"\x89PNG", "is a picture (PNG)", _SUPPORTED),
    (b"\xff\xd8\xff", "is a picture (JPEG)", _SUPPORTED),
    (b"II*\x00", "is a picture (TIFF)", _SUPPORTED),
    (b"MM\x00*", "is a picture (TIFF)", _SUPPORTED),
    (b"\xd0\xcf\x11\xe0", "is an old Microsoft Office document", _SUPPORTED),
    (b"version https://git-lfs", "is only a Git LFS pointer to the recording", "Fetch it with: git lfs pull"),
    (b"/annex/objects", "is only a git-annex pointer to the recording", "Fetch it with: git annex get"),
)

_BEGINNINGS = {
    ".abf": "ABF2, or ABF and a blank",
    ".atf": "ATF",
    ".nwb": "the signature of HDF5",
    ".h5": "the signature of HDF5",
    ".dat": "DAT1, DAT2 or DATA",
    ".wcp": "VER=",
    ".axgd": "AxGr",
    ".axgx": "axgx",
}


def describe_unknown(path: Path, head: bytes) -> tuple[str, str]:
    """Reason and next step for a file no format claims, from its first bytes and its name."""
    if not head:
        return "is empty (0 bytes)", "Copy it again from where it was recorded; the copy did not go through."
    for magic, reason, hint in _KINDS:
        if head.startswith(magic):
            return reason, hint
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _describe_hdf5(path)
    if not any(head):
        return f"begins with {len(head)} zero bytes", "The copy was interrupted: copy it again."
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "is a web page", "The download went wrong, often for want of a login: download the file itself."
    if _is_text(head):
        return f"is text{_although(path)}", _hint_for_text(head)
    expected = _BEGINNINGS.get(path.suffix.lower())
    if expected is not None:
        found = head[:4].hex(" ")
        return (
            f"does not begin as a {path.suffix.lower()} file should (with {expected}) but with bytes {found}",
            "The file is damaged or has the wrong name: copy it again, or give it the suffix of its true format.",
        )
    return "is in no recording format known here", _SUPPORTED


def _describe_hdf5(path: Path) -> tuple[str, str]:
    """An HDF5 file that is neither NWB nor WaveSurfer: damaged, or something else, with what it holds."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = sorted(file)[:6]
    except (OSError, RuntimeError):
        return "is an HDF5 file that cannot be opened", "It is damaged or was cut off while copying: copy it again."
    holding = f" (it holds {', '.join(names)})" if names else " (it is empty)"
    return (
        f"is an HDF5 file, but neither NWB nor WaveSurfer{holding}",
        "If it is a recording, convert it to NWB with the program that wrote it or with neuroconv.",
    )


def _is_text(head: bytes) -> bool:
    printable = sum(byte >= 32 or byte in b"\t\r\n\f" for byte in head)
    return b"\x00" not in head and printable >= 0.98 * len(head)


def _although(path: Path) -> str:
    return f", although its name ends with {path.suffix}" if path.suffix.lower() in _BEGINNINGS else ""


def _hint_for_text(head: bytes) -> str:
    lines = [line.split() for line in head.splitlines()[:200] if line.strip() and not line.lstrip().startswith(b"#")]
    if lines and all(len(fields) == 7 for fields in lines[:-1] or lines):
        return "It looks like a neuron reconstruction (SWC): open it with read_neuron."
    return "If these are samples, export them as an Axon text file (ATF) with units, or as NWB."
