"""One small file for each defect: its code, line, nodes, and what stays of the neuron."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_celltype as nct
from napari_celltype.io.swc import parse_swc
from napari_celltype.io.swc_defects import CATALOGUE, EACH, catalogue_table, find_defects

ROOT = b"1 1 0 0 0 5 -1\n"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "opening-neurons.md"

ZOO = [
    # text, code, line, ids, nodes that are shown
    (ROOT + b"3 3 1 0 0 1 5\n5 3 2 0 0 1 3\n4 3 3 0 0 1 3\n", "cycle", 2, {3, 5}, 4),
    (ROOT + b"2 3 1 0 0 1 2\n", "self-parent", 2, {2}, 2),
    (ROOT + b"2 3 1 nan 0 1 1\n", "nan", 2, {2}, 2),
    (ROOT + b"2 3 1 0 -1.#IND 1 1\n", "nan", 2, {2}, 2),
    (ROOT + b"2 3 inf 0 0 1 1\n", "inf", 2, {2}, 2),
    (ROOT + b"2 3 1 0 0 1.#INF 1\n", "inf", 2, {2}, 2),
    (ROOT + b"2 3 12,5 0 0 1 1\n3 3 2 0 0 1 1\n", "decimal-comma", 2, set(), 2),
    (ROOT + b"2;3;12,5;0,0;0,0;1,0;1\n3 3 2 0 0 1 1\n", "decimal-comma", 2, set(), 2),
    (ROOT + b"2 3 x 0 0 1 1\n3 3 2 0 0 1 1\n", "text-token", 2, set(), 2),
    (ROOT + b"2 soma 1 0 0 1 1\n", "text-token", 2, set(), 1),
    (ROOT + b"nan 3 1 0 0 1 1\n", "text-token", 2, set(), 1),
    (ROOT + b"2 3 1.2.3 0 0 1 1\n", "text-token", 2, set(), 1),
    (ROOT + b"2 3 1-2 0 0 1 1\n", "text-token", 2, set(), 1),
    (ROOT + b"99999999999999999999 3 1 0 0 1 1\n", "text-token", 2, set(), 1),
    (ROOT + b"2.5 3 1 0 0 1 1\n", "fractional-id", 2, set(), 1),
    (ROOT + b"2 3 1 0 0 1\n3 3 2 0 0 1 1\n", "short-line", 2, set(), 2),
    (ROOT + b"2 3 1 0 0 1 1\n3 3 2 0", "truncated-last-line", 3, set(), 2),
    (ROOT + b"2 3 1 0 0 1 1\n\0\0\0\0", "control-bytes", 3, set(), 2),
    (ROOT + b"2 3 1 0 0 1 9\n", "missing-parent", 2, {2}, 2),
    (ROOT + b"2 3 1 0 0 1 1\n2 3 2 0 0 1 1\n3 3 3 0 0 1 2\n", "duplicate-id", 3, {2}, 4),
    (ROOT + b"-2 3 1 0 0 1 1\n", "negative-id", 2, {-2}, 2),
    (b"1,1,0,0,0,5,-1\n2,3,1.5,0,0,1,1\n", "comma-separated", 1, set(), 2),
    (b"1, 1, 0, 0, 0, 5, -1\n2 3 1.5 0 0 1 1\n", "comma-separated", 1, set(), 2),
    (b"1;1;0;0;0;5;-1\n", "comma-separated", 1, set(), 1),
    (ROOT + b"2 1 9 9 9 5 -1\n", "several-somata", 1, {1, 2}, 2),
    (ROOT + b"2 3 1 0 0 1 1\n3 1 2 0 0 5 2\n", "soma-under-neurite", 3, {3}, 3),
    (ROOT + b"2 3 1 0 0 -1 1\n", "negative-radius", 2, {2}, 2),
    (ROOT + b"2 3 1 0 0 1 -1\n", "several-roots", 1, {1, 2}, 2),
    (b"1 3 0 0 0 1 -1\n", "no-soma", None, set(), 1),
    (b"1 1 0 0 0 1 -7\n", "root-sign", 1, {1}, 1),
    (ROOT + b"2 274 1 0 0 1 1\n", "unknown-type", 2, {2}, 2),
    (ROOT + b"2 3 1 0 0 0 1\n", "zero-radius", 2, {2}, 2),
    (ROOT + b"2 3 0 0 0 1 1\n", "zero-length-segment", 2, {2}, 2),
    (ROOT + b"2 3 1 2 3 1 1\n3 3 1 2 3 1 1\n", "duplicate-point", 3, {3}, 3),
    (ROOT + b"3 3 1 0 0 1 2\n2 3 2 0 0 1 1\n", "child-before-parent", 2, {3}, 3),
    (b"1.0 1 0 0 0 1 -1\n2 3 1 0 0 1 1.0\n", "float-ids", 1, set(), 2),
    (ROOT + b"2 3 1 0 0 1 1 0.5 note\n", "extra-columns", 2, set(), 2),
    (b"# a\n1\t1\t0\t0\t0\t1\t-1\n", "tab-separated", 2, set(), 1),
    (ROOT.decode().encode("utf-16"), "utf-16", None, set(), 1),
    (b"\xef\xbb\xbf" + ROOT, "bom", 1, set(), 1),
    (b"\xef\xbb\xbf# comment\n" + ROOT, "bom", 1, set(), 1),
    (ROOT.replace(b"\n", b"\r\n") * 1, "crlf", None, set(), 1),
    (b"1 1 0 0 0 1 -1\r2 3 1 0 0 1 1\r", "cr", None, set(), 2),
    (b"# \xe9t\xe9\n" + ROOT, "non-utf-8", 1, set(), 1),
]


@pytest.mark.parametrize(
    ("text", "code", "line", "ids", "n"), ZOO, ids=[f"{case[1]}-{i}" for i, case in enumerate(ZOO)]
)
def test_each_defect_is_found_with_its_line_and_nodes(text: bytes, code: str, line: int, ids: set[int], n: int) -> None:
    neuron = parse_swc(text)
    assert len(neuron) == n
    found = [d for d in neuron.defects if d.code == code]
    assert [(d.line, set(d.node_ids)) for d in found] == [(line, ids)]
    assert found[0].severity == CATALOGUE[code].severity
    assert not found[0].message[0].islower()
    assert found[0].message.endswith(".")
    order = [("error", "warning", "note").index(d.severity) for d in neuron.defects]
    assert order == sorted(order)


def test_the_zoo_holds_every_kind_that_swc_text_can_have() -> None:
    elsewhere = {"gzip", "damaged-gzip", "bracketed", "other-format", "no-unit", "several-neurons"}
    assert {case[1] for case in ZOO} == set(CATALOGUE) - elsewhere


def test_a_clean_file_has_no_defect() -> None:
    text = b"# SWC\n\n 1 1 0 0 0 5 -1\n2 1 5 0 0 5 1\n3 1 -5 0 0 5 1\n4 3 9 0 0 1 1 # tip\n  # end\n"
    neuron = parse_swc(text)
    assert len(neuron) == 4
    assert neuron.defects == []


def test_nothing_is_dropped_merged_or_invented() -> None:
    text = ROOT + b"2 3 nan inf 0 1 1\n2 3 2 0 0 1 1\n3 3 3 0 0 1 2\n4 3 4 0 0 1 77\n"
    neuron = parse_swc(text)
    np.testing.assert_array_equal(neuron.ids, [1, 2, 2, 3, 4])
    np.testing.assert_array_equal(neuron.xyz_um[1], [np.nan, np.inf, 0])
    np.testing.assert_array_equal(neuron.parents, [-1, 0, 0, 1, -1])  # 3 hangs on the first 2; 4 is a root


def test_a_cycle_keeps_its_parents_and_says_so() -> None:
    neuron = parse_swc(ZOO[0][0])
    assert neuron.has_cycle
    np.testing.assert_array_equal(neuron.parents, [-1, 2, 1, 1])
    with pytest.raises(nct.NeuronError, match=r"cannot be measured.*3, 5.*Cut one link"):
        neuron.require_no_cycle("measured")


def test_two_cycles_are_told_apart() -> None:
    text = b"1 3 0 0 0 1 2\n2 3 1 0 0 1 1\n3 3 2 0 0 1 4\n4 3 3 0 0 1 5\n5 3 4 0 0 1 3\n6 3 5 0 0 1 5\n"
    cycles = [d for d in parse_swc(text).defects if d.code == "cycle"]
    assert [set(d.node_ids) for d in cycles] == [{1, 2}, {3, 4, 5}]


def test_very_many_defects_of_a_kind_end_in_one_that_counts_the_rest() -> None:
    lines = [b"%d 3 %d 0 0 1 %d" % (i, i, i + 100_000) for i in range(1, 1001)]
    missing = [d for d in parse_swc(b"\n".join(lines)).defects if d.code == "missing-parent"]
    assert len(missing) == EACH + 1
    assert sorted(i for d in missing for i in d.node_ids) == list(range(1, 1001))
    assert "950 more" in missing[-1].message


def test_an_edited_neuron_is_checked_as_it_is_now() -> None:
    neuron = parse_swc(ROOT + b"2 3 1 0 0 1 1\n3 3 2 0 0 1 2\n")
    cut = neuron.take([0, 2])
    assert {d.code for d in find_defects(cut)} == {"several-roots"}
    assert find_defects(neuron) == []


def test_the_documentation_lists_every_defect_as_the_code_has_it() -> None:
    assert catalogue_table() in DOCS.read_text(encoding="utf-8"), "run scripts/write_defect_table.py"
