"""Which files of a folder are read, when, and what is said of the others; the clock is turned by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest

from abf_files import MadeAbf, abf2_bytes
from celltype_stubs import FEATURES, WAVEFORM, StubFeatures, StubWaveform, make_firing_recording, stub_shelf
from napari_celltype.errors import CelltypeError, RecordingError
from napari_celltype.io.stamp import FileStamp
from napari_celltype.workbench import watch_judge
from napari_celltype.workbench.classify import Progress
from napari_celltype.workbench.classify_values import ModelChoice
from napari_celltype.workbench.watch import FolderWatch, Listing, WatchOptions, list_folder
from napari_celltype.workbench.watch_judge import judge_file, open_finished, said_of

PATIENCE = WatchOptions(settle_s=3.0, give_up_s=60.0)
FOLDER = Path("/rig")


@dataclass
class Rig:
    """A folder and a clock in memory."""

    options: WatchOptions = PATIENCE
    now: float = 1000.0
    stamps: dict[str, FileStamp] = field(default_factory=dict)
    problem: str = ""

    def __post_init__(self) -> None:
        self.watch = FolderWatch(FOLDER, self.options, clock=lambda: self.now, lister=self.listing)
        self.heard = 0
        self.watch.changed.connect(self.hear)

    def hear(self) -> None:
        self.heard += 1

    def listing(self, _: Path) -> Listing:
        return Listing(problem=self.problem) if self.problem else Listing(dict(self.stamps))

    def write(self, name: str, size: int = 100, at: int = 1, identity: int = 7) -> None:
        self.stamps[name] = FileStamp(size, at, identity)

    def after(self, seconds: float) -> FolderWatch:
        self.now += seconds
        self.watch.look()
        return self.watch

    def read(self, said: str = "Pvalb, 90 %") -> str:
        """Read what is due; its name."""
        file = self.watch.due()
        assert file is not None
        self.watch.begin(file)
        assert self.watch.due() is None, "one at a time"
        self.watch.finish(file, said)
        return file.name

    def states(self) -> dict[str, str]:
        return {file.path.name: file.state for file in self.watch.files}


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.watch.look()
    return rig


def test_files_there_before_are_left_alone_until_they_are_asked_for():
    rig = Rig()
    rig.write("old.abf")
    watch = rig.after(0)
    assert rig.states() == {"old.abf": "left"}
    assert rig.after(100).due() is None
    watch.include_all()
    assert rig.read() == "old.abf"


def test_a_new_file_is_read_when_it_has_not_changed_for_a_while(rig):
    rig.write("cell.abf", size=100, at=1)
    assert rig.after(1).due() is None
    rig.write("cell.abf", size=200, at=2)
    assert rig.after(2.9).due() is None
    assert rig.after(2.9).due() is None
    assert rig.after(0.2).due().name == "cell.abf"
    assert rig.read() == "cell.abf"
    assert rig.after(100).due() is None


def test_a_new_identity_alone_is_no_change_as_some_network_drives_give_one_each_time(rig):
    rig.write("cell.abf", identity=1)
    rig.after(1)
    rig.write("cell.abf", identity=2)
    assert rig.after(3).due() is not None


def test_a_hundred_files_at_once_are_read_one_by_one_in_the_order_they_were_written(rig):
    for number in range(100):
        rig.write(f"{99 - number:03d}.abf", at=number)
    rig.after(0)
    rig.after(3)
    assert [rig.read() for _ in range(100)] == [f"{99 - number:03d}.abf" for number in range(100)]


def test_a_file_that_cannot_be_read_yet_is_tried_again_ever_more_rarely_and_then_fails(rig):
    rig.write("cell.nwb")
    rig.after(0)
    tried_at = []
    for _ in range(80):
        rig.after(1)
        file = rig.watch.due()
        if file is not None:
            tried_at.append(rig.now - 1000)
            rig.watch.begin(file)
            rig.watch.refuse(file, "is open in another program")
    assert tried_at == [3, 6, 12, 24, 48, 60]
    assert rig.states() == {"cell.nwb": "failed"}
    assert rig.watch.files[0].reason == "is open in another program"
    rig.write("cell.nwb", size=300, at=9)
    rig.after(1)
    assert rig.after(3).due() is not None, "a file that changes after it failed is read all the same"


def test_pausing_reads_nothing_but_notices_everything(rig):
    rig.watch.pause()
    rig.write("a.abf")
    rig.after(0)
    assert rig.after(9).due() is None
    assert rig.states() == {"a.abf": "waiting"}
    rig.watch.pause(False)
    assert rig.read() == "a.abf"


def test_a_lost_drive_is_one_sentence_and_nothing_is_read_twice_when_it_is_back(rig):
    rig.write("a.abf")
    rig.after(0)
    rig.after(3)
    rig.read()
    rig.problem = "The drive is gone."
    assert rig.after(10).due() is None
    assert rig.watch.problem == "The drive is gone."
    rig.problem = ""
    assert rig.after(10).due() is None
    assert rig.states() == {"a.abf": "done"}
    assert rig.watch.problem == ""


def test_an_empty_mount_point_forgets_nothing(rig):
    rig.write("a.abf")
    rig.write("b.abf")
    rig.after(0)
    rig.after(3)
    rig.read()
    kept, rig.stamps = rig.stamps, {}
    assert rig.after(1).due() is None
    assert [file.reason for file in rig.watch.files] == [
        "It is gone: deleted or moved.",
        "It is gone: deleted or moved before it was read.",
    ]
    rig.stamps = kept
    assert rig.after(1).due().name == "b.abf"
    assert rig.watch.files[0].reason == ""


def test_a_drive_missing_at_the_start_leaves_its_old_files_alone_too():
    rig = Rig(problem="Not mounted.")
    rig.write("old.abf")
    rig.after(0)
    rig.problem = ""
    assert rig.after(1).due() is None
    assert rig.states() == {"old.abf": "left"}


def test_a_file_that_grew_after_it_was_read_is_read_again_under_its_name(rig):
    rig.write("cell.abf", size=100)
    rig.after(0)
    rig.after(3)
    rig.read()
    rig.write("cell.abf", size=200, at=2)
    rig.after(1)
    assert "has grown" in rig.watch.files[0].reason
    rig.after(3)
    assert rig.read() == "cell.abf"


def test_the_same_name_again_is_another_recording(rig):
    rig.write("cell.abf", size=200)
    rig.after(0)
    rig.after(3)
    rig.read()
    rig.write("cell.abf", size=150, at=5)
    rig.after(1)
    assert "same name" in rig.watch.files[0].reason
    rig.after(3)
    assert rig.read() == "cell.abf (2)"


def test_what_was_found_is_dropped_if_the_file_changed_while_it_was_read(rig):
    rig.write("cell.abf", size=100)
    rig.after(0)
    rig.after(3)
    file = rig.watch.due()
    rig.watch.begin(file)
    rig.write("cell.abf", size=200, at=2)
    rig.after(1)
    assert not rig.watch.finish(file, "Sst, 80 %")
    assert rig.states() == {"cell.abf": "waiting"}
    rig.after(3)
    assert rig.read() == "cell.abf"


def test_a_file_replaced_that_was_left_alone_is_new(rig):
    rig = Rig()
    rig.write("old.abf", at=1)
    rig.after(0)
    rig.write("old.abf", at=2)
    rig.after(0)
    rig.after(3)
    assert rig.read() == "old.abf"


def test_nothing_is_said_while_nothing_changes(rig):
    rig.write("a.abf")
    rig.after(1)
    heard = rig.heard
    rig.after(1)
    assert rig.heard == heard


# the real folder ----


def test_only_recordings_are_listed(tmp_path):
    for name in ("a.abf", "B.NWB", ".hidden.abf", "~lock.abf", "c.abf.part", "notes.txt", "a.celltype.json"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.abf").mkdir()
    (tmp_path / "link.abf").symlink_to(tmp_path / "nowhere.abf")
    assert set(list_folder(tmp_path).stamps) == {"a.abf", "B.NWB"}


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"x")])
def test_a_folder_that_cannot_be_listed_is_a_sentence(tmp_path, make):
    path = tmp_path / "rig"
    make(path)
    problem = list_folder(path).problem
    assert problem.startswith(f"{path} cannot be looked into: it is ")
    assert "Watching goes on" in problem


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_a_folder_one_may_not_read_says_so(tmp_path):
    tmp_path.chmod(0)
    try:
        assert "you may not read it" in list_folder(tmp_path).problem
    finally:
        tmp_path.chmod(0o700)


# reading and judging ----


def test_a_file_is_judged_to_the_end(monkeypatch):
    monkeypatch.setattr(watch_judge, "read_recording", lambda path: make_firing_recording(2))
    *steps, judged = judge_file(Path("cell.abf"), ModelChoice("wave"), stub_shelf())
    assert all(isinstance(step, Progress) for step in steps)
    assert said_of(judged.call) == "Inhibitory, 90 %"
    assert judged.call.companion.model == "feat"
    assert len(judged.call.votes) == 2
    assert judged.facts.suggested


def test_what_cannot_be_judged_says_why(monkeypatch):
    monkeypatch.setattr(watch_judge, "read_recording", lambda path: make_firing_recording(1, peaks_s=()))
    *_, judged = judge_file(Path("cell.abf"), ModelChoice("wave"), stub_shelf())
    assert "No action potential was found" in said_of(judged.call)
    failing = stub_shelf(StubWaveform(WAVEFORM, failing=RuntimeError("out of memory")), StubFeatures(FEATURES))
    monkeypatch.setattr(watch_judge, "read_recording", lambda path: make_firing_recording(1))
    with pytest.raises(CelltypeError, match="out of memory"):
        list(judge_file(Path("cell.abf"), ModelChoice("wave"), failing))


def test_a_recording_without_its_end_waits_unless_it_is_taken_as_it_is(tmp_path):
    path = tmp_path / "cell.abf"
    whole = abf2_bytes(MadeAbf(np.zeros((1, 4 * 4000), dtype=np.int16), lengths=[4000] * 4))
    path.write_bytes(whole)
    assert len(open_finished(path).sweeps) == 4
    path.write_bytes(whole[: int(0.6 * len(whole))])
    with pytest.raises(RecordingError, match="not written to its end yet"):
        open_finished(path)
    assert len(open_finished(path, take_as_is=True).sweeps) == 2


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("swharden+pyABF/171116sh_0016.abf", 0.97),
        ("swharden+pyABF/130618-1-12.abf", 0.5),
        ("ZeitgeberH+patchview/test_singleFP.dat", 0.97),
        ("myokit+myokit/wcp-file.wcp", 0.5),
        ("catalystneuro+neuroconv/episodic.axgd", 0.5),
        ("smestern+ipfx/19926019.nwb", 0.97),
        ("JaneliaSciComp+Wavesurfer/test2.h5", 0.5),
        ("BlueBrain+BluePyEfe/B6_Ch0_IDRest_181.ibw", 0.97),
    ],
)
def test_real_files_cut_short_wait_for_their_end(shared_data, tmp_path, name, share):
    data = (shared_data / "recordings" / name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RecordingError):
        open_finished(path)
    path.write_bytes(data)
    assert open_finished(path).sweeps


def test_an_hdf5_file_another_program_is_writing_cannot_be_opened_yet(tmp_path):
    path = tmp_path / "cell.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "NWB-2.0"
        with pytest.raises(RecordingError):
            open_finished(path)
