"""Fixtures every test may use."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# a shared machine can make any example slow; time is measured in benchmarks/, not here
settings.register_profile("untimed", deadline=None)
# a gate must answer the same way twice; the search for new examples belongs on a developer's machine
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_data_folder() -> Path | None:
    """Where the real data are, or None: NAPARI_CELLTYPE_DATA, else ``../shared/data`` beside the repository."""
    given = os.environ.get("NAPARI_CELLTYPE_DATA")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


SHARED_DATA = shared_data_folder()


@pytest.fixture(autouse=True)
def _state_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Journals of a test go to a folder of its own, never into the user's."""
    monkeypatch.setenv("NAPARI_CELLTYPE_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; skips the test where it is absent."""
    if SHARED_DATA is None:
        pytest.skip("the shared real data are not here (set NAPARI_CELLTYPE_DATA to their folder)")
    return SHARED_DATA


def shared_files(pattern: str) -> list[Path]:
    """Real files matching a glob, for parametrising; empty without the data."""
    return [] if SHARED_DATA is None else sorted(SHARED_DATA.glob(pattern))


@pytest.fixture(scope="session")
def real_swc_folder(shared_data: Path) -> Path:
    """The 2,180 real reconstructions, one folder a class, unpacked once per machine into the temporary folder."""
    archive = shared_data / "morphology" / "swc.tar.xz"
    folder = Path(tempfile.gettempdir()) / f"napari-celltype-swc-{archive.stat().st_size}"
    if not folder.is_dir():
        partial = Path(tempfile.mkdtemp(prefix=folder.name))
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        try:
            partial.rename(folder)
        except OSError:  # another run was quicker
            shutil.rmtree(partial)
    return folder
