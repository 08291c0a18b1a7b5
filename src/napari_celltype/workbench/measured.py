"""The 41 features of the session's recordings, each measured once, whoever asks first."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_celltype.errors import RecordingError
from napari_celltype.recording import Recording

from .document import Document

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MeasuredCell",
    "MeasuredCells",
    "extracted_features",
    "measure_features",
    "measured_cells_of",
    "why_not_measured",
]


@dataclass(frozen=True, eq=False)
class MeasuredCell:
    """A cell of the session and its features by name."""

    item_id: str
    name: str
    recording: Recording
    features: pd.Series[Any]

    @property
    def n_known(self) -> int:
        """How many features this recording gives."""
        return int(self.features.notna().sum())


def why_not_measured(recording: Recording) -> str:
    """A sentence where a recording can have no features, else empty."""
    if not recording.sweeps:
        return f"{recording.name} holds no sweeps."
    if all(sweep.clamp == "voltage" for sweep in recording.sweeps):
        return (
            f"All sweeps of {recording.name} are voltage clamp. Features are measured in current clamp: "
            "open such a recording."
        )
    if all(sweep.read_voltage is None for sweep in recording.sweeps):
        return f"No sweep of {recording.name} holds a membrane potential, which features are measured from."
    return ""


_features: WeakKeyDictionary[Recording, Any] = WeakKeyDictionary()
_locks: WeakKeyDictionary[Recording, Lock] = WeakKeyDictionary()
_guard = Lock()


def extracted_features(recording: Recording) -> pd.Series[Any]:
    """The features of a recording, NaN where they cannot be measured, kept as long as it is.

    Safe to ask for from several workers at once: one measures, the others wait.
    """
    with _guard:
        lock = _locks.setdefault(recording, Lock())
    with lock:
        if recording not in _features:
            from napari_celltype.ephys.features import extract_features

            _features[recording] = extract_features(recording)
        return _features[recording]


def measure_features(recording: Recording) -> pd.Series[Any]:
    """The same, where there are any.

    Raises
    ------
    RecordingError
        If there is nothing to measure them from, or none could be measured.
    """
    refusal = why_not_measured(recording)
    if refusal:
        raise RecordingError(refusal)
    features = extracted_features(recording)
    if not features.notna().any():
        raise RecordingError(
            f"None of the 41 features could be measured in {recording.name}: no sweep has a stimulus and spikes that "
            "are understood."
        )
    return features


class MeasuredCells:
    """The cells of a document that have been measured, in the order they were; forgets those that are closed."""

    changed = Signal(str)

    def __init__(self, document: Document) -> None:
        self._cells: dict[str, MeasuredCell] = {}
        document.closed.connect(self._on_item_closed)

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def cells(self) -> list[MeasuredCell]:
        """All of them."""
        return list(self._cells.values())

    def get(self, item_id: str | None, recording: Recording | None) -> MeasuredCell | None:
        """What is known of an item, if it still holds the recording that was measured."""
        cell = self._cells.get(item_id or "")
        return cell if cell is not None and cell.recording is recording else None

    def put(self, cell: MeasuredCell) -> None:
        """Take in a cell that was measured."""
        self._cells[cell.item_id] = cell
        self.changed.emit(cell.item_id)

    def _on_item_closed(self, item_id: str) -> None:
        if self._cells.pop(item_id, None) is not None:
            self.changed.emit(item_id)


def measure_steps(item_id: str, name: str, recording: Recording) -> Generator[MeasuredCell, None, None]:
    """What a worker runs to measure an item."""
    yield MeasuredCell(item_id, name, recording, measure_features(recording))


_of_document: WeakKeyDictionary[Document, MeasuredCells] = WeakKeyDictionary()


def measured_cells_of(document: Document) -> MeasuredCells:
    """The measured cells of a document; they last as long as the document."""
    found = _of_document.get(document)
    if found is None:
        found = _of_document[document] = MeasuredCells(document)
    return found
