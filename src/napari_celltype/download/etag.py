"""The checksum DANDI states of every file from its upload on: MD5 of the MD5s of its parts, and how many there are.

The parts are those of the upload: 64 MiB each, larger where that would make more than ten thousand.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["dandi_etag", "part_size"]

_PART = 64 << 20
_MOST_PARTS = 10_000
_CHUNK = 1 << 20


def part_size(size: int) -> int:
    """Bytes in each part of a file but its last."""
    return max(_PART, -(-size // _MOST_PARTS))


def dandi_etag(path: Path) -> str:
    """As DANDI writes it: ``<32 hexadecimal digits>-<number of parts>``."""
    step = part_size(path.stat().st_size)
    whole, parts = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while True:
            part, left = hashlib.md5(usedforsecurity=False), step
            while left and (chunk := file.read(min(_CHUNK, left))):
                part.update(chunk)
                left -= len(chunk)
            if left == step:
                return f"{whole.hexdigest()}-{parts}"
            whole.update(part.digest())
            parts += 1
