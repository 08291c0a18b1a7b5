"""Write the table of supported recording formats from the registry; the documentation's build calls it."""

from __future__ import annotations

from pathlib import Path

from napari_celltype.io.registry import FORMATS

TABLE = Path(__file__).resolve().parents[1] / "docs" / "_generated" / "formats.md"


def table() -> str:
    rows = ["| format | usual suffix | what is read | needs |", "|---|---|---|---|"]
    for found in FORMATS:
        suffixes = ", ".join(f"`{suffix}`" for suffix in found.suffixes)
        needs = f'`pip install "napari-celltype[{found.extra}]"`' if found.extra else "nothing further"
        rows.append(f"| {found.name} | {suffixes} | {found.about} | {needs} |")
    return "\n".join(rows) + "\n"


def write(_app: object = None) -> None:
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    write()
