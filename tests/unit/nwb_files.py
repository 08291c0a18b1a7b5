"""Small NWB files written with h5py alone, so that every field can be left out or spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ELECTRODES = "general/intracellular_ephys"


def add_series(
    file: h5py.File,
    path: str,
    data: Any,
    *,
    kind: str = "CurrentClampSeries",
    unit: str = "volts",
    conversion: float | None = 1e-3,
    rate: float | None = 20_000.0,
    start: float = 0.0,
    number: int | None = None,
    electrode: str | None = "electrode_0",
    data_attrs: Mapping[str, Any] | None = None,
    text: Callable[[str], Any] = str,
    **storage: Any,
) -> h5py.Group:
    group = file.create_group(path)
    group.attrs["neurodata_type"] = text(kind)
    if number is not None:
        group.attrs["sweep_number"] = np.uint64(number)
    dataset = group.create_dataset("data", data=data, **storage)
    dataset.attrs["unit"] = text(unit)
    if conversion is not None:
        dataset.attrs["conversion"] = conversion
    for name, value in (data_attrs or {}).items():
        dataset.attrs[name] = value
    if rate is not None:
        group["starting_time"] = start
        group["starting_time"].attrs["rate"] = rate
    if electrode is not None:
        file.require_group(f"{ELECTRODES}/{electrode}").attrs["neurodata_type"] = "IntracellularElectrode"
        group["electrode"] = h5py.SoftLink(f"/{ELECTRODES}/{electrode}")
    return group


def add_stimulus(file: h5py.File, name: str, data: Any, **fields: Any) -> h5py.Group:
    fields = {"kind": "CurrentClampStimulusSeries", "unit": "amperes", "conversion": 1e-12, **fields}
    return add_series(file, f"stimulus/presentation/{name}", data, **fields)


def membrane(n: int, seed: int = 0) -> np.ndarray:
    """A resting potential in mV."""
    return (-70 + np.random.default_rng(seed).normal(0, 0.2, n)).astype("f4")


def write_sweeps(path: Path, numbers: Iterable[int] = range(3), n: int = 1000, text: Any = str, **storage: Any) -> Path:
    """A plain current-clamp file: a response and a stimulus for each sweep."""
    storage["text"] = text
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = text("2.6.0")
        file.create_group("acquisition")
        for number in numbers:
            step = np.zeros(n, "f4")
            step[n // 4 : n // 2] = 10 * (number + 1)
            add_series(
                file,
                f"acquisition/data_{number:05d}_AD0",
                membrane(n, number),
                number=number,
                start=2.0 * number,
                **storage,
            )
            add_stimulus(file, f"data_{number:05d}_DA0", step, number=number, start=2.0 * number, **storage)
    return path
