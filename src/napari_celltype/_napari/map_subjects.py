"""What of a session can be placed on a map, and how: recordings by their features or by a spike, neurons by their form.

A map says what it takes (``CellMap.input``); the subject of that name in :data:`SUBJECTS` finds it in the document.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_celltype.errors import CelltypeError, RecordingError
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench.classify import why_not_judged
from napari_celltype.workbench.classify_windows import WINDOW
from napari_celltype.workbench.measured import MeasuredCell, measure_features, measured_cells_of, why_not_measured
from napari_celltype.workbench.neuron_type import why_no_type
from napari_celltype.workbench.place import CellMap, Place, place_cell, place_vector

__all__ = ["SUBJECTS", "Placed", "Refused", "Subject", "subject_of"]

Placed = dict[str, Place]
"""Places by item id."""


@dataclass(frozen=True)
class Refused:
    """Why an item has no place."""

    item_id: str
    reason: str


Step = Placed | MeasuredCell | Refused


class Subject:
    """One kind of thing that is placed; see :data:`SUBJECTS`."""

    #: What the dock says while there is none, and while one is being prepared.
    nothing = "No recording is open: the reference cells alone are shown."
    preparing = "Measuring {name} …"
    #: Which choice of the user moves it, if any.
    follows = ""

    def __init__(self, document: Document) -> None:
        self.document = document

    @property
    def current(self) -> Item | None:
        """The item the docks show."""
        return self.document.current_recording

    def value(self, item: Item) -> Any | None:
        """What it holds, once it has been read."""
        return item.value if isinstance(item.value, Recording) else None

    def why_not(self, item: Item) -> str:
        """A sentence where it cannot be placed, else empty; ``item`` has been read."""
        raise NotImplementedError

    @property
    def others(self) -> list[Item]:
        """Further items of the session that can be placed without much work."""
        raise NotImplementedError

    def vector_input(self, item: Item) -> Any:
        """What the map's ``condense`` takes; runs in a worker."""
        raise NotImplementedError

    def steps(self, cell_map: CellMap, items: Sequence[Item]) -> Generator[Step, None, None]:
        """What a worker runs: places of items, one after the other."""
        for item in items:
            try:
                yield from self._place(cell_map, item)
            except CelltypeError as error:
                yield Refused(item.id, str(error))

    def _place(self, cell_map: CellMap, item: Item) -> Generator[Step, None, None]:
        yield {item.id: place_cell(cell_map, self.vector_input(item), item.name)}


class ByFeatures(Subject):
    """Recordings by the 41 features."""

    preparing = "Measuring the features of {name} …"

    def why_not(self, item: Item) -> str:
        """Voltage clamp has no features."""
        return why_not_measured(item.value) if isinstance(item.value, Recording) else ""

    @property
    def others(self) -> list[Item]:
        """Those measured already."""
        ids = [cell.item_id for cell in measured_cells_of(self.document).cells]
        return [self.document[item_id] for item_id in ids if item_id in self.document]

    def vector_input(self, item: Item) -> Any:
        """Features by name."""
        assert isinstance(item.value, Recording)
        return measure_features(item.value)

    def _place(self, cell_map: CellMap, item: Item) -> Generator[Step, None, None]:
        assert isinstance(item.value, Recording)
        cell = MeasuredCell(item.id, item.name, item.value, self.vector_input(item))
        yield cell
        place = place_cell(cell_map, cell.features, item.name)
        yield {item.id: replace(place, known=(cell.n_known, len(cell.features)))}


class BySpike(Subject):
    """Recordings by the action potential in the window chosen, else by all that are found."""

    preparing = "Looking for action potentials in {name} …"
    follows = WINDOW

    def why_not(self, item: Item) -> str:
        """Voltage clamp has no spikes."""
        return why_not_judged(item.value) if isinstance(item.value, Recording) else ""

    @property
    def others(self) -> list[Item]:
        """Those with a window."""
        items = self.document.recordings
        return [item for item in items if self.value(item) is not None and self.document.choice(item.id, WINDOW)]

    def vector_input(self, item: Item) -> Any:
        """The window's samples, or the recording."""
        window = self.document.choice(item.id, WINDOW)
        return item.value if window is None else window.cut(item.value, missing="hold")

    def _place(self, cell_map: CellMap, item: Item) -> Generator[Step, None, None]:
        vector = cell_map.condense(self.vector_input(item))
        if not np.isfinite(vector).all():
            raise RecordingError(f"No action potential was found in {item.name}, by which it could be placed.")
        yield {item.id: place_vector(cell_map, vector, item.name)}


class ByNeuron(Subject):
    """Reconstructions by their form."""

    nothing = "No neuron is open: the reference cells alone are shown."
    preparing = "Looking at {name} …"

    @property
    def current(self) -> Item | None:
        """The neuron the docks show."""
        return self.document.current_neuron

    def value(self, item: Item) -> Any | None:
        """The neuron."""
        return item.value if isinstance(item.value, Neuron) else None

    def why_not(self, item: Item) -> str:
        """A neuron that runs in a circle has no form."""
        return why_no_type(item.value) if isinstance(item.value, Neuron) else ""

    @property
    def others(self) -> list[Item]:
        """All others that are open."""
        return [item for item in self.document.neurons if not self.why_not(item)]

    def vector_input(self, item: Item) -> Any:
        """The neuron itself."""
        return item.value


SUBJECTS: dict[str, type[Subject]] = {"features": ByFeatures, "waveform": BySpike, "neuron": ByNeuron}
"""By the input a map takes."""


def subject_of(cell_map: CellMap, document: Document) -> Subject:
    """What is placed on this map."""
    return SUBJECTS.get(cell_map.input, ByFeatures)(document)
