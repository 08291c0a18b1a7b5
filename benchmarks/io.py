"""Opening and reading recordings: ours against the peer, taken in turn in one process, values compared first.

Run with ``python benchmarks/io.py``; the files are made here (seeded) in a temporary folder. Times are medians of
five turns on a machine that may be busy, so the ratio says more than the figures. ``CASES`` is the list of what is
measured; a case is a function that makes what it needs in a folder and gives a :class:`Case`.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")

TURNS = 5
SEED = 20240601


@dataclass(frozen=True)
class Case:
    """One comparison: both callables do the same work; ``compare`` raises if their results differ."""

    name: str
    peer_name: str
    ours: Callable[[], object]
    peer: Callable[[], object]
    compare: Callable[[object, object], None]
    target: str


@dataclass(frozen=True)
class Timing:
    """Median seconds of both sides, and the median of the ratios turn by turn."""

    case: Case
    ours_s: float
    peer_s: float
    ratio: float


def measure(case: Case) -> Timing:
    case.compare(case.ours(), case.peer())
    n_ours, n_peer = _repeats(case.ours), _repeats(case.peer)
    turns = [(_seconds(case.ours, n_ours), _seconds(case.peer, n_peer)) for _ in range(TURNS)]
    ratio = median(peer / ours for ours, peer in turns)
    return Timing(case, median(ours for ours, _ in turns), median(peer for _, peer in turns), ratio)


def _repeats(work: Callable[[], object]) -> int:
    """How often to do short work so that a turn lasts long enough to be timed."""
    return max(1, min(50, round(0.03 / _seconds(work, 1))))


def _seconds(work: Callable[[], object], repeats: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begin) / repeats


# ---- ABF ----------------------------------------------------------------------------------------------------------


def write_episodic_abf(path: Path, n_sweeps: int = 20, n_samples: int = 60_000) -> Path:
    """One channel in mV at 20 kHz as ABF 1, about the size of a usual step protocol."""
    from pyabf.abfWriter import writeABF1

    rng = np.random.default_rng(SEED)
    sweeps = -70 + rng.normal(0, 0.2, (n_sweeps, n_samples)).cumsum(axis=1).clip(-20, 100)
    writeABF1(sweeps, str(path), 20_000, units="mV")
    return path


def write_gap_free_abf(path: Path, megabytes: int = 265) -> Path:
    """One gap-free channel of 16-bit samples, written a block at a time."""
    n_samples = megabytes * 1_000_000 // 2
    write_episodic_abf(path, 1, 512)
    with path.open("r+b") as file:
        for offset, kind, value in ((8, "<i2", 3), (10, "<i4", n_samples), (16, "<i4", 1), (138, "<i4", n_samples)):
            file.seek(offset)
            file.write(np.array([value], kind).tobytes())
        file.seek(40)
        data_start = int(np.frombuffer(file.read(4), "<i4")[0]) * 512
        file.seek(data_start)
        rng = np.random.default_rng(SEED)
        block = rng.integers(-8000, 8000, 1_000_000, dtype=np.int16)
        for begin in range(0, n_samples, len(block)):
            file.write(block[: n_samples - begin].tobytes())
        file.truncate(data_start + 2 * n_samples)
    return path


def abf_open(folder: Path) -> Case:
    import pyabf

    from napari_celltype import read_recording

    path = write_episodic_abf(folder / "steps.abf")

    def compare(ours: object, peer: object) -> None:
        assert len(ours.sweeps) == peer.sweepCount
        peer.setSweep(7)
        np.testing.assert_allclose(ours.sweeps[7].voltage_mv(), peer.sweepY, rtol=1e-5)

    return Case(
        "ABF, 2.4 MB: list of sweeps",
        "pyabf, full load",
        lambda: read_recording(path),
        lambda: pyabf.ABF(str(path)),
        compare,
        "at least 3 times faster",
    )


def abf_one_sweep(folder: Path) -> Case:
    import pyabf

    from napari_celltype import read_recording

    path = write_episodic_abf(folder / "steps.abf")

    def peer() -> object:
        abf = pyabf.ABF(str(path))
        abf.setSweep(7)
        return abf.sweepY

    return Case(
        "ABF, 2.4 MB: open and read one sweep",
        "pyabf",
        lambda: read_recording(path).sweeps[7].voltage_mv(),
        peer,
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-5),
        "faster",
    )


def abf_all_sweeps(folder: Path) -> Case:
    import pyabf

    from napari_celltype import read_recording

    path = write_episodic_abf(folder / "steps.abf")

    def peer() -> object:
        return [row.mean(dtype=float) for row in pyabf.ABF(str(path)).data[0].reshape(20, -1)]

    return Case(
        "ABF, 2.4 MB: open and go through all sweeps",
        "pyabf",
        lambda: [sweep.voltage_mv().mean() for sweep in read_recording(path).sweeps],
        peer,
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-5),
        "equal",
    )


def abf_window_of_gap_free(folder: Path) -> Case:
    import pyabf

    from napari_celltype import read_recording

    path = write_gap_free_abf(folder / "gap_free.abf")

    def peer() -> object:
        return pyabf.ABF(str(path)).data[0][60_000_000:60_001_000]

    return Case(
        "ABF, 265 MB gap-free: open and read 50 ms",
        "pyabf",
        lambda: read_recording(path).sweeps[0].voltage_mv(3000.0, 3000.05),
        peer,
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-5),
        "10 ms",
    )


# ---- NWB ----------------------------------------------------------------------------------------------------------

N_NWB_SWEEPS = 60
N_NWB_SAMPLES = 600_000


def write_nwb(path: Path) -> Path:
    """60 sweeps of 3 s at 200 kHz, response and stimulus, gzip, by pynwb."""
    if path.exists():
        return path
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, H5DataIO, NWBFile
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    rng = np.random.default_rng(SEED)
    nwb = NWBFile("benchmark", "benchmark", datetime(2024, 1, 1, tzinfo=UTC))
    electrode = nwb.create_icephys_electrode(name="e", description="e", device=nwb.create_device(name="amplifier"))
    for k in range(N_NWB_SWEEPS):
        same = {
            "rate": 2e5,
            "starting_time": 5.0 * k,
            "electrode": electrode,
            "gain": 1.0,
            "sweep_number": np.uint64(k),
        }
        voltage = (-70 + rng.normal(0, 0.2, N_NWB_SAMPLES)).astype("f4")
        current = np.zeros(N_NWB_SAMPLES, "f4")
        current[100_000:300_000] = 10 * k
        response, stimulus = (H5DataIO(values, compression="gzip") for values in (voltage, current))
        nwb.add_acquisition(CurrentClampSeries(name=f"r_{k:02d}", data=response, conversion=1e-3, **same))
        nwb.add_stimulus(CurrentClampStimulusSeries(name=f"s_{k:02d}", data=stimulus, conversion=1e-12, **same))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def nwb_list_of_sweeps(folder: Path) -> Case:
    import pynwb

    from napari_celltype import read_recording

    path = write_nwb(folder / "sweeps.nwb")

    def ours() -> object:
        return [(s.number, s.rate_hz, s.n_stored, s.start_s, s.electrode) for s in read_recording(path).sweeps]

    def peer() -> object:
        with pynwb.NWBHDF5IO(path, "r") as io:
            found = io.read().acquisition.values()
            return [(int(s.sweep_number), s.rate, len(s.data), s.starting_time, s.electrode.name) for s in found]

    def compare(ours: object, peer: object) -> None:
        assert ours == sorted(peer)

    name = "NWB, 60 sweeps of 3 s at 200 kHz: list of sweeps, stimuli paired"
    return Case(name, "pynwb, responses only", ours, peer, compare, "at least 10 times faster")


def nwb_window(folder: Path) -> Case:
    import h5py

    from napari_celltype import read_recording

    path = write_nwb(folder / "sweeps.nwb")
    recording = read_recording(path)
    places = iter(np.random.default_rng(SEED).integers(0, 58, 1_000_000))

    def ours() -> object:
        # a new place each time, so that nothing kept from the last read helps
        place = int(next(places))
        return place, recording.sweeps[place].voltage_v(place * 0.05, place * 0.05 + 0.05)

    def peer() -> object:
        place = int(next(places))
        with h5py.File(path) as file:
            return place, file[f"acquisition/r_{place:02d}/data"][place * 10_000 : (place + 1) * 10_000] * 1e-3

    def compare(ours: object, peer: object) -> None:
        for place, values in (ours, peer):
            with h5py.File(path) as file:
                stored = file[f"acquisition/r_{place:02d}/data"][()].astype(float)
            np.testing.assert_allclose(values, stored[place * 10_000 : (place + 1) * 10_000] * 1e-3, rtol=1e-6)

    return Case("NWB, open: a 50 ms window at 200 kHz, gzip", "h5py by hand", ours, peer, compare, "10 ms")


# ---- what is measured: add functions of a folder here --------------------------------------------------------------

CASES: list[Callable[[Path], Case]] = [
    abf_open,
    abf_one_sweep,
    abf_all_sweeps,
    abf_window_of_gap_free,
    nwb_list_of_sweeps,
    nwb_window,
]


# ---- memory -------------------------------------------------------------------------------------------------------

_PEAK = """
import resource, sys
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(float(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
work(*WINDOW)
print((peak() - before) / 1e6)
"""
_OURS = """
from napari_celltype import read_recording
from napari_celltype.io import abf
def work(start_s, stop_s): return read_recording(PATH).sweeps[0].voltage_mv(start_s, stop_s)
"""
_PYABF = """
import numpy, pyabf
def work(start_s, stop_s):
    abf = pyabf.ABF(PATH)
    return numpy.array(abf.sweepY[int(start_s * 20000):int(stop_s * 20000)], float)
"""


def peak_megabytes(work: str, path: Path, window_s: tuple[float, float]) -> float:
    """Memory a fresh process took for a window at most, beyond what its imports took."""
    script = f"PATH, WINDOW = {str(path)!r}, {window_s}\n{work}{_PEAK}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def memory_table(folder: Path) -> list[str]:
    """Peak memory for the whole of a 265 MB gap-free file, and for a tenth of it."""
    path = write_gap_free_abf(folder / "gap_free.abf")
    length_s = 265_000_000 / 2 / 20_000
    rows = ["| window of a 265 MB gap-free ABF | as float64 | ours, peak | target |", "|---|---|---|---|"]
    for label, stop_s in (("all of it", length_s), ("a tenth of it", length_s / 10)):
        window = stop_s * 20_000 * 8 / 1e6
        ours = peak_megabytes(_OURS, path, (0.0, stop_s))
        rows.append(f"| {label} | {window:.0f} MB | {ours:.0f} MB ({ours / window:.2f}x) | at most 1.5x |")
    window_s = (1000.0, 1000.05)
    ours, peer = peak_megabytes(_OURS, path, window_s), peak_megabytes(_PYABF, path, window_s)
    return [*rows, f"\n50 ms of the same file: {ours:.1f} MB, with pyabf {peer:.0f} MB."]


# ---- report -------------------------------------------------------------------------------------------------------


def main() -> None:
    load = os.getloadavg()
    print(f"Load average {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}, {os.cpu_count()} cores; median of {TURNS} turns.\n")
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for make in CASES:
            print(row(measure(make(folder))), flush=True)
        print("\n" + "\n".join(memory_table(folder)))


def row(timing: Timing) -> str:
    case, ours, peer = timing.case, timing.ours_s * 1e3, timing.peer_s * 1e3
    return f"| {case.name} | {ours:.2f} ms | {peer:.1f} ms ({case.peer_name}) | {timing.ratio:.1f} | {case.target} |"


if __name__ == "__main__":
    main()
