"""All sweeps of a recording as one lazy array (optional dependency: extra ``dask``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_celltype.errors import RecordingError
from napari_celltype.recording import FloatArray, Recording, Sweep

if TYPE_CHECKING:
    import dask.array

__all__ = ["stack_sweeps"]

_MOST_SAMPLES_A_BLOCK = 1 << 20


def stack_sweeps(recording: Recording, signal: Literal["voltage_mv", "current_pa"] = "voltage_mv") -> dask.array.Array:
    """Sweeps by samples, read block by block as something computes on them.

    Shorter sweeps end in NaN. All sweeps must have one sampling rate, since a column is one moment.

    Raises
    ------
    RecordingError
        If dask is not installed, or the sampling rates differ.
    """
    try:
        import dask.array as da
    except ImportError as error:
        raise RecordingError(
            "stacking sweeps lazily needs dask", hint='Install it: pip install "napari-celltype[dask]".'
        ) from error
    rates = {sweep.rate_hz for sweep in recording.sweeps}
    if len(rates) != 1:
        raise RecordingError(
            f"its sweeps cannot be stacked: they have {len(rates)} sampling rates",
            path=recording.path,
            hint="Read the sweeps one by one, or choose those of one rate.",
        )
    width = max(sweep.n_stored for sweep in recording.sweeps)
    blocks = da.core.normalize_chunks((1, _MOST_SAMPLES_A_BLOCK), shape=(len(recording.sweeps), width))
    return da.map_blocks(_read_block, recording.sweeps, signal, dtype=np.float64, chunks=blocks)


def _read_block(sweeps: list[Sweep], signal: str, block_info: dict[Any, Any] | None = None) -> FloatArray:
    assert block_info is not None
    (row, _), (start, stop) = block_info[None]["array-location"]
    sweep = sweeps[row]
    block = np.full((1, stop - start), np.nan)
    values = getattr(sweep, signal)(start / sweep.rate_hz, stop / sweep.rate_hz)
    if values is not None:
        block[0, : values.size] = values
    return block
