"""One run of a recipe: where it reads and writes, its seed, its progress, and picking up where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Job", "print_progress"]

Item = TypeVar("Item")
Arrays = dict[str, NDArray[Any]]
Report = Callable[[str, int, int, float], None]


def _silent(stage: str, done: int, total: int, seconds_left: float) -> None:
    """Report nothing."""


def print_progress(stage: str, done: int, total: int, seconds_left: float) -> None:
    """Write progress to stderr: one line rewritten on a terminal, else a line every tenth of the way."""
    terminal = sys.stderr.isatty()
    if not terminal and done < total and done * 10 // total == (done - 1) * 10 // total:
        return
    left = f"{seconds_left:.0f} s left" if seconds_left < 120 else f"{seconds_left / 60:.0f} min left"
    end = "\r" if terminal and done < total else "\n"
    print(f"{stage}: {done}/{total}, {left}    ", end=end, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Job:
    """What a recipe is given.

    Parameters
    ----------
    data, out
        The folder holding ``ephys/`` and the folder results go to.
    seed
        Everything random is a function of it: the same seed gives the same result, interrupted or not.
    quick
        Few rounds and few members, to see a recipe run; its results mean nothing.
    report
        Called with (stage, done, total, seconds left).
    """

    data: Path
    out: Path
    seed: int = 0
    quick: bool = False
    report: Report = field(default=_silent, compare=False)

    def stage(self, name: str, settings: Any, compute: Callable[[], Arrays]) -> Arrays:
        """Result of a part of the recipe: from ``out/stages`` if it was finished before with these settings.

        ``settings`` is anything JSON can hold that decides the result, beyond the seed and the recipe.
        """
        key = json.dumps([name, settings, self.seed, self.quick], sort_keys=True, default=str)
        path = self.out / "stages" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        arrays = compute()
        save_arrays(path, arrays)
        return arrays

    def checkpoint(self, name: str) -> Path:
        """Where a long fit keeps its state."""
        return self.out / "checkpoints" / f"{name}.safetensors"

    def steps(self, stage: str) -> Callable[[int, int, float], None]:
        """A reporter for one stage, taking (done, total, seconds left)."""
        return lambda done, total, seconds_left: self.report(stage, done, total, seconds_left)

    def track(self, items: Iterable[Item], stage: str, total: int | None = None) -> Iterator[Item]:
        """Go through items, reporting each with the time left."""
        sequence: Sequence[Item] = list(items) if total is None else items  # type: ignore[assignment]
        count = len(sequence) if total is None else total
        started = time.monotonic()
        for done, item in enumerate(sequence):
            yield item
            each = (time.monotonic() - started) / (done + 1)
            self.report(stage, done + 1, count, each * (count - done - 1))


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.npz")
    np.savez_compressed(part, allow_pickle=False, **arrays)
    os.replace(part, path)
