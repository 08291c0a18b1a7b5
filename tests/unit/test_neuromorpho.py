"""Reconstructions from a server of our own, which answers in the shapes of NeuroMorpho.Org and misbehaves."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from napari_celltype.cli import download as command_module
from napari_celltype.cli import main
from napari_celltype.download import neuromorpho
from napari_celltype.download.neuromorpho import CLASSES, class_of, plan_neuromorpho
from napari_celltype.download.web import DownloadError, Patience, open_url
from unit.test_download import Server, server

__all__ = ["server"]

QUICK = Patience(timeout_s=5.0, attempts=2, pause_s=0.0)
SWC = b"# made\n1 1 0 0 0 5 -1\n2 3 10 0 0 1 1\n3 3 20 5 1 1 2\n"

NEURONS = [
    (11, "P 1", "Wearne_Hof", "rat", ["pyramidal", "principal cell"]),
    (12, "B1", "Markram", "rat", ["GABAergic", "basket", "interneuron"]),
    (13, "P2", "Allen Cell Types", "mouse", ["pyramidal", "principal cell"]),
    (14, "G1", "Markram", "rat", ["GABAergic", "interneuron"]),
    (15, "P3", "Markram", "rat", ["pyramidal", "principal cell"]),
    (16, "M1", "Markram", "rat", ["medium spiny", "principal cell"]),
    (17, "P4", "Markram", "rat", ["pyramidal", "principal cell"]),
]


def neuron(number: int, name: str, archive: str, species: str, types: list[str]) -> dict[str, Any]:
    return {
        "neuron_id": number,
        "neuron_name": name,
        "archive": archive,
        "species": species,
        "cell_type": types,
        "brain_region": ["neocortex", "layer 5"],
        "domain": "Dendrites, Soma, No Axon",
        "physical_Integrity": "Dendrites Complete",
        "reference_doi": ["10.1000/made"],
        "reference_pmid": None,
    }


@pytest.fixture
def archive(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Seven neurons, two a page; a query that nothing fits gets a 404, as the real one gives."""
    monkeypatch.setattr(neuromorpho, "_PAGE", 2)
    monkeypatch.setattr(command_module, "_GAP_S", 0.0)
    everything = [neuron(*facts) for facts in NEURONS]

    def select(asked: dict[str, list[str]]) -> dict[str, Any]:
        kind = asked["q"][0].removeprefix("cell_type:").strip('"')
        species = asked.get("fq", [""])[0].removeprefix("species:")
        fitting = [one for one in everything if kind in one["cell_type"] and species in ("", one["species"])]
        size, page = int(asked["size"][0]), int(asked["page"][0])
        pages = -(-len(fitting) // size)
        shown = fitting[page * size : (page + 1) * size]
        return {
            **({"_embedded": {"neuronResources": shown}} if shown else {}),
            "page": {"size": size, "totalElements": len(fitting), "totalPages": pages, "number": page},
        }

    server.answers["/api/neuron/select"] = select
    for one in everything:
        folder, name = one["archive"].lower().replace(" ", "%20"), one["neuron_name"].replace(" ", "%20")
        server.files[f"/dableFiles/{folder}/CNG%20version/{name}.CNG.swc"] = SWC
    return server


def path_of(name: str) -> str:
    return f"/dableFiles/markram/CNG%20version/{name}.CNG.swc"


def command(archive: Server, out: Path, *more: str) -> list[str]:
    return ["download", "neuromorpho", "--out", str(out), "--base-url", archive.url, "--yes", *more]


def test_pages_are_read_to_the_end_and_a_neuron_counts_once(archive: Server) -> None:
    plan = plan_neuromorpho(base_url=archive.url, patience=QUICK)
    assert [file.name for file in plan.files] == [
        "basket/12_B1.CNG.swc",
        "medium spiny/16_M1.CNG.swc",
        "pyramidal/11_P_1.CNG.swc",
        "pyramidal/13_P2.CNG.swc",
        "pyramidal/15_P3.CNG.swc",
        "pyramidal/17_P4.CNG.swc",
        "GABAergic/14_G1.CNG.swc",
    ]
    assert (plan.size, plan.exact) == (7 * len(SWC), True)
    assert plan.notes[0] == "1 basket, 1 medium spiny, 4 pyramidal, 1 GABAergic."
    assert plan.notes[1].startswith("Nothing fits for: nitrergic, Purkinje")
    facts = plan.rows[2]
    assert (facts["cell"], facts["source"], facts["label"]) == (
        "Wearne_Hof/P 1",
        "Wearne_Hof",
        "pyramidal; principal cell",
    )


def test_classes_species_ids_and_limit_narrow_it_down(archive: Server) -> None:
    def names(*args: Any, **options: Any) -> list[str]:
        plan = plan_neuromorpho(*args, **options, base_url=archive.url, patience=QUICK)
        return [file.name for file in plan.files]

    assert names(["Pyramidal"], species="mouse") == ["pyramidal/13_P2.CNG.swc"]
    assert names(["GABAergic"]) == ["GABAergic/14_G1.CNG.swc"]
    assert names(["pyramidal", "basket"], limit=1) == ["basket/12_B1.CNG.swc", "pyramidal/11_P_1.CNG.swc"]
    assert names(ids=["M1", "15"]) == ["medium spiny/16_M1.CNG.swc", "pyramidal/15_P3.CNG.swc"]
    with pytest.raises(DownloadError, match="'pyramid' is none of the classes"):
        names(["pyramid"])
    with pytest.raises(DownloadError, match="no reconstruction fits"):
        names(["astrocyte"])


def test_a_limit_asks_for_no_more_pages_than_it_needs(archive: Server) -> None:
    plan_neuromorpho(["pyramidal"], limit=2, base_url=archive.url, patience=QUICK)
    assert len(archive.gets("/api/neuron/select")) == 1


def test_an_archive_that_says_404_for_nothing_is_understood(server: Server) -> None:
    with pytest.raises(DownloadError, match="no reconstruction fits"):
        plan_neuromorpho(["basket"], base_url=server.url, patience=QUICK)


def test_what_is_fetched_is_a_folder_a_class_with_its_index(
    archive: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(archive, tmp_path, "--classes", "basket", "medium spiny")) == 0
    told = capsys.readouterr()
    assert "about" not in told.out
    assert f"Files:  2, {2 * len(SWC)} bytes, and the table index.csv" in told.out
    assert "2 fetched, 0 there already, 0 failed" in told.out
    table = pd.read_csv(tmp_path / "index.csv")
    assert table["class"].tolist() == ["basket", "medium spiny"]
    assert table["n_nodes"].tolist() == [3, 3]
    assert [(tmp_path / name).read_bytes() for name in table["file"]] == [SWC, SWC]
    assert main(command(archive, tmp_path, "--classes", "pyramidal", "--limit", "1")) == 0
    assert len(pd.read_csv(tmp_path / "index.csv")) == 3  # the earlier rows stay


def test_a_dry_run_tells_and_writes_nothing(
    archive: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(archive, tmp_path / "new", "--species", "rat", "--limit", "2", "--dry-run")) == 0
    told = capsys.readouterr().out
    assert "Note:   1 basket, 1 medium spiny, 2 pyramidal, 1 GABAergic." in told
    assert "cite the archive" in told
    assert not (tmp_path / "new").exists()


def test_a_missing_file_and_one_that_is_no_neuron_are_told_and_left_out(
    archive: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del archive.files[path_of("P3")]
    archive.files[path_of("P4")] = b"<html>The archive is being mended.</html>"
    assert main(command(archive, tmp_path, "--classes", "pyramidal")) == 1
    told = capsys.readouterr()
    assert "2 fetched, 0 there already, 2 failed" in told.out
    assert "15_P3.CNG.swc: 127.0.0.1" in told.err
    assert "17_P4.CNG.swc: is no reconstruction that can be read" in told.err
    assert pd.read_csv(tmp_path / "index.csv")["cell"].tolist() == ["Wearne_Hof/P 1", "Allen Cell Types/P2"]


def test_an_interrupted_download_leaves_a_true_index_and_goes_on(
    archive: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    archive.troubles[path_of("P3")] = ["break"] * 5
    archive.ranges = False
    chosen = command(archive, tmp_path, "--classes", "pyramidal")
    assert main(chosen) == 1
    assert "broke off after" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "index.csv")) == 2
    assert main(chosen) == 0
    assert "2 fetched, 2 there already, 0 failed" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "index.csv")) == 4


def test_a_file_changed_since_is_not_taken_for_the_archives(archive: Server, tmp_path: Path) -> None:
    chosen = command(archive, tmp_path, "--classes", "basket")
    assert main(chosen) == 0
    (tmp_path / "basket/12_B1.CNG.swc").write_bytes(SWC[:-2])
    assert main(chosen) == 1


def test_an_edited_index_stops_it_before_anything_is_fetched(archive: Server, tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("mine\n")
    assert main(command(archive, tmp_path, "--classes", "basket")) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"index.csv", ".download.lock"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ssl.SSLError(1, "[SSL: DH_KEY_TOO_SMALL] dh key too small"), "--old-tls accepts its key"),
        (ssl.SSLCertVerificationError(1, "unable to get local issuer"), "certificate of .* cannot be confirmed"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), "no secure connection"),
    ],
)
def test_an_old_servers_security_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, error: ssl.SSLError, said: str
) -> None:
    asked = []

    def refuse(*args: Any, **options: Any) -> None:
        asked.append(options["context"])
        raise urllib.error.URLError(error)

    if "DH_KEY" in str(error):
        error.reason = "DH_KEY_TOO_SMALL"
    else:
        error.reason = "UNSUPPORTED_PROTOCOL"
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "unable to get local issuer certificate"
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(DownloadError, match=said) as caught:
        plan_neuromorpho(patience=QUICK)
    assert caught.value.ends_all
    assert asked == [None]  # and not a second time
    with pytest.raises(DownloadError):
        open_url("https://neuromorpho.org", Patience(old_tls=True))
    assert asked[1].verify_mode == ssl.CERT_REQUIRED


def test_requests_keep_their_distance(archive: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    plan_neuromorpho(["pyramidal"], base_url=archive.url, patience=Patience(5.0, 1, 0.0, gap_s=0.25))
    assert pauses == [0.25] * len(archive.asked)


def test_the_twelve_classes_are_told_by_form_first() -> None:
    assert len(CLASSES) == 12
    assert class_of(["GABAergic", "Basket"]) == "basket"
    assert class_of(["interneuron"]) == ""


def test_the_recipes_read_what_was_fetched(archive: Server, tmp_path: Path) -> None:
    from napari_celltype.training.neurons import read_neurons

    assert main(command(archive, tmp_path, "--classes", "pyramidal", "basket")) == 0
    found = read_neurons(tmp_path)
    assert [found.classes[k] for k in found.truth] == ["basket", *["pyramidal"] * 4]
    assert set(found.sources) == {"Markram", "Wearne_Hof", "Allen Cell Types"}
