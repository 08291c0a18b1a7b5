"""Errors that tell a person what went wrong, where, and what to do next."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CelltypeError", "ModelError", "NeuronError", "RecordingError", "RepairError"]


class CelltypeError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    reason
        What is wrong, in one plain clause.
    path
        The file concerned, if there is one.
    hint
        What the reader of the message can do next.
    """

    def __init__(self, reason: str, *, path: str | Path | None = None, hint: str = "") -> None:
        self.reason = reason
        self.path = None if path is None else Path(path)
        self.hint = hint
        super().__init__(reason)

    @property
    def _where(self) -> str:
        return "" if self.path is None else str(self.path)

    def __str__(self) -> str:
        text = f"{self._where}: {self.reason}" if self._where else self.reason
        return f"{text.rstrip('.')}. {self.hint}" if self.hint else text


class RecordingError(CelltypeError):
    """A recording cannot be opened or read."""


class NeuronError(CelltypeError):
    """A reconstruction cannot be opened, read or written."""

    def __init__(self, reason: str, *, path: str | Path | None = None, line: int | None = None, hint: str = "") -> None:
        self.line = line
        super().__init__(reason, path=path, hint=hint)

    @property
    def _where(self) -> str:
        where = super()._where
        return where if self.line is None else f"{where}, line {self.line}".lstrip(", ")


class ModelError(CelltypeError):
    """A model is missing, damaged, or was given something it cannot judge."""


class RepairError(CelltypeError):
    """An edit of a reconstruction cannot be applied."""
