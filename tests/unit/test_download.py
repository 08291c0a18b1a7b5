"""Downloads from a server of our own on this machine, which answers in the shapes of the real ones and misbehaves."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
import pytest

from napari_celltype.cli import main
from napari_celltype.download import allen, transfer
from napari_celltype.download.allen import plan_allen
from napari_celltype.download.dandi import plan_dandi
from napari_celltype.download.manifest import Manifest
from napari_celltype.download.transfer import Remote, fetch_all, fetch_file
from napari_celltype.download.web import DownloadError, Patience
from napari_celltype.samples.cells import CELL_KINDS, draw_cell
from napari_celltype.samples.protocols import Stimulus, short_square_threshold_pa
from napari_celltype.samples.recording import record

QUICK = Patience(timeout_s=5.0, attempts=3, pause_s=0.0)
CONTENT = bytes(range(256)) * 4000


class Server:
    """Files by path, JSON by function, and orders to misbehave: a queue of troubles for each path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.answers: dict[str, Callable[[dict[str, list[str]]], Any]] = {}
        self.troubles: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.ranges = True
        outer = self

        class Handler(_Handler):
            server_state = outer

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def gets(self, path: str) -> list[str]:
        """The ranges asked for of a path, one entry a request."""
        return [extent for method, name, extent in self.asked if method == "GET" and name == path]


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[Server]

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass

    def _serve(self) -> None:
        state, address = self.server_state, urlsplit(self.path)
        state.asked.append((self.command, address.path, self.headers.get("Range", "")))
        queue = state.troubles.get(address.path, []) if self.command == "GET" else []
        trouble = queue.pop(0) if queue else ""
        if trouble.isdigit():
            self._send(int(trouble), b"", {"Retry-After": "0"})
        elif address.path in state.answers:
            found = state.answers[address.path](parse_qs(address.query))
            self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})
        elif address.path in state.files:
            self._send_file(state, address.path, trouble)
        else:
            self._send(404, b"", {})

    def _send_file(self, state: Server, path: str, trouble: str) -> None:
        content, headers = state.files[path], dict(state.headers.get(path, {}))
        asked = self.headers.get("Range", "") if state.ranges else ""
        if asked and self.headers.get("If-Range", headers.get("ETag")) == headers.get("ETag"):
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            self._send(206, content[begin:], headers, trouble)
        else:
            self._send(200, content, headers, trouble)

    def _send(self, code: int, body: bytes, headers: dict[str, str], trouble: str = "") -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if trouble == "corrupt":
            body = b"\xff" + body[1:]
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if trouble == "break" else body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    yield made
    made.stop()


def remote(server: Server, content: bytes = CONTENT, *, stated: bool = True) -> Remote:
    server.files["/file"] = content
    server.headers["/file"] = {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} if stated else {}
    return Remote("one/a.nwb", f"{server.url}/file", **facts)  # type: ignore[arg-type]


def fetch(what: Remote, folder: Path, patience: Patience = QUICK) -> bool:
    return fetch_file(what, folder, Manifest(folder), patience)


# one file


def test_a_file_arrives_whole_and_is_not_fetched_twice(server: Server, tmp_path: Path) -> None:
    what = remote(server)
    assert fetch(what, tmp_path)
    assert (tmp_path / "one/a.nwb").read_bytes() == CONTENT
    assert not fetch(what, tmp_path)
    assert len(server.gets("/file")) == 1
    entry = json.loads((tmp_path / "manifest.json").read_text())["files"]["one/a.nwb"]
    assert (entry["state"], entry["size"], entry["sha256"]) == ("complete", len(CONTENT), what.sha256)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.nwb", "manifest.json"]


@pytest.mark.parametrize("stated", [True, False])
def test_a_broken_connection_goes_on_where_it_broke(server: Server, tmp_path: Path, stated: bool) -> None:
    what = remote(server, stated=stated)
    server.troubles["/file"] = ["break"]
    with pytest.raises(DownloadError, match="broke off after") as caught:
        fetch(what, tmp_path, Patience(5.0, 1, 0.0))
    assert caught.value.ends_all
    assert not (tmp_path / "one/a.nwb").exists()
    assert fetch(what, tmp_path)  # another run of the program
    assert server.gets("/file") == ["", f"bytes={len(CONTENT) // 2}-"]
    assert (tmp_path / "one/a.nwb").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew_not_joined(server: Server, tmp_path: Path) -> None:
    what = remote(server, stated=False)
    server.troubles["/file"] = ["break"]
    with pytest.raises(DownloadError):
        fetch(what, tmp_path, Patience(5.0, 1, 0.0))
    other = CONTENT[::-1]
    assert fetch(remote(server, other, stated=False), tmp_path)
    assert (tmp_path / "one/a.nwb").read_bytes() == other


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.troubles["/file"] = ["break"]
    assert fetch(remote(server), tmp_path)
    assert (tmp_path / "one/a.nwb").read_bytes() == CONTENT


def test_damaged_bytes_are_fetched_again_and_given_up_in_the_end(server: Server, tmp_path: Path) -> None:
    what = remote(server)
    server.troubles["/file"] = ["corrupt"]
    assert fetch(what, tmp_path / "again")
    assert (tmp_path / "again/one/a.nwb").read_bytes() == CONTENT
    server.troubles["/file"] = ["corrupt"] * 3
    with pytest.raises(DownloadError, match=r"arrived damaged.*3 times in a row"):
        fetch(what, tmp_path / "never")
    assert list((tmp_path / "never").rglob("*a.nwb*")) == []


def test_the_checksum_the_server_states_counts(server: Server, tmp_path: Path) -> None:
    what = remote(server, stated=False)
    server.headers["/file"]["Content-MD5"] = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    server.troubles["/file"] = ["corrupt"]
    assert fetch(what, tmp_path)
    assert (tmp_path / "one/a.nwb").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.troubles["/file"] = ["503", "429"]
    assert fetch(remote(server), tmp_path)
    server.troubles["/file"] = ["503"] * 3
    with pytest.raises(DownloadError, match=r"out of order \(status 503\), 3 times in a row. Later, give"):
        fetch(remote(server), tmp_path / "other")


def test_one_missing_file_does_not_keep_the_others(server: Server, tmp_path: Path) -> None:
    gone = Remote("gone.nwb", f"{server.url}/gone")
    outcome = fetch_all([gone, remote(server)], tmp_path, QUICK)
    assert outcome.fetched == ["one/a.nwb"]
    assert "does not have" in outcome.failed["gone.nwb"]
    assert len(server.gets("/gone")) == 1  # asking again would not help


def test_without_a_network_it_stops_and_says_so(server: Server, tmp_path: Path) -> None:
    what = remote(server)
    server.stop()
    with pytest.raises(DownloadError, match=r"cannot be reached.*Check the network connection") as caught:
        fetch_all([what, what], tmp_path, QUICK)
    assert caught.value.ends_all


def test_a_full_disk_is_told_and_what_arrived_stays(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        name = "a.nwb.part"

        def write(self, data: Any, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def pour(answer: Any, file: Any, *rest: Any) -> None:
        real(answer, Full(), *rest)

    real = transfer._pour
    monkeypatch.setattr(transfer, "_pour", pour)
    with pytest.raises(DownloadError, match=r"the disk is full. Make room") as caught:
        fetch(remote(server), tmp_path)
    assert caught.value.ends_all


def test_more_than_the_disk_holds_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"GB free, and 1000000000.0 GB are to be fetched"):
        transfer.check_space(10**18, tmp_path / "not/yet/there")


def test_other_peoples_files_stay(server: Server, tmp_path: Path) -> None:
    what = remote(server)
    for name in ("one/a.nwb", "one/a.nwb.part"):
        folder = tmp_path / name.replace("/", "-")
        (folder / "one").mkdir(parents=True)
        (folder / name).write_bytes(b"mine")
        with pytest.raises(DownloadError, match=r"another file than the source's|not of this download"):
            fetch(what, folder)
        assert (folder / name).read_bytes() == b"mine"
    (tmp_path / "manifest.json").write_text('{"mine": 1}')
    with pytest.raises(DownloadError, match="not written by this program"):
        fetch(what, tmp_path)


def test_a_fetched_file_that_changed_is_not_taken_for_whole(server: Server, tmp_path: Path) -> None:
    what = remote(server, stated=False)
    fetch(what, tmp_path)
    (tmp_path / "one/a.nwb").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(DownloadError, match="has changed since it was fetched"):
        fetch(what, tmp_path)


@pytest.mark.parametrize("name", ["../out.nwb", "/etc/out.nwb", "a/../../out.nwb", "c:\\out.nwb", ""])
def test_no_name_leads_out_of_the_folder(server: Server, tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError, match="not a safe name"):
        fetch(Remote(name, f"{server.url}/file"), tmp_path)


def test_only_web_addresses_are_opened(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not an http or https address"):
        fetch(Remote("a.nwb", (tmp_path / "secret").as_uri()), tmp_path)


# Allen


def allen_cell(number: int, **changed: Any) -> dict[str, Any]:
    cell = {
        "specimen__id": 500_000_000 + number,
        "specimen__name": f"made, {number}",
        "donor__id": 1000 + number,
        "donor__species": "Mus musculus",
        "line_name": "Pvalb-IRES-Cre",
        "tag__dendrite_type": "aspiny",
        "structure__layer": "5",
        "nrwkf__id": None,
        "erwkf__id": 9000 + number,
    }
    return cell | changed


@pytest.fixture
def allen_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Five cells on three pages; one of them human, one without a recording."""
    monkeypatch.setattr(allen, "_PAGE", 2)
    cells = [allen_cell(number) for number in range(5)]
    cells[2] = allen_cell(2, donor__species="Homo Sapiens", line_name=None)
    cells[3] = allen_cell(3, erwkf__id=None)

    def query(asked: dict[str, list[str]]) -> dict[str, Any]:
        criteria = unquote(asked["criteria"][0])
        assert criteria.startswith("model::ApiCellTypesSpecimenDetail,rma::options[num_rows$eq2]")
        start = int(criteria.partition("[start_row$eq")[2].partition("]")[0])
        page = cells[start : start + 2]
        return {"success": True, "id": 0, "start_row": start, "num_rows": len(page), "total_rows": 5, "msg": page}

    server.answers["/api/v2/data/query.json"] = query
    for cell in cells:
        server.files[f"/api/v2/well_known_file_download/{cell['erwkf__id']}"] = str(cell["specimen__id"]).encode() * 9
    return server


def test_allen_pages_are_read_to_the_end_and_filtered(allen_server: Server) -> None:
    plan = plan_allen(base_url=allen_server.url, patience=QUICK)
    assert [row["specimen__id"] for row in plan.rows] == ["500000000", "500000001", "500000002", "500000004"]
    assert (plan.size, plan.exact) == (4 * 81, True)
    human = plan_allen(species="human", base_url=allen_server.url, patience=QUICK)
    assert [file.name for file in human.files] == ["500000002_ephys.nwb"]
    some = plan_allen(ids=["500000004", "500000003"], base_url=allen_server.url, patience=QUICK)
    assert [file.name for file in some.files] == ["500000004_ephys.nwb"]
    assert some.notes == ("Not found, or without a recording: 500000003.",)
    with pytest.raises(DownloadError, match="no cell with a recording fits"):
        plan_allen(ids=["1"], base_url=allen_server.url, patience=QUICK)


def test_allens_refusal_is_passed_on(server: Server) -> None:
    server.answers["/api/v2/data/query.json"] = lambda _: {"success": False, "msg": "no such model"}
    with pytest.raises(DownloadError, match="no such model"):
        plan_allen(base_url=server.url, patience=QUICK)


def test_allen_command_fetches_goes_on_and_adds(
    allen_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["download", "allen", "--out", str(tmp_path), "--base-url", allen_server.url, "--yes"]
    assert main([*command, "--limit", "1"]) == 0
    assert "1 fetched, 0 there already, 0 failed" in capsys.readouterr().out
    assert main([*command, "--ids", "500000004"]) == 0
    table = pd.read_csv(tmp_path / "cells.csv")
    assert table["specimen__id"].tolist() == [500000000, 500000004]  # the earlier row stays
    assert [(tmp_path / name).is_file() for name in table["file"]] == [True, True]
    del allen_server.files["/api/v2/well_known_file_download/9001"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "1 fetched, 2 there already, 1 failed" in told.out
    assert "500000001_ephys.nwb: 127.0.0.1" in told.err


def test_an_edited_table_is_not_written_over(
    allen_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells.csv").write_text("mine\n")
    command = ["download", "allen", "--out", str(tmp_path), "--base-url", allen_server.url, "--yes"]
    assert main(command) == 1
    assert "is not of this download" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"cells.csv", ".download.lock"}
    assert (tmp_path / "cells.csv").read_text() == "mine\n"


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_fetched_without_consent(
    allen_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["download", "allen", "--out", str(tmp_path / "new"), "--base-url", allen_server.url]) == 0
    told = capsys.readouterr()
    assert "Files:  4, 324 bytes" in told.out
    assert "terms of use" in told.out
    assert "Nothing was fetched" in told.err
    assert not (tmp_path / "new").exists()


def test_a_dry_run_writes_nothing(allen_server: Server, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert main(["download", "allen", "--out", str(out), "--base-url", allen_server.url, "--dry-run"]) == 0
    assert not out.exists()
    assert not [path for method, path, _ in allen_server.asked if "well_known" in path and method == "GET"]


def test_the_recipes_read_what_was_fetched(allen_server: Server, tmp_path: Path) -> None:
    from napari_celltype.io.write_nwb import write_nwb
    from napari_celltype.training.allen import read_allen

    rng = np.random.default_rng(1)
    cell = draw_cell(CELL_KINDS[1], rng)
    pulse = Stimulus("Short Square", "short square", 0.06, 0.003, 1.5 * short_square_threshold_pa(cell), 0.12)
    write_nwb(record(cell, (pulse,), rng)[0], tmp_path / "made.nwb")
    allen_server.files["/api/v2/well_known_file_download/9001"] = (tmp_path / "made.nwb").read_bytes()
    out = tmp_path / "fetched"
    command = ["download", "allen", "--out", str(out), "--ids", "500000001", "--yes", "--base-url", allen_server.url]
    assert main(command) == 0
    spikes = read_allen(out)
    assert spikes.specimens.tolist() == [500000001]
    assert spikes.donors.tolist() == [1001]
    assert spikes.lines.tolist() == ["Pvalb-IRES-Cre"]


# DANDI


def _same(answer: Any, _asked: dict[str, list[str]]) -> Any:
    return answer


@pytest.fixture
def dandi_server(server: Server) -> Server:
    """A dandiset with three NWB files and one other, on two pages; the last file without a SHA-256."""
    paths = ["sub-11/sub-11_ses-21_icephys.nwb", "sub-11/notes.txt", "sub-12/sub-12_ses-22.nwb", "sub-m3/sub-m3.nwb"]
    version = "/dandisets/000020/versions/0.1/"
    server.answers["/dandisets/000020/"] = lambda _: {"most_recent_published_version": {"version": "0.1"}}
    about = {"name": "Made cells", "license": ["spdx:CC-BY-4.0"], "citation": "Somebody (2020)"}
    server.answers[version] = lambda _: about
    assets = []
    for number, path in enumerate(paths):
        content = path.encode() * 50
        server.files[f"/assets/id{number}/download/"] = content
        species = "Homo sapiens - Human" if number == 2 else "Mus musculus - House mouse"
        subject = {"identifier": path[4:6], "species": {"name": species}, "genotype": "Sst-IRES-Cre/wt"}
        parts = hashlib.md5(hashlib.md5(content).digest()).hexdigest()
        digest = {"dandi:dandi-etag": f"{parts}-1"}
        digest |= {"dandi:sha2-256": hashlib.sha256(content).hexdigest()} if number < 3 else {}
        meta = {"path": path, "digest": digest, "wasAttributedTo": [subject]}
        server.answers[f"/assets/id{number}/"] = partial(_same, meta)
        assets.append({"asset_id": f"id{number}", "path": path, "size": len(content), "zarr": None})

    def page(asked: dict[str, list[str]]) -> dict[str, Any]:
        first = "page" not in asked
        following = f"{server.url}{version}assets/?page=2" if first else None
        return {"count": 4, "next": following, "previous": None, "results": assets[:2] if first else assets[2:]}

    server.answers[f"{version}assets/"] = page
    return server


def test_dandi_pages_are_read_to_the_end_and_filtered(dandi_server: Server) -> None:
    plan = plan_dandi("20", base_url=dandi_server.url, patience=QUICK)
    assert [row["file"] for row in plan.rows] == [file.name for file in plan.files]
    assert [(row["specimen_id"], row["donor_id"]) for row in plan.rows[:2]] == [("21", "11"), ("22", "12")]
    assert plan.rows[2]["donor_id"].isdigit()  # a number for "m3"
    assert "CC-BY-4.0" in plan.terms
    assert plan.size == sum(file.size or 0 for file in plan.files)
    assert len(plan_dandi("20", limit=2, base_url=dandi_server.url, patience=QUICK).files) == 2
    human = plan_dandi("20", species="human", base_url=dandi_server.url, patience=QUICK)
    assert [row["subject"] for row in human.rows] == ["12"]
    one = plan_dandi("20", ids=["21"], base_url=dandi_server.url, patience=QUICK)
    assert [row["session"] for row in one.rows] == ["21"]


def test_dandi_command_checks_what_the_archive_states(
    dandi_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["download", "dandi", "--dandiset", "000020", "--out", str(tmp_path), "--yes"]
    command += ["--base-url", dandi_server.url]
    dandi_server.troubles["/assets/id0/download/"] = ["corrupt"]
    pauses: list[float] = []
    monkeypatch.setattr("napari_celltype.download.web.time.sleep", pauses.append)
    assert main(command) == 0
    assert pauses == [1.0]
    assert (tmp_path / "sub-11/sub-11_ses-21_icephys.nwb").read_bytes().startswith(b"sub-11/")
    assert main(command) == 0
    assert "0 fetched, 3 there already" in capsys.readouterr().out


def test_dandis_own_checksum_counts_where_there_is_no_other(dandi_server: Server, tmp_path: Path) -> None:
    (file,) = (file for file in plan_dandi("20", base_url=dandi_server.url, patience=QUICK).files if "m3" in file.name)
    assert (file.sha256, file.etag[-2:]) == ("", "-1")
    dandi_server.troubles["/assets/id3/download/"] = ["corrupt", "corrupt", "corrupt"]
    with pytest.raises(DownloadError, match="arrived damaged"):
        fetch(file, tmp_path)
    assert fetch(file, tmp_path)
    (tmp_path / "manifest.json").unlink()  # a file of unknown origin is told from another by it, too
    assert not fetch(file, tmp_path)


def test_dandis_checksum_is_that_of_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_celltype.download import etag

    assert etag.part_size(10) == 64 * 2**20
    assert etag.part_size(10_000 * 64 * 2**20 + 1) == 64 * 2**20 + 1
    monkeypatch.setattr(etag, "_PART", 1000)
    content = CONTENT[:2500]
    (tmp_path / "x").write_bytes(content)
    sums = b"".join(hashlib.md5(content[i : i + 1000]).digest() for i in (0, 1000, 2000))
    assert etag.dandi_etag(tmp_path / "x") == f"{hashlib.md5(sums).hexdigest()}-3"
    (tmp_path / "x").write_bytes(content[:2000])
    assert etag.dandi_etag(tmp_path / "x").endswith("-2")


def test_two_downloads_do_not_write_to_one_folder(
    dandi_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_celltype.download.lock import only_one

    command = ["download", "dandi", "--dandiset", "20", "--out", str(tmp_path), "--yes"]
    command += ["--base-url", dandi_server.url]
    with only_one(tmp_path):
        assert main(command) == 1
        assert "another download is writing here" in capsys.readouterr().err
    assert main(command) == 0


def test_an_unknown_dandiset_is_named(server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["download", "dandi", "--dandiset", "999999", "--out", str(tmp_path), "--base-url", server.url]
    assert main(command) == 1
    assert "does not have" in capsys.readouterr().err
    with pytest.raises(DownloadError, match="not the number of a dandiset"):
        plan_dandi("../x", base_url=server.url, patience=QUICK)


@pytest.mark.parametrize("answer", [[], {"results": None}, {"success": True, "msg": [{"erwkf__id": "x"}]}, "text"])
def test_an_answer_of_another_form_is_told_plainly(server: Server, answer: Any) -> None:
    for path in ("/api/v2/data/query.json", "/dandisets/000020/", "/dandisets/000020/versions/draft/"):
        server.answers[path] = partial(_same, answer)
    server.answers["/dandisets/000020/versions/draft/assets/"] = partial(_same, answer)
    with pytest.raises(DownloadError, match=r"another form|did not answer with a table"):
        plan_allen(base_url=server.url, patience=QUICK)
    with pytest.raises(DownloadError, match="another form"):
        plan_dandi("20", base_url=server.url, patience=QUICK)
