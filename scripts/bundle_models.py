"""Copy trained models into the package: ``python scripts/bundle_models.py OUT/NAME ...``.

A model goes to ``src/napari_celltype/weights/<name>/<version>``. One that is there already is replaced only with
``--replace``: published weights keep their version number. The documentation gets a page with its card.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from napari_celltype.models.bundle import read_bundle
from napari_celltype.models.catalogue import load_model

WEIGHTS = Path(__file__).resolve().parents[1] / "src" / "napari_celltype" / "weights"
CARDS = WEIGHTS.parents[2] / "docs" / "cards"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--replace", action="store_true")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        info = read_bundle(folder).info
        gap = load_model(folder, device="cpu").self_test()
        target = WEIGHTS / info.name / info.version
        if target.exists() and not arguments.replace:
            sys.exit(f"{target} is there already; raise the version, or say --replace")
        target.mkdir(parents=True, exist_ok=True)
        for name in (*info.files, "model.toml"):
            shutil.copyfile(folder / name, target / name)
        page = CARDS / f"{info.name}.md"
        page.write_text(f"```{{include}} ../../src/napari_celltype/weights/{info.name}/{info.version}/CARD.md\n```\n")
        size = sum(path.stat().st_size for path in target.iterdir())
        print(f"{info.name} {info.version}: {size / 1e6:.2f} MB, self-test differs by {gap:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
