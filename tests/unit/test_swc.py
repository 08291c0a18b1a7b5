"""Reading SWC: every number exact, every node shown, whatever the file looks like."""

from __future__ import annotations

import gzip
import itertools
import locale
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_celltype as nct
from conftest import shared_files
from napari_celltype.io.neurons import is_neuron_file
from napari_celltype.io.numbers import pad, read_number, scan_numbers
from napari_celltype.io.swc import find_parent_rows, parse_swc
from napari_celltype.io.swc_write import swc_bytes

CLEAN = b"# by hand\n1 1 0 0 0 5 -1\n2 3 1.5 -2.25 3e-1 .5 1\n3 3 +2 -3. 0.1 0.25 2\n"


def read(text: bytes) -> nct.Neuron:
    return parse_swc(text)


def loop_reference(raw: bytes) -> np.ndarray:
    """The seven columns by the plainest loop there is."""
    rows = []
    for line in raw.decode("latin-1").split("\n"):
        words = line.split("#")[0].split()
        try:
            rows.append([float(word) for word in words[:7]])
        except ValueError:
            continue
    return np.array([row for row in rows if len(row) == 7])


def assert_equals_reference(neuron: nct.Neuron, raw: bytes) -> None:
    table = loop_reference(raw)
    np.testing.assert_array_equal(neuron.ids, table[:, 0])
    np.testing.assert_array_equal(neuron.types, table[:, 1])
    np.testing.assert_array_equal(neuron.xyz_um, table[:, 2:5])
    np.testing.assert_array_equal(neuron.radii_um, table[:, 5])
    np.testing.assert_array_equal(neuron.text.parent_ids, table[:, 6])


def test_values_parents_and_name_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cell.CNG.swc"
    path.write_bytes(CLEAN)
    neuron = nct.read_neuron(str(path))
    np.testing.assert_array_equal(neuron.xyz_um, [[0, 0, 0], [1.5, -2.25, 0.3], [2, -3, 0.1]])
    np.testing.assert_array_equal(neuron.radii_um, [5, 0.5, 0.25])
    np.testing.assert_array_equal(neuron.parents, [-1, 0, 1])
    assert (neuron.name, neuron.path, neuron.defects) == ("cell.CNG", path, [])


words = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{0,20})?", fullmatch=True),
    st.from_regex(r"[-+0-9.eE,x]{1,12}", fullmatch=True),
)


@given(st.lists(words, min_size=1, max_size=60), st.sampled_from([" ", "\t", "  ", "\r\n", "\n"]))
@settings(max_examples=80)
def test_a_number_decoded_with_the_others_equals_the_one_python_reads(tokens: list[str], blank: str) -> None:
    numbers = scan_numbers(pad(blank.join(tokens).encode()))
    assert len(numbers.values) == len(tokens)
    for token, plain, value, whole, pointed in zip(
        tokens, numbers.plain, numbers.values, numbers.whole, numbers.pointed, strict=True
    ):
        if plain:
            assert float(token) == value
            assert pointed or int(token) == whole
        elif (single := read_number(token.encode())) is not None:
            assert float(token) == single


def test_words_keep_their_places_across_pieces() -> None:
    line = b"1 3 -1.5 22.25 0.125 0.5 -1\n"
    text = line * 20_000  # several pieces
    neuron = read(text)
    assert len(neuron) == 20_000
    np.testing.assert_array_equal(neuron.text.line_of_row, np.arange(1, 20_001))
    np.testing.assert_array_equal(neuron.xyz_um[-1], [-1.5, 22.25, 0.125])


def test_an_odd_line_deep_in_a_long_file_has_its_right_number() -> None:
    lines = [b"%d 3 0.5 1 2 1 %d" % (i, i - 1 if i > 1 else -1) for i in range(1, 9001)]
    lines[7000] = b"7001 3 0.5 one 2 1 7000"
    neuron = read(b"\n".join(lines))
    assert len(neuron) == 8999
    assert [(d.code, d.line, d.node_ids) for d in neuron.defects[:2]] == [
        ("text-token", 7001, ()),
        ("missing-parent", 7002, (7002,)),
    ]
    assert "line 7001" in neuron.defects[1].message


def test_ids_beyond_double_precision_stay_exact() -> None:
    neuron = read(b"720575940612345679 1 0 0 0 1 -1\n720575940612345677 3 1 0 0 1 720575940612345679\n")
    assert neuron.ids.tolist() == [720575940612345679, 720575940612345677]
    assert neuron.parents.tolist() == [-1, 0]


@pytest.mark.parametrize("scale", [1, 10**12])
def test_parent_rows_are_found_in_dense_and_sparse_ids(scale: int) -> None:
    ids = np.array([5, 2, 9, 2]) * scale
    wanted = np.array([-1, 5 * scale, 2 * scale, 7 * scale])
    np.testing.assert_array_equal(find_parent_rows(ids, wanted), [-1, 0, 1, -1])


def test_a_chain_of_fifty_thousand_nodes_in_reverse_order() -> None:
    n = 50_000
    text = b"".join(b"%d %d %d 0 0 1 %d\n" % (i, 1 if i == 1 else 3, i, i - 1 or -1) for i in range(n, 0, -1))
    neuron = read(text)
    assert not neuron.has_cycle
    assert [(d.code, len(d.node_ids)) for d in neuron.defects] == [("child-before-parent", n - 1)]
    np.testing.assert_array_equal(neuron.ids[neuron.order], np.arange(1, n + 1))


def test_numbers_do_not_depend_on_the_locale() -> None:
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
        except locale.Error:
            continue
        break
    try:
        assert read(CLEAN).xyz_um[1].tolist() == [1.5, -2.25, 0.3]
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


def test_compressed_file_is_read_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "cell.swc.gz"
    path.write_bytes(gzip.compress(CLEAN[:30]) + gzip.compress(CLEAN[30:]))
    neuron = nct.read_neuron(path)
    assert (len(neuron), neuron.name, [d.code for d in neuron.defects]) == (3, "cell", ["gzip"])


def test_what_a_broken_off_compressed_file_holds_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "cell.swc"
    text = b"".join(b"%d 3 %d.%d 0 0 1 %d\n" % (i, i, i * 7919 % 1000, i - 1 or -1) for i in range(1, 4000))
    path.write_bytes(gzip.compress(text)[:-4000])
    neuron = nct.read_neuron(path)
    assert 0 < len(neuron) < 3999
    assert "damaged-gzip" in {d.code for d in neuron.defects}
    np.testing.assert_array_equal(neuron.ids, np.arange(1, len(neuron) + 1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n\n", "empty"),
        (b"# only\n# comments\n", "only comments"),
        (b"1 1 0,5 0,5 0,5 1,0 -1\n", "decimal comma"),
        (b"hello world\n", "2 columns instead of 7"),
        (b"\x1f\x8bnot gzip really", "damaged"),
        (bytes(range(256)) * 20, "binary"),
        (b'{"a": 1}', "JSON"),
        (b"<things><thing></things>", "NML"),
    ],
)
def test_a_file_without_a_node_says_why_and_what_to_do(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.swc"
    path.write_bytes(content)
    with pytest.raises(nct.NeuronError, match=reason) as caught:
        nct.read_neuron(path)
    assert caught.value.path == path
    assert caught.value.hint


def test_missing_files_and_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(nct.NeuronError, match="does not exist"):
        nct.read_neuron(tmp_path / "absent.swc")
    with pytest.raises(nct.NeuronError, match="folder"):
        nct.read_neuron(tmp_path)


BRACKETED = b"""# data format: ['id', 'P', 'type', 'parent', 'width', 'branch_level']
 0 [0.0, 0.0, 0.0] 1 -1 7.5 0
 1 [6.5, -3.25, 1.0] 1 0 7.5 -1
 2 [-4.75, 11.5, -0.25] 4 0 1.0 1
 3 [oops, 1, 2] 4 0 1.0 1
"""


def test_bracketed_positions_of_the_casia_data_are_read(tmp_path: Path) -> None:
    path = tmp_path / "38.swc"
    path.write_bytes(BRACKETED)
    neuron = nct.read_neuron(path)
    np.testing.assert_array_equal(neuron.xyz_um, [[0, 0, 0], [6.5, -3.25, 1], [-4.75, 11.5, -0.25]])
    np.testing.assert_array_equal(neuron.ids, [0, 1, 2])
    np.testing.assert_array_equal(neuron.types, [1, 1, 4])
    np.testing.assert_array_equal(neuron.parents, [-1, 0, 0])
    np.testing.assert_array_equal(neuron.radii_um, [7.5, 7.5, 1])
    assert [(d.code, d.line) for d in neuron.defects] == [("short-line", 5), ("bracketed", None)]


def test_bracketed_columns_follow_the_order_the_comment_names(tmp_path: Path) -> None:
    path = tmp_path / "a.swc"
    path.write_bytes(b"# data format: ['id', 'P', 'width', 'parent', 'type']\n 4 [1, 2, 3] 0.5 -1 3\n")
    neuron = nct.read_neuron(path)
    assert (neuron.ids[0], neuron.radii_um[0], neuron.types[0], neuron.parents[0]) == (4, 0.5, 3, -1)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.swc", b"anything", True),
        ("a.txt", CLEAN, True),
        ("a.txt", BRACKETED, True),
        ("a.txt", b"1 2 3\n4 5 6\n", False),
        ("a.json", b'{"a": 1}', False),
        ("a.json", b'[{"id": 1, "_nodes": "{\\"node_id\\":', True),
        ("a.bin", b"", False),
    ],
)
def test_files_are_recognised_by_content_or_suffix(
    tmp_path: Path, name: str, content: bytes, *, expected: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_neuron_file(tmp_path / name) is expected


@settings(max_examples=80)
@given(st.data())
def test_damage_ends_in_nodes_or_a_typed_error_and_never_in_a_wrong_count(data: st.DataObject) -> None:
    lines = CLEAN.splitlines(keepends=True)[1:] * 3
    text = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    text = text[: data.draw(st.integers(0, len(text)))]
    try:
        neuron = read(bytes(text))
    except nct.NeuronError:
        return
    listed = sum(d.code in LEFT_OUT for d in neuron.defects)
    with_words = [line for line in bytes(text).split(b"\n" if b"\n" in text else b"\r") if _holds_words(line)]
    assert len(neuron) + listed == len(with_words)
    if not neuron.has_cycle and "utf-16" not in {d.code for d in neuron.defects}:
        assert swc_bytes(neuron) == bytes(text)


LEFT_OUT = {"short-line", "truncated-last-line", "text-token", "fractional-id", "decimal-comma"}


def _holds_words(line: bytes) -> bool:
    printable = bytes(b if b > 32 else 32 for b in line.removeprefix(b"\xef\xbb\xbf"))
    return bool((b" " + printable).split(b" #")[0].strip())


@pytest.mark.needs_data
@pytest.mark.parametrize("path", shared_files("bad_swc/**/*.swc"), ids=lambda p: p.name)
def test_malformed_suites_are_shown_or_refused_with_a_reason(path: Path) -> None:
    if path.name in {"empty_file.swc", "fail_no_data.swc", "fail_not_array_1.swc", "fail_not_array_2.swc"}:
        with pytest.raises(nct.NeuronError, match=r"only comments|2 columns instead of 7"):
            nct.read_neuron(path)
        return
    neuron = nct.read_neuron(path)
    assert_equals_reference(neuron, path.read_bytes())


@pytest.mark.needs_data
def test_published_reconstructions_read_exactly_and_write_back_byte_for_byte(shared_data: Path) -> None:
    with tarfile.open(shared_data / "morphology" / "swc.tar.xz", mode="r|xz") as archive:
        members = (member for member in archive if member.isfile() and member.size < 400_000)
        for member in itertools.islice(members, 60):
            file = archive.extractfile(member)
            assert file is not None
            raw = file.read()
            neuron = read(raw)
            assert_equals_reference(neuron, raw)
            assert swc_bytes(neuron) == raw, member.name
