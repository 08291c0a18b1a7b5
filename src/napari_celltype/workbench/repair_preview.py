"""What mending one jump would do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_celltype.neuron import Neuron
from napari_celltype.tree import IntArray

from .repair_jumps import JumpRow

__all__ = ["Preview"]


@dataclass(frozen=True, eq=False)
class Preview:
    """A neuron without and with one jump mended, and the rows that differ (the same rows in both)."""

    row: JumpRow
    before: Neuron
    after: Neuron

    @cached_property
    def moved(self) -> IntArray:
        """Rows that lie elsewhere, or hang elsewhere, afterwards."""
        if len(self.before) != len(self.after):
            return np.empty(0, dtype=np.int64)
        same = (self.before.xyz_um == self.after.xyz_um) | np.isnan(self.before.xyz_um)
        return np.flatnonzero(~same.all(axis=1) | (self.before.parents != self.after.parents))
