"""The architecture as a test: who may import whom, and what importing the package costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_celltype as nct

PACKAGE = Path(nct.__file__).parent
GUI = {"napari", "qtpy", "magicgui", "pyqtgraph", "vispy", "superqt", "PyQt6", "PySide6"}
CORE = ("io", "ephys", "morphology", "models", "training", "workbench", "samples", "download")
DOMAIN = ("errors", "recording", "neuron", "tree")
LATER = {
    "io": {"ephys", "models", "training", "workbench"},
    "samples": {"models", "training", "workbench"},
    "ephys": {"models", "training", "workbench", "morphology"},
    "morphology": {"models", "training", "workbench", "ephys"},
    "models": {"training", "workbench"},
    "training": {"workbench"},
    "download": {"ephys", "morphology", "models", "training", "workbench"},
}


def imports_of(source: Path) -> Iterator[tuple[str, bool, int]]:
    """Each imported dotted name, whether at module level, and its line."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inner, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ("napari_celltype", *source.relative_to(PACKAGE).with_suffix("").parts)[: -node.level]
                base = ".".join([*parts, base] if base else parts)
            yield base, id(node) not in inner, node.lineno
            yield from ((f"{base}.{alias.name}", id(node) not in inner, node.lineno) for alias in node.names)


def sources(part: str) -> list[Path]:
    single = PACKAGE / f"{part}.py"
    return [single] if single.exists() else sorted((PACKAGE / part).rglob("*.py"))


@pytest.mark.parametrize("part", [*CORE, *DOMAIN])
def test_only_the_napari_folder_knows_a_gui(part: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in sources(part)
        for name, _, line in imports_of(path)
        if name.split(".")[0] in GUI or name.startswith("napari_celltype._napari")
    ]
    assert found == []


@pytest.mark.parametrize("part", sorted(LATER))
def test_nothing_points_back(part: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in sources(part)
        for name, _, line in imports_of(path)
        for later in LATER[part]
        if name.split(".")[:2] == ["napari_celltype", later]
    ]
    assert found == []


def test_torch_is_imported_at_module_level_only_where_it_is_at_home() -> None:
    at_home = ("models/networks/", "models/runtime.py", "training/")
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(at_home)
        for name, top, line in imports_of(path)
        if top and name.split(".")[0] == "torch"
    ]
    assert found == []


def test_navis_is_used_by_one_module() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, _, _ in imports_of(path)
        if name.split(".")[0] == "navis"
    }
    assert users <= {"io/navis_bridge.py"}


def test_importing_the_package_is_light() -> None:
    heavy = ["torch", "napari", "qtpy", "pandas", "scipy", "h5py", "pyabf", "pynwb", "navis", "matplotlib"]
    code = f"import sys, napari_celltype; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    for name in nct.__all__:
        assert getattr(nct, name) is not None
    assert set(nct.__all__) <= set(dir(nct))


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read_everything'"):
        nct.read_everything  # noqa: B018
