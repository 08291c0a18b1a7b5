"""Recall and precision of z-jump detection on clean reconstructions with injected jumps.

Writes docs/zjump-benchmark.md.

Files from sources without natural jumps get jumps of known place and size: anywhere, at forks, in runs of
neighbouring nodes, and near the soma. Files are halved by the hash of their cell's name: thresholds may be tuned on
one half only, the other is reported.

    python benchmarks/zjump_recall.py --data ../shared/data --swc FOLDER_OF_UNPACKED_SWC [--half report]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from napari_celltype import Neuron, read_neuron
from napari_celltype.morphology import measure_z_steps, repair_z_jumps
from napari_celltype.morphology.augmentation import inject_z_jumps, z_jump_sites

PLACES = ("anywhere", "forks", "runs", "soma")
SLOPES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
HEIGHTS = (5.0, 7.5, 10.0, 12.5, 15.0, 20.0)
JUMPS_PER_FILE = 8
BINS = (5, 10, 15, 20, 30, 45, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data")
    parser.add_argument("--swc", type=Path, required=True, help="folder the archive of reconstructions is unpacked to")
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--every", type=int, default=1, help="use only each n-th file")
    parser.add_argument("--write", type=Path, help="page to write")
    arguments = parser.parse_args()
    files = clean_files(arguments.data, arguments.half)[:: arguments.every]
    trials = pd.DataFrame([vars(trial) for trial in run(files, arguments.swc)])
    steps = trials[trials["kind"] != "file"]
    page = report(steps, trials[trials["kind"] == "file"], arguments.half)
    print(page)
    if arguments.write:
        arguments.write.write_text(page)


def clean_files(data: Path, half: str) -> pd.DataFrame:
    """Files of the sources that have no natural jump, one half of the cells."""
    index = pd.read_csv(data / "morphology" / "index.csv")
    clean = index["source"].isin(["aibs", "morphOMICs"]) | index["class"].isin(["Purkinje", "ganglion"])
    jumpy = set(pd.read_csv(data / "morphology" / "zjump_candidates.csv")["file"])
    index = index[clean & ~index["file"].isin(jumpy)]
    odd = index["cell"].map(lambda cell: hashlib.sha256(str(cell).encode()).digest()[0] % 2)
    return index[odd == (half == "report")]


@dataclass(frozen=True)
class Trial:
    """One step of one file: injected, or found although not injected; or a file's summary."""

    kind: str
    file: str
    place: str
    size_um: float = 0.0
    dz_um: float = 0.0
    slope: float = 0.0
    error_um: float = 0.0
    nodes_within_1_um: float = 0.0


def run(files: pd.DataFrame, folder: Path) -> Iterator[Trial]:
    from tqdm import tqdm

    for number, file in enumerate(tqdm(files["file"], file=sys.stderr)):
        seed = int.from_bytes(hashlib.sha256(file.encode()).digest()[:4], "little")
        place = PLACES[number % len(PLACES)]
        yield from try_file(read_neuron(folder / file), file, place, np.random.default_rng(seed))


def try_file(truth: Neuron, file: str, place: str, rng: np.random.Generator) -> Iterator[Trial]:
    sites = z_jump_sites(truth, rng, JUMPS_PER_FILE, place)
    if not sites:
        return
    sizes = rng.uniform(5, 60, len(sites))
    damaged = inject_z_jumps(truth, sites, sizes * rng.choice([-1, 1], len(sites)))
    steps = measure_z_steps(damaged)
    size_of = dict(zip(truth.rows_of(sites).tolist(), sizes, strict=True))
    for i, row in enumerate(steps.rows.tolist()):
        height = float(steps.dz_um[i])
        if row in size_of:
            natural = abs(height) if steps.excluded[i] else truth.xyz_um[row, 2] - truth.xyz_um[truth.parents[row], 2]
            yield Trial("injected", file, place, size_of[row], height, float(steps.slope[i]), abs(natural))
        elif abs(height) >= min(HEIGHTS) and steps.slope[i] >= min(SLOPES) and not steps.excluded[i]:
            yield Trial("natural", file, place, 0.0, height, float(steps.slope[i]))
    yield Trial("file", file, place, error_um=0.0, nodes_within_1_um=repaired_part(truth, sites, sizes, rng))


def repaired_part(truth: Neuron, sites: list[int], sizes: np.ndarray, rng: np.random.Generator) -> float:
    """Part of the nodes downstream of a jump of 15 um or more that repair brings within 1 um of the truth.

    Jumps are injected one at a time, so that what is measured is one repair and not the sum of eight.
    """
    within, all_nodes = 0, 0
    for site, size in zip(sites, sizes, strict=True):
        if size < 15:
            continue
        damaged = inject_z_jumps(truth, [site], [size * rng.choice([-1, 1])])
        steps = measure_z_steps(damaged)
        repaired = repair_z_jumps(damaged, steps.jumps(steps.select()))
        moved = damaged.xyz_um[:, 2] != truth.xyz_um[:, 2]
        error = np.abs(repaired.xyz_um[:, 2] - truth.xyz_um[:, 2])[moved]
        within, all_nodes = within + int((error <= 1).sum()), all_nodes + int(moved.sum())
    return within / all_nodes if all_nodes else np.nan


def rates(steps: pd.DataFrame, min_dz: float, min_slope: float, least_size: float) -> tuple[float, float, int, int]:
    """Recall of jumps of at least a size, precision among all found, missed, and falsely found."""
    found = (steps["dz_um"].abs() >= min_dz) & (steps["slope"] >= min_slope)
    injected = steps["kind"] == "injected"
    wanted = injected & (steps["size_um"] >= least_size)
    wrong = int((found & ~injected).sum())
    return (
        float((found & wanted).sum() / max(wanted.sum(), 1)),
        float((found & injected).sum() / max(found.sum(), 1)),
        int((wanted & ~found).sum()),
        wrong,
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def report(steps: pd.DataFrame, files: pd.DataFrame, half: str) -> str:
    recall, precision, missed, wrong = rates(steps, 10, 3, 15)
    injected = steps[steps["kind"] == "injected"]
    large = injected[injected["size_um"] >= 15]
    by_place = [
        [place, str(len(part)), *(f"{rate:.3f}" for rate in rates(part, 10, 3, 15)[:2])]
        for place, part in steps.groupby("place")
    ]
    by_size = []
    for low, high in pairwise(BINS):
        part = injected[injected["size_um"].between(low, high, inclusive="left")]
        by_size.append([f"{low} to {high}", str(len(part)), f"{rates(part, 10, 3, 0)[0]:.3f}"])
    curve = [
        [f"{dz:g}", f"{slope:g}", *(f"{rate:.3f}" for rate in rates(steps, dz, slope, 15)[:2])]
        for dz in HEIGHTS
        for slope in (0.0, 1.0, 2.0, 3.0, 6.0)
    ]
    head = ["injected", "recall", "precision"]
    within = files["nodes_within_1_um"].dropna()
    return PAGE.format(
        half="the half not used for tuning" if half == "report" else "the half used for tuning",
        files=len(files),
        jumps=len(injected),
        large=len(large),
        recall=recall,
        precision=precision,
        missed=missed,
        wrong=wrong,
        step_ok=float((large["error_um"] <= 1).mean()),
        nodes_ok=float(within.mean()),
        places=table(["place", *head], by_place),
        sizes=table(["size (um)", "injected", "recall"], by_size),
        curve=table(["smallest height (um)", "smallest slope", "recall", "precision"], curve),
    )


PAGE = """# How well z-jumps are found

Written by `benchmarks/zjump_recall.py`. Reconstructions from sources without natural jumps got jumps of known place
and size (5 to 60 um): anywhere, at forks, in runs of neighbouring nodes, near the soma. Any step may be hit, however
long it is. The files are {half}: {files} files, {jumps} jumps, {large} of them of 15 um or more.

With the thresholds as they come (10 um, slope 3):

- recall of jumps of 15 um or more: **{recall:.3f}** ({missed} missed)
- precision among all steps found: **{precision:.3f}** ({wrong} found that were not injected)
- of the repaired steps {step_ok:.3f} differ by at most 1 um from what the step was before the damage; of the nodes
  downstream of a single jump {nodes_ok:.3f} come back to within 1 um of the truth.

A repair by `align` makes the step flat. What the neurite had risen there by itself is lost: that is the error.

## By place

{places}

## By size

Small jumps are under the threshold by intention.

{sizes}

## By threshold

Recall is that of jumps of 15 um or more.

{curve}
"""


if __name__ == "__main__":
    main()
