"""Writing SWC: bytes that were not edited stay, values read back the same, and no file is lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_celltype as nct
from napari_celltype.io.swc import parse_swc
from napari_celltype.io.swc_write import swc_bytes

FILE = (
    b"# made by hand\r\n#second\r\n\r\n"
    b" 1 1 0.50 0 -0.0 5.000 -1 \r\n"
    b"2\t3 1e1 0 0 1 1 extra 7 # here\r\n"
    b"# middle\r\n"
    b"oops\r\n"
    b"4 3 12.340 0 0 1 2\r\n"
    b"9 3 13 0 0 1 77\r\n"
    b"# last\r\n"
    b"10 3 14 0 0 1.0 4"
)


def assert_same_arrays(a: nct.Neuron, b: nct.Neuron) -> None:
    for name in ("ids", "types", "xyz_um", "radii_um", "parents"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def moved(neuron: nct.Neuron, row: int, z: float) -> nct.Neuron:
    xyz = neuron.xyz_um.copy()
    xyz[row, 2] = z
    return neuron.replace(xyz_um=xyz)


VARIANTS = {
    "as it is": FILE,
    "bom": b"\xef\xbb\xbf" + FILE,
    "no comment": b"1 1 0 0 0 1 -1\n2 3 1 0 0 1 1",
    "comma separated": b"1,1,0,0,0,1,-1\n2, 3, 1, 0, 0, 1, 1\n",
    "classic mac": b"# a\r1 1 0 0 0 1 -1\r2 3 1 0 0 1 1\r",
    "utf-16": "1 1 0 0 0 1 -1\n".encode("utf-16"),
    "latin-1": b"# \xe9\n1 1 0 0 0 1 -1\n",
    "missing parent": b"1 1 0 0 0 1 5\n",
    "nan": b"1 1 NaN 0 0 1 -1\n",
    "duplicates": b"1 1 0 0 0 1 -1\n1 3 1 0 0 1 1\n2 3 1 0 0 1 1\n",
}


@pytest.mark.parametrize("raw", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_file_that_was_not_edited_keeps_its_bytes(tmp_path: Path, raw: bytes) -> None:
    source, target = tmp_path / "a.swc", tmp_path / "b.swc"
    source.write_bytes(raw)
    assert nct.write_swc(nct.read_neuron(source), target) == target
    assert target.read_bytes() == raw


def test_only_the_changed_column_of_the_changed_line_is_rewritten() -> None:
    neuron = parse_swc(FILE)
    edited = moved(neuron, 1, -3.25)
    expected = FILE.replace(b"2\t3 1e1 0 0 1 1 extra 7 # here", b"2\t3 1e1 0 -3.25 1 1 extra 7 # here")
    assert swc_bytes(edited) == expected
    assert swc_bytes(moved(edited, 1, 0.0)) == FILE


def test_a_removed_node_takes_its_line_and_leaves_the_comments() -> None:
    text = swc_bytes(parse_swc(FILE).take([0, 1, 3, 4]))
    assert text == FILE.replace(b"4 3 12.340 0 0 1 2\r\n", b"").replace(b"1.0 4", b"1.0 -1")


def test_new_nodes_get_lines_in_the_file_style_and_reordered_rows_come_in_their_order() -> None:
    neuron = parse_swc(FILE)
    grown = neuron.append([[1, 2, 3.5]], [1])
    text = swc_bytes(grown)
    assert text == FILE + b"\r\n11 3 1 2 3.5 1 2\r\n"
    turned = grown.take([5, 4, 3, 2, 1, 0])
    again = parse_swc(swc_bytes(turned))
    assert_same_arrays(again, turned)
    for part in (b"# made by hand\r\n#second\r\n", b"# middle\r\n", b"oops\r\n", b"# last\r\n"):
        assert swc_bytes(turned).count(part) == 1
    assert swc_bytes(turned).startswith(b"# made by hand\r\n")


def test_a_missing_parent_stays_missing_even_if_its_id_is_given_to_a_new_node() -> None:
    neuron = parse_swc(FILE)
    assert b"9 3 13 0 0 1 77\r\n" in swc_bytes(moved(neuron, 0, 1.0))
    adopted = neuron.append([[0, 0, 0]], [0], ids=[77])
    again = parse_swc(swc_bytes(adopted))
    assert again.parents[3] == -1


def test_provenance_goes_after_the_leading_comments_once() -> None:
    neuron = moved(parse_swc(b"\xef\xbb\xbf" + FILE), 0, 2.0)
    notes = ["edited: node 1", "# two\nlines"]
    text = swc_bytes(neuron, comments=notes)
    assert text.startswith(b"\xef\xbb\xbf# made by hand\r\n#second\r\n# edited: node 1\r\n# two\r\n# lines\r\n\r\n 1 1")
    again = parse_swc(text)
    assert swc_bytes(again, comments=notes) == text
    assert_same_arrays(again, neuron)


def test_provenance_comes_first_where_there_are_no_comments() -> None:
    assert swc_bytes(parse_swc(b"1 1 0 0 0 1 -1"), comments=["x"]) == b"# x\n1 1 0 0 0 1 -1"


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=60)
@given(st.data())
def test_any_edit_reads_back_as_it_was_in_memory(data: st.DataObject) -> None:
    neuron = parse_swc(FILE)
    for _ in range(data.draw(st.integers(1, 4))):
        n = len(neuron)
        match data.draw(st.sampled_from(["move", "take", "append", "radius", "type", "cut"])):
            case "move":
                neuron = moved(neuron, data.draw(st.integers(0, n - 1)), data.draw(finite))
            case "take":
                rows = data.draw(st.permutations(range(n)))
                neuron = neuron.take(rows[: data.draw(st.integers(1, n))])
            case "append":
                neuron = neuron.append([[data.draw(finite), 0, 1e-7]], [data.draw(st.integers(-1, n - 1))])
            case "radius":
                neuron = neuron.replace(radii_um=neuron.radii_um * data.draw(st.floats(0.1, 10)))
            case "type":
                neuron = neuron.replace(types=np.full(n, data.draw(st.integers(0, 300))))
            case "cut":
                parents = neuron.parents.copy()
                parents[data.draw(st.integers(0, n - 1))] = -1
                neuron = neuron.replace(parents=parents)
    again = parse_swc(swc_bytes(neuron, comments=["edited"]))
    assert_same_arrays(again, neuron)
    assert swc_bytes(again).count(b"oops") == 1


@given(st.lists(st.tuples(finite, finite, finite, finite), min_size=1, max_size=20))
def test_a_neuron_from_arrays_reads_back_exactly(rows: list[tuple[float, ...]]) -> None:
    table = np.array(rows)
    neuron = nct.Neuron.from_arrays(table[:, :3], np.arange(len(rows)) - 1, radii_um=table[:, 3])
    assert_same_arrays(parse_swc(swc_bytes(neuron)), neuron)


def test_a_compressed_file_stays_compressed_under_a_gz_name_and_is_unpacked_under_another(tmp_path: Path) -> None:
    source = tmp_path / "a.swc.gz"
    source.write_bytes(gzip.compress(FILE))
    neuron = nct.read_neuron(source)
    assert nct.write_swc(neuron, tmp_path / "b.swc.gz").read_bytes() == source.read_bytes()
    assert nct.write_swc(neuron, tmp_path / "b.swc").read_bytes() == FILE
    edited = nct.write_swc(moved(neuron, 0, 9.0), tmp_path / "c.swc.gz")
    assert gzip.decompress(edited.read_bytes()) == swc_bytes(moved(neuron, 0, 9.0))


def test_an_existing_file_is_left_alone_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.swc"
    path.write_bytes(b"precious")
    neuron = parse_swc(FILE)
    with pytest.raises(nct.NeuronError, match=r"exists already.*overwrite=True"):
        nct.write_swc(neuron, path)
    assert path.read_bytes() == b"precious"
    nct.write_swc(neuron, path, overwrite=True)
    assert path.read_bytes() == FILE
    assert [p.name for p in tmp_path.iterdir()] == ["a.swc"]


def test_an_absent_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(nct.NeuronError, match="folder exists"):
        nct.write_swc(parse_swc(FILE), tmp_path / "no" / "a.swc")


def test_a_cycle_is_not_saved(tmp_path: Path) -> None:
    neuron = parse_swc(b"1 3 0 0 0 1 2\n2 3 1 0 0 1 1\n")
    with pytest.raises(nct.NeuronError, match=r"cannot be saved.*own ancestors: 1, 2"):
        nct.write_swc(neuron, tmp_path / "a.swc")
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_its_id_does_not_single_out_is_not_saved() -> None:
    neuron = parse_swc(b"1 1 0 0 0 1 -1\n1 3 1 0 0 1 1\n2 3 1 0 0 1 1\n")
    with pytest.raises(nct.NeuronError, match=r"node 2 .*id 1 belongs to several nodes.*new ids"):
        swc_bytes(neuron.replace(parents=np.array([-1, 0, 1])))


def test_an_empty_neuron_is_not_saved() -> None:
    with pytest.raises(nct.NeuronError, match="no node"):
        swc_bytes(parse_swc(FILE).take([]))
