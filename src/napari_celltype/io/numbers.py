"""Read all numbers of a text at once, exactly, with array arithmetic.

Plain numbers (``12``, ``-0.75``) are decoded together: eight digits fit one 64-bit word, and three multiplications
turn such a word into its value (the "SIMD within a register" method Daniel Lemire describes). A number of at most
2**53 thousandths, say, divided by an exact power of ten is correctly rounded, so the result equals ``float(text)``
to the last bit. What is written otherwise (``1e-5``, ``.5``, ``nan``, or no number at all) is left to the caller.
Nothing here depends on the locale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PADDING", "Numbers", "cut_pieces", "pad", "read_number", "scan_numbers"]

PADDING = 16
"""Blank bytes :func:`pad` puts before a text, so that the word that ends at any digit lies inside the buffer."""

_PIECE = 1 << 16
_EXACT = 1 << 53
_POWERS = 10 ** np.arange(17, dtype=np.int64)
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_MICROSOFT = re.compile(rb"[+-]?1\.#(?:(?:IND|QNAN|SNAN)(?:00)?|(?P<inf>INF(?:00)?))0*", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Every word of a text: where it stands and, where it is a plain number, its value.

    ``starts`` and ``stops`` are offsets into the padded text. ``values`` is meaningful where ``plain``;
    ``whole`` holds the exact integer where ``plain`` and not ``pointed``.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    values: NDArray[np.float64]
    whole: NDArray[np.int64]
    plain: NDArray[np.bool_]
    pointed: NDArray[np.bool_]


def pad(text: bytes) -> bytearray:
    """Copy of a text with blanks before it and a line end after it, as :func:`scan_numbers` needs it."""
    return bytearray().join((b" " * PADDING, text, b"\n"))


def cut_pieces(padded: bytearray) -> Iterator[tuple[int, int]]:
    """Spans of whole lines that fill a padded text, each small enough to stay in the processor's cache."""
    begin = PADDING
    n_pieces = max(1, round((len(padded) - PADDING) / _PIECE))
    size = (len(padded) - PADDING) // n_pieces  # even pieces: a small last one would cost as much as the others
    while begin < len(padded):
        line_end = padded.find(b"\n", min(begin + size, len(padded) - 1))
        end = len(padded) if line_end < 0 else line_end + 1
        yield begin, end
        begin = end


def scan_numbers(padded: bytearray, begin: int = PADDING, end: int | None = None) -> Numbers:
    """Find the blank-separated words between the start of one line and the end of another, and decode the numbers."""
    characters = np.frombuffer(padded, dtype=np.uint8)[begin - PADDING : end]  # offsets below count from here
    found = _scan_clean(characters)
    if found is None:
        found = _scan_any(characters)
    found.starts[:] += begin - PADDING
    found.stops[:] += begin - PADDING
    return found


def _scan_clean(characters: NDArray[np.uint8]) -> Numbers | None:
    """Decode a text of nothing but plain numbers, None if it is another one; twice as fast as the general way.

    Notes
    -----
    The digits between two other characters make a run. If every run ends at a blank or at a point that another run
    follows at once, and runs, such points and signs before runs are all there is, then all words are plain.
    """
    blank = PADDING - 1  # of the piece before only the last line end is looked at
    others = np.flatnonzero((characters[blank:] - 48) >= 10)
    others += blank
    gaps = np.diff(others)
    before_run = np.flatnonzero(gaps > 1)
    lengths = gaps.take(before_run) - 1
    stops = others.take(before_run + 1)
    left = characters.take(others.take(before_run))
    first = np.flatnonzero(left != 46)
    if not len(first) or first[0] != 0 or lengths.max() > 16:
        return None
    n_runs = np.diff(first, append=len(stops))
    pointed = n_runs == 2
    last = first + pointed
    negative = left.take(first) == 45
    whole_lengths, after = lengths.take(first), lengths.take(last)
    after *= pointed
    word_stops = stops.take(last)
    starts = stops.take(first) - whole_lengths
    starts -= negative
    adjacent = word_stops - starts == whole_lengths + after + pointed + negative
    n_characters = np.count_nonzero(characters[blank:] > 32)
    accounted = lengths.sum() + np.count_nonzero(pointed) + np.count_nonzero(negative)
    ends_blank = characters.take(word_stops).max() <= 32
    if n_runs.max() > 2 or not adjacent.all() or n_characters != accounted or not ends_blank:
        return None
    runs = _decode_digits(characters, stops, lengths)
    whole = runs.take(first)
    power = _POWERS.take(after)
    digits = whole * power
    digits += runs.take(last) * pointed
    sign = 1 - 2 * negative.view(np.int8)
    plain = (whole_lengths + after <= 16) & (digits <= _EXACT)
    values = digits / power
    values *= sign
    whole *= sign
    return Numbers(starts, word_stops, values, whole, plain, pointed)


def _scan_any(characters: NDArray[np.uint8]) -> Numbers:
    """Find the words of any text and decode those that are plain numbers."""
    blank = PADDING - 1  # of the piece before only the last line end is looked at
    starts, stops = _stretches(characters > 32, blank)
    digit_starts, digit_stops = _stretches((characters - 48) < 10, blank)
    lengths = np.append(digit_stops - digit_starts, 0)
    runs = np.append(_decode_digits(characters, digit_stops, lengths[:-1]), 0)

    negative = characters.take(starts) == 45
    first = _first_runs(characters, starts + negative, digit_starts)
    n_runs = np.diff(first, append=len(digit_starts))
    pointed = n_runs == 2
    before, after = lengths.take(first), lengths.take(first + 1, mode="clip") * pointed
    whole = runs.take(first)
    power = _POWERS.take(after, mode="clip")
    digits = whole * power + runs.take(first + 1, mode="clip") * pointed

    n_digits = before + after
    plain = (n_runs == 1) | pointed
    plain &= n_digits + pointed + negative == stops - starts
    point = characters.take(np.append(digit_stops, 0).take(first)) == 46
    plain &= point == pointed
    plain &= (n_digits <= 16) & (digits <= _EXACT)
    sign = 1 - 2 * negative.astype(np.int64)
    return Numbers(starts, stops, digits / power * sign, whole * sign, plain, pointed)


def read_number(word: bytes) -> float | None:
    """Value of one word, in any notation that C programs write; None if it is no number."""
    if _NUMBER.fullmatch(word):
        return float(word)
    microsoft = _MICROSOFT.fullmatch(word)
    if microsoft is None:
        return None
    return float("nan") if microsoft["inf"] is None else float(word[:1].replace(b"1", b"") + b"inf")


def _stretches(inside: NDArray[np.bool_], begin: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the runs of True after ``begin``, where and at whose end ``inside`` is False."""
    inside = inside[begin:]
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    edges += begin + 1
    return edges[::2], edges[1::2]


def _first_runs(
    characters: NDArray[np.uint8], starts: NDArray[np.int64], digit_starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the first run of digits at or after each start."""
    first = np.flatnonzero(characters.take(digit_starts - 1) != 46)
    if len(first) == len(starts) and bool((digit_starts.take(first) == starts).all()):
        return first  # every word is plain: no search needed
    return np.searchsorted(digit_starts, starts)


def _decode_digits(
    characters: NDArray[np.uint8], stops: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Value of each run of up to 16 digits."""
    # every 8 consecutive bytes of the text as one little-endian word, without a copy
    words: NDArray[np.uint64] = np.ndarray((len(characters) - 7,), dtype="<u8", buffer=characters, strides=(1,))
    value = _decode_word(words[stops - 8], np.minimum(lengths, 8))
    long = np.flatnonzero(lengths > 8)
    if long.size:
        value[long] += 100_000_000 * _decode_word(words[stops[long] - 16], np.minimum(lengths[long] - 8, 8))
    return value


def _decode_word(word: NDArray[np.uint64], n_digits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Value of the last ``n_digits`` (1 to 8) characters of each word."""
    foreign = (64 - 8 * n_digits).astype(np.uint64)
    word = word >> foreign
    word <<= foreign
    word &= np.uint64(0x0F0F0F0F0F0F0F0F)
    word *= np.uint64(2561)
    word >>= np.uint64(8)
    word &= np.uint64(0x00FF00FF00FF00FF)
    word *= np.uint64(6553601)
    word >>= np.uint64(16)
    word &= np.uint64(0x0000FFFF0000FFFF)
    word *= np.uint64(42949672960001)
    word >>= np.uint64(32)
    return word.view(np.int64)
