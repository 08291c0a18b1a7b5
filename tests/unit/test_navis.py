"""Other neuron formats come in and go out through navis without losing a node."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import napari_celltype as nct
from napari_celltype.io.navis_bridge import from_treeneuron, to_treeneuron, write_other
from napari_celltype.io.swc import parse_swc

navis = pytest.importorskip("navis")

TEXT = b"7 1 0.5 0 0 5 -1\n9 3 1.25 -2 3 0.5 7\n12 3 2 -2 3.75 0.25 9\n30 4 0 -2 1 0.25 7\n"


@pytest.fixture
def neuron() -> nct.Neuron:
    return parse_swc(TEXT, name="cell")


def assert_same_tree(a: nct.Neuron, b: nct.Neuron, *, tolerance: float = 0) -> None:
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_array_equal(a.parents, b.parents)
    np.testing.assert_allclose(a.xyz_um, b.xyz_um, rtol=tolerance)
    np.testing.assert_allclose(a.radii_um, b.radii_um, rtol=tolerance)


def test_a_tree_neuron_and_back_is_the_same_neuron(neuron: nct.Neuron) -> None:
    skeleton = to_treeneuron(neuron)
    back = from_treeneuron(skeleton)
    assert_same_tree(back, neuron)
    np.testing.assert_array_equal(back.types, neuron.types)
    assert back.name == "cell"
    length = np.linalg.norm(neuron.xyz_um[1:] - neuron.xyz_um[neuron.parents[1:]], axis=1).sum()
    assert skeleton.cable_length == pytest.approx(length)


def test_units_of_a_tree_neuron_become_micrometres(neuron: nct.Neuron) -> None:
    skeleton = to_treeneuron(neuron).convert_units("nm")
    assert_same_tree(from_treeneuron(skeleton), neuron, tolerance=1e-12)


def test_json_reads_back_with_a_note_on_the_unit(tmp_path: Path, neuron: nct.Neuron) -> None:
    path = write_other(neuron, tmp_path / "cell.json")
    back = nct.read_neuron(path)
    assert_same_tree(back, neuron)
    assert [d.code for d in back.defects] == ["other-format", "no-unit"]
    assert nct.write_swc(back, tmp_path / "cell.swc").read_bytes().startswith(b"# id type")


def test_a_precomputed_skeleton_reads_back(tmp_path: Path, neuron: nct.Neuron) -> None:
    back = nct.read_neuron(write_other(neuron, tmp_path / "1234.precomputed"))
    assert len(back) == len(neuron)
    np.testing.assert_allclose(np.sort(back.xyz_um, axis=0), np.sort(neuron.xyz_um, axis=0), rtol=1e-6)
    np.testing.assert_allclose(np.sort(back.radii_um), np.sort(neuron.radii_um), rtol=1e-6)


NML = """<things><thing id="1"><nodes>
<node id="1" x="1.5" y="2" z="3" radius="1"/><node id="2" x="2.5" y="2" z="3" radius="0.5"/>
</nodes><edges><edge source="1" target="2"/></edges></thing></things>"""


def test_nmx_archives_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cell.nmx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cell/skeleton.nml", NML)
    neuron = nct.read_neuron(path)
    np.testing.assert_array_equal(neuron.xyz_um, [[1.5, 2, 3], [2.5, 2, 3]])
    assert sorted(neuron.parents.tolist()) == [-1, 0]
    assert "other-format" in {d.code for d in neuron.defects}


def test_an_archive_without_a_skeleton_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.nmx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(nct.NeuronError, match="without a skeleton"):
        nct.read_neuron(path)


def test_what_navis_would_turn_into_another_tree_is_not_handed_to_it() -> None:
    with pytest.raises(nct.NeuronError, match="cannot be handed to navis"):
        to_treeneuron(parse_swc(b"1 3 0 0 0 1 2\n2 3 1 0 0 1 1\n"))
    with pytest.raises(nct.NeuronError, match="same id"):
        to_treeneuron(parse_swc(b"1 3 0 0 0 1 -1\n1 3 1 0 0 1 1\n"))


def test_unknown_suffixes_and_existing_files_are_refused(tmp_path: Path, neuron: nct.Neuron) -> None:
    with pytest.raises(nct.NeuronError, match=r"suffix '.xyz'"):
        write_other(neuron, tmp_path / "a.xyz")
    (tmp_path / "a.json").write_text("precious")
    with pytest.raises(nct.NeuronError, match="exists already"):
        write_other(neuron, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "precious"


def test_reading_swc_does_not_import_navis(tmp_path: Path) -> None:
    path = tmp_path / "a.swc"
    path.write_bytes(TEXT)
    code = "import sys, napari_celltype as n; n.read_neuron(sys.argv[1]); print({'navis', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
