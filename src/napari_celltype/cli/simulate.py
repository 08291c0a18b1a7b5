"""``napari-celltype simulate``: a data set of artificial neurons."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ._folders import Row, save_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KINDS = ("basket", "pyramidal", "granule", "Purkinje", "motoneuron", "fly")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "simulate",
        help="grow artificial neurons of several classes",
        description="Grow artificial neurons by a minimum spanning tree with a balancing factor. As it is, the "
        "command makes the two-class data set of Zhang et al.: 500 basket and 500 pyramidal cells.",
    )
    parser.add_argument("target", type=Path, metavar="FOLDER", help="new or empty folder; one folder a class is made")
    parser.add_argument(
        "--classes",
        nargs="+",
        choices=_KINDS,
        default=["basket", "pyramidal"],
        metavar="CLASS",
        help=f"of {', '.join(_KINDS)} (default: basket pyramidal)",
    )
    parser.add_argument("--count", type=int, default=500, help="neurons of each class (default 500)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same neurons (default 0)")
    parser.add_argument("--spacing", type=float, default=3.0, metavar="UM", help="distance between nodes (default 3)")
    parser.add_argument("--images", type=int, metavar="PX", help="also three views of each as an RGB image this wide")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Grow the neurons and list them in ``index.csv``."""
    from tqdm import tqdm

    from napari_celltype.errors import CelltypeError

    folder: Path = arguments.target
    if arguments.count < 1:
        raise CelltypeError(f"the count must be at least 1, not {arguments.count}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CelltypeError("is not an empty folder, and nothing is overwritten", path=folder, hint="Name a new one.")
    jobs = [(kind, number) for kind in dict.fromkeys(arguments.classes) for number in range(arguments.count)]
    rows = [_grow(folder, kind, number, arguments) for kind, number in tqdm(jobs, file=sys.stderr, unit="neuron")]
    save_table(rows, folder / "index.csv")
    print(f"{len(rows)} neurons in {folder}")
    return 0


def _grow(folder: Path, kind: str, number: int, arguments: argparse.Namespace) -> Row:
    from napari_celltype.io import write_swc
    from napari_celltype.morphology.projection import project
    from napari_celltype.morphology.simulation import simulate

    seed = arguments.seed * 100_003 + number
    neuron = simulate(kind, seed, spacing_um=arguments.spacing)
    path = folder / kind / f"{kind}_{number:04d}.swc"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_swc(neuron, path, comments=[f"artificial {kind} neuron, seed {seed}"])
    if arguments.images:
        _save_image(project(neuron, arguments.images), path.with_suffix(".png"))
    return {"file": str(path.relative_to(folder)), "class": kind, "seed": seed, "n_nodes": len(neuron)}


def _save_image(views: NDArray[np.float32], path: Path) -> None:
    """Write the three views as red, green and blue."""
    import io

    from PIL import Image

    from napari_celltype.io.atomic import write_atomically

    png = io.BytesIO()
    Image.fromarray((255 * views.transpose(1, 2, 0)).round().astype("uint8")).save(png, "PNG")
    write_atomically(path, png.getvalue())
