"""The text of an SWC file: its encoding and line ends, and what to make of a line that is not seven plain numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari_celltype.neuron import Defect

from .numbers import PADDING, read_number
from .swc_defects import make

__all__ = ["BOM", "FIELD", "LineReading", "blank_comments", "decode", "describe_text", "read_odd_line", "unify_lines"]

BOM = b"\xef\xbb\xbf"
FIELD = re.compile(rb"[^\x00-\x20,;]+")
"""A column of a node line, whether blanks, tabs, commas or semicolons part them."""

_TEXT = bytes([*range(9, 14), *range(32, 256)])
_WORD = re.compile(rb"[^\x00-\x20]+")
_NAMES = ("id", "type", "x", "y", "z", "radius", "parent")
_DECIMAL_COMMA = re.compile(rb"[+-]?\d+,\d+")
_INT64 = 1 << 63


def decode(raw: bytes) -> tuple[bytes, list[Defect]]:
    """Text of a file as UTF-8 or any other superset of ASCII; a byte-order mark of UTF-8 stays."""
    if raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return raw, []
    text = raw.decode("utf-16", errors="replace").encode()
    return text, [make("utf-16", "The text is UTF-16; it is written as UTF-8 once the neuron is edited.")]


def unify_lines(body: bytes) -> bytes:
    """The same text, byte for byte as long, with every line ended by a line feed.

    Carriage returns end lines only where there are no line feeds; otherwise they are blanks, so that two of
    them and a line feed, as some exports have it, are one line end.
    """
    return body if b"\n" in body else body.replace(b"\r", b"\n")


def blank_comments(padded: bytearray) -> None:
    """Overwrite comments, at a line's start or after a blank, and a byte-order mark with blanks."""
    at = padded.find(b"#")
    while at >= 0:
        stop = padded.find(b"\n", at)
        if padded[at - 1] <= 32 or padded[at - 3 : at] == BOM:
            padded[at:stop] = b" " * (stop - at)
        else:
            stop = at + 1  # as in 1.#IND
        at = padded.find(b"#", stop)
    if padded[PADDING : PADDING + 3] == BOM:
        padded[PADDING : PADDING + 3] = b"   "


def describe_text(body: bytes, padded: bytearray) -> list[Defect]:
    """Notes on the encoding, the line ends and the column separators."""
    found = []
    if body.startswith(BOM):
        found.append(make("bom", "The file starts with a byte-order mark.", line=1))
    if b"\r" in body:
        found += _describe_line_ends(body)
    if b"\t" in padded:
        line = 1 + padded.count(b"\n", 0, padded.find(b"\t"))
        found.append(make("tab-separated", "Columns are separated by tabs.", line=line))
    if odd := body.translate(None, _TEXT):
        line = 1 + body.count(b"\n", 0, min(body.find(byte) for byte in set(odd)))
        text = f"{len(odd)} bytes are no text: the file may be damaged. They are read as blanks."
        found.append(make("control-bytes", text, line=line))
    if not body.isascii():
        found += _describe_encoding(body)
    return found


def _describe_line_ends(body: bytes) -> list[Defect]:
    pairs = body.count(b"\r\n")
    found = []
    if pairs:
        mixed = body.count(b"\n") > pairs
        found.append(make("crlf", "Some lines end as on Windows." if mixed else "Lines end as on Windows."))
    if b"\n" not in body:
        found.append(make("cr", "Lines end with a carriage return alone, as on the classic Mac OS."))
    return found


def _describe_encoding(body: bytes) -> list[Defect]:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        line = 1 + body.count(b"\n", 0, error.start)
        text = f"Byte {body[error.start]:#x} is not UTF-8 text. It is kept as it is."
        return [make("non-utf-8", text, line=line)]
    return []


@dataclass(frozen=True)
class LineReading:
    """What a line that is not seven plain numbers turns out to be.

    ``whole`` (id, type, parent) and ``values`` (x, y, z, radius) are None if it is no node.
    """

    whole: tuple[int, int, int] | None = None
    values: tuple[float, float, float, float] | None = None
    defect: Defect | None = None
    claimed_id: int | None = None
    comma_separated: bool = False
    float_ids: bool = False
    n_columns: int = 0


def read_odd_line(text: bytes, line: int, *, cut_off: bool = False) -> LineReading:
    """Read a node line that is written unusually, or say why it cannot be read.

    Parameters
    ----------
    text
        The line without comment.
    line
        Its number, for the message.
    cut_off
        Whether it is the last line and has no line end.
    """
    words = _WORD.findall(text)
    commas = b"," in text or b";" in text
    columns = FIELD.findall(text) if commas else words
    claimed = _whole_number(columns[0]) if columns else None
    if commas and (reason := _judge_commas(words, columns)):
        return LineReading(defect=make("decimal-comma", f"Line {line}: {reason}", line=line), claimed_id=claimed)
    if len(columns) < 7:
        return LineReading(defect=_describe_short(columns, line, cut_off=cut_off), claimed_id=claimed)
    for name, word in zip(_NAMES, columns, strict=False):
        if problem := _judge(name, word):
            code, reason = problem
            text_ = f"Line {line}: the {name} {_quote(word)} {reason}. The line is not shown."
            return LineReading(defect=make(code, text_, line=line), claimed_id=claimed)
    ids = [_whole_number(columns[i]) or 0 for i in (0, 1, 6)]
    values = [float(read_number(word) or 0.0) for word in columns[2:6]]
    return LineReading(
        whole=(ids[0], ids[1], ids[2]),
        values=(values[0], values[1], values[2], values[3]),
        comma_separated=commas,
        float_ids=any(not _is_integer_text(columns[i]) for i in (0, 1, 6)),
        n_columns=len(columns),
    )


def _judge_commas(words: list[bytes], columns: list[bytes]) -> str:
    """Why commas make a line unreadable; empty if they only part columns."""
    decimal = next((word for word in words if _DECIMAL_COMMA.fullmatch(word.strip(b";"))), None)
    if decimal is None:
        decimal = next((part for word in words for part in word.split(b";") if _DECIMAL_COMMA.fullmatch(part)), None)
        decimal = decimal if any(b";" in word for word in words) else None
    if decimal is not None and len(columns) != 7:
        return f"{_quote(decimal)} has a decimal comma. Write points instead of commas. The line is not shown."
    if len(columns) > 7:
        return f"it has {len(columns)} columns parted by commas instead of 7. The line is not shown."
    return ""


def _describe_short(columns: list[bytes], line: int, *, cut_off: bool) -> Defect:
    n = len(columns)
    columns_text = "1 column" if n == 1 else f"{n} columns"
    if cut_off:
        text = f"Line {line}, the last, stops after {columns_text} of 7: the file is cut off. The line is not shown."
        return make("truncated-last-line", text, line=line)
    return make("short-line", f"Line {line} has {columns_text} instead of 7. The line is not shown.", line=line)


def _judge(name: str, word: bytes) -> tuple[str, str] | None:
    value = read_number(word)
    if value is None:
        return "text-token", "is no number"
    if name not in ("id", "type", "parent"):
        return None
    if value != value or value in (float("inf"), float("-inf")):
        return "text-token", "is no whole number"
    if value != int(value):
        return "fractional-id", "is not a whole number"
    return None if _whole_number(word) is not None else ("text-token", "is too large")


def _is_integer_text(word: bytes) -> bool:
    return re.fullmatch(rb"[+-]?\d+", word) is not None


def _whole_number(word: bytes) -> int | None:
    """Exact value of a whole number however written, None if it is none or fits no 64 bits."""
    if _is_integer_text(word):
        value = int(word) if len(word) < 30 else _INT64
    else:
        number = read_number(word)
        if number is None or number != number or abs(number) >= _INT64 or number != int(number):
            return None
        value = int(number)
    return value if -_INT64 <= value < _INT64 else None


def _quote(word: bytes) -> str:
    text = word.decode("utf-8", errors="backslashreplace")
    return f'"{text[:30]}..."' if len(text) > 30 else f'"{text}"'
