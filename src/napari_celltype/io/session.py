"""When a recording began, for the writers."""

from __future__ import annotations

from datetime import UTC, datetime

from napari_celltype.recording import Recording

__all__ = ["session_start"]

_KEYS = ("session_start", "session_start_time")


def session_start(recording: Recording) -> datetime:
    """Time the recording states in its metadata; the epoch of Unix where it states none.

    The formats demand a time, and nobody mistakes the first of January 1970 for one.
    """
    for key in _KEYS:
        given = recording.metadata.get(key)
        if isinstance(given, datetime):
            return given if given.tzinfo else given.replace(tzinfo=UTC)
        try:
            start = datetime.fromisoformat(str(given))
        except ValueError:
            continue
        return start if start.tzinfo else start.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC)
