"""What the docks of gates and map let a worker do: load models, measure the current cell, judge it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_celltype.errors import ModelError
from napari_celltype.workbench.gates import CellGates, GateReference, contributions, gates_of
from napari_celltype.workbench.gates_sheet import Sheet, build_sheet
from napari_celltype.workbench.measured import MeasuredCell

__all__ = ["GATES_MODEL", "cell_steps", "load_gates_model", "reference_steps", "sheet_steps"]

GATES_MODEL = "lspin"


def load_gates_model(folder: Path | None = None) -> Any:
    """The LSPIN model; ``folder`` holds one that is not bundled.

    Raises
    ------
    ModelError
        If it is not installed or is damaged.
    """
    from napari_celltype.models.catalogue import load_model, model_infos

    if folder is not None:
        return load_model(folder, device="cpu")
    if not any(info.name == GATES_MODEL for info in model_infos()):
        raise ModelError(
            f"The model {GATES_MODEL}, whose gates are shown here, is not installed", hint="Reinstall napari-celltype."
        )
    return load_model(GATES_MODEL, device="cpu")


def reference_steps(folder: Path | None) -> Generator[tuple[Any, GateReference], None, None]:
    """The model and what it says of its reference cells."""
    model = load_gates_model(folder)
    yield model, GateReference.of(model)


def cell_steps(model: Any, cell: MeasuredCell) -> Generator[CellGates, None, None]:
    """Gates first; what each feature adds, which takes longer, after them."""
    found = gates_of(model, cell.features, cell.name)
    yield found
    yield replace(found, adds=contributions(model, cell.features))


def sheet_steps(
    reference: GateReference, cell: CellGates | None, options: dict[str, Any]
) -> Generator[Sheet, None, None]:
    """The heatmap laid out, reference cells clustered."""
    yield build_sheet(reference, cell, **options)
