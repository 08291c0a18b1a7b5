"""Write the table of defects, which lives in the code, into ``docs/opening-neurons.md``."""

from __future__ import annotations

import re
from pathlib import Path

from napari_celltype.io.swc_defects import catalogue_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "opening-neurons.md"
BEGIN, END = "<!-- defects: begin -->", "<!-- defects: end -->"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = f"{BEGIN}\n{catalogue_table()}\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
